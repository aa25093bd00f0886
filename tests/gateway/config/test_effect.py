"""No key may be read and quietly do nothing: each has a test that sees it work."""

import ast
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from gateway.config import schema_keys
from tests.gateway.config.behaviour import BEHAVIOUR

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def functions() -> frozenset[str]:
    """Every test function of the tests tree."""
    return frozenset(
        node.name
        for file in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def test_every_key_works() -> None:
    silent = [key for key in schema_keys() if not any(fnmatchcase(key, pattern) for pattern in BEHAVIOUR)]
    assert silent == []


def test_every_pattern_meets_a_key() -> None:
    assert [one for one in BEHAVIOUR if not any(fnmatchcase(key, one) for key in schema_keys())] == []


def test_every_named_test_exists(functions: frozenset[str]) -> None:
    assert {name for name in BEHAVIOUR.values() if name not in functions} == set()


def test_the_search_for_tests_finds_this_one(functions: frozenset[str]) -> None:
    assert "test_the_search_for_tests_finds_this_one" in functions
