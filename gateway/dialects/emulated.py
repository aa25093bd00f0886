"""What stands for what an upstream lacks: an answer by a tool or an instruction, functions, fields left out."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir

__all__ = ["ANSWER", "ANSWERS", "IN_WORDS", "Schema", "json_instruction", "parameters", "unknown"]

Schema = dict[str, object]

# of OpenAI's own fields, those that show in an answer
_TELLING: Final = frozenset({"logit_bias", "moderation", "prediction"})
ANSWER: Final = "structured_output"
ANSWERS: Final = "Gives the answer to the user. Call it once, with all of the answer, in place of writing it."
IN_WORDS: Final = "this model can be asked for JSON by an instruction only"
_JSON_ONLY: Final = "Answer with one JSON value only: no Markdown fences, no other words."

_encode: Final = msgspec.json.Encoder().encode


def parameters(properties: Mapping[str, Schema], *required: str) -> Raw:
    """Write the schema of a function that stands for a vendor's own tool."""
    return Raw(_encode({"type": "object", "properties": properties, "required": required}))


def json_instruction(schema: Raw | None) -> str:
    """Ask in words for JSON by a schema, without one for an object."""
    if schema is None:
        return f"{_JSON_ONLY} It must be an object."
    return f"{_JSON_ONLY} It must be valid against this JSON Schema:\n{bytes(schema).decode()}"


def unknown(name: str, value: Raw) -> ir.Loss:
    """Tell that a caller's field is not known upstream."""
    severity: ir.Severity = "change" if name in _TELLING and bytes(value) != b"{}" else "hint"
    return ir.Loss(name, "this upstream does not support it", severity)
