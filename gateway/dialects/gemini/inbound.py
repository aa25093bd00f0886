"""What Gemini callers are told: errors and model lists. Requests of this dialect are not read here."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from gateway import errors, ir
from gateway.dialects import Answering, StreamWriter
from gateway.errors import GatewayError, NotFound
from gateway.upstream import ModelInfo

__all__ = ["Gemini"]

_encode = msgspec.json.Encoder().encode

_STATUS: Final[Mapping[type[GatewayError], str]] = {
    errors.Unauthenticated: "UNAUTHENTICATED",
    errors.PermissionDenied: "PERMISSION_DENIED",
    errors.NotFound: "NOT_FOUND",
    errors.MethodNotAllowed: "UNIMPLEMENTED",
    errors.RequestTimeout: "DEADLINE_EXCEEDED",
    errors.RateLimited: "RESOURCE_EXHAUSTED",
    errors.CallerError: "INVALID_ARGUMENT",
    errors.UpstreamRejected: "INVALID_ARGUMENT",
    errors.UpstreamRateLimited: "RESOURCE_EXHAUSTED",
    errors.UpstreamOverloaded: "UNAVAILABLE",
    errors.UpstreamTimeout: "DEADLINE_EXCEEDED",
    errors.NoCredential: "UNAVAILABLE",
    errors.Draining: "UNAVAILABLE",
    errors.NotImplementedHere: "UNIMPLEMENTED",
    errors.GatewayError: "INTERNAL",
}


class Gemini:
    """The dialect of /v1beta, as far as it is served."""

    name = "gemini"
    keepalive = b""

    def read_request(self, body: bytes, *, counting: bool = False) -> ir.Request:
        """Refuse: no route of this dialect leads here."""
        raise NotFound("Gemini requests are not served here; use OpenAI Chat or Anthropic Messages")

    def stream_writer(self, answering: Answering) -> StreamWriter:
        """Refuse: no request of this dialect was read."""
        raise NotFound("Gemini answers are not served here")

    def write_whole(self, reply: ir.Reply, answering: Answering) -> bytes:
        """Refuse: no request of this dialect was read."""
        raise NotFound("Gemini answers are not served here")

    def write_error(self, error: GatewayError, request_id: str) -> tuple[int, bytes]:
        """Write google.rpc.Status, as the Gemini API does."""
        status = next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
        body = {"error": {"code": error.status, "message": error.message, "status": status}}
        return error.status, _encode(body)

    def write_count(self, tokens: int) -> bytes:
        """Write the answer to :countTokens."""
        return _encode({"totalTokens": tokens})

    def write_models(self, models: Sequence[tuple[str, ModelInfo]], query: Mapping[str, str]) -> bytes:
        """Write the model list, whole: pages are the caller's wish, not its right."""
        return _encode({"models": [_model(name, info) for name, info in models]})

    def write_model(self, name: str, info: ModelInfo) -> bytes:
        """Write one model."""
        return _encode(_model(name, info))


def _model(name: str, info: ModelInfo) -> dict[str, object]:
    model: dict[str, object] = {
        "name": f"models/{name}",
        "displayName": info.display_name or name,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }
    if info.max_input is not None:
        model["inputTokenLimit"] = info.max_input
    if info.max_output is not None:
        model["outputTokenLimit"] = info.max_output
    return model
