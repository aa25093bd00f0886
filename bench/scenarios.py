"""What is measured."""

from dataclasses import dataclass, replace
from typing import Literal

from bench.script import WHOLE, Script

__all__ = ["BURST", "BURST_16", "PACE", "SCENARIOS", "SHORT", "WHOLE_1", "WHOLE_16", "Scenario"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load. CPU is counted for each `per`.

    `peer_requests`: what a peer is asked on each connection; it takes ten to fifty times as long over each.
    """

    name: str
    script: Script
    stream: bool
    connections: int
    requests: int  # on each connection
    peer_requests: int
    per: Literal["request", "chunk"]

    @property
    def units(self) -> int:
        """Return how many requests, or chunks, one run of it makes."""
        answers = self.connections * self.requests
        return answers if self.per == "request" else answers * self.script.chunks

    @property
    def for_peer(self) -> "Scenario":
        """Return it as it is put to a peer."""
        return replace(self, requests=self.peer_requests)

    def divided(self, by: int) -> "Scenario":
        """Return the same load for a shorter time."""
        requests, peer_requests = (max(one // by, 1) for one in (self.requests, self.peer_requests))
        return replace(self, requests=requests, peer_requests=peer_requests)


WHOLE_16 = Scenario("whole, 16 at once", WHOLE, False, 16, 250, 40, "request")
WHOLE_1 = Scenario("whole, one client", WHOLE, False, 1, 500, 100, "request")
BURST = Scenario("burst of 200, one client", Script("burst", 200), True, 1, 100, 20, "chunk")
BURST_16 = Scenario("burst of 200, 16 at once", Script("burst", 200), True, 16, 30, 2, "chunk")
PACE = Scenario("5 ms pace, 8 streams", Script("pace", 200, 5), True, 8, 5, 5, "chunk")
SHORT = Scenario("2 chunks, one client", Script("burst", 2), True, 1, 500, 100, "request")
SCENARIOS = (WHOLE_16, WHOLE_1, BURST, BURST_16, PACE, SHORT)
