"""Row 14 of docs/faults.md: every credential of a pool answers 429, whatever kind of upstream it is of."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.server import Fake
from tests.faults.standing import Standing, standing
from tests.guard.counting import instructions
from tests.stalls import GUARD

pytestmark = pytest.mark.anyio

COUNT = 20
SHORTEST = 13  # the place of the credential that comes back first
QUIET = {"health": {"interval": 0}, "uses_per_turn": 1}
REST_S = 3.0
TABLES: dict[str, dict[str, Any]] = {
    "google": {"pool": {"refresh_tokens": [f"rt-{place}" for place in range(COUNT)], **QUIET}},
    **{
        table: {"api_key": [f"key-{place}" for place in range(COUNT)], "pool": QUIET}
        for table in ("gemini", "openai", "responses", "azure", "anthropic")
    },
}


@dataclass(frozen=True)
class Storm:
    """What all credentials answer, and what the one does that comes back first, after so many seconds."""

    table: str
    model: str
    method: str
    long: str
    short: str
    short_s: float


STORMS = {
    "v1internal": Storm(
        "google",
        "gemini-3-flash",
        "streamGenerateContent",
        "429_quota_exhausted_hours",
        "429_rate_limit_minutes",
        72.5,
    ),
    "gemini": Storm(
        "gemini", "gemini-3-flash-preview", "streamGenerateContent", "429_per_minute", "429_tokens_per_minute", 26.5
    ),
    "openai-chat": Storm("openai", "gpt-4.1", "chat.completions", "429_requests", "429_tokens", 7.24),
    "openai-responses": Storm("responses", "gpt-4.1", "responses", "429_requests", "429_tokens", 7.24),
    "azure": Storm("azure", "gpt-4.1", "chat.completions", "429_tokens", "429_tokens", 19.5),
    "anthropic": Storm("anthropic", "claude-sonnet-4-5", "messages", "429_bare", "429_requests", 7.0),
}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Standing]:
    async with standing(tmp_path, TABLES, retry={"attempts": 4, "max_wait": 1}) as one:
        for place in range(COUNT):
            one.fakes["google"].oauth.add(secret("google", place))
        for table in TABLES.keys() - {"google"}:
            one.fakes[table].keys.update(TABLES[table]["api_key"])
        yield one


def secret(table: str, place: int) -> str:
    return f"rt-{place}" if table == "google" else f"key-{place}"


async def ask(site: Standing, storm: Storm) -> httpx.Response:
    body = {"model": f"{storm.table}/{storm.model}", "messages": [{"role": "user", "content": "Hello"}]}
    async with httpx.AsyncClient(timeout=60) as http:
        return await http.post(f"{site.url}/v1/chat/completions", json=body)


@pytest.mark.parametrize("kind", STORMS)
async def test_each_is_asked_once_and_the_caller_hears_the_shortest_wait(site: Standing, kind: str) -> None:
    storm = STORMS[kind]
    fake: Fake[Any] = site.fakes[storm.table]
    fake.fail(storm.short, token=secret(storm.table, SHORTEST), method=storm.method)
    fake.fail(storm.long, method=storm.method, times=math.inf)
    began = time.monotonic()
    answer = await ask(site, storm)
    taken = time.monotonic() - began
    assert answer.status_code == 429
    assert {call.status for call in fake.calls(storm.method)} == {429}
    asked = sorted(call.credential for call in fake.calls(storm.method))
    assert asked == sorted(secret(storm.table, place) for place in range(COUNT))
    told = int(answer.headers["retry-after"])
    assert storm.short_s - taken - 1 <= told <= math.ceil(storm.short_s)
    again = [await ask(site, storm) for _ in range(5)]
    assert [one.status_code for one in again] == [429] * 5
    assert len(fake.calls(storm.method)) == COUNT
    site.holds_nothing()


async def test_a_pool_that_rests_costs_nothing(site: Standing) -> None:
    """What is counted is the gateway's own work: how long it takes depends on the machine."""
    for storm in STORMS.values():
        site.fakes[storm.table].fail(storm.long, method=storm.method, times=math.inf)
        assert (await ask(site, storm)).status_code == 429
    with GUARD.paused():
        asking = await instructions(lambda: ask(site, STORMS["anthropic"]))
        resting = await instructions(lambda: asyncio.sleep(REST_S))
    assert 0 < resting / REST_S <= 2 * asking
