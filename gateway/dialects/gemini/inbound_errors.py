"""How Gemini callers are told of errors: google.rpc.Status, as a body and within a stream."""

import math
from collections.abc import Iterator, Mapping
from typing import Final

from gateway import errors
from gateway.errors import GatewayError

from .inbound_answer import JSON, encode

__all__ = ["write_broken", "write_error"]

_STATUS: Final[Mapping[type[GatewayError], str]] = {
    errors.Unauthenticated: "UNAUTHENTICATED",
    errors.PermissionDenied: "PERMISSION_DENIED",
    errors.NotFound: "NOT_FOUND",
    errors.MethodNotAllowed: "UNIMPLEMENTED",
    errors.Conflict: "ABORTED",
    errors.RequestTimeout: "DEADLINE_EXCEEDED",
    errors.RateLimited: "RESOURCE_EXHAUSTED",
    errors.CallerError: "INVALID_ARGUMENT",
    errors.UpstreamRejected: "INVALID_ARGUMENT",
    errors.UpstreamRateLimited: "RESOURCE_EXHAUSTED",
    errors.UpstreamOverloaded: "UNAVAILABLE",
    errors.UpstreamTimeout: "DEADLINE_EXCEEDED",
    errors.NoCredential: "UNAVAILABLE",
    errors.ModelsAwaited: "UNAVAILABLE",
    errors.LimitsNotShared: "UNAVAILABLE",
    errors.StoreUnavailable: "UNAVAILABLE",
    errors.Draining: "UNAVAILABLE",
    errors.Cancelled: "UNAVAILABLE",
    errors.NotImplementedHere: "UNIMPLEMENTED",
    errors.GatewayError: "INTERNAL",
}
_TYPE: Final = "type.googleapis.com/google.rpc."
_DOMAIN: Final = "asgi-llm-gateway"
_TOO_LONG: Final = "exceeds the maximum number of tokens allowed"  # programs that cut the prompt then look for this


def write_error(error: GatewayError) -> bytes:
    """Write the object whose first and only member is `error`: clients look for just that at its beginning."""
    body: JSON = {"code": error.status, "message": _message(error), "status": _status(error)}
    details = [*_details(error)]
    if details:
        body["details"] = details
    return encode({"error": body})


def write_broken(error: GatewayError) -> bytes:
    """Write the end of a stream that an error breaks off: an event, and the same document outside of all events.

    Google writes the document, and Genkit, LangChain and the SDK of Gemini CLI look for nothing else: they take what
    came before for the whole answer. They are known by `x-goog-api-client`; all others, as Google's SDK for Python,
    find the event, and get nothing else.
    """
    written = write_error(error)
    return b"data: %b\r\n\r\n%b\r\n" % (written, written)


def _message(error: GatewayError) -> str:
    if isinstance(error, errors.ContextTooLong) and _TOO_LONG not in error.message:
        return f"The input token count {_TOO_LONG}: {error.message}"
    return error.message


def _status(error: GatewayError) -> str:
    own = error.own.get("status")
    if isinstance(own, str):
        return own
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def _details(error: GatewayError) -> Iterator[JSON]:
    if error.code is not None:
        yield {"@type": f"{_TYPE}ErrorInfo", "reason": error.code.upper(), "domain": _DOMAIN}
    if error.param is not None:
        violation = {"field": error.param, "description": error.message}
        yield {"@type": f"{_TYPE}BadRequest", "fieldViolations": [violation]}
    if error.retry_after is not None:
        yield {"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{max(1, math.ceil(error.retry_after))}s"}
