"""How the service reads a body, and frames what it sends.

Events are named, one line of JSON each, and nothing comes after an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from tests.fakes.anthropic_api_errors import named

__all__ = ["body_of", "broken_off", "framed", "whole"]

Json = dict[str, Any]


def body_of(raw: bytes) -> Any:
    """Read JSON as strictly as the service: no NaN, no half of a surrogate pair."""
    body = json.loads(raw, parse_constant=_no_constant)
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"no low surrogate in string: line 1 column {error.start + 1} (char {error.start})") from error
    return body


def _no_constant(name: str) -> Any:
    raise ValueError(f"unexpected character: {name}")


def framed(events: Iterable[Json], request_id: str) -> Iterator[bytes]:
    """Write events as they go over the wire."""
    for event in events:
        failed = event.get("type") == "error"
        line = json.dumps(event | ({"request_id": request_id} if failed else {}), ensure_ascii=False)
        yield f"event: {event.get('type', 'message')}\ndata: {line}\n\n".encode()
        if failed:
            return


def broken_off(events: Iterable[Json], midway: tuple[str, int | None] | None, model: str) -> Iterator[Json]:
    """End a stream with an error: after so many events, or where its blocks end."""
    if midway is None:
        yield from events
        return
    name, count = midway
    for event in islice(events, count):
        if event["type"] == "message_delta":
            break
        yield event
    yield named(name, model).body


def whole(message: Json) -> bytes:
    """Write a whole answer."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
