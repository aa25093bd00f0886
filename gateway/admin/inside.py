"""What the administration knows of the app that it stands in."""

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct
from starlette.types import ASGIApp

from gateway.config import Again
from gateway.relay import Relay

__all__ = ["Inside"]


class Inside(Struct, frozen=True, kw_only=True):
    """`relay` has the open requests. `readiness`: what /health/ready says. `app` answers as it answers from outside.

    `read_again` reads the configuration as it is now: see `gateway.app.Gateway.read_again`.
    """

    relay: Relay
    readiness: Callable[[], Awaitable[Mapping[str, str]]]
    read_again: Callable[[], Again | None]
    app: ASGIApp
