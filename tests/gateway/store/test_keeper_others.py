"""What other processes write is seen: at once in a file, within a second in a database, before its row with Redis."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial

import pytest
from msgspec.structs import replace

from gateway.store.keeper import Keeper
from gateway.store.known import Change, Happening, StoredCredential, StoredTokens
from tests.gateway.store.keepers import NOW, Slow, joined, keeper_of, logged, until
from tests.gateway.store.places import ROW, Place
from tests.patience import patient
from tests.redis_server import RedisServer

pytestmark = pytest.mark.anyio

COOL = Change(id="ab12", cooling={"m": 4 * NOW})


class Seen:
    """Gathers what a keeper gives out."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.rows: dict[str, StoredCredential] = {}

    def look(self) -> dict[str, StoredCredential]:
        self.rows |= {row.id: row for row in self._keeper.fresh()}
        return self.rows


# without Redis


async def test_nothing_new_is_nothing(place: Place) -> None:
    place.opened().add("google", ROW)
    async with joined(keeper := keeper_of(place.store())):
        assert keeper.fresh() == ()


async def test_in_a_file_it_is_seen_at_once(on_disk: Place) -> None:
    store = on_disk.opened()
    async with joined(keeper := keeper_of(on_disk.store())):
        store.learn("google", [COOL], NOW)
        (row,) = keeper.fresh()
        assert row.cooling == COOL.cooling
        assert keeper.fresh() == ()


async def test_a_file_for_words_that_could_not_be_opened_is_tried_again(on_disk: Place) -> None:
    on_disk.opened().add("google", ROW)
    said = on_disk.file.with_name(f"{on_disk.file.name}-said")
    said.mkdir()
    slow = Slow(on_disk)
    async with joined(one := keeper_of(slow), other := keeper_of(on_disk.store())):
        said.rmdir()
        await until(lambda: one._board is not None and other._board is not None)
        slow.gate.clear()
        one.later(COOL)
        seen = Seen(other)
        await until(lambda: "m" in seen.look().get("ab12", ROW).cooling)
        assert slow.learnt == []
        slow.gate.set()


async def test_in_a_database_it_is_seen_within_a_second(place: Place) -> None:
    store = place.opened()
    async with joined(keeper := keeper_of(place.store())):
        store.learn("google", [COOL], NOW)
        seen = Seen(keeper)
        await until(lambda: "ab12" in seen.look(), within_s=30)
        assert seen.rows["ab12"].cooling == COOL.cooling


async def test_what_was_written_between_load_and_start_is_seen(place: Place) -> None:
    keeper = keeper_of(place.store())
    keeper.load()
    place.opened().learn("google", [COOL], NOW)
    await keeper.start()
    seen = Seen(keeper)
    await until(lambda: "ab12" in seen.look())
    await keeper.close()


async def test_another_upstream_is_none_of_its_business(place: Place) -> None:
    store = place.opened()
    async with joined(keeper := keeper_of(place.store())):
        store.learn("another", [COOL], NOW)
        store.learn("google", [Change(id="mine", uses=1)], NOW)
        seen = Seen(keeper)
        await until(lambda: "mine" in seen.look())
        assert seen.rows.keys() == {"mine"}


async def test_a_look_never_waits_for_a_writer(on_disk: Place) -> None:
    on_disk.opened().learn("google", [COOL], NOW)
    async with joined(keeper := keeper_of(on_disk.store())):
        with closing(sqlite3.connect(on_disk.file, isolation_level=None)) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            writer.execute("UPDATE credentials SET uses = 9, number = 2")
            began = time.perf_counter()
            assert keeper.fresh() == ()
            assert time.perf_counter() - began < patient(2)
            writer.execute("COMMIT")
        seen = Seen(keeper)
        await until(lambda: "ab12" in seen.look())
        assert seen.rows["ab12"].uses == 9


async def test_accounts_that_others_add_and_remove_are_seen(place: Place) -> None:
    one, other = keeper_of(place.store()), keeper_of(place.store())
    async with joined(one, other):
        added = await one.add(ROW)
        seen = Seen(other)
        await until(lambda: seen.look().get("ab12") == added)
        await one.add(replace(ROW, id="cd34"), instead_of="ab12")
        await until(lambda: "cd34" in seen.look() and seen.rows["ab12"].removed)
        await one.remove("cd34")
        await until(lambda: seen.look()["cd34"].removed)
        assert (await other.read("cd34")) == seen.rows["cd34"]


