"""Error bodies of OpenAI and its like, read into the error tree.

    {"error": {"message", "type", "param", "code"}}      {"error": "…"}      {"message", "type", "code"}      {"detail"}
    {"error": {"message", "code", "metadata": {"raw", "provider_name", "headers"}}}      data: {"error": …}
    {"errors": [{"message", "code"}]}      {"choices": null, "base_resp": {"status_code", "status_msg"}}
    {"error": "…", "details": {"_errors": ["…"], "FIELD": {"_errors": ["…"]}}}

In the second line, OpenRouter's, `raw` is what the provider behind it said, in whatever form, and `headers` are those
of the limit. What names an account or a key never gets into a message, nor does what the upstream repeats of the
request.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from gateway import errors
from gateway.dialects.gemini import errors as google
from gateway.dialects.gemini.errors import mask
from gateway.dialects.overlong import is_overlong
from gateway.dialects.raw import NOTHING, RAWS, TEXT, read
from gateway.errors import GatewayError

from .echoes import without_echoes
from .outbound_waits import wait_of

__all__ = ["OF_MCP", "Details", "is_outcome", "read_details", "read_error", "stands_alone", "unnamed", "unwrapped"]

_MAX_MESSAGE: Final = 2000
_LEAD: Final = 16
_EVENT: Final = b"data:"


class Details(Struct, frozen=True, kw_only=True):
    """What an error body says, for tables that act on it; only `message` is masked.

    `code`: OpenAI's word for the cause; a code that is an HTTP status is `status`. `headers`: of a limit, as the body
    repeats them, by names in lower case.
    """

    message: str = ""
    code: str = ""
    type: str = ""
    param: str = ""
    status: int | None = None
    headers: Mapping[str, str] = {}


_Cause = type[GatewayError]

_CODES: Final[dict[str, _Cause]] = {
    "context_length_exceeded": errors.ContextTooLong,
    "model_not_found": errors.ModelNotFound,
    "DeploymentNotFound": errors.ModelNotFound,
    "insufficient_quota": errors.UpstreamRateLimited,
    "billing_hard_limit_reached": errors.UpstreamRateLimited,
    "billing_not_active": errors.UpstreamRateLimited,
    "rate_limit_exceeded": errors.UpstreamRateLimited,
    "rate_limit_error": errors.UpstreamRateLimited,
    "invalid_api_key": errors.UpstreamCredential,
    "account_deactivated": errors.UpstreamCredential,
    "authentication_error": errors.UpstreamCredential,
    "overloaded": errors.UpstreamOverloaded,
    "overloaded_error": errors.UpstreamOverloaded,
    "engine_overloaded": errors.UpstreamOverloaded,
    "server_is_overloaded": errors.UpstreamOverloaded,
    "slow_down": errors.UpstreamOverloaded,
    "service_unavailable_error": errors.UpstreamOverloaded,
    "unsupported_country_region_territory": errors.UpstreamUnavailable,
    "server_error": errors.UpstreamUnavailable,
    "invalid_request_error": errors.UpstreamRejected,
}
_DEPENDS: Final = 424
OF_MCP: Final = "tool list from mcp server"  # OpenAI, Azure: that of the caller fails
_STATUSES: Final[dict[int, _Cause]] = {
    401: errors.UpstreamCredential,
    402: errors.UpstreamRateLimited,
    403: errors.UpstreamCredential,
    408: errors.UpstreamTimeout,
    409: errors.UpstreamUnavailable,
    _DEPENDS: errors.UpstreamUnavailable,  # Bedrock, TGI: the model failed
    425: errors.UpstreamUnavailable,
    429: errors.UpstreamRateLimited,
    498: errors.UpstreamOverloaded,  # Groq: no capacity for flex
    499: errors.UpstreamUnavailable,
    503: errors.UpstreamOverloaded,
    504: errors.UpstreamTimeout,
    529: errors.UpstreamOverloaded,
}
# What is wrong with a request, of which Responses tells in the answer only: there it has no status.
_BAD: Final = frozenset(
    {
        "bio_policy",
        "data_residency_mismatch",
        "empty_image_file",
        "failed_to_download_image",
        "image_content_policy_violation",
        "image_file_not_found",
        "image_file_too_large",
        "image_parse_error",
        "image_too_large",
        "image_too_small",
        "invalid_base64_image",
        "invalid_image",
        "invalid_image_format",
        "invalid_image_mode",
        "invalid_image_url",
        "invalid_prompt",
        "misalignment_policy_violation",
        "moderation_blocked",
        "unsupported_image_media_type",
    }
)
# Codes that hold whatever the status; of the others the status says more.
_ANY_STATUS: Final = frozenset(
    {
        "billing_hard_limit_reached",
        "context_length_exceeded",
        "insufficient_quota",
        "model_not_found",
        "unsupported_country_region_territory",
    }
)
_QUOTAS: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
# How a 404 says that it is the model, also in words of OpenRouter, NVIDIA and Databricks.
_UNSERVED: Final = ("model", "no endpoints found", "not found for account", "endpoint with name")
# Codes and types of a model that nobody serves, or not for this key, under whatever status a refusal has.
_UNKNOWN_MODEL: Final = frozenset(
    {
        "invalid_model",  # Mistral, Perplexity
        "key_model_access_denied",  # LiteLLM
        "model_decommissioned",  # Groq
        "model_not_available",  # Together
        "model_not_supported",  # Hugging Face, GitHub
        "model_permission_blocked_org",  # Groq
        "model_permission_blocked_project",
        "no_access",  # GitHub
        "org_model_access_denied",  # LiteLLM
        "project_model_access_denied",
        "team_model_access_denied",
        "unknown_model",  # GitHub
        "user_model_access_denied",  # LiteLLM
    }
)
_NO_MODEL: Final = (
    "is not a valid model id",  # OpenRouter
    "model not exist",  # DeepSeek
    "model does not exist",  # SiliconFlow
    "model not found",  # xAI
    "invalid model name",  # LiteLLM
    "invalid model identifier",  # LM Studio
    "not allowed to access model",  # LiteLLM
    "无权访问模型",  # new-api
    "have access to the model with",  # Bedrock
    "invalid model: ",  # older ones of Mistral's
    "model identifier is invalid",  # Bedrock
    "with on-demand throughput",  # Bedrock
    "unknown model",  # Zhipu, MiniMax
    "no such model",  # Cloudflare
)
# MiniMax's own codes, which come under 200, as statuses; it is at fault for the others.
_OUTCOMES: Final[dict[int, int]] = {
    1001: 504,
    1002: 429,  # requests a minute
    1004: 401,
    1008: 402,
    1026: 400,  # the prompt is filtered
    1027: 400,  # the answer is
    1039: 429,  # tokens a minute
    1041: 429,  # connections
    1042: 400,
    2013: 400,
    2045: 429,
    2049: 401,
    2056: 429,  # of a plan
}
_GOOD: Final = ("", "0", "200")  # as codes of what is no error
_ERRONEOUS: Final = "error"
_GONE: Final = (404, 410)
_REFUSED: Final = (0, 400, 401, 403, 422)
_WORDS: Final[dict[_Cause, str]] = {
    errors.UpstreamCredential: "the upstream rejects the gateway's credential",
    errors.UpstreamUnavailable: "the upstream failed",
    errors.UpstreamTimeout: "the upstream did not respond in time",
    errors.UpstreamMalformed: "the upstream's response cannot be used",
}
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{1,63}")
# Every quantifier is bounded: the text is not ours.
_ACCOUNT: Final = (
    (re.compile(r"\b(org-|proj_|user-)[A-Za-z0-9_-]{1,64}"), r"\1***"),
    (re.compile(r"(?i)\b(account '|team: |team/|api key id: )[A-Za-z0-9_-]{1,64}"), r"\1***"),
    (re.compile(r"\b(sk-)[A-Za-z0-9_*.-]{1,200}"), r"\1***"),
    (re.compile(r"\b[A-Za-z0-9_-]{0,40}\*{3,200}[A-Za-z0-9_-]{0,40}"), "***"),
)


def read_error(status: int, body: bytes, headers: Mapping[str, str], *, now: float | None = None) -> GatewayError:
    """Read an error answer, or an error event under status 200.

    `now` (Unix seconds) is needed for waits that are given as a date; without it those count as unknown.
    """
    details = read_details(body)
    code = status if status >= 400 else details.status or 0
    cause = _cause(code, details)
    said = details.message or f"status {code or status}"
    words = _WORDS.get(cause)
    wait = google.told_wait(google.read_details(unwrapped(body)), now)
    if wait is None:
        wait = wait_of(details.message, {**details.headers, **{name.lower(): headers[name] for name in headers}}, now)
    kept = code if code in (413, _DEPENDS) and cause is errors.UpstreamRejected else None
    words = f"{words}: {said}" if words else said
    return cause(words, status=kept, code=_code(cause, code, details), retry_after=wait)


def read_details(body: bytes) -> Details:
    """Read what an error body says; one that nobody knows gives a snippet as its message."""
    found = _find(body)
    if found is None:
        said = ": ".join((google.read_details(body).message, *_faults(body)))
        return Details(message=_masked(without_echoes(said)))
    code, status = _text(found.code), found.status if isinstance(found.status, int) else None
    if code.isascii() and code.isdigit() and len(code) == 3:
        code, status = "", int(code)
    message = found.message if found.message is not None else found.detail
    if message is None:
        message = ""
    said = message if isinstance(message, str) else msgspec.json.encode(message).decode()
    metadata = None if found.metadata is UNSET else read(found.metadata, _METADATA)
    if metadata is not None and (behind := _behind(metadata)):
        said = f"{said}: {behind}" if said else behind
    param = _text(found.param)
    if " " in param:  # Xiaomi's words for what is wrong
        said, param = f"{said}: {param}" if said else param, ""
    return Details(
        message=_masked(without_echoes(said)),
        code=code,
        type=_text(found.type),
        param=param,
        status=status,
        headers=_limits(metadata),
    )


class _Error(Struct):
    message: object = None
    code: object = None
    type: object = None
    param: object = None
    status: object = None
    detail: object = None
    metadata: Raw | UnsetType = UNSET


class _Body(_Error):
    error: _Error | None = None
    errors: Raw | UnsetType = UNSET  # Cloudflare's
    base_resp: Raw | UnsetType = UNSET  # MiniMax's


class _Outcome(Struct):
    status_code: int = 0
    status_msg: str = ""


class _Metadata(Struct):
    raw: Raw | UnsetType = UNSET
    provider_name: str | None = None
    headers: dict[str, object] | None = None


class _Fault(Struct):
    errors: list[str] = field(name="_errors")


class _Faulty(Struct):
    details: dict[str, Raw] = {}


_BODY: Final = msgspec.json.Decoder(_Body)
_FAULTY: Final = msgspec.json.Decoder(_Faulty)
_FAULT: Final = msgspec.json.Decoder(_Fault)
_WRONGS: Final = msgspec.json.Decoder(list[str])
_ERRORS: Final = msgspec.json.Decoder(list[_Error])
_METADATA: Final = msgspec.json.Decoder(_Metadata)
_OUTCOME: Final = msgspec.json.Decoder(_Outcome)


def unwrapped(body: bytes) -> bytes:
    """Give the first of an array, into which Google's server of this dialect puts an error; any other body as it is.

    Of an event, as which Xiaomi and Qwen write the refusal of a stream, its data.
    """
    lead = body[:_LEAD].lstrip()
    if lead.startswith(_EVENT):
        return body.lstrip().removeprefix(_EVENT).partition(b"\n")[0].strip()
    if not lead.startswith(b"["):
        return body
    given = read(body, RAWS)
    return bytes(given[0]) if given else body


def _find(body: bytes) -> _Error | None:
    given = read(unwrapped(body), _BODY)
    if given is None:
        return None
    several = None if given.errors is UNSET else read(given.errors, _ERRORS)
    found = given.error or (several[0] if several else None) or _failed(given) or given
    said = found.message, found.detail, found.code, given.error and given.error.type
    return None if all(one is None for one in said) else found


def is_outcome(body: bytes) -> bool:
    """Tell whether a body without choices says why there are none, as MiniMax's do."""
    given = read(body, _BODY)
    return given is not None and _failed(given) is not None


