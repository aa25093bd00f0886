"""Try until an answer begins: the only place that retries.

Within one member of a chain its journey says after each failure whether and where to try again; across members the
next one follows. A wait is taken only when nothing else is left. Nothing is retried once the answer has begun.
"""

import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Generic, Protocol, Self, TypeVar, cast

from msgspec import Struct
from tenacity import AsyncRetrying, RetryCallState
from tenacity.retry import retry_base

from gateway import ir
from gateway.clock import Clock
from gateway.config import Config
from gateway.errors import (
    CallerError,
    ContextTooLong,
    GatewayError,
    ModelNotFound,
    NoCredential,
    NotFound,
    StreamBroken,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRejected,
    UpstreamTimeout,
)
from gateway.frames import bare
from gateway.grace import Grace, Watchdog
from gateway.lending import apart
from gateway.transport import TransportError, told
from gateway.upstream import Answer, Journey, Step, Target, credential_of

__all__ = ["ENDS", "Begun", "Policy", "Tried", "begin", "walk"]


class _Way(Protocol):
    """One call's way through one upstream, whatever is asked for."""

    def after(self, error: GatewayError) -> Step | GatewayError: ...
    def done(self, usage: ir.Usage | None) -> None: ...


_W = TypeVar("_W", bound=_Way)
_T = TypeVar("_T")
Tried = Callable[[Target, GatewayError | None], None]
Failed = Callable[[GatewayError | None, str], None]  # with the credential of the call; None = it was given up

EMPTY_RETRIES = 2
_MOST_BYTES = 64 * 2**20
_EVENT_BYTES = 256  # in memory, about
MALFORMED_RETRIES = 1  # dialects.md 2.5: each one costs an answer
ENDS = (ir.Finished, ir.Failed)  # nothing follows them


class Policy(Struct, frozen=True, kw_only=True):
    """[retry] and the part of [timeouts] that matters here. Seconds."""

    attempts: int
    max_wait: float
    first_byte: float

    @classmethod
    def of(cls, config: Config) -> Self:
        """Read a configuration."""
        retry = config.retry
        return cls(attempts=retry.attempts, max_wait=retry.max_wait, first_byte=config.timeouts.first_byte)


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


def begin(
    targets: Sequence[Target],
    embark: Callable[[Target], Journey],
    policy: Policy,
    clock: Clock,
    *,
    grace: Grace | None = None,
    long: int = 0,
    tried: Tried = lambda _, __: None,
    failed: Failed = lambda _, __: None,
) -> Coroutine[Any, Any, Begun]:
    """Try the members of a chain in turn until one begins to answer.

    `embark` translates for one member, in a thread where that takes `long`; `tried` hears of each upstream call, and of
    the failure that led to it, `failed` of each failure when it happens, and of the call that is given up, such as one
    whose caller has left. Raises the last member's GatewayError.
    """
    return walk(targets, embark, _answered, policy, clock, grace=grace, long=long, tried=tried, failed=failed)


async def walk(
    targets: Sequence[Target],
    embark: Callable[[Target], _W],
    reach: Callable[[Target, _W, Watchdog], Awaitable[_T]],
    policy: Policy,
    clock: Clock,
    *,
    grace: Grace | None = None,
    long: int = 0,
    tried: Tried = lambda _, __: None,
    failed: Failed = lambda _, __: None,
) -> _T:
    """Try the members of a chain in turn until `reach`, which makes one call, gives what it is to give.

    What one member cannot carry, has not, or has no room for, the next may; the caller reads the first refusal where
    none has failed otherwise. Of several failures the last one counts, but for that of a member that nobody can use.
    """
    told = _Told()
    for place, target in enumerate(targets):
        later = targets[place + 1 :]
        try:
            journey = await apart(True, embark, target) if long else embark(target)
        except NoCredential as error:
            told.fails(error, target)
            continue
        except CallerError as error:
            told.refuses(error)
            continue
        others = partial(_can_go_to, later, embark) if later else _no_others
        member = _Member(
            target, journey, reach, policy, clock, others, grace=grace, tried=tried, fails=failed, failed=told.failure
        )
        try:
            try:
                return await member.once()
            except GatewayError as error:
                first = bare(error)
            return await member.retry(first)
        except (*_fail_over, NotFound, ContextTooLong) as error:
            journey.done(None)
            told.ends(error, target)
            if isinstance(error, UpstreamRejected):
                break
        except BaseException:
            failed(None, credential_of(journey))
            journey.done(None)
            raise
    raise told.reason


