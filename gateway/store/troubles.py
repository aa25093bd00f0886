"""What several parts of a process find away at once: the first of them says so, and the last that it is back."""

import threading
from collections import defaultdict
from typing import Final
from weakref import WeakSet

__all__ = ["is_back", "is_first"]

_lock: Final = threading.Lock()
_missing: Final[defaultdict[str, WeakSet[object]]] = defaultdict(WeakSet)  # by what is away; of this process


def is_first(what: str, who: object) -> bool:
    """Note that one finds it away; tell whether nobody else does."""
    with _lock:
        first = not _missing[what]
        _missing[what].add(who)
        return first


def is_back(what: str, who: object) -> bool:
    """Note that one finds it again; tell whether everybody does."""
    with _lock:
        _missing[what].discard(who)
        if _missing[what]:
            return False
        del _missing[what]
        return True
