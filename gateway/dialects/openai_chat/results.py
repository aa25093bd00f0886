"""The results of calls in a chat that a server has refused for want of them, or for one too many.

assistant, user        ─► assistant, tool, user   a call that nobody has answered: it was interrupted
assistant, user, tool  ─► assistant, tool, user   a result that is late
tool, tool             ─► tool                    the last one of two for a call
user, tool             ─► user, user              a result without a call: in words
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.edits import Words
from gateway.dialects.gemini.history import ANSWERED_LATER, INTERRUPTED, NO_CALL, orphaned
from gateway.dialects.outbound import OpenAITarget
from gateway.dialects.raw import MANY, NULL, RAWS, TEXT, Fields, name_of, read

__all__ = ["answer", "in_words"]

_Words = Words[OpenAITarget]
_Placed = tuple[int, Fields]

_ID: Final = "tool_call_id"
_USER: Final = Raw(b'"user"')
_encode: Final = msgspec.json.Encoder().encode


def answer(words: _Words) -> None:
    """Put one result for each call directly behind the message that calls."""
    given = words.many("messages")
    after: list[Fields] = []
    said: list[_Placed] = []
    for by_model, group in groupby(enumerate(given), _is_models):
        if by_model:
            said = [*group]
        else:
            after += _answered(said, group, words)
            said = []
    after += _answered(said, (), words)
    if after != given:
        words.put("messages", after)


def _is_models(placed: _Placed) -> bool:
    return name_of(placed[1], "role") == "assistant"


def _answered(said: Sequence[_Placed], others: Iterable[_Placed], words: _Words) -> Iterator[Fields]:
    """Give what the model says, with its results, and what the others say."""
    calls = {place: _called(message) for place, message in said}
    known = {call for of in calls.values() for call in of}
    results: dict[str, _Placed] = {}
    rest: list[Fields] = []
    for place, message in others:
        call = name_of(message, _ID)
        if name_of(message, "role") != "tool":
            rest.append(message)
        elif call not in known:
            words.lose(f"messages[{place}]", NO_CALL, "change")
            said_so = in_words(call, message.get("content", NULL), "text")
            rest.append({"role": _USER, "content": Raw(_encode(said_so))})
        else:
            if call in results:
                earlier, said_before = results[call]
                same = said_before.get("content") == message.get("content")
                words.lose(f"messages[{earlier}]", ANSWERED_LATER, "hint" if same else "change")
            results[call] = place, message
    for place, message in said:
        yield message
        yield from (results[call][1] if call in results else _interrupted(call) for call in calls[place])
    yield from rest


def _called(message: Fields) -> list[str]:
    return [name_of(call, "id") for call in read(message.get("tool_calls", NULL), MANY) or ()]


def _interrupted(call: str) -> Fields:
    said = {"role": "tool", _ID: call, "content": INTERRUPTED.text}
    return {name: Raw(_encode(value)) for name, value in said.items()}


def in_words(call: str, content: Raw, kind: str) -> str | list[object]:
    """Give what the user says in the place of a result without a call; `kind`: of a part that is text."""
    parts = read(content, RAWS)
    if parts is None:
        return orphaned(call, read(content, TEXT) or "")
    return [{"type": kind, "text": orphaned(call)}, *parts]
