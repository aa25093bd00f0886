"""Tokens that nobody asked for are cut out of the bytes of a chunk, as if it were written anew without them."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.openai_chat import OpenAIChat
from gateway.dialects.openai_chat.edits_replies import trim
from gateway.dialects.passage import Passage

DELTA = '{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":%s}}]%s}'
SAID = '"say \\",\\"usage\\":null}\\n\\n"'


def answering(*, include_usage: bool) -> Answering:
    request = ir.Request(model="m", turns=(), stream=True, include_usage=include_usage)
    return Answering(
        request=request,
        model="m",
        id="1",
        created=0,
        request_id="r",
        estimate=lambda: 0,
        sealed=True,
        images="markdown",
    )


def chunk(words: str, more: str) -> bytes:
    return f"data: {DELTA % (words, more)}\n\n".encode()


@pytest.mark.parametrize("more", [',"usage":null', ',"usage":null,"obfuscation":"x"', ',"usage": null', ""])
def test_what_goes_out_is_the_chunk_without_them(more: str) -> None:
    events = chunk(SAID, more) + chunk('"b"', more)
    passage = OpenAIChat().passage(answering(include_usage=False))
    out = passage.feed([ir.Passed(events)]).decode()
    chunks = [json.loads(line.removeprefix("data: ")) for line in out.split("\n\n") if line]
    wanted = [json.loads(DELTA % (words, more)) for words in (SAID, '"b"')]
    assert chunks == [{name: value for name, value in one.items() if name != "usage"} for one in wanted]


def test_who_asked_gets_every_byte() -> None:
    events = chunk(SAID, ',"usage":null')
    assert trim(events, answering(include_usage=True)) == events
    assert OpenAIChat().passage(answering(include_usage=True)).feed([ir.Passed(events)]) == events


def test_a_blank_line_too_many_passes_beside_an_edit() -> None:
    """However the bytes are cut: a chunk that is written anew takes nothing with it."""
    events = b'data: {"choices":[{"index":0,"delta":{}}],"usage":null }\n\n\n'
    joined, pieces = (OpenAIChat().passage(answering(include_usage=False)) for _ in range(2))
    out = joined.feed([ir.Passed(events), ir.Finished(reason="stop")]) + joined.close()
    cut = pieces.feed([ir.Passed(events[:5]), ir.Passed(events[5:]), ir.Finished(reason="stop")]) + pieces.close()
    assert out == cut == b'data: {"choices":[{"index":0,"delta":{}}]}\n\n\n'


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\r\r"])
def test_of_a_chunk_that_is_left_out_nothing_stays_however_the_bytes_are_cut(end: str) -> None:
    kept = 'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}' + end
    events = f'{kept}data: {{"choices":[],"usage":null}}{end}{kept}data: [DONE]{end}'.encode()
    passage = OpenAIChat().passage(answering(include_usage=False))
    out = b"".join(passage.feed([ir.Passed(events[place : place + 1])]) for place in range(len(events)))
    assert out == f"{kept}{kept}data: [DONE]{end}".encode()


def test_comments_are_looked_at_by_no_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand times a thousand of them, held back until the first words, would keep every other caller waiting."""
    monkeypatch.setattr(Passage, "_event", None)
    comments = b": still there\n\n" * 9
    asked = replace(answering(include_usage=False), model="another name")
    assert OpenAIChat().passage(asked).feed([ir.Passed(comments, quiet=True)]) == comments


def test_words_that_are_spelt_like_a_field_pass_behind_a_call_that_is_numbered_anew() -> None:
    call = {"index": 0, "function": {"name": "look", "arguments": "{}"}}
    called = [{**call, "id": one} for one in ("call_1", "call_2")]
    begun, said = (
        {"choices": [{"index": 0, "delta": delta}]} for delta in ({"tool_calls": called}, {"content": "tool_calls"})
    )
    passage = OpenAIChat().passage(answering(include_usage=True))
    assert b'"index":1' in passage.feed([ir.Passed(b"data: %b\n\n" % json.dumps(begun).encode())])
    event = b"data: %b\n\n" % json.dumps(said).encode()
    assert passage.feed([ir.Passed(event)]) == event


def test_a_call_without_an_id_gets_one_of_its_own_once() -> None:
    """anomalyco/opencode#12585: NVIDIA, Chutes and vLLM leave it out, and the AI SDK fails on the call."""
    pieces = [
        {"index": 0, "function": {"name": "look", "arguments": ""}},
        {"index": 0, "id": "late", "function": {"arguments": "{}"}},
        {"index": 1, "id": None, "function": {"name": "look", "arguments": "{}"}},
        {"index": 2, "id": "call_own", "function": {"name": "look", "arguments": "{}"}},
    ]
    passage = OpenAIChat().passage(answering(include_usage=True))
    said = list[dict[str, object]]()
    for piece in pieces:
        event = {"choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]}
        out = passage.feed([ir.Passed(b"data: %b\n\n" % json.dumps(event).encode())])
        said += json.loads(out.removeprefix(b"data: "))["choices"][0]["delta"]["tool_calls"]
    first, late, second, own = said
    assert isinstance(first["id"], str)
    assert isinstance(second["id"], str)
    assert len({first["id"], second["id"], own["id"]}) == 3
    assert "id" not in late
    assert own == pieces[3]
