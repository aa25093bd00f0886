"""A run in the documentation: `python -m bench.charts results.json` writes its charts and its tables.

`results.json` is what `bench.run --json` wrote. The charts, `docs/pictures/bench-*.svg`, are of its first pair; the
tables stand between two marks of `docs/performance.md`. A run with wrong answers, or one too short, is refused.
"""

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.bars import Bar, draw
from bench.figures import FLOOR, GATEWAY, Figure, Report
from bench.peers import PEERS
from bench.process import ROOT
from bench.report import NONE, conditions, figures_of, measured_in, summary, verdicts
from bench.results import read_results
from bench.scenarios import BURST, OPEN, PACE, SHORT, WHOLE_16, Scenario

__all__ = ["CHARTS", "Chart", "main", "write_page"]

PAGE = "performance.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
NAMES = {
    GATEWAY: "this gateway",
    FLOOR: "pass-through",
    "raw": "raw pass-through",
    "seed-like": "plain proxy",
    "litellm": "LiteLLM",
    "portkey": "Portkey",
}
Read = Callable[[Report, str], float | None]
Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure of every system; `form` writes it."""

    title: str
    about: str
    read: Read
    form: str


def figure(scenario: Scenario, name: Figure, unit: float = 1) -> Read:
    """Read a figure of a scenario."""

    def read(report: Report, system: str) -> float | None:
        return report.counted(system, scenario.name, name) / unit if report.has(scenario.name, system) else None

    return read


CHARTS: Mapping[str, Chart] = {
    "bench-request.svg": Chart(
        "CPU of a small request", "ms, whole answers, 16 clients at once", figure(WHOLE_16, "cpu_us", 1e3), "{:.2f} ms"
    ),
    "bench-pace.svg": Chart(
        "CPU of a chunk at a pace", "µs, 8 streams, a chunk every 5 ms in each", figure(PACE, "cpu_us"), "{:.0f} µs"
    ),
    "bench-burst.svg": Chart(
        "CPU of a chunk in a burst", "µs, streams of 200 chunks, one client", figure(BURST, "cpu_us"), "{:.1f} µs"
    ),
    "bench-first.svg": Chart(
        "Time to the first chunk",
        "ms, median, one client; upstream takes none",
        figure(SHORT, "first_p50_ms"),
        "{:.2f} ms",
    ),
    "bench-open.svg": Chart(
        "Memory of an open stream", "kB, 1,000 streams, a chunk a second in each", figure(OPEN, "open_kb"), "{:.0f} kB"
    ),
    "bench-memory.svg": Chart(
        "Memory after start", "MB, after the first answer", lambda report, name: report.starts[name].rss_mb, "{:.0f} MB"
    ),
}


def main(words: Sequence[str] | None = None, docs: Path = ROOT / "docs") -> int:
    """Write charts and page; 1 when the run is not fit for it."""
    parser = argparse.ArgumentParser(prog="python -m bench.charts", description="Write a run into the documentation.")
    parser.add_argument("results", type=Path)
    reports = read_results(parser.parse_args(words).results)
    if unfit := [report.pair for report in reports if report.errors or not report.sound]:
        print(f"wrong answers, or too short a run: {', '.join(unfit)}; nothing is written")
        return 1
    first, *_ = reports
    drawn = {name: drawing for name, chart in CHARTS.items() if (drawing := _drawn(chart, first))}
    for name in CHARTS:
        (docs / "pictures" / name).unlink(missing_ok=True)  # of an earlier run with other figures
    for name, drawing in drawn.items():
        (docs / "pictures" / name).write_text(drawing, "utf-8")
    page = docs / PAGE
    page.write_text(write_page(page.read_text("utf-8"), reports, [*drawn]), "utf-8")
    return 0


def write_page(page: str, reports: Sequence[Report], charts: Sequence[str]) -> str:
    """Return the page with what was measured between its marks."""
    measured = "\n\n".join(_sections(reports, charts))
    return re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{measured}\n\n{END}", page, count=1, flags=re.DOTALL)


def _drawn(chart: Chart, report: Report) -> str:
    """Draw it; nothing when the run has no such figure of the gateway."""
    read = {name: chart.read(report, name) for name in report.starts}
    ours = read[GATEWAY]
    if not ours:
        return ""
    bars = [_bar(name, value, ours, chart.form) for name, value in read.items() if value is not None]
    return draw(chart.title, chart.about, bars)


def _bar(name: str, value: float, ours: float, form: str) -> Bar:
    text = form.format(value) if name == GATEWAY else f"{form.format(value)}, {value / ours:.2g} x"
    is_floor = name == FLOOR or (name in PEERS and PEERS[name].floor)
    return Bar(NAMES.get(name, name), value, text, "ours" if name == GATEWAY else "floor" if is_floor else "peer")


def _sections(reports: Sequence[Report], charts: Sequence[str]) -> Iterator[str]:
    first = reports[0]
    yield "\n".join(f"- {line}" for line in conditions(first))
    yield from (f"![{CHARTS[name].title}: {CHARTS[name].about}](pictures/{name})" for name in charts)
    yield f"### Goals\n\nOf `{first.pair}`:"
    yield _table([("", "figure", "measured", "must", "goal"), *verdicts(first)])
    yield f"### Every figure\n\nOf `{first.pair}`, the least of {len(first.rounds)} rounds, of memory the most:"
    yield _table([*_figures(first)])
    if len(reports) > 1:
        yield "### Pairs of dialects\n\nCPU in times of the pass-through's:"
        yield _table([[title for place, title in enumerate(row) if place != 1] for row in summary(reports)])


def _figures(report: Report) -> Iterator[Row]:
    yield "scenario", "figure", *(NAMES.get(name, name) for name in report.starts)
    for scenario in measured_in(report):
        for name, title in figures_of(scenario):
            read = (figure(scenario, name)(report, system) for system in report.starts)
            yield scenario.name, title, *(NONE if one is None else f"{one:.2f}" for one in read)
    yield "start", "first answer s", *(f"{start.ready_s:.2f}" for start in report.starts.values())
    yield "start", "memory MB", *(f"{start.rss_mb:.0f}" for start in report.starts.values())
    yield "whole run", "memory at the end MB", *(f"{report.last_mb(name):.0f}" for name in report.starts)
    yield "whole run", "memory at most MB", *(f"{report.most_mb(name):.0f}" for name in report.starts)


def _table(rows: Sequence[Row]) -> str:
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    raise SystemExit(main())
