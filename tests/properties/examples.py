"""How often a property is tried: 200 times, or as often as `python -m tests.properties` is told."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, settings

__all__ = ["COUNT", "EXAMPLES"]

COUNT: Final = "GATEWAY_TEST_EXAMPLES"
EXAMPLES: Final = settings(
    max_examples=int(os.environ.get(COUNT, "200")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
