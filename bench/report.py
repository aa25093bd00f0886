"""The figures of a run and the table made of them.

Machines wander, so a figure of the table is the least of all rounds, and the ratio that counts is the least
of the gateway over the least of the pass-through. A run with one wrong answer has no ratios.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from bench.scenarios import Scenario

__all__ = ["Figures", "Report", "Round", "Start", "write_table"]

Figure = Literal["cpu_us", "first_p50_ms", "whole_p50_ms"]
COLUMNS = (24, 18, 12, 7, 7, 19, 5)
TITLES = ("scenario", "figure", "pass-through", "gateway", "added", "ratio of each round", "ratio", "target")


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario against one system."""

    cpu_us: float  # for each request or chunk, as the scenario says
    first_p50_ms: float
    first_p99_ms: float
    whole_p50_ms: float
    whole_p99_ms: float
    rss_mb: float
    answers: int
    errors: dict[str, int]


Round = dict[str, dict[str, Figures]]  # by scenario, then by system


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """From the start of a process to its first right answer, and its memory then."""

    ready_s: float
    rss_mb: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run."""

    starts: dict[str, Start]  # by system
    rounds: list[Round]

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


def write_table(report: Report, scenarios: Sequence[Scenario]) -> str:
    """Return the table, or the errors when there are any."""
    if report.errors:
        return "\n".join(["wrong answers, so no ratios:", *report.errors])
    lines = [_line(TITLES)]
    for scenario in scenarios:
        lines.append(_row(report, scenario, "cpu_us", f"CPU µs a {scenario.per}", scenario.limit))
        lines += [_row(report, scenario, figure, name, None) for figure, name in _waits(scenario)]
    return "\n".join([*lines, "", *_memory(report)])


def _waits(scenario: Scenario) -> Iterator[tuple[Figure, str]]:
    if scenario.connections == 1 and scenario.per == "request":
        yield ("first_p50_ms", "first chunk ms p50") if scenario.stream else ("whole_p50_ms", "answer ms p50")


def _row(report: Report, scenario: Scenario, figure: Figure, name: str, limit: float | None) -> str:
    rounds = [one[scenario.name] for one in report.rounds]
    ours: list[float] = [getattr(one["gateway"], figure) for one in rounds]
    floors: list[float] = [getattr(one["passthrough"], figure) for one in rounds]
    ratio = min(ours) / min(floors)
    each = " ".join(f"{our / floor:.2f}" for our, floor in zip(ours, floors, strict=True))
    verdict = f"≤ {limit} {'met' if ratio <= limit else 'MISSED'}" if limit else ""
    digits = 2 if figure != "cpu_us" else 1
    figures = (f"{one:.{digits}f}" for one in (min(floors), min(ours), min(ours) - min(floors)))
    return _line((scenario.name, name, *figures, each, f"{ratio:.2f}", verdict))


def _memory(report: Report) -> Iterator[str]:
    for name, start in report.starts.items():
        most = max(by_system[name].rss_mb for one in report.rounds for by_system in one.values())
        yield (
            f"{name}: first answer after {start.ready_s:.2f} s, {start.rss_mb:.0f} MB then, at most {most:.0f} MB later"
        )


def _line(cells: Sequence[str]) -> str:
    names = [f"{cell:<{width}}" for cell, width in zip(cells[:2], COLUMNS, strict=False)]
    figures = [f"{cell:>{width}}" for cell, width in zip(cells[2:-1], COLUMNS[2:], strict=True)]
    return "  ".join([*names, *figures, cells[-1]]).rstrip()
