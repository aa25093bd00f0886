"""The results of a run as a file of JSON: of each pair its verdicts, and every figure of every round."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.figures import Report
from bench.goals import Verdict, judge

__all__ = ["read_results", "write_results"]


class _Results(msgspec.Struct, frozen=True, kw_only=True):
    verdicts: list[Verdict]
    report: Report


def write_results(file: Path, reports: Sequence[Report]) -> None:
    """Write them."""
    results = [_Results(verdicts=[verdict for _, verdict in judge(report)], report=report) for report in reports]
    file.write_bytes(msgspec.json.format(msgspec.json.encode(results)))


def read_results(file: Path) -> list[Report]:
    """Read the reports again; a verdict follows from its figures."""
    return [one.report for one in msgspec.json.decode(file.read_bytes(), type=list[_Results])]
