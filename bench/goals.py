"""What the gateway must reach, and what it should: each figure of a run with its verdict."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from bench.figures import FLOOR, GATEWAY, Figure, Report
from bench.scenarios import BURST, PACE, SHORT, WHOLE_1, WHOLE_16, Scenario

__all__ = ["GOALS", "Goal", "Verdict", "judge"]

Read = Callable[[Report], float]


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure and the highest values that meet the `must` and the `goal`; `against`: a peer it needs."""

    name: str
    title: str
    read: Read
    must: float
    goal: float
    form: Callable[[float], str]
    against: str = GATEWAY


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a run against its goal."""

    name: str
    title: str
    value: float
    must: float
    goal: float
    meets_must: bool
    meets_goal: bool


def judge(report: Report) -> list[tuple[Goal, Verdict]]:
    """Return the verdicts; none for a run with wrong answers or one too short."""
    if report.errors or not report.sound:
        return []
    goals = [goal for goal in GOALS if goal.against in report.starts]
    return [(goal, _verdict(goal, goal.read(report))) for goal in goals]


def _verdict(goal: Goal, value: float) -> Verdict:
    return Verdict(
        name=goal.name,
        title=goal.title,
        value=value,
        must=goal.must,
        goal=goal.goal,
        meets_must=value <= goal.must,
        meets_goal=value <= goal.goal,
    )


def ratio(scenario: Scenario, figure: Figure, against: str) -> Read:
    """Read the gateway's least over another's least."""

    def read(report: Report) -> float:
        ours, theirs = (report.least(system, scenario.name, figure) for system in (GATEWAY, against))
        return ours / theirs

    return read


def added(scenario: Scenario, figure: Figure) -> Read:
    """Read what the gateway's least is over that of the pass-through."""

    def read(report: Report) -> float:
        ours, floor = (report.least(system, scenario.name, figure) for system in (GATEWAY, FLOOR))
        return ours - floor

    return read


def times(value: float) -> str:
    """Write a ratio to the floor."""
    return f"{value:.2f} x"


def part(value: float) -> str:
    """Write a ratio to a peer."""
    return f"1/{1 / value:.1f}".removesuffix(".0")


def unit(name: str, digits: int, sign: str = "") -> Callable[[float], str]:
    """Give the writer of a figure with a unit."""
    return lambda value: f"{value:{sign}.{digits}f} {name}"


milliseconds, megabytes, seconds = unit("ms", 2, "+"), unit("MB", 0), unit("s", 2)


def _decoding(report: Report) -> float:
    return max(report.decode_ms.values())


GOALS = (
    Goal(
        "P1",
        "CPU a chunk, 5 ms pace, 8 streams, of LiteLLM's",
        ratio(PACE, "cpu_us", "litellm"),
        1 / 10,
        1 / 18,
        part,
        "litellm",
    ),
    Goal("P2", "the same, of the pass-through's", ratio(PACE, "cpu_us", FLOOR), 2.0, 1.5, times),
    Goal(
        "P3",
        "CPU a chunk, burst of 200, of LiteLLM's",
        ratio(BURST, "cpu_us", "litellm"),
        1 / 50,
        1 / 90,
        part,
        "litellm",
    ),
    Goal(
        "P4",
        "CPU a small request, 16 at once, of LiteLLM's",
        ratio(WHOLE_16, "cpu_us", "litellm"),
        1 / 25,
        1 / 40,
        part,
        "litellm",
    ),
    Goal("P6", "small request over the pass-through", added(WHOLE_1, "whole_p50_ms"), 0.20, 0.10, milliseconds),
    Goal("P7", "first chunk over the pass-through", added(SHORT, "first_p50_ms"), 0.30, 0.12, milliseconds),
    Goal("P8", "latency of a paced chunk, of the pass-through's", ratio(PACE, "chunk_p50_ms", FLOOR), 2.4, 1.5, times),
    Goal("P11", "memory after start", lambda report: report.starts[GATEWAY].rss_mb, 110, 75, megabytes),
    Goal("P11", "memory at most", lambda report: report.most_mb(GATEWAY), 150, 100, megabytes),
    Goal("T9", "CPU to read 1 MB of an agent's talk, at most", _decoding, 10, 5, unit("ms", 1)),
    Goal("P12", "cold start to the first answer", lambda report: report.starts[GATEWAY].ready_s, 1.0, 0.5, seconds),
)
