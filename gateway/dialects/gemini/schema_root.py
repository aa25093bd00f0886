"""The parameters of a function as one object, for those who take no alternatives and no reference at the root."""

from __future__ import annotations

from typing import Final

from gateway.dialects.gemini.schema_facets import is_object
from gateway.dialects.gemini.schema_join import Schema, join, listed, required_of
from gateway.dialects.gemini.schema_keywords import is_property_map
from gateway.dialects.gemini.schema_refs import resolve

__all__ = ["rooted"]

_ALTERNATIVES: Final = ("anyOf", "oneOf")
_JOINED: Final = frozenset({*_ALTERNATIVES, "allOf", "$ref"})


def rooted(root: Schema) -> Schema:
    """Give an object without alternatives: any of their properties may come, what all of them require must."""
    whole: Schema = {"properties": root} if is_property_map(root) else root
    return _Rooting(whole).node(whole)


class _Rooting:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self._known: dict[str, Schema] = {}

    def node(self, schema: Schema) -> Schema:
        """Give one schema; each reference is followed once."""
        whole = {keyword: value for keyword, value in schema.items() if keyword not in _JOINED}
        ref = schema.get("$ref")
        if isinstance(ref, str):
            join(whole, self._referred(ref))
        for part in listed(schema.get("allOf")):
            if is_object(part):
                join(whole, self.node(part))
        for keyword in _ALTERNATIVES:
            branches = [self.node(one) for one in listed(schema.get(keyword)) if is_object(one)]
            if branches:
                join(whole, _united(branches))
        return {**whole, "type": "object"}

    def _referred(self, ref: str) -> Schema:
        if ref not in self._known:
            self._known[ref] = {}  # for a schema within itself
            target = resolve(self._root, ref)
            self._known[ref] = self.node(target) if is_object(target) else {}
        return self._known[ref]


def _united(branches: list[Schema]) -> Schema:
    whole: Schema = {"properties": _either(branches)}
    required = [set(required_of(branch)) for branch in branches]
    shared = [name for name in required_of(branches[0]) if all(name in one for one in required)]
    return {**whole, "required": shared} if shared else whole


def _either(branches: list[Schema]) -> Schema:
    """Give all properties; one that several branches describe, each in its own way, is any of these."""
    found: dict[str, dict[str, object]] = {}
    for branch in branches:
        properties = branch.get("properties")
        for name, schema in properties.items() if is_object(properties) else ():
            found.setdefault(name, {})[repr(schema)] = schema
    either: Schema = {}
    for name, schemas in found.items():
        different = list(schemas.values())
        either[name] = different[0] if len(different) == 1 else {"anyOf": different}
    return either
