"""A gateway before one of the upstreams that a test runs against."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from tests.conformance.gemini_api import public
from tests.conformance.served import CLAUDE, Served, settings, standing
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.v1internal import FakeV1Internal

__all__ = ["EITHER", "EVERY", "Gateways", "Upstream", "again", "before", "fake_of"]

Upstream = Literal["v1internal", "claude", "gemini"]

EITHER: tuple[Upstream, ...] = ("v1internal", "gemini")
EVERY: tuple[Upstream, ...] = ("v1internal", "claude", "gemini")


@asynccontextmanager
async def before(upstream: Upstream, folder: Path, **over: Any) -> AsyncIterator[Served]:
    """Run a gateway before this upstream; `claude` is Code Assist, asked for a model of that family."""
    async with fake_of(upstream) as fake, again(upstream, fake, folder, **over) as one:
        yield one


def fake_of(upstream: Upstream) -> FakeGemini | FakeV1Internal:
    """Give the fake of this upstream, which is to be run."""
    return FakeGemini() if upstream == "gemini" else FakeV1Internal()


@asynccontextmanager
async def again(
    upstream: Upstream, fake: FakeGemini | FakeV1Internal, folder: Path, **over: Any
) -> AsyncIterator[Served]:
    """Run a gateway before a running fake, maybe not the first one."""
    if isinstance(fake, FakeGemini):
        async with public(fake, folder, **over) as one:
            yield one
        return
    async with standing(fake, settings(fake, folder, **over)) as one:
        if upstream == "claude":
            one.model = CLAUDE
        yield one


class Gateways:
    """Runs a gateway before each upstream that is asked for, until the stack is unwound.

    One stack for all of them: task groups end in the reverse of the order in which they began, and fixtures of a module
    would not.
    """

    def __init__(self, stack: AsyncExitStack, folder: Callable[[], Path]) -> None:
        self._stack = stack
        self._folder = folder
        self._running: dict[Upstream, Served] = {}

    async def before(self, upstream: Upstream) -> Served:
        """Give the gateway before this upstream."""
        if upstream not in self._running:
            self._running[upstream] = await self._stack.enter_async_context(before(upstream, self._folder()))
        return self._running[upstream]
