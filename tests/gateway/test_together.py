"""What Redis is told once it is back of what it has not counted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from gateway.store.shared_limits import SharedLimits
from gateway.store.windows import SECOND, Rule, Taken
from gateway.testing import FakeClock
from gateway.together import Together
from tests.patience import patient

pytestmark = pytest.mark.anyio

DAY = Rule("tokens_per_day", "t:day", 1000, 86_400, "tokens a day")
MINUTE = 60 * SECOND


class Counters(SharedLimits):
    """Is told something; `whole`: once that is so many times."""

    def __init__(self, times: int) -> None:
        super().__init__("redis://127.0.0.1:9")
        self.told: list[tuple[str, Taken]] = []
        self.whole = asyncio.Event()
        self._times = times

    def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def settle(
        self, who: str, used: Sequence[Taken], id_: str, *, late: bool = False, again: bool = False
    ) -> None:
        self.told += [(who, one) for one in used]
        if len(self.told) == self._times:
            self.whole.set()

    async def renew(self, open_: Mapping[str, Sequence[str]]) -> int:
        return 0


def taken(amount: int, at_us: int, number: int = 7) -> Taken:
    return Taken(DAY, number, amount, at_us)


async def test_the_use_of_each_minute_and_window_is_told_by_its_first_moment() -> None:
    counters = Counters(3)
    together = Together(counters, FakeClock())
    together.miss("a", [taken(1, MINUTE + 5), taken(2, MINUTE + 9)])
    together.miss("a", [taken(4, MINUTE + 7), taken(8, 2 * MINUTE), taken(16, 2 * MINUTE, number=8)])
    together.start()
    async with asyncio.timeout(patient(5)):
        await counters.whole.wait()
    await together.stop()
    assert counters.told == [
        ("a", taken(7, MINUTE + 5)),
        ("a", taken(8, 2 * MINUTE)),
        ("a", taken(16, 2 * MINUTE, number=8)),
    ]
