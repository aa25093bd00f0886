"""What stands inside the pipeline, whatever is asked for."""

import asyncio
from pathlib import Path

import pytest
from starlette.types import Message, Scope

from gateway.adapters.demo import Demo
from gateway.app import Gateway
from gateway.clock import System
from gateway.config import Loaded, load
from gateway.upstream import Call


class Silent(Demo):
    """Counts for ever; `asked`: it has begun to."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__("demo", loaded, System())
        self.asked = asyncio.Event()

    async def count(self, call: Call) -> int | None:
        self.asked.set()
        await asyncio.Event().wait()
        return None


async def test_whatever_is_cancelled_ends_as_cancelled(tmp_path: Path) -> None:
    loaded = load({"server": {"data_dir": str(tmp_path)}, "auth": {"allow_anonymous": "always"}}, environ={})
    silent = Silent(loaded)
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/messages/count_tokens",
        "headers": [],
        "state": {},
    }
    messages: list[Message] = [
        {
            "type": "http.request",
            "body": b'{"model": "demo", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}',
        }
    ]

    async def receive() -> Message:
        return messages.pop() if messages else await asyncio.get_running_loop().create_future()

    async def send(_: Message) -> None:
        pytest.fail("nothing is answered")

    asking = asyncio.ensure_future(Gateway(loaded, adapters={"demo": silent}).app(scope, receive, send))
    await silent.asked.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert scope["state"]["gateway"].end == "cancelled"
