"""One request's way over the credentials and base URLs of an upstream, until an answer begins.

`go` borrows a credential and calls; `after` looks the failure up in the upstream's rules and turns to the next base,
credential or pause, or amends the body. A credential stays borrowed until it is left or the request is done.
"""

import math
import random
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from gateway import ir
from gateway.adapters.amendments import Draft, Lacks, Write, Written
from gateway.adapters.credential import Credential
from gateway.adapters.exchange import begin, fetch
from gateway.adapters.failures import SHORT_S, Cause, Failure, ReadFailure, Renew, Rule, Rules, cause_of
from gateway.adapters.pool import Lease, Pool
from gateway.adapters.shortage import number
from gateway.adapters.strategies import Session, no_session
from gateway.clock import Clock
from gateway.config import RetryConfig
from gateway.config.problems import did_you_mean
from gateway.errors import GatewayError, ModelNotFound, NoCredential, UpstreamCredential
from gateway.redact import MASK
from gateway.sessions import conversation
from gateway.transport import Response, Transport
from gateway.upstream import Answer, Call, Edit, Outgoing, Step

__all__ = ["Backend", "PoolCalls", "PoolJourney"]

_C = TypeVar("_C", bound=Credential)
_W = TypeVar("_W", bound=Written)
_A = TypeVar("_A")

_BRIEFLY_S: Final = 30.0
_OURS: Final = (UpstreamCredential, ModelNotFound)  # what these say is about the upstream, or is told otherwise
_LEAST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 2.0
_encode: Final = msgspec.json.Encoder().encode


class Backend(Struct, Generic[_C], kw_only=True):
    """What all journeys of one upstream share.

    `rules` and `read_failure`: what its refusals mean. `lacks`: what it has been seen not to take. `strict`: nothing
    may be lost by an amendment.
    """

    pool: Pool[_C]
    bases: tuple[str, ...]
    headers: dict[str, str]
    rules: Rules
    read_failure: ReadFailure
    retry: RetryConfig
    clock: Clock
    logger: FilteringBoundLogger
    models: Callable[[], Iterable[str]] = tuple  # those that it is known to have
    strict: bool = False
    lacks: Lacks = field(default_factory=Lacks)
    transport: Transport | None = None

    def draft(self, call: Call, write: Write[_W]) -> Draft[_W]:
        """Write a request as far as is known of what is taken."""
        return Draft(call.request, write, self.lacks, strict=self.strict)

    def send(
        self, url: str, headers: dict[str, str], body: bytes, read_failure: ReadFailure | None = None
    ) -> Coroutine[Any, Any, Response]:
        """Post a call; return when its headers say 200, raise Failure for all else."""
        assert self.transport is not None, "the upstream is used before start"
        return begin(self.transport, url, headers, body, read_failure or self.read_failure, self.clock)

    def fetch(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None = None,
        read_failure: ReadFailure | None = None,
    ) -> Coroutine[Any, Any, bytes]:
        """Make a small call, and give the body of its answer; raise Failure."""
        assert self.transport is not None, "the upstream is used before start"
        return fetch(self.transport, method, url, headers, body, read_failure or self.read_failure, self.clock)

    def disable(self, credential: _C, failure: Failure) -> None:
        """Use a credential no more that the upstream refuses."""
        self.pool.refuse(credential, self.rules[failure.cause], failure)

    @contextmanager
    def learning(self, credential: _C) -> Generator[None]:
        """Note what the failure of a call beside the requests says of its credential."""
        try:
            yield
        except Failure as failure:
            if self.rules[failure.cause].mark == "disable":
                self.disable(credential, failure)
            raise