async def test_what_is_learnt_of_a_removed_account_comes_to_nothing(place: Place) -> None:
    async with joined(keeper := keeper_of(place.store())):
        await keeper.add(ROW)
        keeper.later(Change(id="ab12", tokens=StoredTokens("ya29.late", NOW, NOW, "1//late")))
        await keeper.remove("ab12")
        row = await keeper.read("ab12")
    assert row is not None
    assert (row.removed, row.refresh_token) == (True, "")


async def test_one_keeper_at_a_time_has_a_lease(place: Place) -> None:
    one, other = keeper_of(place.store()), keeper_of(place.store())
    async with joined(one, other):
        assert await one.take_lease("refresh", 60)
        assert not await other.take_lease("refresh", 60)
        await one.end_lease("refresh")
        assert await other.take_lease("refresh", 60)


# with Redis


def talking(redis: RedisServer, *stores: Slow) -> Sequence[Keeper]:
    return [keeper_of(store, redis=redis.url) for store in stores]


async def listening(*keepers: Keeper, redis: RedisServer) -> None:
    """Wait until all hear each other."""

    def heard() -> bool:
        counts = redis.do("PUBSUB", "NUMSUB", *redis.do("PUBSUB", "CHANNELS", "gateway:credentials:*"))
        return len(counts) == 2 and counts[1] == len(keepers)

    await until(heard)


async def test_a_cool_down_is_known_elsewhere_before_its_row(place: Place, redis: RedisServer) -> None:
    slow = Slow(place)
    one, other = talking(redis, slow, Slow(place))
    place.opened().add("google", ROW)
    async with joined(one, other):
        await listening(one, other, redis=redis)
        slow.gate.clear()
        one.later(COOL)
        seen = Seen(other)
        await until(lambda: "m" in seen.look().get("ab12", ROW).cooling)
        assert slow.learnt == []
        assert place.opened().load("google")["ab12"].cooling == ROW.cooling
        assert seen.rows["ab12"].refresh_token == "1//refresh"  # what was known stays
        slow.gate.set()


async def test_a_state_is_known_elsewhere_before_its_row(place: Place, redis: RedisServer) -> None:
    slow = Slow(place)
    one, other = talking(redis, slow, Slow(place))
    async with joined(one, other):
        await listening(one, other, redis=redis)
        slow.gate.clear()
        one.later(Change(id="given", events=(Happening("revoked", "invalid_grant: secret words"),)))
        seen = Seen(other)
        await until(lambda: "given" in seen.look())
        assert (seen.rows["given"].state, seen.rows["given"].reason) == ("disabled", "")
        slow.gate.set()
        await until(lambda: seen.look()["given"].reason == "invalid_grant: secret words")


async def test_an_older_row_does_not_undo_what_was_heard(place: Place, redis: RedisServer) -> None:
    slow = Slow(place)
    one, other = talking(redis, slow, Slow(place))
    third = place.opened()
    async with joined(one, other):
        await listening(one, other, redis=redis)
        slow.gate.clear()
        one.later(COOL)
        seen = Seen(other)
        await until(lambda: "ab12" in seen.look())
        third.learn("google", [Change(id="ab12", uses=5)], NOW)
        await until(lambda: seen.look()["ab12"].uses == 5)
        assert seen.rows["ab12"].cooling == COOL.cooling
        slow.gate.set()


async def test_what_an_operator_enabled_is_not_disabled_again_by_what_was_heard(
    place: Place, redis: RedisServer
) -> None:
    one, other = talking(redis, Slow(place), Slow(place))
    async with joined(one, other):
        await listening(one, other, redis=redis)
        await one.now(Change(id="a", events=(Happening("stopped", "by hand"),)))
        seen = Seen(other)
        await until(lambda: seen.look().get("a", ROW).state == "disabled")
        await one.now(Change(id="a", events=(Happening("enabled"),)))
        await until(lambda: seen.look()["a"].state == "active")
        await one.now(Change(id="a", uses=1, quota={}, email="x@y.z"))
        await until(lambda: seen.look()["a"].email == "x@y.z")
        assert seen.rows["a"].state == "active"


