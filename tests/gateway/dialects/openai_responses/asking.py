"""Requests of Responses, short to write, and what became of them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.openai_responses import OpenAIResponses

Json = dict[str, Any]

PNG = "iVBORw0KGgo="
PDF = "JVBERi0="
SCHEMA: Json = {"type": "object", "properties": {"q": {"type": "string"}}}
F: Json = {"type": "function", "name": "f", "parameters": SCHEMA}


def ask(*items: Json, **fields: Any) -> ir.Request:
    """Read a request with these input items, or the one that `input` gives."""
    body = {"model": "m", "input": list(items) or "hi", **fields}
    return OpenAIResponses().read_request(json.dumps(body).encode())


def user(*parts: Json) -> Json:
    return {"role": "user", "content": list(parts)}


def raws(*items: Json) -> list[Raw]:
    """Give items as they are kept."""
    return [Raw(json.dumps(item).encode()) for item in items]


def lost(request: ir.Request) -> list[tuple[str, str]]:
    return [(loss.path, loss.severity) for loss in request.losses]


def loads(raw: Raw | None) -> Any:
    return msgspec.json.decode(raw or b"null")
