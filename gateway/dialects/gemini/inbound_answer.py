"""What a streamed and a whole answer to a Gemini caller share: parts, the ends of candidates, usage, the frame."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from msgspec.json import Encoder
from msgspec.structs import replace

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.content import arguments, is_whole
from gateway.dialects.searched import read_queries
from gateway.sse import json_line

from .inbound_signatures import write_signature

__all__ = [
    "JSON",
    "breaks_off",
    "candidate",
    "encode",
    "ended",
    "ending",
    "frame",
    "one_line",
    "part",
    "placed",
    "sources",
    "usage",
]

JSON = dict[str, object]

_encode: Final = Encoder().encode
_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")

_FINISH: Final[dict[ir.FinishReason, str]] = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "tool_calls": "STOP",
    "pause": "STOP",
    "length": "MAX_TOKENS",
    "context_window": "MAX_TOKENS",
    "content_filter": "SAFETY",
}
# What a Gemini model said of its end, where that says more than the neutral word.
_FILTERED: Final = frozenset(
    {
        "BLOCKLIST",
        "ESCALATION",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_SAFETY",
        "MODEL_ARMOR",
        "PROHIBITED_CONTENT",
        "RECITATION",
        "SPII",
    }
)
_NATIVE: Final = {"content_filter": _FILTERED, "pause": frozenset({"CONTINUATION"})}
_BLOCKS: Final = frozenset(
    {"BLOCKLIST", "IMAGE_SAFETY", "JAILBREAK", "MODEL_ARMOR", "OTHER", "PROHIBITED_CONTENT", "SAFETY"}
)
_CUT: Final = frozenset({"length", "context_window", "content_filter"})
_SOURCES: Final = ("groundingMetadata", "citationMetadata", "urlContextMetadata")


def encode(value: object) -> bytes:
    """Write JSON on one line."""
    return one_line(_encode(value))


def one_line(data: bytes) -> bytes:
    """Put JSON on one line for every client; line breaks stand between its tokens only."""
    return json_line(data.translate(_BREAKS) if b"\n" in data or b"\r" in data else data)


def part(block: ir.ReplyPart, answering: Answering) -> JSON:
    """Write one part."""
    match block:
        case ir.Text():
            written: JSON = {"text": block.text}
        case ir.Thinking():
            written = {"text": block.text, "thought": True}
        case ir.Media():
            written = {"inlineData": {"mimeType": block.media_type, "data": block.data}}
        case ir.ToolCall():
            called: JSON = {"id": block.id} if block.id else {}
            called |= {"name": block.name, "args": arguments(bytes(block.arguments))}
            written = {"functionCall": called}
    signature = write_signature(block.signature, sealed=answering.sealed)
    if signature is not None:
        written["thoughtSignature"] = signature
    return written


def breaks_off(block: ir.ReplyPart, finish: ir.Finished) -> bool:
    """Tell whether the answer was cut within this last block, if it is a call: a client would run what there is."""
    return isinstance(block, ir.ToolCall) and finish.reason in _CUT and not is_whole(bytes(block.arguments))


def candidate(parts: Sequence[JSON], **more: object) -> JSON:
    """Write a candidate, the first one unless `more` has another `index`; SDKs count a turn without parts as none."""
    return {"content": {"role": "model", "parts": [*parts] or [{"text": ""}]}, "index": 0, **more}


def ending(finish: ir.Finished, counted: ir.Usage, parts: Sequence[JSON], found: JSON, *, said: bool) -> JSON:
    """Write how an answer ends, with its last parts: as a candidate, or as the refusal of a prompt."""
    native = finish.native or ""
    if finish.reason == "content_filter" and not said and not counted.output and native in _BLOCKS:
        feedback: JSON = {"blockReason": native}
        if finish.explanation:
            feedback["blockReasonMessage"] = finish.explanation
        return {"promptFeedback": feedback, "usageMetadata": usage(counted)}
    return {"candidates": [ended(finish, parts, found)], "usageMetadata": usage(counted)}


def ended(finish: ir.Finished, parts: Sequence[JSON], found: JSON, index: int = 0) -> JSON:
    """Write a candidate with its end."""
    native = finish.native or ""
    reason = native if native in _NATIVE.get(finish.reason, ()) else _FINISH[finish.reason]
    more: JSON = {"index": index, "finishReason": reason, **found}
    if finish.explanation:
        more["finishMessage"] = finish.explanation
    return candidate(parts, **more)


def usage(counted: ir.Usage) -> JSON:
    """Write the counts: thoughts stand beside the candidates, cached tokens within the prompt."""
    written: JSON = {
        "promptTokenCount": counted.input,
        "candidatesTokenCount": counted.output - counted.reasoning,
        "totalTokenCount": max(counted.total or 0, counted.input + counted.output),
    }
    if counted.reasoning:
        written["thoughtsTokenCount"] = counted.reasoning
    if counted.cache_read:
        written["cachedContentTokenCount"] = counted.cache_read
    return written


def sources(opaque: Sequence[ir.OpaqueEvent], citations: Sequence[ir.CitationDelta]) -> JSON:
    """Write where an answer comes from: in Google's own words if there are some, else as `placed` has it."""
    found: JSON = {one.kind: one.value for one in opaque if one.dialect == "gemini" and one.kind in _SOURCES}
    if found or not (citations or opaque):
        return found
    queries = read_queries(opaque)
    grounding: JSON = {"webSearchQueries": [*queries]} if queries else {}
    if citations:
        titles = {one.url: one.title for one in citations}
        places = {url: place for place, url in enumerate(titles)}
        grounding["groundingChunks"] = [{"web": {"uri": url, "title": title}} for url, title in titles.items()]
        grounding["groundingSupports"] = [
            {"segment": _segment(alike[0]), "groundingChunkIndices": [*dict.fromkeys(places[one.url] for one in alike)]}
            for alike in _alike(citations)
        ]
    return {"groundingMetadata": grounding} if grounding else {}


def placed(sources: Iterable[ir.CitationDelta], data: bytes, before: int) -> Iterator[ir.CitationDelta]:
    """Give sources' places in the whole answer, with the words there: `before` bytes stand before their own `data`."""
    said: dict[tuple[int, int], str] = {}  # of several sources the words are the same
    for source in sources:
        if source.end is None:
            yield source
            continue
        end = min(max(source.end, 0), len(data))
        start = min(max(source.start or 0, 0), end)
        if (start, end) not in said:
            said[start, end] = data[start:end].decode("utf-8", "ignore")
        yield replace(source, start=before + start, end=before + end, text=said[start, end])


def _alike(citations: Iterable[ir.CitationDelta]) -> Iterator[list[ir.CitationDelta]]:
    """Give the sources of each segment; one that has no place stands for itself."""
    for (_, end, _), group in groupby(citations, lambda one: (one.start, one.end, one.text)):
        if end is None:
            yield from ([one] for one in group)
        else:
            yield list(group)


def _segment(source: ir.CitationDelta) -> JSON:
    segment: JSON = {"text": source.text} if source.text else {}
    if source.end is not None:
        segment |= {"startIndex": source.start or 0, "endIndex": source.end}
    return segment


def frame(answering: Answering) -> JSON:
    """Write what is the same in each chunk."""
    moment = datetime.fromtimestamp(answering.created, UTC)
    return {
        "modelVersion": answering.model,
        "createTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "responseId": answering.id,
    }
