"""Answers of the upstream as the tests write them, and what is read from them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway import ir
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.stream import ReadOptions, StreamReader
from gateway.ir.grammar import check

SIGNED = "EkBGQUtF"


def reader(**options: Any) -> StreamReader:
    given: dict[str, Any] = {"names": NameMap([]), "family": "gemini", "salt": "salt"} | options
    return StreamReader(ReadOptions(**given))


def chunk(*parts: object, finish: str | None = None, usage: object = None, **candidate: object) -> dict[str, object]:
    """Write one chunk, in no envelope."""
    said = {"content": {"role": "model", "parts": list(parts)}} if parts else {}
    written: dict[str, object] = {"candidates": [said | ({"finishReason": finish} if finish else {}) | candidate]}
    return written | ({"usageMetadata": usage} if usage else {})


def payload(value: object) -> str:
    return msgspec.json.encode({"response": value}).decode()


def read(*chunks: object, **options: Any) -> list[ir.Event]:
    """Read a whole stream of chunks; its events are checked against the grammar."""
    one = reader(**options)
    events = one.feed([payload(value) for value in chunks]) + one.close()
    check(events)
    return events


def blocks(events: Sequence[ir.Event]) -> list[list[ir.Event]]:
    """Give the events of each block, without its end."""
    found: list[list[ir.Event]] = []
    within = False
    for event in events:
        if isinstance(event, ir.BlockStarted):
            found.append([event])
            within = True
        elif isinstance(event, ir.BlockEnded):
            within = False
        elif within:
            found[-1].append(event)
    return found


def end(events: Sequence[ir.Event]) -> Any:
    last = events[-1]
    return last.error if isinstance(last, ir.Failed) else last


def text(words: str, **fields: object) -> dict[str, object]:
    return {"text": words} | fields


def function(name: str = "f", call_id: str | None = None, **fields: object) -> dict[str, object]:
    made = {"name": name, "args": {}} | ({"id": call_id} if call_id else {}) | fields
    return {"functionCall": made}
