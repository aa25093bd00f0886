"""What is remembered by the names of models: callers may ask for any name, and some servers take each."""

from typing import Final, TypeVar

__all__ = ["MOST", "Latest"]

_K = TypeVar("_K")
_V = TypeVar("_V")

MOST: Final = 2000  # names


class Latest(dict[_K, _V]):
    """A dict that lets go what has been in it for longest."""

    def __setitem__(self, name: _K, value: _V) -> None:
        super().__setitem__(name, value)
        if len(self) > MOST:
            del self[next(iter(self))]
