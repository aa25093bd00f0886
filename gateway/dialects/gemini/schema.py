"""Turns any JSON Schema into what the upstream accepts: the proto Schema, and Claude's draft 2020-12 behind it.

The proto answers 400 to a whole request for one keyword it does not know, so the output is built from an
allow-list: type, title, description, enum, format, nullable, properties, required, items, anyOf. Property
*names* are data and survive whatever they are. The way of a schema::

    bytes ─SchemaCache─► JSON ─schema_read─► Facets ─schema_write─► Cleaned

A keyword that has no place goes into the description, "(minLength: 1)", and is named in `Cleaned.dropped`.
Keywords which say nothing about a value (``$schema``, ``$id``, ``$comment``) are left out without a word.
Null has no type here: it is ``nullable`` for Gemini, and the hint "(nullable)" for Claude, whose draft 2020-12
has no such keyword while the proto before it takes no list of types.
"""

from __future__ import annotations

import enum
import hashlib

import msgspec

from gateway.dialects.gemini.schema_facets import Dropped, is_object
from gateway.dialects.gemini.schema_light import lighten
from gateway.dialects.gemini.schema_placeholder import PLACEHOLDER, ROOT, fill, remove
from gateway.dialects.gemini.schema_read import SchemaReader
from gateway.dialects.gemini.schema_write import Rules, SchemaWriter
from gateway.dialects.rewriting import Kept, decoded

__all__ = [
    "PLACEHOLDER",
    "Cleaned",
    "Dropped",
    "Profile",
    "SchemaCache",
    "clean",
    "light",
    "response_schema",
    "strip_placeholders",
]

_DROPPED_BYTES = 100


class Profile(enum.Enum):
    """Who reads the parameters of a function behind v1internal."""

    GEMINI = "gemini"
    CLAUDE = "claude"


class Cleaned(msgspec.Struct, frozen=True):
    """A schema ready to send, shared by all who ask for it: never change it.

    `schema` is None when there is nothing to say, so the field is left out. `placeholder`: the only property is
    `PLACEHOLDER`, which is ours. Claude's objects further down may hold one too: `strip_placeholders` takes both
    out of the arguments that come back.
    """

    schema: dict[str, object] | None
    placeholder: bool = False
    dropped: tuple[Dropped, ...] = ()


_RULES = {
    Profile.GEMINI: Rules(object_root=True, alternatives=True),
    Profile.CLAUDE: Rules(object_root=True, alternatives=False, filled=True),
}
_LABELS = frozenset(("type", "title", "description"))  # of an object, they say nothing about its arguments
_RESPONSE = Rules(object_root=False, alternatives=True, response=True)


def clean(schema: object, profile: Profile) -> Cleaned:
    """Clean the parameters of a function. Takes any JSON value and never raises; a clean schema stays as it is."""
    cleaned = _clean(schema, _RULES[profile])
    if cleaned.schema is not None or profile is Profile.GEMINI:
        return cleaned
    root: dict[str, object] = {"type": "object"}
    fill(root, ROOT)
    return Cleaned(root, placeholder=True, dropped=cleaned.dropped)


def strip_placeholders(arguments: object, cleaned: Cleaned) -> object:
    """Take out of a call's arguments what only the placeholders of its schema asked for."""
    if cleaned.placeholder and is_object(arguments):
        return {name: value for name, value in arguments.items() if name != PLACEHOLDER}
    return remove(arguments, cleaned.schema)


def response_schema(schema: object) -> Cleaned:
    """Clean a schema for ``responseSchema``: any type at the root, and properties keep their order."""
    return _clean(schema, _RESPONSE)


def light(schema: object, *, parameters: bool = False) -> Cleaned:
    """Clean a schema that goes to the Gemini API as JSON Schema: of a function's parameters, or of the answer."""
    written, dropped = lighten(schema, parameters=parameters)
    says = any(value for keyword, value in written.items() if keyword not in _LABELS)
    return Cleaned(None if parameters and not says else written, dropped=dropped)


class SchemaCache:
    """Cleaned schemas by the bytes they came from; one for each application."""

    def __init__(self) -> None:
        self._kept = Kept[Cleaned]()

    def clean_raw(self, raw: bytes, profile: Profile) -> Cleaned:
        """Clean parameters given as JSON; what is no JSON counts as no schema.

        Raise InvalidRequest for a number that is out of range.
        """
        return self._cleaned(raw, profile)

    def light_raw(self, raw: bytes) -> Cleaned:
        """Clean them for the Gemini API, as JSON Schema."""
        return self._cleaned(raw, None)

    def _cleaned(self, raw: bytes, profile: Profile | None) -> Cleaned:
        return self._kept.take((hashlib.sha256(raw).digest(), profile), lambda: _made(raw, profile))


def _made(raw: bytes, profile: Profile | None) -> tuple[Cleaned, int]:
    """Clean a schema, and give its size."""
    schema = _decode(raw)
    cleaned = light(schema, parameters=True) if profile is None else clean(schema, profile)
    return cleaned, len(msgspec.json.encode(cleaned.schema)) + _DROPPED_BYTES * len(cleaned.dropped)


def _clean(schema: object, rules: Rules) -> Cleaned:
    writer = SchemaWriter(SchemaReader(schema), rules)
    node = writer.write_root()
    if node.get("type") != "object" or "properties" in node:
        return Cleaned(node, dropped=tuple(writer.dropped))
    return Cleaned(None, dropped=tuple(msgspec.structs.replace(drop, hint=False) for drop in writer.dropped))


def _decode(raw: bytes) -> object:
    try:
        return decoded(raw)
    except (msgspec.MsgspecError, ValueError):
        return None
