"""Answers of a Chat upstream for the tests, and what is read of them."""

import json
from typing import Any

from gateway import errors, ir
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_chat.outbound_stream import ReadOptions, StreamReader
from gateway.ir.grammar import check

__all__ = [
    "HEAD",
    "STARTED",
    "Json",
    "block",
    "chunk",
    "failed",
    "fragment",
    "made",
    "read",
    "reader",
    "whole",
    "words",
]


Json = dict[str, Any]

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-4.1"}
STARTED = ir.Started(id="chatcmpl-1", model="gpt-4.1")


def reader(*names: str) -> StreamReader:
    return StreamReader(ReadOptions(names=NameMap(names), salt="r1"))


def chunk(delta: Json | None = None, finish: str | None = None, **fields: Any) -> str:
    choice = {"index": 0, "finish_reason": finish} | ({} if delta is None else {"delta": delta})
    return json.dumps(HEAD | {"choices": [choice]} | fields)


def read(*payloads: str, names: tuple[str, ...] = (), done: bool = True) -> list[ir.Event]:
    """Read one payload at a time; `done`: [DONE] follows."""
    made = reader(*names)
    events = [event for one in (*payloads, *(["[DONE]"] if done else [])) for event in made.feed([one])]
    events += made.close()
    check(events)
    return events


def block(kind: ir.BlockKind, *deltas: ir.Event, ident: str = "", name: str = "") -> list[ir.Event]:
    return [ir.BlockStarted(kind=kind, id=ident, name=name), *deltas, ir.BlockEnded()]


def words(*pieces: str) -> list[ir.Event]:
    return block("text", *map(ir.TextDelta, pieces))


def made(ident: str, name: str, *pieces: str) -> list[ir.Event]:
    return block("tool_call", *map(ir.ArgumentsDelta, pieces), ident=ident, name=name)


def fragment(index: int | None = 0, ident: str | None = None, name: str | None = None, arguments: Any = None) -> Json:
    given = {"index": index, "id": ident, "function": {"name": name, "arguments": arguments}}
    return {"tool_calls": [given]}


def failed(events: list[ir.Event]) -> errors.GatewayError:
    last = events[-1]
    assert isinstance(last, ir.Failed)
    return last.error


def whole(**body: Any) -> list[ir.Event]:
    events = reader().feed_whole(json.dumps(HEAD | body).encode())
    check(events)
    return events
