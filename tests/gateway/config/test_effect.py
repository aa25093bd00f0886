"""No key may be read and quietly do nothing: each has a test that sees it work, or is listed as without effect."""

import ast
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from gateway.config import NOT_IN_EFFECT, schema_keys
from gateway.config.effect import why_not
from tests.gateway.config.behaviour import BEHAVIOUR

TESTS = Path(__file__).parents[2]
PLAIN = [pattern for pattern in NOT_IN_EFFECT if "=" not in pattern]


@pytest.fixture(scope="module")
def functions() -> frozenset[str]:
    """Every test function of the tests tree."""
    return frozenset(
        node.name
        for file in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def test_every_key_works_or_is_listed_as_without_effect() -> None:
    silent = [key for key in schema_keys() if not any(fnmatchcase(key, pattern) for pattern in (*BEHAVIOUR, *PLAIN))]
    assert silent == []


def test_no_key_is_listed_as_both() -> None:
    both = [
        key
        for key in schema_keys()
        if any(fnmatchcase(key, pattern) for pattern in BEHAVIOUR)
        and any(fnmatchcase(key, pattern) for pattern in PLAIN)
    ]
    assert both == []


def test_every_pattern_meets_a_key() -> None:
    patterns = [pattern.partition("=")[0] for pattern in (*NOT_IN_EFFECT, *BEHAVIOUR)]
    assert [one for one in patterns if not any(fnmatchcase(key, one) for key in schema_keys())] == []


def test_every_named_test_exists(functions: frozenset[str]) -> None:
    assert {name for name in BEHAVIOUR.values() if name not in functions} == set()


def test_the_search_for_tests_finds_this_one(functions: frozenset[str]) -> None:
    assert "test_the_search_for_tests_finds_this_one" in functions


def test_every_reason_is_given() -> None:
    assert all(NOT_IN_EFFECT.values())


def test_a_value_can_be_without_effect_alone() -> None:
    table = {"a.*.b=x": "not x", "c.*": "none of c"}
    assert why_not("a.*.b", "x", table) == "not x"
    assert why_not("a.*.b", "y", table) == ""
    assert why_not("c.d.e", "", table) == "none of c"
