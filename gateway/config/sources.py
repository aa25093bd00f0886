"""Where a value came from, and the draft that remembers it while the configuration is read."""

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, cast

from msgspec import Struct

from gateway.config.problems import Problem
from gateway.redact import redact

__all__ = ["DEFAULT", "Draft", "KeyPath", "Source", "Text", "Tree", "as_list", "as_tree", "dotted"]

KeyPath: TypeAlias = tuple[str | int, ...]
Tree: TypeAlias = dict[str, object]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


class Source(Struct, frozen=True):
    """Who gave a value: nobody (default), a line of the file, a variable, a line of .env, a flag."""

    kind: Literal["default", "file", "env", ".env", "flag"]
    name: str = ""
    line: int | None = None

    def __str__(self) -> str:
        if self.kind == "file":
            return self.name if self.line is None else f"{self.name}:{self.line}"
        return f"{self.kind} {self.name}".rstrip()

    def problem(self, text: str) -> Problem:
        """Say what is wrong with what it gave."""
        if self.kind == "file":
            return Problem(self.name, self.line, redact(text))
        return Problem(_PLACES[self.kind], None, redact(f"{self.name}: {text}" if self.name else text))


DEFAULT: Final = Source("default")
_PLACES: Final = {"env": "environment", ".env": ".env", "flag": "command line", "default": "configuration"}


class Text(str):
    """A value that came as text (a variable, a file) and takes the type of its key."""

    __slots__ = ()


class Draft:
    """The configuration while it is read: the values, who gave each, and what is wrong so far.

    `told` are the paths of what is wrong: a value that could not be read is not missing as well. `named` are the
    variables to which `env:` leads.
    """

    def __init__(self, tree: Tree, label: str, lines: Mapping[KeyPath, int | None]) -> None:
        self.tree = tree
        self.label = label
        self.sources: dict[KeyPath, Source] = {path: Source("file", label, line) for path, line in lines.items()}
        self.problems: list[Problem] = []
        self.told: set[KeyPath] = set()
        self.named: set[str] = set()
        self.unset: dict[KeyPath, str] = {}

    def put(self, path: KeyPath, value: object, source: Source) -> None:
        """Set one value over what stands there. A parent of the wrong type stays, and is reported later."""
        table = self.tree
        for step in path[:-1]:
            inner = as_tree(table.setdefault(str(step), {}))
            if inner is None:
                return
            table = inner
        table[str(path[-1])] = value
        for known in [known for known in self.sources if known[: len(path)] == path]:
            del self.sources[known]
        self.sources[path] = source

    def get(self, path: KeyPath) -> object:
        """Give the raw value at a path of tables, None when it is not given."""
        value: object = self.tree
        for step in path:
            table = as_tree(value)
            if table is None or step not in table:
                return None
            value = table[str(step)]
        return value

    def source(self, path: KeyPath) -> Source:
        """Give the source of the value; of a table without one that of its first key, else that of the table around."""
        if path and path not in self.sources:
            within = (source for known, source in self.sources.items() if known[: len(path)] == path)
            if (first := next(within, None)) is not None:
                return first
        for length in range(len(path), 0, -1):
            if path[:length] in self.sources:
                return self.sources[path[:length]]
        return Source("file", self.label) if self.label else DEFAULT

    def report(self, path: KeyPath, message: str) -> None:
        """Note what is wrong with a key."""
        text = f"{dotted(path)}: {message}" if path else message
        self.problems.append(self.source(path).problem(text))
        self.told.add(path)


def as_tree(value: object) -> Tree | None:
    """Narrow to a table; its keys are strings, as TOML's and JSON's are."""
    return cast(Tree, value) if isinstance(value, dict) else None  # dict[Unknown, Unknown] after isinstance


def as_list(value: object) -> list[object] | None:
    """Narrow to a list."""
    return cast(list[object], value) if isinstance(value, list) else None  # list[Unknown] after isinstance


def dotted(path: KeyPath) -> str:
    """Write a key path as TOML would: `models.alias."gpt-4*"`, `key[0].name`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            word = step if _BARE.fullmatch(step) else f'"{step}"'
            text += f".{word}" if text else word
    return text
