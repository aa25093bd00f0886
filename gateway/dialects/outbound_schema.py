"""What OpenAI asks of a schema even if nothing is strict: an object at the root, and arrays that say what is in them.

Of parameters it asks for a list of properties, too, even an empty one, and for no alternatives at the root. Other
vendors do not ask for that, nor does MCP, so callers leave it out; anything may stand in the place of nothing. The
words are those of draft 2020-12: a tuple by `items`, as draft 7 has it, is refused.
"""

from typing import Final

from msgspec import Raw

from gateway.dialects.gemini.schema_facets import is_list, is_object
from gateway.dialects.gemini.schema_join import Schema
from gateway.dialects.gemini.schema_refs import resolve
from gateway.dialects.gemini.schema_root import rooted
from gateway.dialects.modern_schema import modern, written_within
from gateway.dialects.patterns import without_foreign
from gateway.dialects.rewriting import rewriting

__all__ = ["MENDED", "NO_PARAMETERS", "mended", "parameters"]

MENDED: Final = (
    "rewritten: OpenAI requires an object of JSON Schema draft 2020-12, items for arrays, patterns for Python's re, "
    "and no defaults in strict mode"
)
NO_PARAMETERS: Final = Raw(b'{"type":"object","properties":{}}')

_BESIDE: Final = frozenset({"$ref", "$defs", "definitions", "$schema", "$id", "title", "description"})  # says no more
_ALTERNATIVES: Final = frozenset({"anyOf", "oneOf", "allOf", "$ref"})


@rewriting
def mended(schema: object) -> object:
    """Give a schema that OpenAI takes; one that it takes anyway is itself."""
    whole = _sound(schema)
    if not is_object(whole):
        return whole
    root = _followed(whole)
    return {"type": "object", **root} if "type" not in root and _ALTERNATIVES.isdisjoint(root) else root


@rewriting
def parameters(schema: object) -> object:
    """Give the parameters of a function that OpenAI takes; those that it takes anyway are themselves."""
    whole = _sound(schema)
    return _named(rooted(whole)) if is_object(whole) else whole


def _followed(root: Schema) -> Schema:
    """Write out an object that the root only refers to, as libraries describe one that may hold others of its kind."""
    given, seen = root, set[str]()
    while isinstance(ref := root.get("$ref"), str):
        target = resolve(root, ref)
        if ref in seen or not is_object(target) or not _BESIDE.issuperset(root):
            return given
        seen.add(ref)
        root = {**target, **{keyword: value for keyword, value in root.items() if keyword != "$ref"}}
    return root if root.get("type", "object") == "object" else given


def _named(root: Schema) -> Schema:
    return root if root.get("properties") is not None else {**root, "properties": {}}


def _sound(schema: object) -> object:
    return _filled(without_foreign(modern(schema)))


def _filled(node: object) -> object:
    """Let arrays hold anything where they do not say what."""
    if not is_object(node):
        return node
    filled = written_within(node, _filled)
    kind = node.get("type")
    if (kind == "array" or (is_list(kind) and "array" in kind)) and "items" not in node:
        filled["items"] = {}
    return filled
