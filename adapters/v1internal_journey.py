"""One request's way through Code Assist: a token and a project for each credential, an envelope around the body."""

import asyncio
from abc import abstractmethod
from typing import ClassVar, Final, TypeVar

from gateway import ir
from gateway.adapters.account import Account
from gateway.adapters.amendments import Draft, Write
from gateway.adapters.amendments import Written as AnyWritten
from gateway.adapters.failures import Failure, Renew, Rule
from gateway.adapters.google_answer import reader_of
from gateway.adapters.journey import Backend, PoolCalls
from gateway.adapters.tokens import RefreshFailed
from gateway.adapters.v1internal_envelope import Envelope, session_id
from gateway.adapters.v1internal_notice import NoticedAnswer
from gateway.adapters.v1internal_projects import Projects
from gateway.dialects.gemini.request import Written
from gateway.errors import UpstreamCredential, UpstreamUnavailable
from gateway.upstream import Answer, Call, Step

__all__ = ["V1InternalBackend", "V1InternalCalls", "V1InternalJourney"]

_W = TypeVar("_W", bound=AnyWritten)
_A = TypeVar("_A")

_LATE_S: Final = 2.0
_BILLED: Final = "x-goog-user-project"


class V1InternalBackend(Backend[Account], kw_only=True):
    """What all journeys of one upstream share; `headers` with its small calls, too."""

    projects: Projects
    envelope: Envelope

    def bill_nobody(self, reason: str) -> None:
        """Name no project to be billed any more: the service is not for those of others."""
        if self.headers.pop(_BILLED, None) is not None:
            fields = {"upstream": self.pool.name, "header": _BILLED, "reason": reason}
            self.logger.warning("a header is left out from now on", **fields)

    def tell_notice(self, notice: str) -> None:
        """Tell the operator that the service answers with a notice in the model's place."""
        self.logger.warning("the upstream does not serve this client", upstream=self.pool.name, notice=notice)


class V1InternalCalls(PoolCalls[Account, _W, _A]):
    """The calls of one request to one method, by accounts that each have a token and a project."""

    _billed = False
    _said: tuple[str, int, Failure] | None = None  # by which credential and base, and the reason that there was

    _path: ClassVar[str]

    def __init__(self, call: Call, draft: Draft[_W], backend: V1InternalBackend) -> None:
        super().__init__(call, draft, backend)
        self._backend = backend
        self._token = ""
        self._project = ""

    @abstractmethod
    async def _ask(self, token: str, project: str) -> _A:
        """Make one call; raise Failure."""

    def _url(self) -> str:
        return self._backend.bases[self._base] + self._path

    def _known_project(self) -> str:
        foreseen = self._backend.pool.foresee
        credential = self._lease.credential if self._lease else foreseen(self._model, self._conversation)
        return self._backend.projects.known(credential) if credential is not None else ""

    def _headers(self, secret: str) -> dict[str, str]:
        return {**self._backend.headers, "authorization": f"Bearer {secret}"}

    def _varies(self) -> dict[str, str]:
        varies = {self._backend.envelope.call_id: "another one for each call"}
        return varies if self._known_project() else {"project": "requested with an account's first call"} | varies

    async def _call(self, credential: Account) -> _A:
        backend = self._backend
        assert backend.transport is not None, "the upstream is used before start"
        self._billed = _BILLED in backend.headers
        self._token = token = backend.pool.ready(credential)
        if not token:
            try:
                async with asyncio.timeout(self._patience_s()):
                    self._token = token = await self._fetched(credential)
            except TimeoutError:
                credential.late = True
                self._leave()
            backend.pool.catch_up()
            lent = self._borrow()  # another one, where it cannot serve any more
            if lent is not credential or not token:
                return await self._call(lent)
        projects = backend.projects
        self._project = projects.known(credential) or await projects.of(credential, token, backend.transport)
        return await self._ask(token, self._project)

    def _patience_s(self) -> float | None:
        """Say how long to wait for a token: for as long as it takes, where no other account has its own."""
        others = self._only is None and self._backend.pool.any_ready(self._model, besides=self._used)
        return _LATE_S if others else None

    async def _fetched(self, credential: Account) -> str:
        try:
            return await self._backend.pool.token(credential)
        except RefreshFailed as failed:
            raise _without_token(failed) from None

    def _anew(self, failure: Failure, rule: Rule) -> Step | None:
        if failure.cause == "service" and self._billed:
            self._backend.bill_nobody(failure.error.message)
            return Step(counted=False)
        if failure.cause == "permission" and self._lease is not None:
            fixed = self._backend.projects.fixed(self._lease.credential)
            if fixed:
                failure.error.message = f"{fixed}: {failure.error.message}"
                return None
        return super()._anew(failure, rule)

    def _telling(self, failure: Failure) -> Failure:
        """Go by the reason that another base gave, where this one gives none."""
        if failure.cause != "bare_429":
            given = failure.wait_s is not None or failure.cause == "capacity"
            self._said = (self._lent, self._base, failure) if given else None
        elif self._said is not None:
            lent, base, said = self._said
            return said if lent == self._lent and base != self._base else failure
        return failure

    def _renew(self, what: Renew, credential: Account) -> None:
        if what == "token":
            credential.forget_token(self._token)
        else:
            credential.drop_project(self._project)


class V1InternalJourney(V1InternalCalls[Written, Answer]):
    """The calls of one conversation's request."""

    _path = "/v1internal:streamGenerateContent?alt=sse"

    def __init__(self, call: Call, write: Write[Written], backend: V1InternalBackend) -> None:
        super().__init__(call, backend.draft(call, write), backend)
        self._session = session_id(call)
        self._salt = call.request_id

    def body(self) -> bytes:
        """Give the body of the next call; the project is known once a credential has been used."""
        return self._body(self._known_project())

    def _headers(self, secret: str) -> dict[str, str]:
        return {**super()._headers(secret), "accept": "text/event-stream"}

    async def _ask(self, token: str, project: str) -> Answer:
        backend = self._backend
        response = await backend.send(self._url(), self._headers(token), self._body(project))
        reader = reader_of(self._draft.written, ir.family_of(self._model), self._salt, self.request)
        answer = NoticedAnswer(response, reader, self._note, backend.read_failure, backend.clock.time())
        answer.noticed = backend.tell_notice
        return answer

    def _body(self, project: str) -> bytes:
        return self._backend.envelope.write(self._draft.written, self._model, project, self._session)


def _without_token(failed: RefreshFailed) -> Failure:
    words = f"no access token: {failed.reason}"
    if failed.revoked or failed.misconfigured:
        return Failure(UpstreamCredential(words), "login")
    return Failure(UpstreamUnavailable(words), "refresh")
