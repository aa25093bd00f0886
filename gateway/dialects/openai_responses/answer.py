"""What streamed and whole answers share: the Response object around the items, ids, usage, ends and errors."""

import re
from typing import Final

import msgspec
from msgspec import Raw

from gateway import errors, ir
from gateway.dialects import Answering
from gateway.dialects.anthropic.answer import JSON
from gateway.dialects.openai_chat.answer import annotation
from gateway.dialects.places import Places
from gateway.dialects.searched import Search

__all__ = [
    "ITEM_ID",
    "SOURCES",
    "carries",
    "citation",
    "failure",
    "frame",
    "incomplete",
    "item_id",
    "response_id",
    "search",
    "usage",
]

ITEM_ID: Final = re.compile(r"[a-z]+_([0-9a-f]{24})[0-9a-f]{2,4}")  # with the id of the response in it
_INCLUDE: Final = "include"  # of what the request says, the object does not repeat it
_SEALED: Final = b'"reasoning.encrypted_content"'
SOURCES: Final = "web_search_call.action.sources"  # what a caller includes that wants to know where was looked

# What the object says when the caller did not; it is all there in any case, so that typed clients can read it.
_DEFAULTS: Final[JSON] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
_INCOMPLETE: Final[dict[ir.FinishReason, str]] = {
    "length": "max_output_tokens",
    "context_window": "max_output_tokens",
    "content_filter": "content_filter",
}
# Gemini's pause cuts the answer; Anthropic's hands the turn back. A model that refuses comes to its end
_NATIVE: Final[dict[tuple[ir.FinishReason, str | None], str | None]] = {
    ("pause", "CONTINUATION"): "max_output_tokens",
    ("content_filter", "stop"): None,
    ("content_filter", "completed"): None,
}

_OWN: Final = ("context_length_exceeded", errors.UpstreamRateLimited.SPENT)  # Codex does not try again then
_CODES: Final[dict[type, str]] = {  # the nearest class of the error's own line of descent counts
    errors.RateLimited: "rate_limit_exceeded",
    errors.UpstreamRateLimited: "rate_limit_exceeded",
    errors.CallerError: "invalid_prompt",
    errors.UpstreamRejected: "invalid_prompt",
    errors.GatewayError: "server_error",
}


def response_id(answering: Answering) -> str:
    """Give the id by which the answer can be asked for."""
    return f"resp_{answering.id}"


def item_id(prefix: str, answering: Answering, index: int) -> str:
    """Give the id of an item of the output."""
    return f"{prefix}_{answering.id}{index:02x}"


def frame(answering: Answering) -> JSON:
    """Make the Response object of an answer that has just begun."""
    thread = answering.request.thread or ir.Thread()
    return {
        "id": response_id(answering),
        "object": "response",
        "created_at": answering.created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        **_DEFAULTS,
        **{field: _line(raw) for field, raw in thread.echo.items() if field != _INCLUDE and bytes(raw) != b"null"},
        "model": answering.model,
        "output": [],
        "previous_response_id": thread.previous,
        "service_tier": "default",
        "store": thread.store,
        "usage": None,
    }


def _line(raw: Raw) -> Raw:
    """Give the caller's own words on one line: an event must not be broken by them."""
    return Raw(msgspec.json.format(bytes(raw), indent=-1))


def carries(answering: Answering) -> bool:
    """Tell whether the caller is to keep what seals the thoughts: it asked for it, or nobody else keeps them."""
    thread = answering.request.thread or ir.Thread()
    return not thread.store or _SEALED in _included(thread)


def _included(thread: ir.Thread) -> bytes:
    return bytes(thread.echo.get(_INCLUDE, b""))


def search(told: Search, answering: Answering) -> JSON:
    """Make the action of a search of the web; its sources are for callers that asked for them."""
    action: JSON = {"type": "search", "query": ", ".join(told.queries), "queries": list(told.queries)}
    if f'"{SOURCES}"'.encode() in _included(answering.request.thread or ir.Thread()):
        action["sources"] = [{"type": "url", "url": url} for url in told.found]
    return action


def usage(counted: ir.Usage) -> JSON:
    """Make usage; both details are always there."""
    return {
        "input_tokens": counted.input,
        "input_tokens_details": {"cached_tokens": counted.cache_read, "cache_write_tokens": counted.cache_write},
        "output_tokens": counted.output,
        "output_tokens_details": {"reasoning_tokens": counted.reasoning},
        "total_tokens": counted.input + counted.output,
    }


def incomplete(finish: ir.Finished) -> str | None:
    """Give the reason why an answer is incomplete; None = it is complete."""
    return _NATIVE.get((finish.reason, finish.native), _INCOMPLETE.get(finish.reason))


def failure(error: errors.GatewayError) -> JSON:
    """Make the error of an answer that failed; its codes are fewer than those of an HTTP error."""
    kind = next(_CODES[cause] for cause in type(error).__mro__ if cause in _CODES)
    return {"code": error.code if error.code in _OWN else kind, "message": error.message}


def citation(source: ir.CitationDelta, text: Places) -> JSON:
    """Make the annotation of a source; its indices count characters of the part."""
    place = annotation(source, text, 0).url_citation
    return {"type": "url_citation", **msgspec.structs.asdict(place)}
