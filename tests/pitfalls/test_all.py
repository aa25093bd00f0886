"""Every statement has a test that bears its number."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

NUMBERS = range(1, 89)


def named() -> set[str]:
    """Read the names of the tests of this folder."""
    trees = [ast.parse(file.read_text()) for file in Path(__file__).parent.glob("test_*.py")]
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for tree in trees for node in tree.body if isinstance(node, kinds)}


@pytest.mark.parametrize("number", NUMBERS)
def test_the_statement_has_a_test(number: int) -> None:
    assert [name for name in named() if name.startswith(f"test_pitfall_{number:02}_")]


def test_no_test_has_another_number() -> None:
    numbers = {int(name.split("_")[2]) for name in named() if name.startswith("test_pitfall_")}
    assert numbers == {*NUMBERS}
