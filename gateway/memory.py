"""How a process that is all the gateway's keeps its memory; a host's process is left as it is."""

import ctypes
import gc
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

__all__ = ["TIDY_S", "begin", "settle", "tidy"]

TIDY_S: Final = 30.0

# a request leaves no cycles, so looking for them after every 700 objects costs 20 µs a request for nothing; those that
# libraries leave of what has lived for minutes (connections that broke) are looked for among older objects, too, or
# they are 1 MB within an hour of faults; to look among all takes 2 ms
_THRESHOLDS: Final = (5_000, 2, 2)
_STARTING: Final = 100_000  # objects; modules and a configuration are made to stay, and 700 at a time are 30 ms of 500

_SPARE: Final = 1 << 20  # bytes of free memory that are kept at the end of the heap when it is tidied

# Parameters of glibc, by their numbers in malloc.h. Of its own it makes a heap for each thread that asks while others
# do, and each of them stays as large as it has ever been; one lock does for threads that share the interpreter's. And
# after one large body it keeps up to 64 MB of what is free, for the next one.
_MALLOC: Final[Mapping[int, int]] = {
    -8: 1,  # M_ARENA_MAX
    -3: 4 << 20,  # M_MMAP_THRESHOLD: what is larger is the system's again once it is free
    -1: 8 << 20,  # M_TRIM_THRESHOLD: free memory that is kept
}


def begin() -> None:
    """Prepare a start, until `settle`; the collector looks seldom.

    One heap for all threads; those that threads have by then they keep, so this comes before the first, and for the
    collector's sake before the app is imported.
    """
    gc.set_threshold(_STARTING)
    with suppress(AttributeError, OSError):  # other C libraries have no such parameters
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in _MALLOC.items():
            mallopt(parameter, value)


def settle() -> None:
    """Take what start-up, or a reload, made out of the collector's sight; it lives as long as its configuration.

    A start has replaced nothing: to look through it takes 60 ms of 500, and finds 3,000 blocks.
    """
    if gc.get_freeze_count():
        gc.unfreeze()
        gc.collect()
    gc.freeze()
    gc.collect()  # counts none: CPython looks among old objects when a quarter as many came as it counted last
    gc.set_threshold(*_THRESHOLDS)


def tidy() -> None:
    """Give back what is free between what is in use: of a burst of requests that is most, and glibc keeps all of it.

    It takes 1 ms, and 15 ms when there are 100 MB; whoever needs the heap meanwhile waits.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(_SPARE)
