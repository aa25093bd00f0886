"""A run as tables: every figure of every system, then the goals; and several runs as one."""

from collections.abc import Iterator, Sequence

from bench.figures import FLOOR, GATEWAY, ROUNDS, Figure, Report
from bench.goals import judge, ratio, times
from bench.scenarios import Scenario

__all__ = ["write_summary", "write_table"]

SHORT_RUN = f"a quick run, or fewer than {ROUNDS} rounds: no verdicts"
WORDS = {True: "met", False: "MISSED"}


def write_table(report: Report, scenarios: Sequence[Scenario]) -> str:
    """Return the tables, or the errors when there are any."""
    if report.errors:
        return "\n".join([f"{report.pair}: wrong answers, so no ratios:", *report.errors])
    figures = _columns([_titles(report), *_rows(report, scenarios)])
    verdicts = _columns([*_verdicts(report)]) if report.sound else [SHORT_RUN]
    return "\n".join(
        [report.pair, *_host(report), "", *figures, "", *verdicts, "", *_memory(report), _decoding(report)]
    )


def write_summary(reports: Sequence[Report], scenarios: Sequence[Scenario]) -> str:
    """Return one table of several pairs: what the gateway takes of the CPU, in times of what the pass-through does."""
    titles = ["CPU, of the pass-through's", "", *(scenario.name for scenario in scenarios)]
    return "\n".join(_columns([titles, *(_summed(report, scenarios) for report in reports if not report.errors)]))


def _summed(report: Report, scenarios: Sequence[Scenario]) -> Sequence[str]:
    ratios = (ratio(scenario, "cpu_us", FLOOR)(report) for scenario in scenarios)
    return report.pair, "", *(times(one) for one in ratios)


def _host(report: Report) -> Iterator[str]:
    host = report.host
    apart = f"servers on core {host.measured}, upstream and load on {host.rest}"
    yield apart if host.measured != host.rest else "one core for everything: load and servers disturb each other"
    load = " ".join(f"{one:.2f}" for one in host.load)
    mean, most = sum(report.others) / len(report.others), max(report.others)
    yield f"load average at the start {load}; others took {mean:.0%} of {host.cores} cores, at most {most:.0%}"
    yield ", ".join([f"Python {host.python}", *(f"{name} {version}" for name, version in host.versions.items())])


def _titles(report: Report) -> Sequence[str]:
    each = f"{GATEWAY}/{FLOOR} of each round, of all"
    return "scenario", "figure", *report.starts, "added", each, ""


def _rows(report: Report, scenarios: Sequence[Scenario]) -> Iterator[Sequence[str]]:
    for scenario in scenarios:
        yield _row(report, scenario, "cpu_us", f"CPU µs a {scenario.per}")
        for figure, name in _waits(scenario):
            yield _row(report, scenario, figure, name)


def _waits(scenario: Scenario) -> Iterator[tuple[Figure, str]]:
    if scenario.script.kind == "pace":
        yield "chunk_p50_ms", "chunk under way ms p50"
    elif scenario.connections == 1 and scenario.per == "request":
        yield ("first_p50_ms", "first chunk ms p50") if scenario.stream else ("whole_p50_ms", "answer ms p50")


def _row(report: Report, scenario: Scenario, figure: Figure, name: str) -> Sequence[str]:
    ours, floors = (report.each(system, scenario.name, figure) for system in (GATEWAY, FLOOR))
    each = " ".join(f"{our / floor:.2f}" for our, floor in zip(ours, floors, strict=True))
    digits = 1 if figure == "cpu_us" else 3
    figures = [*(report.least(system, scenario.name, figure) for system in report.starts), min(ours) - min(floors)]
    return scenario.name, name, *(f"{one:.{digits}f}" for one in figures), each, f"{min(ours) / min(floors):.2f}"


def _verdicts(report: Report) -> Iterator[Sequence[str]]:
    for goal, verdict in judge(report):
        must = f"must ≤ {goal.form(goal.must)} {WORDS[verdict.meets_must]}"
        yield (
            goal.name,
            goal.title,
            goal.form(verdict.value),
            must,
            f"goal ≤ {goal.form(goal.goal)} {WORDS[verdict.meets_goal]}",
        )


def _memory(report: Report) -> Iterator[str]:
    for name, start in report.starts.items():
        yield (
            f"{name}: first answer after {start.ready_s:.2f} s, {start.rss_mb:.0f} MB then, "
            f"at most {report.most_mb(name):.0f} MB later"
        )


def _decoding(report: Report) -> str:
    each = ", ".join(f"{dialect} {took:.1f} ms" for dialect, took in report.decode_ms.items())
    return f"CPU to read 1 MB of an agent's talk: {each}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align words to the left and figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:{'<' if place < 2 else '>'}{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
