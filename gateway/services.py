"""What the parts of one app share. One object for each `create_app`, nothing global."""

from collections.abc import Mapping

from msgspec import Struct, field
from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock
from gateway.config import Loaded
from gateway.resolution import Resolver
from gateway.store.tally import Tally
from gateway.upstream import Adapter

__all__ = ["Services"]


class Services(Struct, kw_only=True):
    """`tally`: what is counted for the metrics; `counts`: something does. `draining`: new work is refused."""

    loaded: Loaded
    clock: Clock
    logger: FilteringBoundLogger
    adapters: Mapping[str, Adapter]
    resolver: Resolver
    tally: Tally = field(default_factory=Tally)
    counts: bool = False
    draining: bool = False
