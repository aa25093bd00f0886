"""A Chat Completions answer of an upstream's own on its way to a caller.

Once a call is numbered anew, each piece of a call is looked at; until then only those that begin one.
"""

from gateway.dialects import Answering
from gateway.dialects.passage import Passage

from .edits import REPLIES, screen, skim, trim
from .numbering import PIECES, Numbers
from .stream import broken

__all__ = ["ChatPassage"]


class ChatPassage(Passage):
    """The writer of one answer."""

    def __init__(self, answering: Answering) -> None:
        super().__init__(answering, REPLIES, broken, self._tells, skim, trim)
        self._numbers = next(apply for apply, _ in self._edits if isinstance(apply, Numbers))

    def _tells(self, data: bytes, answering: Answering) -> bool:
        return screen(data, answering) or (self._numbers.moved and PIECES in data)
