"""The seam of the inbound dialects: one codec each, bytes in and bytes out, no I/O and no clock."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Raw, Struct
from typing_extensions import Protocol, runtime_checkable

from gateway import ir
from gateway.errors import GatewayError, InvalidRequest
from gateway.routes import Route
from gateway.upstream import ModelInfo

__all__ = ["Answering", "Dialect", "Passing", "StreamWriter", "Threaded", "WholePassage"]


class Answering(Struct, frozen=True, kw_only=True):
    """What a writer must know besides the events.

    `model`: the name to echo. `id`: a random hex string for ids the upstream did not give.
    `created`: Unix seconds. `request_id`: for error bodies. `estimate`: the prompt's tokens, counted locally
    only when asked. `images`: how OpenAI Chat shows images (translate.images_out): markdown | images.
    `array`: a Gemini stream is one JSON array, not events. `apart`: what breaks it off is told behind the events, too.
    """

    request: ir.Request
    model: str
    id: str
    created: int
    request_id: str
    estimate: Callable[[], int]
    sealed: bool = True
    images: str = "markdown"
    array: bool = False
    apart: bool = False


class StreamWriter(Protocol):
    """Write one stream: opens, closes and terminates correctly whatever comes."""

    def feed(self, events: Sequence[ir.Event]) -> bytes:
        """Give the SSE events, each whole, for these events; b"" when nothing is to be sent yet.

        The opening (message_start, first role chunk) waits for the first event with content.
        """
        ...

    def close(self, error: GatewayError | None = None) -> bytes:
        """End the stream: the terminal events, or the dialect's in-stream error. Idempotent."""
        ...


class Dialect(Protocol):
    """One inbound dialect. A single stateless instance serves all requests."""

    @property
    def name(self) -> str:
        """Its name in metrics and logs."""
        ...

    @property
    def keepalive(self) -> bytes:
        """A sign of life between events; b"" = only headers."""
        ...

    def read_request(self, body: bytes, *, counting: bool = False, route: Route | None = None) -> ir.Request:
        """Read a request for an answer (or, `counting`, for its token count); raise InvalidRequest.

        `route`: what the path says, for a dialect that has the model and the streaming there.
        """
        ...

    def stream_writer(self, answering: Answering) -> StreamWriter:
        """Make the writer of one streamed answer."""
        ...

    def write_whole(self, reply: ir.Reply, answering: Answering) -> bytes:
        """Write a whole answer."""
        ...

    def write_error(self, error: GatewayError, request_id: str, *, route: Route | None = None) -> tuple[int, bytes]:
        """Give the status and body of an error answer."""
        ...

    def write_count(self, tokens: int) -> bytes:
        """Write the answer to a token count."""
        ...

    def write_models(self, models: Sequence[tuple[str, ModelInfo]], query: Mapping[str, str]) -> bytes:
        """Write the model list: (name, info) in order; `query` holds the caller's paging, lists with commas."""
        ...

    def write_model(self, name: str, info: ModelInfo) -> bytes:
        """Write one model."""
        ...


class WholePassage(StreamWriter, Protocol):
    """Pass an upstream's own answer on, as a stream or whole."""

    def whole(self, pieces: Sequence[bytes]) -> bytes:
        """Give the body of an answer that is no stream."""
        ...


@runtime_checkable
class Passing(Dialect, Protocol):
    """A dialect that an upstream may speak, too: then requests and answers pass, but for a table of edits."""

    def read_unread(self, body: bytes, refusal: InvalidRequest, route: Route | None = None) -> ir.Request:
        """Read of a request that `read_request` refuses what the way upstream needs: its model, whether it streams.

        Raises `refusal` for a body in which not even that can be found.
        """
        ...

    def passage(self, answering: Answering) -> WholePassage:
        """Make the writer of an answer that passes."""
        ...


@runtime_checkable
class Threaded(Dialect, Protocol):
    """A dialect whose conversations the server keeps."""

    def resume(self, request: ir.Request, items: Sequence[Raw]) -> ir.Request:
        """Put what was said before, oldest first, before the request's own turns; raise InvalidRequest."""
        ...

    def write_both(self, reply: ir.Reply, answering: Answering) -> tuple[bytes, bytes]:
        """Write a whole answer, and as it is kept: with all that one who goes on from it needs."""
        ...
