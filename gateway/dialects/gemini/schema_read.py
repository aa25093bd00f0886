"""Reads one schema object into `Facets`: its keywords, what it refers to, what it is composed of.

Nothing here knows the upstream. Three limits keep a hostile schema finite: a reference met again on its own
path is cut, so is whatever lies too deep, and what references may copy is paid from one budget.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.dialects.gemini.schema_facets import Facets, Note, Source, is_list, is_object, merge
from gateway.dialects.gemini.schema_keywords import READERS, add_branch, is_property_map, read_unknown
from gateway.dialects.gemini.schema_refs import MISSING, name_of, resolve

__all__ = ["MAX_DEPTH", "MAX_NODES", "SchemaReader"]

MAX_DEPTH = 32
MAX_NODES = 20_000
_MAX_REFS = 8


class SchemaReader:
    """Reads the schemas of one document; `root` is what local references start from."""

    def __init__(self, root: object) -> None:
        self.root = root
        self._budget = MAX_NODES

    def read_root(self) -> Facets:
        """Read the whole document."""
        return self.read_one(Source(self.root, "", ("#",)), 0)

    def read(self, sources: list[Source], depth: int) -> Facets:
        """Read a sub-schema; several sources are alternatives."""
        if len(sources) == 1:
            return self.read_one(sources[0], depth)
        facets = Facets(path=sources[0].path)
        for source in sources:
            add_branch(facets, source)
        return facets

    def read_one(self, source: Source, depth: int) -> Facets:
        """Read one schema with everything it refers to and is composed of."""
        schema = source.schema
        if self._budget <= 0:
            return _cut(source, "size", None)
        # A copy made by a reference costs what it weighs, so that fan-out ends.
        self._budget -= 1 if len(source.refs) == 1 else _weight(schema)
        if depth > MAX_DEPTH:
            return _cut(source, "depth", "nested too deeply")
        if not is_object(schema) or not schema:
            return _anything(source)
        if is_property_map(schema):
            schema = {"properties": schema}
        own = Facets(path=source.path, refs=source.refs)
        for keyword, value in schema.items():
            READERS.get(keyword, read_unknown)(own, keyword, value)
        if "$ref" in schema or "allOf" in schema or len(own.union) == 1:
            return self._with_bases(own, schema, source, depth)
        return own

    def _with_bases(self, own: Facets, schema: Mapping[str, object], source: Source, depth: int) -> Facets:
        """Merge what the schema extends; its own words replace those of a reference."""
        extended: list[Facets] = []
        if "$ref" in schema:
            extended.append(self._follow(schema["$ref"], source, depth))
        if len(own.union) == 1:
            extended.append(self.read_one(own.union.pop(), depth + 1))
        composed = [self.read_one(part, depth + 1) for part in _parts(schema.get("allOf"), source)]
        whole = merge([*extended, *composed, own])
        texts = own.texts or [text for base in extended for text in base.texts]
        whole.texts = texts + [text for base in composed for text in base.texts]
        return whole

    def _follow(self, ref: object, source: Source, depth: int) -> Facets:
        if not isinstance(ref, str):
            return Facets(path=source.path, notes=[Note(source.path + "$ref", "$ref", None)])
        if ref in source.refs or len(source.refs) > _MAX_REFS:
            return _cut(source, "$ref", f"recursive {name_of(ref)}")
        target = resolve(self.root, ref)
        if target is MISSING:
            return _cut(source, "$ref", f"unresolved reference {name_of(ref)}")
        return self.read_one(Source(target, source.path, (*source.refs, ref)), depth + 1)


def _weight(schema: object) -> int:
    if not is_object(schema):
        return 1
    weight = 1 + len(schema) // 8
    for value in schema.values():
        if isinstance(value, str):
            weight += len(value) // 64
        elif is_object(value) or is_list(value):
            weight += len(value) // 16
    return weight


def _cut(source: Source, keyword: str, text: str | None) -> Facets:
    path = source.path + keyword if keyword == "$ref" else source.path.rstrip(".")
    return Facets(path=source.path, types=["object"], notes=[Note(path, keyword, text)])


def _anything(source: Source) -> Facets:
    anything = Facets(path=source.path, types=["object"])
    if not is_object(source.schema) and not isinstance(source.schema, bool) and source.path:
        anything.notes.append(Note(source.path.rstrip("."), "schema", None))
    return anything


def _parts(value: object, source: Source) -> list[Source]:
    if not is_list(value):
        return []
    return [Source(part, f"{source.path}allOf.{index}.", source.refs) for index, part in enumerate(value)]
