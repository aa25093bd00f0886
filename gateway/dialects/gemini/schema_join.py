"""JSON Schemas as they are, joined: what several of them say at once, said by one; in time linear in that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Final, TypeGuard, TypeVar

import msgspec

from gateway.dialects.gemini.schema_facets import is_list, is_object

__all__ = ["Schema", "allow_null", "alternatives", "is_number", "join", "kinds_of", "listed", "required_of"]

Schema = dict[str, object]

_T = TypeVar("_T")

_NULL: Final[Schema] = {"type": "null"}


def join(parts: Iterable[Schema]) -> Schema:
    """Say all that the parts do; of two words on one thing the later holds, unless both can be kept."""
    said: dict[str, list[object]] = {}
    for part in parts:
        for keyword, value in part.items():
            said.setdefault(keyword, []).append(value)
    return {
        keyword: values[-1] if len(values) == 1 or keyword not in _JOINS else _JOINS[keyword](values)
        for keyword, values in said.items()
    }


def alternatives(nodes: Iterable[_T], token: Callable[[_T], str] = repr) -> _T | Schema:
    """Say that any of these holds, which are one or more; `token`: what is the same of equal ones, and only of them."""
    different = list({token(node): node for node in nodes}.values())
    return different[0] if len(different) == 1 else {"anyOf": different}


def required_of(schema: Schema) -> list[str]:
    """Name the required properties that there are, also those that say so themselves, as draft 3 had it."""
    properties = schema.get("properties")
    if not is_object(properties):
        return []
    named = [name for name in listed(schema.get("required")) if isinstance(name, str) and name in properties]
    marked = [name for name, inner in properties.items() if is_object(inner) and inner.get("required") is True]
    return list(dict.fromkeys([*named, *marked]))


def allow_null(schema: Schema) -> None:
    """Say `nullable`, which JSON Schema has not, in its own words."""
    kinds = schema.get("type")
    if kinds is not None and "null" not in kinds_of(schema):
        schema["type"] = [*listed(kinds), "null"]
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword)
        if kinds is None and is_list(branches) and _NULL not in branches:
            schema[keyword] = [*branches, {**_NULL}]
    values = schema.get("enum")
    if is_list(values) and None not in values:
        schema["enum"] = [*values, None]


def kinds_of(schema: Schema) -> set[object]:
    """Give its types."""
    return {kind for kind in listed(schema.get("type")) if isinstance(kind, str)}


def listed(value: object) -> list[object]:
    """Give a list as it is, one value as a list, and nothing as none."""
    if is_list(value):
        return value
    return [] if value is None else [value]


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell a JSON number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _union(values: Sequence[object]) -> object:
    """Put objects or lists together; what is neither, or the other, takes the place of what was said before it."""
    alike = _alike(values)
    if is_object(values[-1]):
        return {name: value for one in alike if is_object(one) for name, value in one.items()}
    if is_list(values[-1]):
        return [*{_token(value): value for one in alike if is_list(one) for value in one}.values()]
    return values[-1]


def _common(values: Sequence[object]) -> object:
    """Give what all share; one that shares nothing with those before it does not count."""
    first, *others = values
    left = {_token(one): one for one in listed(first)}
    for other in others:
        shared = {token for token in map(_token, listed(other)) if token in left}
        if shared:
            first = [one for token, one in left.items() if token in shared]
            left = {_token(one): one for one in first}
    return first


def _words(values: Sequence[object]) -> object:
    """Give all texts, each once."""
    texts = [one for one in _alike(values) if isinstance(one, str)]
    return " ".join(dict.fromkeys(texts)) if texts else values[-1]


def _alike(values: Sequence[object]) -> list[object]:
    """Give the last value and those just before it that are of its type, in order."""
    kind = type(values[-1])
    return [*takewhile(lambda one: type(one) is kind, reversed(values))][::-1]


def _token(value: object) -> object:
    """Give what two equal values have in common, and no other."""
    return value if isinstance(value, str) else _encode(value)


_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_JOINS: Final[Mapping[str, Callable[[Sequence[object]], object]]] = {
    "properties": _union,
    "required": _union,
    "type": _common,
    "enum": _common,
    "description": _words,
}
