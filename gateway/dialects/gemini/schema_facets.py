"""What a schema says, gathered: the half-way form between JSON Schema and what the upstream takes.

``$ref``, ``allOf`` and ``anyOf`` spread one statement over several objects. Facets put it together again:
`merge` for "all of these hold", `unite` for "one of these holds". Sub-schemas stay unread (`Source`) until
they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeGuard

import msgspec

__all__ = [
    "CLASSES",
    "FORMATS",
    "Dropped",
    "Facets",
    "Note",
    "Source",
    "brief",
    "is_list",
    "is_object",
    "merge",
    "unite",
]

TYPES = frozenset(("array", "boolean", "integer", "number", "object", "string"))
# The formats of the proto Schema; each belongs to one type.
FORMATS = {
    "date-time": "string",
    "enum": "string",
    "double": "number",
    "float": "number",
    "int32": "integer",
    "int64": "integer",
}
# The Python classes that JSON values of a type decode to; an enum keeps scalars only.
CLASSES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "object": (),
    "array": (),
}
_RICHNESS = {"object": 2, "array": 1}
_WORDS = {None: "null", True: "true", False: "false"}
_MAX_BITS = 256
_MAX_LISTED = 64


class Dropped(msgspec.Struct, frozen=True):
    """A keyword that could not be carried; `hint` says that the description mentions it instead.

    `path` is the place inside the schema (``properties.a.format``). Three keywords are ours: ``size`` and
    ``depth`` mark the place where a schema too large or too deep was cut, ``schema`` what is no schema at all.
    """

    path: str
    keyword: str
    hint: bool


class Source(msgspec.Struct, frozen=True):
    """A schema not read yet: where it stands (a prefix ending in a dot) and the references that led to it."""

    schema: object
    path: str
    refs: tuple[str, ...]


class Note(msgspec.Struct, frozen=True):
    """A keyword with no place upstream, and the words that may stand for it in the description."""

    path: str
    keyword: str
    text: str | None


class Facets(msgspec.Struct):
    """Everything one schema says about a value; a list of sources stands for "one of these"."""

    path: str
    refs: tuple[str, ...] = ()
    types: list[str] = []
    implied: str | None = None
    nullable: bool = False
    title: str | None = None
    texts: list[str] = []
    format: str | None = None
    enum: list[object] | None = None  # scalars only
    enum_keyword: str = "enum"
    properties: dict[str, list[Source]] = {}
    required: list[str] = []
    closed: bool = False
    order: list[str] = []
    items: list[Source] = []
    union: list[Source] = []
    union_keyword: str = "anyOf"
    notes: list[Note] = []

    def kinds(self) -> list[str]:
        """Name the types a value may have; what the other keywords imply when none is declared."""
        if self.enum and len(self.types) > 1:  # a type without a value in the enum cannot occur
            classes = [(kind, CLASSES[kind]) for kind in self.types]
            held = [kind for kind, known in classes if any(isinstance(value, known) for value in self.enum)]
            return held or self.types
        return self.types or [self._inferred()]

    @property
    def guessed(self) -> bool:
        """Whether nothing says what type a value has: it is taken for a string, for there must be one."""
        said = (self.types, self.properties, self.items, self.enum, self.implied, self.format)
        return not any(said)

    def source(self, schema: object, step: str) -> Source:
        """Name a sub-schema of this one, to be read later."""
        return Source(schema, self.path + step, self.refs)

    def note(self, keyword: str, text: str | None = None) -> None:
        """Record a keyword of this schema that cannot be carried as it is."""
        self.notes.append(Note(self.path + keyword, keyword, text))

    def _inferred(self) -> str:
        if self.properties:
            return "object"
        if self.items:
            return "array"
        if self.enum:
            return _type_of_all(self.enum)
        if self.implied is None and self.format is not None:
            return FORMATS.get(self.format, "string")
        return self.implied or "string"


def merge(parts: list[Facets]) -> Facets:
    """Join facets that all hold: first type, later property, every requirement. Texts are left to the caller."""
    whole = Facets(path=parts[-1].path)
    for part in parts:
        whole.types = _common(whole.types, part.types)
        whole.implied = whole.implied or part.implied
        whole.nullable = whole.nullable or part.nullable
        whole.closed = whole.closed or part.closed
        whole.title = part.title or whole.title
        whole.format = part.format or whole.format
        whole.items = part.items or whole.items
        whole.order = part.order or whole.order
        whole.properties.update(part.properties)
        whole.required += part.required
        whole.notes += part.notes
        _merge_enum(whole, part)
        _merge_union(whole, part)
    return whole


def unite(branches: list[Facets], wanted: str | None) -> tuple[Facets, list[str]]:
    """Join facets of which one holds into one type that takes them all; name the types left out.

    The richest type wins (`wanted` first, then object, array, the first scalar). Its branches are widened into
    one: every property, the requirements they share, the values any of them takes.
    """
    kinds = dict.fromkeys(kind for branch in branches for kind in branch.kinds())
    best = wanted if wanted in kinds else max(kinds, key=lambda kind: _RICHNESS.get(kind, 0))
    chosen = [branch for branch in branches if best in branch.kinds()]
    whole = Facets(path=branches[0].path, types=[best], closed=all(branch.closed for branch in chosen))
    whole.nullable = any(branch.nullable for branch in branches)
    whole.required = _shared([branch.required for branch in chosen])
    whole.enum = _any_value([branch.enum for branch in chosen])
    for branch in branches:
        if best in branch.kinds():
            _widen(whole, branch)
        else:
            whole.notes += [Note(note.path, note.keyword, None) for note in branch.notes]
    _unite_labels(whole, chosen)
    return whole, [kind for kind in kinds if kind != best]


def brief(value: object) -> str | None:
    """Write a value in a few words, or None when it takes more."""
    if is_list(value):
        words = [brief(item) for item in value[:_MAX_LISTED] if not isinstance(item, list | dict)]
        known = [word for word in words if word is not None]
        return (" | ".join(known) or "[]") if len(known) == len(value) else None
    if isinstance(value, str):
        return value or '""'
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, int):
        return str(value) if value.bit_length() <= _MAX_BITS else None
    return str(value) if isinstance(value, float) or value == {} else None


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Tell a JSON object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Tell a JSON array."""
    return isinstance(value, list)


