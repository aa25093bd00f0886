"""Try until an answer begins: the only place that retries.

Within one member of a chain its journey says after each failure whether and where to try again; across members the
next one follows. A wait is taken only when nothing else is left. Nothing is retried once the answer has begun.
"""

import math
from collections.abc import Callable, Sequence

from msgspec import Struct
from tenacity import AsyncRetrying, RetryCallState
from tenacity.retry import retry_base

from gateway import ir
from gateway.clock import Clock
from gateway.errors import (
    GatewayError,
    ModelNotFound,
    NoCredential,
    StreamBroken,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRejected,
    UpstreamTimeout,
)
from gateway.grace import Grace, Watchdog
from gateway.upstream import Answer, Journey, Step, Target

__all__ = ["ENDS", "Begun", "Policy", "begin"]

EMPTY_RETRIES = 2
ENDS = (ir.Finished, ir.Failed)  # nothing follows them


class Policy(Struct, frozen=True, kw_only=True):
    """[retry] and the part of [timeouts] that matters here. Seconds."""

    attempts: int
    max_wait: float
    first_byte: float


class Begun(Struct, frozen=True):
    """An answer whose first content has arrived. `events`: all so far; `ended`: the last one was terminal."""

    target: Target
    journey: Journey
    answer: Answer
    events: list[ir.Event]
    ended: bool


class EmptyAnswer(UpstreamMalformed):
    """A complete answer in which nothing was said; `begun` is delivered when no try gives more."""

    code = "upstream_empty"
    begun: Begun | None = None


async def begin(
    targets: Sequence[Target],
    embark: Callable[[Target], Journey],
    policy: Policy,
    clock: Clock,
    *,
    grace: Grace | None = None,
    tried: Callable[[Target], None] = lambda _: None,
) -> Begun:
    """Try the members of a chain in turn until one begins to answer.

    `embark` translates for one member; `tried` hears of each upstream call. Raises the last member's GatewayError.
    """
    failure: GatewayError | None = None
    for place, target in enumerate(targets):
        last = place == len(targets) - 1
        try:
            journey = embark(target)
        except NoCredential as error:
            failure = error
            continue
        member = _Member(target, journey, policy, clock, may_wait=last, grace=grace, tried=tried)
        try:
            return await member.begin()
        except _fail_over as error:
            journey.done(None)
            failure = error
            if isinstance(error, UpstreamRejected):
                break
        except BaseException:
            journey.done(None)
            raise
    assert failure is not None
    raise failure


_fail_over = (UpstreamError, NoCredential, ModelNotFound)


class _Member:
    """One member of a chain: its attempts, counted."""

    def __init__(
        self,
        target: Target,
        journey: Journey,
        policy: Policy,
        clock: Clock,
        *,
        may_wait: bool,
        grace: Grace | None,
        tried: Callable[[Target], None],
    ) -> None:
        self._target = target
        self._journey = journey
        self._policy = policy
        self._clock = clock
        self._may_wait = may_wait
        self._grace = grace
        self._tried = tried
        self._counted = 1
        self._empty = 0
        self._step = Step()

    async def begin(self) -> Begun:
        """Try until an answer begins; raise the error that ends it."""
        replay: list[GatewayError] = []  # the first failure, raised once more so that one policy judges all
        try:
            return await self._once()
        except GatewayError as error:
            replay.append(error)
        try:
            async for attempt in AsyncRetrying(
                retry=_RetryIf(self._again), wait=self._wait, sleep=self._clock.sleep, reraise=True
            ):
                with attempt:
                    if replay:
                        raise replay.pop()
                    return await self._once()
        except EmptyAnswer as error:
            assert error.begun is not None
            return error.begun
        raise AssertionError("tenacity ended without an answer or an error")  # pragma: no cover

    def _again(self, error: GatewayError) -> bool:
        if isinstance(error, EmptyAnswer):
            self._empty += 1
            if self._empty > EMPTY_RETRIES:
                return False
        step = self._journey.after(error)
        if isinstance(step, GatewayError):
            if isinstance(error, EmptyAnswer):
                return False
            raise step
        self._counted += step.counted
        self._step = step
        if self._counted > self._policy.attempts:
            return False
        if step.wait_s and (not self._may_wait or step.wait_s > self._policy.max_wait):
            error.retry_after = error.retry_after or math.ceil(step.wait_s)
            return False
        return True

    def _wait(self, _: RetryCallState) -> float:
        return self._step.wait_s

    async def _once(self) -> Begun:
        self._tried(self._target)
        answer: Answer | None = None
        try:
            with Watchdog(self._policy.first_byte, self._grace) as watchdog:
                answer = await self._journey.go()
                return await self._first_content(answer, watchdog)
        except TimeoutError:
            _close(answer)
            raise UpstreamTimeout(
                f"{self._target.label} said nothing for {self._policy.first_byte:g} s (timeouts.first_byte)"
            ) from None
        except BaseException:
            _close(answer)
            raise

    async def _first_content(self, answer: Answer, watchdog: Watchdog) -> Begun:
        events: list[ir.Event] = []
        hidden = self._journey.request.reasoning.visible is False
        while (batch := await answer.read()) is not None:
            if not batch:
                continue
            watchdog.feed()
            events += batch
            end = batch[-1]
            if isinstance(end, ir.Failed) and not _has_content(events, hidden=hidden):
                raise end.error
            ended = isinstance(end, ENDS)
            if _has_content(batch, hidden=hidden):
                return Begun(self._target, self._journey, answer, events, ended)
            if isinstance(end, ir.Finished):
                return self._nothing_said(Begun(self._target, self._journey, answer, events, ended=True), end)
        raise StreamBroken(f"{self._target.label} closed the connection without an answer")

    def _nothing_said(self, begun: Begun, end: ir.Finished) -> Begun:
        if end.reason != "stop":
            return begun
        error = EmptyAnswer(f"{self._target.label} gave an empty answer")
        error.begun = begun
        raise error


def _has_content(events: Sequence[ir.Event], *, hidden: bool) -> bool:
    if ir.BlockStarted not in map(type, events):
        return False
    return not hidden or any(isinstance(event, ir.BlockStarted) and event.kind != "thinking" for event in events)


def _close(answer: Answer | None) -> None:
    if answer is not None:
        answer.close()


class _RetryIf(retry_base):
    """Ask `again` about each failure; what is no GatewayError is never retried."""

    def __init__(self, again: Callable[[GatewayError], bool]) -> None:
        self._again = again

    def __call__(self, retry_state: RetryCallState) -> bool:
        outcome = retry_state.outcome
        error = outcome.exception() if outcome is not None else None
        return isinstance(error, GatewayError) and self._again(error)
