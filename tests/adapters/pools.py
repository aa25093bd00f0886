"""A pool whose keeper keeps in memory: what one pool writes, the others that share it find fresh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from gateway.adapters.account import Account
from gateway.adapters.failures import Failure
from gateway.adapters.google_oauth import refresh
from gateway.adapters.pool import Pool
from gateway.config import LogConfig, OAuthConfig, PoolConfig
from gateway.errors import UpstreamCredential
from gateway.logs import logger_of
from gateway.redact import Secret
from gateway.store.keeper import Keeper
from gateway.store.known import Change, StoredCredential, changed
from tests.clocks import FakeClock

OAUTH = OAuthConfig(client_id="client", client_secret=Secret("secret"))


class Notes(Keeper):
    """A keeper that writes nothing, and gives the rows that a test puts into `arriving`."""

    def __init__(self) -> None:
        self.kept: list[Change] = []
        self.arriving: list[StoredCredential] = []
        self.fails = False

    def later(self, change: Change) -> None:
        self.kept.append(change)

    async def now(self, change: Change) -> None:
        self.kept.append(change)

    async def close(self) -> None:
        pass

    def fresh(self) -> Sequence[StoredCredential]:
        arrived, self.arriving = self.arriving, []
        return arrived

    def unwritten(self, id_: str) -> Change | None:
        return None

    async def remove(self, id_: str) -> None:
        pass


class Hub:
    """The rows that several keepers share."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.rows: dict[str, StoredCredential] = {}
        self.members: list[Member] = []

    def put(self, row: StoredCredential, writer: Member) -> StoredCredential:
        self.rows[row.id] = row
        for member in self.members:
            if member is not writer:
                member.arriving.append(row)
        return row


class Member(Notes):
    """A keeper that writes at once, in memory."""

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self._hub = hub
        hub.members.append(self)

    def later(self, change: Change) -> None:
        row = self._hub.rows.get(change.id, StoredCredential(id=change.id))
        self._hub.put(changed(row, change, self._hub.clock.time()), self)

    async def now(self, change: Change) -> None:
        self.later(change)

    async def add(self, row: StoredCredential, *, instead_of: str = "") -> StoredCredential:
        return self._hub.put(row, self)

    async def remove(self, id_: str) -> None:
        self._hub.put(StoredCredential(id=id_, source="login", state="disabled", removed=True), self)


def verification(link: str | None = None, *, refused: bool = True) -> Failure:
    """Make what says that an account must be verified: a refused call, or an answer about the account."""
    return Failure(UpstreamCredential("verify it"), "verification", status=403 if refused else None, link=link)


def account(name: str, clock: FakeClock) -> Account:
    """Make the account of a refresh token that gateway.toml gives."""
    return Account(Secret(name), clock, set())


def pool_of(
    count: int,
    clock: FakeClock,
    *,
    oauth: OAuthConfig = OAUTH,
    keeper: Keeper | None = None,
    level: Literal["debug", "error"] = "error",
    **config: Any,
) -> Pool[Account]:
    """Make a pool of so many credentials, `rt-0`, `rt-1`, …"""
    return Pool(
        "google",
        [account(f"rt-{number}", clock) for number in range(count)],
        config=PoolConfig(**config),
        oauth=oauth,
        clock=clock,
        keeper=keeper or Notes(),
        logger=logger_of(LogConfig(level=level, format="json")),
        admit=lambda row: Account(Secret(row.refresh_token), clock, set(), row),
        renew=refresh,
    )
