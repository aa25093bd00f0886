"""The results of calls in a Gemini caller's conversation that Google has refused for want of them, or for one too many.

model [call], user [text]            ─► model [call], user [result], user [text]   it was interrupted
model [call], user [text, result]    ─► model [call], user [result], user [text]   it stood elsewhere
user [result] without a call         ─► user [text]                                in words
model …                              ─► user [text], model …                       its beginning was cut off
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.edits import Words
from gateway.dialects.raw import FIELDS, NULL, Fields, name_of, read

from .history import CONTINUED, INTERRUPTED, NO_CALL, orphaned
from .inbound_wire import camel
from .own import Own, several

__all__ = ["answer"]

_Words = Words[Own]

_CALL, _RESULT = "functionCall", "functionResponse"
_USER, _MODEL = Raw(b'"user"'), Raw(b'"model"')
_encode: Final = msgspec.json.Encoder().encode


def answer(words: _Words) -> None:
    """Put one result for each call of a turn behind it, in one content, and let the user begin."""
    given = several(words.fields.get("contents", NULL))
    after: list[Fields] = []
    if given and given[0].get("role") == _MODEL:
        after.append({"role": _USER, "parts": Raw(_encode([{"text": CONTINUED.text}]))})
    calls: list[Fields] = []
    for by_model, run in groupby(given, lambda one: one.get("role") == _MODEL):
        said = [*run]
        if by_model:
            after += said
            calls = [*_held(said, _CALL)]
        else:
            after += _answered(calls, said, words)
            calls = []
    if calls:
        after += _answered(calls, (), words)
    if after != given:
        words.put("contents", after)


def _answered(calls: Sequence[Fields], said: Sequence[Fields], words: _Words) -> Iterator[Fields]:
    """Give the results of these calls, and what else the user says."""
    left = dict(enumerate(calls))
    results: dict[int, Fields] = {}
    others: list[Fields] = []
    for content in said:
        kept: list[object] = []
        for part in several(content.get("parts", NULL)):
            result = _within(part, _RESULT)
            if result is None:
                kept.append(part)
            elif (place := _call_of(result, left)) is not None:
                results[place] = part
                del left[place]
            else:
                words.lose("contents", NO_CALL, "change")
                kept.append({"text": orphaned(name_of(result, "name"), bytes(result.get("response", NULL)).decode())})
        if kept:
            others.append({**content, "parts": Raw(_encode(kept))})
    if calls:
        parts = [results.get(place) or _interrupted(call) for place, call in enumerate(calls)]
        yield {"role": _USER, "parts": Raw(_encode(parts))}
    yield from others


def _call_of(result: Fields, calls: Mapping[int, Fields]) -> int | None:
    """Give the place of the call that this is the result of: the one of its id, else the first of its name."""
    by = "id" if name_of(result, "id") else "name"
    return next((place for place, call in calls.items() if name_of(call, by) == name_of(result, by)), None)


def _interrupted(call: Fields) -> Fields:
    named = {name: call[name] for name in ("id", "name") if name in call}
    return {_RESULT: Raw(_encode({**named, "response": {"error": INTERRUPTED.text}}))}


def _held(contents: Sequence[Fields], kind: str) -> Iterator[Fields]:
    for content in contents:
        for part in several(content.get("parts", NULL)):
            found = _within(part, kind)
            if found is not None:
                yield found


def _within(part: Fields, kind: str) -> Fields | None:
    return next((read(value, FIELDS) for name, value in part.items() if camel(name) == kind), None)
