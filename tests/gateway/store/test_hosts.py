"""Two hosts, each with a folder of its own, and one database: what one learns and keeps, the other knows."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.adapters.keeping import Kept, reopen
from gateway.config import Loaded, load
from gateway.logs import logger_for
from gateway.store.known import Change, StoredCredential
from tests.gateway.conversations import talking, texts
from tests.gateway.store.keepers import NOW, until
from tests.gateway.store.places import ROW
from tests.redis_server import RedisServer
from tests.scripted import say

pytestmark = pytest.mark.anyio

COOL = Change(id="ab12", cooling={"m": 4 * NOW})


def loaded_in(folder: Path, **store: object) -> Loaded:
    given = {"server": {"data_dir": str(folder)}, "log": {"level": "error"}, "store": store}
    return load(given, environ={})


def host(folder: Path, **store: object) -> Kept:
    loaded = loaded_in(folder, **store)
    return reopen("google", loaded, logger_for(loaded))


def files_in(folder: Path) -> list[Path]:
    return list(folder.rglob("gateway.db"))


async def test_two_hosts_share_what_they_learn_and_keep(tmp_path: Path, postgres_url: str) -> None:
    store = {"database": postgres_url}
    one, other = (host(tmp_path / name, **store) for name in ("one", "other"))
    await other.keeper.start()
    added = await one.keeper.add(ROW)
    rows: dict[str, StoredCredential] = {}

    def arrived() -> bool:
        rows.update({row.id: row for row in other.keeper.fresh()})
        return "ab12" in rows

    await until(arrived)
    assert rows["ab12"] == added
    for kept in (one, other):
        await kept.keeper.close()
    async with talking(tmp_path / "one", say("Hello"), store=store) as caller:
        first = await caller().say("hi")
    async with talking(tmp_path / "other", say("again"), store=store) as caller:
        second = caller()
        await second.say("go on", first["id"])
        assert texts(second.upstream.calls[-1].request) == ["hi", "Hello", "go on"]
        assert (await second.delete(first["id"])).status_code == 200
    assert files_in(tmp_path) == []


async def test_hosts_of_different_databases_do_not_hear_each_other(
    tmp_path: Path, redis: RedisServer, postgres_url: str
) -> None:
    one = host(tmp_path / "one", redis=redis.url)
    other = host(tmp_path / "other", redis=redis.url, database=postgres_url)
    for kept in (one, other):
        await kept.keeper.start()
    await until(lambda: len(redis.do("PUBSUB", "CHANNELS", "gateway:credentials:*")) == 2)
    await one.keeper.now(COOL)
    await asyncio.sleep(0.1)
    assert other.keeper.fresh() == ()
    for kept in (one, other):
        await kept.keeper.close()


async def test_redis_carries_a_cool_down_to_another_host(tmp_path: Path, redis: RedisServer, postgres_url: str) -> None:
    store = {"database": postgres_url, "redis": redis.url}
    async with AsyncExitStack() as stack:
        one, other = (host(tmp_path / name, **store) for name in ("one", "other"))
        for kept in (one, other):
            stack.push_async_callback(kept.keeper.close)
            await kept.keeper.start()
        await until(lambda: redis.do("PUBSUB", "NUMSUB", *redis.do("PUBSUB", "CHANNELS", "*"))[1:] == [2])
        one.keeper.later(COOL)
        cooling: dict[str, float] = {}

        def arrived() -> bool:
            for row in other.keeper.fresh():
                cooling.update(row.cooling)
            return bool(cooling)

        await until(arrived, within_s=0.5)
        assert cooling == COOL.cooling
