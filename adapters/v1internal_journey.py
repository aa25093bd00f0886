"""One request's way through Code Assist: a token and a project for each credential, an envelope around the body."""

from typing import Final

from msgspec import Raw

from gateway import ir
from gateway.adapters.account import Account
from gateway.adapters.failures import Failure, Renew
from gateway.adapters.google_answer import GoogleAnswer, reader_of
from gateway.adapters.google_oauth import RefreshFailed
from gateway.adapters.journey import Backend, PoolJourney
from gateway.adapters.v1internal_envelope import Envelope, session_id
from gateway.adapters.v1internal_projects import Projects
from gateway.dialects.gemini.request import Written
from gateway.errors import UpstreamCredential, UpstreamUnavailable
from gateway.upstream import Answer, Call

__all__ = ["V1InternalBackend", "V1InternalJourney"]

_PATH: Final = "/v1internal:streamGenerateContent?alt=sse"


class V1InternalBackend(Backend[Account], kw_only=True):
    """What all journeys of one upstream share."""

    projects: Projects
    envelope: Envelope


class V1InternalJourney(PoolJourney[Account]):
    """The calls of one request."""

    def __init__(self, call: Call, written: Written, backend: V1InternalBackend) -> None:
        super().__init__(call, written.losses, backend)
        self._written = written
        self._backend = backend
        self._session = session_id(call)
        self._salt = call.request_id
        self._token = ""
        self._project = ""

    def body(self) -> Raw:
        """Give the body of the next call; the project is known once a credential has been used."""
        credential = self._lease.credential if self._lease is not None else self._backend.pool.any_active()
        return Raw(self._body(credential.project if credential is not None else ""))

    async def _call(self, credential: Account) -> Answer:
        backend = self._backend
        assert backend.transport is not None, "the upstream is used before start"
        self._token = await self._access(credential)
        self._project = await backend.projects.of(credential, self._token, backend.transport)
        headers = {**backend.headers, "accept": "text/event-stream", "authorization": f"Bearer {self._token}"}
        response = await backend.send(backend.bases[self._base] + _PATH, headers, self._body(self._project))
        reader = reader_of(self._written, ir.family_of(self._model), self._salt)
        return GoogleAnswer(response, reader, self._note, backend.read_failure, backend.clock.time())

    async def _access(self, credential: Account) -> str:
        try:
            return await self._backend.pool.token(credential)
        except RefreshFailed as failed:
            words = f"no access token: {failed.reason}"
            if failed.permanent:
                raise Failure(UpstreamCredential(words), "login") from None
            raise Failure(UpstreamUnavailable(words), "refresh") from None

    def _renew(self, what: Renew, credential: Account, failure: Failure) -> bool:
        if what == "token":
            credential.forget_token(self._token)
        else:
            self._backend.projects.forget(credential, self._project)
        return True

    def _body(self, project: str) -> bytes:
        return self._backend.envelope.write(self._written, self._model, project, self._session)
