"""Inputs that are a few changes away from known ones: what can be tried without a fuzzer, and again the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

__all__ = ["changed"]

_TOKENS: Final = (
    *b'" \\ { } [ ] , : null true -1 1e999 0.5 [] {} "" \\u0000 \\ud83d \n \r \r\n \n\n data: event:'.split(b" "),
    *(b"\x00", b"\xff", b"\xc5", b"\xef\xbb\xbf", b"\xf0\x9f\x9a", b"[DONE]", b"99999999999999999999", b"[" * 300),
)


def changed(inputs: Sequence[bytes], words: Sequence[bytes], count: int, seed: str) -> Iterator[bytes]:
    """Give so many inputs, each one of these with one to four changes."""
    chance = Random(seed)
    for _ in range(count):
        data = chance.choice(inputs)
        for _ in range(chance.randint(1, 4)):
            data = chance.choice(_CHANGES)(data, chance, inputs, words)
        yield data[:6000]


def _span(data: bytes, chance: Random) -> tuple[int, int]:
    start = chance.randint(0, len(data))
    return start, min(len(data), start + chance.choice((0, 1, 1, 4, 20, 200)))


def _put(data: bytes, chance: Random, what: bytes) -> bytes:
    """Put something in, in place of some bytes or of none."""
    start, end = _span(data, chance)
    return data[:start] + what + data[end:]


def _drop(data: bytes, chance: Random, inputs: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    return _put(data, chance, b"")


def _flip(data: bytes, chance: Random, inputs: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    return _put(data, chance, chance.randbytes(1))


def _token(data: bytes, chance: Random, inputs: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    return _put(data, chance, chance.choice(_TOKENS))


def _word(data: bytes, chance: Random, inputs: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    return _put(data, chance, chance.choice(words) if words else b"")


def _again(data: bytes, chance: Random, inputs: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    start, end = _span(data, chance)
    return data[:end] + data[start:]


def _joined(data: bytes, chance: Random, inputs: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    other = chance.choice(inputs)
    return data[: chance.randint(0, len(data))] + other[chance.randint(0, len(other)) :]


_CHANGES: Final[tuple[Callable[[bytes, Random, Sequence[bytes], Sequence[bytes]], bytes], ...]] = (
    _drop,
    _flip,
    _token,
    _word,
    _again,
    _joined,
)
