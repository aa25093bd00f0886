"""JSON that stayed raw, and how it is read where it may be something else than what is looked for."""

from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

__all__ = [
    "FIELDS",
    "MANY",
    "NOTHING",
    "NO_FIELDS",
    "NO_LIST",
    "NO_TEXT",
    "NULL",
    "RAWS",
    "TEXT",
    "Fields",
    "name_of",
    "read",
    "require",
]

_T = TypeVar("_T")

Fields = dict[str, Raw]

NULL: Final = Raw(b"null")
NO_TEXT: Final = Raw(b'""')
NO_LIST: Final = Raw(b"[]")
NO_FIELDS: Final = Raw(b"{}")
NOTHING: Final = frozenset({b"null", b"false", b"{}", b"[]", b'""', b"0"})  # says no more than a member that is absent
FIELDS: Final = msgspec.json.Decoder(Fields)
MANY: Final = msgspec.json.Decoder(list[Fields])
RAWS: Final = msgspec.json.Decoder(list[Raw])
TEXT: Final = msgspec.json.Decoder(str)


def read(raw: Raw | bytes | str | UnsetType, decoder: msgspec.json.Decoder[_T]) -> _T | None:
    """Read a value; None when it is absent, or something else."""
    if raw is UNSET:
        return None
    try:
        return decoder.decode(raw)
    except (ValueError, RecursionError):
        return None


def require(data: Raw | bytes | str, decoder: msgspec.json.Decoder[_T]) -> _T:
    """Read a value; raise ValueError where it is something else, and also where it is nested too deeply."""
    try:
        return decoder.decode(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def name_of(fields: Fields, name: str) -> str:
    """Read a member that is text; "" when it is something else."""
    return read(fields.get(name, NULL), TEXT) or ""
