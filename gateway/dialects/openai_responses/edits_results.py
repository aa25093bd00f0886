"""The results of calls in an input that a server has refused for want of them, or for one too many.

function_call             ─► function_call, its output   a call that nobody has answered: it was interrupted
function_call_output      ─► message                     a result without a call, unless a kept response has it
reasoning, user's message ─► user's message              thoughts that lead to nothing
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.edits import Words
from gateway.dialects.gemini.history import INTERRUPTED, NO_CALL, orphaned
from gateway.dialects.outbound import OpenAITarget
from gateway.dialects.raw import FIELDS, NULL, RAWS, TEXT, Fields, read

__all__ = ["answer"]

_Words = Words[OpenAITarget]

_INPUT: Final = "input"
_OUTPUT: Final = "_output"
_CALLS: Final = ("function_call", "custom_tool_call")
_OUTPUTS: Final = tuple(call + _OUTPUT for call in _CALLS)
_THOUGHTS: Final = "reasoning"
_SAID: Final = ("message", "")
_LEADS_NOWHERE: Final = "this upstream accepts thoughts only in front of what they led to"
_encode: Final = msgspec.json.Encoder().encode


def answer(words: _Words) -> None:
    """Give each call a result, each result a call, and leave out thoughts that lead to nothing."""
    given = words.get(_INPUT, RAWS) or []
    after = [*_answered(given, words)]
    if after != given:
        words.put(_INPUT, after)


def _answered(given: Sequence[Raw], words: _Words) -> Iterator[Raw]:
    items = [read(raw, FIELDS) or {} for raw in given]
    results = {_text(item, "call_id") for item in items if _text(item, "type") in _OUTPUTS}
    goes_on = words.has("previous_response_id")  # from what may have the call
    calls: set[str] = set()
    for place, (raw, item, leads) in enumerate(zip(given, items, _leading(items), strict=True)):
        kind, call = _text(item, "type"), _text(item, "call_id")
        if kind == _THOUGHTS and not leads:
            words.lose(f"{_INPUT}[{place}]", _LEADS_NOWHERE)
        elif kind in _OUTPUTS and call not in calls and not goes_on:
            words.lose(f"{_INPUT}[{place}]", NO_CALL, "change")
            yield _in_words(call, item)
        else:
            yield raw
        if kind in _CALLS:
            calls.add(call)
            if call not in results:
                yield Raw(_encode({"type": kind + _OUTPUT, "call_id": call, "output": INTERRUPTED.text}))


def _leading(items: Sequence[Fields]) -> list[bool]:
    """Tell of each item whether the model says or does something in it, or behind it next if these are its thoughts."""
    leading: list[bool] = []
    leads = False
    for item in reversed(items):
        kind = _text(item, "type")
        if kind != _THOUGHTS:
            leads = _text(item, "role") == "assistant" if kind in _SAID else kind not in _OUTPUTS
        leading.append(leads)
    return leading[::-1]


def _in_words(call: str, item: Fields) -> Raw:
    output = item.get("output", NULL)
    parts = read(output, RAWS)
    said = (
        orphaned(call, read(output, TEXT) or "")
        if parts is None
        else [{"type": "input_text", "text": orphaned(call)}, *parts]
    )
    return Raw(_encode({"type": "message", "role": "user", "content": said}))


def _text(fields: Fields, name: str) -> str:
    return read(fields.get(name, NULL), TEXT) or ""
