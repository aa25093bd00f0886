"""Errors as OpenAI writes them: `{"error": {"message", "type", "param", "code"}}`, whole and in a stream."""

from typing import Final

import msgspec

from gateway import errors

__all__ = ["write_error"]

_TYPES: Final[dict[type, str]] = {  # the nearest class of the error's own line of descent counts
    errors.CallerError: "invalid_request_error",
    errors.RateLimited: "requests",
    errors.TokensLimited: "tokens",
    errors.UpstreamRejected: "invalid_request_error",
    errors.UpstreamRateLimited: "requests",
    errors.NotImplementedHere: "invalid_request_error",
    errors.GatewayError: "server_error",
}

# A 401 or 403 would make the caller doubt its own key, which is not the one that was refused.
_OUR_FAULT: Final = (errors.UpstreamError, errors.ServiceError)
_CALLERS_STATUSES: Final = (401, 403)
_SPENT: Final = errors.UpstreamRateLimited.SPENT  # its own type, too: it is no limit on requests

_OWN: Final = {"type", "param", "code"}
_TOO_LONG: Final = "This model's maximum context length is"  # programs that cut the prompt then look for these words
_encode: Final = msgspec.json.Encoder().encode


def write_error(error: errors.GatewayError) -> tuple[int, bytes]:
    """Give the status and the body."""
    status = error.status
    if status in _CALLERS_STATUSES and isinstance(error, _OUR_FAULT):
        status = 502
    kind = next(_TYPES[cause] for cause in type(error).__mro__ if cause in _TYPES)
    kind = _SPENT if error.code == _SPENT else kind
    said: dict[str, object] = {"message": _message(error), "type": kind, "param": error.param, "code": error.code}
    return status, _encode({"error": said | _own(error)})


def _own(error: errors.GatewayError) -> dict[str, object]:
    """Give what the upstream says of its error, where it says something.

    Servers that are only compatible write the status for a code, as a number or its digits, and null for a type. Null
    is OpenAI's own word for many a code, but not for that of a prompt which is too long.
    """
    nulls = {"param"} if isinstance(error, errors.ContextTooLong) else {"param", "code"}
    own: dict[str, object] = {}
    for name in _OWN & error.own.keys():
        said = error.own[name]
        if (isinstance(said, str) and not said.isdigit()) or (said is None and name in nulls):
            own[name] = said
    return own


def _message(error: errors.GatewayError) -> str:
    if isinstance(error, errors.ContextTooLong) and _TOO_LONG.lower() not in error.message.lower():
        return f"{_TOO_LONG} exceeded: {error.message}"
    return error.message
