"""How an answer ends, in the words of OpenAI: where an upstream has others, and where it says `stop` behind calls.

Agents ask a tool only behind `tool_calls`, and end behind `stop`, as Gemini's own OpenAI API says. OpenAI itself says
`stop` where a caller has forced the call, so such an answer is left as it is: its caller knows what comes.
"""

import re
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.raw import NULL, TEXT, Fields, read

from .answer import FINISH
from .choices import each_choice, index_of
from .numbering import PIECES

__all__ = ["MALFORMED", "STOP", "EndedCalls", "ends_strangely", "is_strange", "may_call", "named", "reason_of"]

MALFORMED: Final = "function_call_filter"  # Google's, which adds its own word: `content_filter: SAFETY`

STOP: Final = b'"stop"'
_CALLS: Final = Raw(b'"tool_calls"')
_FINISH: Final = "finish_reason"
_NATIVE: Final = "native_finish_reason"  # as OpenRouter calls it
_OPENAI: Final = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
_FINISHED: Final[dict[str, ir.FinishReason]] = {
    "stop": "stop",
    "tool_calls": "stop",  # said without a call; with one, it is one
    "function_call": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "context_window",
    "content_filter": "content_filter",
    "sensitive": "content_filter",  # Zhipu's
}
# Never a clean end.
_FAILED: Final = frozenset({"error", "abort", "cancelled", "insufficient_system_resource", "network_error", MALFORMED})
_STRANGE: Final = re.compile(rb'"finish_reason"\s*:\s*"(?!(?:%b)")' % "|".join(_OPENAI).encode())
_encode: Final = msgspec.json.Encoder().encode


class _Said(Struct):
    tool_calls: list[Raw] | None = None


_SAID: Final = msgspec.json.Decoder(_Said)


def reason_of(native: str) -> ir.FinishReason | None:
    """Read a finish reason; None where the answer has failed."""
    why = native.partition(":")[0]
    return None if why in _FAILED else _FINISHED.get(why, "stop")


def is_strange(native: str | None) -> bool:
    """Tell whether OpenAI has no such finish reason: parsers of its type fail on it."""
    return native is not None and native not in _OPENAI


def ends_strangely(body: bytes) -> bool:
    """Tell whether a whole answer may have such an end."""
    return _STRANGE.search(body) is not None


def named(fields: Fields, _: Answering) -> Fields:
    """Name the ends in one chunk, or in a whole answer, as OpenAI does, apart from failures."""
    return each_choice(fields, _named)


def _named(choice: Fields) -> Fields:
    given = read(choice.get(_FINISH, NULL), TEXT)
    if given is None or not is_strange(given):
        return choice
    if not given:
        return {**choice, _FINISH: Raw(STOP) if "message" in choice else NULL}
    reason = reason_of(given)
    return choice if reason is None else {**choice, _FINISH: Raw(_encode(FINISH[reason])), _NATIVE: choice[_FINISH]}


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
