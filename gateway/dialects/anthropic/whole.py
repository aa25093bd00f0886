"""Write a whole answer: one Message."""

from collections.abc import Iterable, Iterator

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.content import arguments

from .answer import (
    JSON,
    carrier,
    citation,
    encode,
    envelope,
    message,
    picture,
    search,
    shows,
    stop,
    text_block,
    thinking_block,
    tool_block,
    usage,
)

__all__ = ["write_whole"]


def write_whole(reply: ir.Reply, answering: Answering) -> bytes:
    """Write the body of a whole answer."""
    content = [*_blocks(reply, answering)] or [text_block("")]
    found = [*search(reply.citations, reply.opaque, answering)] if reply.citations or reply.opaque else []
    counted = usage(reply.usage, searches=len(found) // 2)
    stopped = stop(reply.finish, calls=ir.ToolCall in map(type, reply.parts))
    return encode(message(answering, [*content, *found], stopped, counted))


def _blocks(reply: ir.Reply, answering: Answering) -> Iterator[JSON]:
    cited = ir.cited_texts(reply)
    calls = 0
    for at, part in enumerate(reply.parts):
        match part:
            case ir.Text():
                if at in cited:
                    yield _cited(part, cited[at])
                elif part.text:
                    yield text_block(part.text)
            case ir.Thinking():
                yield from _thinking(part, answering)
            case ir.Media():
                yield text_block(picture(part))
            case ir.ToolCall():
                yield from _call(part, calls, answering)
                calls += 1


def _cited(part: ir.Text, sources: Iterable[ir.CitationDelta]) -> JSON:
    return {**text_block(part.text), "citations": [citation(source) for source in sources]}


def _thinking(part: ir.Thinking, answering: Answering) -> Iterator[JSON]:
    shown = shows(answering)
    if shown == "nothing":
        return
    if part.redacted is not None:
        yield {"type": "redacted_thinking", "data": part.redacted}
        return
    text, unseen = (part.text, "") if shown == "words" else ("", part.text)
    if text or (part.signature is not None and answering.sealed):
        yield thinking_block(text, envelope(part.signature, answering, unseen))


def _call(part: ir.ToolCall, number: int, answering: Answering) -> Iterator[JSON]:
    carried = carrier(part.signature, answering)
    if carried:
        yield thinking_block("", carried)
    yield tool_block(part, number, arguments(bytes(part.arguments)), answering)
