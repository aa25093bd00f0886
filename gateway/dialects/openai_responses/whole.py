"""A whole answer: the same Response object that ends a stream, made of the same items."""

from collections.abc import Iterator
from itertools import chain

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.anthropic.answer import JSON, encode

from . import answer
from .output import Output

__all__ = ["write_both"]


def write_both(reply: ir.Reply, answering: Answering) -> tuple[bytes, bytes]:
    """Write a folded answer, and as it is to be kept."""
    output = Output(answering, _silent)
    for event in chain(_events(reply), reply.opaque):
        output.take(event)
    state = output.finish(reply.finish)
    whole = {**answer.frame(answering), **state, "output": output.items, "usage": answer.usage(reply.usage)}
    written, kept = encode(whole), output.stored()
    return written, written if kept is output.items else encode({**whole, "output": kept})


def _silent(_name: str, _members: JSON) -> None:
    """Tell nobody: the items are all that is wanted."""


def _events(reply: ir.Reply) -> Iterator[ir.Event]:
    """Unfold a reply into its blocks; what stands before a call in the output is its signature."""
    cited = ir.cited_texts(reply)
    for at, part in enumerate(reply.parts):
        match part:
            case ir.Text(text=text):
                yield ir.BlockStarted(kind="text")
                if part.logprobs:
                    yield ir.LogprobsDelta(part.logprobs)
                yield ir.TextDelta(text)
                yield from cited.get(at, ())
            case ir.Thinking(text=text):
                yield ir.BlockStarted(kind="thinking")
                yield ir.ThinkingDelta(text)
            case ir.ToolCall(id=identifier, name=name):
                yield ir.BlockStarted(kind="tool_call", id=identifier, name=name)
            case ir.Media(media_type=media_type, data=data):
                yield ir.BlockStarted(kind="media")
                yield ir.MediaChunk(media_type=media_type, data=data or "")
        if part.signature is not None:
            yield ir.SignatureDelta(part.signature)
        if isinstance(part, ir.ToolCall):
            yield ir.ArgumentsDelta(bytes(part.arguments).decode())
        yield ir.BlockEnded()
