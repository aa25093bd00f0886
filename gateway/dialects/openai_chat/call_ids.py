"""Calls in a form that a model demands: their ids, where a conversation has begun with another one, and arguments.

nine letters and digits   Mistral
functions.NAME:NUMBER     Kimi
40 characters             OpenAI, at most; 64 in Responses
"""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

from msgspec import Raw

from gateway.dialects.content import arguments
from gateway.dialects.gemini.schema_facets import is_list, is_object
from gateway.dialects.outbound import Demand
from gateway.dialects.raw import FIELDS, MANY, TEXT, Fields, read
from gateway.dialects.renaming import Form, Renaming, recounted

__all__ = ["IDS", "NUMBERED", "argued", "renamed", "shortened"]

Message = Mapping[str, object]

_MOST: Final = 40
_NINE: Final = re.compile(r"[A-Za-z0-9]{9}")
NUMBERED: Final[Demand] = "numbered ids"


def shortened(given: str, most: int = _MOST) -> str:
    """Keep an id within OpenAI's limit."""
    return given if len(given) <= most else f"call_{_digest(given)[:24]}"


def renamed(messages: Sequence[Message], demand: Demand) -> list[Message]:
    """Write the ids of calls as it is demanded, and those of their results alike."""
    said = [(message, _calls(message)) for message in messages]
    if demand == NUMBERED:
        ids = recounted(_text(call.get("id")) for _, calls in said for call in calls)
    else:
        ids = Renaming(_FORMS[demand])
    if ids is None:
        return [*messages]
    return [_called(message, calls, ids) if calls else _answered(message, ids) for message, calls in said]


def argued(message: Message) -> Message:
    """Let every call be made with an object; what is none stands in one."""
    calls = _calls(message)
    after = [*map(_argued, calls)]
    return message if after == [*calls] else {**message, "tool_calls": after}


def _argued(call: Mapping[str, object]) -> Mapping[str, object]:
    function = _object(call.get("function"))
    given = _text(function.get("arguments")) if function is not None else ""
    sound = bytes(arguments(given)).decode()
    return call if function is None or sound == given else {**call, "function": {**function, "arguments": sound}}


def _called(message: Message, calls: Sequence[Mapping[str, object]], ids: Renaming) -> Message:
    before = [_text(call.get("id")) for call in calls]
    after = [ids.call(given, _name(call)) for given, call in zip(before, calls, strict=True)]
    if after == before:
        return message
    return {**message, "tool_calls": [{**call, "id": new} for call, new in zip(calls, after, strict=True)]}


def _answered(message: Message, ids: Renaming) -> Message:
    given = _text(message.get("tool_call_id"))
    new = ids.result(given)
    return message if new == given else {**message, "tool_call_id": new}


def _nine(given: str, _name: str, _place: int) -> str:
    return given if _NINE.fullmatch(given) else _digest(given)[:9]


def _short(given: str, _name: str, _place: int) -> str:
    return shortened(given)


# What is told by a refusal comes last: a server may not take the ids that its model wants.
_FORMS: Final[Mapping[Demand, Form]] = {"short ids": _short, "plain ids": _nine}
IDS: Final = (NUMBERED, *_FORMS)


def _digest(given: str) -> str:
    return sha256(given.encode()).hexdigest()


def _calls(message: Message) -> Sequence[Mapping[str, object]]:
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
