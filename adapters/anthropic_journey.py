"""One request's way to Claude: Anthropic's own API, or the same API at another door.

    written ─► door.body ─► door.url, door.headers ─► events

A door is where Claude is asked: it says the address, shows the credential, and puts the body into the form that is
wanted there. A cloud that has Claude brings a door of its own (another address, a bearer, the version in the body and
the model in the path), and everything else here holds for it: the betas, the amendments, the reading.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from gateway import ir
from gateway.adapters.amendments import Write
from gateway.adapters.answer import UpstreamAnswer
from gateway.adapters.anthropic_errors import is_error
from gateway.adapters.anthropic_writing import MOST_UNKNOWN, Learnt
from gateway.adapters.credential import Credential
from gateway.adapters.echoes import lasting
from gateway.adapters.failures import Failure, Rule
from gateway.adapters.journey import Backend, PoolJourney
from gateway.adapters.openai_errors import without_key
from gateway.dialects.anthropic.outbound_request import AnthropicWritten
from gateway.dialects.anthropic.outbound_stream import ReadOptions, StreamReader
from gateway.transport import Response
from gateway.upstream import Answer, Call, Step

__all__ = ["ANTHROPIC", "BEARER", "AnthropicBackend", "AnthropicJourney", "Door", "betas_header"]

_C = TypeVar("_C", bound=Credential)
_T = TypeVar("_T")

_VERSION: Final = "2023-06-01"
_BETAS: Final = "anthropic-beta"
_NOT_TAKEN: Final = "this upstream does not support the beta"
# A refusal of one who has seen no key; whoever has read `x-api-key` says so, or that the key is wrong.
_UNSEEN: Final = re.compile(
    r"(?i)unauthori[sz]ed|missing|required|provide|no (?:auth|api|token|cred)|bearer|authorization"
)
_SEEN: Final = "x-api-key"
_encode: Final = msgspec.json.Encoder().encode


class Door(Struct, frozen=True, kw_only=True):
    """Where and how Claude is asked.

    `url`: of a call, by base URL and model. `headers`: those that show a credential. `body`: what is sent of what was
    written. `betas`: which of a caller's own betas go along.
    """

    url: Callable[[str, str], str]
    headers: Callable[[str], Mapping[str, str]]
    body: Callable[[Mapping[str, object]], Mapping[str, object]]
    betas: Callable[[tuple[str, ...]], tuple[str, ...]]


def _url(base: str, _: str) -> str:
    return f"{base}/v1/messages"


def _headers(key: str) -> dict[str, str]:
    """Show a key; a server that asks for none gets none."""
    version = {"anthropic-version": _VERSION}
    return {**version, "x-api-key": key} if key else version


def _bearer(key: str) -> dict[str, str]:
    """Show a key as most servers have it that are not Anthropic's."""
    return {"anthropic-version": _VERSION, "authorization": f"Bearer {key}"}


def _as_it_is(body: Mapping[str, object]) -> Mapping[str, object]:
    return body


def _all(betas: tuple[str, ...]) -> tuple[str, ...]:
    return betas


ANTHROPIC: Final = Door(url=_url, headers=_headers, body=_as_it_is, betas=_all)
BEARER: Final = replace(ANTHROPIC, headers=_bearer)


class AnthropicBackend(Backend[_C], Generic[_C], kw_only=True):
    """What all journeys of one upstream share. `other`: the door of the same server that a key may be meant for."""

    door: Door = ANTHROPIC
    other: Door | None = None
    learnt: Learnt = field(default_factory=Learnt)

    def betas(self, written: AnthropicWritten, request: ir.Request) -> tuple[str, ...]:
        """Give the betas to ask with: those that the body needs, and the caller's own."""
        wanted = dict.fromkeys((*written.betas, *self.door.betas(request.betas)))
        return tuple(beta for beta in wanted if beta not in self.learnt.betas)

    async def otherwise(self, failure: Failure, used: Door, secret: str, call: Callable[[], Awaitable[_T]]) -> _T:
        """Make a call again through the other door where the key was not seen; raise the refusal, without the key."""
        try:
            return await self._through_other(failure, used, call)
        except Failure as refused:
            raise without_key(refused, secret) from None

    async def _through_other(self, failure: Failure, used: Door, call: Callable[[], Awaitable[_T]]) -> _T:
        said = failure.error.message
        if self.other is None or failure.cause != "key" or _SEEN in said.lower() or not _UNSEEN.search(said):
            raise failure
        if self.door is used:
            self._turn()
        try:
            return await call()
        except Failure as refused:
            if refused.cause != "key":
                raise
            if self.door is not used:
                self._turn()
            raise failure from None

    def _turn(self) -> None:
        assert self.other is not None
        self.door, self.other = self.other, self.door


