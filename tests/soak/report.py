"""The table of a soak: what was looked at, with its figures, and whatever was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.soak.judging import MOST_BLOCKS, MOST_MB_PER_HOUR, held, hung, ledger, slopes
from tests.soak.looking import Standing
from tests.soak.memory import Slope, growth, slope_of
from tests.soak.noted import Found, Options

__all__ = ["Line", "report", "table"]

WARM = 1 / 3  # of the time, before memory is measured
SHOWN = 5
LEAST_MB = 0.05


@dataclass(frozen=True)
class Line:
    """One thing that was looked at."""

    what: str
    figure: str
    findings: Sequence[str] = field(default_factory=tuple)


def report(found: Found, options: Options) -> list[Line]:
    """Judge what was noted."""
    seen, rows, kills = found.seen, found.rows, found.done.kills
    longest = max((one.ended - one.began for one in seen if not one.left), default=0)
    ends = Counter(row.end for row in rows)
    answered = Counter(str(one.status or "none") for one in seen)
    workers = [one for group in found.after.workers.values() for one in group.values()]
    before, after = _files(found.before), _files(found.after)
    lines = {f"worker {pid} of a": slope_of(taken, options.seconds * WARM) for pid, taken in found.samples.items()}
    grown = "; ".join(f"{name} {_said(line)}" for name, line in lines.items()) + _mappings(found, options)
    more = _grown(found)
    faults = ", ".join(f"{count} {what}" for what, count in sorted(found.done.counts.items()))
    broken = [f"gateway {name} ended with {code}" for name, code in found.codes.items() if code]
    dumb = [f"gateway {name} answers {status}" for name, status in found.probes.items() if status != 200]
    return [
        Line("requests", f"{len(seen)}: " + _counts(answered)),
        Line("faults beside those of answers", faults or "none"),
        Line("no request hung or broke", f"longest {longest:.1f} s", [*hung(seen, kills)]),
        Line("the gateways go on, and end", _counts(found.probes), dumb + broken),
        Line(
            f"nothing is left (descriptors +-{options.spare})",
            f"after {found.settled_s:.1f} s: descriptors {sorted(after)}, before {sorted(before)}; "
            f"{sum(one.leases for one in workers)} leases, {sum(one.answers for one in workers)} answers of upstreams",
            found.left,
        ),
        Line("ledger = books", _books(found) + ": " + _counts(ends), [*ledger(rows, seen, found.calls, kills)]),
        Line("gateway usage --json", _counts(found.sums), _sums(found)),
        Line("errors in the log", str(len(found.complaints)), found.complaints),
        Line(f"memory <= {MOST_MB_PER_HOUR:g} MB/h", grown or "not sampled", [*slopes(lines)]),
        Line(
            f"objects <= {MOST_BLOCKS} blocks more",
            "; ".join(f"{name} {blocks:+}, and {mb:+.1f} MB of malloc's" for name, (blocks, mb) in more.items())
            or "not looked at",
            [*held({name: blocks for name, (blocks, _) in more.items()})] if any(lines.values()) else [],
        ),
    ]


def _said(line: Slope | None) -> str:
    if line is None:
        return "sampled too shortly"
    return f"{line}{', too short to be sure' if line.margin > MOST_MB_PER_HOUR else ''}"


def _mappings(found: Found, options: Options) -> str:
    """Say where the growth of each worker is."""
    said = list[str]()
    for pid, taken in found.mapped.items():
        most = [*growth(taken, options.seconds * WARM).items()][:SHOWN]
        where = ", ".join(f"{name} {mb:+.1f}" for name, mb in most if mb > LEAST_MB)
        said += [f"{pid}: MB of {where}"] if where else []
    return "".join(f"; {one}" for one in said)


def _files(standing: Standing) -> list[int]:
    return [one.files for group in standing.workers.values() for one in group.values()]


def _grown(found: Found) -> dict[str, tuple[int, float]]:
    """Say how many blocks and MB more the workers hold than after the warm-up, of those whose memory is judged."""
    before, after = found.before.workers.get("a", {}), found.after.workers.get("a", {})
    return {
        f"worker {pid} of a": (one.blocks - before[pid].blocks, one.heap_mb - before[pid].heap_mb)
        for pid, one in after.items()
        if pid in before and pid in found.samples
    }


def _sums(found: Found) -> list[str]:
    """Compare the sums of the command with the rows."""
    rows = found.rows
    tokens = {"input_tokens": sum(row.input for row in rows), "output_tokens": sum(row.output for row in rows)}
    own = {"requests": len(rows), **tokens}
    wrong = [name for name, count in found.sums.items() if count != own[name]]
    return [f"{name}: {found.sums[name]} by the command, {own[name]} in rows" for name in wrong]


def _books(found: Found) -> str:
    done = {row.asked: row for row in found.rows if row.end == "done" and not row.estimated}
    tokens = sum(row.input + row.output for row in done.values())
    return f"{len(found.rows)} rows, {len(found.calls)} answers that began, {tokens} tokens of {len(done)} rows agree"


def _counts(counts: dict[str, int] | Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def table(lines: Sequence[Line]) -> str:
    """Write it, each finding below its line."""
    width = max(len(line.what) for line in lines)
    said = list[str]()
    for line in lines:
        verdict = f"{len(line.findings)} FOUND" if line.findings else "ok"
        said.append(f"{line.what.ljust(width)}  {verdict.ljust(9)}  {line.figure}")
        said += [f"{'':{width}}    {finding}" for finding in line.findings[:SHOWN]]
        if len(line.findings) > SHOWN:
            said.append(f"{'':{width}}    and {len(line.findings) - SHOWN} more")
    return "\n".join(said)
