"""Kill a process that writes credentials, at random moments.

    python -m tests.gateway.store.killed FOLDER URL ROUNDS SEED

Each round is a child that goes on with the numbers of the one before: it learns tokens (as a refresh does) or adds
accounts (as an import does), and says each number once it is written. It is killed in the middle, the store is opened
anew, and what was said must be there, whole. The parent has no connection open while it forks.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gateway.store.credentials import CredentialStore
from gateway.store.known import Change, StoredCredential, StoredTokens
from tests.gateway.store.places import Place

NOW = 1_800_000_000.0
LONGEST_S = 0.02
ACCOUNTS = 3  # that are refreshed in turn


def refresh(store: CredentialStore, number: int) -> None:
    tokens = StoredTokens(f"ya29.{number}", NOW + number, NOW + number, f"1//{number}")
    store.learn("google", [Change(id=f"refreshed-{number % ACCOUNTS}", tokens=tokens, uses=1)], NOW)


def take_in(store: CredentialStore, number: int) -> None:
    row = StoredCredential(
        id=f"imported-{number}",
        source="import",
        email=f"{number}@example.org",
        refresh_token=f"1//{number}",
        other=f'{{"n":{number}}}',
        added_at=float(number),
    )
    store.add("google", row)


WRITES = {"refresh": refresh, "import": take_in}


def child(place: Place, what: str, number: int, said: int) -> None:
    """Write until the end."""
    store = place.opened()
    while True:
        number += 1
        WRITES[what](store, number)
        os.write(said, b"%d\n" % number)


def kill_one(
    place: Place, what: str, number: int, moment_s: float, child: Callable[[Place, str, int, int], None] = child
) -> int:
    """Let a child go on behind a number, kill it, and give the last number that it said."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(read)
        child(place, what, number, write)
    os.close(write)
    select.select([read], [], [], 20)  # it works
    time.sleep(moment_s)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    place.until_alone()
    said = b""
    while piece := os.read(read, 65536):
        said += piece
    os.close(read)
    return int(said.split()[-1]) if said else number


def check(place: Place, refreshed: int, imported: int) -> tuple[int, int]:
    """See that all that was said is there and whole; give the numbers that are there."""
    rows = place.opened().load("google")
    place.close()
    newest = 0
    for id_, row in rows.items():
        number = int(row.refresh_token.removeprefix("1//"))
        if id_.startswith("imported-"):
            assert (id_, row.email, row.other) == (f"imported-{number}", f"{number}@example.org", f'{{"n":{number}}}')
        else:
            newest = max(newest, number)
            assert (row.access_token, row.access_until) == (f"ya29.{number}", NOW + number), "half of it is written"
    there = {int(id_.removeprefix("imported-")) for id_ in rows if id_.startswith("imported-")}
    assert there >= set(range(1, imported + 1)), "an account is lost"
    assert max(there, default=0) <= imported + 1
    assert refreshed <= newest <= refreshed + 1, "a token is lost"
    assert sum(row.uses for id_, row in rows.items() if id_.startswith("refreshed-")) == newest
    return newest, max(there, default=0)


def main(folder: str, url: str, rounds: str, seed: str) -> None:
    place, dice = Place(Path(folder), url), random.Random(int(seed))
    refreshed = imported = 0
    for one in range(int(rounds)):
        moment_s = dice.uniform(0.0, LONGEST_S if one % 4 else LONGEST_S / 20)
        if one % 2:
            refreshed = kill_one(place, "refresh", refreshed, moment_s)
        else:
            imported = kill_one(place, "import", imported, moment_s)
        refreshed, imported = check(place, refreshed, imported)
    print(rounds, refreshed, imported)


if __name__ == "__main__":
    main(*sys.argv[1:])
