"""What the parts of one app share. One object for each `create_app`, nothing global."""

from collections.abc import Mapping

from msgspec import Struct, field
from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock
from gateway.config import Loaded
from gateway.keyring import Keyring
from gateway.ledger import Ledger
from gateway.limiter import Limiter
from gateway.lockout import Lockout
from gateway.prices import Prices
from gateway.resolution import Resolver
from gateway.store.tally import Tally
from gateway.upstream import Adapter

__all__ = ["Services"]


class Services(Struct, kw_only=True):
    """`tally`: what is counted for the metrics; `counts`: something does. `draining`: new work is refused.

    `under_way`: how many requests the pipeline has now. `keyring`: None = only the keys of the configuration count.
    `ledger`, `limiter`: None = there is none. `prices`: what tokens cost. `lockout`: what counts failed attempts at
    every door. `started_at`: Unix seconds, of the first configuration.
    """

    loaded: Loaded
    clock: Clock
    logger: FilteringBoundLogger
    adapters: Mapping[str, Adapter]
    resolver: Resolver
    prices: Prices = field(default_factory=lambda: Prices({}))
    keyring: Keyring | None = None
    lockout: Lockout = field(default_factory=Lockout)
    tally: Tally = field(default_factory=Tally)
    ledger: Ledger | None = None
    limiter: Limiter | None = None
    counts: bool = False
    draining: bool = False
    under_way: int = 0
    started_at: float = 0.0

    @property
    def counting(self) -> Limiter | None:
        """What counts against limits; None = nothing in the pipeline does."""
        return self.limiter if "rate_limit" in self.loaded.config.pipeline.order else None

    @property
    def has_limits(self) -> bool:
        """Whether anything has limits: everybody, or some key."""
        return bool(self.loaded.config.limits or (self.keyring is not None and self.keyring.limited))

    @property
    def database_problem(self) -> str:
        """Say why the database cannot be read or written, as far as is known, "" = it can."""
        keys = self.keyring.problem if self.keyring is not None else ""
        return keys or (self.ledger.problem if self.ledger is not None else "")

    @property
    def counts_alone(self) -> bool:
        """Whether each process counts against limits by itself, since what they count in together is away."""
        limiter = self.counting
        return limiter is not None and limiter.together is not None and not limiter.is_shared

    def hindrance(self) -> str:
        """Say why no request of a key with limits would be served, and what to do; "" = it would be."""
        return self.counting.hindrance() if self.counting is not None else ""
