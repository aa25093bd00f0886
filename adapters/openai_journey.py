"""One request's way through OpenAI, or a server that speaks its API: a bearer, and one of two addresses."""

from typing import Final

import msgspec
from msgspec import Raw

from gateway.adapters.amendments import Write
from gateway.adapters.answer import UpstreamAnswer
from gateway.adapters.credential import Credential
from gateway.adapters.failures import Failure
from gateway.adapters.journey import Backend, PoolJourney
from gateway.adapters.openai_apis import API
from gateway.adapters.openai_errors import is_error, without_key
from gateway.dialects.outbound import OpenAIWritten
from gateway.upstream import Answer, Call

__all__ = ["OpenAIBackend", "OpenAIJourney", "bearer"]

_encode: Final = msgspec.json.Encoder().encode


class OpenAIBackend(Backend[Credential], kw_only=True):
    """What all journeys of one upstream share."""

    api: API


class OpenAIJourney(PoolJourney[Credential, OpenAIWritten]):
    """The calls of one request."""

    def __init__(self, call: Call, write: Write[OpenAIWritten], backend: OpenAIBackend) -> None:
        super().__init__(call, backend.draft(call, write), backend)
        self._backend = backend
        self._salt = call.request_id

    def body(self) -> Raw:
        """Give the body of the next call."""
        return Raw(_encode(self._draft.written.body))

    def _url(self) -> str:
        return f"{self._backend.bases[self._base]}/{self._backend.api.path}"

    def _headers(self, secret: str) -> dict[str, str]:
        return {**self._backend.headers, **bearer(secret)}

    async def _call(self, credential: Credential) -> Answer:
        backend = self._backend
        secret = await backend.pool.token(credential)
        headers = self._headers(secret)
        try:
            response = await backend.send(self._url(), headers, bytes(self.body()))
        except Failure as failure:
            raise without_key(failure, secret) from None
        reader = backend.api.reader(self._draft.written, self._salt)
        return UpstreamAnswer(
            response,
            reader,
            is_error,
            self._note,
            backend.read_failure,
            backend.clock.time(),
            done=backend.api.done,
        )


def bearer(secret: str) -> dict[str, str]:
    """Give the header that shows a key; a server that asks for none gets none."""
    return {"authorization": f"Bearer {secret}"} if secret else {}
