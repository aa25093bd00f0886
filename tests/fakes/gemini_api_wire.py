r"""The bytes of an answer: events in CRLF framing, or one JSON list that grows, or one object.

The service escapes what could be taken for markup or for the end of a line: `<` is `\u003c` in its JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from string import ascii_lowercase
from typing import Any

from tests.fakes.v1internal_call import Json
from tests.fakes.v1internal_wire import events, read_event

__all__ = ["event", "printed", "read", "repeated", "shifted", "streamed_list", "unwrapped"]

_ESCAPED = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&='\u0085\u2028\u2029"})


def printed(body: Any, indent: int | None = 2) -> bytes:
    """Write JSON; none of the escaped characters has a meaning in it outside a string."""
    separators = (",", ": ") if indent else (",", ":")
    text = json.dumps(body, ensure_ascii=False, indent=indent, separators=separators)
    return text.translate(_ESCAPED).encode()


def event(chunk: Json) -> bytes:
    """Write one event of a stream."""
    return b"data: " + printed(chunk, None) + b"\r\n\r\n"


def streamed_list(chunks: Iterable[Json]) -> Iterator[bytes]:
    """Write a JSON list in one piece for each chunk; the last piece closes it."""
    before = b""
    for place, chunk in enumerate(chunks):
        if before:
            yield before
        before = (b",\r\n" if place else b"[") + printed(chunk) + b"\n"
    yield before + b"]" if before else b"[]"


def unwrapped(recording: bytes) -> Iterator[bytes]:
    """Take the chunks of a recording out of their envelopes; the framing, and what cannot be read, stay as they are."""
    for data in events(recording):
        chunk = read_event(data)
        yield _bare(data, chunk["response"]) if chunk is not None and "response" in chunk else data


def _bare(data: bytes, response: Json) -> bytes:
    """Write the response where the data of an event stood: on one line, or on many."""
    lines = data.splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if line.startswith(b"data:")]
    first = lines[places[0]]
    name, end = (b"data: " if first.startswith(b"data: ") else b"data:"), first[len(first.rstrip(b"\r\n")) :]
    one_line = {"separators": (",", ":")} if len(places) == 1 else {"indent": 1}
    text = json.dumps(response, ensure_ascii=False, **one_line)
    written = [name + line + end for line in text.encode().split(b"\n")]
    return b"".join([*lines[: places[0]], *written, *lines[places[-1] + 1 :]])


def read(pieces: Iterable[bytes]) -> list[Json]:
    """Read the chunks of events."""
    return [chunk for chunk in map(read_event, pieces) if chunk is not None]


def repeated(chunk: Json, count: int) -> Json:
    """Give as many candidates as were asked for, each with words and call ids of its own."""
    candidates = chunk.get("candidates")
    if count == 1 or not candidates:
        return chunk
    return chunk | {"candidates": [_other(candidates[0], place) for place in range(count)]}


def _other(candidate: Json, place: int) -> Json:
    content = candidate.get("content") or {}
    parts = [_reworded(part, place) for part in content.get("parts") or ()]
    return candidate | {"index": place} | ({"content": content | {"parts": parts}} if parts else {})


def _reworded(part: Json, place: int) -> Json:
    if "text" in part:
        return part | {"text": shifted(part["text"], place)}
    call = part.get("functionCall", {})
    return part | {"functionCall": call | {"id": f"{call['id']}{place}"}} if place and "id" in call else part


def shifted(text: str, place: int) -> str:
    """Move each small letter on by as many places of the alphabet: hi, ij, jk."""
    return text.translate({ord(letter): (ord(letter) - 97 + place) % 26 + 97 for letter in ascii_lowercase})
