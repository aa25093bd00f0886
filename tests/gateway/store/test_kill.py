"""kill -9 while credentials or the ledger are written: the store opens, nothing is lost, nothing is half there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.gateway.store.places import Place

ROOT = Path(__file__).parents[3]
ROUNDS = 100  # for each kind of database
HOLDING = """
import sys, time
from pathlib import Path
from gateway.store.credentials import CredentialStore
assert CredentialStore(Path(sys.argv[1]), url=sys.argv[2]).take_lease("refresh", "the one who is killed", 1.0)
print("taken", flush=True)
time.sleep(60)
"""


def test_no_credential_is_lost_and_none_half_written_by_kill_9(place: Place) -> None:
    command = [sys.executable, "-m", "tests.gateway.store.killed", str(place.folder), place.url, str(ROUNDS), "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rounds, refreshed, imported = map(int, done.stdout.split())
    assert rounds == ROUNDS
    assert refreshed > ROUNDS / 2  # more than one in each round, so that they were killed while they wrote
    assert imported > ROUNDS / 2


def test_no_request_is_lost_and_none_counted_twice_by_kill_9(place: Place) -> None:
    command = [sys.executable, "-m", "tests.gateway.store.killed_ledger", str(place.folder), place.url]
    done = subprocess.run([*command, str(ROUNDS), "7"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rounds, requests, _ = map(int, done.stdout.split())
    assert rounds == ROUNDS
    assert requests > ROUNDS  # so that they were killed while they wrote


def test_a_lease_ends_though_its_holder_was_killed(place: Place) -> None:
    store = place.opened()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(place.file), place.url], cwd=ROOT, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"taken\n"
        holder.kill()
    assert not store.take_lease("refresh", "another", 60)
    place.do("UPDATE leases SET until = until - 1")
    assert store.take_lease("refresh", "another", 60)
