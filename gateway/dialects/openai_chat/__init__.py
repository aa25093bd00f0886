"""OpenAI Chat Completions, inbound: bodies in, `chat.completion` and its chunks out."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway import ir
from gateway.dialects import Answering, StreamWriter
from gateway.dialects.content import too_deep
from gateway.dialects.passage import Passage
from gateway.errors import GatewayError, InvalidRequest
from gateway.routes import Route
from gateway.upstream import ModelInfo

from .errors import write_error
from .mixed import read_mixed
from .models import write_count, write_model, write_models
from .passage import ChatPassage
from .request import read_request, read_unread
from .stream import ChatStream
from .whole import write_whole

__all__ = ["OpenAIChat"]


class OpenAIChat:
    """The codec; it keeps no state."""

    name: Final = "openai-chat"
    keepalive: Final = b": keep-alive\n\n"

    def read_request(self, body: bytes, *, counting: bool = False, route: Route | None = None) -> ir.Request:
        """Read a request, whatever its form if it is one that clients send here."""
        model = route.model if route is not None else ""
        try:
            return read_request(body, model)
        except InvalidRequest as refusal:
            return read_mixed(body, model, refusal)
        except RecursionError:
            raise too_deep() from None

    def read_unread(self, body: bytes, refusal: InvalidRequest, route: Route | None = None) -> ir.Request:
        """Read of a request what the way upstream needs."""
        return read_unread(body, refusal, route.model if route is not None else "")

    def passage(self, answering: Answering) -> Passage:
        """Make the writer of an answer that passes."""
        return ChatPassage(answering)

    def stream_writer(self, answering: Answering) -> StreamWriter:
        """Make the writer of one streamed answer."""
        return ChatStream(answering)

    def write_whole(self, reply: ir.Reply, answering: Answering) -> bytes:
        """Write a whole answer."""
        return write_whole(reply, answering)

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