async def test_rows_are_read_as_soon_as_they_are_written(
    postgres_url: str, tmp_path: object, redis: RedisServer
) -> None:
    place = Place(tmp_path, postgres_url)  # type: ignore[arg-type]  # pytest gives a path
    one, other = talking(redis, Slow(place), Slow(place))
    async with joined(one, other):
        await listening(one, other, redis=redis)
        seen, took_s = Seen(other), list[float]()
        for id_ in "abc":  # the poll may be just due, or the machine busy
            began = time.perf_counter()
            await one.now(Change(id=id_, email="x@y.z"))
            await until(partial(knows, seen, id_))
            took_s.append(time.perf_counter() - began)
        assert min(took_s) < 0.5
    place.close()


async def test_no_secret_goes_through_redis(place: Place, redis: RedisServer) -> None:
    one, other = talking(redis, Slow(place), Slow(place))
    async with joined(one, other):
        await listening(one, other, redis=redis)
        words: list[bytes] = []
        assert other._notices is not None
        other._notices._hear = words.append
        happening = Happening("unverified", "words of the upstream", "https://x.y/secret-link")
        tokens = StoredTokens("ya29.secret", NOW, NOW, "1//secret")
        await one.now(replace(COOL, events=(happening,), tokens=tokens, email="a@example.org", last_error="words"))
        await until(lambda: any(b"numbers" in said for said in words))
    content = b"".join(words)
    assert b"unverified" in content
    assert [w for w in (b"secret", b"example.org", b"words of") if w in content] == []


async def test_words_that_make_no_sense_are_passed_over(place: Place, redis: RedisServer) -> None:
    (keeper,) = talking(redis, Slow(place))
    async with joined(keeper):
        await listening(keeper, redis=redis)
        (channel,) = redis.do("PUBSUB", "CHANNELS", "gateway:credentials:*")
        for words in ("no json", "[]", '{"from":"x","id":7}', '{"from":"x","id":"a","events":["nonsense"]}'):
            redis.do("PUBLISH", channel, words)
        redis.do("PUBLISH", channel, '{"from":"x","id":"a","seq":1,"cooling":{"m":7e9}}')
        seen = Seen(keeper)
        await until(lambda: seen.look().keys() == {"a"})


async def test_redis_that_goes_is_told_of_once_and_the_poll_takes_over(
    place: Place, redis: RedisServer, capfd: pytest.CaptureFixture[str]
) -> None:
    one, other = talking(redis, Slow(place), Slow(place))
    async with joined(one, other):
        await listening(one, other, redis=redis)
        logged(capfd)
        redis.stop()
        await asyncio.sleep(1.0)  # time for several tries
        assert [line["level"] for line in logged(capfd, "Redis is unreachable")] == ["warning"]  # of both
        await one.now(COOL)
        seen = Seen(other)
        await until(lambda: "ab12" in seen.look(), within_s=30)
        assert logged(capfd, "redis") == []


async def test_redis_that_comes_back_is_used_within_a_second(place: Place, redis: RedisServer) -> None:
    slow = Slow(place)
    one, other = talking(redis, slow, Slow(place))
    async with joined(one, other):
        await listening(one, other, redis=redis)
        redis.stop()
        await until(lambda: one._notices is not None and one._notices._away)
        redis.start()
        async with asyncio.timeout(patient(1.0)):
            await listening(one, other, redis=redis)
        slow.gate.clear()
        one.later(COOL)
        seen = Seen(other)
        await until(lambda: "ab12" in seen.look(), within_s=0.5)
        slow.gate.set()


async def test_a_redis_that_says_nothing_holds_nobody_up(place: Place, redis: RedisServer) -> None:
    one, other = talking(redis, Slow(place), Slow(place))
    async with joined(one, other):
        await listening(one, other, redis=redis)
        redis.freeze()
        began = time.perf_counter()
        await one.now(COOL)
        assert time.perf_counter() - began < patient(5)
        seen = Seen(other)
        await until(lambda: "ab12" in seen.look(), within_s=30)
        await until(lambda: other._notices is not None and other._notices._away, within_s=6.0)
        redis.thaw()


async def test_a_redis_that_is_not_there_at_the_start_is_found_later(
    place: Place, redis: RedisServer, capfd: pytest.CaptureFixture[str]
) -> None:
    redis.stop()
    one, other = talking(redis, Slow(place), Slow(place))
    async with joined(one, other):
        await until(lambda: one._notices is not None and one._notices._away)
        await one.now(COOL)
        redis.start()
        await listening(one, other, redis=redis)


def knows(seen: Seen, id_: str) -> bool:
    return id_ in seen.look()
