"""A short soak, with faults, a kill and a restart of Redis; its memory takes longer to judge, and is only sampled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.cli.test_workers import LINUX
from tests.soak.noted import Options
from tests.soak.report import report, table
from tests.soak.soaking import soak

pytestmark = LINUX

OPTIONS = Options(minutes=8 / 60, seed=7, callers=4, warm_s=1.5, warm_times=1, spare=6)


@pytest.mark.timeout(600)
def test_a_short_soak_finds_nothing(tmp_path: Path) -> None:
    found = soak(tmp_path, OPTIONS)
    lines = report(found, OPTIONS)
    assert not [line for line in lines if line.findings], table(lines)
    assert found.done.counts == {"kill": 1, "redis": 1, "storm": 2}
    ends = {row.end for row in found.rows}
    assert {"done", "error"} <= ends <= {"done", "error", "client_closed", "cancelled", "killed"}
    assert sum(row.end == "done" for row in found.rows) > 20
    assert found.samples.keys() <= found.after.workers["a"].keys()  # those of a have lived on


@pytest.mark.timeout(600)
def test_a_short_soak_of_idle_streams_finds_nothing(tmp_path: Path) -> None:
    options = Options(minutes=2 / 60, seed=7, idle_streams=24, callers=4, warm_s=1, warm_times=1, spare=6)
    found = soak(tmp_path, options)
    lines = report(found, options)
    assert not [line for line in lines if line.findings], table(lines)
    assert sum(row.end == "client_closed" for row in found.rows) >= 24
