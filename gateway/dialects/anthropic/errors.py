"""How this dialect spells errors, as a status with a body and within a stream."""

import re
from typing import Final

from gateway.errors import ContextTooLong, GatewayError, UpstreamOverloaded

from .answer import encode

__all__ = ["error_body", "write_error"]

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_TOO_LONG: Final = "prompt is too long"  # Claude Code compacts when a message starts so
# Anthropic's word for it: at this one the tool runners of its SDKs send the whole conversation instead
_DETAILS: Final = {"thread": {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}}
_INDEX: Final = re.compile(r"\[(\d+)\]")
_PATH: Final = re.compile(r"\b(?:messages|system|tools)(?:\[\d+\]|\.\w+)+")


def write_error(error: GatewayError, request_id: str) -> tuple[int, bytes]:
    """Give status and body; no capacity upstream is 529 here."""
    return _status(error), error_body(error, request_id)


def error_body(error: GatewayError, request_id: str) -> bytes:
    """Write the error object, which is the same in a stream."""
    status = _status(error)
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    own = error.own.get("type") if status == error.status else None  # a type of the upstream's own fits its status only
    detail: dict[str, object] = {"type": own or kind, "message": _message(error)}
    details = error.own.get("details") or _DETAILS.get(error.param or "")
    if details:
        detail["details"] = details
    return encode({"type": "error", "error": detail, "request_id": request_id})


def _status(error: GatewayError) -> int:
    return 529 if isinstance(error, UpstreamOverloaded) else error.status


def _message(error: GatewayError) -> str:
    """Name the fields as Anthropic does, `messages.0.content.1.type: …`: there is no other place for them."""
    text = error.message
    if error.param:
        path = _dotted(error.param)
        text = _PATH.sub(lambda found: _dotted(found[0]), text.replace(error.param, path))
        text = text if path in text else f"{path}: {text}"
    if isinstance(error, ContextTooLong) and not text.startswith(_TOO_LONG):
        return f"{_TOO_LONG}: {text}"
    return text


def _dotted(path: str) -> str:
    return _INDEX.sub(r".\1", path)
