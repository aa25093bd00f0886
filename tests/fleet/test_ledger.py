"""kill -9 of workers at any moment: each request is in the ledger once, with what the upstream has counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fleet.killing import prove
from tests.gateway.cli.test_workers import LINUX

pytestmark = LINUX

KILLS = 3


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_no_request_is_lost_and_none_counted_twice_by_kill_9(
    tmp_path: Path, request: pytest.FixtureRequest, database: str
) -> None:
    url = request.getfixturevalue("postgres_url") if database == "postgres" else ""
    seen, ends = prove(tmp_path, url, KILLS, seed=3)
    assert seen.killed == KILLS
    assert ends["done"] > KILLS
