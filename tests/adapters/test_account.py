"""One access token for all processes: who fetches it, who adopts it, and what becomes of one that is refused."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from gateway.adapters.account import Account
from gateway.adapters.tokens import RefreshFailed, Tokens
from gateway.errors import NoCredential
from gateway.redact import Secret
from gateway.store.credentials import CredentialStore
from gateway.store.known import StoredCredential
from gateway.store.states import Event
from tests.adapters.site import Site
from tests.adapters.worker import Running
from tests.clocks import FakeClock
from tests.fakes.v1internal import FakeV1Internal
from tests.patience import patient
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.anyio

EARLY_S = 300.0


@pytest.fixture
async def sites(fake_v1internal: FakeV1Internal, tmp_path: Path) -> AsyncIterator[Sequence[Site]]:
    """Give four upstreams over one store, as four processes have them."""
    made = [Site(fake_v1internal, tmp_path / "data") for _ in range(4)]
    for site in made:
        site.clock = Running()
        await site.open()
    yield made
    for site in made:
        await site.close()


async def answered(asked: Sequence[asyncio.Task[str]]) -> set[str]:
    return set(await asyncio.gather(*asked))


def asking(sites: Sequence[Site], count: int = 10) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(site.ask()) for site in sites for _ in range(count)]


# one for all


async def test_four_processes_fetch_one_token(sites: Sequence[Site]) -> None:
    fake = sites[0].fake
    fake.oauth.hold()
    asked = asking(sites)
    await fake.wait_for("token")
    fake.oauth.release()
    assert await answered(asked) == {"hi"}
    assert len(fake.oauth.calls.refreshes()) == 1
    assert {call.token for call in fake.calls()} == {"FAKE-ACCESS-TOKEN-1"}


async def test_four_processes_replace_a_refused_token_once(sites: Sequence[Site]) -> None:
    fake = sites[0].fake
    assert await answered(asking(sites, 1)) == {"hi"}
    fake.oauth.expire()
    assert await answered(asking(sites)) == {"hi"}
    assert len(fake.oauth.calls.refreshes()) == 2
    assert not fake.oauth.calls.overlapping()


async def test_four_processes_find_the_project_once(sites: Sequence[Site]) -> None:
    assert await answered(asking(sites)) == {"hi"}
    assert len(sites[0].fake.calls("loadCodeAssist")) == 1


async def test_a_login_that_is_void_is_asked_for_once(sites: Sequence[Site]) -> None:
    fake = sites[0].fake
    fake.oauth.fail("invalid_grant", times=9)
    fake.oauth.hold()
    asked = asking(sites, 1)
    await fake.wait_for("token")
    fake.oauth.release()
    ends = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(end) for end in ends] == [NoCredential] * 4
    assert len(fake.oauth.calls.refreshes()) == 1


async def test_a_process_that_died_while_it_fetched_holds_nobody_up_for_long(sites: Sequence[Site]) -> None:
    site = sites[0]
    assert site.adapter is not None
    (account,) = site.adapter.credentials
    store = CredentialStore(site.folder / "gateway.db")
    began = time.monotonic()
    assert store.take_lease(f"refresh:google:{account.id}", "another", 1)
    assert await site.ask() == "hi"
    assert time.monotonic() - began > 0.9
    store.close()


async def test_the_next_process_goes_on_with_the_token(site: Site) -> None:
    await site.open()
    await site.ask()
    await site.clock.advance(600)
    await site.open()
    assert await site.ask() == "hi"
    assert len(site.fake.calls("token")) == 1


async def test_a_token_that_ended_meanwhile_is_not_used(site: Site) -> None:
    await site.open()
    await site.ask()
    await site.stop()
    site.clock.wall += 3600
    await site.open()
    assert await site.ask() == "hi"
    assert [call.token for call in site.fake.calls()] == ["FAKE-ACCESS-TOKEN-1", "FAKE-ACCESS-TOKEN-2"]


async def test_an_access_token_is_encrypted(site: Site) -> None:
    site.store = {"encryption_key": Fernet.generate_key().decode()}
    await site.open()
    await site.ask()
    await site.stop()
    assert b"FAKE-ACCESS-TOKEN" not in b"".join(file.read_bytes() for file in site.folder.iterdir())


# a new refresh token


async def test_a_new_refresh_token_is_written_before_the_access_token_is_used(sites: Sequence[Site]) -> None:
    site = sites[0]
    site.fake.oauth.rotate = True
    site.fake.oauth.hold()
    asked = asyncio.create_task(site.ask())
    await site.fake.wait_for("token")
    with closing(sqlite3.connect(site.folder / "gateway.db", isolation_level=None)) as locked:
        locked.execute("BEGIN IMMEDIATE")
        site.fake.oauth.release()
        done, _ = await asyncio.wait((asked,), timeout=0.5)
        assert not done
        assert site.fake.calls("loadCodeAssist") == []  # which is the first call with the access token
        locked.execute("ROLLBACK")
    assert await asked == "hi"
    store = CredentialStore(site.folder / "gateway.db")
    (row,) = store.load("google").values()
    assert row.refresh_token == "rt-1~1"
    store.close()


async def test_every_process_goes_on_with_a_new_refresh_token(sites: Sequence[Site]) -> None:
    sites[0].fake.oauth.rotate = True
    for site in (*sites, *sites):
        assert await site.ask() == "hi"
        site.fake.oauth.expire()
    shown = [call.credential for call in sites[0].fake.oauth.calls.refreshes()]
    assert shown == ["rt-1", *(f"rt-1~{number}" for number in range(1, 8))]


# what is nobody's fault


async def test_a_wrong_oauth_client_is_told_and_changes_no_account(site: Site) -> None:
    site.fake.oauth.clients = {"another": "secret"}
    adapter = await site.open()
    with pytest.raises(NoCredential, match="invalid_client: .*give oauth the client_id and the client_secret"):
        await site.ask()
    assert adapter.credentials[0].state == "active"
    with pytest.raises(NoCredential):
        await site.ask()
    assert len(site.fake.calls("token")) == 1  # within the pause nobody asks
    site.fake.oauth.clients = None
    await site.clock.advance(301)
    assert await site.ask() == "hi"


@pytest.mark.parametrize("step_s", [-3600, -600, 600, 3600])
async def test_a_step_of_the_wall_clock_costs_at_most_a_refresh(site: Site, step_s: int) -> None:
    await site.open()
    await site.ask()
    site.clock.wall += step_s
    for _ in range(20):
        await site.clock.advance(60)
        assert await site.ask() == "hi"
    assert len(site.fake.calls("token")) <= 2


@pytest.mark.parametrize("apart_s", [-600, 600])
async def test_hosts_whose_clocks_differ_do_not_take_turns_in_refreshing(
    fake_v1internal: FakeV1Internal, tmp_path: Path, apart_s: int
) -> None:
    hosts = [Site(fake_v1internal, tmp_path / "data") for _ in range(2)]
    hosts[1].clock.wall += apart_s
    for host in hosts:
        await host.open()
    for _ in range(30):
        for host in hosts:
            assert await host.ask() == "hi"
            await host.clock.advance(60)
    for host in hosts:
        await host.close()
    assert len(fake_v1internal.calls("token")) == 1


@pytest.mark.parametrize("expires_in", [None, 0, -600, 5])
async def test_a_token_without_a_lifetime_is_not_refreshed_over_and_over(site: Site, expires_in: int | None) -> None:
    site.fake.oauth.expires_in = expires_in
    await site.open()
    await site.ask()
    await site.clock.advance(3600)
    assert len(site.fake.calls("token")) == 1  # nobody asked
    await site.ask()
    assert len(site.fake.calls("token")) == 2


async def test_a_token_endpoint_that_is_silent_keeps_nobody_whom_another_account_can_serve(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.adapters.v1internal_journey._LATE_S", 0.05)
    oauth = site.fake.oauth
    adapter = await site.open(pool={"refresh_tokens": ["rt-1", "rt-2"], "uses_per_turn": 1})
    assert [await site.ask() for _ in range(2)] == ["hi", "hi"]
    first, second = adapter._pool.credentials
    first.forget_token(first.ready(EARLY_S))
    oauth.hold()
    async with asyncio.timeout(patient(20)):
        assert [await site.ask() for _ in range(4)] == ["hi"] * 4
    assert {call.credential for call in site.fake.calls()[2:]} == {"rt-2"}
    second.forget_token(second.ready(EARLY_S))
    last = asyncio.create_task(site.ask())  # there is no other, so it waits
    await asyncio.sleep(0.1)
    assert not last.done()
    oauth.release()
    assert await last == "hi"
    assert [await site.ask() for _ in range(2)] == ["hi", "hi"]
    assert {call.credential for call in site.fake.calls()[-2:]} == {"rt-1", "rt-2"}


# one account by itself


class Endpoint:
    """A token endpoint that counts."""

    def __init__(self) -> None:
        self.calls = 0

    async def refresh(self, refresh_token: str) -> Tokens:
        self.calls += 1
        return Tokens(f"at-{self.calls}", 3600)


async def token_of(account: Account, endpoint: Endpoint) -> str:
    def happen(event: Event, reason: str) -> None:
        raise AssertionError((event, reason))

    return await account.token(endpoint.refresh, happen, EARLY_S)


def written(account: Account, clock: FakeClock, token: str, *, ago_s: float) -> StoredCredential:
    """Give the row as it is after another process has written a token."""
    now = clock.time()
    return StoredCredential(
        id=account.id, access_token=token, access_at=now - ago_s, access_until=now - ago_s + 3600, number=1
    )


async def test_a_token_that_another_process_fetched_is_used() -> None:
    clock, endpoint = FakeClock(), Endpoint()
    account = Account(Secret("rt-1"), clock, set())
    account.take(written(account, clock, "theirs", ago_s=5))
    assert await token_of(account, endpoint) == "theirs"
    assert endpoint.calls == 0


async def test_an_older_token_of_another_process_is_not_used() -> None:
    clock, endpoint = FakeClock(), Endpoint()
    account = Account(Secret("rt-1"), clock, set())
    await token_of(account, endpoint)
    account.take(written(account, clock, "theirs", ago_s=5))
    assert await token_of(account, endpoint) == "at-1"


@pytest.mark.parametrize(("ago_s", "token"), [(5, "theirs"), (600, "at-2")])
async def test_after_a_refusal_only_a_token_that_is_new_is_trusted(ago_s: float, token: str) -> None:
    clock, endpoint = FakeClock(), Endpoint()
    account = Account(Secret("rt-1"), clock, set())
    account.forget_token(await token_of(account, endpoint))
    await clock.advance(1200)
    account.forget_token("at-1")
    account.take(written(account, clock, "theirs", ago_s=ago_s))
    assert await token_of(account, endpoint) == token


async def test_an_account_that_has_logged_in_again_is_asked_for_with_its_new_refresh_token() -> None:
    clock = FakeClock()
    account = Account(Secret("rt-1"), clock, set())
    account.take(StoredCredential(id=account.id, refresh_token="rt-new", number=1))
    shown: list[str] = []

    async def refresh(refresh_token: str) -> Tokens:
        shown.append(refresh_token)
        return Tokens("at", 3600)

    await account.token(refresh, lambda *_: None, EARLY_S)
    assert shown == ["rt-new"]


@pytest.mark.parametrize(
    ("lifetime_s", "passed_s", "due_s"),
    [(3600, 0, 3300), (3600, 3300, 0), (3600, 3600, 0), (400, 0, 200), (60, 0, float("inf"))],
)
async def test_when_a_token_is_due(lifetime_s: float, passed_s: float, due_s: float) -> None:
    clock = FakeClock()
    account = Account(Secret("rt-1"), clock, set())

    async def refresh(_: str) -> Tokens:
        return Tokens("at", lifetime_s)

    await account.token(refresh, lambda *_: None, EARLY_S)
    await clock.advance(passed_s)
    assert account.due_s(EARLY_S) == due_s


async def test_an_account_that_nobody_has_used_is_not_due() -> None:
    account = Account(Secret("rt-1"), FakeClock(), set())
    assert account.due_s(EARLY_S) == float("inf")


async def test_an_account_without_a_token_is_due_after_its_pause() -> None:
    clock = FakeClock()
    account = Account(Secret("rt-1"), clock, set())

    async def refresh(_: str) -> Tokens:
        raise RefreshFailed("the token endpoint responded with 503")

    with pytest.raises(RefreshFailed):
        await account.token(refresh, lambda *_: None, EARLY_S)
    assert (account.due_s(EARLY_S), account.trouble) == (1.0, "the token endpoint responded with 503")
    await clock.advance(1)
    assert account.due_s(EARLY_S) == 0


async def test_a_token_that_another_process_has_ends_the_pause() -> None:
    clock = FakeClock()
    account = Account(Secret("rt-1"), clock, set())

    async def refresh(_: str) -> Tokens:
        raise RefreshFailed("the token endpoint responded with 503")

    with pytest.raises(RefreshFailed):
        await account.token(refresh, lambda *_: None, EARLY_S)
    assert account.rests_s("m") > 0
    account.take(written(account, clock, "theirs", ago_s=0))
    assert (account.rests_s("m"), account.trouble) == (0, "")


# without a store


async def test_a_store_that_is_away_stops_no_refresh(
    site: Site, postgres_url: str, postgres_server: PostgresServer, capfd: pytest.CaptureFixture[str]
) -> None:
    def stored() -> str:
        return str(postgres_server.do("SELECT access_token FROM credentials", postgres_url.rpartition("/")[2]))

    site.clock, site.store = Running(), {"database": postgres_url}
    await site.open()
    await site.ask()
    postgres_server.stop()
    for _ in range(2):
        site.fake.oauth.expire()
        assert await site.ask() == "hi"
    postgres_server.start()
    async with asyncio.timeout(patient(5)):
        while "FAKE-ACCESS-TOKEN-3" not in stored():  # noqa: ASYNC110 - another process wakes nobody here
            await asyncio.sleep(0.05)
    await site.stop()
    assert capfd.readouterr().err.count("the credential store fails") == 1


async def test_a_refresh_token_that_another_process_replaced_is_no_void_login(sites: Sequence[Site]) -> None:
    first, second = sites[:2]
    first.fake.oauth.rotate = True
    assert await first.ask() == "hi"
    assert second.adapter is not None
    (account,) = second.adapter.credentials
    refresh = second.adapter._pool._refresh
    happened: list[Event] = []
    await account._ask(refresh, lambda event, _: happened.append(event))  # as without a lease; it has the old one yet
    assert [call.credential for call in first.fake.calls("token")] == ["rt-1", "rt-1", "rt-1~1"]
    assert happened == []
