"""How often a property is tried: 200 times, or as often as `python -m tests.properties` is told."""

from __future__ import annotations

from typing import Final

from hypothesis import HealthCheck, settings

from .profiles import COUNT, TRIES

__all__ = ["COUNT", "EXAMPLES", "share"]

EXAMPLES: Final = settings(
    max_examples=TRIES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def share(part: float) -> int:
    """Say how often to try a property that takes long: this part of the others' examples."""
    return max(1, round(part * TRIES))