def stands_alone(body: bytes) -> bool:
    """Tell whether an event without choices is an error by itself: several, or words with a code, or such a type."""
    given = read(body, _BODY)
    if given is None:
        return False
    several = None if given.errors is UNSET else read(given.errors, _ERRORS)
    if several:
        return True
    bad = _text(given.code) not in _GOOD or _ERRONEOUS in _text(given.type)
    return bad and isinstance(given.message, str) and bool(given.message)


def _failed(given: _Body) -> _Error | None:
    outcome = None if given.base_resp is UNSET else read(given.base_resp, _OUTCOME)
    if outcome is None or not outcome.status_code:
        return None
    said = f"{outcome.status_msg} ({outcome.status_code})".strip()
    return _Error(message=said, status=_OUTCOMES.get(outcome.status_code, 500))


def _faults(body: bytes) -> Iterator[str]:
    """Give what is wrong with a request where a server is built on zod, as Venice: its error alone does not say it."""
    details = given.details if (given := read(body, _FAULTY)) is not None else {}
    yield from read(details.get("_errors", Raw(b"")), _WRONGS) or ()
    for name, raw in details.items():
        if (fault := read(raw, _FAULT)) is not None:
            yield from (f"{name}: {wrong}" for wrong in fault.errors)


def _limits(metadata: _Metadata | None) -> Mapping[str, str]:
    """Give the headers of a limit that a router repeats in the body."""
    given = metadata.headers if metadata is not None else None
    return {name.lower(): str(value) for name, value in (given or {}).items()}


