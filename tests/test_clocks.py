"""The clocks of the tests."""

from __future__ import annotations

import pytest

from tests.clocks import EVENING_S, day_is_over_in, minute_is_over_in

MIDNIGHT = 1_763_856_000.0  # 2025-11-23T00:00:00Z


@pytest.mark.parametrize(
    ("now", "waits"),
    [
        (MIDNIGHT - EVENING_S - 0.5, 0.0),
        (MIDNIGHT - EVENING_S, EVENING_S),
        (MIDNIGHT - 0.25, 0.25),
        (MIDNIGHT, 0.0),
        (MIDNIGHT + 43_200, 0.0),
    ],
)
def test_no_test_begins_when_the_day_is_all_but_over(now: float, waits: float) -> None:
    assert day_is_over_in(now) == waits


@pytest.mark.parametrize(
    ("now", "takes_s", "waits"),
    [
        (MIDNIGHT, 7, 0.0),
        (MIDNIGHT + 52, 7, 0.0),
        (MIDNIGHT + 53.5, 7, 6.5),
        (MIDNIGHT + 9, 900, 0.0),
        (MIDNIGHT + 11, 900, 49.0),
    ],
)
def test_what_counts_by_the_minute_begins_when_enough_of_it_is_left(now: float, takes_s: float, waits: float) -> None:
    assert minute_is_over_in(now, takes_s) == waits
