"""What each failure of OpenAI, or of a server that speaks its API, means: for the key, and for the next try.

    status, body ─► read_failure ─► Failure(cause) ─► RULES[cause] ─► the journey's next step

A 401 is about the key. A 403 is about what was asked for, so the key stays in use. A quota that is used up comes as a
429 like a rate limit, and only its code tells them apart.
"""

import math
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.adapters.failures import COMMON, Cause, Causes, Failure, Rule, Rules
from gateway.dialects.openai_chat.outbound_errors import read_details, read_error
from gateway.errors import ModelNotFound, UpstreamUnavailable
from gateway.redact import redact

__all__ = ["AMENDABLE", "RULES", "is_error", "read_failure", "without_key"]

# What is written otherwise, or left out, once a 400 has named it.
AMENDABLE: Final[tuple[Cause, ...]] = ("limit", "effort", "effort_value", "drawing", "counting", "signatures")
RULES: Final[Rules] = {
    **COMMON,
    **dict.fromkeys(AMENDABLE, Rule(renew="body", always=True)),
    "quota": Rule(mark="cool", others=math.inf, always=True),
    "capacity": Rule(again=math.inf),  # of the model, whoever asks
    "server": Rule(others=1, counted=True, again=math.inf),
    "unreachable": Rule(again=math.inf),
    "broken": Rule(again=math.inf),
    "key": Rule(mark="disable", words="the API key is refused", others=math.inf, always=True),
    "banned": Rule(mark="disable", words="refused for good", others=math.inf, always=True),
    "forbidden": Rule(others=math.inf, always=True),
    "missing": Rule(others=1, always=True),
    "address": Rule(),
    "location": Rule(),
}

_400: Final = frozenset({400})
_BAD: Final = frozenset({400, 422})
# Fields that some server or model does not know, and how a refusal says so, in lower case and without quotation marks.
_FIELDS: Final[Mapping[str, Cause]] = {
    "max_tokens": "limit",
    "max_completion_tokens": "limit",
    "stream_options": "counting",
    "reasoning_effort": "effort",
    "reasoning.effort": "effort",
    "temperature": "drawing",
    "top_p": "drawing",
    "presence_penalty": "drawing",
    "frequency_penalty": "drawing",
}
_UNKNOWN: Final = (
    "{} is not supported",
    "{} is unsupported",
    "{} is deprecated",
    "argument supplied: {}",
    "arguments supplied: {}",
    "parameter: {}",
    "unexpected keyword argument {}",
    "unknown field {}",
    "body,{}]",  # pydantic's path
)
# Values that a model does not take of a field that it knows.
_VALUES: Final[Mapping[str, Cause]] = {
    **dict.fromkeys(("reasoning_effort", "reasoning.effort"), "effort_value"),
    **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), "drawing"),
}
_REFUSED: Final = ("{} does not support",)
_CAUSES: Final = Causes(
    reasons={
        "invalid_api_key": "key",
        "account_deactivated": "banned",
        "insufficient_quota": "quota",
        "billing_hard_limit_reached": "quota",
        "billing_not_active": "quota",
        "model_not_found": "missing",
        "unsupported_country_region_territory": "location",
        "invalid_encrypted_content": "signatures",
        "slow_down": "capacity",
    },
    words=(
        *((_BAD, words.format(name), cause) for name, cause in _FIELDS.items() for words in _UNKNOWN),
        *((_BAD, words.format(name), cause) for name, cause in _VALUES.items() for words in _REFUSED),
        (_BAD, "encrypted content", "signatures"),
        (_400, "incorrect api key", "key"),
    ),
    statuses={
        401: "key",
        402: "quota",
        403: "forbidden",
        404: "missing",
        408: "server",
        429: "rate_limit",
        498: "capacity",
        499: "cancelled",
        503: "capacity",
        529: "capacity",
    },
)
_LOCATION: Final = "the upstream does not serve the place where this gateway runs"
_ADDRESS: Final = "nothing is at this address of the upstream; base_url is given with /v1"


class _Inner(Struct):
    error: Raw | UnsetType = UNSET


class _Event(Struct):
    type: str | None = None
    object: str | None = None
    error: Raw | UnsetType = UNSET
    response: _Inner | None = None


_EVENT: Final = msgspec.json.Decoder(_Event)
_NOTHING: Final = (UNSET, Raw(b"null"))


def read_failure(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
    """Read an error answer, or the payload of an error event under status 200."""
    body = _within(body) or body
    details = read_details(body)
    error = read_error(status, body, headers, now=now)
    code = status if status >= 400 else details.status or error.status
    cause = _CAUSES.find(code, details.code or details.type, details.message)
    if cause == "missing" and not isinstance(error, ModelNotFound):
        error, cause = UpstreamUnavailable(f"{_ADDRESS}: {details.message or 'status 404'}"), "address"
    elif cause == "location":
        error = UpstreamUnavailable(f"{_LOCATION}: {details.message}")
    return Failure(error, cause, status=code, wait_s=error.retry_after, reason=details.code)


def is_error(payload: bytes) -> bool:
    """Tell whether what came under status 200 is an error."""
    return _within(payload) is not None


def without_key(failure: Failure, key: str) -> Failure:
    """Mask a key that a refusal repeats: its words are told, logged and kept."""
    failure.error.message = redact(failure.error.message, (key,))
    failure.args = (failure.error.message,)
    return failure


def _within(payload: bytes) -> bytes | None:
    """Give the error that an event of either API carries; None when there is none."""
    try:
        event = _EVENT.decode(payload)
    except (ValueError, RecursionError):
        return None
    if event.error not in _NOTHING:
        return payload
    if event.response is not None and event.response.error not in _NOTHING:
        return b'{"error":%b}' % event.response.error
    return payload if "error" in (event.type, event.object) else None
