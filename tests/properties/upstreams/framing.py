"""How payloads become the bytes of a body: in frames that servers use, and in some that none should."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.fakes.v1internal_script import Plan, Say, Think, Tool
from tests.strategies import words

__all__ = ["Sound", "bodies", "cut", "plans", "stream"]

Json = Any

_HEADS = st.sampled_from([b"data: ", b"data: ", b"data:", b": hm\ndata: ", b"event: x\nid: 1\ndata: "])
_ENDS = st.sampled_from([b"\n\n", b"\n\n", b"\r\n\r\n", b"\r\r"])
_NOISE = st.sampled_from(
    [
        b"data: [DONE]\n\n",
        b'data: {"respo\n\n',
        b": keep\n\n",
        b"\n",
        b"data: <html>\n\n",
        b"\xef\xbb\xbf",
        b"data: 1\n\n",
    ]
) | st.binary(max_size=12)
_ARGUMENTS = st.dictionaries(
    words(max_size=4), st.none() | st.booleans() | st.integers(-9, 9) | words(max_size=4), max_size=2
)


@dataclass(frozen=True)
class Sound:
    """An answer as the real service gives it: the events of its stream, and the same whole."""

    events: tuple[Json, ...]
    whole: Json


def plans(finishes: tuple[str, ...]) -> st.SearchStrategy[Plan]:
    """Draw what a model says: its thoughts first, its calls last."""
    thought, text = st.builds(Think, words(1)), st.builds(Say, words(1))
    call = st.builds(Tool, st.sampled_from(["f", "g"]), _ARGUMENTS)
    said = st.tuples(st.lists(thought, max_size=1), st.lists(text, max_size=2), st.lists(call, max_size=2))
    items = said.map(lambda parts: list(itertools.chain(*parts))).filter(bool)
    return st.builds(Plan, items=items, finish=st.sampled_from(finishes), split=st.booleans())


def stream(events: tuple[Json, ...], *, named: bool = False) -> bytes:
    """Frame events as a service does."""
    heads = (b"event: %b\n" % event["type"].encode() if named else b"" for event in events)
    datas = (json.dumps(event, ensure_ascii=False).encode() for event in events)
    return b"".join(head + b"data: %b\n\n" % data for head, data in zip(heads, datas, strict=True))


def bodies(payloads: st.SearchStrategy[str], sound: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Draw the bodies of answers: sound ones, some that lose or gain a piece, and any bytes at all."""
    event = st.builds(lambda head, data, end: head + data.encode() + end, _HEADS, payloads, _ENDS)
    odd = st.lists(st.one_of(event, event, event, _NOISE), max_size=7).map(b"".join)
    return st.one_of(sound, sound, _torn(sound, event | _NOISE), odd, odd, st.binary(max_size=60))


@st.composite
def _torn(draw: st.DrawFn, sound: st.SearchStrategy[bytes], other: st.SearchStrategy[bytes]) -> bytes:
    """Draw a sound answer into which something has come, or that stops anywhere."""
    pieces = [piece + b"\n\n" for piece in draw(sound).split(b"\n\n") if piece]
    place = draw(st.integers(0, len(pieces)))
    if draw(st.booleans()):
        return b"".join([*pieces[:place], draw(other), *pieces[place:]])
    whole = b"".join(pieces[:place])
    return whole[: len(whole) - draw(st.integers(0, 9))]


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Cut bytes into network reads, anywhere, now and then into single ones."""
    if draw(st.integers(0, 9)) == 0:
        return [data[place : place + 1] for place in range(len(data))]
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[start:end] for start, end in itertools.pairwise([0, *cuts, len(data)]) if start < end]
