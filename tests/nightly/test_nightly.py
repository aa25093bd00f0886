"""The nightly command runs what it is asked for, with the budgets that are given, and reports any finding."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .__main__ import STEPS, commands, options, run

ROOT = Path(__file__).parents[2]


def test_every_step_runs_with_the_budget_that_is_given() -> None:
    found = commands(options(["--examples", "7", "--minutes", "0.5", "--sample", "9"]))
    assert tuple(found) == STEPS
    assert found["properties"] == ("-m", "tests.properties", "--examples", "7")
    assert found["fuzz"] == ("-m", "tests.fuzz", "--minutes", "0.5", "--keep")
    assert found["mutation"][:4] == ("-m", "tests.mutation", "--sample", "9")


def test_the_budgets_are_large_where_none_is_given() -> None:
    found = commands(options([]))
    assert (found["properties"][-1], found["fuzz"][3]) == ("20000", "10")


def test_a_thousand_streams_are_idle_for_an_hour() -> None:
    assert commands(options([]))["idle"][2:] == ("--minutes", "60", "--idle-streams", "1000")


def test_only_what_is_named_runs() -> None:
    assert tuple(commands(options(["--only", "soak", "fuzz"]))) == ("fuzz", "soak")


@pytest.mark.parametrize("step", STEPS)
def test_each_step_knows_the_options_that_it_is_given(step: str) -> None:
    command = commands(options([]))[step]
    told = subprocess.run(
        [sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert {part for part in command if part.startswith("--")} <= {*re.findall(r"--[\w-]+", told)}


def test_a_finding_is_told_and_does_not_end_the_night(capsys: pytest.CaptureFixture[str]) -> None:
    assert run({"first": ("-c", "raise SystemExit(3)"), "second": ("-c", "pass")}) == 1
    first, second = capsys.readouterr().out.splitlines()[-2:]
    assert first.startswith("first: it ended with 3, see above, ")
    assert second.startswith("second: nothing found, ")


def test_a_night_without_a_finding_ends_with_0() -> None:
    assert run({"first": ("-c", "pass")}) == 0
