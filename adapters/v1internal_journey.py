"""One request's way through Code Assist: over its credentials and base URLs, until an answer begins.

`go` borrows a credential, gets its token and project, and calls; `after` looks the failure up in RULES and turns to
the next base, credential or pause. A credential stays borrowed until it is left or the request is done.
"""

import math
import random
from collections import Counter
from typing import Final, Literal

from msgspec import Raw, Struct
from structlog.typing import FilteringBoundLogger

from gateway import ir
from gateway.adapters.credential import Credential
from gateway.adapters.google_oauth import RefreshFailed
from gateway.adapters.pool import Lease, Pool
from gateway.adapters.v1internal_answer import V1InternalAnswer
from gateway.adapters.v1internal_envelope import Envelope, session_id
from gateway.adapters.v1internal_errors import (
    DISABLED,
    RULES,
    SHORT_S,
    Cause,
    Failure,
    Rule,
    cause_of,
    read_failure,
    unreachable,
)
from gateway.adapters.v1internal_projects import Projects
from gateway.clock import Clock
from gateway.config import RetryConfig
from gateway.dialects.gemini.request import Written
from gateway.dialects.gemini.stream import ReadOptions, StreamReader
from gateway.errors import GatewayError, UpstreamCredential, UpstreamUnavailable
from gateway.transport import Response, Transport, TransportError
from gateway.upstream import Answer, Call, Step

__all__ = ["Backend", "V1InternalJourney"]

_PATH: Final = "/v1internal:streamGenerateContent?alt=sse"
_MAX_ERROR_BYTES: Final = 1024 * 1024
_BRIEFLY_S: Final = 30.0
_LEAST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 2.0


class Backend(Struct):
    """What all journeys of one upstream share."""

    pool: Pool
    projects: Projects
    bases: tuple[str, ...]
    headers: dict[str, str]
    envelope: Envelope
    retry: RetryConfig
    clock: Clock
    logger: FilteringBoundLogger
    transport: Transport | None = None


