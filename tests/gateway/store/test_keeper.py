"""Writing behind the requests' back, and a store that fails meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from gateway.store.credentials import CredentialStore, KeyProblem, StoredModels, StoreFailed
from gateway.store.known import Change, Happening, Quota, StoredCredential, StoredTokens
from tests.gateway.store.keepers import NOW, Slow, joined, keeper_of, logged, until
from tests.gateway.store.places import ROW, Place, key
from tests.patience import patient

pytestmark = pytest.mark.anyio

COOL = Change(id="a", cooling={"m": 4 * NOW})
USED = Change(id="a", uses=1, last_used_at=1.0)


async def test_close_writes_what_is_left(place: Place) -> None:
    keeper = keeper_of(place.store())
    assert keeper.load() == ({}, None)
    keeper.later(USED)
    await keeper.save_models(StoredModels("{}", 1.0))
    await keeper.close()
    rows, fetched = keeper.load()
    assert (rows["a"].uses, fetched) == (1, StoredModels("{}", 1.0))


async def test_changes_are_written_soon_and_in_one(place: Place) -> None:
    store = Slow(place)
    async with joined(keeper := keeper_of(store)):
        for _ in range(100):
            keeper.later(USED)
            keeper.later(COOL)
        await until(lambda: store.learnt, within_s=2.0)
    (changes,) = store.learnt
    assert changes == [Change(id="a", uses=100, last_used_at=1.0, cooling={"m": 4 * NOW})]


async def test_uses_alone_wait_for_seconds(place: Place) -> None:
    loop = asyncio.get_running_loop()
    async with joined(keeper := keeper_of(place.store())):
        keeper.later(USED)
        assert keeper._timer is not None
        assert 4.0 < keeper._timer.when() - loop.time() <= 5.0


async def test_news_take_along_what_only_counts(place: Place) -> None:
    async with joined(keeper := keeper_of(place.store())):
        keeper.later(USED)
        keeper.later(COOL)
        await until(lambda: keeper.unwritten("a") is None, within_s=2.0)
        assert place.opened().load("google")["a"].uses == 1


@pytest.mark.parametrize(
    "news",
    [
        Change(id="a", events=(Happening("stopped"),)),
        Change(id="a", quota={"m": Quota(0.5, None, 1.0)}),
        Change(id="a", tokens=StoredTokens("t", 1.0, 1.0)),
        Change(id="a", project=("", "")),
        Change(id="a", email="a@x.y"),
        Change(id="a", last_error="x", last_error_at=1.0),
    ],
)
async def test_every_news_is_written_at_once(on_disk: Place, news: Change) -> None:
    store = Slow(on_disk)
    async with joined(keeper := keeper_of(store)):
        keeper.later(news)
        await until(lambda: store.learnt, within_s=2.0)  # what only counts would wait for five seconds
        assert store.learnt == [[news]]


async def test_now_returns_when_it_is_written(place: Place) -> None:
    async with joined(keeper := keeper_of(place.store())):
        await keeper.now(COOL)
        assert place.opened().load("google")["a"].cooling == COOL.cooling


async def test_what_was_learnt_before_is_written_with_it(place: Place) -> None:
    async with joined(keeper := keeper_of(place.store())):
        keeper.later(USED)
        await keeper.now(COOL)
        assert place.opened().load("google")["a"].uses == 1


async def test_one_who_leaves_does_not_end_the_write(place: Place) -> None:
    store = Slow(place)
    async with joined(keeper := keeper_of(store)):
        store.gate.clear()
        first, second = (asyncio.create_task(keeper.now(Change(id=id_, uses=1))) for id_ in "ab")
        await asyncio.to_thread(store.began.wait, 5)
        first.cancel()
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        store.gate.set()
    assert place.opened().load("google").keys() == {"a", "b"}


async def test_what_is_not_written_yet_is_known(place: Place) -> None:
    store = Slow(place)
    async with joined(keeper := keeper_of(store)):
        assert keeper.unwritten("a") is None
        store.gate.clear()
        keeper.later(COOL)
        await asyncio.to_thread(store.began.wait, 5)
        assert keeper.unwritten("a") == COOL
        keeper.later(USED)
        assert keeper.unwritten("a") == COOL.then(USED)
        store.gate.set()
        await until(lambda: keeper.unwritten("a") == USED)


async def test_the_row_that_was_written_comes_back(place: Place) -> None:
    place.opened().add("google", ROW)
    async with joined(keeper := keeper_of(place.store())):
        keeper.fresh()
        await keeper.now(Change(id="ab12", uses=1))
        (row,) = keeper.fresh()
        assert (row.id, row.uses, row.refresh_token) == ("ab12", 8, "1//refresh")
        assert keeper.fresh() == ()


async def test_one_credential_can_be_read(place: Place) -> None:
    place.opened().add("google", ROW)
    async with joined(keeper := keeper_of(place.store())):
        row = await keeper.read("ab12")
        assert row is not None
        assert row.email == "a@example.org"
        assert await keeper.read("nobody") is None


async def test_keys_are_rotated_behind_the_requests_back(place: Place) -> None:
    old, new = key(), key()
    store = place.opened(old)
    for number in range(20):
        store.add("google", StoredCredential(id=f"id-{number}", source="login", refresh_token="1//x"))
    rotating = place.store(new, old)
    async with joined(keeper_of(rotating)):
        newest = rotating.database.cipher.key
        await until(lambda: {key for (key,) in place.do("SELECT key FROM credentials")} == {newest})
    assert len(place.opened(new).load("google")) == 20


# what is said


async def test_tokens_in_clear_are_told_of_once(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    async with joined(keeper := keeper_of(place.store())):
        assert logged(capfd) == []
        for number in range(2):
            await keeper.now(Change(id="a", tokens=StoredTokens("t", 1.0, float(number), "1//secret")))
        (line,) = logged(capfd, "tokens are stored unencrypted")
    assert line["level"] == "warning"
    assert line["store"] == (str(place.file) if not place.url else keeper._store.place)
    keeper_of(place.store()).load()
    assert len(logged(capfd, "tokens are stored unencrypted")) == 1


async def test_tokens_in_clear_are_told_of_once_for_all_upstreams(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    one, other = keeper_of(place.store()), keeper_of(place.store())
    place.opened().add("google", StoredCredential(id="a", refresh_token="1//secret"))
    one.load()
    other.load()
    assert len(logged(capfd, "tokens are stored unencrypted")) == 1


def test_who_only_reads_tokens_in_clear_does_not_tell_of_it(on_disk: Place, capfd: pytest.CaptureFixture[str]) -> None:
    on_disk.opened().add("google", StoredCredential(id="a", source="login", refresh_token="1//x"))
    rows, _ = keeper_of(CredentialStore(on_disk.file, read_only=True)).load()
    assert rows["a"].refresh_token == "1//x"
    assert logged(capfd) == []


async def test_with_a_key_nothing_is_said_of_it(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    async with joined(keeper := keeper_of(place.store(key()))):
        await keeper.now(Change(id="a", tokens=StoredTokens("t", 1.0, 1.0, "1//secret")))
    assert logged(capfd) == []


async def test_the_password_of_a_database_is_not_named(on_disk: Place, capfd: pytest.CaptureFixture[str]) -> None:
    store = Place(on_disk.folder, "postgresql://user:hunter2@127.0.0.1:1/name").store()
    assert keeper_of(store).load() == ({}, None)
    (line,) = logged(capfd)
    assert "the credential store fails" in str(line["event"])
    assert line["store"] == "the database name at 127.0.0.1"
    assert "hunter2" not in str(line)


# a store that fails


async def test_a_store_that_fails_is_told_of_once_and_gets_it_all_later(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    store = Slow(place)
    async with joined(keeper := keeper_of(store)):
        store.fail()
        for _ in range(3):
            await keeper.now(USED)
        keeper.later(COOL)
        assert keeper.unwritten("a") is not None
        (line,) = logged(capfd, "the credential store fails")
        assert (line["level"], line["reason"]) == ("error", "disk full")
        store.problem = None
        await until(lambda: keeper.unwritten("a") is None, within_s=1.0)
        (row,) = place.opened().load("google").values()
        assert (row.uses, row.cooling) == (3, COOL.cooling)
        assert len(logged(capfd, "works again")) == 1


async def test_a_store_of_several_upstreams_that_fails_is_told_of_once(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    stores = Slow(place), Slow(place)
    async with joined(*(keepers := [keeper_of(store) for store in stores])):
        for store, keeper in zip(stores, keepers, strict=True):
            store.fail()
            await keeper.now(USED)
        (line,) = logged(capfd, "the credential store fails")
        assert line["level"] == "error"
        for store in stores:
            store.problem = None
        await until(lambda: not any(keeper.unwritten("a") for keeper in keepers), within_s=5.0)
        assert len(logged(capfd, "works again")) == 1


async def test_nobody_waits_for_a_store_that_fails(on_disk: Place) -> None:
    store = Slow(on_disk)
    async with joined(keeper := keeper_of(store)):
        store.fail()
        await keeper.now(USED)
        store.gate.clear()
        async with asyncio.timeout(patient(1.0)):
            await keeper.now(USED)
            assert await keeper.take_lease("refresh", 60)
        store.gate.set()


async def test_a_key_that_no_longer_fits_is_a_failure_and_no_crash(
    on_disk: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    store = Slow(on_disk)
    async with joined(keeper := keeper_of(store)):
        store.problem = KeyProblem("does not open it")
        await keeper.now(USED)
        assert logged(capfd, "fails")[0]["reason"] == "store.encryption_key does not open it"
        store.problem = None


async def test_what_could_never_be_written_is_told_of_at_the_end(
    on_disk: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    store = Slow(on_disk)
    async with joined(keeper := keeper_of(store)):
        store.fail()
        keeper.later(USED)
    assert logged(capfd, "is lost")[0]["credentials"] == 1


async def test_a_login_that_cannot_be_written_is_refused(on_disk: Place) -> None:
    on_disk.opened()
    on_disk.do("CREATE TRIGGER full BEFORE INSERT ON credentials BEGIN SELECT raise(abort, 'disk is full'); END")
    async with joined(keeper := keeper_of(on_disk.store())):
        with pytest.raises(StoreFailed, match="disk is full") as caught:
            await keeper.add(ROW)
    assert "1//refresh" not in str(caught.value)
