"""Anthropic Messages, as a caller's dialect."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from gateway import ir
from gateway.dialects import Answering, StreamWriter
from gateway.dialects.content import too_deep
from gateway.dialects.passage import Passage
from gateway.errors import GatewayError, InvalidRequest
from gateway.routes import Route
from gateway.upstream import ModelInfo

from .answer import encode
from .edits import REPLIES, hears, screen
from .errors import write_error
from .models import write_model, write_models
from .passage import MessagesPassage
from .request import read_request, read_unread
from .stream import Stream, broken
from .whole import write_whole

__all__ = ["Anthropic"]


class Anthropic:
    """The codec: bytes of Messages in and out, without state."""

    name: Final = "anthropic"
    keepalive: Final = b'event: ping\ndata: {"type": "ping"}\n\n'

    def read_request(self, body: bytes, *, counting: bool = False, route: Route | None = None) -> ir.Request:
        """Read a request for an answer or for its token count, which have the same fields."""
        try:
            return read_request(body)
        except RecursionError:
            raise too_deep() from None

    def read_unread(self, body: bytes, refusal: InvalidRequest, route: Route | None = None) -> ir.Request:
        """Read of a request what the way upstream needs."""
        return read_unread(body, refusal)

    def passage(self, answering: Answering) -> Passage:
        """Make the writer of an answer that passes."""
        write_error = partial(broken, request_id=answering.request_id)
        return MessagesPassage(answering, REPLIES, write_error, screen, screen, hears=hears)

    def stream_writer(self, answering: Answering) -> StreamWriter:
        """Make the writer of one streamed answer."""
        return Stream(answering)

    def write_whole(self, reply: ir.Reply, answering: Answering) -> bytes:
        """Write a whole answer."""
        return write_whole(reply, answering)

    def write_error(self, error: GatewayError, request_id: str, *, route: Route | None = None) -> tuple[int, bytes]:
        """Give the status and body of an error answer."""
        return write_error(error, request_id)

    def write_count(self, tokens: int) -> bytes:
        """Write the answer to a token count."""
        return encode({"input_tokens": tokens})

    def write_models(self, models: Sequence[tuple[str, ModelInfo]], query: Mapping[str, str]) -> bytes:
        """Write one page of the model list."""
        return write_models(models, query)

    def write_model(self, name: str, info: ModelInfo) -> bytes:
        """Write one model."""
        return write_model(name, info)
