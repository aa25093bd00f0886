"""How often hypothesis tries a property that does not say it itself; `-p tests.properties.profiles` for pytest."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, settings

__all__ = ["COUNT", "TRIES"]

COUNT: Final = "GATEWAY_TEST_EXAMPLES"
TRIES: Final = int(os.environ.get(COUNT, "200"))

settings.register_profile("often", max_examples=TRIES, deadline=None, suppress_health_check=[*HealthCheck])
# the same examples each time: what a test notices does not depend on luck
settings.register_profile("mutation", settings.get_profile("often"), derandomize=True, database=None)
