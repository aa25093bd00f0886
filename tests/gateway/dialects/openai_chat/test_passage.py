"""How an answer of Chat Completions that passes ends: with a reason and `[DONE]`, or with an error that is heard."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.openai_chat import OpenAIChat
from gateway.errors import UpstreamUnavailable

ASKED = ir.Request(model="m", turns=(), stream=True)
TO = Answering(request=ASKED, model="m", id="1", created=0, request_id="r", estimate=lambda: 0)
WORDS = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{}}]}\n\n'
)
DONE = b"data: [DONE]\n\n"
STOP: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}


def chunks(passed: bytes) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in passed.decode().split("\n\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


@pytest.mark.parametrize("opening", [b"", b": still there\n\n"])
@pytest.mark.parametrize(
    ("reason", "said"), [("stop", "stop"), ("tool_calls", "tool_calls"), ("content_filter", "content_filter")]
)
def test_an_end_without_a_reason_gets_one(opening: bytes, reason: ir.FinishReason, said: str) -> None:
    """Agents ask on and on where an answer is only broken off."""
    passage = OpenAIChat().passage(TO)
    out = passage.feed([ir.Passed(opening + WORDS)]) + passage.feed([ir.Passed(DONE), ir.Finished(reason=reason)])
    first, last, done = chunks(out + passage.close())
    assert done == "[DONE]"
    assert last == {**first, "choices": [{**STOP, "finish_reason": said}]}


def test_an_end_without_a_reason_behind_a_comment_of_its_own_has_the_ids_of_this_gateway() -> None:
    passage = OpenAIChat().passage(TO)
    out = passage.feed([ir.Passed(b": still there\n\n")]) + passage.feed([ir.Passed(WORDS)])
    out += passage.feed([ir.Passed(DONE), ir.Finished(reason="stop")])
    assert [one if one == "[DONE]" else one["id"] for one in chunks(out)] == ["c", "chatcmpl-1", "[DONE]"]


@pytest.mark.parametrize("native", ["stop", ""])  # "": nobody here could read it
def test_another_end_passes_as_it_is(native: str) -> None:
    passage = OpenAIChat().passage(TO)
    assert passage.feed([ir.Passed(WORDS + DONE), ir.Finished(reason="stop", native=native)]) == WORDS + DONE
    assert passage.close() == b""


def test_an_error_of_the_older_form_stands_where_parsers_look_for_it() -> None:
    passage = OpenAIChat().passage(TO)
    told = b'data: {"object":"error","message":"gone","type":"InternalServerError","code":500}\n\n'
    failed = ir.Failed(UpstreamUnavailable("gone"), told=True)
    out = passage.feed([ir.Passed(WORDS + told + DONE), failed]) + passage.close()
    assert chunks(out)[1:] == [{"error": {"message": "gone", "type": "InternalServerError", "code": 500}}]


@pytest.mark.parametrize(
    "told",
    [
        b'data: {"choices":null,"base_resp":{"status_code":1000,"status_msg":"gone"}}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"message":"gone"}}]}\n\n',
        b'data: {"choices":[],"error":null,"base_resp":{"status_code":1000,"status_msg":"gone"}}\n\n',
    ],
)
def test_an_error_that_is_told_elsewhere_is_told_again(told: bytes) -> None:
    passage = OpenAIChat().passage(TO)
    out = passage.feed([ir.Passed(WORDS + told), ir.Failed(UpstreamUnavailable("gone"), told=True)]) + passage.close()
    assert chunks(out)[-1] == {
        "error": {"message": "gone", "type": "server_error", "param": None, "code": "upstream_error"}
    }
