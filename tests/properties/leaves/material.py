"""What the requests of all dialects are made of."""

from __future__ import annotations

from typing import Any

__all__ = ["ANSWER", "MARK", "PDF", "PNG", "POINT", "SCHEMA", "SIGNED", "WAV", "Json"]

Json = dict[str, Any]

PNG = "iVBORw0KGgo="
PDF = "JVBERi0="
WAV = "UklGRg=="
SIGNED = "RUFCQw=="
MARK = {"type": "ephemeral"}
POINT = {"mode": "explicit"}
SCHEMA: Json = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "Where.", "minLength": 1},
        "days": {"type": "integer", "minimum": 1, "default": 3},
    },
    "required": ["city"],
}
ANSWER: Json = {"type": "object", "properties": {"sum": {"type": "number", "description": "All."}}, "required": ["sum"]}
