"""Writes `Facets` as a schema the upstream takes; what it has no room for becomes a hint in the description."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gateway.dialects.gemini.schema_facets import (
    CLASSES,
    FORMATS,
    Dropped,
    Facets,
    Note,
    Source,
    brief,
    is_object,
    merge,
    unite,
)
from gateway.dialects.gemini.schema_join import alternatives
from gateway.dialects.gemini.schema_placeholder import INNER, fill
from gateway.dialects.gemini.schema_read import MAX_DEPTH, SchemaReader

__all__ = ["Rules", "SchemaWriter"]

_MAX_HINTS = 200


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What one place for schemas takes.

    `object_root`: only objects at the root. `alternatives`: ``anyOf``, ``nullable`` and the proto's formats
    below it. `formats`: any of these. `filled`: no object without properties. `response`: ``propertyOrdering`` and
    ``additionalProperties: false``.
    """

    object_root: bool
    alternatives: bool
    formats: bool = True
    filled: bool = False
    response: bool = False


class SchemaWriter:
    """Writes the schemas of one document; `dropped` fills on the way."""

    def __init__(self, reader: SchemaReader, rules: Rules) -> None:
        self.dropped: list[Dropped] = []
        self._reader = reader
        self._rules = rules

    def write_root(self) -> dict[str, object]:
        """Write the whole document."""
        facets = self._reader.read_root()
        if not self._rules.object_root:
            return self._write(facets, 0)
        facets = self._single(facets, 0, "object")
        facets.nullable = False  # the arguments of a call are always there
        if facets.types and facets.types != ["object"]:
            facets.note("type")
        facets.types = ["object"]
        return self._write(facets, 0)

    def _write_sources(self, sources: list[Source], depth: int) -> dict[str, object]:
        return self._write(self._reader.read(sources, depth), depth)

    def _write(self, facets: Facets, depth: int) -> dict[str, object]:
        if not self._rules.alternatives or facets.properties or facets.items or facets.enum:
            facets = self._single(facets, depth, None)
        node = self._any_of(facets, depth) if facets.union else self._typed(facets, depth)
        self._describe(node, facets)
        return node

    # Alternatives.

    def _single(self, facets: Facets, depth: int, wanted: str | None) -> Facets:
        """Replace alternatives by one schema that takes as much of them as it can."""
        if not facets.union:
            return facets
        keyword = facets.union_keyword
        branches = [self._single(branch, depth + 1, wanted) for branch in self._branches(facets, depth)]
        united, others = unite(branches, wanted)
        if others or united.types[0] in ("object", "array"):
            facets.note(keyword, ", ".join(f"or {kind}" for kind in others) or None)
        facets.union = []
        whole = merge([united, facets])
        whole.texts = facets.texts or united.texts
        return whole

    def _branches(self, facets: Facets, depth: int) -> Iterable[Facets]:
        for source in facets.union:
            branch = self._reader.read_one(source, depth + 1)
            branch.types = branch.types or list(facets.types)
            yield branch

    def _any_of(self, facets: Facets, depth: int) -> dict[str, object]:
        branches = [_narrowed(branch, facets) for branch in self._branches(facets, depth)]
        built = [self._write(branch, depth + 1) for branch in branches]
        if facets.format is not None:
            facets.note("format", f"format: {facets.format}")
        return alternatives(built)

    # One type.

    def _typed(self, facets: Facets, depth: int) -> dict[str, object]:
        kinds = facets.kinds()
        if facets.guessed and all(note.keyword != "type" for note in facets.notes):
            facets.note("type")
        self._note_misplaced(facets, kinds)
        if len(kinds) == 1:
            return self._shaped(facets, kinds[0], depth)
        if self._rules.alternatives and depth < MAX_DEPTH:
            parts = [_part(facets, kind) for kind in kinds]
            built = [self._shaped(part, part.types[0], depth + 1) for part in parts]
            for part, node in zip(parts, built, strict=True):
                self._describe(node, part)
            return alternatives(built)
        best = next((kind for kind in ("object", "array") if kind in kinds), kinds[0])
        facets.note("type", ", ".join(f"or {kind}" for kind in kinds if kind != best))
        return self._shaped(facets, best, depth)

    def _note_misplaced(self, facets: Facets, kinds: list[str]) -> None:
        if facets.properties and "object" not in kinds:
            facets.note("properties")
        if facets.items and "array" not in kinds:
            facets.note("items")

    def _shaped(self, facets: Facets, kind: str, depth: int) -> dict[str, object]:
        node: dict[str, object] = {"type": kind}
        if facets.enum is not None:
            _put_enum(node, facets, kind)
        if facets.format is not None:
            self._put_format(node, facets, kind)
        if kind == "object":
            self._put_properties(node, facets, depth)
        elif kind == "array":
            items = facets.items or [facets.source({"type": "string"}, "items.")]
            node["items"] = self._write_sources(items, depth + 1)
        return node

    def _put_format(self, node: dict[str, object], facets: Facets, kind: str) -> None:
        name = facets.format or ""
        if self._rules.alternatives and self._rules.formats and FORMATS.get(name) == kind:
            node["format"] = name
        else:
            facets.note("format", f"format: {name}")

    def _put_properties(self, node: dict[str, object], facets: Facets, depth: int) -> None:
        names = _ordered(facets) if self._rules.response else list(facets.properties)
        if facets.closed:
            self._close(node, facets)
        if facets.order and not self._rules.response:
            facets.note("propertyOrdering")
        required = _required(facets)
        if self._rules.filled and depth and _is_free(facets):
            fill(node, INNER)
            return
        if names:
            node["properties"] = {name: self._write_sources(facets.properties[name], depth + 1) for name in names}
        if required:
            node["required"] = required
        if names and self._rules.response:
            node["propertyOrdering"] = names

    def _close(self, node: dict[str, object], facets: Facets) -> None:
        if self._rules.response:
            node["additionalProperties"] = False
        else:
            facets.note("additionalProperties")

    # Words.

    def _describe(self, node: dict[str, object], facets: Facets) -> None:
        if facets.title is not None:
            if "anyOf" in node:  # the proto takes nothing beside it but these two
                facets.note("title")
            else:
                node["title"] = facets.title
        if facets.nullable and self._rules.alternatives:
            node["nullable"] = True
        elif facets.nullable:
            facets.note("nullable", "nullable")
        text = " ".join(dict.fromkeys(facets.texts)) or node.get("description")
        hints = self._hints(facets.notes) if facets.notes else ""
        description = f"{text} {hints}" if text and hints else text or hints
        if description:
            node["description"] = description

    def _hints(self, notes: list[Note]) -> str:
        """Put as many hints into parentheses as fit; record every note."""
        texts: dict[str, None] = {}
        room = _MAX_HINTS - len("()")
        for note in notes:
            text = note.text
            fits = text in texts or (text is not None and len(text) <= room)
            if text is not None and fits and text not in texts:
                texts[text] = None
                room -= len(text) + len(", ")
            self.dropped.append(Dropped(note.path, note.keyword, fits))
        return f"({', '.join(texts)})" if texts else ""


