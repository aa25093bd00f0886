"""A recording: what one model call said to and fro. [record] writes it, `gateway replay` reads it.

One JSON object a line:

    recording   the versions, the settings that had a say, and the upstreams that were to be asked
    request     of the caller
    call        upstream, and what came of it; one for each attempt
    answer      to the caller

Times are seconds since the request began. A body, or a piece of one, is text, or `{"base64": …}` where it is none.
"""

import base64
from collections.abc import Sequence
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

__all__ = [
    "FORMAT",
    "Answer",
    "Base64",
    "Call",
    "Head",
    "Member",
    "Pieces",
    "Recording",
    "Request",
    "joined",
    "pack",
    "unpack",
]

FORMAT: Final = 1
_Time = Annotated[int, Meta(ge=0, le=253_402_300_799)]  # to the end of the year 9999, the last that can be written


class Base64(Struct, frozen=True):
    """Bytes that are no text."""

    base64: str


Packed: TypeAlias = str | Base64
Pieces: TypeAlias = tuple[tuple[float, Packed], ...]


class Member(Struct, frozen=True):
    """One upstream of the chain that the model's name led to, and its name for the model."""

    upstream: str
    model: str
    variants: tuple[str, ...] = ()


class Head(Struct, frozen=True, kw_only=True, tag_field="part", tag="recording"):
    """`at`: when it began, Unix seconds. `settings`: as gateway.toml has them, without secrets.

    `stamp`: what the ids of the answer were made of, and the time (Unix seconds) that it bears.
    """

    format: int
    version: str
    python: str
    at: float
    request_id: str
    dialect: str
    targets: tuple[Member, ...]
    settings: dict[str, object]
    stamp: tuple[str, _Time] | None = None


class Request(Struct, frozen=True, kw_only=True, tag_field="part", tag="request"):
    """What the caller sent, inflated. `cut`: how many bytes of it are missing."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Packed
    cut: int = 0


class Call(Struct, frozen=True, kw_only=True, tag_field="part", tag="call"):
    """One call upstream, which is NAME/model. `credential`: one number for each that was used.

    `body` None: it was sent in pieces. `status` None: no answer came. `ended`: the answer came to its end. `error`:
    (class, words, whether before the answer) of what broke it.
    """

    upstream: str
    credential: int
    at: float
    method: str
    url: str
    body: Packed | None
    status: int | None = None
    headers: dict[str, str] = {}
    answered_at: float = 0.0
    pieces: Pieces = ()
    cut: int = 0
    ended: bool = False
    error: tuple[str, str, bool] | None = None


class Answer(Struct, frozen=True, kw_only=True, tag_field="part", tag="answer"):
    """What the caller got. `status` None: nothing. `end`: as the log says it.

    `upstream`: who gave it; one without a network of its own also where it failed.
    """

    status: int | None
    headers: dict[str, str]
    pieces: Pieces
    end: str
    upstream: str = ""
    cut: int = 0


class Recording(Struct, frozen=True):
    """All of it."""

    head: Head
    request: Request
    calls: tuple[Call, ...]
    answer: Answer

    def written(self) -> bytes:
        """Write it as JSON lines."""
        return _ENCODER.encode_lines((self.head, self.request, *self.calls, self.answer))

    @classmethod
    def read(cls, data: bytes) -> "Recording":
        """Read it; raise ValueError with what is wrong."""
        try:
            parts: list[Head | Request | Call | Answer] = _DECODER.decode_lines(data)
        except msgspec.DecodeError as error:
            raise ValueError(f"is not a recording: {error}") from None
        except RecursionError:
            raise ValueError("is not a recording: it is nested too deeply") from None
        heads = [part for part in parts if isinstance(part, Head)]
        requests = [part for part in parts if isinstance(part, Request)]
        answers = [part for part in parts if isinstance(part, Answer)]
        if not (len(heads) == len(requests) == len(answers) == 1):
            raise ValueError("is not a recording: it must have one recording, one request and one response")
        if heads[0].format != FORMAT:
            raise ValueError(f"is a recording of format {heads[0].format}; this version reads {FORMAT}")
        return cls(heads[0], requests[0], tuple(part for part in parts if isinstance(part, Call)), answers[0])

    @property
    def missing(self) -> int:
        """Count the bytes that were left out because there were too many, but for those of the answer."""
        return self.request.cut + sum(call.cut for call in self.calls)


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Head | Request | Call | Answer)


def pack(data: bytes) -> Packed:
    """Write bytes, as text where they are some."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return Base64(base64.b64encode(data).decode())


def unpack(packed: Packed | None) -> bytes:
    """Give the bytes again."""
    if packed is None:
        return b""
    return packed.encode() if isinstance(packed, str) else base64.b64decode(packed.base64)


def joined(pieces: Sequence[tuple[float, Packed]]) -> bytes:
    """Give all of a body."""
    return b"".join(unpack(piece) for _, piece in pieces)
