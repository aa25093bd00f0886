"""The coding of an upstream's answer: what is asked for, and how what comes is read.

Plain bytes are asked for: an event of a stream need not wait in a compressor. gzip and deflate are read all the same,
for some servers ask nobody; others cannot be read here, and are never asked for.
"""

import zlib
from collections.abc import Mapping
from typing import Final

__all__ = ["ASKED", "Inflater", "OutOfProportion", "Unreadable", "inflater", "readable"]

ASKED: Final[Mapping[str, str]] = {"Accept-Encoding": "identity"}  # without one a server may take any coding

_PIECE_BYTES: Final = 256 * 1024  # the most that one read of a compressed body gives
_FREE_BYTES: Final = 8 * 1024 * 1024  # inflated bytes that need no justification
_MAX_RATIO: Final = 200  # of inflated to compressed bytes beyond that; JSON reaches 20, a bomb 1,000
_WINDOWS: Final = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_PLAIN: Final = ("", "identity")


class Unreadable(Exception):
    """A body is not what its coding says, or in one that cannot be read here."""


class OutOfProportion(Unreadable):
    """A body inflates as no text does."""


class Inflater:
    """Inflate a gzip or deflate body piece by piece, as long as it stays in proportion.

    `unknown`: what is to be said of a body in another coding, "" = it is none. Besides Unreadable, zlib's own error
    says that it is not compressed so.
    """

    __slots__ = ("_encoding", "_full", "_inside", "_received", "_rest", "_stream", "_taken", "unknown")

    def __init__(self, encoding: str) -> None:
        self.unknown = (
            "" if encoding in _WINDOWS else f"upstream sent content-encoding {encoding!r}, which was not asked for"
        )
        self._encoding = encoding
        self._stream = zlib.decompressobj()  # replaced when the first byte is here
        self._inside = False
        self._full = False  # the last piece was, so zlib may hold more without further input
        self._rest = b""
        self._received = 0
        self._taken = 0

    def feed(self, data: bytes) -> None:
        """Take what came."""
        if self.unknown:
            raise Unreadable(self.unknown)
        self._rest = data  # `take` has used up what was there
        self._received += len(data)

    def take(self) -> bytes:
        """Return the next piece, or b"" when that needs more input."""
        while self._rest or self._full:
            if not self._inside:
                self._begin()
            piece = self._stream.decompress(self._rest, _PIECE_BYTES)
            self._rest = self._stream.unconsumed_tail
            self._full = len(piece) == _PIECE_BYTES
            if self._stream.eof:  # gzip allows several members, one after the other
                self._rest = self._stream.unused_data
                self._inside = self._full = False
            if piece:
                self._weigh(piece)
                return piece
        return b""

    def end(self) -> None:
        """See that all has come."""
        if self._inside:
            raise Unreadable("the upstream's compressed response is truncated")

    def _begin(self) -> None:
        window = _WINDOWS[self._encoding]
        if window == zlib.MAX_WBITS and self._rest[0] & 0x0F != zlib.DEFLATED:
            window = -window  # RFC 9110 means the zlib format, some servers send bare deflate
        self._stream = zlib.decompressobj(window)
        self._inside = True

    def _weigh(self, piece: bytes) -> None:
        self._taken += len(piece)
        used = self._received - len(self._rest)  # a read is 64 KB, which a bomb makes 64 MB of
        if self._taken > _FREE_BYTES and self._taken > _MAX_RATIO * used:
            raise OutOfProportion(f"the upstream's compressed response inflates more than {_MAX_RATIO} times")


def inflater(encoding: str) -> Inflater | None:
    """Give what reads a body with this content-encoding, None where it is plain."""
    name = encoding.strip().lower()
    return None if name in _PLAIN else Inflater(name)


def readable(asked: str) -> str:
    """Give what can be read here of the codings that an accept-encoding asks for."""
    named = [(one.strip(), one.partition(";")[0].strip().lower()) for one in asked.split(",")]
    return ", ".join(one for one, name in named if name in _WINDOWS or name in _PLAIN) or "identity"
