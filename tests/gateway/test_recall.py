"""What days and months have counted outlives a restart."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog
from structlog.testing import LogCapture

from gateway.app import lifespan
from gateway.config import parse_limits
from gateway.errors import StoreUnavailable
from gateway.plans import Plan, plan_of
from gateway.recall import Recall
from gateway.store.own_limits import OwnLimits
from gateway.store.reports import Sums
from gateway.store.windows import Span
from tests.clocks import FakeClock
from tests.gateway.test_limiter import PRICE, Gateway
from tests.scripted import Scripted, app_of, say

pytestmark = pytest.mark.anyio

LIMITS = {"requests_per_day": 5, "tokens_per_hour": 100, "tokens_per_day": 1000, "usd_per_month": 10.0}
LEFT = {"requests_per_day": 4, "tokens_per_hour": 95, "tokens_per_day": 995, "usd_per_month": 10 - 2 - 0.003}
USED = Sums(requests=3, input_tokens=30, output_tokens=10, usd=0.5)


@asynccontextmanager
async def running(folder: Path, clock: FakeClock, **config: Any) -> AsyncGenerator[Gateway]:
    tables = {"server": {"data_dir": str(folder)}, "limits": LIMITS, "usage": PRICE, **config}
    upstream = Scripted(say("Hello"))
    app = app_of(upstream, config=tables, clock=clock)
    async with lifespan(app):
        yield Gateway(app, upstream, clock)
    clock.wall += 1


async def test_a_restart_gives_nothing_back(tmp_path: Path) -> None:
    clock = FakeClock()
    for turn in range(3):
        async with running(tmp_path, clock, limits={"requests_per_day": 2}) as made:
            statuses = [(await made.ask(max_tokens=5)).status for _ in range(2)]
        assert statuses == ([200, 200] if not turn else [429, 429])


async def test_what_is_left_is_known_at_once_and_counted_once(tmp_path: Path) -> None:
    clock = FakeClock()
    async with running(tmp_path, clock) as made:
        await made.ask(max_tokens=5)
        first = await made.left()
    async with running(tmp_path, clock) as made:
        again = await made.left()
        await made.ask(max_tokens=5)
        later = await made.left()
    assert {name: pytest.approx(left, rel=1e-3) for name, left in LEFT.items()} == first
    assert again == pytest.approx(first, rel=1e-3)
    assert (later["requests_per_day"], later["tokens_per_hour"]) == (3, 90)


async def test_the_headers_tell_it_at_the_first_request(tmp_path: Path) -> None:
    clock = FakeClock()
    said = list[str]()
    for _ in range(2):
        async with running(tmp_path, clock) as made:
            said.append((await made.ask(max_tokens=5)).headers["x-ratelimit-remaining-requests"])
    assert said == ["4", "3"]


async def test_a_month_that_is_over_counts_no_more(tmp_path: Path) -> None:
    clock = FakeClock()
    async with running(tmp_path, clock) as made:
        await made.ask(max_tokens=5)
    clock.wall += 40 * 86_400
    async with running(tmp_path, clock) as made:
        assert await made.left() == LIMITS


@pytest.mark.parametrize("usage", [{"enabled": False}, {"keep_days": 0}])
async def test_without_a_ledger_counts_begin_anew(tmp_path: Path, usage: dict[str, object]) -> None:
    clock = FakeClock()
    async with running(tmp_path, clock, usage=usage) as made:
        await made.ask(max_tokens=5)
    async with running(tmp_path, clock, usage=usage) as made:
        assert await made.left() == LIMITS


async def test_a_ledger_that_cannot_be_read_refuses_nobody(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(), log={"level": "critical"}) as made:
        (tmp_path / "gateway.db").write_text("no database at all, and long enough for it to be seen" * 99)
        assert (await made.ask(max_tokens=5)).status == 200


class Past:
    """A ledger of one sum, which fails at first."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.asked: list[Sequence[Span]] = []

    async def sums(self, key_id: str, spans: Sequence[Span]) -> Sequence[Sums]:
        self.asked.append(spans)
        if len(self.asked) <= self.failures:
            raise StoreUnavailable("no disk")
        return [USED] * len(spans)


def lasting(**limits: float) -> Plan:
    return plan_of("bob", parse_limits(limits))


def left(own: OwnLimits, plan: Plan) -> list[int]:
    return [window.left for window in own.look((*plan.requests, *plan.amounts))]


async def test_what_is_read_late_is_added_to_what_was_counted_meanwhile() -> None:
    clock, past, log = FakeClock(), Past(failures=1), LogCapture()
    own = OwnLimits(clock)
    recall = Recall(own, clock, structlog.wrap_logger(None, processors=[log]))
    recall.past = past
    plan = lasting(requests_per_month=10)
    began = clock.time()
    for _ in range(3):
        if not recall.knows(plan):
            await recall.read(plan, 0.0)
        own.admit(plan.who, plan.requests, None)
    assert (len(past.asked), left(own, plan), recall.knows(plan)) == (1, [7], False)
    await clock.advance(11)
    await recall.read(plan, 0.0)
    await anyio.wait_all_tasks_blocked()
    assert (left(own, plan), recall.knows(plan)) == ([4], True)
    assert all(until <= began for _, until in past.asked[-1])
    assert [entry["log_level"] for entry in log.entries] == ["warning", "info"]


async def test_only_what_outlives_a_restart_is_asked_for() -> None:
    own = OwnLimits(FakeClock())
    recall = Recall(own, FakeClock())
    recall.past = past = Past()
    short = lasting(requests_per_second=9, tokens_per_minute=9, concurrent=9)
    assert recall.knows(short)
    plan = lasting(requests_per_hour=100, tokens_per_day=1000, usd_per_month=10)
    await recall.read(plan, 0.0)
    (spans,) = past.asked
    lengths = [round(end - begin) for begin, end in spans]
    assert lengths[0] == 3600
    assert lengths[2] == 86_400
    assert left(own, plan)[2] == 9_500_000_000
