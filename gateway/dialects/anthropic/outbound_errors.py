"""Error bodies of Anthropic, read into the error tree.

    {"type": "error", "error": {"type": "overloaded_error", "message": "…"}, "request_id": "req_…"}

A cloud that hosts Claude wraps such a body into the message of its own, or says the same in its own form. How long to
wait stands in `retry-after`, or is the time at which a limit that is used up begins anew.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from gateway.dialects.openai_chat import outbound_errors as common
from gateway.dialects.raw import read
from gateway.errors import GatewayError, UpstreamRateLimited

__all__ = ["Details", "read_details", "read_error"]

_MAX_ID: Final = 128
# Under status 200, as an event of a stream has it, the type alone tells what it is.
_STATUSES: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_UNPAID: Final = "credit balance is too low"  # comes as a 400
_LIMIT: Final = "anthropic-ratelimit-"
_COUNTED: Final = ("requests", "tokens", "input-tokens", "output-tokens")


class Details(Struct, frozen=True, kw_only=True):
    """What an error body says, for tables that act on it; `message` is masked. `status`: that its type stands for."""

    message: str = ""
    type: str = ""
    status: int | None = None
    request_id: str = ""


class _Error(Struct):
    message: str = ""


class _Body(Struct):
    error: _Error | None = None
    request_id: str | None = None


_BODY: Final = msgspec.json.Decoder(_Body)
_BODIES: Final = msgspec.json.Decoder(list[_Body])


def read_error(status: int, body: bytes, headers: Mapping[str, str], *, now: float | None = None) -> GatewayError:
    """Read an error answer, or an error event under status 200.

    `now` (Unix seconds) is needed for waits that are given as a date; without it those count as unknown.
    """
    body = _innermost(body)
    details = read_details(body)
    code = status if status >= 400 else details.status or status
    error = common.read_error(code, body, headers, now=now)
    if _UNPAID in details.message.lower():
        error = UpstreamRateLimited(details.message, code=UpstreamRateLimited.SPENT, retry_after=error.retry_after)
    if error.retry_after is None and now is not None and isinstance(error, UpstreamRateLimited):
        error.retry_after = _until_reset({name.lower(): value for name, value in headers.items()}, now)
    return error


def read_details(body: bytes) -> Details:
    """Read what an error body says; one that nobody knows gives a snippet as its message."""
    body = _innermost(body)
    found = common.read_details(body)
    given = _decoded(body)
    request_id = (given.request_id if given is not None else None) or ""
    return Details(
        message=found.message,
        type=found.type,
        status=_STATUSES.get(found.type, found.status),
        request_id=request_id[:_MAX_ID],
    )


def _innermost(body: bytes) -> bytes:
    """Give the body that another one carries as its message, as Vertex does; any other is itself."""
    given = _decoded(body)
    said = given.error.message if given is not None and given.error is not None else ""
    if not said.lstrip().startswith("{"):
        return body
    inner = said.encode("utf-8", "replace")
    found = _decoded(inner)
    return inner if found is not None and found.error is not None else body


def _decoded(body: bytes) -> _Body | None:
    text = body.strip()
    if text.startswith(b"["):
        return next(iter(read(text, _BODIES) or ()), None)
    return read(text, _BODY)


def _until_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Give the seconds until the last of the limits that are used up begins anew."""
    resets = (
        headers.get(f"{_LIMIT}{one}-reset", "") for one in _COUNTED if headers.get(f"{_LIMIT}{one}-remaining") == "0"
    )
    waits = [max(moment - now, 0.0) for moment in map(_moment, resets) if moment is not None]
    return max(waits, default=None)


def _moment(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
