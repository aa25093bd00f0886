"""docs/threat-model.md names tests that there are, and leaves none of this folder out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "threat-model.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`tests/([\w/]+\.py)`", PAGE)))


@pytest.mark.parametrize("name", NAMED)
def test_a_file_that_it_names_has_tests(name: str) -> None:
    assert "def test_" in (TESTS / name).read_text("utf-8")


def test_every_file_of_this_folder_is_named() -> None:
    files = {f"security/{file.name}" for file in Path(__file__).parent.glob("test_*.py")}
    assert files - set(NAMED) == {"security/test_threat_model.py"}


def test_every_defence_has_its_test() -> None:
    told = PAGE.partition("## A stranger")[2].partition("## What is left")[0]
    rows = [line for line in told.splitlines() if line.startswith("| ") and not line.startswith(("| where", "| ---"))]
    assert len(rows) > 25
    assert [row for row in rows if ".py`" not in row] == []
