"""Google's error bodies, read into the error tree.

    {"error": {"code": 429, "message": "…", "status": "RESOURCE_EXHAUSTED", "details": [{"@type": …}, …]}}

The body may be an array of one, may have doubled commas, and may carry Anthropic's own error as a JSON string in
`message`. A server that is built on OpenAI's has a word for its `code`. What names an account (project, e-mail, links
with queries) never gets into a message.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec
from msgspec import Raw, Struct, field

from gateway import errors
from gateway.dialects.overlong import is_overlong
from gateway.dialects.raw import read
from gateway.errors import GatewayError
from gateway.redact import redact

from .wire import epoch

__all__ = ["Details", "duration", "header_wait", "mask", "read_details", "read_error", "told_wait", "without"]

_MAX_MESSAGE: Final = 2000
_MAX_SNIPPET: Final = 200
_DIGITS: Final = 16
_SHORTEST_NAME: Final = 6  # as long as a project's id is at least; a shorter one may be any word


class Details(Struct, frozen=True, kw_only=True):
    """What an error body says, for tables that act on it.

    `reason`, `domain`, `metadata`: of ErrorInfo. `quota_ids`: of QuotaFailure. `most_read`: the tokens of prompts that
    its quota allows in a minute, 0 = it is about something else. `links`: of Help, description → URL.
    `delay_s`: how long to wait, `reset_at`: until when (Unix seconds). Only `message` is masked.
    """

    code: int | None = None
    status: str = ""
    message: str = ""
    reason: str = ""
    domain: str = ""
    metadata: dict[str, str] = {}
    quota_ids: tuple[str, ...] = ()
    most_read: int = 0
    links: dict[str, str] = {}
    validation_url: str | None = None
    delay_s: float | None = None
    reset_at: float | None = None


# Statuses of the body, for errors that come under HTTP 200 without a code.
_CODES: Final = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_CLASSES: Final[dict[int, type[GatewayError]]] = {
    400: errors.UpstreamRejected,
    401: errors.UpstreamCredential,
    402: errors.UpstreamRateLimited,
    403: errors.UpstreamCredential,
    404: errors.ModelNotFound,
    408: errors.UpstreamTimeout,
    429: errors.UpstreamRateLimited,
    499: errors.UpstreamUnavailable,
    503: errors.UpstreamOverloaded,
    504: errors.UpstreamTimeout,
    529: errors.UpstreamOverloaded,
}
_REASONS: Final[dict[str, type[GatewayError]]] = {
    "MODEL_CAPACITY_EXHAUSTED": errors.UpstreamOverloaded,
    "API_KEY_INVALID": errors.UpstreamCredential,  # comes as a 400
}
_WORDS: Final[dict[type[GatewayError], str]] = {
    errors.UpstreamCredential: "the upstream rejects the gateway's credential",
    errors.UpstreamUnavailable: "the upstream failed",
    errors.UpstreamTimeout: "the upstream did not respond in time",
    errors.UpstreamMalformed: "the upstream's response cannot be used",
}


def read_error(status: int, body: bytes, headers: Mapping[str, str], *, now: float | None = None) -> GatewayError:
    """Read an error answer, or an error event under status 200.

    `now` (Unix seconds) is needed for waits that are given as a date; without it those count as unknown.
    """
    details = read_details(body)
    code = status if status >= 400 else details.code or _CODES.get(details.status, 0)
    cause = _cause(code, details)
    wait = _wait(details, {name.lower(): value for name, value in headers.items()}.get("retry-after"), now)
    said = details.message or f"status {code or status}"
    words = _WORDS.get(cause)
    kept = code if code == 413 and cause is errors.UpstreamRejected else None
    return cause(f"{words}: {said}" if words else said, status=kept, retry_after=wait)


def read_details(body: bytes) -> Details:
    """Read what an error body says; one that is not Google's gives a snippet as its message."""
    found = _find(body)
    if found is None:
        return Details(message=mask(_snippet(body))[:_MAX_SNIPPET])
    parts = [part for raw in found.details or () if (part := read(raw, _DETAIL)) is not None]
    info = next((part for part in parts if part.reason), _Detail())
    metadata = {key: value for key, value in (info.metadata or {}).items() if isinstance(value, str)}
    quotas = [quota for part in parts for quota in part.violations or ()]
    links = {link.description: link.url for part in parts for link in part.links or ()}
    return Details(
        code=_number(found.code),
        status=found.status or "",
        message=mask(_unwrapped(found.message or ""))[:_MAX_MESSAGE],
        reason=info.reason or "",
        domain=_STRAY.sub("", info.domain or ""),
        metadata=metadata,
        quota_ids=tuple(quota.id or quota.metric for quota in quotas),
        most_read=next((int(quota.value) for quota in quotas if _of_prompts(quota)), 0),
        links=links,
        validation_url=metadata.get("validation_url") or _validation_link(info.reason, links),
        delay_s=_delay(parts, metadata),
        reset_at=epoch(metadata.get("quotaResetTimeStamp")),
    )


