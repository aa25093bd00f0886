"""The fake of the public API as a program, administered over HTTP."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from tests.fakes_tests.gemini_api_bodies import GEMINI_3, body
from tests.fakes_tests.v1internal_bodies import read, text, user

ROOT = Path(__file__).parents[2]
STREAM = f"/v1beta/models/{GEMINI_3}:streamGenerateContent?alt=sse"


@pytest.fixture
async def program() -> AsyncIterator[aiohttp.ClientSession]:
    """Run the fake as a program; give a session at its address."""
    command = [sys.executable, "-m", "tests.fakes.gemini_api", "--port", "0", "--key", "mine"]
    async with await anyio.open_process(command, cwd=ROOT) as process:
        assert process.stdout is not None
        url = json.loads(await process.stdout.receive())["url"]
        async with aiohttp.ClientSession(url, headers={"x-goog-api-key": "mine"}) as session:
            yield session
        process.terminate()


async def ask(session: aiohttp.ClientSession, path: str, sent: Any) -> tuple[int, bytes]:
    async with session.post(path, json=sent) as response:
        return response.status, await response.read()


async def test_the_program_serves_and_is_administered_over_http(program: aiohttp.ClientSession) -> None:
    await ask(program, "/_push", {"texts": ["!say pushed"]})
    await ask(program, "/_fail", {"error": "429_per_day", "token": "mine"})
    refused, _ = await ask(program, STREAM, body())
    answered, data = await ask(program, STREAM, body())
    state = await (await program.get("/_requests")).json()
    await ask(program, "/_reset", {})
    after = await (await program.get("/_requests")).json()
    assert (refused, answered, text(read(data))) == (429, 200, "pushed")
    assert state["counts"] == {"streamGenerateContent": 2}
    assert state["requests"][1]["body"]["contents"] == [user("hi")]
    assert after["requests"] == []


async def test_the_program_lets_acked_streams_go_on(program: aiohttp.ClientSession) -> None:
    await ask(program, "/_ack", {"count": 9})
    _, data = await ask(program, STREAM, body(user("!say a text of chunks\n!acked")))
    assert text(read(data)) == "a text of chunks"
