"""What the gateway must reach, and what it should: each figure of a run with its verdict."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from bench.figures import FLOOR, GATEWAY, Figure, Report
from bench.scenarios import BURST, IMAGE, OPEN, PACE, SHORT, STREAMS_200, WHOLE_1, WHOLE_16, Scenario

__all__ = ["GOALS", "WORDS", "WRONG", "Goal", "Verdict", "judge", "part", "ratio", "times"]

Read = Callable[[Report], float | None]  # None: the run has not measured it
WORDS = {True: "met", False: "MISSED"}
MOST_LATE = 1.1


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure and the highest values that meet the `must` and the `goal`."""

    name: str
    title: str
    read: Read
    must: float
    goal: float
    form: Callable[[float], str]


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
    """Return the verdicts; none for a run too short, and of one with wrong answers no more than that."""
    if not report.sound:
        return []
    goals = [WRONG] if report.errors else [*GOALS, WRONG]
    read = ((goal, goal.read(report)) for goal in goals)
    return [(goal, _verdict(goal, value)) for goal, value in read if value is not None]


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

    def read(report: Report) -> float | None:
        if not report.has(scenario.name, GATEWAY, against):
            return None
        ours, theirs = (report.counted(system, scenario.name, figure) for system in (GATEWAY, against))
        return ours / theirs

    return read


def added(scenario: Scenario, figure: Figure) -> Read:
    """Read what the gateway's least is over that of the pass-through."""

    def read(report: Report) -> float | None:
        if not report.has(scenario.name, GATEWAY, FLOOR):
            return None
        ours, floor = (report.counted(system, scenario.name, figure) for system in (GATEWAY, FLOOR))
        return ours - floor

    return read


def own(scenario: Scenario, figure: Figure, unit: float = 1) -> Read:
    """Read the gateway's figure."""

    def read(report: Report) -> float | None:
        return report.counted(GATEWAY, scenario.name, figure) / unit if report.has(scenario.name, GATEWAY) else None

    return read


def times(value: float) -> str:
    """Write a ratio to the floor."""
    return f"{value:.2f} x"


def part(value: float) -> str:
    """Write a ratio to a peer, exactly enough to tell a miss from a hit."""
    share = 1 / value
    return f"1/{share:.{2 if share < 10 else 1}f}".rstrip("0").removesuffix(".")


def unit(name: str, digits: int, sign: str = "") -> Callable[[float], str]:
    """Give the writer of a figure with a unit."""
    return lambda value: f"{value:{sign}.{digits}f} {name}"


added_ms, milliseconds, megabytes = unit("ms", 2, "+"), unit("ms", 1), unit("MB", 0)
seconds, kilobytes, answers = unit("s", 2), unit("kB", 0), unit("answers", 0)


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
    ),
    Goal("P2", "the same, of the pass-through's", ratio(PACE, "cpu_us", FLOOR), 2.0, 1.5, times),
    Goal("P2", "the same, of the raw pass-through's", ratio(PACE, "cpu_us", "raw"), 3.0, 2.0, times),
    Goal("P3", "CPU a chunk, burst of 200, of LiteLLM's", ratio(BURST, "cpu_us", "litellm"), 1 / 50, 1 / 90, part),
    Goal(
        "P4",
        "CPU a small request, 16 at once, of LiteLLM's",
        ratio(WHOLE_16, "cpu_us", "litellm"),
        1 / 25,
        1 / 40,
        part,
    ),
    Goal("P5", "the same, of the plain proxy's", ratio(WHOLE_16, "cpu_us", "seed-like"), 1 / 5, 1 / 9, part),
    Goal("P5", "the same, of Portkey's", ratio(WHOLE_16, "cpu_us", "portkey"), 1 / 4, 1 / 7, part),
    Goal("P6", "small request over the pass-through", added(WHOLE_1, "whole_p50_ms"), 0.20, 0.10, added_ms),
    Goal("P7", "first chunk over the pass-through", added(SHORT, "first_p50_ms"), 0.30, 0.12, added_ms),
    Goal("P8", "latency of a paced chunk, of the pass-through's", ratio(PACE, "chunk_p50_ms", FLOOR), 2.4, 1.5, times),
    Goal(
        "P9",
        "use of the core, 200 streams of 20 chunks a second, of the pass-through's",
        ratio(STREAMS_200, "cpu_us", FLOOR),
        3.0,
        2.0,
        times,
    ),
    Goal("P9", "the longest of them, of its length", own(STREAMS_200, "late"), MOST_LATE, MOST_LATE, times),
    Goal("P10", "memory of each of 1,000 open streams", own(OPEN, "open_kb"), 60, 35, kilobytes),
    Goal("P10", "the longest of them, of its length", own(OPEN, "late"), MOST_LATE, MOST_LATE, times),
    Goal("P11", "memory after start", lambda report: report.starts[GATEWAY].rss_mb, 110, 75, megabytes),
    Goal("P11", "memory after the whole run", lambda report: report.last_mb(GATEWAY), 150, 100, megabytes),
    Goal("T9", "CPU to read 1 MB of an agent's talk, at most", _decoding, 10, 5, milliseconds),
    Goal("P12", "cold start to the first answer", lambda report: report.starts[GATEWAY].ready_s, 1.0, 0.5, seconds),
    Goal("P13", "install size without extras", lambda report: report.install_mb, 140, 100, megabytes),
    Goal("P14", "CPU of a request with a picture of 1 MB", own(IMAGE, "cpu_us", 1e3), 3, 2, unit("ms", 2)),
)
WRONG = Goal("P15", "wrong, short or failed answers of all systems", lambda report: report.wrong, 0, 0, answers)
