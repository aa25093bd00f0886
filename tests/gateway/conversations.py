"""An app that keeps responses, and somebody who talks to it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from gateway import ir
from gateway.app import lifespan
from gateway.clock import Clock
from tests.scripted import Scripted, app_of, say

__all__ = ["ALICE", "BOB", "Talk", "talking", "texts"]

ALICE, BOB = "sk-alice-0123456789", "sk-bob-0123456789"

Json = dict[str, Any]


class Talk:
    """Asks as one caller."""

    def __init__(self, app: Starlette, folder: Path, upstream: Scripted, key: str = ALICE) -> None:
        self.app = app
        self.upstream = upstream
        self.file = folder / "gateway.db"
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(
            transport=transport, base_url="http://gateway", headers={"authorization": f"Bearer {key}"}, timeout=20
        )

    async def post(self, said: object, previous: str | None = None, /, **fields: object) -> httpx.Response:
        body = {"model": "demo", "input": said, **fields}
        return await self.client.post(
            "/v1/responses", json=body if previous is None else {**body, "previous_response_id": previous}
        )

    async def say(self, said: object, previous: str | None = None, /, **fields: object) -> Json:
        answer = await self.post(said, previous, **fields)
        assert answer.status_code == 200, answer.text
        response: Json = answer.json()
        return response

    async def get(self, id_: str, what: str = "") -> httpx.Response:
        return await self.client.get(f"/v1/responses/{id_}{what}")

    async def delete(self, id_: str) -> httpx.Response:
        return await self.client.delete(f"/v1/responses/{id_}")

    def rows(self) -> int:
        """How many responses are in the file."""
        if not self.file.exists():
            return 0
        with closing(sqlite3.connect(self.file)) as connection:
            (count,) = connection.execute("select count(*) from responses").fetchone()
        return int(count)


def texts(request: ir.Request) -> list[str]:
    """What an upstream reads, turn by turn."""
    return [part.text for turn in request.turns for part in turn.parts if isinstance(part, ir.Text)]


@asynccontextmanager
async def talking(
    folder: Path,
    *plays: Any,
    clock: Clock | None = None,
    keys: tuple[str, ...] = (ALICE, BOB),
    **config: object,
) -> AsyncIterator[Callable[..., Talk]]:
    """Run an app whose data is in `folder`; give what makes a caller of it."""
    upstream = Scripted(*(plays or (say("Hello"),)))
    given = {"server": {"data_dir": str(folder)}, "auth": {"keys": list(keys)}, **config}
    app = app_of(upstream, config=given, clock=clock)
    async with lifespan(app), AsyncExitStack() as clients:

        def caller(key: str = ALICE) -> Talk:
            talk = Talk(app, folder, upstream, key)
            clients.push_async_callback(talk.client.aclose)
            return talk

        yield caller
        await asyncio.sleep(0)
