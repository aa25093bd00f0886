"""`check_store`: the built-in stores pass wherever they keep what they have, and one with a fault does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from msgspec.structs import replace

from gateway.clock import Clock, System
from gateway.config import LogConfig
from gateway.logs import logger_of
from gateway.signatures import CALLS, PICTURES
from gateway.store.credentials import CredentialStore
from gateway.store.keys import KeyStore
from gateway.store.known import Change, StoredCredential
from gateway.store.own_limits import OwnLimits
from gateway.store.responses import ResponseStore
from gateway.store.shared_limits import SharedLimits
from gateway.store.signatures import SharedSignatures
from gateway.store.stored import StoredResponse
from gateway.store.stored_keys import KeyExists, StoredKey
from gateway.store.windows import SECOND, Rule, Seen, Taken
from gateway.testing import FakeClock, Wrong, check_store
from tests.redis_server import RedisServer

pytestmark = pytest.mark.anyio

KEY = Fernet.generate_key().decode()
BOUNDS: Any = {"keep_days": 30, "max_bytes": 2**20}


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """Name a database, "" = the file."""
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else ""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "gateway.db"


@pytest.mark.parametrize("keys", [(), (KEY,)], ids=["clear", "encrypted"])
async def test_the_store_of_responses_passes(file: Path, url: str, keys: Sequence[str]) -> None:
    await check_store(lambda: ResponseStore(file, keys, url=url, **BOUNDS))


async def test_the_store_of_keys_passes(file: Path, url: str) -> None:
    await check_store(lambda: KeyStore(file, url=url))


async def test_the_store_of_credentials_passes(file: Path, url: str) -> None:
    await check_store(lambda: CredentialStore(file, (KEY,), url=url))


async def test_the_signatures_in_redis_pass(redis: RedisServer) -> None:
    logger = logger_of(LogConfig(level="error", format="json"))
    bounds: Any = {"calls": CALLS, "pictures": PICTURES, "ttl_s": 60.0, "patience_s": 20.0}
    await check_store(lambda: SharedSignatures(redis.url, (), System(), logger, **bounds))


async def test_the_limits_in_redis_pass(redis: RedisServer) -> None:
    await check_store(lambda: SharedLimits(redis.url, now=lambda: 1_800_000_000_000_000))


class InMemory:
    """What one process counts by itself, asked as Redis is."""

    def __init__(self, clock: Clock, own: OwnLimits, since: dict[str, int] | None = None) -> None:
        self._own = own
        self._clock = clock
        self._reserved: dict[str, Sequence[Taken]] = {}
        self._since = {} if since is None else since

    def start(self) -> None:
        """Nothing to begin."""

    async def stop(self) -> None:
        """Nothing to end."""

    async def look(self, who: str, rules: Sequence[Rule]) -> tuple[Seen, int]:
        return Seen(True, self._own.look(rules)), 0

    async def admit(self, who: str, rules: Sequence[Rule], at_once: int | None, id_: str) -> Seen:
        return self._own.admit(who, rules, at_once)

    async def reserve(self, who: str, rules: Sequence[Rule], needs: Sequence[int], id_: str) -> Seen:
        seen = self._own.reserve(who, rules, needs)
        self._reserved[id_] = seen.taken
        return seen

    async def settle(
        self, who: str, used: Sequence[Taken], id_: str, *, late: bool = False, again: bool = False
    ) -> None:
        taken = self._reserved.pop(id_, ())
        self._own.settle(who, taken, [one.amount for one in used])
        if not taken:
            self._own.leave(who)

    async def since(self, who: str, rules: Sequence[Rule], began: Sequence[int]) -> Sequence[int]:
        for rule, moment in zip(rules, began, strict=True):
            self._since[rule.key] = min(self._since.get(rule.key, int(self._clock.time() * SECOND)), moment)
        return [self._since[rule.key] for rule in rules]

    async def recall(self, who: str, past: Sequence[tuple[Taken, int]]) -> bool:
        fresh = [one for one, since in past if self._since[one.rule.key] == since]
        self._own.recall(fresh)
        self._since |= {one.rule.key: 0 for one in fresh}
        return not any(self._since[one.rule.key] for one, _ in past)

    async def renew(self, open_: Mapping[str, Sequence[str]]) -> int:
        return 0


async def test_the_limits_in_memory_pass() -> None:
    clock = FakeClock()
    own, since = OwnLimits(clock), dict[str, int]()
    await check_store(lambda: InMemory(clock, own, since))


# faults


class Leaky(ResponseStore):
    """Shows everybody's."""

    def load(self, principal: str, id_: str, now: float) -> StoredResponse | None:
        return super().load("alice", id_, now)


