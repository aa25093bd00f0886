"""The caller's side of one answer: what goes out when several things happen at once."""

from __future__ import annotations

import asyncio
import time

import pytest
from starlette.types import Message

from gateway.errors import UpstreamOverloaded
from gateway.grace import Grace
from gateway.streaming import Client

KEEPALIVE_S = 0.02


async def test_an_error_before_the_first_piece_is_overtaken_by_no_sign_of_life() -> None:
    """Else the reply is open when the error is to be written as one, and the caller gets neither."""
    sent: list[Message] = []
    listening = asyncio.Event()

    async def receive() -> Message:
        listening.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    client = Client(receive, send, Grace(0), keepalive=b": alive\n\n", keepalive_s=KEEPALIVE_S)
    with pytest.raises(UpstreamOverloaded):
        async with client:
            await listening.wait()
            time.sleep(2 * KEEPALIVE_S)  # noqa: ASYNC251 - so that the sign of life is due
            while not any("_sign" in repr(task) for task in asyncio.all_tasks()):  # noqa: ASYNC110 - it has not run yet
                await asyncio.sleep(0)
            raise UpstreamOverloaded("it is too much")
    assert sent == []
    assert not client.started
