"""What a soak is repeated by, and what is noted on the way."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.soak.books import Booked
from tests.soak.callers import Seen
from tests.soak.faults import Done
from tests.soak.judging import SPARE_FDS, Row
from tests.soak.looking import Standing
from tests.soak.memory import Mapped, Sample

__all__ = ["Found", "Options"]


@dataclass(frozen=True)
class Options:
    """What a run is repeated by."""

    minutes: float = 30
    seed: int = 1
    idle_streams: int = 0
    callers: int = 6  # of each gateway
    warm_s: float = 180
    warm_times: int = 3  # as many callers while it warms up: what fills up with requests has then seen thousands
    spare: int = SPARE_FDS  # descriptors of a worker; each opens what it needs when it first does

    @property
    def seconds(self) -> float:
        """Give the time of load and faults."""
        return self.minutes * 60


@dataclass
class Found:
    """What was noted on the way."""

    seen: list[Seen] = field(default_factory=list[Seen])
    calls: list[Booked] = field(default_factory=list[Booked])
    rows: list[Row] = field(default_factory=list[Row])
    sums: dict[str, int] = field(default_factory=dict[str, int])  # of `gateway usage --json`
    done: Done = field(default_factory=Done)
    samples: dict[int, list[Sample]] = field(default_factory=dict[int, list[Sample]])  # by pid
    mapped: dict[int, list[Mapped]] = field(default_factory=dict[int, list[Mapped]])  # by pid, too
    before: Standing = field(default_factory=Standing)
    after: Standing = field(default_factory=Standing)
    left: list[str] = field(default_factory=list[str])  # what there was more of than before, at the last look
    settled_s: float = 0.0
    codes: dict[str, int] = field(default_factory=dict[str, int])
    complaints: list[str] = field(default_factory=list[str])  # errors in the gateways' logs
    probes: dict[str, int] = field(default_factory=dict[str, int])
