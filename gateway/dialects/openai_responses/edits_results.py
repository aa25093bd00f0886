"""The results of calls in an input that a server has refused for want of them, or for one too many.

function_call             ─► function_call, its output   a call that nobody has answered: it was interrupted
function_call_output      ─► message                     a result without a call, unless a kept response has it
reasoning, user's message ─► user's message              thoughts that lead to nothing
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.edits import Words
from gateway.dialects.gemini.history import INTERRUPTED, NO_CALL
from gateway.dialects.openai_chat.results import in_words
from gateway.dialects.outbound import OpenAITarget
from gateway.dialects.raw import FIELDS, NULL, RAWS, Fields, name_of, read

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
    thread = words.request.thread
    given = words.get(_INPUT, RAWS)
    if given is None:
        given = [] if thread is None else [*thread.items]
    goes_on = words.has("previous_response_id")
    before = thread.before if goes_on and thread is not None else ()
    after = [*_answered(given, before, words, knows_all=bool(before) or not goes_on)]
    if after != given:
        words.put(_INPUT, after)


def _answered(given: Sequence[Raw], before: Iterable[Raw], words: _Words, *, knows_all: bool) -> Iterator[Raw]:
    """Give the items with what is missing; `before`: those of a response that the upstream keeps, if they are known."""
    said, items = ([read(raw, FIELDS) or {} for raw in those] for those in (before, given))
    results = {name_of(item, "call_id") for item in (*said, *items) if name_of(item, "type") in _OUTPUTS}
    yield from (_interrupted(item) for item in said if _waits(item, results))
    calls = {name_of(item, "call_id") for item in said if name_of(item, "type") in _CALLS}
    for place, (raw, item, leads) in enumerate(zip(given, items, _leading(items), strict=True)):
        kind, call = name_of(item, "type"), name_of(item, "call_id")
        if kind == _THOUGHTS and not leads:
            words.lose(f"{_INPUT}[{place}]", _LEADS_NOWHERE)
        elif kind in _OUTPUTS and call not in calls and knows_all:
            words.lose(f"{_INPUT}[{place}]", NO_CALL, "change")
            yield _in_words(call, item)
        else:
            yield raw
        if kind in _CALLS:
            calls.add(call)
        if _waits(item, results):
            yield _interrupted(item)


def _waits(item: Fields, results: Collection[str]) -> bool:
    """Tell whether it is a call without a result."""
    return name_of(item, "type") in _CALLS and name_of(item, "call_id") not in results


def _interrupted(call: Fields) -> Raw:
    said = {"type": name_of(call, "type") + _OUTPUT, "call_id": call.get("call_id"), "output": INTERRUPTED.text}
    return Raw(_encode(said))


def _leading(items: Sequence[Fields]) -> list[bool]:
    """Tell of each item whether the model says or does something in it, or behind it next if these are its thoughts."""
    leading: list[bool] = []
    leads = False
    for item in reversed(items):
        kind = name_of(item, "type")
        if kind != _THOUGHTS:
            leads = name_of(item, "role") == "assistant" if kind in _SAID else kind not in _OUTPUTS
        leading.append(leads)
    return leading[::-1]


def _in_words(call: str, item: Fields) -> Raw:
    said = in_words(call, item.get("output", NULL), "input_text")
    return Raw(_encode({"type": "message", "role": "user", "content": said}))
