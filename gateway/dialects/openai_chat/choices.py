"""The choices of an answer that passes, one after the other: of a chunk, or of a whole one."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.edits import mended
from gateway.dialects.raw import MANY, NULL, Fields, read

__all__ = ["each_choice", "index_of"]

_INDEX: Final = msgspec.json.Decoder(int)
_encode: Final = msgspec.json.Encoder().encode


def each_choice(fields: Fields, change: Callable[[Fields], Fields]) -> Fields:
    """Change the choices; where none is changed, the very same fields are given back."""
    choices = read(fields.get("choices", NULL), MANY) or []
    after = mended(choices, lambda _, one: change(one))
    return fields if after is None else {**fields, "choices": Raw(_encode(after))}


def index_of(choice: Fields) -> int:
    """Give the number of a choice; the first one need not have any."""
    return read(choice.get("index", NULL), _INDEX) or 0
