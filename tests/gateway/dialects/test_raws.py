"""What stays raw of a decoded body: whoever decodes it looks at that, and at nothing else."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.dialects.raw import raws_in


class Inner(Struct, tag="inner"):
    raw: Raw | UnsetType = UNSET
    text: str = ""


class Other(Struct, tag="other"):
    number: int = 0


class Outer(Struct):
    raw: Raw | UnsetType = UNSET
    words: str | list[Inner | Other] | None = None
    named: str | dict[str, Raw] | None = None
    several: list[Raw] = []
    other: Other | None = None


DECODER = msgspec.json.Decoder(list[Outer])


def found(body: bytes) -> list[bytes]:
    return [bytes(raw) for raw in raws_in(DECODER.decode(body))]


def test_everything_raw_is_found() -> None:
    body = b'[{"raw":1,"words":[{"type":"inner","raw":2},{"type":"other"}]},{"named":{"a":[3],"b":4},"several":[5,{}]}]'
    assert found(body) == [b"1", b"2", b"[3]", b"4", b"5", b"{}"]


def test_where_nothing_is_raw_nothing_is_found() -> None:
    assert (
        found(b'[{},{"words":"w","named":"n","other":{"type":"other","number":1}},{"words":[{"type":"inner"}]}]') == []
    )
