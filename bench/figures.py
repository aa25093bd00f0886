"""The figures of a run.

Machines wander, so the figure of a system is the least of all rounds; of memory it is the most. A run with one wrong
answer has no ratios.
"""

from typing import Literal

import msgspec

__all__ = ["FLOOR", "GATEWAY", "ROUNDS", "Figure", "Figures", "Host", "Report", "Round", "Start"]

Figure = Literal[
    "cpu_us",
    "first_p50_ms",
    "first_p99_ms",
    "whole_p50_ms",
    "whole_p99_ms",
    "chunk_p50_ms",
    "chunk_p99_ms",
    "late",
    "open_kb",
]
FLOOR = "passthrough"
GATEWAY = "gateway"
ROUNDS = 3  # fewer say nothing


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario against one system."""

    cpu_us: float  # for each request or chunk, as the scenario says
    first_p50_ms: float
    first_p99_ms: float
    whole_p50_ms: float
    whole_p99_ms: float
    chunk_p50_ms: float  # of paced chunks, from the upstream's write to the arrival; 0 without any
    chunk_p99_ms: float
    late: float  # the paced stream that took longest, in times of how long upstream took over it; 0 without any
    open_kb: float  # what each of the streams held open took of the memory; 0 without any
    rss_mb: float
    others: float  # the part of the machine's CPU that went to neither the bench nor what it started
    answers: int
    errors: dict[str, int]


Round = dict[str, dict[str, Figures]]  # by scenario, then by system


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """From the start of a process to its first right answer, and its memory then."""

    ready_s: float
    rss_mb: float


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """What it ran on."""

    python: str
    cores: int
    load: tuple[float, float, float]  # averages when it began
    measured: list[int]  # the cores of the servers measured
    rest: list[int]  # those of the upstream and the load driver
    versions: dict[str, str]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run of one pair. `quick`: with a tenth of the load."""

    pair: str
    host: Host
    quick: bool
    starts: dict[str, Start]  # by system
    rounds: list[Round]
    decode_ms: dict[str, float]  # by the caller's dialect: CPU for each MB of a request
    install_mb: float | None = None  # the size of the gateway and what it needs; None: not measured
    left_out: dict[str, str] = {}  # what was asked for and not measured, with the reason

    @property
    def sound(self) -> bool:
        """Whether it was long enough for a verdict."""
        return not self.quick and len(self.rounds) >= ROUNDS

    @property
    def errors(self) -> list[str]:
        """Return a line for each kind of wrong answer."""
        return [
            f"round {number}, {scenario}, {system}: {count} times {reason}"
            for number, measured in enumerate(self.rounds, 1)
            for scenario, by_system in measured.items()
            for system, figures in by_system.items()
            for reason, count in figures.errors.items()
        ]

    @property
    def wrong(self) -> int:
        """Return how many answers of all were wrong, short or none."""
        every = (
            figures for measured in self.rounds for by_system in measured.values() for figures in by_system.values()
        )
        return sum(sum(figures.errors.values()) for figures in every)

    @property
    def others(self) -> list[float]:
        """Return what others took of the machine during each load."""
        return [
            figures.others
            for measured in self.rounds
            for by_system in measured.values()
            for figures in by_system.values()
        ]

    def has(self, scenario: str, *systems: str) -> bool:
        """Whether this was measured, and of each of the systems."""
        return all(scenario in measured and measured[scenario].keys() >= {*systems} for measured in self.rounds)

    def each(self, system: str, scenario: str, figure: Figure) -> list[float]:
        """Return a figure of every round."""
        return [getattr(measured[scenario][system], figure) for measured in self.rounds]

    def counted(self, system: str, scenario: str, figure: Figure) -> float:
        """Return the figure that counts."""
        # memory once taken is kept: later rounds find most of it there
        return (max if figure == "open_kb" else min)(self.each(system, scenario, figure))

    def last_mb(self, system: str) -> float:
        """Return the memory of a system after the last load of the last round."""
        return [by_system[system].rss_mb for by_system in self.rounds[-1].values() if system in by_system][-1]

    def most_mb(self, system: str) -> float:
        """Return the most memory that a system had after any load."""
        return max(
            by_system[system].rss_mb
            for measured in self.rounds
            for by_system in measured.values()
            if system in by_system
        )
