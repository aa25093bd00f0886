"""Two hosts, each with a folder of its own, and one database: what one learns and keeps, the other knows."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.adapters.keeping import Kept, reopen
from gateway.clock import System
from gateway.config import Loaded, load, parse_limits
from gateway.limiter import Limiter
from gateway.logs import logger_for
from gateway.plans import plan_of
from gateway.signatures import CALLS, PICTURES
from gateway.store.known import Change, StoredCredential
from gateway.store.shared_limits import SharedLimits
from gateway.store.signatures import SharedSignatures
from tests.gateway.conversations import talking, texts
from tests.gateway.store.keepers import NOW, joined, keeper_of, until
from tests.gateway.store.places import ROW, Place
from tests.redis_server import RedisServer
from tests.scripted import say

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
RIGHTS = "~gateway:* &gateway:* +@all -@dangerous"
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


async def test_a_user_of_redis_with_the_rights_that_are_told_does_it_all(tmp_path: Path, redis: RedisServer) -> None:
    assert f"`{RIGHTS}`" in (ROOT / "docs" / "scaling.md").read_text("utf-8")
    redis.do("ACL", "SETUSER", "gateway", "on", ">hunter2", *RIGHTS.split())
    url = redis.url.replace("//", "//gateway:hunter2@")
    plan = plan_of("alice", parse_limits({"requests_per_month": 9, "tokens_per_day": 99, "concurrent": 3}))
    limiter = Limiter(shared=SharedLimits(url))
    limiter.start()
    bounds = {"calls": replace(CALLS, size=1), "pictures": PICTURES}
    logger = logger_for(loaded_in(tmp_path))
    signatures = SharedSignatures(url, (), System(), logger, **bounds, ttl_s=9.0, patience_s=5.0)
    await signatures.start()
    store = Place(tmp_path).opened()
    store.add("google", ROW)
    async with joined(keeper_of(store, redis=url)):
        await limiter.recall.read(plan, 0.0)
        _, hold = await limiter.admit_shared(plan)
        assert hold is not None
        assert (await limiter.reserve(hold, [5])).admitted
        await signatures.put("alice", {"call_1": b"signed", "call_2": b"too"})
        assert len(await signatures.get("alice", ["call_1", "call_2"]) or ()) == 1
        await until(lambda: redis.do("PUBSUB", "CHANNELS", "gateway:*"))
        ending = limiter.end(hold, [3])
        assert ending is not None
        await ending
        assert limiter.is_shared
    await limiter.stop()
    await signatures.stop()
    store.close()
    assert redis.do("ACL", "LOG") == []
