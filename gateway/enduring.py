"""Work in the background that goes on as long as its app does: what ends it by surprise is told, and it begins anew."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from structlog.typing import FilteringBoundLogger

__all__ = ["endure"]

_FIRST_S: Final = 1.0
_MOST_S: Final = 60.0


async def endure(
    work: Callable[[], Awaitable[None]], logger: FilteringBoundLogger, *, wait_s: float = _FIRST_S
) -> None:
    """Do work that has no end until it is cancelled; after a defect wait, twice as long each time, and begin it anew.

    A machine without room for one more thread is enough to end it, and nobody else would see that it has.
    """
    while True:
        try:
            await work()
        except Exception:  # whatever it is
            logger.exception("defect", hint="work in the background begins anew", again_in_s=wait_s)
        else:
            return
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, _MOST_S)
