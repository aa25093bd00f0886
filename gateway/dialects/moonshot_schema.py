"""Schemas of tools in Moonshot's form: one type in each place, alternatives with nothing beside them, no references.

Its servers refuse what MCP's and pydantic's schemas say: a type beside anyOf, words beside $ref, definitions elsewhere
than in $defs, true for anything, a list of items. What has no place in that form goes into the descriptions. The rules
are those of github.com/MoonshotAI/walle.
"""

from typing import Final

from gateway.dialects.gemini.schema_facets import is_list, is_object
from gateway.dialects.gemini.schema_join import Schema
from gateway.dialects.gemini.schema_read import SchemaReader
from gateway.dialects.gemini.schema_write import Rules, SchemaWriter
from gateway.dialects.rewriting import rewriting

__all__ = ["PLAIN", "plain"]

PLAIN: Final = "Moonshot takes one type in each place, no references and few keywords: the rest is in the descriptions"
_RULES: Final = Rules(object_root=True, alternatives=True, formats=False)
_NULL: Final[Schema] = {"type": "null"}
_WORDS: Final = ("title", "description")


@rewriting
def plain(schema: object) -> object:
    """Give the parameters of a function in that form."""
    return {"properties": {}, **_spelt(SchemaWriter(SchemaReader(schema), _RULES).write_root())}


def _spelt(node: Schema) -> Schema:
    """Say in the words of JSON Schema what is in those of Google's proto."""
    written = {keyword: _within(keyword, value) for keyword, value in node.items() if keyword != "nullable"}
    if "nullable" not in node:
        return written
    branches = written.get("anyOf")
    if is_list(branches):
        return {**written, "anyOf": [*branches, _NULL]}
    kept = {keyword: value for keyword, value in written.items() if keyword not in _WORDS}
    return {**{word: written[word] for word in _WORDS if word in written}, "anyOf": [kept, _NULL]}


def _within(keyword: str, value: object) -> object:
    if keyword == "properties" and is_object(value):
        return {name: _spelt(one) for name, one in value.items() if is_object(one)}
    if keyword == "anyOf" and is_list(value):
        return [_spelt(one) for one in value if is_object(one)]
    return _spelt(value) if keyword == "items" and is_object(value) else value
