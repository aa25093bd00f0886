"""One request's way to a Gemini model of Vertex AI: a bearer, and project, location and model in the path."""

from gateway.adapters.amendments import Write
from gateway.adapters.failures import Failure, Renew
from gateway.adapters.google_answer import GoogleAnswer, reader_of
from gateway.adapters.journey import Backend, PoolJourney
from gateway.adapters.tokens import RefreshFailed
from gateway.adapters.vertex_credential import DefaultCredential, without_token
from gateway.adapters.vertex_errors import OPERATORS
from gateway.adapters.vertex_place import Place
from gateway.dialects.gemini.request import Written
from gateway.upstream import Answer, Call

__all__ = ["VertexBackend", "VertexJourney", "tell_operator", "token_of"]


class VertexBackend(Backend[DefaultCredential], kw_only=True):
    """What all journeys to Gemini models share."""

    place: Place


class VertexJourney(PoolJourney[DefaultCredential, Written]):
    """The calls of one request."""

    def __init__(self, call: Call, write: Write[Written], backend: VertexBackend) -> None:
        super().__init__(call, backend.draft(call, write), backend)
        self._backend = backend
        self._whole = self._draft.written.native is not None and not call.request.stream
        self._salt = call.request_id
        self._token = ""

    def _url(self) -> str:
        verb = "generateContent" if self._whole else "streamGenerateContent?alt=sse"
        return self._backend.place.model_url(self._model, verb)

    def _headers(self, secret: str) -> dict[str, str]:
        return {**self._backend.headers, **self._backend.place.headers(secret)}

    def _varies(self) -> dict[str, str]:
        return self._backend.place.varies

    def _renew(self, what: Renew, credential: DefaultCredential) -> None:
        credential.forget_token(self._token)

    async def _call(self, credential: DefaultCredential) -> Answer:
        backend = self._backend
        try:
            self._token = await token_of(backend, credential)
            response = await backend.send(self._url(), self._headers(self._token), self.body())
        except Failure as failure:
            tell_operator(backend, failure)
            raise
        reader = reader_of(self._draft.written, "gemini", self._salt, self.request, chunks=not self._whole)
        now = backend.clock.time()
        return GoogleAnswer(response, reader, self._note, backend.read_failure, now, whole=self._whole)


async def token_of(backend: Backend[DefaultCredential], credential: DefaultCredential) -> str:
    """Give a valid access token; raise Failure."""
    try:
        return await backend.pool.token(credential)
    except RefreshFailed as failed:
        raise without_token(failed) from None


def tell_operator(backend: Backend[DefaultCredential], failure: Failure) -> None:
    """Log what only the operator can mend, with the page for it."""
    if failure.cause in OPERATORS:
        backend.logger.warning(
            "the upstream rejects us", upstream=backend.pool.name, reason=failure.error.message, link=failure.link
        )
