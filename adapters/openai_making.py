"""A call for embeddings or pictures to OpenAI or its like: it goes on as it came, but for the name of the model.

An answer of a server that is only compatible may lack what SDKs read of the vectors.
"""

from codecs import BOM_UTF8
from typing import Final

from msgspec import Raw

from gateway import ir
from gateway.adapters.amendments import Draft
from gateway.adapters.credential import Credential
from gateway.adapters.failures import Cause, Failure, own_words
from gateway.adapters.journey import PoolCalls
from gateway.adapters.making import Streamed, Whole, read_usage, whole_of
from gateway.adapters.openai_errors import is_error, without_key
from gateway.adapters.openai_journey import OpenAIBackend
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_embeddings import completed, is_packed, without_format
from gateway.dialects.openai_making import check_answer, renamed
from gateway.dialects.outbound import OpenAIWritten
from gateway.ir.estimate import estimate_body
from gateway.lending import apart, is_long
from gateway.transport import Response
from gateway.upstream import Call, Made

__all__ = ["OpenAIMaking"]

_STREAM: Final = "text/event-stream"
_VECTORS: Final = "embeddings"


class OpenAIMaking(PoolCalls[Credential, OpenAIWritten, Made]):
    """The calls of one request; `path`: of what is asked for."""

    def __init__(self, call: Call, backend: OpenAIBackend, path: str) -> None:
        native = call.request.native
        assert native is not None, "a call of this kind is the caller's own words"
        body = renamed(bytes(native.body), backend.server.name(call.request.model), added=True)

        def write(_: ir.Request, causes: frozenset[Cause]) -> OpenAIWritten:
            said = without_format(body) if "vector_format" in causes else body
            return OpenAIWritten(body={}, names=NameMap([]), native=Raw(said))

        super().__init__(call, Draft(call.request, write, backend.lacks, strict=False), backend)
        self._backend = backend
        self._path = path
        self._own = body

    def _url(self) -> str:
        backend = self._backend
        return backend.server.address(backend.bases[self._base], self._path, self._model)

    def _headers(self, secret: str) -> dict[str, str]:
        return {**self._backend.headers, **self._backend.server.shown(secret)}

    async def _call(self, credential: Credential) -> Made:
        backend = self._backend
        secret = await backend.pool.token(credential)
        try:
            response = await backend.send(self._url(), self._headers(secret), self.body(), backend.read_made)
            try:
                return await self._begun(response)
            except BaseException:
                response.close()
                raise
        except Failure as failure:
            raise without_key(failure, secret) from None

    async def _begun(self, response: Response) -> Made:
        """Read an answer, or a stream up to its first event; raise Failure or UpstreamMalformed for what is none."""
        if response.headers.get("content-type", "").lower().startswith(_STREAM):
            stream = Streamed(response)
            self._judge(await stream.first(), response)
            return stream
        body = (await whole_of(response)).removeprefix(BOM_UTF8)
        self._judge(body, response)
        if self._path != _VECTORS:
            return Whole(body, read_usage(body))
        return await apart(is_long(body, self._own), self._completed, body)

    def _completed(self, body: bytes) -> Whole:
        counted = read_usage(body) or ir.Usage(input=estimate_body(self._own), estimated=True)
        return Whole(completed(body, counted.input, base64=is_packed(self._own)), counted)

    def _judge(self, said: bytes, response: Response) -> None:
        if is_error(said):
            said, backend = response.concealed(said), self._backend
            failure = backend.read_failure(200, said, response.headers, backend.clock.time())
            failure.own = own_words(said)
            raise failure
        check_answer(said)
