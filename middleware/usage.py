"""Enter each request into the ledger: who asked which model of which upstream, what it took, and how it ended.

before the app inside ─► the journal: it begins        before the last byte goes out ─► the journal: it has ended

Two appends to a file of this process; the ledger takes them into the database behind the requests' back.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.clock import Clock
from gateway.config import PriceConfig
from gateway.context import attach
from gateway.errors import GatewayError
from gateway.ledger import Ledger
from gateway.prices import Prices
from gateway.routes import COUNTED
from gateway.services import Services

__all__ = ["Usage"]


class Usage:
    """ASGI middleware.

    `folder`: of the journals and the database; `prices`: USD per million tokens by globs of models, as in gateway.toml,
    `{"gpt-4.1": {"input": 2.0, "output": 8.0}}`. Its `ledger` gives reports; the journals are taken into the database
    while the lifespan of the app goes through here, else when a report is asked for.
    """

    provides: ClassVar[frozenset[str]] = frozenset({"usage"})
    requires: ClassVar[frozenset[str]] = frozenset({"principal", "targets?"})

    def __init__(
        self,
        app: ASGIApp,
        folder: str | Path = "data",
        prices: Prices | Mapping[str, Mapping[str, float]] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.app = app
        if not isinstance(prices, Prices):
            prices = Prices.of(msgspec.convert(prices or {}, dict[str, PriceConfig]), clock)
        self.ledger: Ledger | None = Ledger(Path(folder), prices, clock)  # makes nothing before it is used

    @classmethod
    def configured(cls, app: ASGIApp, services: Services) -> Self:
        """Write into the app's ledger, which has a life of its own."""
        made = cls(app)
        made.ledger = services.ledger
        return made

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        ledger = self.ledger
        if ledger is None or scope["type"] not in ("http", "lifespan"):
            await self.app(scope, receive, send)
            return
        if scope["type"] == "lifespan":
            await self._live(ledger, scope, receive, send)
            return
        context, send = attach(scope, send)
        if context.entered or context.route.operation not in COUNTED or context.route.foreign:
            await self.app(scope, receive, send)
            return
        entry = ledger.book.begin(context)
        context.on_last += (entry.end,)
        try:
            await self.app(scope, receive, send)
        except asyncio.CancelledError:
            context.end = context.end or "cancelled"
            raise
        except Exception as error:
            context.end = context.end or "error"
            if isinstance(error, GatewayError):
                context.error = context.error or error
            raise
        finally:
            entry.end()

    async def _live(self, ledger: Ledger, scope: Scope, receive: Receive, send: Send) -> None:
        await ledger.start()
        try:
            await self.app(scope, receive, send)
        finally:
            await ledger.stop()
