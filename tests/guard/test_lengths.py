"""A file can be read at one sitting, and a function at one look."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [file for folder in ("gateway", "middleware", "adapters") for file in sorted((ROOT / folder).rglob("*.py"))]
MOST_LINES = 500
MOST_OF_A_FUNCTION = 49


def lengths(source: str) -> Iterator[tuple[str, int]]:
    """Give how many lines each function has, without its decorators."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def test_no_file_is_too_long() -> None:
    assert len(SOURCES) > 100
    long = {str(file.relative_to(ROOT)): len(file.read_text("utf-8").splitlines()) for file in SOURCES}
    assert {name: lines for name, lines in long.items() if lines > MOST_LINES} == {}


def test_no_function_is_too_long() -> None:
    found = {(file.name, name): lines for file in SOURCES for name, lines in lengths(file.read_text("utf-8"))}
    assert len(found) > 1000
    assert {name: lines for name, lines in found.items() if lines > MOST_OF_A_FUNCTION} == {}


def test_a_long_function_is_found() -> None:
    assert dict(lengths("@property\ndef f():\n" + "    x = 1\n" * 60)) == {"f": 61}
