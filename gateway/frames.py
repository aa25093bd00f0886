"""An error that is kept, without the frames that it came through.

    error ─► traceback ─► frame ─► what keeps the error ─► error

Only the cycle collector gives such a ring back, and all that its frames hold: the request, what was read of the answer.
"""

from typing import TypeVar

__all__ = ["bare"]

_E = TypeVar("_E", bound=BaseException)


def bare(error: _E) -> _E:
    """Give an error without its traceback, and without the errors that it came from, which have theirs."""
    found: list[BaseException | None] = [error]
    while found:
        one = found.pop()
        if one is not None:
            found += (one.__cause__, one.__context__)
            one.__traceback__ = one.__cause__ = one.__context__ = None
    return error