class AnthropicJourney(PoolJourney[_C, AnthropicWritten], Generic[_C]):
    """The calls of one request."""

    _refusal = ""  # of betas
    _left_out: frozenset[str] = frozenset()  # since then

    def __init__(
        self, call: Call, write: Write[AnthropicWritten], backend: AnthropicBackend[_C], *, only: _C | None = None
    ) -> None:
        super().__init__(call, backend.draft(call, write), backend, only=only)
        self._backend = backend
        self._salt = call.request_id
        self._streams = bool(call.request.stream) if call.request.native is not None else None
        self._own = {name: value for name, value in call.headers.items() if name != _BETAS}

    @property
    def losses(self) -> tuple[ir.Loss, ...]:
        """What the body lacks, as it is written now, and the betas that are not asked for."""
        lost = self._draft.written.losses
        missing = set(self.request.betas) - set(self._betas())
        return (*lost, ir.Loss(_BETAS, f"{_NOT_TAKEN}: {', '.join(sorted(missing))}", "hint")) if missing else lost

    def body(self) -> bytes:
        """Give the body of the next call."""
        written = self._draft.written
        return bytes(written.native) if written.native is not None else _encode(self._backend.door.body(written.body))

    def _url(self) -> str:
        return self._backend.door.url(self._backend.bases[self._base], self._model)

    def _headers(self, secret: str) -> dict[str, str]:
        backend = self._backend
        return {**backend.headers, **backend.door.headers(secret), **self._own, **betas_header(self._betas())}

    def _betas(self) -> tuple[str, ...]:
        return self._backend.betas(self._draft.written, self.request)

    def _anew(self, failure: Failure, rule: Rule) -> Step | None:
        """Take what the refusal names before the body is written anew; a beta stands in no body."""
        learnt, said = self._backend.learnt, failure.error.message
        if failure.cause == "betas":
            return self._without_betas(failure)
        if failure.cause == "limit":
            learnt.limit(self._model, said)
        if failure.cause == "effort_value":
            learnt.level(self._model, said)
        if failure.cause == "unknown":
            too_many = self._counts["tries", "unknown"] > MOST_UNKNOWN
            if too_many or not learnt.field(self._model, said):
                return None
        return super()._anew(failure, rule)

    def _without_betas(self, failure: Failure) -> Step | None:
        """Ask without the betas that a refusal is about; what comes again is about something else."""
        learnt, said = self._backend.learnt, failure.error.message
        known = learnt.betas
        if learnt.refused(said, self._betas()):
            self._refusal, self._left_out = lasting(said), self._left_out | (learnt.betas - known)
            if failure.repeats:  # this request alone goes without
                self._backend = replace(self._backend, learnt=copy(learnt))
                learnt.betas = known
            return Step(counted=False)
        if lasting(said) == self._refusal:
            learnt.betas -= self._left_out
        return None

    def _unlearn(self, failure: Failure) -> None:
        self._backend.learnt.unlearn(self._model, failure.cause, failure.error.message)

    async def _call(self, credential: _C) -> Answer:
        backend, written = self._backend, self._draft.written
        secret, door = await backend.pool.token(credential), backend.door
        headers = {**self._headers(secret), **self._idempotent()}
        try:
            response = await backend.send(self._url(), headers, self.body())
        except Failure as failure:
            response = await self._again(failure, door, secret)
        options = ReadOptions(
            names=written.names,
            salt=self._salt,
            turns=self.request.turns,
            wrapped=written.wrapped,
            answer=written.answer,
        )
        return UpstreamAnswer(
            response,
            StreamReader(options),
            is_error,
            self._note,
            backend.read_failure,
            backend.clock.time(),
            streams=self._streams,
        )

    async def _again(self, failure: Failure, used: Door, secret: str) -> Response:
        """Make the call through another door where that may help; raise the refusal."""

        def send() -> Awaitable[Response]:
            return self._backend.send(self._url(), self._headers(secret), self.body())

        return await self._backend.otherwise(failure, used, secret, send)


def betas_header(betas: tuple[str, ...]) -> dict[str, str]:
    """Give the header that asks for betas."""
    return {_BETAS: ",".join(betas)} if betas else {}
