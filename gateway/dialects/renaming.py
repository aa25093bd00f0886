"""The ids of calls in another form, the same for a call and its result.

Kimi wants them counted through the conversation, as functions.NAME:NUMBER. Behind others it ends its turn without a
word, unless its server writes them so, as Moonshot's own does.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

__all__ = ["Form", "Renaming", "counts_calls", "recounted"]

Form = Callable[[str, str, int], str]  # of an id, the name of what is called, and how many calls come before it

_KIMI: Final = "imi-"  # kimi-k2.5, Kimi-K2-Instruct
_COUNTED: Final = re.compile(r"functions\.[^:]+:\d+")


class Renaming:
    """Gives the ids of one conversation, in its order; results for calls of one id are in the order of the calls.

    `stray`: the form of the id of a result whose call is not there.
    """

    def __init__(self, form: Form, stray: Callable[[str], str] = str) -> None:
        self._form = form
        self._stray = stray
        self._known: dict[str, str] = {}
        self._waiting: dict[str, list[str]] = {}  # of calls since the last result, by what they are called here
        self._answering = False
        self._count = 0

    def call(self, given: str, name: str) -> str:
        """Give that of a call."""
        if self._answering:
            self._waiting, self._answering = {}, False
        self._known[given] = new = self._form(given, name, self._count)
        self._waiting.setdefault(given, []).append(new)
        self._count += 1
        return new

    def result(self, given: str) -> str:
        """Give that of a result, whose call came before."""
        self._answering = True
        if waiting := self._waiting.get(given):
            self._known[given] = waiting.pop(0)
        return self._known[given] if given in self._known else self._stray(given)


def counts_calls(model: str) -> bool:
    """Tell whether a model is one of Kimi's."""
    return _KIMI in model


def recounted(given: Iterable[str]) -> Renaming | None:
    """Give what counts the calls of a conversation anew; None where all are Kimi's own, wherever it began to count."""
    return None if all(map(_COUNTED.fullmatch, given)) else Renaming(_numbered)


def _numbered(_given: str, name: str, place: int) -> str:
    """Give an id as Kimi makes them."""
    return f"functions.{name}:{place}"
