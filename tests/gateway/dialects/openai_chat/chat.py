"""A Chat stream as its rules want it, read back from bytes."""

import json
from collections.abc import Iterable
from typing import Any

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.openai_chat import OpenAIChat
from gateway.testing.grammar_chat import ChatStream
from gateway.testing.grammar_sse import frames, letter

Json = dict[str, Any]
USER = ir.Turn(role="user", parts=(ir.Text(text="hi"),))


def answering(images: str = "markdown", sealed: bool = True, **request: Any) -> Answering:
    """Make what a writer is told; keywords are fields of the request."""
    return Answering(
        request=ir.Request(model="m", turns=(USER,), **request),
        model="asked",
        id="0f" * 12,
        created=1_700_000_001,
        request_id="r",
        estimate=lambda: 5,
        sealed=sealed,
        images=images,
    )


def block(kind: ir.BlockKind, *deltas: ir.Event, name: str = "", ident: str = "") -> list[ir.Event]:
    return [ir.BlockStarted(kind=kind, id=ident, name=name), *deltas, ir.BlockEnded()]


def text(*words: str) -> list[ir.Event]:
    return block("text", *map(ir.TextDelta, words))


def thinking(*words: str) -> list[ir.Event]:
    return block("thinking", *map(ir.ThinkingDelta, words))


def call(name: str, *arguments: str, ident: str = "call_a") -> list[ir.Event]:
    return block("tool_call", *map(ir.ArgumentsDelta, arguments), name=name, ident=ident)


def answer(*blocks: list[ir.Event], reason: ir.FinishReason = "stop", **finish: Any) -> list[ir.Event]:
    """Make a complete stream of blocks."""
    inner = [event for block in blocks for event in block]
    return [ir.Started(), *inner, ir.Finished(reason=reason, **finish)]


def payloads(data: bytes) -> list[str]:
    """Give the data of each event; there is nothing but `data: ` lines and blank ones."""
    letter(data)
    return [frame.text for frame in frames(data)]


class Stream(ChatStream):
    """A stream that keeps the rules, in the plainest letters; making one checks them."""

    def __init__(self, data: bytes) -> None:
        letter(data)
        assert not any(line.startswith(b"event:") for line in data.split(b"\n"))
        super().__init__(data)


def write(events: Iterable[ir.Event], to: Answering | None = None) -> Stream:
    """Write events as one read, end the stream and read it back."""
    writer = OpenAIChat().stream_writer(to or answering())
    return Stream(writer.feed(list(events)) + writer.close())


def whole(events: Iterable[ir.Event], to: Answering | None = None) -> Json:
    """Write the same events as a whole answer and read it back."""
    fold = ir.Fold()
    fold.feed(events)
    body: Json = json.loads(OpenAIChat().write_whole(fold.reply(), to or answering()))
    return body
