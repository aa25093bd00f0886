"""JSON that stayed raw, and how it is read where it may be something else than what is looked for."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from operator import attrgetter
from typing import Final, TypeVar, cast

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, inspect

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
    "raws_in",
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


def raws_in(value: object) -> Iterator[Raw]:
    """Give what stayed raw of a value that was decoded."""
    if isinstance(value, Raw):
        yield value
        return
    inner: Iterable[object] = ()
    if isinstance(value, Struct):
        get, nothing = _holders(type(value))
        inner = get(value)
        if inner == nothing:
            return
    elif isinstance(value, dict):
        inner = cast("dict[str, object]", value).values()
    elif isinstance(value, list):
        inner = cast("list[object]", value)
    for one in inner:
        if one is not None and one is not UNSET and type(one) is not str:
            yield from raws_in(one)


@cache
def _holders(kind: type[Struct]) -> tuple[Callable[[Struct], tuple[object, ...]], tuple[object, ...]]:
    """Give a getter of the fields that may hold something raw, and what it gives where they are all absent."""
    info = cast("inspect.StructType", inspect.type_info(kind))
    held = [field for field in info.fields if _holds(field.type)]
    nothing = tuple(field.default for field in held)
    if len(held) > 1:
        return attrgetter(*(field.name for field in held)), nothing
    names = [field.name for field in held]
    return lambda value: tuple([getattr(value, name) for name in names]), nothing


def _holds(type_: inspect.Type) -> bool:
    match type_:
        case inspect.RawType():
            return True
        case inspect.StructType():
            return any(_holds(field.type) for field in type_.fields)
        case inspect.ListType():
            return _holds(type_.item_type)
        case inspect.DictType():
            return _holds(type_.value_type)
        case inspect.UnionType():
            return any(map(_holds, type_.types))
        case _:
            return False
