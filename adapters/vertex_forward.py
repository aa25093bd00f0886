"""Calls of Gemini callers about a model that this gateway does not read: Vertex AI has some, below its own path."""

from typing import Final

from gateway.adapters.failures import Failure, unreachable
from gateway.adapters.gemini_native import Passed, sent, shown
from gateway.adapters.gemini_uploads import bare
from gateway.adapters.pool import Lease
from gateway.adapters.vertex_credential import DefaultCredential
from gateway.adapters.vertex_errors import OPERATORS
from gateway.adapters.vertex_journey import VertexBackend, tell_operator, token_of
from gateway.errors import NotFound
from gateway.forwarding import NativeAnswer, NativeCall, Refused
from gateway.trace_context import carried
from gateway.transport import Response, TransportError

__all__ = ["VertexForward"]

_MAX_ERROR_BYTES: Final = 1024 * 1024
# The methods of a model that are the same there.
_VERBS: Final = frozenset(
    {
        "computeTokens",
        "countTokens",
        "fetchPredictOperation",
        "generateContent",
        "predict",
        "predictLongRunning",
        "streamGenerateContent",
    }
)


class VertexForward:
    """One call on its way."""

    def __init__(self, call: NativeCall, backend: VertexBackend) -> None:
        self._call = call
        self._backend = backend
        self._verb = call.path.rpartition(":")[2]
        if not call.model or self._verb not in _VERBS or call.method != "POST":
            raise NotFound(f"Vertex AI has no {call.method} {call.path[:100]}; an upstream of type gemini may have it")

    async def go(self) -> NativeAnswer:
        """Return when the answer begins; a refused token is renewed once."""
        credential = self._backend.pool.credentials[0]
        may_renew = isinstance(self._call.body, bytes)
        while (answer := await self._once(credential, may_renew=may_renew)) is None:
            may_renew = False
        return answer

    async def _once(self, credential: DefaultCredential, *, may_renew: bool) -> NativeAnswer | None:
        """Make the call; None when its token has been refused and dropped."""
        backend = self._backend
        lease = backend.pool.lend(credential)
        try:
            token = await self._token(credential)
            response = await self._send(token)
        except TransportError as error:
            lease.release()
            failure = unreachable(error)
            failure.error.cause = failure.cause
            raise failure.error from None
        except BaseException:
            lease.release()
            raise
        if response.status < 400:
            backend.pool.served(credential)
            return Passed(response, shown(response), lease)
        refused, failure = await self._refused(response, lease)
        if failure.cause == "token" and may_renew:
            credential.forget_token(token)
            return None
        if failure.cause in OPERATORS:
            tell_operator(backend, failure)
            raise failure.error
        return refused

    async def _token(self, credential: DefaultCredential) -> str:
        try:
            return await token_of(self._backend, credential)
        except Failure as failure:
            tell_operator(self._backend, failure)
            raise failure.error from None

    async def _send(self, token: str) -> Response:
        call, backend = self._call, self._backend
        assert backend.transport is not None, "the upstream is used before start"
        query = bare(call.query)
        url = backend.place.model_url(call.model, self._verb)
        headers = {**sent(call.headers), "user-agent": backend.headers["user-agent"], **backend.place.headers(token)}
        return await backend.transport.send(
            "POST",
            f"{url}?{query}" if query else url,
            headers=carried(url, headers),
            body=call.body or None,
        )

    async def _refused(self, response: Response, lease: Lease[DefaultCredential]) -> tuple[Refused, Failure]:
        answer = Passed(response, shown(response), lease)
        try:
            body = await response.read_refusal(_MAX_ERROR_BYTES)
            refused = Refused(answer.status, answer.headers, body, answer.credential)
        finally:
            answer.close()
        clock = self._backend.clock
        return refused, self._backend.read_failure(refused.status, refused.body, response.headers, clock.time())
