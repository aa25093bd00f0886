"""A run as tables: every figure of every system, then the goals; and several runs as one."""

from collections.abc import Iterator, Sequence

from bench.figures import FLOOR, GATEWAY, ROUNDS, Figure, Report
from bench.goals import WORDS, judge, ratio, times
from bench.scenarios import EVERY, Scenario

__all__ = [
    "NONE",
    "Row",
    "conditions",
    "figures_of",
    "measured_in",
    "summary",
    "verdicts",
    "write_summary",
    "write_table",
]

SHORT_RUN = f"a quick run, or fewer than {ROUNDS} rounds: no verdicts"
NONE = "-"
Row = Sequence[str]


def write_table(report: Report) -> str:
    """Return the tables, or the errors when there are any."""
    judged = _columns([*verdicts(report)]) if report.sound else [SHORT_RUN]
    if report.errors:
        return "\n".join([f"{report.pair}: wrong answers, so no ratios:", *report.errors, "", *judged])
    lines = [report.pair, *conditions(report), "", *_columns([*_figures(report)]), "", *judged, ""]
    return "\n".join([*lines, *_memory(report), _decoding(report)])


def write_summary(reports: Sequence[Report]) -> str:
    """Return one table of several pairs."""
    return "\n".join(_columns(summary(reports)))


def summary(reports: Sequence[Report]) -> list[Row]:
    """Say what the gateway takes of the CPU, in times of what the pass-through does; nothing of runs with errors."""
    names = {scenario.name: scenario for report in reports for scenario in measured_in(report)}
    rows = [_summed(report, [*names.values()]) for report in reports if not report.errors]
    return [["CPU, of the pass-through's", "", *names], *rows]


def _summed(report: Report, scenarios: Sequence[Scenario]) -> Row:
    ratios = (ratio(scenario, "cpu_us", FLOOR)(report) for scenario in scenarios)
    return report.pair, "", *(NONE if one is None else times(one) for one in ratios)


def measured_in(report: Report) -> list[Scenario]:
    """Return the scenarios of a run."""
    return [scenario for scenario in EVERY.values() if report.has(scenario.name)]


def conditions(report: Report) -> Iterator[str]:
    """Say where it ran, beside whom, what with and what is not there."""
    host = report.host
    apart = f"servers on core {host.measured}, upstream and load on {host.rest}"
    yield apart if host.measured != host.rest else "one core for everything: load and servers disturb each other"
    load = " ".join(f"{one:.2f}" for one in host.load)
    mean, most = sum(report.others) / len(report.others), max(report.others)
    yield f"load average at the start {load}; others took {mean:.0%} of {host.cores} cores, at most {most:.0%}"
    yield ", ".join([f"Python {host.python}", *(f"{name} {version}" for name, version in host.versions.items())])
    for name, reason in report.left_out.items():
        yield f"left out: {name}: {reason}"


def _figures(report: Report) -> Iterator[Row]:
    yield "scenario", "figure", *report.starts, "added", f"{GATEWAY}/{FLOOR} of each round, of all", ""
    for scenario in measured_in(report):
        for figure, name in figures_of(scenario):
            yield _row(report, scenario, figure, name)


def figures_of(scenario: Scenario) -> Iterator[tuple[Figure, str]]:
    """Give what is told of a scenario."""
    yield "cpu_us", f"CPU µs a {scenario.per}"
    if scenario.stream:
        yield "first_p50_ms", "first chunk ms p50"
        yield "first_p99_ms", "first chunk ms p99"
    else:
        yield "whole_p50_ms", "answer ms p50"
        yield "whole_p99_ms", "answer ms p99"
    if scenario.paced:
        yield "chunk_p50_ms", "chunk under way ms p50"
        yield "chunk_p99_ms", "chunk under way ms p99"
        yield "late", "longest stream, of its length"
    if scenario.held:
        yield "open_kb", "memory of a stream kB"


def _row(report: Report, scenario: Scenario, figure: Figure, name: str) -> Row:
    ours, floors = (report.each(system, scenario.name, figure) for system in (GATEWAY, FLOOR))
    each = " ".join(_over(our, floor) for our, floor in zip(ours, floors, strict=True))
    our, floor = (report.counted(system, scenario.name, figure) for system in (GATEWAY, FLOOR))
    digits = 1 if figure in ("cpu_us", "open_kb") else 3
    cells = [
        f"{report.counted(system, scenario.name, figure):.{digits}f}" if report.has(scenario.name, system) else NONE
        for system in report.starts
    ]
    return scenario.name, name, *cells, f"{our - floor:.{digits}f}", each, _over(our, floor)


def _over(our: float, floor: float) -> str:
    return f"{our / floor:.2f}" if floor > 0 else NONE  # memory that was there before counts nothing


def verdicts(report: Report) -> Iterator[Row]:
    """Say of each goal what was measured and whether that meets it."""
    for goal, verdict in judge(report):
        yield (
            goal.name,
            goal.title,
            goal.form(verdict.value),
            f"must ≤ {goal.form(goal.must)} {WORDS[verdict.meets_must]}",
            f"goal ≤ {goal.form(goal.goal)} {WORDS[verdict.meets_goal]}",
        )


def _memory(report: Report) -> Iterator[str]:
    for name, start in report.starts.items():
        yield (
            f"{name}: first answer after {start.ready_s:.2f} s, {start.rss_mb:.0f} MB then, "
            f"at most {report.most_mb(name):.0f} MB later, {report.last_mb(name):.0f} MB at the end"
        )


def _decoding(report: Report) -> str:
    each = ", ".join(f"{dialect} {took:.1f} ms" for dialect, took in report.decode_ms.items())
    return f"CPU to read 1 MB of an agent's talk: {each}"


def _columns(rows: Sequence[Row]) -> list[str]:
    """Align words to the left and figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:{'<' if place < 2 else '>'}{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
