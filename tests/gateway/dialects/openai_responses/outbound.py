"""Requests as the tests write them towards OpenAI Responses, judged by a strict server; and answers as it streams."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_responses.outbound_request import write_request
from gateway.dialects.openai_responses.outbound_stream import ReadOptions, StreamReader
from gateway.dialects.outbound import OpenAITarget, OpenAIWritten
from gateway.ir.grammar import check
from tests.fakes.openai_api_kept import Kept
from tests.fakes.openai_api_models import describe
from tests.fakes.openai_api_responses import Wanted, judge

Json = dict[str, Any]

MODEL = "gpt-5.2"
SEALED = "gAAAAABsealed"
TEXT, THINKING = ir.BlockStarted(kind="text"), ir.BlockStarted(kind="thinking")
CALL: Json = {"call_id": "call_1", "name": "f"}


def user(*parts: ir.Part | str) -> ir.Turn:
    return ir.Turn(role="user", parts=_parts(parts))


def system(*parts: ir.Part | str) -> ir.Turn:
    return ir.Turn(role="system", parts=_parts(parts))


def assistant(*parts: ir.Part | str, places: tuple[tuple[str, ...], ...] = ()) -> ir.Turn:
    return ir.Turn(role="assistant", parts=_parts(parts), places=places)


def _parts(parts: tuple[ir.Part | str, ...]) -> tuple[ir.Part, ...]:
    return tuple(ir.Text(text=part) if isinstance(part, str) else part for part in parts)


def call(call_id: str = "c1", name: str = "f", **arguments: object) -> ir.ToolCall:
    return ir.ToolCall(id=call_id, name=name, arguments=raw(arguments))


def result(call_id: str = "c1", *parts: ir.Text | ir.Media | str, is_error: bool = False) -> ir.ToolResult:
    texts = tuple(ir.Text(text=part) if isinstance(part, str) else part for part in parts)
    return ir.ToolResult(id=call_id, parts=texts, is_error=is_error, path=f"results[{call_id}]")


def thought(text: str = "Hm.", issuer: ir.Family | None = "openai", value: str = SEALED) -> ir.Thinking:
    return ir.Thinking(text=text, signature=ir.Signature(issuer, value))


def tool(name: str = "f", **fields: Any) -> ir.Tool:
    schema = raw({"type": "object", "properties": {"a": {"type": "string"}}})
    return ir.Tool(name=name, **{"schema": schema, "path": "tools[0]", "schema_path": "parameters"} | fields)


def raw(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))


def thread(**echo: object) -> ir.Thread:
    """Make what only a caller of this dialect has: its own words."""
    return ir.Thread(echo={name: raw(value) for name, value in echo.items()})


def written(*turns: ir.Turn, model: str = MODEL, target: Json | None = None, **fields: Any) -> OpenAIWritten:
    """Write a request; a body that OpenAI would refuse fails the test."""
    request = ir.Request(model="asked-for", turns=turns or (user("hi"),), **fields)
    answer = write_request(request, OpenAITarget(model=model, **target or {}))
    kept = Kept(sealed={SEALED: "rs_1"})
    judge(Wanted(sent(answer), describe(model), kept, []))
    return answer


def sent(answer: OpenAIWritten) -> Json:
    body: Json = json.loads(msgspec.json.encode(answer.body))
    return body


def body(*turns: ir.Turn, **fields: Any) -> Json:
    return sent(written(*turns, **fields))


def items(*turns: ir.Turn, **fields: Any) -> list[Json]:
    found: list[Json] = body(*turns, **fields)["input"]
    return found


def lost(answer: OpenAIWritten) -> dict[str, str]:
    return {loss.path: loss.severity for loss in answer.losses}


# answers


def reader(*names: str, **namespaces: tuple[str, str]) -> StreamReader:
    return StreamReader(ReadOptions(names=NameMap(names), salt="salt", namespaces=namespaces))


def created(**fields: Any) -> Json:
    response = {"id": "resp_1", "object": "response", "created_at": 5, "status": "in_progress", "model": "gpt-5.2"}
    return {"type": "response.created", "response": response | {"output": []} | fields}


def terminal(kind: str = "completed", **fields: Any) -> Json:
    return {"type": f"response.{kind}", "response": {"id": "resp_1", "status": kind, "output": []} | fields}


def added(index: int, kind: str, **fields: Any) -> Json:
    item = {"id": f"i{index}", "type": kind, **fields}
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index: int, kind: str, **fields: Any) -> Json:
    item = {"id": f"i{index}", "type": kind, "status": "completed", **fields}
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def event(kind: str, index: int = 0, **fields: Any) -> Json:
    return {"type": f"response.{kind}", "item_id": f"i{index}", "output_index": index, **fields}


def said(text: str, **fields: Any) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], **fields}


def read(*events: Json, one: StreamReader | None = None) -> list[ir.Event]:
    """Read a stream to its end, each event by itself; what comes out is checked against the grammar."""
    one = one or reader()
    found = [event for data in events for event in one.feed([json.dumps(data)])] + one.close()
    check(found)
    return found


def blocks(events: Iterable[ir.Event]) -> list[list[ir.Event]]:
    """Give the events of each block, without its end."""
    return list(_blocks(events))


def _blocks(events: Iterable[ir.Event]) -> Iterator[list[ir.Event]]:
    block: list[ir.Event] = []
    for one in events:
        if isinstance(one, ir.BlockStarted):
            block = [one]
        elif isinstance(one, ir.BlockEnded):
            yield block
            block = []
        elif block:
            block.append(one)


def end(events: list[ir.Event]) -> Any:
    last = events[-1]
    return last.error if isinstance(last, ir.Failed) else last


def called(name: str = "f", call_id: str = "call_1") -> ir.BlockStarted:
    return ir.BlockStarted(kind="tool_call", id=call_id, name=name)
