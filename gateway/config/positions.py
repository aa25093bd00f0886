"""Say on which line each key of a TOML document stands; tomllib keeps no positions.

The scanner reads documents that tomllib has accepted, so it only has to find its way, not to judge. Headers,
keys, dotted keys, inline tables and the elements of arrays all get a path; a table that several lines open has
the first.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, TypeAlias

from gateway.config.sources import KeyPath

__all__ = ["positions"]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*+")
_SPACE: Final = re.compile(r"[ \t]*+")
_KEY: Final = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
# Three quotes close a multi-line string, and one or two more before them belong to it.
_STRING: Final = re.compile(
    r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*\'''',
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")

Parts: TypeAlias = tuple[str, ...]


def positions(text: str) -> dict[KeyPath, int]:
    """Index every key path of a valid TOML document to its line, counted from 1."""
    return _Scanner(text.replace("\r\n", "\n")).document()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.lines: dict[KeyPath, int] = {}
        self.counts: dict[KeyPath, int] = {}  # how many elements each array of tables has so far

    def document(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self.skip(_BLANK) < len(self.text):
            if self.text.startswith("[[", self.at):
                table = self.header(brackets=2)
            elif self.text.startswith("[", self.at):
                table = self.header(brackets=1)
            else:
                self.pair(table)
        return self.lines

    def header(self, brackets: int) -> KeyPath:
        self.at += brackets
        line, parts = self.line(), self.key()
        self.at += brackets
        path = self.current((), parts[:-1], line)
        if brackets == 1:
            return self.current(path, parts[-1:], line)
        path = (*path, parts[-1])
        index = self.counts.get(path, 0)
        self.counts[path] = index + 1
        self.note(path, line)
        self.note((*path, index), line)
        return (*path, index)

    def current(self, path: KeyPath, parts: Parts, line: int) -> KeyPath:
        """Follow a header's parts; an array of tables means its last element."""
        for part in parts:
            path = (*path, part)
            self.note(path, line)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return path

    def pair(self, table: KeyPath) -> None:
        line, path = self.line(), table
        for part in self.key():
            path = (*path, part)
            self.note(path, line)
        self.at += 1  # the equals sign
        self.skip(_SPACE)
        self.value(path)

    def value(self, path: KeyPath) -> None:
        opening = self.text[self.at]
        if opening == "[":
            for index, _ in enumerate(self.items("]")):
                self.note((*path, index), self.line())
                self.value((*path, index))
        elif opening == "{":
            for _ in self.items("}"):
                self.pair(path)
        else:
            self.skip(_STRING if opening in "\"'" else _SCALAR)

    def items(self, closing: str) -> Iterator[None]:
        """Stop at the beginning of each item of an array or inline table."""
        self.at += 1
        while self.text[self.skip(_BLANK)] != closing:
            yield
            if self.text[self.skip(_BLANK)] == ",":
                self.at += 1
        self.at += 1

    def key(self) -> Parts:
        parts: list[str] = []
        while True:
            self.skip(_SPACE)
            start = self.at
            parts.append(_name(self.text[start : self.skip(_KEY)]))
            if self.text[self.skip(_SPACE)] != ".":
                return tuple(parts)
            self.at += 1

    def skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at

    def line(self) -> int:
        return bisect_right(self.starts, self.at)

    def note(self, path: KeyPath, line: int) -> None:
        self.lines.setdefault(path, line)


def _name(token: str) -> str:
    if token[0] == "'":
        return token[1:-1]
    if token[0] != '"':
        return token
    return token[1:-1] if "\\" not in token else str(tomllib.loads(f"k = {token}")["k"])
