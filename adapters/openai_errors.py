"""What each failure of OpenAI, or of a server that speaks its API, means: for the key, and for the next try.

    status, body ─► read_failure ─► Failure(cause) ─► RULES[cause] ─► the journey's next step

A 401 is about the key, unless it says that a right is missing: then it is, like a 403, about what was asked for, and
the key stays in use. A quota that is used up comes as a 429 like a rate limit, and only its code tells them apart.
"""

import math
import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from gateway.adapters.echoes import READERS
from gateway.adapters.failures import (
    COMMON,
    KEYED,
    NOT_HERE,
    Cause,
    Causes,
    Failure,
    ReadFailure,
    Rule,
    Rules,
    blamed,
    narrowed,
    of_address,
    of_service,
)
from gateway.adapters.levels import refused_value
from gateway.adapters.openai_causes import CAUSES, FIELDS, PREVIOUS, VALUES
from gateway.dialects.openai_chat.outbound_errors import (
    Details,
    is_outcome,
    read_details,
    read_error,
    stands_alone,
    unwrapped,
)
from gateway.dialects.raw import NULL, read
from gateway.errors import (
    GatewayError,
    ModelNotFound,
    NotFound,
    UpstreamCredential,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
from gateway.redact import redact

__all__ = ["RULES", "is_error", "longest", "read_failure", "read_made", "reader", "without_key"]

RULES: Final[Rules] = {
    **KEYED,
    "funds": replace(KEYED["quota"], renew=("body",)),
    "garbled": COMMON["cancelled"],
    "oversized": Rule(),
    "filtered": Rule(),
    "resource": Rule(),
    # another key may be of the account that keeps it, or has sealed it
    "kept": Rule(renew=("body",), others=math.inf, always=True),
}

_LONGEST: Final = re.compile(
    r"(?:supports at most |expected a value <= |be less than or equal to |than max_model_len=|the model limit of "
    r"|range of max_tokens (?:should be|is) \[1, ?|max_tokens: \d{1,9} > )[`'\"]?(\d{1,9})\b"
)
# Several fields that are refused at once: zod, Azure's API for models of others, LiteLLM, NVIDIA, OpenAI.
_LISTED: Final = re.compile(
    r"(?:keys?(?:\(s\) in object)?|parameters|parameter\(s\)|arguments supplied):? \[?"
    r"(?P<names>['\"`]?[\w.]{1,64}['\"`]?(?:, ?['\"`]?[\w.]{1,64}['\"`]?){1,31})"
)
_NAME: Final = re.compile(r"[\w.]+")
_SUPPORTED: Final = "supported values are"  # OpenAI: the value alone is named, and the field beside it
_KIND: Final = re.compile(r"(?:^|\.)tools[.\[]\d{1,4}\]?\.type$")  # the member that a refusal names
# stream_options beside the one that has the tokens counted, as Mistral's and vLLM's clients send them
_OPTION: Final = re.compile(r"stream_options\.(?!include_usage)\w")
_ACCOUNT: Final = "organization"  # Encrypted content organization_id did not match the target organization.
_NAMED: Final = " with id "  # a prompt, a file, a store of vectors: it is the caller's, and no address has one
_ADDRESS: Final = "there is nothing at this URL of the upstream; base_url is given with /v1"
_UNABLE: Final = "not allowed to generate embeddings from this model"  # OpenAI, with any key
_UNMADE: Final = "the upstream has none; if it should, base_url lacks /v1"


class _Inner(Struct):
    error: Raw | UnsetType = UNSET


class _Event(Struct):
    type: str | None = None
    object: str | None = None
    error: Raw | UnsetType = UNSET
    response: _Inner | None = None
    choices: list[_Inner] | None = None


_EVENT: Final = msgspec.json.Decoder(_Event)
_NOTHING: Final = (UNSET, NULL)


def reader(causes: Causes, address: str) -> ReadFailure:
    """Make the reader of an error answer, or of the payload of an error event under status 200.

    `address`: what to say where nothing is at the address.
    """

    @of_service
    def read(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
        body = _within(body) or body
        details = read_details(body)
        status = blamed(status, details.message)
        error = read_error(status, body, headers, now=now)
        code = status if status >= 400 else details.status or error.status
        found = causes.find(code, details.code or details.type, details.message)
        cause = narrowed(_looked_at(found, details.message, details.param), error, details.message)
        error = _told(error, cause, details.message)
        if cause == "missing" and isinstance(error, UpstreamRejected):
            cause = "final"
        elif cause == "missing" and not isinstance(error, ModelNotFound):
            error, cause = _missing(details, code, address)
        elif cause == "address":
            error = _nowhere(details, code, address)
        elif cause == "location":
            error = UpstreamUnavailable(f"{NOT_HERE}: {details.message}")
        elif cause == "oversized":
            error.retry_after, error.headers = None, {"x-should-retry": "false"}
        return Failure(error, cause, status=code, wait_s=error.retry_after, reason=details.code)

    return read


def _missing(details: Details, code: int, address: str) -> tuple[GatewayError, Cause]:
    """Say what is not there where no model is named: a service that answers in its own form means the one asked for."""
    if _NAMED in details.message:
        return NotFound(details.message), "final"
    if of_address(details.code or details.type, details.message):
        return _nowhere(details, code, address), "address"
    return ModelNotFound(details.message), "missing"


def _nowhere(details: Details, code: int, address: str) -> GatewayError:
    return UpstreamUnavailable(f"{address}: {details.message or f'status {code}'}")


def _looked_at(cause: Cause, said: str, param: str) -> Cause:
    """Give the cause where the words of the refusal, or the member that it names, say more than the table."""
    if param == PREVIOUS or (cause == "signatures" and _ACCOUNT in said.lower()):
        return "kept"
    if cause == "counting" and _OPTION.search(said):
        return "options"
    if cause != "final":
        return cause
    if _KIND.search(param):
        return "kinds"
    said = said.lower()
    if _SUPPORTED in said:
        return VALUES.get(param or refused_value(said), cause)
    listed = _LISTED.search(said)
    names = _NAME.findall(listed["names"]) if listed is not None else ()
    return next((FIELDS[name] for name in names if name in FIELDS), cause)


def _told(error: GatewayError, cause: Cause, said: str) -> GatewayError:
    """Give what a caller is told where the words say more than the status."""
    if cause == "quota" and error.code != UpstreamRateLimited.SPENT:
        return UpstreamRateLimited(said, code=UpstreamRateLimited.SPENT, retry_after=error.retry_after)
    return UpstreamRejected(said) if cause == "filtered" and isinstance(error, UpstreamCredential) else error


read_failure: Final = reader(CAUSES, _ADDRESS)
_read_unmade: Final = reader(CAUSES, _UNMADE)


def read_made(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
    """Read the refusal of embeddings or pictures: many servers have nothing but chats at their addresses."""
    failure = _read_unmade(status, body, headers, now)
    if failure.cause == "address":
        return Failure(NotFound(failure.error.message), "resource", status=failure.status)
    said = read_details(body).message
    if status == 501 or (status == 403 and _UNABLE in said):  # llama.cpp, not started for embeddings; a chat model
        return Failure(NotFound(said), "resource", status=status)
    return failure


def _list(said: str) -> str:
    """Give the words of a refusal that names several fields, up to the first of them."""
    found = _LISTED.search(said)
    return found[0].partition(",")[0] if found is not None else ""


READERS.append(_list)


def longest(said: str) -> int | None:
    """Give how many tokens an answer may have, as a refusal names it."""
    found = _LONGEST.search(said.lower())
    return int(found[1]) if found is not None else None


def is_error(payload: bytes) -> bool:
    """Tell whether what came under status 200 is an error."""
    return _within(payload) is not None


def without_key(failure: Failure, key: str) -> Failure:
    """Mask a key that a refusal repeats: its words are told, logged and kept."""
    failure.error.message = redact(failure.error.message, (key,))
    failure.args = (failure.error.message,)
    return failure


def _within(payload: bytes) -> bytes | None:
    """Give the error that an event of either API carries, or a choice; None when there is none."""
    payload = unwrapped(payload)
    event = read(payload, _EVENT)
    if event is None:
        return None
    if event.error not in _NOTHING:
        return payload
    for place in (event.response, *(event.choices or ())):
        if place is not None and place.error not in _NOTHING:
            return b'{"error":%b}' % place.error
    if "error" in (event.type, event.object):
        return payload
    return payload if not event.choices and (is_outcome(payload) or stands_alone(payload)) else None
