"""OpenAI Responses, inbound: bodies in, Response objects and their events out, conversations that go on."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Raw

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects import StreamWriter as Writer
from gateway.dialects.content import too_deep
from gateway.dialects.openai_chat.errors import write_error
from gateway.dialects.openai_chat.models import write_count, write_model, write_models
from gateway.dialects.passage import Passage
from gateway.errors import GatewayError, InvalidRequest
from gateway.routes import Route
from gateway.upstream import ModelInfo

from .items import DIALECT
from .passage import ResponsesPassage
from .request import read_request, read_unread, resume
from .stream import StreamWriter
from .whole import write_both

__all__ = ["OpenAIResponses"]


class OpenAIResponses:
    """The codec; it keeps no state: what is kept of a conversation is given to `resume`."""

    name: Final = DIALECT
    keepalive: Final = b": keep-alive\n\n"

    def read_request(self, body: bytes, *, counting: bool = False, route: Route | None = None) -> ir.Request:
        """Read a request."""
        try:
            return read_request(body)
        except RecursionError:
            raise too_deep() from None

    def read_unread(self, body: bytes, refusal: InvalidRequest, route: Route | None = None) -> ir.Request:
        """Read of a request what the way upstream needs."""
        return read_unread(body, refusal)

    def passage(self, answering: Answering) -> Passage:
        """Make the writer of an answer that passes."""
        return ResponsesPassage(answering)

    def resume(self, request: ir.Request, items: Sequence[Raw]) -> ir.Request:
        """Put what was said before, oldest first, before the request's own turns."""
        return resume(request, items)

    def stream_writer(self, answering: Answering) -> Writer:
        """Make the writer of one streamed answer."""
        return StreamWriter(answering)

    def write_whole(self, reply: ir.Reply, answering: Answering) -> bytes:
        """Write a whole answer."""
        return write_both(reply, answering)[0]

    def write_both(self, reply: ir.Reply, answering: Answering) -> tuple[bytes, bytes]:
        """Write a whole answer, and as it is kept: with what seals the thoughts."""
        return write_both(reply, answering)

    def write_error(self, error: GatewayError, request_id: str, *, route: Route | None = None) -> tuple[int, bytes]:
        """Give the status and body of an error answer."""
        return write_error(error)

    def write_count(self, tokens: int) -> bytes:
        """Write the answer to a token count."""
        return write_count(tokens)

    def write_models(self, models: Sequence[tuple[str, ModelInfo]], query: Mapping[str, str]) -> bytes:
        """Write the model list."""
        return write_models(models, query)

    def write_model(self, name: str, info: ModelInfo) -> bytes:
        """Write one model."""
        return write_model(name)