_fail_over = (UpstreamError, NoCredential, ModelNotFound)
_ABSENT = ("kept", "resource")  # causes: an upstream has not what the request only names


class _Told:
    """What the caller is told of members that gave no answer: of `failure`, else of what the first of them refused."""

    failure: GatewayError | None = None
    refusal: GatewayError | None = None

    @property
    def reason(self) -> GatewayError:
        """Give what it comes to."""
        reason = self.failure or self.refusal
        assert reason is not None
        return reason

    def refuses(self, error: GatewayError) -> None:
        """Note what a member cannot do."""
        self.refusal = self.refusal or bare(error)

    def fails(self, error: GatewayError, target: Target) -> None:
        """Note how a member has failed, with the shorter wait of two: the next request begins with the first."""
        before, self.failure = self.failure, bare(error)
        if before is None or isinstance(error, UpstreamRejected):
            return
        if not target.adapter.usable:
            self.failure = before
        if error.retry_after is not None and before.retry_after is not None:
            self.failure.retry_after = min(error.retry_after, before.retry_after)

    def ends(self, error: GatewayError, target: Target) -> None:
        """Note the end of a member that was asked; raise what no other can do better."""
        if error.cause in _ABSENT or isinstance(error, ContextTooLong):  # another may have it, or room for it
            self.refuses(error)
        elif isinstance(error, _fail_over):
            self.fails(error, target)
        else:
            raise error


def _can_go_to(targets: Sequence[Target], embark: Callable[[Target], _W]) -> bool:
    """Tell whether any of these can be asked."""
    for target in targets:
        if not target.adapter.usable:
            continue
        with suppress(NoCredential, CallerError):
            embark(target).done(None)
            return True
    return False


def _no_others() -> bool:
    return False


class _Member(Generic[_W, _T]):
    """One member of a chain: its attempts, counted. `others`: whether a later one can be asked."""

    def __init__(
        self,
        target: Target,
        journey: _W,
        reach: Callable[[Target, _W, Watchdog], Awaitable[_T]],
        policy: Policy,
        clock: Clock,
        others: Callable[[], bool],
        *,
        grace: Grace | None,
        tried: Tried,
        fails: Failed,
        failed: GatewayError | None,
    ) -> None:
        self._target = target
        self._journey = journey
        self._reach = reach
        self._policy = policy
        self._clock = clock
        self._others = others
        self._grace = grace
        self._tried = tried
        self._fails = fails
        self._failed = failed
        self._counted = 1
        self._empty = 0
        self._malformed = 0
        self._step = Step()

    async def retry(self, first: GatewayError) -> _T:
        """Try on after the first failure until an answer begins; raise the error that ends it."""
        replay = [first]  # raised once more so that one policy judges all

        async def attempt() -> _T:
            if replay:
                raise replay.pop()
            return await self.once()

        retrying = AsyncRetrying(retry=_RetryIf(self._again), wait=self._wait, sleep=self._clock.sleep, reraise=True)
        try:
            return await retrying(attempt)
        except EmptyAnswer as error:
            return cast(_T, bare(error).begun)  # what `reach` would have given, had there been anything in it
        finally:
            retrying.iter_state.reset()  # it holds what holds it

    def _again(self, error: GatewayError) -> bool:
        step = self._after(error)
        self._fails(bare(error), credential_of(self._journey))  # by now the journey has told its cause
        if step is None:
            return False
        end = step if isinstance(step, GatewayError) else self._end(step, error)
        if end is None:
            return True
        if isinstance(error, EmptyAnswer):
            return False
        raise end

    def _after(self, error: GatewayError) -> Step | GatewayError | None:
        """Ask the journey where to go from here; None when enough answers were empty, the error when malformed."""
        if isinstance(error, EmptyAnswer):
            self._empty += 1
            if self._empty > EMPTY_RETRIES:
                return None
        if type(error) is UpstreamMalformed:  # it came to its end, and nobody can use it
            self._malformed += 1
            if self._malformed > MALFORMED_RETRIES:
                return error
        self._failed = error
        return self._journey.after(error)

    def _end(self, step: Step, error: GatewayError) -> GatewayError | None:
        """Give the error to answer with where a step is not to be taken."""
        self._counted += step.counted
        self._step = step
        verdict = step.verdict or error
        if self._counted > self._policy.attempts:
            if self._policy.attempts > 1:  # a client that tried as often again would multiply the load
                verdict.headers.setdefault("x-should-retry", "false")
            if verdict.status == 429:  # each of them names a wait
                verdict.retry_after = verdict.retry_after or max(math.ceil(step.wait_s), 1)
            return verdict
        if step.wait_s > self._policy.max_wait:
            verdict.retry_after = verdict.retry_after or math.ceil(step.wait_s)
            return verdict
        if step.wait_s and self._others():  # a pause of our own is nothing that callers are to wait for
            return verdict
        return None

    def _wait(self, _: RetryCallState) -> float:
        return self._step.wait_s

    async def once(self) -> _T:
        """Make one attempt."""
        self._tried(self._target, self._failed)
        try:
            with Watchdog(self._policy.first_byte, self._grace) as watchdog:
                return await self._reach(self._target, self._journey, watchdog)
        except TimeoutError:
            raise UpstreamTimeout(
                f"{self._target.label} sent nothing for {self._policy.first_byte:g} s (timeouts.first_byte)"
            ) from None
        except TransportError as error:  # an adapter of somebody else's need not translate it
            raise told(error) from error


