"""One request's way through the Gemini API: an API key, the model in the path, and a body that can be amended.

What a model or a server does not take of a body (JSON Schema, signatures, penalties) it names in a 400; the body is
then written once more without it.
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.adapters.credential import Credential
from gateway.adapters.failures import Cause, Failure, Renew
from gateway.adapters.gemini_owners import Owners, named_in
from gateway.adapters.google_answer import GoogleAnswer, reader_of
from gateway.adapters.journey import Backend, PoolJourney
from gateway.dialects.gemini.request import Written
from gateway.upstream import Answer, Call

__all__ = ["GeminiBackend", "GeminiJourney", "Write", "model_path"]

Write = Callable[[ir.Request, frozenset[Cause]], Written]  # without what these causes are about

_encode: Final = msgspec.json.Encoder().encode
_UNKNOWN: Final = "unknown name"


class GeminiBackend(Backend[Credential], kw_only=True):
    """What all journeys of one upstream share.

    `lacks`: what its server has been seen not to know at all. `strict`: nothing may be lost by an amendment.
    """

    owners: Owners
    strict: bool = False
    lacks: frozenset[Cause] = frozenset()


class GeminiJourney(PoolJourney[Credential]):
    """The calls of one request."""

    def __init__(self, call: Call, write: Write, backend: GeminiBackend) -> None:
        self._write = write
        self._amended = backend.lacks
        self._written = write(call.request, self._amended)
        self._body = _body(self._written)
        native = self._written.native is not None
        # a caller's own words may name files, which belong to a key
        only = backend.owners.of(named_in(self._body)) if native and backend.owners else None
        super().__init__(call, self._written.losses, backend, only=only)
        self._backend = backend
        self._whole = native and not call.request.stream
        self._salt = call.request_id

    def body(self) -> Raw:
        """Give the body of the next call."""
        return Raw(self._body)

    async def _call(self, credential: Credential) -> Answer:
        backend = self._backend
        method = "generateContent" if self._whole else "streamGenerateContent?alt=sse"
        url = f"{backend.bases[self._base]}/v1beta/{model_path(self._model)}:{method}"
        headers = {**backend.headers, "x-goog-api-key": await backend.pool.token(credential)}
        response = await backend.send(url, headers, self._body)
        reader = reader_of(self._written, "gemini", self._salt)
        return GoogleAnswer(response, reader, self._note, backend.read_failure, backend.clock.time())

    def _renew(self, what: Renew, credential: Credential, failure: Failure) -> bool:
        """Write the body once more; a caller's own words are not ours to change."""
        if self._written.native is not None or failure.cause in self._amended:
            return False
        refused: frozenset[Cause] = frozenset((failure.cause,))
        amended = self._amended | refused
        written = self._write(self.request, amended)
        if self._backend.strict and any(loss.severity != "hint" for loss in written.losses):
            return False
        if _UNKNOWN in failure.error.message.lower():
            self._backend.lacks |= refused
        self._amended, self._written, self.losses = amended, written, written.losses
        self._body = _body(written)
        return True


def model_path(model: str) -> str:
    """Give the resource of a model as a path of the URL; a tuned one says so itself."""
    folder, _, name = model.partition("/")
    return f"tunedModels/{quote(name, safe='')}" if folder == "tunedModels" else f"models/{quote(model, safe='')}"


def _body(written: Written) -> bytes:
    return bytes(written.native) if written.native is not None else _encode(written.body)