class PoolCalls(ABC, Generic[_C, _W, _A]):
    """The calls of one request; an upstream says how one call is made and what can be renewed for it.

    `only`: the one credential that can serve it; None: any of the pool.
    """

    _waiting: tuple[Failure, Rule] | None = None  # for a short limit, until the call after it has ended
    _keyed: tuple[str, _W] | None = None  # the credential and the body that the caller's key went with
    _doubted: tuple[_C, Failure, Rule] | None = None  # refused without a reason, until another one's call has ended
    _answered = False
    _lent = ""
    _lease: Lease[_C] | None = None
    _failed: tuple[GatewayError, Failure] | None = None  # what was raised last, and what it means
    _base = _tries = 0
    _bases_tried = 1  # with this credential

    def __init__(self, call: Call, draft: Draft[_W], backend: Backend[_C], *, only: _C | None = None) -> None:
        self.request = call.request
        self._draft = draft
        self._model = call.request.model
        self._shared = backend
        self._only = only
        self._key = call.idempotency_key
        self._conversation: Session = partial(conversation, call) if call.request.turns else no_session
        self._used: set[str] = set()
        self._renewed: set[tuple[str, str]] = set()
        self._counts: defaultdict[tuple[Literal["tries", "others", "pauses"], Cause], int] = defaultdict(int)

    @property
    def credential(self) -> str:
        """The id of the credential that was lent last, "" = none."""
        return self._lent

    @property
    def losses(self) -> tuple[ir.Loss, ...]:
        """What the body lacks, as it is written now."""
        return self._draft.written.losses

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What is written otherwise in the caller's own words."""
        return self._draft.written.edits

    # calling

    def body(self) -> bytes:
        """Give the body of the next call."""
        written = self._draft.written
        return bytes(written.native) if written.native is not None else _encode(written.body)

    @abstractmethod
    def _url(self) -> str:
        """Give the URL of the next call."""

    @abstractmethod
    def _headers(self, secret: str) -> dict[str, str]:
        """Give the headers of the next call; `secret`: the credential's token or key."""

    def outgoing(self) -> Outgoing:
        """Describe the next call besides its body."""
        return Outgoing(
            method="POST",
            url=self._url(),
            headers=self._headers(MASK),
            varies=self._varies(),
            shortage=self._shared.pool.shortage(self._model, self._only),
        )

    def _idempotent(self) -> dict[str, str]:
        """Give the header of the caller's idempotency key, which stands for one body at one account."""
        if not self._key:
            return {}
        self._keyed = self._keyed or (self._lent, self._draft.written)
        lent, written = self._keyed
        return {"idempotency-key": self._key} if lent == self._lent and written is self._draft.written else {}

    def _varies(self) -> dict[str, str]:
        return {}

    @abstractmethod
    async def _call(self, credential: _C) -> _A:
        """Make one call with a credential; raise Failure."""

    def _renew(self, what: Renew, credential: _C) -> None:
        """Drop what was refused, so that the next call has it anew."""
        raise NotImplementedError(what)

    async def go(self) -> _A:
        """Make one call; return when its headers say 200."""
        try:
            answer = await self._call(self._borrow())
        except Failure as failure:
            self._note(failure.error, failure)
            raise failure.error from None
        self._answered = True
        return answer

    def done(self, usage: ir.Usage | None) -> None:
        """Give the credential back."""
        if self._waiting is not None and not self._answered:  # the request has ended without another answer
            (failure, rule), self._waiting = self._waiting, None
            self._mark(failure, rule)
            failure.error.retry_after = self._rest_s() or failure.error.retry_after
        if self._failed is not None:
            self._broken(*self._failed)
        if self._lease is not None:
            if self._answered:
                if self._doubted is not None:
                    self._cool(*self._doubted)
                self._shared.pool.served(self._lease.credential)
            self._lease.release()
            self._lease = None

    def _broken(self, raised: GatewayError, failure: Failure) -> None:
        """Let the pool know of an answer that has ended in its midst, with what its caller is told."""
        self._failed = None  # its traceback leads here
        if self._lease is None or not self._answered:
            return
        rule, credential = self._rule(failure), self._lease.credential
        self._answered = not rule.fails and rule.mark != "cool"
        if rule.fails:
            self._shared.pool.failed(credential, failure.error.message)
        elif rule.mark == "cool":
            self._cool(credential, failure, rule)
            raised.retry_after = raised.retry_after or self._rest_s()

    def _borrow(self) -> _C:
        pool = self._shared.pool
        if self._lease is not None and not pool.lends(self._lease.credential, self._model):
            self._leave()  # another request has learnt something about it
        lease = self._lease = self._lease or self._pick()
        if lease is None:
            shortage = pool.shortage(self._model, self._only)
            assert shortage is not None, "the pool lends none, but has one"
            raise Failure(shortage, shortage.UNCALLED)
        self._lent = lease.credential.id
        self._used.add(self._lent)
        return lease.credential

    def _pick(self) -> Lease[_C] | None:
        pool = self._shared.pool
        if self._only is not None:
            return pool.lend(self._only) if pool.lends(self._only, self._model) else None
        pick = partial(pool.pick, self._model, session=self._conversation)
        return pick(besides=self._used) or pick()

    def _note(self, raised: GatewayError, failure: Failure) -> None:
        self._failed = (raised, failure)
        if self._draft.written.native is None or isinstance(raised, _OURS):
            return
        if (failure.status or raised.status) // 100 == raised.status // 100:  # else its words fit another status
            own = failure.own
            if failure.status not in (None, raised.status):  # Google's word for it would not fit
                own = {name: word for name, word in own.items() if name != "status"}
            raised.own = failure.error.own = own

    # learning

    def after(self, error: GatewayError) -> Step | GatewayError:
        """Learn from a failure and turn to the next way."""
        noted, self._failed, self._waiting = self._failed, None, None
        found = noted[1] if noted is not None and noted[0] is error else cause_of(error)
        failure = self._telling(found)
        rule = self._rule(failure)
        self._answered = False
        if rule.fails and self._lease is not None:
            self._shared.pool.failed(self._lease.credential, failure.error.message)
        self._tries += 1
        self._counts["tries", failure.cause] += 1
        self._log(failure)
        step = self._step(failure, rule)
        verdict = self._verdict(failure, rule)
        if step is None and verdict is failure.error and failure.again is False:
            verdict.headers["x-should-retry"] = "false"
        error.cause = verdict.cause = failure.cause
        if step is None:
            return verdict
        return step if verdict is found.error else replace(step, verdict=verdict)

    def _rule(self, failure: Failure) -> Rule:
        """Give the rule; a status that means nothing here, and stands in retry.on, is a server that fails."""
        listed = failure.cause == "final" and failure.status in self._shared.retry.on
        return self._shared.rules["server" if listed else failure.cause]

    def _step(self, failure: Failure, rule: Rule) -> Step | None:
        if not self._may_retry(failure, rule):
            self._weigh(failure, rule, other=False)
            return None
        step = self._anew(failure, rule) or self._next_base(rule)
        if step is not None:
            return step
        other = self._has_other(failure, rule)
        same = failure.again is not False  # else no pause makes it another call
        if not other and same and (short := self._shortly(failure, rule)) is not None:
            return short
        self._weigh(failure, rule, other=other)
        if other:
            self._counts["others", failure.cause] += 1
            self._leave()
            return Step(counted=rule.counted)
        return self._wait(failure, rule) if same and not failure.repeats else None

    def _log(self, failure: Failure) -> None:
        self._shared.logger.debug(
            "upstream call failed",
            cause=failure.cause,
            status=failure.status,
            base=self._shared.bases[self._base],
            credential=self._lease.credential.label if self._lease is not None else None,
            message=failure.error.message,
        )

    def _may_retry(self, failure: Failure, rule: Rule) -> bool:
        if self._counts["tries", failure.cause] > rule.retries:
            return False
        always = rule.always or failure.again is True or failure.status is None or self._has_base(rule)
        return always or failure.status in self._shared.retry.on

    def _anew(self, failure: Failure, rule: Rule) -> Step | None:
        """Amend the body, once for each cause, or renew what was refused, once for each credential."""
        if self._lease is None:
            return None
        if "body" in rule.renew:
            amended = self._draft.amend(failure)
            comes_again = not amended and self._draft.unlearn(failure.error.message)
            if comes_again or failure.repeats:
                self._unlearn(failure)
            return Step(counted=False) if amended else None
        credential = self._lease.credential
        for what in rule.renew:
            if (credential.id, what) not in self._renewed:
                self._renewed.add((credential.id, what))
                self._renew(what, credential)
                return Step(counted=False)
        return None

    def _unlearn(self, failure: Failure) -> None:
        """Forget what a refusal has named that was about something else."""

    def _next_base(self, rule: Rule) -> Step | None:
        if not self._has_base(rule):
            return None
        self._bases_tried += 1
        self._turn_base()
        return Step()

    def _has_base(self, rule: Rule) -> bool:
        return rule.base and self._bases_tried < len(self._shared.bases)

    def _turn_base(self) -> None:
        self._base = (self._base + 1) % len(self._shared.bases)

    def _has_other(self, failure: Failure, rule: Rule) -> bool:
        allowed = self._only is None and self._counts["others", failure.cause] < rule.others
        return allowed and self._shared.pool.has(self._model, besides=self._used)

    def _leave(self) -> None:
        self.done(None)
        self._bases_tried = 1

    def _telling(self, failure: Failure) -> Failure:
        """Give the failure to go by, where an earlier one says more."""
        return failure

    def _weigh(self, failure: Failure, rule: Rule, *, other: bool) -> None:
        """Mark the credential; what two of them are refused without a reason follows the request, and marks neither."""
        doubted, self._doubted = self._doubted, None
        if rule.mark == "cool_briefly" and self._lease is not None:
            if other:
                self._doubted = (self._lease.credential, failure, rule)
                return
            if doubted is not None:
                return
        if doubted is not None:
            self._cool(*doubted)
        self._mark(failure, rule)

    def _mark(self, failure: Failure, rule: Rule) -> None:
        """Let the pool know what the failure says about the credential."""
        if self._lease is None:
            return
        pool, credential = self._shared.pool, self._lease.credential
        if rule.mark is None:
            if isinstance(failure.error, UpstreamCredential) and not rule.shortage:  # else its login has told it
                pool.refused(credential, str(failure))
            return
        if failure.repeats:  # another one may say what is wrong
            self._leave()
            return
        if rule.mark == "verify":
            pool.need_verification(credential, failure)
        elif rule.mark == "disable":
            self._shared.disable(credential, failure)
        else:
            self._cool(credential, failure, rule)
        self._leave()

    def _cool(self, credential: _C, failure: Failure, rule: Rule) -> None:
        at_most_s = _BRIEFLY_S if rule.mark == "cool_briefly" else math.inf
        wait_s, error = failure.wait_s, failure.error
        self._shared.pool.cool(credential, self._model, wait_s, at_most_s=at_most_s, spent=rule.spent, error=error)

    def _shortly(self, failure: Failure, rule: Rule) -> Step | None:
        """Wait for a short limit with the same credential, once; what is used up does not come back so soon."""
        if self._lease is None or not rule.waits or rule.spent or failure.wait_s is None or failure.wait_s >= SHORT_S:
            return None
        once = self._lease.credential.id, "wait"
        if once in self._renewed:
            return None
        self._renewed.add(once)
        self._waiting = failure, rule
        return Step(wait_s=max(failure.wait_s, _LEAST_PAUSE_S))

    def _wait(self, failure: Failure, rule: Rule) -> Step | None:
        """Pause when nothing else is left: until a cool-down ends, or a moment before the same way again."""
        retry, pool = self._shared.retry, self._shared.pool
        if rule.shortage:  # also behind one that is out of use: the others may rest
            rest_s = pool.rest_s(self._model, self._only)
            tried_all = self._tries >= max(retry.attempts, len(pool.credentials))
            return None if tried_all or rest_s > retry.max_wait else Step(wait_s=rest_s)
        pauses = self._counts["pauses", failure.cause]
        if pauses >= rule.again:
            return None
        self._counts["pauses", failure.cause] += 1
        if rule.base:
            self._turn_base()
        if not rule.pause:
            return Step()
        longest_s = min(_LONGEST_PAUSE_S, _LEAST_PAUSE_S * 2 ** (pauses + 1))
        pause_s = random.uniform(_LEAST_PAUSE_S, longest_s)  # noqa: S311 - spreads load, keeps no secret
        return Step(wait_s=max(pause_s, failure.wait_s or 0.0))

    def _verdict(self, failure: Failure, rule: Rule) -> GatewayError:
        """Give the error to answer with: the last one, or why the pool has nothing left."""
        error = failure.error
        shortage = self._shared.pool.shortage(self._model, self._only) if rule.shortage else None
        if shortage is not None:
            if shortage.status == error.status:
                shortage.own = error.own
            return shortage
        if isinstance(error, UpstreamCredential) and rule.mark is None and len(self._shared.pool.credentials) > 1:
            return NoCredential(f"none of {number(len(self._used))} may do this: {error.message}")
        if failure.cause == "missing":
            self._name_model(error)
        if rule.mark in ("cool", "cool_briefly") and error.retry_after is None:
            error.retry_after = self._rest_s()
        return error

    def _rest_s(self) -> float | None:
        """Give the seconds until a credential has rested; None where one need not, or a person must act."""
        rest_s = self._shared.pool.rest_s(self._model, self._only)
        return rest_s if 0 < rest_s < math.inf else None

    def _name_model(self, error: GatewayError) -> None:
        """Say which model an upstream may not have; its own words seldom do."""
        known = tuple(self._shared.models())
        if known and self._model not in known:
            name = self._model[:100]
            missing = f"upstream {self._shared.pool.name} lists no model {name!r}{did_you_mean(name, known)}"
            error.message = f"{error.message.rstrip('.')}: {missing}"


PoolJourney: TypeAlias = PoolCalls[_C, _W, Answer]
