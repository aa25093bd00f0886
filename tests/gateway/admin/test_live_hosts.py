"""The requests that run on other hosts: seen and cancelled through a real Redis, each once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from redis.asyncio import Redis

from tests.gateway.admin.accounts import ADMIN, HTML, made, visiting
from tests.gateway.admin.test_live import asked, cancel, listed, running, stuck
from tests.patience import patient
from tests.redis_server import READ_ONLY, RedisServer

pytestmark = pytest.mark.anyio

CHANNEL = "gateway:running:0"


def host(folder: Path, name: str, url: str) -> Any:
    """Make an app with data of its own, as on another host."""
    return made(folder / name, stuck("Hello"), store={"redis": url}, log={"level": "critical"})


@asynccontextmanager
async def two_hosts(folder: Path, redis: RedisServer) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Visit one host, and another one where a request runs."""
    async with (
        visiting(host(folder, "a", redis.url)) as one,
        visiting(host(folder, "b", redis.url)) as other,
        asked(other, "anthropic"),
    ):
        yield one, other


async def listening(redis: RedisServer, count: int, channel: str = CHANNEL) -> None:
    """Wait until so many processes listen."""
    client = Redis.from_url(redis.url)
    with anyio.fail_after(patient(10)):
        while dict(await client.pubsub_numsub(channel)).get(channel.encode()) != count:  # noqa: ASYNC110
            await anyio.sleep(0.01)
    await client.aclose()


async def test_what_runs_elsewhere_is_seen_once_and_cancelled(tmp_path: Path, redis: RedisServer) -> None:
    async with (
        visiting(host(tmp_path, "a", redis.url)) as one,
        visiting(host(tmp_path, "a", redis.url)) as sibling,
        visiting(host(tmp_path, "b", redis.url)) as other,
        asked(other, "anthropic") as far,
        asked(sibling, "openai-chat") as near,
    ):
        await listening(redis, 3)
        for http in (one, sibling, other):
            rows = await running(http, 2)
            assert {row["dialect"] for row in rows} == {"anthropic", "openai-chat"}
            assert all(row["host"] for row in rows)
        for row in rows:
            assert await cancel(one, row["id"]) == 204
            assert await cancel(one, row["id"]) == 404
    assert [answer.status_code for answer in (*far, *near)] == [503, 503]


async def test_another_database_number_is_another_gateway(tmp_path: Path, redis: RedisServer) -> None:
    async with (
        visiting(host(tmp_path, "a", redis.url)) as one,
        visiting(host(tmp_path, "b", redis.url.removesuffix("0") + "1")) as other,
        asked(other, "anthropic"),
    ):
        await listening(redis, 1)
        await listening(redis, 1, "gateway:running:1")
        (row,) = await running(other)
        assert await listed(one) == []
        assert await cancel(one, row["id"]) == 404
        assert await cancel(other, row["id"]) == 204


async def test_without_redis_each_shows_its_own_until_it_is_back(tmp_path: Path, redis: RedisServer) -> None:
    async with two_hosts(tmp_path, redis) as (one, other):
        await listening(redis, 2)
        redis.stop()
        with anyio.fail_after(patient(10)):
            while await listed(one):  # noqa: ASYNC110 - nobody tells of it
                await anyio.sleep(0.01)
        (row,) = await running(other)
        redis.start()
        assert (await running(one))[0]["id"] == row["id"]
        assert await cancel(one, row["id"]) == 204


async def test_one_that_hangs_does_not_hold_up_the_others(tmp_path: Path, redis: RedisServer) -> None:
    async with two_hosts(tmp_path, redis) as (one, _):
        silent = Redis.from_url(redis.url).pubsub()
        await silent.subscribe(CHANNEL)
        await listening(redis, 3)
        began = time.monotonic()
        (row,) = await listed(one)
        assert time.monotonic() - began < patient(5)
        assert await cancel(one, row["id"]) == 204
        await silent.aclose()  # type: ignore[no-untyped-call] # as the client has it


async def test_the_page_names_the_hosts_it_shows(tmp_path: Path, redis: RedisServer) -> None:
    async with visiting(host(tmp_path, "a", redis.url)) as http:
        page = (await http.get("/admin/live", auth=ADMIN)).text
    assert "of every other host with the same Redis" in page
    assert "Redis is away" not in page


async def test_pages_say_what_is_missing_while_redis_is_away(tmp_path: Path, redis: RedisServer) -> None:
    app = made(tmp_path, store={"redis": redis.url}, limits={"requests_per_minute": 5}, log={"level": "critical"})
    said = {"live": "what other hosts do is missing here", "keys": "these are the counts of one"}
    async with visiting(app) as http:
        for path, words in said.items():
            await shows(http, path, words, wanted=False)
        redis.stop()
        for path, words in said.items():
            await shows(http, path, words)
        redis.start()
        for path, words in said.items():
            await shows(http, path, words, wanted=False)


@pytest.mark.parametrize(("falls_ill", "recovers"), READ_ONLY)
async def test_a_redis_that_only_counts_nothing_is_not_said_to_be_away(
    tmp_path: Path, redis: RedisServer, falls_ill: tuple[str, ...], recovers: tuple[str, ...]
) -> None:
    app = made(tmp_path, store={"redis": redis.url}, limits={"requests_per_minute": 5}, log={"level": "critical"})
    async with visiting(app) as http:
        await shows(http, "configuration", "counted in Redis")
        redis.do(*falls_ill)
        await shows(http, "configuration", "each process counts by itself, as Redis does not: ")
        page = (await http.get("/admin/configuration", auth=ADMIN, headers=HTML)).text
        await shows(http, "keys", "these are the counts of one")
        redis.do(*recovers)
        await shows(http, "configuration", "counted in Redis")
    assert '<dt>Redis</dt><dd><span class="badge active">ok</span>' in page
    assert "read only replica" in page or "maxmemory" in page


async def shows(http: httpx.AsyncClient, path: str, words: str, *, wanted: bool = True) -> None:
    """Wait until a page says something, or says it no more."""
    body = {"model": "demo", "messages": [{"role": "user", "content": "x"}]}
    with anyio.fail_after(patient(10)):
        while (words in (await http.get(f"/admin/{path}", auth=ADMIN, headers=HTML)).text) != wanted:
            await http.post("/v1/chat/completions", json=body)  # by which it is seen that the limits are not shared
            await anyio.sleep(0.05)