def _behind(told: _Metadata) -> str:
    """Give what the provider behind a router said, and which one it was."""
    if told.raw is UNSET or bytes(told.raw) in NOTHING:
        return ""
    words = read(told.raw, TEXT)
    body = bytes(told.raw) if words is None else words.encode("utf-8", "replace")
    inner = _find(body)
    said = inner.message if inner is not None and isinstance(inner.message, str) else body.decode("utf-8", "replace")
    return f"{told.provider_name}: {said}" if told.provider_name else said


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def unnamed(text: str) -> str:
    """Give an upstream's words without what names an account or a key; as they are when nothing does."""
    masked = _masked(text)
    return text if masked == " ".join(text.split())[:_MAX_MESSAGE] else masked


def _masked(text: str) -> str:
    line = mask(text)
    for name, stand_in in _ACCOUNT:
        line = name.sub(stand_in, line)
    return line[:_MAX_MESSAGE]


def _cause(status: int, details: Details) -> _Cause:
    if details.code in _ANY_STATUS:
        return _CODES[details.code]
    if status in (0, 400, 412, 413, 417, 422) and is_overlong(details.message):
        return errors.ContextTooLong
    if status in _REFUSED and _names_no_model(details):
        return errors.ModelNotFound
    if status in _GONE:
        said = details.param or details.message.lower()
        if details.code in _CODES or details.code in _UNKNOWN_MODEL or any(words in said for words in _UNSERVED):
            return errors.ModelNotFound
        of_request = bool(details.param)  # it names what is not there
        return errors.UpstreamRejected if of_request else errors.UpstreamUnavailable
    if status == 0:
        if details.code in _BAD:
            return errors.UpstreamRejected
        return _CODES.get(details.code) or _CODES.get(details.type) or errors.UpstreamUnavailable
    if status in _STATUSES and not (status == _DEPENDS and OF_MCP in details.message.lower()):
        return _STATUSES[status]
    return errors.UpstreamUnavailable if status >= 500 else errors.UpstreamRejected


def _names_no_model(details: Details) -> bool:
    """Tell whether a refusal is about a model that the upstream does not have, or not for this key."""
    said = details.message.lower()
    return not _UNKNOWN_MODEL.isdisjoint((details.code, details.type)) or any(words in said for words in _NO_MODEL)


def _code(cause: _Cause, status: int, details: Details) -> str | None:
    """Give the code that a caller is told: where it says more than the class of the error."""
    if cause is errors.UpstreamRateLimited and (status == 402 or details.code in _QUOTAS):
        return errors.UpstreamRateLimited.SPENT
    if cause is errors.UpstreamRejected and _WORD.fullmatch(details.code):
        return details.code
    return None
