"""What a failed upstream call is to a pool: a cause, and a rule for where to go from there.

status, body ─► the upstream's own reader ─► Failure(cause) ─► its rules[cause] ─► the journey's next step
"""

import math
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

from gateway.adapters.echoes import COSTLY, LESSONS, OF_CREDENTIAL
from gateway.adapters.room import room_of
from gateway.dialects.gemini.errors import Details, read_details, without
from gateway.dialects.raw import read
from gateway.errors import (
    GatewayError,
    ModelNotFound,
    StreamBroken,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.transport import Broken, ConnectFailed, FirstByteTimeout, TransportError, told

__all__ = [
    "AMENDED",
    "COMMON",
    "KEYED",
    "NOT_HERE",
    "REGION",
    "SHORT_S",
    "STATUSES",
    "Cause",
    "Causes",
    "Failure",
    "OfModel",
    "ReadFailure",
    "Rule",
    "Rules",
    "blamed",
    "cause_of",
    "nameless",
    "narrowed",
    "of_address",
    "of_service",
    "own_words",
    "quota_wait",
    "unreachable",
]

# What a refusal names is written otherwise, or left out (`amendments`). A model takes these from nobody;
OfModel = Literal[
    "unsigned_parts",
    "level",
    "penalties",
    "begun",
    "logprobs",
    "instructions",
    "json_mode",
    "thinking_config",
    "limit",
    "old_limit",
    "new_limit",
    "thoughts",
    "echoes",
    "bounds",
    "emptiness",
    "effort",
    "spelling",
    "resting",
    "drawing",
    "drawing_thinking",
    "stops",
    "parallel",
    "verbosity",
    "counting",
    "options",
    "identity",
    "storing",
    "asides",
    "retention",
    "added_tools",
    "updates",
    "item_metadata",
    "descriptions",
    "incomplete",
    "kinds",
    "services",
    "summaries",
    "marks",
    "objects",
    "schemaless",
    "formless",
    "sealing",
    "silence",
    "adaptive",
    "budget",
    "stopping",
    "between",
    "both",
    "system_turns",
    "developers",
    "texts",
    "nulls",
    "remnants",
    "attached",
    "answers",
    "plain_ids",
    "short_ids",
    "structured",
    "output_config",
    "turn_config",
    "responses",
    "calling",
    "strictness",
    "patterns",
    "plain_schemas",
    "references",
    "typed_tools",
    "arguments",
    "asker",
    "parameters",
    "one_thought",
    "system_items",
    "vector_format",
    "unknown",
]
# these are about one request, or remembered elsewhere.
OfRequest = Literal[
    "schemas",
    "states",
    "choices",
    "signatures",
    "unsigned",
    "unanswered",
    "untied",
    "blanks",
    "crowded",
    "pictures",
    "thinking",
    "ids",
    "room",
    "effort_value",
    "idle_effort",
    "betas",
    "choice",
    "batch",
]
Cause = Literal[
    "rate_limit",
    "quota",
    "bare_429",
    "capacity",
    "server",
    "cancelled",
    "garbled",
    "unreachable",
    "broken",
    "malformed",
    "key",
    "token",
    "forbidden",
    "scope",
    "keyless",
    "verification",
    "service",
    "permission",
    "banned",
    "missing",
    "resource",
    "kept",
    "location",
    "project",
    "login",
    "refresh",
    "cooling",
    "funds",
    "filtered",
    "oversized",
    "address",
    "final",
    OfModel,
    OfRequest,
]
Mark = Literal["cool", "cool_briefly", "disable", "verify"]
Renew = Literal["token", "project", "body"]


class Rule(Struct, frozen=True, kw_only=True):
    """What a cause leads to; the ways are tried from top to bottom.

    `renew`: first a new access token or a new project, one after the other and each once for each credential, or a body
    without what was refused. `base`: the next base URL, also for a status not in retry.on. `mark`: what then becomes of
    the credential, `cool_briefly` only where another one does better; `words`: why it is disabled. `fails`: several in
    a row make the credential a suspect; `spent`: nothing is left of its quota. `others`: how many other credentials may
    be tried; `counted`: whether that counts against retry.attempts. `waits`: a cool-down may be waited for. `again`:
    how often the same way may be gone again, after a pause. `retries`: the most tries after the first one, in whatever
    way. `always`: also for a status not in retry.on.
    """

    renew: tuple[Renew, ...] = ()
    base: bool = False
    mark: Mark | None = None
    words: str = ""
    fails: bool = False
    spent: bool = False
    others: float = 0
    counted: bool = False
    waits: bool = False
    again: float = 0
    pause: bool = True
    retries: float = math.inf
    always: bool = False

    @property
    def shortage(self) -> bool:
        """Whether the caller is told about the pool instead of the last failure."""
        return self.waits or self.mark in ("disable", "verify")


class Failure(Exception):
    """A failed upstream call: `error` is what a caller is told, `cause` says where to go from here.

    `wait_s`: how long the upstream says to wait. `link`: where the account's owner can lift it. `reason`: Google's.
    `own`: its words for itself, besides the message. `again`: whether it says that the same call may be made again.
    `names`: of accounts, which nobody is told. `repeats`: what it says of the credential or the model, the request
    says. Its str is what operators are told, `inside` where that is more than callers are.
    """

    def __init__(
        self,
        error: GatewayError,
        cause: Cause,
        *,
        status: int | None = None,
        wait_s: float | None = None,
        link: str | None = None,
        reason: str = "",
        inside: str = "",
    ) -> None:
        super().__init__(inside or error.message)
        self.error = error
        self.cause: Cause = cause
        self.status = status
        self.wait_s = wait_s
        self.link = link
        self.reason = reason
        self.own: dict[str, object] = {}
        self.again: bool | None = None
        self.names: tuple[str, ...] = ()
        self.repeats = False


Rules = Mapping[Cause, Rule]
ReadFailure = Callable[[int, bytes, Mapping[str, str], float], Failure]  # status, body, headers, Unix seconds

AMENDED: Final[Rules] = dict.fromkeys(get_args(OfModel) + get_args(OfRequest), Rule(renew=("body",), always=True))
COMMON: Final[Rules] = {
    **AMENDED,
    # short: the same credential once more after the pause, unless another one is free
    "rate_limit": Rule(mark="cool", others=math.inf, waits=True),
    "malformed": Rule(again=math.inf, pause=False),
    "cancelled": Rule(again=1, retries=1, always=True),
    "cooling": Rule(waits=True),
    "address": Rule(others=1, always=True),
    "final": Rule(),
}
# of an upstream that is asked by an API key
KEYED: Final[Rules] = {
    **COMMON,
    "quota": Rule(mark="cool", others=math.inf, always=True),
    "capacity": Rule(others=math.inf, counted=True, again=math.inf),  # as a rule of the model, whoever asks
    "server": Rule(others=math.inf, counted=True, again=math.inf, fails=True),
    "unreachable": Rule(again=math.inf, fails=True),
    "broken": Rule(again=math.inf, fails=True),
    "key": Rule(mark="disable", words="the API key was rejected", others=math.inf, always=True),
    "banned": Rule(mark="disable", words="refused for good", others=math.inf, always=True),
    "forbidden": Rule(others=math.inf, always=True),
    "scope": Rule(others=math.inf, always=True),  # the key is good, and held to other calls
    "missing": Rule(others=1, always=True),
    "location": Rule(),
}
# what a mere status means, whoever says it
STATUSES: Final[Mapping[int, Cause]] = {
    403: "forbidden",
    404: "missing",
    408: "server",
    424: "server",
    429: "rate_limit",
    499: "cancelled",
    529: "capacity",
}
_UNNAMED: Final[frozenset[Cause]] = frozenset({"final", "key", "forbidden"})  # as a status gives them that says little
SHORT_S: Final = 3.0  # a rate limit of up to this many seconds is no reason to leave the credential at once

# how Google says where it serves nobody, and what callers are told then
REGION: Final[tuple[tuple[frozenset[int], str, Cause], ...]] = (
    (frozenset({400}), "location is not supported", "location"),
    (frozenset({400}), "not available in your country", "location"),
)
NOT_HERE: Final = "the upstream is not available in this gateway's region"

_CLASSES: Final[Mapping[type, Cause]] = {
    UpstreamTimeout: "server",
    UpstreamUnavailable: "server",
    StreamBroken: "broken",
    UpstreamMalformed: "malformed",
}


class _Body(Struct):
    error: dict[str, object] = {}


_BODY: Final = msgspec.json.Decoder(_Body)
_OWN: Final = frozenset({"type", "code", "param", "status"})
_DETAILS: Final = "details"
_DAY_S: Final = 86_400.0
_DENIED: Final = (401, 403)
_BAD_GATEWAY: Final = 502
_FAILED: Final = 500
_NOT_NOW: Final = 503
_NO_ROOM: Final = (400, 422)
# What llama.cpp, llama-cpp-python, Xinference and Ollama say under it of requests that no further try makes better.
_OF_REQUEST: Final = (
    " input is not supported - hint: ",
    "'loc': ('body'",
    " validation error for Create",
    " validation errors for Create",
    "Unsupported tool type: ",
    "ystem message must be at the beginning",
    "roles must alternate",
    "failed to parse grammar",
    "ailed to parse tool call arguments",  # llama.cpp
    "No user query found",
    "Cannot pass both content and thinking",
)
# What a 404 says that is of the address, or of something else than a model.
_NOWHERE: Final = frozenset({"", "not found", "404 not found"})
_ELSEWHERE: Final = (
    "url",
    "uri",
    "path",
    "route",
    "endpoint",
    "page",
    "resource",
    "method",
    "cannot post",
    "file not found",  # llama.cpp
    " with id ",
)
# What NVIDIA and Azure say under 400 of a server or a model that fails.
_OF_SERVER: Final = ("DEGRADED function", "the model generated invalid Unicode output")
_UNQUOTED: Final = str.maketrans("", "", "`'\"")


class Causes(Struct, frozen=True):
    """How an upstream says what is wrong: its reasons, (status, words in lower case, unquoted), and mere statuses."""

    reasons: Mapping[str, Cause]
    words: tuple[tuple[frozenset[int], str, Cause], ...]
    statuses: Mapping[int, Cause]

    def __post_init__(self) -> None:
        COSTLY.update(words for _, words, cause in self.words if cause in OF_CREDENTIAL)
        LESSONS.update(words for _, words, cause in self.words if cause in AMENDED and " " in words)

    def find(self, code: int, reason: str, message: str) -> Cause:
        """Give the cause of a refusal; of several words the first that fit."""
        if reason in self.reasons:
            return self.reasons[reason]
        said = message.lower().translate(_UNQUOTED)
        for statuses, words, cause in self.words:
            if code in statuses and words in said:
                return cause
        if code in _NO_ROOM and room_of(message) is not None:
            return "room"
        return self.statuses.get(code) or ("server" if code >= 500 else "final")


def blamed(status: int, said: str) -> int:
    """Give the status of a refusal: 400 where it names the request as what is wrong, 503 where it is the server."""
    if status == _FAILED and any(words in said for words in _OF_REQUEST):
        return 400
    return _NOT_NOW if status == 400 and any(words in said for words in _OF_SERVER) else status


def narrowed(cause: Cause, error: GatewayError, said: str) -> Cause:
    """Give the cause where the words of a refusal, or the error that they are read as, say more than the table."""
    if cause == "funds" and room_of(said) is None:
        return "quota"
    return "missing" if cause in _UNNAMED and isinstance(error, ModelNotFound) else cause


def of_service(read: ReadFailure) -> ReadFailure:
    """Let a reader read what the service itself refuses; a page is of a proxy before it, which knows no credential."""

    def read_failure(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
        page = body.removeprefix(BOM_UTF8).lstrip()
        if status not in _DENIED or not _is_page(page, headers):
            return read(status, body, headers, now)
        words = (
            f"the upstream failed: a web page came instead of a response (status {status}), as from a proxy or firewall"
        )
        said = read_details(page).message
        return Failure(UpstreamUnavailable(f"{words}: {said}" if said else words), "server", status=_BAD_GATEWAY)

    return read_failure


def nameless(read: ReadFailure, names: Callable[[], Iterable[str]]) -> ReadFailure:
    """Let a reader tell nobody these names of accounts, which this gateway knows by now."""

    def read_failure(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
        failure = read(status, body, headers, now)
        failure.names = tuple(names())
        failure.args = (without(str(failure), failure.names),)
        failure.error.message = without(failure.error.message, failure.names)
        failure.error.args = (failure.error.message,)
        return failure

    return read_failure


def _is_page(body: bytes, headers: Mapping[str, str]) -> bool:
    begins = body[:1]
    kinds = (value for name, value in headers.items() if name.lower() == "content-type")
    return begins == b"<" or (begins not in (b"", b"{", b"[") and any("text/html" in kind.lower() for kind in kinds))


def of_address(kind: str, said: str) -> bool:
    """Tell whether a 404 that names no model is none of one: it has no type and no code, or speaks of where it is."""
    words = said.lower().strip(" .!")
    return not kind or words in _NOWHERE or any(place in words for place in _ELSEWHERE)


def own_words(body: bytes) -> dict[str, object]:
    """Read what an error body says of itself besides the message; {} when it is none that callers know.

    `details` is an object at Anthropic only.
    """
    given = read(body, _BODY)
    found = given.error if given is not None else {}
    words: dict[str, object] = {
        name: value for name, value in found.items() if name in _OWN and isinstance(value, str | int | None)
    }
    details = found.get(_DETAILS)
    return words | {_DETAILS: details} if isinstance(details, dict) else words


def unreachable(error: TransportError) -> Failure:
    """Say what a failure below HTTP means."""
    if isinstance(error, FirstByteTimeout):
        return Failure(told(error), "server", status=504)
    if isinstance(error, ConnectFailed):
        return Failure(told(error), "unreachable")
    return Failure(told(error), "broken" if isinstance(error, Broken) else "final")


def cause_of(error: GatewayError) -> Failure:
    """Say what an error means that came without an answer: silence, a broken or an empty stream."""
    for kind in type(error).__mro__:
        if kind in _CLASSES:
            return Failure(error, _CLASSES[kind])
    return Failure(error, "final")


def quota_wait(details: Details, given: float | None, now: float, *, believed: bool = True) -> float | None:
    """Say how long to wait after Google's 429: as it says, a day without any quota, until a day's quota begins anew.

    `believed`: whether the wait that it names holds also where a day's quota is used up.
    """
    if "limit: 0" in details.message.lower():
        return _DAY_S
    daily = any("perday" in name.lower() or "daily" in name.lower() for name in details.quota_ids)
    return _to_midnight(now) if daily and (given is None or not believed) else given


def _to_midnight(now: float) -> float:
    """Give the seconds to midnight in California, when Google's daily quotas begin anew."""
    try:
        zone = ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        return _DAY_S
    local = datetime.fromtimestamp(now, zone)
    midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), zone)
    return (midnight.astimezone(UTC) - local.astimezone(UTC)).total_seconds()
