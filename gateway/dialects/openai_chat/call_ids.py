"""The ids of calls in a form that a model demands: a conversation may have begun with another one.

nine letters and digits   Mistral
functions.NAME:NUMBER     Kimi, which says nothing more behind others; numbered through the conversation
40 characters             OpenAI, at most
"""

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from itertools import count
from typing import Final

from msgspec import Raw

from gateway.dialects.gemini.schema_facets import is_list, is_object
from gateway.dialects.outbound import Demand
from gateway.dialects.raw import FIELDS, MANY, TEXT, Fields, read

__all__ = ["IDS", "renamed", "shortened"]

Message = Mapping[str, object]
Form = Callable[[str, str, int], str]  # of an id, the name of what is called, and how many calls come before it

_MOST: Final = 40
_NINE: Final = re.compile(r"[A-Za-z0-9]{9}")
_NUMBERED: Final[Demand] = "numbered ids"
_OWN: Final = re.compile(r"functions\.[^:]+:\d+")


def shortened(given: str) -> str:
    """Keep an id within OpenAI's limit."""
    return given if len(given) <= _MOST else f"call_{_digest(given)[:24]}"


def renamed(messages: Sequence[Message], demand: Demand) -> list[Message]:
    """Write the ids of calls as it is demanded, and those of their results alike."""
    said = [(message, _calls(message)) for message in messages]
    if demand == _NUMBERED and all(_OWN.fullmatch(_text(call.get("id"))) for _, calls in said for call in calls):
        return [*messages]  # the model's own, wherever it has begun to count
    form, known, places = _FORMS[demand], dict[str, str](), count()
    after: list[Message] = []
    for message, calls in said:
        before = [_text(call.get("id")) for call in calls]
        fresh = [form(old, _name(call), next(places)) for old, call in zip(before, calls, strict=True)]
        known |= zip(before, fresh, strict=True)
        if before == fresh:
            after.append(_answering(message, known))
        else:
            renewed = [{**call, "id": new} for call, new in zip(calls, fresh, strict=True)]
            after.append({**message, "tool_calls": renewed})
    return after


def _answering(message: Message, known: Mapping[str, str]) -> Message:
    asked = _text(message.get("tool_call_id"))
    new = known.get(asked, asked)
    return message if new == asked else {**message, "tool_call_id": new}


def _nine(given: str, _name: str, _place: int) -> str:
    return given if _NINE.fullmatch(given) else _digest(given)[:9]


def _short(given: str, _name: str, _place: int) -> str:
    return shortened(given)


def _numbered(_given: str, name: str, place: int) -> str:
    return f"functions.{name}:{place}"


_FORMS: Final[Mapping[Demand, Form]] = {"plain ids": _nine, "short ids": _short, _NUMBERED: _numbered}
IDS: Final = tuple(_FORMS)


def _digest(given: str) -> str:
    return sha256(given.encode()).hexdigest()


def _calls(message: Message) -> Sequence[Fields | Mapping[str, object]]:
    given = message.get("tool_calls")
    if isinstance(given, Raw):
        return read(given, MANY) or ()
    return [call for call in given if is_object(call)] if is_list(given) else ()


def _name(call: Mapping[str, object]) -> str:
    called = _object(call.get("function")) or _object(call.get("custom")) or {}
    return _text(called.get("name"))


def _object(given: object) -> Mapping[str, object] | None:
    if isinstance(given, Raw):
        fields: Fields | None = read(given, FIELDS)
        return fields
    return given if is_object(given) else None


def _text(given: object) -> str:
    if isinstance(given, Raw):
        return read(given, TEXT) or ""
    return given if isinstance(given, str) else ""
