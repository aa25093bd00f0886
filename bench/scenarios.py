"""What is measured."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bench.script import PICTURE, TALK, WHOLE, Script

__all__ = [
    "BURST",
    "BURST_16",
    "EVERY",
    "IMAGE",
    "OPEN",
    "PACE",
    "SCENARIOS",
    "SHORT",
    "STREAMS_200",
    "WHOLE_1",
    "WHOLE_16",
    "Scenario",
]

WARM = 16  # connections that are enough to warm up
SLOW_MS = 1000  # streams of this pace or a slower one are held open


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load. CPU is counted for each `per`.

    `peer_requests`: what a peer is asked on each connection; it takes ten to fifty times as long over each.
    """

    key: str  # how the command line calls it
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
    def paced(self) -> bool:
        """Whether its chunks come at a pace, with stamps."""
        return self.script.kind == "pace"

    @property
    def held(self) -> bool:
        """Whether it is there to hold streams open, for the memory that they take."""
        return self.script.pace_ms >= SLOW_MS

    @property
    def for_peer(self) -> "Scenario":
        """Return it as it is put to a peer."""
        return replace(self, requests=self.peer_requests)

    @property
    def warming(self) -> "Scenario":
        """Return as much of it as warms a server up."""
        script = replace(self.script, chunks=2) if self.held else self.script
        return replace(self, script=script, connections=min(self.connections, WARM), requests=1, peer_requests=1)

    def divided(self, by: int) -> "Scenario":
        """Return the same load for a shorter time."""
        requests, peer_requests = (max(one // by, 1) for one in (self.requests, self.peer_requests))
        return replace(self, requests=requests, peer_requests=peer_requests)


WHOLE_16 = Scenario("whole-16", "whole, 16 at once", WHOLE, False, 16, 250, 40, "request")
WHOLE_1 = Scenario("whole-1", "whole, one client", WHOLE, False, 1, 500, 100, "request")
WHOLE_64 = Scenario("whole-64", "whole, 64 at once", WHOLE, False, 64, 60, 10, "request")
BURST = Scenario("burst-1", "burst of 200, one client", Script("burst", 200), True, 1, 100, 20, "chunk")
BURST_16 = Scenario("burst-16", "burst of 200, 16 at once", Script("burst", 200), True, 16, 30, 2, "chunk")
BURST_64 = Scenario("burst-64", "burst of 200, 64 at once", Script("burst", 200), True, 64, 8, 1, "chunk")
PACE = Scenario("pace-8", "5 ms pace, 8 streams", Script("pace", 200, 5), True, 8, 5, 5, "chunk")
PACE_200 = Scenario("pace-200", "5 ms pace, 200 streams", Script("pace", 100, 5), True, 200, 1, 1, "chunk")
SHORT = Scenario("short-1", "2 chunks, one client", Script("burst", 2), True, 1, 500, 100, "request")
STREAMS_200 = Scenario(
    "streams-200", "20 chunks a second, 200 streams", Script("pace", 100, 50), True, 200, 1, 1, "chunk"
)
OPEN = Scenario("open-1000", "1 chunk a second, 1,000 streams", Script("pace", 9, SLOW_MS), True, 1000, 1, 1, "chunk")
IMAGE = Scenario("image-1", "1 MB picture, one client", PICTURE, False, 1, 60, 20, "request")
LARGE = Scenario("large-1", "33 MB of talk, one client", TALK, False, 1, 4, 2, "request")

SCENARIOS = (WHOLE_16, WHOLE_1, BURST, BURST_16, PACE, SHORT)  # what is measured unless told otherwise
EVERY: Mapping[str, Scenario] = {
    scenario.key: scenario
    for scenario in (
        WHOLE_1,
        WHOLE_16,
        WHOLE_64,
        BURST,
        BURST_16,
        BURST_64,
        SHORT,
        PACE,
        PACE_200,
        STREAMS_200,
        OPEN,
        IMAGE,
        LARGE,
    )
}
