"""What all processes count together, as long as Redis is there; what is asked while it is away is not answered.

Then it is asked twice a second until it answers. It is told again what is open here, what has ended meanwhile, and what
was used of hours, days and months. What it is asked is to keep a name of this process: one that can no longer write
(its memory is full, it is a replica) is away, too, and one that has lost the name has lost what is open here.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock
from gateway.context import new_id
from gateway.plans import Plan
from gateway.store.tally import Tally
from gateway.store.windows import SECOND, Away, Rule, Seen, Taken, Unheard

__all__ = ["Shared", "Together"]

_T = TypeVar("_T")

_TICK_S: Final = 0.5
_RENEW_S: Final = 10.0
_APART_US: Final = 60 * SECOND
_LATE: Final = 10_000  # requests that ended while Redis was away
_ENDING_S: Final = 2.0


class Shared(Protocol):
    """The counters; each question may raise Away. `id_`: of a request that has something to give back."""

    def start(self) -> None:
        """Begin to take questions."""
        ...

    async def stop(self) -> None:
        """End it."""
        ...

    async def look(self, who: str, rules: Sequence[Rule]) -> tuple[Seen, int]:
        """Say how these stand now, and how many requests are open."""
        ...

    async def admit(self, who: str, rules: Sequence[Rule], at_once: int | None, id_: str) -> Seen:
        """Count a request against each rule and let it in, or neither."""
        ...

    async def reserve(self, who: str, rules: Sequence[Rule], needs: Sequence[int], id_: str) -> Seen:
        """Take what a request may need of each rule, or nothing."""
        ...

    async def settle(
        self, who: str, used: Sequence[Taken], id_: str, *, late: bool = False, again: bool = False
    ) -> None:
        """End a request, and put what was used in the place of what was reserved.

        `late`: it has ended before; `again`: that may have been heard.
        """
        ...

    async def since(self, who: str, rules: Sequence[Rule], began: Sequence[int]) -> Sequence[int]:
        """Say since when each of these counts, in microseconds, 0 = what was before counts, too.

        `began`: when the first request began that this process counts by each of them; it counts since then at least.
        """
        ...

    async def recall(self, who: str, past: Sequence[tuple[Taken, int]]) -> bool:
        """Count what was before counters began, each by the moment at which it did.

        False: some count since another moment by now, and do not know what was before.
        """
        ...

    async def renew(self, open_: Mapping[str, Sequence[str]]) -> int:
        """Say that these requests of these callers are open; give how many of them were not known."""
        ...


class _Late(Struct):
    """A request that has ended, and is not settled for certain. `again`: Redis may have heard of it."""

    who: str
    used: Sequence[Taken]
    again: bool


class Together:
    """`away`: it did not answer when it was asked last, or counts nothing; `problem`: why.

    `on_doubt`: called when it may have lost what was counted.
    """

    def __init__(
        self, shared: Shared, clock: Clock, logger: FilteringBoundLogger | None = None, tally: Tally | None = None
    ) -> None:
        self.away = False
        self.problem = ""
        self.on_doubt: Callable[[], None] = _nothing
        self._shared = shared
        self._clock = clock
        self._logger = logger
        self._tally = tally
        self._itself: Mapping[str, Sequence[str]] = {"": (new_id(),)}  # this process, of no caller
        self._open: dict[str, str] = {}  # ids of requests, and whose they are
        self._late: dict[str, _Late] = {}
        self._missed: dict[tuple[str, str, int, int], Taken] = {}  # by caller, counter, window and minute
        self._tasks: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to count."""
        if self._watching is None:
            self._shared.start()
            self._watching = asyncio.get_running_loop().create_task(self._watch())
        self._tell()

    async def stop(self) -> None:
        """End it, with what is still to be given back."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=_ENDING_S)
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await self._shared.stop()

    # a request

    async def admit(self, plan: Plan, id_: str) -> Seen | Away:
        """Count a request and let it in, or neither; with an id it is open from then on. Away: it is not known here."""
        if self.away:
            return Unheard()
        try:
            seen = await self._shared.admit(plan.who, plan.requests, plan.at_once, id_)
        except Away as error:
            self._leave(error)
            self._keep(id_, plan.who, ())  # it may have been heard
            return error
        except BaseException:  # its caller has left, and nobody knows what Redis has done
            self.end(id_, plan.who, ())
            raise
        if seen.admitted:
            self.enter(id_, plan.who)
        return seen

    async def reserve(self, plan: Plan, needs: Sequence[int], id_: str) -> Seen | None:
        """Take what a request may need of each limit on tokens and money, or nothing."""
        return await self._asked(self._shared.reserve(plan.who, plan.amounts, needs, id_))

    async def look(self, plan: Plan) -> tuple[Seen, int] | None:
        """Say how all limits of a caller stand, and how many of its requests are open."""
        return await self._asked(self._shared.look(plan.who, (*plan.requests, *plan.amounts)))

    async def since(self, who: str, rules: Sequence[Rule], began: Sequence[int]) -> Sequence[int] | None:
        """Say since when each of these counts, in microseconds, 0 = what was before counts, too."""
        return await self._asked(self._shared.since(who, rules, began))

    async def recall(self, who: str, past: Sequence[tuple[Taken, int]]) -> bool:
        """Count what was before counters began, each by the moment at which it did; False: that is another by now."""
        return await self._asked(self._shared.recall(who, past)) is not False

    def enter(self, id_: str, who: str) -> None:
        """Know of a request that is open."""
        if id_:
            self._open[id_] = who

    def end(self, id_: str, who: str, used: Sequence[Taken]) -> "asyncio.Task[None] | None":
        """Give back what a request held, but for what it used; wait for the result to be sure that it counts."""
        if not id_:
            return None
        self._open.pop(id_, None)
        task = asyncio.get_running_loop().create_task(self._settle(id_, who, used))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def miss(self, who: str, used: Iterable[Taken]) -> None:
        """Note what was used of limits that count here alone; Redis hears of it at the next look.

        What a counter that has begun meanwhile reads of in the ledger is not for it, so no more than the use of a
        minute is told as one, by the moment of the first.
        """
        for one in used:
            place = who, one.rule.key, one.number, one.at_us // _APART_US
            before = self._missed.get(place, one)
            amount = one.amount if before is one else before.amount + one.amount
            self._missed[place] = replace(one, amount=amount, at_us=min(before.at_us, one.at_us))

    async def _settle(self, id_: str, who: str, used: Sequence[Taken]) -> None:
        if not self.away:
            try:
                await self._shared.settle(who, used, id_)
            except Away as error:
                self._leave(error)
                self._keep(id_, who, used, error)
        else:
            self._keep(id_, who, used)

    def _keep(self, id_: str, who: str, used: Sequence[Taken], error: Away | None = None) -> None:
        if id_ and len(self._late) < _LATE:
            self._late[id_] = _Late(who, used, again=_may_be_heard(error))

    async def _asked(self, question: Awaitable[_T]) -> _T | None:
        try:
            return await question
        except Away as error:
            self._leave(error)
            return None

    # whether it is there

    async def _watch(self) -> None:
        """Renew what is open, notice that Redis is away, and find it again."""
        renew_at = 0.0
        while True:
            try:
                forgotten = await self._shared.renew(self._itself)
                now = self._clock.monotonic()
                if self.away or forgotten:
                    self.on_doubt()
                if self.away or forgotten or now >= renew_at:
                    await self._shared.renew(self._ids())
                    renew_at = now + _RENEW_S
                await self._settle_late()
                if self.away:
                    self._return()
            except Away as error:
                self._leave(error)
            await self._clock.sleep(_TICK_S)

    def _ids(self) -> Mapping[str, Sequence[str]]:
        ids = defaultdict[str, list[str]](list)
        for id_, who in self._open.items():
            ids[who].append(id_)
        return ids

    async def _settle_late(self) -> None:
        """Settle what has ended while it was away, and what ends meanwhile; tell what it has not counted."""
        while self._late:
            id_, one = next(iter(self._late.items()))
            try:
                await self._shared.settle(one.who, one.used, id_, late=True, again=one.again)
            except Away as error:
                one.again = one.again or _may_be_heard(error)
                raise
            self._late.pop(id_, None)
        while self._missed:
            place, missed = next(iter(self._missed.items()))
            del self._missed[place]  # what comes meanwhile is told by itself
            try:
                await self._shared.settle(place[0], (missed,), "", late=True)
            except Away:
                self.miss(place[0], (missed,))
                raise

    def _leave(self, error: Away) -> None:
        self.problem = str(error)
        if not self.away:
            self.away = True
            self._tell()
            if self._logger is not None:
                self._logger.warning("Redis counts no limits; each process counts by itself", reason=self.problem)

    def _return(self) -> None:
        self.away, self.problem = False, ""
        self._tell()
        if self._logger is not None:
            self._logger.info("Redis is back; limits are shared again")

    def _tell(self) -> None:
        if self._tally is not None and self._tally.is_open:
            self._tally.values[self._tally.at("limits_shared", live=True)] = float(not self.away)


def _may_be_heard(error: Away | None) -> bool:
    return error is not None and not isinstance(error, Unheard)


def _nothing() -> None:
    """Nobody is to be told."""
