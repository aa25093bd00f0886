"""Names and ids: legal upstream, the same in every turn, and the client sees its own."""

from __future__ import annotations

import hashlib

import pytest

from gateway.dialects.gemini.names import NameMap, legal, legal_id, map_id


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@pytest.mark.parametrize("name", ["a", "_", "get_weather", "mcp__server-1__x", "A" * 64])
def test_legal_name_is_itself(name: str) -> None:
    assert legal(name)
    assert NameMap([name]).upstream(name) == name


@pytest.mark.parametrize("name", ["", "1a", "-a", "a.b", "a:b", "a/b", "a b", "é", "a\n", "A" * 65])
def test_illegal_name_becomes_legal_and_comes_back(name: str) -> None:
    names = NameMap([name])
    upstream = names.upstream(name)
    assert not legal(name)
    assert legal(upstream)
    assert names.original(upstream) == name


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("a.b", "a_b"), ("1a", "_1a"), ("", "_"), ("mcp__server__" + "x" * 80, "mcp__server__" + "x" * 42)],
)
def test_mapped_name_is_a_prefix_and_eight_digits(name: str, prefix: str) -> None:
    assert NameMap([name]).upstream(name) == f"{prefix}_{_digits(name)}"


def test_long_names_that_differ_in_the_last_letter_stay_apart() -> None:
    first, second = "mcp__server__" + "x" * 79 + "y", "mcp__server__" + "x" * 79 + "z"
    names = NameMap([first, second])
    assert names.upstream(first) != names.upstream(second)
    assert names.original(names.upstream(second)) == second


def test_legal_name_equal_to_a_mapped_one_keeps_itself() -> None:
    taken = f"a_b_{_digits('a.b')}"
    names = NameMap(["a.b", taken])
    assert names.upstream(taken) == taken
    assert names.upstream("a.b") != taken
    assert names.original(taken) == taken
    assert names.original(names.upstream("a.b")) == "a.b"


def test_order_of_the_tools_does_not_matter() -> None:
    originals = ["b.c", f"b_c_{_digits('b.c')}", "a", "x" * 70]
    forward, backward = NameMap(originals), NameMap(reversed(originals))
    assert [forward.upstream(name) for name in originals] == [backward.upstream(name) for name in originals]


def test_name_of_an_undeclared_tool_joins_the_map() -> None:
    names = NameMap(["a"])
    upstream = names.upstream("old.tool")
    assert legal(upstream)
    assert names.original(upstream) == "old.tool"


def test_unknown_upstream_name_is_itself() -> None:
    assert NameMap([]).original("made_up") == "made_up"


@pytest.mark.parametrize("value", ["toolu_01AbC", "call-1", "x" * 64])
def test_legal_id_is_itself(value: str) -> None:
    assert legal_id(value)
    assert map_id(value) == value


@pytest.mark.parametrize("value", ["", "functions.Bash:0", "a b", "x" * 65, "a\n", "\ud800"])
def test_illegal_id_becomes_legal(value: str) -> None:
    assert not legal_id(value)
    assert legal_id(map_id(value))


def test_mapped_id_is_the_cleaned_id_and_eight_digits() -> None:
    assert map_id("functions.Bash:0") == f"functions_Bash_0_{_digits('functions.Bash:0')}"


def test_ids_cleaned_alike_stay_apart() -> None:
    assert map_id("f:0") != map_id("f.0")
