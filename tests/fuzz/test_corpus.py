"""Inputs that fuzzing has found, and those that it began with: no reader fails on them, hangs or takes too much."""

from __future__ import annotations

import pytest

from .corpus import kept
from .seeds import seeds
from .targets import TARGETS, guarded


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_stands_what_fuzzing_has_found(name: str) -> None:
    inputs = [*kept(name), *seeds(name)]
    assert inputs
    for data in inputs:
        guarded(TARGETS[name], data)


@pytest.mark.parametrize("name", TARGETS)
def test_each_reader_has_inputs_that_are_kept(name: str) -> None:
    assert len(kept(name)) > 3
