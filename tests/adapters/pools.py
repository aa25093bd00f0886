"""A pool without files: what it wants to keep is only noted."""

from __future__ import annotations

from typing import Any

from gateway.adapters.account import Account
from gateway.adapters.pool import Pool
from gateway.config import LogConfig, OAuthConfig, PoolConfig
from gateway.logs import logger_of
from gateway.redact import Secret
from gateway.store.keeper import Keeper, Take
from tests.clocks import FakeClock

OAUTH = OAuthConfig(client_id="client", client_secret=Secret("secret"))


class Notes(Keeper):
    """A keeper that writes nothing."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def later(self, take: Take) -> None:
        self.kept.append(take().state)

    async def now(self, take: Take) -> None:
        self.kept.append(take().state)


def pool_of(
    count: int, clock: FakeClock, *, oauth: OAuthConfig = OAUTH, keeper: Keeper | None = None, **config: Any
) -> Pool[Account]:
    """Make a pool of so many credentials, `rt-0`, `rt-1`, …"""
    return Pool(
        "google",
        [Account(Secret(f"rt-{number}"), clock, set()) for number in range(count)],
        config=PoolConfig(**config),
        oauth=oauth,
        clock=clock,
        keeper=keeper or Notes(),
        logger=logger_of(LogConfig(level="error")),
    )
