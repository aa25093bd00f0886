"""What every check of an answer needs: JSON read or refused, a body cut into its events, texts compared."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from bench.script import Script

__all__ = ["WrongAnswer", "decoded", "events", "expect", "expect_whole", "named_events"]

T = TypeVar("T")


class WrongAnswer(Exception):
    """The answer is not the one that the script describes."""


class _Typed(msgspec.Struct):
    type: str


_typed = msgspec.json.Decoder(_Typed)


def decoded(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """Decode; refuse what is of another form."""
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as problem:
        raise WrongAnswer(f"{problem}: {data[:120]!r}") from problem


def events(body: bytes) -> list[bytes]:
    """Return the data of each event of a stream without names; comments are none."""
    return [event.removeprefix(b"data: ") for event in _events(body)]


def named_events(body: bytes) -> list[tuple[str, bytes]]:
    """Return type and data of each event; the name before it must be its type, for readers exist that go by it."""
    found: list[tuple[str, bytes]] = []
    for event in _events(body):
        name, _, data = event.partition(b"\ndata: ")
        kind = decoded(_typed, data).type
        if name != b"event: %b" % kind.encode():
            raise WrongAnswer(f"an event {kind} below {name[:40]!r}")
        found.append((kind, data))
    return found


def _events(body: bytes) -> list[bytes]:
    *found, rest = body.split(b"\n\n")
    if rest:
        raise WrongAnswer("last event unterminated")
    return [event for event in found if not event.startswith(b":")]


def expect(script: Script, texts: Sequence[str], finishes: Sequence[str | None], finish: str) -> None:
    """Refuse a stream with other chunks, or with another end."""
    if list(texts) != script.pieces:
        raise WrongAnswer(f"{len(texts)} chunks of text for {script.chunks}, or another text")
    if [reason for reason in finishes if reason] != [finish]:
        raise WrongAnswer(f"finish reasons {set(finishes)}")


def expect_whole(script: Script, texts: Sequence[str | None], finish: str | None, expected: str) -> None:
    """Refuse a whole answer with another text, or with another end."""
    if list(texts) != [script.text] or finish != expected:
        raise WrongAnswer(f"message {list(texts)}, finish reason {finish}")
