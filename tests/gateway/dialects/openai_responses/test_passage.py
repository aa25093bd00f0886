"""An upstream's own stream on its way to a Responses caller."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.openai_responses import OpenAIResponses
from gateway.dialects.openai_responses.passage import ResponsesPassage
from gateway.errors import StreamBroken, UpstreamUnavailable

CREATED = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":%b,"response":{"id":"resp_1"}}\n\n'
)


@pytest.mark.parametrize(("number", "following"), [(b"0", 1), (b"41", 42), (b"9" * 5000, 0)])
def test_a_stream_that_breaks_ends_with_the_next_number(number: bytes, following: int) -> None:
    request = ir.Request(model="m", turns=())
    asked = Answering(request=request, model="m", id="1", created=0, request_id="r", estimate=lambda: 0)
    passage = OpenAIResponses().passage(asked)
    passage.feed([ir.Passed(CREATED % number)])
    name, data = passage.close(StreamBroken("cut")).decode().rstrip().split("\n")
    said = json.loads(data.removeprefix("data: "))
    assert (name, said["type"], said["sequence_number"]) == ("event: response.failed", "response.failed", following)
    assert (said["response"]["id"], said["response"]["status"]) == ("resp_1", "failed")


def streamed(*events: object, names: bool = True) -> bytes:
    """Write events as a server does, [DONE] among them."""
    written = [json.dumps(event).encode() for event in events]
    kinds = [event["type"].encode() if isinstance(event, dict) else b"" for event in events]
    lines = [b"event: %b\n" % kind if names and kind else b"" for kind in kinds]
    return b"".join(line + b"data: %b\n\n" % data.strip(b'"') for line, data in zip(lines, written, strict=True))


def passed(data: bytes, *, size: int, error: StreamBroken | None = None) -> tuple[list[dict[str, Any]], bytes | None]:
    """Pass a stream in pieces of a size: what the caller reads, and what is kept."""
    request = ir.Request(model="m", turns=())
    asked = Answering(request=request, model="m", id="1", created=0, request_id="r", estimate=lambda: 0)
    passage = ResponsesPassage(asked)
    pieces = [ir.Passed(data[start : start + size]) for start in range(0, len(data), size)]
    end = ir.Finished(reason="stop") if error is None else ir.Failed(error)
    out = b"".join(passage.feed([piece]) for piece in pieces[:-1]) + passage.feed([pieces[-1], end]) + passage.close()
    read = out.decode().replace("\r\n", "\n").replace("\r", "\n")
    events = [event for event in read.split("\n\n") if event]
    said = [json.loads(event.partition("data: ")[2]) for event in events if not event.endswith("[DONE]")]
    named = [event.partition("\n")[0] for event in events if event.startswith("event:")]
    assert not named or named == [f"event: {one['type']}" for one in said]
    return said, passage.response


BEGUN: dict[str, Any] = {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1"}}
WORDS: dict[str, Any] = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "Hi"}]}
CALL: dict[str, Any] = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}
ITEMS: list[dict[str, Any]] = [{"type": "response.output_item.done", "item": item} for item in (WORDS, CALL)]


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("output", [{"output": []}, {"output": None}, {}])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_last_event_without_output_gets_what_was_streamed(size: int, output: dict[str, Any], end: bytes) -> None:
    """QuantumNous/new-api 4362, open-webui PR 27800, hermes-agent PR 5758: who reads it there has nothing."""
    last = {"type": "response.completed", "response": {"id": "resp_1", "status": "completed", **output}}
    said, kept = passed(streamed(BEGUN, *ITEMS, last).replace(b"\n", end), size=size)
    assert said[-1]["response"]["output"] == [WORDS, CALL]
    assert kept is not None
    assert json.loads(kept) == said[-1]["response"]


def test_an_output_that_a_server_gives_stays() -> None:
    last = {"type": "response.incomplete", "response": {"id": "resp_1", "output": [WORDS]}}
    said, _ = passed(streamed(BEGUN, *ITEMS, last), size=100_000)
    assert said[-1] == last


@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize("names", [True, False])
@pytest.mark.parametrize(
    ("status", "name"),
    [("completed", "completed"), ("incomplete", "incomplete"), ("failed", "failed"), (None, "completed")],
)
def test_response_done_gets_the_name_that_clients_wait_for(
    size: int, names: bool, status: str | None, name: str
) -> None:
    """decolua/9router PR 2142, can1357/oh-my-pi PR 4692: Codex says that the stream was closed too early."""
    last = {"type": "response.done", "response": {"id": "resp_1", "status": status, "output": [WORDS]}}
    said, kept = passed(streamed(BEGUN, *ITEMS, last, names=names), size=size)
    assert said[-1] == last | {"type": f"response.{name}"}
    assert (kept is None) is (name == "failed")


def test_nothing_says_well_done_in_front_of_the_error() -> None:
    """OpenAI's SDKs read nothing behind [DONE]."""
    said, _ = passed(streamed(BEGUN, "[DONE]"), size=100_000, error=StreamBroken("cut"))
    assert [one["type"] for one in said] == ["response.created", "response.failed"]


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("end", [(), ("[DONE]",)])
@pytest.mark.parametrize("cut", [0, 1])
def test_a_complete_stream_that_does_not_say_so_gets_its_last_event(size: int, end: tuple[str, ...], cut: int) -> None:
    """moeru-ai/airi PR 2593: OpenRouter's may end behind the last item; without [DONE], or before its blank line."""
    items = [ITEMS[0], ITEMS[1] | {"sequence_number": 6}]
    whole = streamed(BEGUN, *items, *end)
    said, kept = passed(whole[: len(whole) - cut], size=size)
    assert [one["type"] for one in said] == [
        "response.created",
        "response.output_item.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert said[-1] == {
        "type": "response.completed",
        "sequence_number": 7,
        "response": {"id": "resp_1", "status": "completed", "output": [WORDS, CALL]},
    }
    assert kept is not None
    assert json.loads(kept) == said[-1]["response"]


def test_a_complete_stream_without_a_beginning_gets_a_response_of_its_own() -> None:
    said, _ = passed(streamed(ITEMS[0]), size=100_000)
    assert (said[-1]["type"], said[-1]["response"]["id"]) == ("response.completed", "resp_1")
    assert (said[-1]["response"]["model"], said[-1]["response"]["output"]) == ("m", [WORDS])


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("behind", [b"", b"\n", b"\n\n"])
def test_an_error_that_is_no_event_is_told_as_one(behind: bytes, apart: bool) -> None:
    """However the end of the stream is read."""
    request = ir.Request(model="m", turns=())
    asked = Answering(request=request, model="m", id="1", created=0, request_id="r", estimate=lambda: 0)
    passage = ResponsesPassage(asked)
    told = b'{\n  "error": {\n    "message": "gone"\n  }\n}' + behind
    failed = ir.Failed(UpstreamUnavailable("gone"), told=True)
    out = passage.feed([ir.Passed(CREATED % b"0"), ir.Passed(told), *([] if apart else [failed])])
    out += (passage.feed([failed]) if apart else b"") + passage.close()
    assert out.startswith(CREATED % b"0")
    assert out.count(b"event: response.failed\ndata: ") == 1
    assert out.endswith(b"\n\n")
    assert apart or told.strip() not in out