def mask(text: str) -> str:
    """Put a text on one line, without credentials and without what names an account."""
    line = redact(" ".join(text[: 2 * _MAX_MESSAGE].split()))
    for name, stand_in in _ACCOUNT:
        line = name.sub(stand_in, line)
    return line


def without(text: str, names: Iterable[str]) -> str:
    """Mask names of accounts that are known, such as a project's id, wherever they stand by themselves."""
    known = {name for name in names if len(name) >= _SHORTEST_NAME and name in text}
    for name in known:
        if not _NAME.fullmatch(name):  # as `example.com:shop`
            text = text.replace(name, "***")
    return _NAME.sub(lambda found: "***" if found[0] in known else found[0], text) if known else text


# Every quantifier is bounded, or excludes what follows it: the text is not ours.
_NAME: Final = re.compile(r"[\w-]++")
_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ACCOUNT: Final = (
    (re.compile(r"(https?://[^\s?\"'<>]{1,500})\?[^\s\"'<>]*"), r"\1"),
    (re.compile(r"\bprojects/[^\s/\"'`,;)]+"), "projects/***"),
    (re.compile(r"(?i)\b(project(?:[ _](?:number|id))?[ =:#]{1,3}[\"'`]?)\d{6,}"), r"\1***"),
    (re.compile(r"\b(project(?:[ _]id)?[ =:]{1,3}[\"'`]?)(?!(?:number|resource)\b)[a-z][a-z0-9-]{5,29}\b"), r"\1***"),
    (re.compile(rf"(?i)\b(org(?:anization)?(?:['\u2019]s)?(?:[ _]id)?[ =:]{{0,3}}[(\"'`]{{0,2}}){_UUID}\b"), r"\1***"),
    (re.compile(r"\b(wrkspc_)[A-Za-z0-9]{1,64}"), r"\1***"),
    (re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), "***"),
)
_DOUBLED_COMMAS: Final = re.compile(rb",(?:[ \t\r\n]*,)+")
_STRAY: Final = re.compile(r"[^A-Za-z0-9.-]")
_TAG: Final = re.compile(r"<[^<>]*>")
_HIDDEN: Final = re.compile(r"(?is)<(style|script)\b.*?(?:</\1>|\Z)")
_DURATION: Final = re.compile(r"(?:\d{1,12}(?:\.\d{1,12})?(?:h|ms|m|us|µs|ns|s))+")
_STEP: Final = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(h|ms|m|us|µs|ns|s)")
_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_SPOKEN: Final = re.compile(
    r"(?i)\b(?:reset after|resets in|retry in|retry after|try again in) ((?:[\d.]{1,25}[hmsµnu]{1,2})+)"
)


class _Link(Struct):
    description: str = ""
    url: str = ""


class _Quota(Struct):
    id: str = field(default="", name="quotaId")
    metric: str = field(default="", name="quotaMetric")
    value: str | int = field(default="", name="quotaValue")


def _of_prompts(quota: _Quota) -> bool:
    words, most = quota.id.lower(), str(quota.value)
    return "inputtokens" in words and "perminute" in words and most.isdecimal() and len(most) < _DIGITS