def _narrowed(branch: Facets, facets: Facets) -> Facets:
    """Let an alternative say what holds for all of them: beside them there is no room for it."""
    branch.required = [*facets.required, *branch.required]
    branch.closed = branch.closed or facets.closed
    branch.order = branch.order or facets.order
    return branch


def _part(facets: Facets, kind: str) -> Facets:
    """Take from facets of several types what concerns one of them; words stay with the whole."""
    part = Facets(path=facets.path, refs=facets.refs, types=[kind])
    if kind == "object":
        part.properties, part.required, part.order = facets.properties, facets.required, facets.order
        part.closed = facets.closed
    elif kind == "array":
        part.items = facets.items
    if FORMATS.get(facets.format or "", "string") == kind:
        part.format = facets.format
    part.enum = [value for value in facets.enum or () if isinstance(value, CLASSES[kind])] or None
    part.enum_keyword = facets.enum_keyword
    return part


def _put_enum(node: dict[str, object], facets: Facets, kind: str) -> None:
    """Keep the values of a string; those of other types go into the words, so that arguments keep their type."""
    values = facets.enum or []
    if kind == "string":
        texts = [text for text in (_enum_text(value) for value in values) if text]
        if texts:
            node["enum"] = list(dict.fromkeys(texts))
        turned = not facets.types and not all(isinstance(value, str) for value in values)  # 1 into "1"
        if len(texts) < len(values) or turned:  # the proto refuses an empty member
            facets.note(facets.enum_keyword, "may be empty" if "" in values else None)
        return
    text = brief(values[0] if facets.enum_keyword == "const" else values)
    facets.note(facets.enum_keyword, text and f"{facets.enum_keyword}: {text}")


def _enum_text(value: object) -> str | None:
    return value if isinstance(value, str) else brief(value)


def _ordered(facets: Facets) -> list[str]:
    named = [name for name in facets.order if name in facets.properties]
    return list(dict.fromkeys([*named, *facets.properties]))


def _is_free(facets: Facets) -> bool:
    """Tell an object without properties, or with ours only."""
    if len(facets.properties) > 1:
        return False
    return {name: sources[0].schema for name, sources in facets.properties.items()} in ({}, INNER)


def _required(facets: Facets) -> list[str]:
    named = dict.fromkeys(facets.required)
    known = [name for name in named if name in facets.properties]
    if len(known) < len(named):
        facets.note("required")
    marked = [name for name, sources in facets.properties.items() if _is_marked(sources)]
    return list(dict.fromkeys([*known, *marked]))


def _is_marked(sources: list[Source]) -> bool:
    """Tell the draft-3 spelling, ``required: true`` inside the property."""
    schema = sources[0].schema
    return is_object(schema) and schema.get("required") is True
