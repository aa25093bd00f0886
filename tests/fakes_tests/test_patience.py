"""A test waits longer where it is not alone."""

from __future__ import annotations

import os

import pytest

from tests.patience import cores, patient


def test_workers_that_have_just_begun_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The average of a minute does not know of them yet."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "1000")
    assert patient(2) >= 2 * 5 * 1000 / cores()


def test_nobody_waits_less_than_an_idle_machine_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)
    assert patient(3) >= 3


@pytest.mark.parametrize(("quota", "most"), [("50000 100000\n", 0.5), ("max 100000\n", 10_000.0), ("", 10_000.0)])
def test_a_container_has_what_it_is_granted(quota: str, most: float) -> None:
    assert cores(quota) == min(most, cores(""))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_processors_that_others_have_do_not_count() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert cores("") == 1
    finally:
        os.sched_setaffinity(0, allowed)
