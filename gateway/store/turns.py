"""What one process of a host does for all of them: fill the database, drop what is old; and, for all hosts, sum up.

FOLDER/turn   locked by the process whose turn it is; JSON, when each of the former was done last
"""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from gateway.store.locks import LOCKS, lock
from gateway.store.reports import Sums

__all__ = ["DROP_S", "FILL_S", "Done", "take_turn"]

DROP_S: Final = 3600.0
FILL_S: Final = 1.0
_NAME: Final = "turn"


class _Store(Protocol):
    def fill(self) -> int: ...
    def drop(self, now: float) -> bool: ...
    def may_say(self, since: float, now: float, every_s: float) -> tuple[float, float] | None: ...
    def ended(self, since: float, until: float) -> list[Sums]: ...


class _Turn(Struct):
    """When things were done last, Unix seconds, 0 = never."""

    filled: float = 0.0
    dropped: float = 0.0


_TURN: Final = msgspec.json.Decoder(_Turn)


class Done(Struct, frozen=True):
    """What was done. `sums`: what has ended in `seconds`, by upstream, None = another process has just said it.

    `is_clean`: nothing of what is to be dropped is left for the next turn.
    """

    sums: list[Sums] | None = None
    seconds: float = 0.0
    is_clean: bool = True


def take_turn(store: _Store, folder: Path, now: float, *, say_since: float = 0.0, every_s: float = 0.0) -> Done | None:
    """Take the turn; None when another process has it, or had it a moment ago.

    `say_since`: sum up what has ended since any host did so, or since then when none did; 0 = do not. `every_s`: how
    often that is to be done. Raises StoreFailed, KeyProblem or OSError.
    """
    with _turn(folder) as turn:
        if turn is None or 0 <= now - turn.filled < FILL_S / 2:
            return None
        store.fill()
        turn.filled = now
        is_clean = abs(now - turn.dropped) < DROP_S
        if not is_clean and store.drop(now):
            turn.dropped, is_clean = now, True
        window = store.may_say(say_since, now, every_s) if say_since else None
        sums, seconds = (store.ended(*window), window[1] - window[0]) if window else (None, 0.0)
        return Done(sums, seconds, is_clean)


@contextmanager
def _turn(folder: Path) -> Generator[_Turn | None]:
    """Take the turn, and write down what was done in it; None when another process has it."""
    descriptor = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if LOCKS and not lock(descriptor):
            yield None
            return
        taken = _Turn()
        with suppress(ValueError):  # empty, or a process was killed while it wrote
            taken = _TURN.decode(os.read(descriptor, 4096))
        yield taken
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, msgspec.json.encode(taken))
    finally:
        os.close(descriptor)
