"""The light pass: JSON Schema as the Gemini API reads it in `parametersJsonSchema` and `responseJsonSchema`.

The API takes a part of draft 2020-12 and answers 400 to any other keyword, so the output is built from a table of
those it knows. References stay references: each leads into `$defs` of the root, wherever it led before, and only
`description` and `default` stand beside it. What must hold all at once (`allOf`, a reference with more beside it) is
joined into one schema. Nothing here raises, whatever JSON comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

from gateway.dialects.gemini.schema_facets import TYPES, Dropped, brief, is_list, is_object
from gateway.dialects.gemini.schema_join import (
    Schema,
    allow_null,
    alternatives,
    is_number,
    join,
    kinds_of,
    listed,
    required_of,
)
from gateway.dialects.gemini.schema_keywords import SILENT, is_property_map
from gateway.dialects.gemini.schema_read import MAX_DEPTH, MAX_NODES
from gateway.dialects.gemini.schema_refs import MISSING, name_of, resolve
from gateway.dialects.patterns import is_pattern

__all__ = ["lighten"]

_KINDS: Final = TYPES | {"null"}
_BESIDE_REF: Final = frozenset({"description", "default"})
_COMPOSED: Final = frozenset({"$ref", "allOf"})
_SAY_NOTHING: Final = frozenset(SILENT) - _COMPOSED
_READ_TOGETHER: Final = frozenset(
    {"$ref", "required", "nullable", "const", "prefixItems", "exclusiveMinimum", "exclusiveMaximum"}
)
_UNNAMED: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_MAX_NAME: Final = 64


def lighten(schema: object, *, parameters: bool) -> tuple[Schema, tuple[Dropped, ...]]:
    """Give the schema to send, and what it lost. `parameters`: they are an object, whatever the root says."""
    light = _Light(schema)
    return light.write(parameters=parameters), tuple(light.dropped)


class _At(Struct, frozen=True):
    """A place in the document: its path, ending in a dot, its depth, and the references written out on the way."""

    path: str = ""
    depth: int = 0
    inside: tuple[str, ...] = ()

    def below(self, step: str) -> _At:
        return _At(f"{self.path}{step}.", self.depth + 1, self.inside)

    def within(self, refs: Iterable[str]) -> _At:
        return _At(self.path, self.depth, tuple(refs))


class _Light:
    """One document. A hostile one ends by its depth, its nodes, and one definition for each pointer."""

    def __init__(self, root: object) -> None:
        self.root = root
        self.dropped: list[Dropped] = []
        self._nodes = MAX_NODES
        self._names: dict[str, str] = {}  # of definitions, by their pointer
        self._counts: dict[str, int] = {}  # how many of them are called alike
        self._waiting: list[str] = []

    def write(self, *, parameters: bool) -> Schema:
        root: Schema = self.root if is_object(self.root) else {}
        if parameters:
            if is_property_map(root):
                root = {"properties": root}
            if "type" in root and kinds_of(root) - {"object", "OBJECT"}:
                self._drop(_At(), "type")
            root = {**root, "type": "object"}  # beside a reference it makes the two one
        written = self.node(root, _At())
        if parameters:
            written["type"] = "object"  # the arguments of a call are always there
        definitions: Schema = {}
        while self._waiting:
            pointer = self._waiting.pop()
            name = self._names[pointer]
            definitions[name] = self.node(resolve(self.root, pointer), _At(f"$defs.{name}.", 1))
        return {**written, "$defs": definitions} if definitions else written

    def node(self, schema: object, at: _At) -> Schema:
        """Write one schema; one that says nothing, or lies too deep, takes anything."""
        if not is_object(schema):
            if not isinstance(schema, bool) and at.path:
                self.dropped.append(Dropped(at.path.rstrip("."), "schema", hint=False))
            return {}
        if not self._affords(schema, at):
            return {}
        joined, at = self._joined(schema, at)
        written: Schema = {}
        for keyword, value in joined.items():
            if keyword in _PLAIN:
                found = _PLAIN[keyword](value)
            else:
                found = _NESTED[keyword](self, value, at.below(keyword)) if keyword in _NESTED else MISSING
            if found is not MISSING:
                written[keyword] = found
            elif keyword not in _SAY_NOTHING and keyword not in _READ_TOGETHER:
                self._drop(at, keyword)
        return self._finished(written, joined, at)

    def nodes(self, schemas: list[object], at: _At) -> list[Schema]:
        """Write several."""
        return [self.node(one, at.below(str(place))) for place, one in enumerate(schemas)]

    def _affords(self, schema: Schema, at: _At) -> bool:
        self._nodes -= 1 + len(schema) // 8
        if at.depth <= MAX_DEPTH and self._nodes > 0:
            return True
        self._drop(at, "depth" if self._nodes > 0 else "size")
        return False

    def affords_text(self, text: str) -> bool:
        """Tell whether what is read character by character can be, too."""
        self._nodes -= len(text) // 8
        return self._nodes > 0

    def _drop(self, at: _At, keyword: str, *, hint: bool = False) -> None:
        self.dropped.append(Dropped(f"{at.path}{keyword}", keyword, hint))

    # references, and what holds all at once

    def _joined(self, schema: Schema, at: _At) -> tuple[Schema, _At]:
        """Give what a schema says as one object without `allOf`; a reference in it stands alone."""
        if is_property_map(schema):
            schema = {"properties": schema}
        if not schema.keys() & _COMPOSED:
            return schema, at
        own = {keyword: value for keyword, value in schema.items() if keyword not in _COMPOSED}
        parts = [part for part in listed(schema.get("allOf")) if is_object(part)]
        if "$ref" in schema:
            parts.insert(0, {"$ref": schema["$ref"]})
        beside = own.keys() - _SAY_NOTHING - {"nullable"}
        if len(parts) == 1 and beside <= _BESIDE_REF and parts[0].keys() == {"$ref"}:
            return self._alone(own, parts[0]["$ref"], at), at
        if len(parts) == 1 and parts[0].get("$ref") in at.inside and "anyOf" not in own:
            return {**own, "anyOf": [parts[0]]}, at
        said = list[Schema]()
        known = dict.fromkeys(at.inside)
        for part in parts:
            self._expand(part, said, at, known)
        return join([*said, own]), at.within(known)

    def _alone(self, own: Schema, ref: object, at: _At) -> Schema:
        if own.get("nullable") is not True:
            return {**own, **self._reference(ref, at)}
        return {**own, "anyOf": [{"$ref": ref}, {"type": "null"}]}

    def _expand(self, part: Schema, said: list[Schema], at: _At, known: dict[str, None]) -> None:
        """Collect what a part says, a reference by what it leads to; one that leads to itself adds nothing.

        `known`: the references that are written out already, in order; `at.inside` are those on the way here.
        """
        if not self._affords(part, at):
            return
        ref = part.get("$ref")
        if isinstance(ref, str) and ref in known and ref not in at.inside:
            ref = None  # several parts extend the same schema
        if ref is not None:
            target = resolve(self.root, ref) if isinstance(ref, str) and ref not in at.inside else MISSING
            if is_object(target) and isinstance(ref, str):
                known[ref] = None
                self._expand(target, said, at.within((*at.inside, ref)), known)
            else:
                self._drop(at, "$ref")
        for inner in listed(part.get("allOf")):
            if is_object(inner):
                self._expand(inner, said, at, known)
        own = {keyword: value for keyword, value in part.items() if keyword not in _COMPOSED}
        said.append({"properties": own} if is_property_map(own) else own)

    def _reference(self, ref: object, at: _At) -> Schema:
        target = resolve(self.root, ref) if isinstance(ref, str) else MISSING
        if not is_object(target) or not isinstance(ref, str):
            self._drop(at, "$ref")
            return {} if target is True else {"type": "object"}
        if ref not in self._names:
            self._names[ref] = self._name(ref)
            self._waiting.append(ref)
        return {"$ref": f"#/$defs/{self._names[ref]}"}

    def _name(self, ref: str) -> str:
        wanted = name = _UNNAMED.sub("_", name_of(ref))[:_MAX_NAME] or "_"
        while name in self._counts:
            self._counts[wanted] += 1
            name = f"{wanted}_{self._counts[wanted]}"
        self._counts[name] = 1
        return name

    # keywords that are read together

    def _finished(self, written: Schema, joined: Schema, at: _At) -> Schema:
        if "$ref" in joined:
            return {"$ref": joined["$ref"], **{name: written[name] for name in written if name in _BESIDE_REF}}
        if "const" in joined and "enum" not in written:
            written["enum"] = [joined["const"]]
        self._bound(written, joined, at, "exclusiveMinimum", "minimum", 1)
        self._bound(written, joined, at, "exclusiveMaximum", "maximum", -1)
        required = required_of(joined)
        if required:
            written["required"] = required
        elif is_list(joined.get("required")) and joined["required"]:
            self._drop(at, "required")
        self._put_items(written, joined, at)
        if joined.get("nullable") is True:
            allow_null(written)
        return written

    def _put_items(self, written: Schema, joined: Schema, at: _At) -> None:
        """Let an array say what it holds: a tuple the kinds of its elements, and of what may follow them."""
        elements = [one for one in listed(written.pop("prefixItems", None)) if is_object(one)]
        if elements:
            rest = written.get("items") if joined.get("items") not in (None, True, False, {}) else None
            written["items"] = _any_kind([*elements, rest] if is_object(rest) else elements)
            if len(elements) > 1:
                self._drop(at, "prefixItems")
        elif "items" not in written and "array" in kinds_of(written):
            written["items"] = _any_kind([])

    def _bound(self, written: Schema, joined: Schema, at: _At, keyword: str, inclusive: str, step: int) -> None:
        """Put an open bound as a closed one; between integers that is the same, else the description says more."""
        limit = joined.get(keyword)
        if limit is True:  # draft 4: it makes the closed bound an open one
            limit = written.pop(inclusive, None)
        if not is_number(limit):
            return
        kinds = kinds_of(written)
        whole = bool(kinds) and kinds <= {"integer", "null"} and isinstance(limit, int)
        closed, other = limit + step if whole else limit, written.get(inclusive)
        tighter = max if step > 0 else min
        written[inclusive] = tighter(other, closed) if is_number(other) else closed
        if whole:
            return
        words = brief(limit)
        if words is not None:
            said = written.get("description")
            written["description"] = f"{said} ({keyword}: {words})" if said else f"({keyword}: {words})"
        self._drop(at, keyword, hint=words is not None)


def _words(value: object) -> object:
    return value if isinstance(value, str) and value else MISSING


def _pattern(light: _Light, value: object, _: _At) -> object:
    if not isinstance(value, str) or not light.affords_text(value):
        return MISSING
    return value if is_pattern(value) else MISSING  # the API refuses what is no regular expression


def _kept(value: object) -> object:
    return value


def _count(value: object) -> object:
    if not is_number(value) or value < 0 or value != int(value):
        return MISSING
    return int(value)


def _number(value: object) -> object:
    return value if is_number(value) else MISSING


def _flag(value: object) -> object:
    return value if isinstance(value, bool) else MISSING


def _type(value: object) -> object:
    names = [name.lower() for name in listed(value) if isinstance(name, str)]
    known = list(dict.fromkeys(name for name in names if name in _KINDS))
    return (known[0] if len(known) == 1 else known) if known else MISSING


def _enum(value: object) -> object:
    return value if is_list(value) and value else MISSING


def _properties(light: _Light, value: object, at: _At) -> object:
    if not is_object(value):
        return MISSING
    return {name: light.node(schema, at.below(name)) for name, schema in value.items()}


def _items(light: _Light, value: object, at: _At) -> object:
    """Write what an array holds, a tuple by the kinds of its elements; without a word it holds strings."""
    return _any_kind([light.node(value, at)] if is_object(value) else light.nodes(listed(value), at))


def _any_kind(schemas: list[Schema]) -> Schema:
    return alternatives(schemas) if any(schemas) else {"type": "string"}


def _alternatives(light: _Light, value: object, at: _At) -> object:
    schemas = light.nodes(value, at) if is_list(value) else []
    return schemas if any(schemas) else MISSING  # of nothing said there is nothing to choose


def _additional(light: _Light, value: object, at: _At) -> object:
    return value if isinstance(value, bool) else light.node(value, at)


# What to send for the value of a keyword, or MISSING.
_PLAIN: Final[Mapping[str, Callable[[object], object]]] = {
    **dict.fromkeys(("title", "description", "format"), _words),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"), _count),
    **dict.fromkeys(("minimum", "maximum"), _number),
    "type": _type,
    "default": _kept,
    "enum": _enum,
    "uniqueItems": _flag,
}
_NESTED: Final[Mapping[str, Callable[[_Light, object, _At], object]]] = {
    **dict.fromkeys(("anyOf", "oneOf"), _alternatives),
    "properties": _properties,
    "items": _items,
    "prefixItems": _alternatives,
    "additionalProperties": _additional,
    "pattern": _pattern,
}
