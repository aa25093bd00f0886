"""What counts for limits: requests at admission, open answers until their last byte, tokens and money by reservation.

    RateLimit ── admit ──► a Hold ── end ──► what was used takes the place of what was reserved
    relay, … ── reserve ──┘
                 │
                 ├─► OwnLimits   this process alone
                 └─► Together    all processes, in Redis, when store.redis is set

Recall adds to either what was used before it began to count.

While Redis is away each process counts by itself, from nothing but what it has open; what was used of hours, days and
months is added there when it is back. Without Redis only one process of those that use a data_dir may count; the others
refuse to serve whoever has limits.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock, System
from gateway.config import Limit, of_keys
from gateway.context import Principal, new_id
from gateway.errors import LimitsNotShared
from gateway.plans import Left, Plan, left_of, plan_of
from gateway.recall import Recall
from gateway.store.own_limits import OwnLimits
from gateway.store.sole import Sole
from gateway.store.tally import Tally
from gateway.store.windows import SECOND, Away, Seen, Taken, Unheard
from gateway.together import Shared, Together

__all__ = ["Hold", "Limiter", "NotAlone"]

_CLAIM_S: Final = 1.0  # between two looks whether this process may count
_POLL_S: Final = 0.5
_REMEDY: Final = "set store.redis, or run one process"
_WHY: Final = (
    "another process with this data_dir may count limits, and processes cannot count together without store.redis"
)


class NotAlone(Exception):
    """Another process counts limits by itself; the message says what to do."""


class Hold(Struct, eq=False):
    """What a request that was let in has to give back. `id`: its name in Redis, "" = none there.

    `own`: what is reserved for it in this process; `shared`: in Redis. `began`: when, Unix seconds.
    """

    plan: Plan
    id: str = ""
    began: float = 0.0
    own: Sequence[Taken] = ()
    shared: Sequence[Taken] = ()
    ended: bool = False


class Limiter:
    """One for each app. `shared`: what counts in Redis; `sole`: the lock without which this process may not count."""

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        shared: Shared | None = None,
        sole: Sole | None = None,
        logger: FilteringBoundLogger | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._clock = clock or System()
        self.together = Together(shared, self._clock, logger, tally) if shared is not None else None
        self._own = OwnLimits(self._clock)
        self.recall = Recall(self._own, self._clock, logger, self.together)
        self._sole = sole
        self._logger = logger
        self._tally = tally
        self._may_count = sole is None
        self._claim_at = 0.0

    @property
    def is_shared(self) -> bool:
        """Whether Redis counts now."""
        return self.together is not None and not self.together.away

    @property
    def open_requests(self) -> Mapping[str, int]:
        """How many answers each caller has open in this process."""
        return self._own.open

    # life

    async def claim(self, patience_s: float, limited: Sequence[str] = ()) -> None:
        """Make sure that this process may count; wait so long for one that ends, else raise NotAlone.

        `limited`: the keys that have limits.
        """
        waited = 0.0
        while not (self._may_count or self._claimed()):
            if not waited and self._logger is not None:
                self._logger.warning("waiting for another process to end", reason=_WHY, seconds=patience_s)
            if waited >= patience_s:
                raise NotAlone(f"{_WHY}; {_REMEDY}{of_keys(limited)}")
            await self._clock.sleep(_POLL_S)
            waited += _POLL_S

    def hindrance(self) -> str:
        """Say why no request of a key with limits would be served, and what to do; "" = it would be."""
        if self._may_count or self._claimed():
            return ""
        return f"{_WHY}, so a key with limits would not be served; {_REMEDY}"

    def join(self) -> None:
        """Let other processes know of this one, though it has nothing to count yet."""
        if self._sole is not None and not self._may_count:
            self._sole.join()

    def start(self) -> None:
        """Begin to count."""
        self.recall.start()
        if self.together is not None:
            self.together.start()

    def release(self) -> None:
        """Let another process count: nobody is let in here any more."""
        if self._sole is not None:
            self._sole.leave()
            self._may_count, self._claim_at = False, 0.0

    async def stop(self) -> None:
        """End it."""
        await self.recall.stop()
        if self.together is not None:
            await self.together.stop()
        self.release()

    # a request

    def knows(self, plan: Plan) -> bool:
        """Tell whether what the caller has used before counts, as far as it is to."""
        return (self.together is not None and self.together.away) or self.recall.knows(plan)

    def admit(self, plan: Plan) -> tuple[Seen, Hold | None]:
        """Count a request in this process and let it in, or neither; raise LimitsNotShared where it may not count."""
        if not self._may_count and not self._claims():
            raise LimitsNotShared(f"{_WHY}, so this key is not served; the operator can set store.redis")
        seen = self._own.admit(plan.who, plan.requests, plan.at_once)
        if not seen.admitted:
            return seen, None
        hold = Hold(plan)
        if self.together is not None and plan.holds:
            hold.id, hold.began = new_id(), self._clock.time()
            self.together.enter(hold.id, plan.who)
        return seen, hold

    async def admit_shared(self, plan: Plan, ago_s: float = 0.0) -> tuple[Seen, Hold | None]:
        """Count it in Redis, if that answers; `ago_s`: since the request began."""
        hold = Hold(plan, new_id() if plan.holds else "", self._clock.time() - ago_s)
        answer = await self.together.admit(plan, hold.id) if self.together is not None else Away()
        if isinstance(answer, Away):
            seen, let_in = self.admit(plan)
            if let_in is not None and isinstance(answer, Unheard):
                self._miss(plan, self._timed(plan, [Taken(one.rule, one.number, 1) for one in seen.windows]))
            return seen, let_in
        if not answer.admitted:
            return answer, None
        if answer.begins:
            self.recall.begin(plan, hold.began)
        self._own.enter(plan.who)
        return answer, hold

    async def reserve(self, hold: Hold, needs: Sequence[int]) -> Seen:
        """Take what a request may need of each limit on tokens and money, or nothing."""
        plan = hold.plan
        if self.together is not None and not self.together.away:
            seen = await self.together.reserve(plan, needs, hold.id)
            if seen is not None:
                hold.shared = self._timed(plan, seen.taken) if seen.admitted else ()
                if seen.begins:
                    self.recall.begin(plan, hold.began)
                return seen
        seen = self._own.reserve(plan.who, plan.amounts, needs)
        hold.own = self._timed(plan, seen.taken)
        return seen

    def end(self, hold: Hold, used: Sequence[int]) -> "asyncio.Task[None] | None":
        """Give back what a request has held, but for what it has used of each limit on tokens and money.

        The result is to be waited for by who wants to be sure that it counts.
        """
        if hold.ended:
            return None
        hold.ended = True
        who = hold.plan.who
        self._own.leave(who)
        if hold.own:
            self._own.settle(who, hold.own, used)
            self._miss(hold.plan, _spent(hold.own, used))
        if self.together is None or not hold.id:
            return None
        return self.together.end(hold.id, who, [*_spent(hold.shared, used)])

    async def left(self, principal: Principal, defaults: Sequence[Limit] = ()) -> list[Left]:
        """Say what is left of each limit of a caller. `defaults`: the limits that hold for everybody."""
        plan = plan_of(principal.id, (*defaults, *principal.limits))
        if not self.knows(plan):
            await self.recall.read(plan, 0.0)
        now = self._clock.time()
        if self.together is not None and not self.together.away:
            found = await self.together.look(plan)
            if found is not None:
                seen, opened = found
                return left_of(plan, seen.windows, opened, now)
        windows = self._own.look((*plan.requests, *plan.amounts))
        return left_of(plan, windows, self._own.open.get(plan.who, 0), now)

    def _miss(self, plan: Plan, used: Iterable[Taken]) -> None:
        """Have Redis told later of what it has not counted: hours, days and months outlive its absence."""
        if self.together is not None:
            self.together.miss(plan.who, [one for one in used if one.amount and one.rule in plan.lasting])

    def _timed(self, plan: Plan, taken: Sequence[Taken]) -> Sequence[Taken]:
        """Note when it is taken, where a counter that begins later in Redis will read of it in the ledger."""
        if self.together is None or self.recall.past is None or not plan.lasting:
            return taken
        now_us = int(self._clock.time() * SECOND)
        return [replace(one, at_us=now_us) if one.rule in plan.lasting else one for one in taken]

    def refused(self, name: str) -> None:
        """Count a refusal by the limit of this name."""
        if self._tally is not None:
            self._tally.count("limit_refusals", name)

    def _claims(self) -> bool:
        """Look now and then whether this process may count."""
        now = self._clock.monotonic()
        if now < self._claim_at:
            return False
        self._claim_at = now + _CLAIM_S
        return self._claimed()

    def _claimed(self) -> bool:
        assert self._sole is not None
        self._may_count = self._sole.claim()
        if self._sole.problem and self._logger is not None:
            self._logger.warning("it is unknown whether other processes count limits", reason=self._sole.problem)
        return self._may_count


def _spent(taken: Sequence[Taken], used: Sequence[int]) -> Iterator[Taken]:
    """Say what was used of what was taken; where nothing was, nothing."""
    if taken:
        yield from (replace(one, amount=amount) for one, amount in zip(taken, used, strict=True))
