"""Each of the properties T1 to T12 is tried by `python -m tests.properties`, as often as it is told."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .__main__ import PLACES, TESTS

FILES = [file for place in PLACES for file in (sorted(place.glob("test_*.py")) if place.is_dir() else [place])]
COUNTED = """
from hypothesis import given, settings, strategies as st
from tests.properties.examples import EXAMPLES, share

TRIED = {"own": 0, "often": 0, "slow": 0}

@given(st.integers())
def test_of_its_own(number):
    TRIED["own"] += 1

@EXAMPLES
@given(st.integers())
def test_often(number):
    TRIED["often"] += 1

@settings(EXAMPLES, max_examples=share(0.5))
@given(st.integers())
def test_slow(number):
    TRIED["slow"] += 1

def test_zero_to_nine():
    assert TRIED == {"own": 6, "often": 6, "slow": 3}
"""


@pytest.mark.parametrize("number", range(1, 13))
def test_each_property_has_a_test_that_names_it(number: int) -> None:
    named = re.compile(rf"^(async )?def test_t{number}_", re.MULTILINE)
    assert any(named.search(file.read_text()) for file in FILES)


def test_every_property_is_tried_as_often_as_is_said(tmp_path: Path) -> None:
    file = tmp_path / "test_counted.py"
    file.write_text(COUNTED)
    command = [sys.executable, "-m", "tests.properties", "--examples", "6", "-p", "no:randomly", str(file)]
    ran = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