class Endless(ResponseStore):
    """Gives chains of any length."""

    def chain(self, principal: str, id_: str, now: float, *, depth: int, max_bytes: int) -> list[StoredResponse]:
        return super().chain(principal, id_, now, depth=99, max_bytes=2**20)


class Apart(KeyStore):
    """Revokes nothing."""

    def remove(self, name: str) -> None:
        """Say nothing."""


class Generous(CredentialStore):
    """Gives a lease to everybody."""

    def take_lease(self, name: str, owner: str, seconds: float) -> bool:
        return True


class Alone(InMemory):
    """Lets in whoever comes."""

    async def admit(self, who: str, rules: Sequence[Rule], at_once: int | None, id_: str) -> Seen:
        return Seen(True, [])


class Keeping(ResponseStore):
    """Deletes nothing."""

    def delete(self, principal: str, id_: str, now: float) -> bool:
        return super().load(principal, id_, now) is not None


class Twice(KeyStore):
    """Takes a name as often as it comes."""

    def add(self, key: StoredKey) -> None:
        with suppress(KeyExists):
            super().add(key)


class Held(CredentialStore):
    """Gets no lease back, learns of one use only, and forgets nothing."""

    def end_lease(self, name: str, owner: str) -> None:
        """Say nothing."""

    def learn(self, upstream: str, changes: Sequence[Change], now: float) -> list[StoredCredential]:
        return super().learn(upstream, [replace(change, uses=1) for change in changes], now)

    def remove(self, upstream: str, id_: str, now: float) -> None:
        """Say nothing."""


class Lavish(InMemory):
    """Gives whatever is asked for, and takes nothing back."""

    async def reserve(self, who: str, rules: Sequence[Rule], needs: Sequence[int], id_: str) -> Seen:
        return Seen(True, [])

    async def settle(
        self, who: str, used: Sequence[Taken], id_: str, *, late: bool = False, again: bool = False
    ) -> None:
        """Say nothing."""


class Doubling(InMemory):
    """Counts what was before as often as it is told."""

    async def recall(self, who: str, past: Sequence[tuple[Taken, int]]) -> bool:
        self._own.recall([one for one, _ in past if not self._since[one.rule.key]])
        return await super().recall(who, past)


class Remembered:
    """Signatures in memory."""

    def __init__(self, kept: dict[tuple[str, bool, str], bytes]) -> None:
        self._kept = kept

    async def get(self, caller: str, names: Sequence[str], *, pictures: bool = False) -> Mapping[str, bytes] | None:
        return {name: self._kept[caller, pictures, name] for name in names if (caller, pictures, name) in self._kept}

    async def put(self, caller: str, entries: Mapping[str, bytes], *, pictures: bool = False) -> None:
        self._kept.update({(caller, pictures, name): value for name, value in entries.items()})


class Common(Remembered):
    """Tells callers apart no more than that."""

    async def get(self, caller: str, names: Sequence[str], *, pictures: bool = False) -> Mapping[str, bytes] | None:
        return await super().get("alice", names, pictures=pictures)


class Mixed(Remembered):
    """Keeps pictures where calls are."""

    async def put(self, caller: str, entries: Mapping[str, bytes], *, pictures: bool = False) -> None:
        for place in (False, True):
            await super().put(caller, entries, pictures=place)


