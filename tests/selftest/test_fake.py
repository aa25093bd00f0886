"""`FakeUpstream`: it answers in the order of its script, keeps what was asked, and breaks off where it is told to."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from gateway.testing import FakeUpstream, Reply

pytestmark = pytest.mark.anyio


async def test_it_answers_in_order_and_keeps_what_was_asked() -> None:
    replies = (Reply.json({"n": 1}), Reply.json({"error": "busy"}, 503))
    async with FakeUpstream(*replies) as upstream, httpx.AsyncClient(base_url=upstream.url) as http:
        first = await http.post("/v1/chat?beta=true", json={"model": "m"}, headers={"X-Key": "k"})
        second, third = await http.get("/"), await http.get("/")
    assert (first.json(), second.status_code, third.status_code) == ({"n": 1}, 503, 500)
    assert "the script of this fake is over" in third.text
    asked = upstream.requests[0]
    assert (asked.method, asked.path, asked.headers["x-key"]) == ("POST", "/v1/chat?beta=true", "k")
    assert asked.json() == {"model": "m"}


async def test_behind_its_replies_it_answers_by_what_is_asked() -> None:
    fake = FakeUpstream(Reply.json(0), answer=lambda asked: Reply.json(len(asked.body)))
    async with fake as upstream, httpx.AsyncClient(base_url=upstream.url) as http:
        answers = [(await http.post("/", content=b"x" * size)).json() for size in (5, 6, 7)]
    assert answers == [0, 6, 7]


async def test_a_stream_waits_behind_its_first_event_until_it_may_go_on() -> None:
    go_on = asyncio.Event()
    async with FakeUpstream() as upstream, httpx.AsyncClient(base_url=upstream.url) as http:
        upstream.push(Reply.events({"n": 1}, "[DONE]", held=go_on))
        async with http.stream("GET", "/") as response:
            pieces = response.aiter_raw()
            assert await anext(pieces) == b'data: {"n":1}\n\n'
            go_on.set()
            assert await anext(pieces) == b"data: [DONE]\n\n"
        assert response.headers["content-type"] == "text/event-stream"


async def test_a_stream_can_break_off() -> None:
    async with FakeUpstream(Reply.events({"n": 1}, cut=True)) as upstream, httpx.AsyncClient() as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(upstream.url)
