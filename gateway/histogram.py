"""How long things last, counted by length: a value for each bound, one above all of them, and the sum."""

from bisect import bisect_left
from collections.abc import MutableSequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import TypeAlias

    Values: TypeAlias = "MutableSequence[float] | memoryview[float]"

__all__ = ["BOUNDS_S", "SHORTEST_S", "VALUES", "observe"]

BOUNDS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
SHORTEST_S: Final = BOUNDS_S[0]
VALUES: Final = len(BOUNDS_S) + 2
_SUM: Final = VALUES - 1


def observe(values: "Values", seconds: float, place: int = 0) -> None:
    """Count one length in the histogram that begins at `place`."""
    values[place + bisect_left(BOUNDS_S, seconds)] += 1
    values[place + _SUM] += seconds
