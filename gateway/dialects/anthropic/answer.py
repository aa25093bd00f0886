"""What a streamed and a whole answer share: block shapes, ids, signatures, stop reasons, usage."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from msgspec.json import Encoder
from msgspec.structs import replace

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.gemini.names import map_id
from gateway.dialects.searched import searched
from gateway.dialects.shown import data_url, markdown
from gateway.sse import json_line

__all__ = [
    "JSON",
    "Shows",
    "carrier",
    "citation",
    "encode",
    "envelope",
    "message",
    "picture",
    "search",
    "shows",
    "stop",
    "text_block",
    "thinking_block",
    "tool_block",
    "usage",
]

JSON = dict[str, object]
Shows = Literal["words", "signatures", "nothing"]

_encoder: Final = Encoder()

_REASONS: Final[dict[ir.FinishReason, str]] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "context_window": "model_context_window_exceeded",
    "content_filter": "refusal",
    "pause": "pause_turn",
}


def encode(value: object) -> bytes:
    """Write JSON that stays on one line for every client."""
    return json_line(_encoder.encode(value))


def text_block(text: str) -> JSON:
    """Make a text block."""
    return {"type": "text", "text": text}


def thinking_block(text: str, signature: str) -> JSON:
    """Make a thinking block."""
    return {"type": "thinking", "thinking": text, "signature": signature}


def tool_block(call: ir.ToolCall | ir.BlockStarted, number: int, arguments: object, answering: Answering) -> JSON:
    """Make a tool_use block; clients check that ids are of letters, digits, `_` and `-`."""
    identifier = map_id(call.id) if call.id else f"toolu_{answering.id}{number}"
    return {"type": "tool_use", "id": identifier, "name": call.name, "input": arguments}


def picture(media: ir.Media | ir.MediaChunk) -> str:
    """Show media in Markdown: this dialect has no such block in answers."""
    if media.media_type.startswith("image/"):
        return markdown(media.media_type, media.data or "")
    return f"[file]({data_url(media.media_type, media.data or '')})"


def citation(source: ir.CitationDelta) -> JSON:
    """Make a citation of a text block."""
    return {
        "type": "web_search_result_location",
        "url": source.url,
        "title": source.title or None,
        "encrypted_index": "",
        "cited_text": source.text,
    }


def search(
    sources: Sequence[ir.CitationDelta], opaque: Sequence[ir.OpaqueEvent], answering: Answering
) -> Iterable[JSON]:
    """Make the pair of blocks that says a web search took place, and for what, for callers that asked for one.

    It stands last: the upstream names its sources when the text has already gone out.
    """
    told = searched(sources, opaque, answering.request)
    if told is None:
        return
    identifier = f"srvtoolu_{answering.id}"
    asked = {"query": ", ".join(told.queries)} if told.queries else {}
    yield {"type": "server_tool_use", "id": identifier, "name": "web_search", "input": asked}
    found: list[JSON] = [
        {"type": "web_search_result", "url": url, "title": title, "encrypted_content": "", "page_age": None}
        for url, title in told.found.items()
    ]
    yield {"type": "web_search_tool_result", "tool_use_id": identifier, "content": found}


def shows(answering: Answering) -> Shows:
    """Tell what the caller is to see of thoughts: only what it asked for."""
    reasoning = answering.request.reasoning
    if reasoning.display == "omitted":
        return "signatures"
    return "nothing" if reasoning.visible is False else "words"


def envelope(signature: ir.Signature | None, answering: Answering, unseen: str = "") -> str:
    """Write the signature of a thinking block; "" = signatures stay here. `unseen`: words that the caller gets not.

    A thought that nobody signed has an envelope that says so. Anthropic signs all of its own, so clients take an
    empty signature for that of a cut stream, and send such a thought back as words that anybody reads.
    """
    if not answering.sealed:
        return ""
    family = ir.family_of(answering.request.model)
    if signature is None:
        return ir.seal(ir.Signature(family, ""))
    return ir.seal(replace(signature, kind="t"), unseen)


def carrier(signature: ir.Signature | None, answering: Answering) -> str:
    """Write the signature of a tool call, which travels in an empty thinking block; "" = it cannot.

    Claude Code replays thinking blocks and strips unknown fields of tool_use. Without an envelope nobody
    could tell such a block from a thought.
    """
    if signature is None or signature.issuer is None or not answering.sealed:
        return ""
    return ir.seal(replace(signature, kind="f"))


def stop(finish: ir.Finished, *, calls: bool) -> JSON:
    """Make stop_reason, stop_sequence and stop_details; a call makes it tool_use whatever the upstream says."""
    reason = finish.reason
    if reason in ("stop", "tool_calls"):
        reason = "tool_calls" if calls else "stop"
    stopped: JSON = {"stop_reason": _REASONS[reason], "stop_sequence": finish.stop_sequence}
    if reason == "content_filter":
        stopped["stop_details"] = {"type": "refusal", "category": None, "explanation": finish.explanation}
    return stopped


def usage(count: ir.Usage, *, searches: int = 0) -> JSON:
    """Make usage, `input_tokens` without cached ones."""
    counted: JSON = {
        "input_tokens": max(0, count.input - count.cache_read - count.cache_write),
        "cache_creation_input_tokens": count.cache_write,
        "cache_read_input_tokens": count.cache_read,
        "output_tokens": count.output,
    }
    if count.reasoning:
        counted["output_tokens_details"] = {"thinking_tokens": count.reasoning}
    if searches:
        counted["server_tool_use"] = {"web_search_requests": searches, "web_fetch_requests": 0}
    return counted


def message(answering: Answering, content: list[JSON], stopped: JSON, counted: JSON) -> JSON:
    """Make the message object."""
    return {
        "id": f"msg_{answering.id}",
        "type": "message",
        "role": "assistant",
        "model": answering.model,
        "content": content,
        **stopped,
        "usage": {**counted, "service_tier": "standard"},
    }
