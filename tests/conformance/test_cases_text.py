"""Acceptance cases A: text, and the grammar of streams."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.automata import messages_stream
from tests.conformance.replies import T, Th, chunk, script, usage
from tests.conformance.served import CHAT, DIALECTS, MESSAGES, Served, events, user
from tests.conformance.upstreams import Upstream, before
from tests.gateway.dialects.anthropic.reader import parse

pytestmark = pytest.mark.anyio

HELLO = script(chunk(T("He")), chunk(T("llo"), fin="STOP", usage=usage(3, 2, 5)))


async def test_a_chat_stream_opens_with_the_role_and_ends_with_done(either: Served) -> None:
    """A1"""
    body = (await either.post(CHAT, HELLO, stream=True)).text
    chunks = events(body)
    deltas = [one["choices"][0]["delta"] for one in chunks]
    assert deltas[0]["role"] == "assistant"
    assert "".join(delta.get("content") or "" for delta in deltas) == "Hello"
    assert [one["choices"][0]["finish_reason"] for one in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert len({(one["id"], one["created"]) for one in chunks}) == 1
    assert not any("usage" in one for one in chunks)
    assert body.endswith("data: [DONE]\n\n")


async def test_usage_is_one_chunk_without_choices_before_done(either: Served) -> None:
    """A2"""
    body = (await either.post(CHAT, HELLO, stream=True, stream_options={"include_usage": True})).text
    *before, last = events(body)
    assert last["choices"] == []
    assert (last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]) == (3, 2)
    assert last["usage"]["total_tokens"] == 5
    assert all(one["choices"] and one["usage"] is None for one in before)
    assert body.split("\n\n")[-2] == "data: [DONE]"


async def test_a_messages_stream_is_its_events_in_order(either: Served) -> None:
    """A3"""
    data = (await either.post(MESSAGES, HELLO, stream=True)).content
    start, opened, *texts, stopped, delta, end = parse(data)
    assert (start["type"], start["message"]["usage"]["input_tokens"] > 0) == ("message_start", True)
    assert opened == {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    assert [one["delta"] for one in texts] == [{"type": "text_delta", "text": text} for text in ("He", "llo")]
    assert stopped == {"type": "content_block_stop", "index": 0}
    assert delta["delta"]["stop_reason"] == "end_turn"
    assert (delta["usage"]["input_tokens"], delta["usage"]["output_tokens"]) == (3, 2)
    assert end == {"type": "message_stop"}


async def test_a_stream_upstream_is_one_completion_for_who_does_not_stream(either: Served) -> None:
    """A7"""
    answer = (await either.post(CHAT, HELLO)).json()
    (choice,) = answer["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Hello", "stop")
    counted = [answer["usage"][f"{name}_tokens"] for name in ("prompt", "completion", "total")]
    assert counted == [3, 2, 5]


async def test_a_stream_upstream_is_one_message_for_who_does_not_stream(every: Served) -> None:
    """A7 of Messages"""
    answer = (await every.post(MESSAGES, HELLO, max_tokens=50)).json()
    assert answer["content"] == [{"type": "text", "text": "Hello"}]
    assert answer["stop_reason"] == "end_turn"
    assert (answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]) == (3, 2)


async def test_an_empty_thought_does_not_cut_the_text(either: Served) -> None:
    """A8"""
    said = script(chunk(T("A")), chunk(Th("")), chunk(T("B"), fin="STOP"))
    answer = (await either.post(MESSAGES, said, max_tokens=50)).json()
    assert answer["content"] == [{"type": "text", "text": "AB"}]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_client_that_leaves_closes_the_upstream_connection(
    upstream: Upstream, tmp_path: Path, dialect: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A16"""
    # made here, where the log goes to what this test reads
    async with before(upstream, tmp_path, log={"format": "json"}) as served:
        said = [user(served.directed(f"{HELLO}\n!acked"))]
        body = {"model": served.model, "stream": True, "max_tokens": 50, "messages": said}
        async with served.http.stream("POST", DIALECTS[dialect], json=body) as response:
            async for line in response.aiter_lines():
                if '"He"' in line:
                    break
        await served.fake.wait_closed(timeout_s=1)
        assert served.calls[-1].closed_by_client
    log = capfd.readouterr().err
    assert '"client_closed"' in log
    assert "Traceback" not in log
    assert '"level":"error"' not in log


async def test_text_of_any_alphabet_is_never_cut_within_a_letter(either: Served) -> None:
    """A3 with one byte a segment: what travels in several bytes arrives as one letter."""
    said = script(chunk(T("Zażółć 汉字 🚀")), chunk(T("\u2028!"), fin="STOP"), then="!bytes 1")
    data = (await either.post(MESSAGES, said, stream=True)).content
    assert messages_stream(data).text == "Zażółć 汉字 🚀\u2028!"
    texts = [one["delta"]["text"] for one in parse(data) if one["type"] == "content_block_delta"]
    assert texts == ["Zażółć 汉字 🚀", "\u2028!"]
    assert json.dumps("\u2028")[1:-1].encode() in data
