"""The property put into objects without properties, and taken out of the arguments again.

VALIDATED mode, which Claude's tools run in, refuses an object without properties at any depth. At the root the
model has a use for ``reason``; a free object further down takes any key, so what goes there has a name no client
uses.
"""

from __future__ import annotations

from gateway.dialects.gemini.schema_facets import is_list, is_object

__all__ = ["INNER", "PLACEHOLDER", "ROOT", "fill", "remove"]

PLACEHOLDER = "reason"
ROOT = {PLACEHOLDER: {"type": "string", "description": "Why the tool is called"}}
INNER = {"_placeholder": {"type": "boolean", "description": "Always true"}}


def fill(node: dict[str, object], properties: dict[str, dict[str, str]]) -> None:
    """Give an object schema our property, required."""
    node["properties"] = {name: {**schema} for name, schema in properties.items()}
    node["required"] = list(properties)


def remove(arguments: object, schema: object) -> object:
    """Take the inner property out of what was written to this schema; everything else stays as it is."""
    if not is_object(schema):
        return arguments
    if is_list(arguments):
        return [remove(item, schema.get("items")) for item in arguments]
    properties = schema.get("properties")
    if not is_object(arguments) or not is_object(properties):
        return arguments
    ours = INNER if properties == INNER else {}
    return {name: remove(value, properties.get(name)) for name, value in arguments.items() if name not in ours}
