"""One request's way through the Gemini API: an API key, and the model in the path."""

from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import quote

from gateway.adapters.amendments import Write
from gateway.adapters.credential import Credential
from gateway.adapters.failures import Failure
from gateway.adapters.gemini_errors import astray, of_named, oversized
from gateway.adapters.gemini_owners import Owners, named_in, referred_to, refers
from gateway.adapters.google_answer import GoogleAnswer, reader_of
from gateway.adapters.journey import Backend, PoolJourney
from gateway.dialects.gemini.request import Written
from gateway.ir.estimate import estimate
from gateway.upstream import Answer, Call

__all__ = ["GeminiBackend", "GeminiJourney", "model_path"]

_TUNED: Final = "tunedModels/"


class GeminiBackend(Backend[Credential], kw_only=True):
    """What all journeys of one upstream share."""

    owners: Owners


class GeminiJourney(PoolJourney[Credential, Written]):
    """The calls of one request."""

    def __init__(self, call: Call, write: Write[Written], backend: GeminiBackend) -> None:
        draft = backend.draft(call, write)
        native = draft.written.native
        # a caller's own words may name files, which belong to a key
        only = backend.owners.of(named_in(bytes(native))) if native is not None and backend.owners else None
        super().__init__(call, draft, backend, only=only)
        self._backend = backend
        self._whole = native is not None and not call.request.stream
        self._salt = call.request_id

    def _url(self) -> str:
        method = "generateContent" if self._whole else "streamGenerateContent?alt=sse"
        return f"{self._backend.bases[self._base]}/v1beta/{model_path(self._model)}:{method}"

    def _headers(self, secret: str) -> dict[str, str]:
        return {**self._backend.headers, "x-goog-api-key": secret}

    async def _call(self, credential: Credential) -> Answer:
        backend = self._backend
        headers = self._headers(backend.pool.ready(credential) or await backend.pool.token(credential))
        response = await backend.send(self._url(), headers, self.body(), self._read_failure)
        if self._tries and self._counts["tries", "resource"]:  # this key has what another one had not
            for name in referred_to(self.body()):
                backend.owners.note(name, credential)
        reader = reader_of(self._draft.written, "gemini", self._salt, self.request, chunks=not self._whole)
        now = backend.clock.time()
        return GoogleAnswer(response, reader, self._note, self._read_failure, now, whole=self._whole)

    def _read_failure(self, status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
        named = self._model.startswith(_TUNED) or refers(self.body())
        failure = (of_named if named else self._backend.read_failure)(status, body, headers, now)
        return astray(oversized(failure, body, partial(estimate, self.request)), body)


def model_path(model: str) -> str:
    """Give the resource of a model as a path of the URL; a tuned one says so itself."""
    folder, _, name = model.partition("/")
    return f"tunedModels/{quote(name, safe='')}" if folder == "tunedModels" else f"models/{quote(model, safe='')}"