def _merge_enum(whole: Facets, part: Facets) -> None:
    if part.enum is None:
        return
    known = {(type(value), value) for value in part.enum}
    both = [value for value in whole.enum or () if (type(value), value) in known]
    whole.enum, whole.enum_keyword = both or part.enum, part.enum_keyword


def _merge_union(whole: Facets, part: Facets) -> None:
    if not part.union:
        return
    if whole.union:
        whole.notes.append(Note(part.path + part.union_keyword, part.union_keyword, None))
    else:
        whole.union, whole.union_keyword = part.union, part.union_keyword


def _widen(whole: Facets, branch: Facets) -> None:
    for name, sources in branch.properties.items():
        whole.properties.setdefault(name, []).extend(sources)
    whole.items += branch.items
    whole.texts += branch.texts
    whole.notes += branch.notes
    whole.enum_keyword = branch.enum_keyword


def _unite_labels(whole: Facets, chosen: list[Facets]) -> None:
    whole.title = chosen[0].title if len(chosen) == 1 else None
    formats = {branch.format for branch in chosen}
    if len(formats) == 1:
        whole.format = formats.pop()
        return
    for branch in chosen:
        if branch.format is not None:
            branch.note("format")
            whole.notes.append(branch.notes[-1])


def _common(first: list[str], second: list[str]) -> list[str]:
    return [kind for kind in first if kind in second] or first or second


def _shared(lists: Iterable[list[str]]) -> list[str]:
    first, *others = lists
    sets = [set(other) for other in others]
    return [name for name in first if all(name in other for other in sets)]


def _any_value(enums: list[list[object] | None]) -> list[object] | None:
    if any(enum is None for enum in enums):
        return None
    return [value for enum in enums for value in enum or ()]


def _type_of_all(values: list[object]) -> str:
    kinds = {_type_of(value) for value in values}
    return kinds.pop() if len(kinds) == 1 else "string"


def _type_of(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return "number" if isinstance(value, float) else "string"
