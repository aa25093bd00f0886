"""What is measured, and what each figure may cost compared with the pass-through."""

from dataclasses import dataclass, replace
from typing import Literal

from bench.script import WHOLE, Script

__all__ = ["SCENARIOS", "Scenario"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load. CPU is counted for each `per`; `limit` is the highest ratio that meets the target."""

    name: str
    script: Script
    stream: bool
    connections: int
    requests: int  # on each connection
    per: Literal["request", "chunk"]
    limit: float | None = None

    @property
    def units(self) -> int:
        """Return how many requests, or chunks, one run of it makes."""
        answers = self.connections * self.requests
        return answers if self.per == "request" else answers * self.script.chunks

    def divided(self, by: int) -> "Scenario":
        """Return the same load for a shorter time."""
        return replace(self, requests=max(self.requests // by, 1))


SCENARIOS = (
    Scenario("whole, 16 at once", WHOLE, False, 16, 250, "request", limit=2.5),
    Scenario("whole, one client", WHOLE, False, 1, 500, "request"),
    Scenario("burst of 200, one client", Script("burst", 200), True, 1, 100, "chunk"),
    Scenario("burst of 200, 16 at once", Script("burst", 200), True, 16, 30, "chunk"),
    Scenario("5 ms pace, 8 streams", Script("pace", 200, 5), True, 8, 5, "chunk", limit=2.0),
    Scenario("2 chunks, one client", Script("burst", 2), True, 1, 500, "request"),
)
