"""Places in a text, which some count in characters and others in the bytes of its UTF-8."""

from bisect import bisect_left, bisect_right
from typing import Final

__all__ = ["Places"]

_STRIDE: Final = 1024  # characters that are counted again for each place


class Places:
    """The places of a text that may grow: all of it is counted once, however many are asked for."""

    __slots__ = ("_bytes", "_pieces", "_size", "_starts", "length")

    def __init__(self, text: str = "") -> None:
        self.length = self._size = 0
        self._pieces: list[str] = []
        self._starts: list[int] = []  # of each piece, in characters
        self._bytes: list[int] = []
        self.add(text)

    def add(self, text: str) -> None:
        """Take more of the text."""
        for start in range(0, len(text), _STRIDE):
            piece = text[start : start + _STRIDE]
            self._pieces.append(piece)
            self._starts.append(self.length)
            self._bytes.append(self._size)
            self.length += len(piece)
            self._size += _size(piece)

    def to_bytes(self, characters: int) -> int:
        """Turn a count of characters into one of bytes."""
        if characters >= self.length:
            return self._size
        at = bisect_right(self._starts, characters) - 1
        return self._bytes[at] + _size(self._pieces[at][: characters - self._starts[at]])

    def to_characters(self, count: int) -> int:
        """Turn a count of bytes into one of characters; one that is cut does not count."""
        if count >= self._size:
            return self.length
        at = bisect_right(self._bytes, count) - 1
        data = self._pieces[at].encode("utf-8", "replace")
        return self._starts[at] + len(data[: count - self._bytes[at]].decode("utf-8", "ignore"))

    def between(self, start: int, end: int) -> str:
        """Give what stands between two counts of characters."""
        if start >= min(end, self.length):
            return ""
        first = bisect_right(self._starts, start) - 1
        before = self._starts[first]
        return "".join(self._pieces[first : bisect_left(self._starts, end)])[start - before : end - before]


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
