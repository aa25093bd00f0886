"""Say of an answer that calls tools that it ends so, where an upstream says `stop`: Gemini's own OpenAI API does.

Agents ask a tool only behind `tool_calls`, and end behind `stop`. OpenAI itself says `stop` where a caller has forced
the call, so such an answer is left as it is: its caller knows what comes.
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.dialects import Answering
from gateway.dialects.raw import NULL, Fields, read

from .choices import each_choice, index_of
from .numbering import PIECES

__all__ = ["STOP", "EndedCalls", "may_call"]

STOP: Final = b'"stop"'
_CALLS: Final = Raw(b'"tool_calls"')


class _Said(Struct):
    tool_calls: list[Raw] | None = None


_SAID: Final = msgspec.json.Decoder(_Said)


def may_call(answering: Answering) -> bool:
    """Tell whether an answer may call tools as its model likes."""
    if not answering.request.tools:
        return False
    choice = answering.request.tool_choice
    return choice is None or choice.mode == "auto"


class EndedCalls:
    """Looks for the calls of each choice of one answer, and at its end; `called`: there was one."""

    def __init__(self) -> None:
        self.called = False
        self._choices: set[int] = set()

    def __call__(self, fields: Fields, _: Answering) -> Fields:
        """Change the ends in one chunk, or in a whole answer."""
        return each_choice(fields, self._choice)

    def _choice(self, choice: Fields) -> Fields:
        index = index_of(choice)
        said = choice.get("delta") or choice.get("message") or NULL
        if PIECES in bytes(said) and (words := read(said, _SAID)) is not None and words.tool_calls:
            self.called = True
            self._choices.add(index)
        if index not in self._choices or bytes(choice.get("finish_reason", NULL)) != STOP:
            return choice
        return {**choice, "finish_reason": _CALLS}
