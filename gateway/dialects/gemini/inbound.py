"""Gemini, as a caller's dialect: generateContent, streamGenerateContent, countTokens, models."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway import ir
from gateway.dialects import Answering, StreamWriter
from gateway.dialects.content import too_deep
from gateway.dialects.passage import Passage
from gateway.errors import GatewayError, InvalidRequest
from gateway.routes import Route
from gateway.upstream import ModelInfo

from .inbound_answer import encode
from .inbound_errors import write_error
from .inbound_models import write_model, write_models
from .inbound_request import read_request, read_unread
from .inbound_stream import GeminiStream
from .inbound_whole import write_whole
from .passage import GeminiPassage

__all__ = ["Gemini"]

_NOWHERE: Final = Route("gemini", "chat")


class Gemini:
    """The codec: bytes of GenerateContent in and out, without state."""

    name: Final = "gemini"
    keepalive: Final = b""  # google-genai fails on whatever stands between two chunks

    def read_request(self, body: bytes, *, counting: bool = False, route: Route | None = None) -> ir.Request:
        """Read a request for an answer, or one whose tokens are to be counted."""
        try:
            return read_request(body, route or _NOWHERE, counting=counting)
        except RecursionError:
            raise too_deep() from None

    def read_unread(self, body: bytes, refusal: InvalidRequest, route: Route | None = None) -> ir.Request:
        """Read of a request what the way upstream needs."""
        return read_unread(body, refusal, route or _NOWHERE)

    def passage(self, answering: Answering) -> Passage:
        """Make the writer of an answer that passes."""
        return GeminiPassage(answering)

    def stream_writer(self, answering: Answering) -> StreamWriter:
        """Make the writer of one streamed answer."""
        return GeminiStream(answering)

    def write_whole(self, reply: ir.Reply, answering: Answering) -> bytes:
        """Write a whole answer."""
        return write_whole(reply, answering)

    def write_error(self, error: GatewayError, request_id: str, *, route: Route | None = None) -> tuple[int, bytes]:
        """Give the status and body of an error answer; where an array was to come, it is an array of one."""
        body = write_error(error)
        return error.status, b"[%b]" % body if route is not None and route.streams == "array" else body

    def write_count(self, tokens: int) -> bytes:
        """Write the answer to a token count."""
        return encode({"totalTokens": tokens})

    def write_models(self, models: Sequence[tuple[str, ModelInfo]], query: Mapping[str, str]) -> bytes:
        """Write the model list, or a page of it."""
        return write_models(models, query)

    def write_model(self, name: str, info: ModelInfo) -> bytes:
        """Write one model."""
        return write_model(name, info)