class V1InternalJourney:
    """The calls of one request."""

    def __init__(self, call: Call, written: Written, backend: Backend) -> None:
        self.request = call.request
        self.losses = written.losses
        self._written = written
        self._backend = backend
        self._model = call.request.model
        self._session = session_id(call)
        self._salt = call.request_id
        self._lease: Lease | None = None
        self._token = ""
        self._project = ""
        self._failed: tuple[GatewayError, Failure] | None = None  # what was raised last, and what it means
        self._base = 0
        self._bases_tried = 1  # with this credential
        self._tries = 0
        self._used: set[str] = set()
        self._renewed: set[tuple[str, str]] = set()
        self._counts: Counter[tuple[Literal["tries", "others", "pauses"], Cause]] = Counter()

    # calling

    def body(self) -> Raw:
        """Give the body of the next call; the project is known once a credential has been used."""
        credential = self._lease.credential if self._lease is not None else self._backend.pool.any_active()
        return Raw(self._body(credential.project if credential is not None else ""))

    async def go(self) -> Answer:
        """Make one call; return when its headers say 200."""
        try:
            return await self._call()
        except Failure as failure:
            self._note(failure.error, failure)
            raise failure.error from None

    def done(self, usage: ir.Usage | None) -> None:
        """Give the credential back."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    async def _call(self) -> Answer:
        transport = self._backend.transport
        assert transport is not None, "the upstream is used before start"
        credential = self._borrow()
        self._token = await self._access(credential)
        self._project = await self._backend.projects.of(credential, self._token, transport)
        response = await self._send(transport, self._body(self._project))
        reader = StreamReader(self._options())
        return V1InternalAnswer(response, reader, self._note, self._backend.clock.time())

    def _borrow(self) -> Credential:
        pool = self._backend.pool
        if self._lease is not None and not pool.lends(self._lease.credential, self._model):
            self._leave()  # another request has learnt something about it
        if self._lease is None:
            self._lease = pool.pick(self._model, besides=self._used) or pool.pick(self._model)
        if self._lease is None:
            shortage = pool.shortage(self._model)
            assert shortage is not None, "the pool lends none, but has one"
            raise Failure(shortage, "cooling")
        self._used.add(self._lease.credential.id)
        return self._lease.credential

    async def _access(self, credential: Credential) -> str:
        try:
            return await self._backend.pool.token(credential)
        except RefreshFailed as failed:
            words = f"no access token: {failed.reason}"
            if failed.permanent:
                raise Failure(UpstreamCredential(words), "login") from None
            raise Failure(UpstreamUnavailable(words), "refresh") from None

    async def _send(self, transport: Transport, body: bytes) -> Response:
        headers = {
            **self._backend.headers,
            "accept": "text/event-stream",
            "authorization": f"Bearer {self._token}",
        }
        try:
            response = await transport.send("POST", self._backend.bases[self._base] + _PATH, headers=headers, body=body)
            if response.status == 200:
                return response
            try:
                refusal = await response.read_all(_MAX_ERROR_BYTES)  # JSON, whatever its content type says
            finally:
                response.close()
        except TransportError as error:
            raise unreachable(error) from None
        raise read_failure(response.status, refusal, response.headers, self._backend.clock.time())

    def _body(self, project: str) -> bytes:
        return self._backend.envelope.write(self._written, self._model, project, self._session)

    def _options(self) -> ReadOptions:
        return ReadOptions(
            names=self._written.names,
            family=ir.family_of(self._model),
            salt=self._salt,
            placeholders=self._written.placeholders,
            parallel=self._written.parallel,
        )

    def _note(self, raised: GatewayError, failure: Failure) -> None:
        self._failed = (raised, failure)

    # learning

    def after(self, error: GatewayError) -> Step | GatewayError:
        """Learn from a failure and turn to the next way."""
        noted, self._failed = self._failed, None
        failure = noted[1] if noted is not None and noted[0] is error else cause_of(error)
        rule = RULES[failure.cause]
        self._tries += 1
        self._counts["tries", failure.cause] += 1
        self._log(failure)
        step = self._step(failure, rule)
        return self._verdict(failure, rule) if step is None else step

    def _step(self, failure: Failure, rule: Rule) -> Step | None:
        if not self._may_retry(failure, rule):
            self._mark(failure, rule)
            return None
        step = self._renew(rule) or self._next_base(rule)
        if step is not None:
            return step
        other = self._has_other(failure, rule)
        if not other and rule.waits and failure.wait_s is not None and failure.wait_s < SHORT_S:
            return Step(wait_s=max(failure.wait_s, _LEAST_PAUSE_S))
        self._mark(failure, rule)
        if other:
            self._counts["others", failure.cause] += 1
            self._leave()
            return Step(counted=rule.counted)
        return self._wait(failure, rule)

    def _log(self, failure: Failure) -> None:
        self._backend.logger.debug(
            "upstream call failed",
            cause=failure.cause,
            status=failure.status,
            base=self._backend.bases[self._base],
            credential=self._lease.credential.label if self._lease is not None else None,
            message=failure.error.message,
        )

    def _may_retry(self, failure: Failure, rule: Rule) -> bool:
        if self._counts["tries", failure.cause] > rule.retries:
            return False
        return rule.always or failure.status is None or failure.status in self._backend.retry.on

    def _renew(self, rule: Rule) -> Step | None:
        """Take a new token or project, once for each credential."""
        if rule.renew is None or self._lease is None:
            return None
        credential = self._lease.credential
        if (credential.id, rule.renew) in self._renewed:
            return None
        self._renewed.add((credential.id, rule.renew))
        if rule.renew == "token":
            credential.forget_token(self._token)
        else:
            self._backend.projects.forget(credential, self._project)
        return Step(counted=False)

    def _next_base(self, rule: Rule) -> Step | None:
        if not rule.base or self._bases_tried >= len(self._backend.bases):
            return None
        self._bases_tried += 1
        self._turn_base()
        return Step()

    def _turn_base(self) -> None:
        self._base = (self._base + 1) % len(self._backend.bases)

    def _has_other(self, failure: Failure, rule: Rule) -> bool:
        allowed = self._counts["others", failure.cause] < rule.others
        return allowed and self._backend.pool.has(self._model, besides=self._used)

    def _leave(self) -> None:
        self.done(None)
        self._bases_tried = 1

    def _mark(self, failure: Failure, rule: Rule) -> None:
        """Let the pool know what the failure says about the credential."""
        if rule.mark is None or self._lease is None:
            return
        pool, credential = self._backend.pool, self._lease.credential
        if rule.mark == "verify":
            pool.need_verification(credential, failure.link)
        elif rule.mark == "disable":
            pool.disable(credential, f"{DISABLED[failure.cause]}: {failure.error.message}")
        else:
            at_most_s = _BRIEFLY_S if rule.mark == "cool_briefly" else math.inf
            pool.cool(credential, self._model, failure.wait_s, at_most_s=at_most_s)
        self._leave()

    def _wait(self, failure: Failure, rule: Rule) -> Step | None:
        """Pause when nothing else is left: until a cool-down ends, or a moment before the same way again."""
        retry, pool = self._backend.retry, self._backend.pool
        if rule.waits:
            rest_s = pool.rest_s(self._model)
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
        if rule.shortage:
            return self._backend.pool.shortage(self._model) or error
        if rule.mark == "cool_briefly" and error.retry_after is None:
            rest_s = self._backend.pool.rest_s(self._model)
            error.retry_after = rest_s if 0 < rest_s < math.inf else None
        return error
