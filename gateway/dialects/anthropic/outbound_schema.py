"""What Claude asks of a schema.

Of a tool's parameters: JSON Schema of draft 2020-12, an object at the root without alternatives beside it. Of a strict
schema, which answers and calls are held to: closed objects, few keywords, no recursion; what else it says goes into the
descriptions. One that is closed to nothing by that cannot be said.
"""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.dialects.gemini.schema_facets import Dropped, is_list, is_object
from gateway.dialects.gemini.schema_join import Schema, listed, required_of
from gateway.dialects.gemini.schema_refs import resolve
from gateway.dialects.gemini.schema_root import rooted
from gateway.dialects.modern_schema import modern
from gateway.dialects.rewriting import Kept, decoded, rewriting

__all__ = ["MENDED", "Strict", "parameters", "strict"]

MENDED: Final = "rewritten: Claude requires an object of JSON Schema draft 2020-12"

_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_KINDS: Final = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_WORDS: Final = frozenset({"description", "title"})
_VALUES: Final = frozenset({"const", "default"})  # of which null is one; any other keyword says nothing by it
_SILENT: Final = frozenset({"$schema", "$id", "$comment"})
_SAYING: Final = frozenset({"type", "enum", "const", "anyOf", "allOf", "$ref"})
_COMPOSED: Final = frozenset({"anyOf", "oneOf", "allOf"})
_OF_KIND: Final = {
    **dict.fromkeys(("properties", "required", "additionalProperties"), "object"),
    **dict.fromkeys(("items", "prefixItems", "minItems"), "array"),
}
_MAX_DEPTH: Final = 64


# the parameters of a tool


@rewriting
def parameters(schema: object) -> object:
    """Give the parameters that Claude takes; those that it takes anyway are themselves."""
    whole = modern(schema)
    return rooted(whole if is_object(whole) else {})


# what answers and calls are held to


class Strict(Struct, frozen=True):
    """A schema that can be held to, and what it could only mention."""

    schema: Schema
    dropped: tuple[Dropped, ...] = ()


_KEPT: Final = Kept[Strict | None]()


def strict(schema: Raw) -> Strict | None:
    """Give a schema as answers are held to it; None when that cannot be."""
    given = bytes(schema)
    return _KEPT.take(given, lambda: (_strict(given), 2 * len(given)))


def _strict(schema: bytes) -> Strict | None:
    root = decoded(schema)
    writer = _Strict()
    try:
        written = writer.node(root, "")
        _check_references(written)
    except _Loose:
        return None
    return Strict(written, tuple(writer.dropped))


class _Loose(Exception):
    """This schema leaves open what must be closed."""


