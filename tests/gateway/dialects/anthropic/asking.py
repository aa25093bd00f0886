"""Short ways to make requests and to read them."""

import json
from typing import Any

from gateway import ir
from gateway.dialects.anthropic import Anthropic

__all__ = ["lost", "read", "read_content", "read_raw"]


def read_raw(body: bytes) -> ir.Request:
    return Anthropic().read_request(body)


def read(**fields: Any) -> ir.Request:
    """Read a small request with these fields over its own."""
    messages = [{"role": "user", "content": "hi"}]
    return read_raw(json.dumps({"model": "m", "max_tokens": 9, "messages": messages} | fields).encode())


def read_content(content: Any, role: str = "user") -> tuple[ir.Part, ...]:
    """Read one message's content."""
    return read(messages=[{"role": role, "content": content}]).turns[0].parts


def lost(request: ir.Request) -> list[str]:
    return [loss.path for loss in request.losses]
