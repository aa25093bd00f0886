"""Locks on open files, which end with the process that has them, however it ends."""

import sys
from contextlib import suppress
from typing import Final

if sys.platform != "win32":
    import fcntl

__all__ = ["LOCKS", "lock"]

LOCKS: Final = sys.platform != "win32"  # whether there are any


def lock(descriptor: int) -> bool:
    """Lock a file until it is closed; False when somebody else has done so, or files have no locks here."""
    if sys.platform == "win32":
        return False
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