class _Strict:
    def __init__(self) -> None:
        self.dropped: list[Dropped] = []

    def node(self, schema: object, at: str, depth: int = 0) -> Schema:
        """Write one schema; raise _Loose for one that takes anything."""
        if not is_object(schema) or depth > _MAX_DEPTH:
            raise _Loose
        schema = {keyword: value for keyword, value in schema.items() if value is not None or keyword in _VALUES}
        kinds = schema.get("type")
        if is_list(kinds) and len(kinds) > 1:
            return self._one_of_kinds(schema, kinds, at, depth)
        written: Schema = {}
        unsaid: Schema = {}
        for keyword, value in schema.items():
            if not self._write(written, keyword, value, at, depth):
                unsaid[keyword] = value
        if not _SAYING & written.keys():
            raise _Loose
        self._mention(written, unsaid, at)
        return self._closed(written, schema)

    def _one_of_kinds(self, schema: Schema, kinds: list[object], at: str, depth: int) -> Schema:
        """Write several types as alternatives, each with what is about it; alternatives of their own have no place."""
        rest = {keyword: value for keyword, value in schema.items() if keyword not in ("type", *_WORDS)}
        if "$defs" in rest or "definitions" in rest:
            raise _Loose  # references lead to the root
        plain = [kind for kind in kinds if kind != "null"] or kinds
        if len(plain) > 1 and _COMPOSED & rest.keys():
            raise _Loose  # all of it once for each type, and again for each one within: that has no end
        nulls = [{"type": "null"}] if "null" in kinds and kinds != plain else []
        values = schema.get("enum")
        if nulls and is_list(values):
            rest["enum"] = [value for value in values if value is not None]
        branches: list[Schema] = [self.node({"type": kind, **_about(kind, rest)}, at, depth + 1) for kind in plain]
        return {**{name: schema[name] for name in schema if name in _WORDS}, "anyOf": [*branches, *nulls]}

    def _write(self, written: Schema, keyword: str, value: object, at: str, depth: int) -> bool:
        """Write one keyword if it can be; False when it can only be mentioned."""
        below = f"{at}{keyword}."
        match keyword:
            case "type":
                kind = value[0] if is_list(value) and value else value
                if not isinstance(kind, str) or kind not in _KINDS:
                    raise _Loose
                written["type"] = kind
            case "properties" | "$defs" | "definitions" if is_object(value):
                written[keyword] = {name: self.node(one, f"{below}{name}.", depth + 1) for name, one in value.items()}
            case "items" if is_object(value):
                written["items"] = self.node(value, below, depth + 1)
            case "anyOf" | "oneOf" if is_list(value) and value:
                written["anyOf"] = [self.node(one, f"{below}{i}.", depth + 1) for i, one in enumerate(value)]
            case "allOf" if is_list(value) and value:
                written["allOf"] = [self.node(one, f"{below}{i}.", depth + 1) for i, one in enumerate(value)]
            case _:
                return self._write_plain(written, keyword, value)
        return True

    def _write_plain(self, written: Schema, keyword: str, value: object) -> bool:
        known = (
            keyword in ("description", "title", "$ref", "const")
            or (keyword == "required" and is_list(value))
            or (keyword == "enum" and is_list(value) and not any(is_object(one) or is_list(one) for one in value))
            or (keyword == "format" and isinstance(value, str) and value in _FORMATS)
            or (keyword == "minItems" and value in (0, 1))
        )
        if known:
            written[keyword] = value
        return known or keyword in _SILENT or keyword in ("additionalProperties", "required")

    def _mention(self, written: Schema, unsaid: Schema, at: str) -> None:
        if not unsaid:
            return
        words = ", ".join(f"{keyword}: {msgspec.json.encode(value).decode()}" for keyword, value in unsaid.items())
        said = written.get("description")
        written["description"] = f"{said}\n\n{{{words}}}" if said else f"{{{words}}}"
        self.dropped += [Dropped(f"{at}{keyword}", keyword, hint=True) for keyword in unsaid]

    def _closed(self, written: Schema, schema: Schema) -> Schema:
        """Close an object: to what it names, if it names anything or is closed already."""
        if written.get("type") != "object":
            return written
        if not written.get("properties") and schema.get("additionalProperties") is not False:
            raise _Loose
        if schema.get("additionalProperties") not in (None, True, False):
            raise _Loose
        written.setdefault("properties", {})
        required = required_of(schema)
        if required or "required" in written:
            written["required"] = required
        return {**written, "additionalProperties": False}


def _about(kind: object, schema: Schema) -> Schema:
    return {keyword: value for keyword, value in schema.items() if _OF_KIND.get(keyword, kind) == kind}


def _check_references(root: Schema) -> None:
    """Raise _Loose for a reference that leads nowhere, and for a schema within itself, which nothing could be held to.

    Every schema is looked into once, however many references lead to it.
    """
    leads: dict[int, set[int]] = {}
    ahead = [root, *_definitions(root)]
    while ahead:
        schema = ahead.pop()
        if id(schema) in leads:
            continue
        targets = [resolve(root, ref) for ref in _references(schema)]
        found = [target for target in targets if is_object(target)]
        if len(found) < len(targets):
            raise _Loose
        leads[id(schema)] = set(map(id, found))
        ahead += found
    try:
        TopologicalSorter(leads).prepare()
    except CycleError:
        raise _Loose from None


def _definitions(root: Schema) -> Iterator[Schema]:
    for keyword in ("$defs", "definitions"):
        definitions = root.get(keyword)
        yield from filter(is_object, definitions.values()) if is_object(definitions) else ()


def _references(schema: Schema) -> Iterator[str]:
    """Find the references within a schema as it is written here."""
    ahead: list[object] = [schema]
    while ahead:
        node = ahead.pop()
        if not is_object(node):
            continue
        ref = node.get("$ref")
        if isinstance(ref, str):
            yield ref
        properties = node.get("properties")
        ahead += [node.get("items"), *listed(node.get("anyOf")), *listed(node.get("allOf"))]
        ahead += properties.values() if is_object(properties) else ()
