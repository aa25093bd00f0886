"""A Chat Completions answer of an upstream's own on its way to a caller.

Once a call is numbered anew, each piece of a call is looked at; until then only those that begin one.
"""

from functools import partial

from gateway.dialects import Answering
from gateway.dialects.passage import Passage

from .edits import REPLIES, screen, skim, trim
from .numbering import PIECES, Numbers
from .stream import broken

__all__ = ["ChatPassage"]


class ChatPassage(Passage):
    """The writer of one answer."""

    def __init__(self, answering: Answering) -> None:
        super().__init__(answering, REPLIES, broken, screen, skim, trim)
        numbers = next(apply for apply, _ in self._edits if isinstance(apply, Numbers))
        self._screen = partial(_tells, numbers)  # a method of its own would be a cycle


def _tells(numbers: Numbers, data: bytes, answering: Answering) -> bool:
    return screen(data, answering) or (numbers.moved and PIECES in data)