class _Detail(Struct):
    """Any member of google.rpc that is of use, told apart by its fields."""

    reason: str | None = None
    domain: str | None = None
    metadata: dict[str, object] | None = None
    links: list[_Link] | None = None
    violations: list[_Quota] | None = None
    delay: str | None = field(default=None, name="retryDelay")


class _Status(Struct):
    code: int | str | None = None
    status: str | None = None
    message: str | None = None
    details: list[Raw] | None = None


class _Body(Struct):
    error: _Status | str
    description: str | None = field(default=None, name="error_description")  # of OAuth endpoints


class _Inner(Struct):
    error: _Status


_ONE: Final = msgspec.json.Decoder(_Body, strict=False)
_MANY: Final = msgspec.json.Decoder(list[_Body], strict=False)
_INNER: Final = msgspec.json.Decoder(_Inner, strict=False)
_DETAIL: Final = msgspec.json.Decoder(_Detail)


def _find(body: bytes) -> _Status | None:
    for text in (body, _DOUBLED_COMMAS.sub(b",", body)):
        first = next(iter(read(text, _MANY) or ()), None) if text.lstrip()[:1] == b"[" else read(text, _ONE)
        if first is not None:
            return _status(first)
    return None


def _status(body: _Body) -> _Status:
    if isinstance(body.error, str):
        return _Status(message=f"{body.error}: {body.description}" if body.description else body.error)
    return body.error


def _number(code: int | str | None) -> int | None:
    if not isinstance(code, str):
        return code
    return int(code) if code.isascii() and code.isdecimal() and len(code) < _DIGITS else None


def _unwrapped(message: str) -> str:
    """Give Anthropic's words when the message is its whole error body."""
    if not message.startswith("{"):
        return message
    inner = read(message, _INNER)
    return (inner.error.message if inner is not None else None) or message


def _snippet(body: bytes) -> str:
    text = body[:_MAX_MESSAGE].decode("utf-8", "replace")
    return _TAG.sub(" ", _HIDDEN.sub("", text)) if text.lstrip().startswith("<") else text


def _validation_link(reason: str | None, links: dict[str, str]) -> str | None:
    if reason != "VALIDATION_REQUIRED":
        return None
    return next((url for words, url in links.items() if "learn" not in words.lower()), None)


def _cause(code: int, details: Details) -> type[GatewayError]:
    if details.reason in _REASONS:
        return _REASONS[details.reason]
    if code == 400 and is_overlong(details.message):
        return errors.ContextTooLong
    if code in (429, 503) and details.message.startswith("No capacity available"):
        return errors.UpstreamOverloaded
    if code in _CLASSES:
        return _CLASSES[code]
    if code >= 500:
        return errors.UpstreamUnavailable
    return errors.UpstreamRejected if code >= 400 else errors.UpstreamMalformed


def _delay(parts: list[_Detail], metadata: dict[str, str]) -> float | None:
    given = [part.delay for part in parts if part.delay] + [metadata.get("quotaResetDelay") or ""]
    return next((delay for text in given if (delay := duration(text)) is not None), None)


def told_wait(details: Details, now: float | None) -> float | None:
    """Give the wait in seconds that the details of an error say; None when they say none."""
    if details.delay_s is not None:
        return details.delay_s
    return None if details.reset_at is None or now is None else max(details.reset_at - now, 0.0)


def _wait(details: Details, header: str | None, now: float | None) -> float | None:
    if (told := told_wait(details, now)) is not None:
        return told
    if header and (wait := header_wait(header.strip(), now)) is not None:
        return wait
    spoken = _SPOKEN.search(details.message)
    return duration(spoken[1]) if spoken else None


def header_wait(header: str, now: float | None) -> float | None:
    """Read `retry-after`: seconds, or a date, which needs `now` (Unix seconds)."""
    if re.fullmatch(r"\d{1,12}(?:\.\d{1,12})?", header):
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # as `asctime` writes it, which means UTC here (RFC 9110)
        moment = moment.replace(tzinfo=UTC)
    return None if now is None else max(moment.timestamp() - now, 0.0)


def duration(text: str) -> float | None:
    """Read a duration as Go and proto JSON write them, such as `25h20m26.17s` or `479.417207ms`."""
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _STEP.findall(text))
