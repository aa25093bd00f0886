"""What each failure of Anthropic means: for the key, and for the next try.

    status, body ─► read_failure ─► Failure(cause) ─► RULES[cause] ─► the journey's next step

A 401 is about the key; a 403 is about what was asked for, so the key stays in use. Money that is used up comes as a
400, and only its words tell it from a bad request. An error event in an answer has no status but the same types.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.adapters.amendments import TWOFOLD
from gateway.adapters.failures import (
    KEYED,
    NOT_HERE,
    STATUSES,
    Cause,
    Causes,
    Failure,
    Rules,
    blamed,
    narrowed,
    of_address,
    of_service,
)
from gateway.dialects.anthropic.outbound_errors import Details, read_details, read_error
from gateway.dialects.raw import read
from gateway.errors import (
    GatewayError,
    ModelNotFound,
    NotFound,
    UpstreamCredential,
    UpstreamRateLimited,
    UpstreamUnavailable,
)

__all__ = ["RULES", "is_error", "read_failure"]

RULES: Final[Rules] = {
    **KEYED,
    "funds": replace(KEYED["quota"], renew=("body",)),
}

_400: Final = frozenset({400})
_BAD: Final = frozenset({400, 422})
_KEY: Final = frozenset({400, 401, 403})
_WAYS: Final[Mapping[str, Cause]] = {"enabled": "budget", "adaptive": "adaptive", "disabled": "stopping"}
_CAUSES: Final = Causes(
    reasons={
        "organization_on_hold": "banned",
        "claude_code_key_creator_not_member": "key",
        "contract_spend_limit_reached": "quota",
        "enforced_spend_limit_reached": "quota",
        "linked_organization_billing_unavailable": "quota",
        "linked_organization_spend_limit_reached": "quota",
        "cmek_key_disabled": "forbidden",
        "cmek_key_network_blocked": "forbidden",
    },
    words=(
        (_KEY, "organization has been disabled", "banned"),
        (_KEY, "account has been disabled", "banned"),
        (_KEY, "key has been disabled", "banned"),
        (_KEY, "credit balance is too low", "quota"),
        (_KEY, "specified api usage limits", "quota"),
        (frozenset({403}), "request not allowed", "location"),
        *TWOFOLD,
        # thoughts that are sent back
        (_400, "invalid signature in thinking", "signatures"),
        (_400, "signature: field required", "signatures"),
        (_400, "must contain thinking", "signatures"),  # an older model, of what a newer one has signed without words
        (_400, "invalid data in redacted_thinking", "signatures"),
        (_400, "thinking or redacted_thinking blocks in the latest assistant message cannot be modified", "signatures"),
        (_400, "expected thinking or redacted_thinking", "thinking"),
        # what is left in a conversation
        (_400, "unexpected tool_use_id found in tool_result", "unanswered"),
        (_400, "first message must use the user role", "unanswered"),
        (_400, "text content blocks must ", "blanks"),  # be non-empty, contain non-whitespace text
        (_400, "must have non-empty content", "blanks"),
        (_400, "cannot be set for empty text blocks", "blanks"),
        (_400, "content cannot be empty if is_error is true", "blanks"),
        (_400, "blocks with cache_control may be provided", "crowded"),
        (_400, "media type, but the image appears to be a", "pictures"),
        (_400, "does not support assistant message prefill", "begun"),
        # how much is thought
        (_400, "tool_choice forces tool use", "choice"),
        (_400, "between_tools} instead of {type: disabled", "between"),
        (_400, "adaptive thinking is not supported", "adaptive"),
        (_400, "thinking.type.adaptive is not supported", "adaptive"),
        (_400, "input tag adaptive", "adaptive"),
        (_400, "thinking.type.enabled is not supported", "budget"),
        (_400, "thinking.type.disabled is not supported", "stopping"),
        *((_BAD, f"invalid thinking.type: {kind}", cause) for kind, cause in _WAYS.items()),  # MiniMax
        (_400, "input tag disabled", "stopping"),
        (_400, "only type=enabled is allowed", "stopping"),  # Moonshot
        (_400, "does not support thinking", "thinking"),
        (_400, "thinking is not supported", "thinking"),
        (_400, "does not support the effort parameter", "effort"),
        (_400, "output_config.effort: extra inputs", "effort"),
        (_400, "cannot be disabled when reasoning_effort is set", "idle_effort"),  # DeepSeek
        (_400, "is not supported when thinking is disabled", "idle_effort"),
        (_400, "does not support effort level", "effort_value"),
        (_400, "output_config.effort: input should be", "effort_value"),
        # how the answer is drawn
        (_400, "temperature and top_p cannot both be specified", "both"),
        *(
            (_400, f"{name} {words}", "drawing")
            for name in ("temperature", "top_p", "top_k")
            for words in ("is deprecated", "is not supported")
        ),
        (_400, "temperature may only be set", "drawing_thinking"),
        (_400, "top_p must be >= 0.95", "drawing_thinking"),
        (_400, "top_p must be greater than or equal to 0.95", "drawing_thinking"),
        (_400, "top_k must be unset", "drawing_thinking"),
        *((_400, f"{name}: extra inputs", "drawing") for name in ("temperature", "top_p", "top_k")),
        # what else a model may not know
        (_400, "unexpected role system", "system_turns"),
        (_400, "role system is not supported", "system_turns"),
        (_BAD, "input should be user or assistant", "system_turns"),  # pydantic
        (_BAD, "unknown variant system", "system_turns"),  # DeepSeek, Qwen
        (_BAD, "message role: system", "system_turns"),  # MiniMax
        (_BAD, "invalid value: system, supported values are", "system_turns"),  # Volcengine
        (_BAD, "must be either user or assistant, but got system", "system_turns"),  # Xiaomi
        (_BAD, "expected user | assistant", "system_turns"),  # LM Studio
        (_400, "does not support output format", "structured"),
        (_400, "does not support structured outputs", "structured"),
        (_400, "output_config.format: extra inputs", "structured"),
        (_400, ".output_config: extra inputs", "turn_config"),  # of one message
        (_400, "output_config: extra inputs", "output_config"),
        (_400, "strict: extra inputs", "strictness"),
        (_400, "does not support strict tools", "strictness"),
        (_BAD, "tool_use.id: string should match", "plain_ids"),  # where Kimi's are not taken
        (_BAD, "unsupported content type in contentblockparamunion: tool_reference", "references"),  # Moonshot
        (_BAD, "unknown variant tool_reference", "references"),  # DeepSeek
        (_BAD, "input tag tool_reference found", "references"),  # pydantic
        (_BAD, "unknown variant custom", "typed_tools"),  # DeepSeek
        (_400, "is not a regex", "patterns"),  # DeepSeek and others that have Anthropic's API
        (_400, "for the anthropic-beta header", "betas"),
        (_400, "invalid beta flag", "betas"),  # Amazon Bedrock
        (_400, "extra inputs are not permitted", "unknown"),
    ),
    statuses={**STATUSES, 401: "key", 402: "quota", 409: "server", 503: "capacity"},
)
_OURS: Final[Mapping[Cause, str]] = {  # 400s that are no fault of the caller's
    "banned": "the upstream rejects the gateway's credential",
    "key": "the upstream rejects the gateway's credential",
    "forbidden": "the upstream rejects the gateway's credential",
}
_ADDRESS: Final = "there is nothing at this URL of the upstream; base_url is given without /v1"
_UNTHREADED: Final = "thread: extra inputs"  # a server that keeps no threads
_REGAIN: Final = re.compile(r"regain access on (\d{4}-\d\d-\d\d) at (\d\d:\d\d) UTC")


class _Details(Struct):
    error_code: str | None = None


class _Error(Struct):
    details: _Details | None = None


class _Event(Struct):
    type: str | None = None
    error: _Error | None = None


_EVENT: Final = msgspec.json.Decoder(_Event)


@of_service
def read_failure(status: int, body: bytes, headers: Mapping[str, str], now: float) -> Failure:
    """Read an error answer, or the payload of an error event under status 200."""
    details = read_details(body)
    status = blamed(status, details.message)
    error = read_error(status, body, headers, now=now)
    code = status if status >= 400 else details.status or error.status
    reason = _code(body)
    cause = _CAUSES.find(code, reason, details.message)
    error, cause = _whose(error, cause, details, reason)
    if _UNTHREADED in details.message.lower():
        error.param = "thread"  # so that the caller is told as this gateway does
    if error.retry_after is None and cause == "quota":
        error.retry_after = _regained(details.message, now)
    return Failure(error, cause, status=code, wait_s=error.retry_after, reason=details.type)


def is_error(payload: bytes) -> bool:
    """Tell whether what came under status 200 is an error."""
    event = read(payload, _EVENT)
    return event is not None and (event.type == "error" or event.error is not None)


def _code(body: bytes) -> str:
    """Give the word for the cause that newer versions of the API have beside the type."""
    event = read(body, _EVENT)
    details = event.error.details if event is not None and event.error is not None else None
    return (details.error_code if details is not None else None) or ""


def _whose(error: GatewayError, cause: Cause, details: Details, reason: str) -> tuple[GatewayError, Cause]:
    """Keep from the caller what is not the caller's to mend."""
    said = details.message
    cause = narrowed(cause, error, said)
    if cause == "quota" and not isinstance(error, UpstreamRateLimited):
        return UpstreamRateLimited(said, code=UpstreamRateLimited.SPENT, retry_after=error.retry_after), cause
    if cause in _OURS and not isinstance(error, UpstreamCredential):
        return UpstreamCredential(f"{_OURS[cause]}: {said}"), cause
    if cause == "location":
        return UpstreamUnavailable(f"{NOT_HERE}: {said}"), cause
    if cause == "missing" and not isinstance(error, ModelNotFound):
        if reason:
            return NotFound(said), "final"  # a thread, say, that the caller goes on without once it reads so
        if not of_address(details.type, said):
            return ModelNotFound(said), cause
        return UpstreamUnavailable(f"{_ADDRESS}: {said or 'status 404'}"), "address"
    return error, cause


def _regained(said: str, now: float) -> float | None:
    """Read when a budget that the operator has set for the organization begins anew."""
    found = _REGAIN.search(said)
    if found is None:
        return None
    try:
        moment = datetime.strptime(f"{found[1]} {found[2]}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    except ValueError:
        return None
    return max(moment.timestamp() - now, 0.0)
