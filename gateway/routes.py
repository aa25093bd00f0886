"""Which dialect and operation a path means. The path decides; headers only tell the model lists apart.

POST /v1/chat/completions  /openai/v1/chat/completions      OpenAI Chat
POST /v1/messages  /v1/messages/count_tokens                Anthropic
GET  /v1/models  /v1/models/{id}                            by header: Gemini, Anthropic, OpenAI
*    /v1beta/…  and any …/models/{model}:verb               Gemini
*    the rest below /v1 and /openai                         OpenAI; Anthropic when anthropic-version is sent
"""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import unquote

from msgspec import Struct

from gateway.errors import GatewayError, MethodNotAllowed, NotFound

__all__ = ["DialectName", "Operation", "Route", "is_dialect_path", "match"]

DialectName = Literal["openai-chat", "anthropic", "gemini"]
Operation = Literal["chat", "count_tokens", "models", "model", "none"]

_EXACT: dict[str, tuple[str, DialectName, Operation]] = {
    "/v1/chat/completions": ("POST", "openai-chat", "chat"),
    "/openai/v1/chat/completions": ("POST", "openai-chat", "chat"),
    "/v1/messages": ("POST", "anthropic", "chat"),
    "/v1/messages/count_tokens": ("POST", "anthropic", "count_tokens"),
}
_MODEL_LISTS = ("/v1/models", "/v1beta/models", "/openai/v1/models")
_PREFIXES = ("/v1/", "/v1beta/", "/openai/")


class Route(Struct, frozen=True):
    """What a request asks for. `error` stands in for an operation that does not exist.

    `model`: the id in the path of a single model.
    """

    dialect: DialectName
    operation: Operation
    model: str = ""
    error: GatewayError | None = None


def is_dialect_path(path: str) -> bool:
    """Tell whether the pipeline, rather than the operators' endpoints, owns this path."""
    return path.startswith(_PREFIXES) or path in ("/v1", "/v1beta", "/openai")


def match(method: str, path: str, headers: Mapping[bytes, bytes], query: bytes = b"") -> Route:
    """Find the route of a request; a path or method that is not served gives a route with an error."""
    known = _EXACT.get(path)
    if known is not None:
        wanted, dialect, operation = known
        if method == wanted:
            return Route(dialect, operation)
        return _wrong_method(dialect, method, path, wanted)
    dialect = _dialect(path, headers, query)
    for prefix in _MODEL_LISTS:
        if path == prefix or (path.startswith(prefix + "/") and ":" not in path):
            if method not in ("GET", "HEAD"):
                return _wrong_method(dialect, method, path, "GET")
            model = unquote(path[len(prefix) + 1 :])
            if path != prefix and not model:
                break
            return Route(dialect, "model" if model else "models", model)
    return Route(dialect, "none", error=NotFound(f"{method} {path[:200]} is not served here"))


def _dialect(path: str, headers: Mapping[bytes, bytes], query: bytes) -> DialectName:
    if path.startswith("/v1beta") or ("/models/" in path and ":" in path.rpartition("/models/")[2]):
        return "gemini"
    if path.startswith("/v1/messages"):
        return "anthropic"
    if path.startswith("/v1/models") and (b"x-goog-api-key" in headers or _has_key(query)):
        return "gemini"
    return "anthropic" if b"anthropic-version" in headers else "openai-chat"


def _has_key(query: bytes) -> bool:
    return query.startswith(b"key=") or b"&key=" in query


def _wrong_method(dialect: DialectName, method: str, path: str, allow: str) -> Route:
    error = MethodNotAllowed(f"{path} takes {allow}, not {method}", headers={"allow": allow})
    return Route(dialect, "none", error=error)