async def _answered(target: Target, journey: Journey, watchdog: Watchdog) -> Begun:
    """Make one call, and read on to the first content."""
    answer = await journey.go()
    events: list[ir.Event] = []
    held = 0
    try:
        while (batch := await answer.read()) is not None:
            events += batch
            if not batch:
                if _is_open(events):
                    watchdog.feed()
                continue
            if type(batch[-1]) is ir.Passed and not _is_ping(batch, events):
                held = _bounded(held, batch)
                continue
            watchdog.feed()
            begun = _begun(target, journey, answer, events, batch)
            if begun is not None:
                return begun
            held = _bounded(held, batch)
        raise StreamBroken(f"{target.label} closed the connection without a response")
    except BaseException as error:
        answer.close()
        if not isinstance(error, EmptyAnswer):
            events.clear()  # they may be large, and the error's traceback keeps them
        raise


def _bounded(held: int, batch: list[ir.Event]) -> int:
    """Give the bytes that are held with these; refuse an answer that goes on and on, and does not begin."""
    held += sum(len(event.data) if type(event) is ir.Passed else _EVENT_BYTES for event in batch)
    if held > _MOST_BYTES:
        raise UpstreamMalformed(f"the upstream's response does not begin: {_MOST_BYTES // 2**20} MB say nothing")
    return held


def _is_ping(batch: list[ir.Event], events: list[ir.Event]) -> bool:
    """Tell a sign of life from the piece of an event."""
    last = batch[-1]
    if type(last) is ir.Passed and all(type(event) is ir.Passed for event in batch):
        return not last.quiet and _is_open(events)
    return True


def _is_open(events: list[ir.Event]) -> bool:
    """Tell whether a ping or a comment is a sign of life: once a block is open, as thoughts may show nothing else."""
    return ir.BlockStarted in map(type, events)


def _begun(
    target: Target, journey: Journey, answer: Answer, events: list[ir.Event], batch: list[ir.Event]
) -> Begun | None:
    """Tell whether the last events have content, or end the answer."""
    end = batch[-1]
    request = journey.request
    if ir.begins(batch, hidden=request.reasoning.visible is False and request.native is None):
        return Begun(target, journey, answer, events, isinstance(end, ENDS))
    if isinstance(end, ir.Failed):
        raise end.error
    if isinstance(end, ir.Finished):
        return _nothing_said(Begun(target, journey, answer, events, ended=True), end)
    return None


def _nothing_said(begun: Begun, end: ir.Finished) -> Begun:
    if end.reason != "stop" or begun.journey.request.silent:
        return begun
    error = EmptyAnswer(f"{begun.target.label} gave an empty response")
    error.begun = begun
    raise error


class _RetryIf(retry_base):
    """Ask `again` about each failure; what is no GatewayError is never retried."""

    def __init__(self, again: Callable[[GatewayError], bool]) -> None:
        self._again = again

    def __call__(self, retry_state: RetryCallState) -> bool:
        outcome = retry_state.outcome
        error = outcome.exception() if outcome is not None else None
        return isinstance(error, GatewayError) and self._again(error)
