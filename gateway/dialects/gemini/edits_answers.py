"""The results of calls in a Gemini caller's conversation that Google has refused for want of them, or for one too many.

model [call], user [text]            ─► model [call], user [result], user [text]   it was interrupted
model [call], user [text, result]    ─► model [call], user [result], user [text]   it stood elsewhere
user [result] without a call         ─► user [text]                                in words
model …                              ─► user [text], model …                       its beginning was cut off
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.edits import Words
from gateway.dialects.raw import FIELDS, NULL, TEXT, Fields, read

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
    left = deque(calls)
    results: list[tuple[Fields, Raw]] = []
    others: list[Fields] = []
    for content in said:
        kept: list[object] = []
        for part in several(content.get("parts", NULL)):
            result = _within(part, _RESULT)
            if result is None:
                kept.append(part)
            elif (call := _taken(left, result)) is not None:
                results.append((call, Raw(_encode(part))))
            else:
                words.lose("contents", NO_CALL, "change")
                kept.append({"text": orphaned(_name(result), bytes(result.get("response", NULL)).decode())})
        if kept:
            others.append({**content, "parts": Raw(_encode(kept))})
    if calls:
        found = {id(call): part for call, part in results}
        parts = [found.get(id(call)) or _interrupted(call) for call in calls]
        yield {"role": _USER, "parts": Raw(_encode(parts))}
    yield from others


def _taken(left: deque[Fields], result: Fields) -> Fields | None:
    """Take the call that this is the result of: the one of its id, else the first of its name."""
    ident = _text(result, "id")
    fits = [call for call in left if (_text(call, "id") == ident if ident else _name(call) == _name(result))]
    if not fits:
        return None
    left.remove(fits[0])
    return fits[0]


def _interrupted(call: Fields) -> Raw:
    named = {name: call[name] for name in ("id", "name") if name in call}
    return Raw(_encode({_RESULT: {**named, "response": {"error": INTERRUPTED.text}}}))


def _held(contents: Sequence[Fields], kind: str) -> Iterator[Fields]:
    for content in contents:
        for part in several(content.get("parts", NULL)):
            found = _within(part, kind)
            if found is not None:
                yield found


def _within(part: Fields, kind: str) -> Fields | None:
    return next((read(value, FIELDS) for name, value in part.items() if camel(name) == kind), None)


def _name(of: Fields) -> str:
    return _text(of, "name")


def _text(fields: Fields, name: str) -> str:
    return read(fields.get(name, NULL), TEXT) or ""
