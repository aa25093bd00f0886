"""What the parts of one app share. One object for each `create_app`, nothing global."""

from collections.abc import Mapping

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock
from gateway.config import Loaded
from gateway.resolution import Resolver
from gateway.upstream import Adapter

__all__ = ["Services"]


class Services(Struct, kw_only=True):
    """`draining`: shutting down, so new work is refused."""

    loaded: Loaded
    clock: Clock
    logger: FilteringBoundLogger
    adapters: Mapping[str, Adapter]
    resolver: Resolver
    draining: bool = False
