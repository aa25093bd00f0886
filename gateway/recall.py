"""What was used before counters began: the hours, days and months of a caller, read when it first counts here.

    first request of a caller ─► Recall ─► the ledger, in a worker thread ─► OwnLimits, or Together
                                   └─ it cannot be read, or not soon: the request goes on, and it is added once it can

Only what began before that request is read: all that begins later counts already. A counter in Redis outlives this
process: it knows itself since when it counts, and whether some process has added what was before. It counts since the
first request of any process began, though this may come to it late. One that has lost everything is told again.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock
from gateway.costs import BILLION
from gateway.errors import GatewayError
from gateway.lending import heard
from gateway.plans import Plan
from gateway.store.own_limits import OwnLimits
from gateway.store.reports import Sums
from gateway.store.windows import SECOND, Rule, Span, Taken, spans_of
from gateway.together import Together

__all__ = ["Past", "Recall"]

_PATIENCE_S: Final = 3.0
_AGAIN_S: Final = 10.0
_APART_S: Final = 0.01  # by which the two clocks of a machine may tell a moment differently
_WHY_LATE: Final = "the ledger does not respond"


class Past(Protocol):
    """What knows what was used before."""

    async def sums(self, key_id: str, spans: Sequence[Span]) -> Sequence[Sums]:
        """Sum up what one key has used in each of these times; raise GatewayError where that is not known."""
        ...


class Recall:
    """`past`: None = there is nothing, and all counts begin here. `together`: what counts in the place of `own`."""

    def __init__(
        self,
        own: OwnLimits,
        clock: Clock,
        logger: FilteringBoundLogger | None = None,
        together: Together | None = None,
    ) -> None:
        self.past: Past | None = None
        self._own = own
        self._together = together
        self._clock = clock
        self._logger = logger
        self._known: set[str] = set()  # keys of counters
        self._until: dict[str, float] = {}  # of the others: when the first request that they count began
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._failing = False
        self._again_at = 0.0
        if together is not None:
            together.on_doubt = self.doubt

    def start(self) -> None:
        """Begin with nothing that another event loop has begun."""
        self._reading.clear()

    async def stop(self) -> None:
        """End what is being read."""
        reading = tuple(self._reading.values())
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)

    def doubt(self) -> None:
        """Ask again of every caller whether what was before counts."""
        self._known = set()  # another one: what is being read is of the time before

    def knows(self, plan: Plan) -> bool:
        """Tell whether all that lasts of a caller's limits counts what was before."""
        for rule in plan.lasting:  # noqa: SIM110 - for every request; a generator takes three times as long
            if rule.key not in self._known:
                return False
        return True

    def begin(self, plan: Plan, began: float) -> None:
        """Tell counters in Redis that begin with a request what was before, behind its back; `began`: when it did."""
        if self.past is None or plan.who in self._reading:
            return
        for rule in plan.lasting:
            self._known.discard(rule.key)
            self._until.setdefault(rule.key, began - _APART_S)
        self._begin(self.past, plan.who, plan.lasting)

    async def read(self, plan: Plan, ago_s: float) -> None:
        """Count what was before, and wait for it, but not long; `ago_s`: since the request that asks began."""
        began = self._clock.time() - ago_s - _APART_S
        rules = [rule for rule in plan.lasting if rule.key not in self._known]
        if self.past is None:
            self._known.update(rule.key for rule in rules)
            return
        for rule in rules:
            self._until.setdefault(rule.key, began)
        task = self._reading.get(plan.who)
        if task is None:
            if self._failing and self._clock.monotonic() < self._again_at:
                return
            task = self._begin(self.past, plan.who, rules)
        if not self._failing:
            _, late = await asyncio.wait((task,), timeout=_PATIENCE_S)
            if late:
                self._tell(_WHY_LATE)

    def _begin(self, past: Past, who: str, rules: Sequence[Rule]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(self._read(past, who, rules))
        self._reading[who] = task
        task.add_done_callback(partial(self._ended, who))
        return task

    async def _read(self, past: Past, who: str, rules: Sequence[Rule]) -> None:
        known, now_us = self._known, int(self._clock.time() * SECOND)
        until = [int(self._until[rule.key] * SECOND) for rule in rules]
        since = until if self._together is None else await self._together.since(who, rules, until)
        if since is None:  # each process counts by itself, and none of it in Redis
            for rule in rules:
                del self._until[rule.key]
            return
        gaps = [
            _Gap(rule, number, (begin, max(begin, min(end, moment / SECOND, last / SECOND))), moment)
            for rule, moment, last in zip(rules, since, until, strict=True)
            if moment
            for number, (begin, end) in spans_of(rule.seconds, now_us)
        ]
        try:
            found = await past.sums(who, [gap.span for gap in gaps]) if gaps else ()
        except GatewayError as error:
            self._tell(error.message)
            return
        used = [(gap.filled(sums), gap.since) for gap, sums in zip(gaps, found, strict=True)]
        if self._together is None:
            self._own.recall([one for one, _ in used])
        elif used and not await self._together.recall(who, used):
            return  # another process counts what began earlier: the next request reads what was before that
        for rule in rules:
            known.add(rule.key)
            del self._until[rule.key]
        if self._failing and self._logger is not None:
            self._logger.info("limits now count earlier usage as well")
        self._failing = False

    def _ended(self, who: str, task: "asyncio.Task[None]") -> None:
        heard(task)
        if self._reading.get(who) is task:
            del self._reading[who]

    def _tell(self, reason: str) -> None:
        self._again_at = self._clock.monotonic() + _AGAIN_S
        if not self._failing and self._logger is not None:
            self._logger.warning("limits do not count earlier usage yet; it is added once it is known", reason=reason)
        self._failing = True


class _Gap(Struct):
    """What a counter does not know of one of its windows. `since`: when it began, in microseconds."""

    rule: Rule
    number: int
    span: Span
    since: int

    def filled(self, sums: Sums) -> Taken:
        """Say what it is."""
        return Taken(self.rule, self.number, _AMOUNTS[self.rule.name.partition("_")[0]](sums))


_AMOUNTS: Final[dict[str, Callable[[Sums], int]]] = {
    "requests": lambda sums: sums.requests,
    "tokens": lambda sums: sums.input_tokens + sums.output_tokens,
    "usd": lambda sums: round((sums.usd or 0.0) * BILLION),
}
