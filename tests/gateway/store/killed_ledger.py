"""Kill a process that writes the ledger, at random moments.

    python -m tests.gateway.store.killed_ledger FOLDER URL ROUNDS SEED

Each round is a child that goes on with the numbers of the one before. It opens and ends requests in a journal, says
each number once its end is written, and takes the journal into the database meanwhile, a few lines at a time. It is
killed in the middle; then another process fills. All that was said must have a row, and nothing may have two.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from pathlib import Path

from gateway.store.database import Database
from gateway.store.filling import KILLED, Filling
from gateway.store.journal import Ended, Journal, Opened
from tests.gateway.store.killed import kill_one
from tests.gateway.store.places import Place

LONGEST_S = 0.02
TOGETHER = 5  # requests that end before the database hears of them
CHUNK_BYTES = 400  # two or three lines


def filling(place: Place) -> tuple[Database, Filling]:
    database = Database(place.file, url=place.url)
    return database, Filling(database, place.folder / "journal", CHUNK_BYTES)


def child(place: Place, what: str, number: int, said: int) -> None:
    """Write until the end."""
    journal, (_database, fills) = Journal(place.folder / "journal"), filling(place)
    while True:
        for _ in range(TOGETHER):
            number += 1
            opened = Opened(id=f"{number}", started_at=float(number), key="alice", key_id="k", dialect="gemini")
            file = journal.open(opened)
            ended = Ended(
                id=f"{number}", started_at=float(number), key="alice", key_id="k", dialect="gemini", end="done", input=7
            )
            journal.end(ended, file)
            os.write(said, b"%d\n" % number)
        fills.fill()


def check(place: Place, said: int) -> int:
    """Fill, and see that nothing is lost, half written or there twice; give the number that is the last now."""
    database, fills = filling(place)
    fills.fill()
    database.close()
    rows = [(int(id_), end, count) for id_, end, count in place.do('SELECT id, "end", input FROM usage')]
    times = Counter(number for number, _, _ in rows)
    assert set(times.values()) <= {1}, "a request is counted twice"
    assert times.keys() >= set(range(1, said + 1)), "a request is lost"
    assert max(times, default=0) <= said + 1
    assert {(end, count) for number, end, count in rows if end != KILLED} <= {("done", 7)}
    assert not list((place.folder / "journal").glob("*.jsonl")), "a journal of a process that has ended is left"
    return max(times, default=0)


def main(folder: str, url: str, rounds: str, seed: str) -> None:
    place, dice = Place(Path(folder), url), random.Random(int(seed))
    number = 0
    place.opened()  # makes the tables
    place.close()
    for one in range(int(rounds)):
        moment_s = dice.uniform(0.0, LONGEST_S if one % 4 else LONGEST_S / 20)
        number = check(place, kill_one(place, "", number, moment_s, child))
    killed = sum(end == KILLED for (end,) in place.do('SELECT "end" FROM usage'))
    print(rounds, number, killed)


if __name__ == "__main__":
    main(*sys.argv[1:])
