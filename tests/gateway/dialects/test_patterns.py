"""Patterns of JavaScript's, where Python reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from gateway.dialects.outbound_schema import mended, parameters
from gateway.dialects.patterns import is_pattern, readable
from tests.cpu import cpu_seconds
from tests.fakes.json_schema import well_formed

ARTIFACT = r'^(?!__.*__$)[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}"\\./[\]]{1,200}$'  # of Claude Code 2.1.265
HUGE = "a{" + "9" * 5000 + "}"


@pytest.mark.parametrize("pattern", [r"^\S+$", r"^[A-Z]{2}\-\d$", r"a\/b", r"^(?!no)", "^[^\u0000]*$", ""])
def test_what_both_read_is_a_pattern(pattern: str) -> None:
    assert is_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [ARTIFACT, r"\p{L}", "(?<name>a)", r"\u{1F600}", "[^]", r"\cA", "(", "(" * 5000, "a{99999999999}", HUGE, None, 7],
)
def test_what_python_does_not_read_is_none(pattern: object) -> None:
    assert not is_pattern(pattern)


TWICE = "a" * 50_000


@pytest.mark.parametrize("pattern", [f"{TWICE}|{TWICE}", "(a*)*" * 40_000], ids=["alternatives", "repeats"])
def test_none_is_read_for_longer_than_patterns_are(pattern: str) -> None:
    """Python takes what alternatives have in common away letter by letter: in 400 kB for nine seconds."""
    assert not is_pattern(pattern)
    assert cpu_seconds(lambda: is_pattern(pattern), below=0.001) < 0.001


def read(schema: Any) -> Any:
    return json.loads(bytes(readable(Raw(json.dumps(schema).encode()))))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"pattern": "^a", "description": "it"}, {"pattern": "^a", "description": "it"}),
        ({"pattern": r"\p{L}"}, {"description": r"(pattern: \p{L})"}),
        ({"pattern": r"\p{L}", "description": "it"}, {"description": r"it (pattern: \p{L})"}),
        ({"pattern": 7}, {}),
        ({"patternProperties": {"^a": {}, r"\p{L}": {}}}, {"patternProperties": {"^a": {}}}),
        ({"properties": {"pattern": {"type": "string"}}}, {"properties": {"pattern": {"type": "string"}}}),
        ({"enum": [{"pattern": r"\p{L}"}]}, {"enum": [{"pattern": r"\p{L}"}]}),
        (
            {"$defs": {"a": {"anyOf": [{"items": {"pattern": r"\p{L}"}}]}}},
            {"$defs": {"a": {"anyOf": [{"items": {"description": r"(pattern: \p{L})"}}]}}},
        ),
    ],
)
def test_the_description_says_what_no_pattern_can(given: Any, expected: Any) -> None:
    assert read(given) == expected


def test_what_needs_no_change_keeps_its_bytes() -> None:
    given = Raw(b'{ "pattern" : "^a" }')
    assert bytes(readable(given)) == bytes(given)


@pytest.mark.parametrize("write", [parameters, mended])
def test_claude_codes_tools_are_what_openai_takes(write: Any) -> None:
    schema = {"type": "object", "properties": {"field": {"type": "string", "pattern": ARTIFACT}}}
    assert not well_formed(schema)
    written = json.loads(bytes(write(Raw(json.dumps(schema).encode()))))
    assert well_formed(written)
    assert ARTIFACT in written["properties"]["field"]["description"]
