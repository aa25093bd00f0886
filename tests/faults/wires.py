"""What the frames of each wire are made of, to cut, spoil and double them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tests.fakes.v1internal_wire import events
from tests.faults.server import EVENTS, Call, Fault

__all__ = ["before", "body", "cut", "pieces", "place_of", "say_first", "saying", "spoilt", "told", "written"]

Json = dict[str, Any]
Spoil = Callable[[list[bytes]], Sequence[bytes]]


def place_of(frames: Sequence[bytes], word: bytes) -> int:
    """Give the place of the first frame that says a word."""
    return next(place for place, one in enumerate(frames) if word in one)


def before(frames: Sequence[bytes], word: bytes) -> list[bytes]:
    """Give the frames before the first one that says a word."""
    return list(frames[: place_of(frames, word)])


def cut(frame: bytes) -> bytes:
    """Give the first half of a frame."""
    return frame[: len(frame) // 2]


def told(frame: bytes) -> Json:
    """Read the JSON of a frame."""
    line = next(line for line in frame.splitlines() if line.startswith(b"data: "))
    read: Json = json.loads(line[6:])
    return read


def written(frame: bytes, value: Any) -> bytes:
    """Write a frame with other JSON, in the framing that it has."""
    line = next(line for line in frame.splitlines() if line.startswith(b"data: "))
    return frame.replace(line, b"data: " + json.dumps(value).encode())


def spoilt(spoil: Spoil) -> Fault:
    """Send the fake's own answer, spoilt, and end it as HTTP wants it."""

    async def fault(call: Call) -> None:
        answer = await call.answer()
        await call.begin(b"content-type: " + answer.headers["content-type"].encode())
        pieces = [piece for piece in spoil(events(answer.content)) if piece]
        call.said = b"".join(pieces)
        for piece in pieces:
            await call.say(piece)
            await asyncio.sleep(0)  # so that it is likely to be read by itself
        await call.end()

    return fault


def body(*pieces: bytes, headers: Sequence[bytes] = (EVENTS,)) -> Fault:
    """Answer with these bytes."""

    async def fault(call: Call) -> None:
        await call.begin(*headers)
        await call.say(*pieces)
        await call.end()

    return fault


def pieces(data: bytes, size: int = 1) -> list[bytes]:
    """Cut bytes into pieces."""
    return [data[at : at + size] for at in range(0, len(data), size)]


async def say_first(call: Call) -> bytes:
    """Say the first words, and give the event with the next one, once the caller has these."""
    frames = await call.frames()
    said = before(frames, b"three")
    await call.begin(EVENTS)
    await call.say(*said)
    await call.until_heard()
    return frames[len(said)]


def saying(then: Callable[[Call], Awaitable[None]]) -> Fault:
    """Say the first words and half of the event with the next one, and go on once the caller has the word."""

    async def fault(call: Call) -> None:
        frame = await say_first(call)
        await call.write(b"%x\r\n%b" % (len(frame), cut(frame)))
        await then(call)

    return fault
