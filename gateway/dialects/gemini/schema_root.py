"""The parameters of a function as one object, for those who take no alternatives and no reference at the root."""

from __future__ import annotations

from typing import Final

from gateway.dialects.gemini.schema_facets import is_object
from gateway.dialects.gemini.schema_join import Schema, alternatives, join, listed, required_of
from gateway.dialects.gemini.schema_keywords import is_property_map
from gateway.dialects.gemini.schema_refs import resolve
from gateway.errors import InvalidRequest

__all__ = ["rooted"]

_ALTERNATIVES: Final = ("anyOf", "oneOf")
_JOINED: Final = frozenset({*_ALTERNATIVES, "allOf", "$ref"})
_MOST: Final = 100_000  # properties that references may add: few bytes could say the same ones any number of times


def rooted(root: Schema) -> Schema:
    """Give an object without alternatives: any of their properties may come, what all of them require must."""
    whole: Schema = {"properties": root} if is_property_map(root) else root
    return _Rooting(whole).node(whole)


class _Rooting:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self._known: dict[str, Schema] = {}
        self._added = 0
        self._tokens: dict[int, tuple[object, str]] = {}  # by the schema's id, which it keeps while it is here

    def node(self, schema: Schema) -> Schema:
        """Give one schema; each reference is followed once."""
        said = [{keyword: value for keyword, value in schema.items() if keyword not in _JOINED}]
        ref = schema.get("$ref")
        if isinstance(ref, str):
            said.append(self._referred(ref))
        said += (self.node(part) for part in listed(schema.get("allOf")) if is_object(part))
        for keyword in _ALTERNATIVES:
            branches = [self.node(one) for one in listed(schema.get(keyword)) if is_object(one)]
            said += [self._united(branches)] if branches else []
        return {**(join(said) if len(said) > 1 else said[0]), "type": "object"}

    def _referred(self, ref: str) -> Schema:
        if ref not in self._known:
            self._known[ref] = {}  # for a schema within itself
            target = resolve(self._root, ref)
            self._known[ref] = self.node(target) if is_object(target) else {}
        found = self._known[ref]
        properties = found.get("properties")
        self._added += 1 + (len(properties) if is_object(properties) else 0)
        if self._added > _MOST:
            raise InvalidRequest(f"references at the root of a JSON Schema add more than {_MOST} properties")
        return found

    def _united(self, branches: list[Schema]) -> Schema:
        whole: Schema = {"properties": self._either(branches)}
        required = [set(required_of(branch)) for branch in branches]
        shared = [name for name in required_of(branches[0]) if all(name in one for one in required)]
        return {**whole, "required": shared} if shared else whole

    def _either(self, branches: list[Schema]) -> Schema:
        """Give all properties; one that several branches describe, each in its own way, is any of these."""
        found: dict[str, list[object]] = {}
        for branch in branches:
            properties = branch.get("properties")
            for name, schema in properties.items() if is_object(properties) else ():
                found.setdefault(name, []).append(schema)
        return {name: alternatives(schemas, self._token) for name, schemas in found.items()}

    def _token(self, schema: object) -> str:
        if id(schema) not in self._tokens:
            self._tokens[id(schema)] = (schema, repr(schema))
        return self._tokens[id(schema)][1]
