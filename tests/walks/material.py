"""What conversations are made of: chance, words of which each is said once, tools, pictures."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from random import Random
from typing import Any, Final

__all__ = ["ANSWER", "ARGUMENTS", "NAMES", "PDF", "SCHEMAS", "Json", "Luck", "picture", "words"]

Json = dict[str, Any]

# of a user, a system, a result, a document, an answer, arguments; thoughts may be forgotten
WORD: Final = re.compile(r"(?:us|sy|re|do|an|ar)\d+x\d+z")

PDF: Final = base64.b64encode(b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n").decode()
ANSWER: Final[Json] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "score": {"type": "number"}},
    "required": ["answer", "score"],
    "additionalProperties": False,
}
NAMES: Final = ("get_weather", "Read", "mcp__files__read_file", "run-cmd", "a" * 64, "x")
_ITEM: Final[Json] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "kids": {"type": "array", "items": {"$ref": "#/$defs/item"}},
    },
    "required": ["id"],
}
_NUMBERS: Final[Json] = {"type": "array", "items": {"type": "number"}}
SCHEMAS: Final[tuple[Json, ...]] = (
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    {"type": "object", "properties": {}},
    {"type": "object"},
    {
        "type": "object",
        "properties": {
            "a": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "n": {"type": ["integer", "null"], "minimum": 0},
        },
        "additionalProperties": False,
    },
    {
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/item"}}},
        "$defs": {"item": _ITEM},
    },
    {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "a path", "pattern": "^/.*$"},
            "mode": {"enum": ["r", "w"]},
            "const": {"const": 3},
        },
        "required": ["path", "mode"],
        "additionalProperties": False,
    },
    {
        "type": "object",
        "properties": {
            "x": {"oneOf": [{"type": "number"}, _NUMBERS]},
            "when": {"type": "string", "format": "date-time"},
        },
        "propertyNames": {"pattern": "^[a-z]+$"},
    },
    {
        "type": "object",
        "properties": {
            "m": {"type": "object", "additionalProperties": {"type": "string"}},
            "t": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]},
        },
    },
    {
        "type": "object",
        "properties": {
            "deep": {"type": "object", "properties": {"v": {"allOf": [{"type": "string"}, {"minLength": 2}]}}}
        },
        "required": ["deep"],
    },
)
ARGUMENTS: Final[tuple[Json, ...]] = (
    {},
    {"a": None, "n": 3},
    {"deep": {"x": [1, {"y": 'é\n"q"'}]}},
)


class Luck(Random):
    """What is left to chance in one walk; the same seed gives the same."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.number = seed
        self.count = 0

    def hits(self, part: float) -> bool:
        """Say whether something happens that happens in this part of the cases."""
        return self.random() < part

    def word(self, kind: str) -> str:
        """Make a word that nobody has said before; `kind` tells who says it."""
        self.count += 1
        return f"{kind}{self.number}x{self.count}z"

    def maybe(self, part: float, **fields: Any) -> Json:
        """Give these fields in this part of the cases, else none."""
        return fields if self.hits(part) else {}

    def picture(self) -> str:
        """Draw a picture that nobody has sent before."""
        self.count += 1
        return picture(self.count)


def words(text: str) -> set[str]:
    """Find the words of a conversation, without those of thoughts."""
    return set(WORD.findall(text))


def picture(number: int) -> str:
    """Draw one point of a colour of its own, as a PNG in base64."""
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    point = zlib.compress(bytes((0, number % 256, number // 256 % 256, 7)))
    chunks = _chunk(b"IHDR", head), _chunk(b"IDAT", point), _chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
