"""A conversation of a Chat caller, answer by answer."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.edits import Words, mended
from gateway.dialects.outbound import OpenAITarget
from gateway.dialects.raw import FIELDS, RAWS, Fields, name_of, read

__all__ = ["mend_answers"]

_MESSAGES: Final = "messages"
_encode: Final = msgspec.json.Encoder().encode


def mend_answers(words: Words[OpenAITarget], mend: Callable[[Fields, str], Fields]) -> None:
    """Mend each message of the model's, with its path; one that comes back itself stays byte for byte."""

    def message(place: int, raw: Raw) -> Raw:
        fields = read(raw, FIELDS)
        if fields is None or name_of(fields, "role") != "assistant":
            return raw
        kept = mend(fields, f"{_MESSAGES}[{place}]")
        return raw if kept is fields else Raw(_encode(kept))

    messages: list[Raw] = words.get(_MESSAGES, RAWS) or []
    after = mended(messages, message)
    if after is not None:
        words.put(_MESSAGES, after)
