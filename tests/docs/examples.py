"""The fenced blocks of the documentation, and the lines of those that are commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["BLOCKS", "DOCS", "Block", "commands"]

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SHELL = ("sh", "")


class Block(NamedTuple):
    """What stands between two fences, and where."""

    page: str
    language: str
    text: str

    @property
    def file(self) -> str:
        """Give the file that its first line names, "" = none."""
        found = re.match(r"# (\S+\.\w+)\n", self.text)
        return found[1] if found else ""


def _read() -> Iterator[Block]:
    for file in sorted(DOCS.rglob("*.md")):
        for language, text in _BLOCK.findall(file.read_text("utf-8")):
            yield Block(str(file.relative_to(DOCS)), language, text)


BLOCKS = list(_read())


def commands() -> list[tuple[str, str]]:
    """Give (page, command) for each command line; what goes on behind `\\` is one line."""
    shells = [block for block in BLOCKS if block.language in _SHELL]
    lines = [(block.page, line) for block in shells for line in block.text.replace("\\\n", " ").splitlines()]
    return list(dict.fromkeys((page, " ".join(line.split())) for page, line in lines if line.strip()))
