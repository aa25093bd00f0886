"""Pictures and files in the results of calls, where a server takes words there: the user shows them behind the results.

tool (words, picture), tool, user ─► tool (words, "[image attached below]"), tool, user (picture), user
"""

from itertools import groupby
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.edits import Words
from gateway.dialects.outbound import OpenAITarget
from gateway.dialects.raw import MANY, NULL, Fields, name_of, read

__all__ = ["attach", "below"]

_Words = Words[OpenAITarget]

_BELOW: Final = "[{} attached below]"
_RESULTS: Final = frozenset({"tool", "function"})
_SHOWN: Final = frozenset({"image_url", "file", "input_audio", "video_url"})
_USER: Final = Raw(b'"user"')
_encode: Final = msgspec.json.Encoder().encode


def below(*, pictures: bool) -> str:
    """Say what comes behind the results: a model that looks for a picture does not find it in a document."""
    return _BELOW.format("image" if pictures else "file")


def attach(words: _Words) -> None:
    """Leave words in the results of calls."""
    given = words.many("messages")
    after: list[Fields] = []
    for of_results, messages in groupby(given, _is_result):
        if not of_results:
            after += messages
            continue
        shown: list[Fields] = []
        after += [_told(message, shown) for message in messages]
        if shown:
            after.append({"role": _USER, "content": Raw(_encode(shown))})
    if len(after) != len(given):
        words.put("messages", after)


def _is_result(message: Fields) -> bool:
    return name_of(message, "role") in _RESULTS


def _told(message: Fields, shown: list[Fields]) -> Fields:
    """Give a result with words for what it shows, which is added to the others."""
    parts = read(message.get("content", NULL), MANY) or []
    own = [part for part in parts if name_of(part, "type") in _SHOWN]
    if not own:
        return message
    shown += own
    said = {"type": "text", "text": below(pictures=all(name_of(part, "type") == "image_url" for part in own))}
    kept: list[object] = [part for part in parts if name_of(part, "type") not in _SHOWN]
    return {**message, "content": Raw(_encode([*kept, said]))}
