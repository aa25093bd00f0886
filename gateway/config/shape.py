"""Look into the schema: which keys a table has, of which kind; every key path there is."""

from collections.abc import Iterator
from functools import cache
from types import UnionType
from typing import Annotated, TypeAlias, Union, get_args, get_origin

from msgspec import Struct, structs

from gateway.config.limits import LIMIT_KEYS
from gateway.config.schema import Config
from gateway.config.values import Reader

__all__ = [
    "Kind",
    "fields_of",
    "inner_kind",
    "reader_of",
    "required_keys",
    "schema_keys",
    "structs_of",
    "tag_of",
]

Kind: TypeAlias = object  # a type, or a form of typing such as Literal["a", "b"]


@cache
def fields_of(struct: type[Struct]) -> dict[str, tuple[str, Kind]]:
    """Map each key of a table to the struct's field and its kind."""
    return {field.encode_name: (field.name, _some(field.type)) for field in structs.fields(struct)}


@cache
def required_keys(struct: type[Struct]) -> tuple[str, ...]:
    """List the keys that have no default."""
    return tuple(field.encode_name for field in structs.fields(struct) if field.required)


def reader_of(kind: Kind) -> Reader | None:
    """Give the reader of an annotated kind."""
    if get_origin(kind) is not Annotated:
        return None
    return next((extra for extra in get_args(kind)[1:] if isinstance(extra, Reader)), None)


def structs_of(kind: Kind) -> tuple[type[Struct], ...]:
    """Give the struct or the structs of which one is chosen by `type`; () for any other kind."""
    members: tuple[object, ...] = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    found = tuple(member for member in members if isinstance(member, type) and issubclass(member, Struct))
    return found if len(found) == len(members) else ()


def tag_of(struct: type[Struct]) -> str:
    """Give the value of `type` that chooses this struct."""
    return str(struct.__struct_config__.tag)


def inner_kind(kind: Kind) -> Kind:
    """Give the kind of the values of `dict[str, X]` and of the elements of `tuple[X, ...]`."""
    return get_args(kind)[1 if get_origin(kind) is dict else 0]


@cache
def schema_keys() -> tuple[str, ...]:
    """List every key path of the schema, names chosen by the operator as `*`."""
    return tuple(dict.fromkeys(_paths(Config)))


def _paths(kind: Kind) -> Iterator[str]:
    reader = reader_of(kind)
    if reader is not None:
        yield from LIMIT_KEYS if reader.table else ("",)
        return
    members = structs_of(kind)
    if len(members) > 1:
        yield "type"
    for member in members:
        for key, (_, inner) in fields_of(member).items():
            yield from (f"{key}.{rest}".rstrip(".") for rest in _paths(inner))
    if _repeats(kind):
        yield from (f"*.{rest}".rstrip(".") for rest in _paths(inner_kind(kind)))
    elif not members:
        yield ""


def _repeats(kind: Kind) -> bool:
    """Whether a name or an index stands between this kind and its keys; a plain list is one value."""
    origin = get_origin(kind)
    return (origin is dict and inner_kind(kind) is not object) or (
        origin is tuple and bool(structs_of(inner_kind(kind)))
    )


def _some(kind: Kind) -> Kind:
    """Drop `| None`: TOML has no null."""
    args = get_args(kind)
    if get_origin(kind) in (Union, UnionType) and type(None) in args:
        return next(arg for arg in args if arg is not type(None))
    return kind
