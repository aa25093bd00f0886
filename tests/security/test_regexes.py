"""No text makes a regular expression of the product slow: eight times the length takes about eight times the time."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.cpu import cpu_seconds
from tests.security.patterns import Used, attacks, in_sources, used

SHORT, LONG = 1_000, 8_000  # characters
FAST_S, SLOW_S = 0.03, 1.0  # of the long text: a quadratic one takes up to seconds
RATIO = 24  # of times; a linear one has 8, a quadratic one 64
TRIES = 4
# patterns that are read at run time, and where from
MADE = {
    ("gateway.logfile", "re.compile(_names(pattern))"),  # of log.rotated
    ("gateway.resolution", "re.compile(translate(glob))"),  # as fnmatch itself does
    # of secrets: tests/gateway/test_redact.py takes their time
    ("gateway.redact", "re.compile(_spelt(value))"),
    ("gateway.redact", "re.sub(_bytes(_spelt(credential)), MASK.encode(), answer)"),
}
# not linear, and why that does no harm
ACCEPTED: dict[str, str] = {}

PATTERNS = used()


def seconds(one: Used, way: str, text: Any, below: float = FAST_S) -> float:
    """Measure one use."""
    run = getattr(one.pattern, way)
    arguments = (b"" if isinstance(text, bytes) else "", text) if way in ("sub", "subn") else (text,)

    def use() -> None:
        found = run(*arguments)
        if way == "finditer":
            for _ in found:
                pass

    return cpu_seconds(use, tries=TRIES, below=below)


def is_linear(one: Used, way: str, start: str, pump: str, end: str) -> bool:
    """Tell whether the time grows as the text does."""

    def text(length: int) -> Any:
        said = start + pump * (length // len(pump)) + end
        return said.encode("utf-8") if isinstance(one.pattern.pattern, bytes) else said

    if any(seconds(one, way, text(length)) > FAST_S for length in (24, 30, 36, 500)):
        return False  # an exponential one would not come back from a longer text
    first = seconds(one, way, text(LONG))
    if not FAST_S < first < SLOW_S:
        return first < SLOW_S
    short, long = (seconds(one, way, text(length), below=0) for length in (SHORT, LONG))
    return long < FAST_S or long < short * RATIO


def slow(one: Used) -> tuple[str, str, str, str] | None:
    """Give the first way, beginning, part to repeat and end that take too long."""
    ways = sorted(one.ways or {"search"})
    tried = ((way, *attack) for attack in attacks(one.pattern) for way in ways)
    return next((each for each in tried if not is_linear(one, *each)), None)


@pytest.mark.parametrize("source", [r"(?:a|aa)*b", r"(\w+\s?)*!", r"\s+$"])
def test_a_slow_one_is_noticed(source: str) -> None:
    assert slow(Used("test", re.compile(source), {"search"}))


def test_there_are_many() -> None:
    assert len(PATTERNS) > 100


@pytest.mark.parametrize("one", [one for one in PATTERNS if one.at not in ACCEPTED], ids=lambda one: str(one.at))
def test_its_time_grows_as_the_text_does(one: Used) -> None:
    assert slow(one) is None


def test_what_is_accepted_is_there() -> None:
    assert ACCEPTED.keys() <= {one.at for one in PATTERNS}


def test_no_other_pattern_is_made_at_run_time() -> None:
    import ast

    assert {(module, ast.unparse(node)) for module, node in in_sources()} == MADE