class First(Remembered):
    """Keeps what came first."""

    async def put(self, caller: str, entries: Mapping[str, bytes], *, pictures: bool = False) -> None:
        new = {name: value for name, value in entries.items() if (caller, pictures, name) not in self._kept}
        await super().put(caller, new, pictures=pictures)


async def test_signatures_in_memory_pass() -> None:
    kept: dict[tuple[str, bool, str], bytes] = {}
    await check_store(lambda: Remembered(kept))


def lavish(_: Path) -> Callable[[], object]:
    own = OwnLimits(FakeClock())
    return lambda: Lavish(FakeClock(), own)


def doubling(_: Path) -> Callable[[], object]:
    own, clock, since = OwnLimits(FakeClock()), FakeClock(), dict[str, int]()
    return lambda: Doubling(clock, own, since)


def apart(file: Path) -> Callable[[], object]:
    numbers = count()
    return lambda: ResponseStore(file.with_name(f"{next(numbers)}.db"), (), **BOUNDS)


Make = Callable[[Path], Callable[[], object]]
FAULTS: dict[str, tuple[Make, str]] = {
    "leaky": (lambda file: lambda: Leaky(file, (), **BOUNDS), "callers among themselves: somebody else sees it"),
    "endless": (lambda file: lambda: Endless(file, (), **BOUNDS), "a chain of two is given within"),
    "apart": (apart, "another that has the same place finds something else"),
    "undeleted": (lambda file: lambda: Keeping(file, (), **BOUNDS), "what is deleted: delete does not say whether"),
    "unrevoked": (lambda file: lambda: Apart(file), "a revoked key: another does not learn of it"),
    "a name twice": (lambda file: lambda: Twice(file), "a key: a name is taken twice"),
    "generous": (lambda file: lambda: Generous(file, ()), "a lease: two have a lease at once"),
    "a lease that is kept": (lambda file: lambda: Held(file, ()), "a lease: a lease that was given back is not free"),
    "uses that are lost": (lambda file: lambda: Held(file, ()), "a credential: what two have learnt is 2 uses"),
    "a secret that stays": (lambda file: lambda: Held(file, ()), "what is removed: after its removal there is"),
    "alone": (lambda _: lambda: Alone(FakeClock(), OwnLimits(FakeClock())), "requests: 3 a minute"),
    "lavish": (lavish, "amounts: 160 of 100 are given"),
    "doubling": (doubling, "what was before: 40 of 100 were used before, told twice, and 20 are left"),
    "never empty": (lavish, "at once: who leaves makes no room"),
    "apart in memory": (lambda _: lambda: Remembered({}), "what is signed: another finds {}"),
    "no store": (lambda _: object, "its kind: object has the methods of no kind of store"),
}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Common, "what is signed: somebody else finds it"),
        (Mixed, "what is signed: of pictures another finds"),
        (First, "what is signed again: what was put last is not"),
    ],
    ids=["common", "mixed", "first"],
)
async def test_a_fault_of_signatures_is_found(kind: type[Remembered], words: str) -> None:
    kept: dict[tuple[str, bool, str], bytes] = {}
    with pytest.raises(Wrong, match=words):
        await check_store(lambda: kind(kept))


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_found(file: Path, name: str) -> None:
    make, words = FAULTS[name]
    with pytest.raises(Wrong) as wrong:
        await check_store(make(file))
    assert any(words in finding for finding in wrong.value.findings), wrong.value


async def test_a_store_that_forgets_at_its_end_is_found(tmp_path: Path) -> None:
    numbers: Iterator[int] = count()

    def elsewhere() -> ResponseStore:
        place = tmp_path / f"{min(next(numbers) // 2, 1)}" / "gateway.db"  # the first two share one
        return ResponseStore(place, (), **BOUNDS)

    with pytest.raises(Wrong, match="a start anew: what was kept is gone"):
        await check_store(elsewhere)
