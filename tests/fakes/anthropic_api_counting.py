"""A plausible count of tokens: the same for the same words, more for more of them, and fixed for pictures."""

from __future__ import annotations

import base64
import json
import math
import re
from typing import Any

__all__ = ["input_tokens", "tokens"]

Json = dict[str, Any]

PER_MESSAGE = 4
# what the service adds to explain tools; https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview#pricing
TOOLS_PROMPT = 346
PICTURE = 1500
PAGE = 1500
_NO_TOKENS = frozenset({"type", "cache_control", "signature", "id", "tool_use_id", "media_type", "is_error"})


def tokens(text: str) -> int:
    """Estimate tokens."""
    return math.ceil(len(text) / 4)


def input_tokens(body: Json) -> int:
    """Count what a body puts in: its system prompt, its tools, its messages."""
    counted = sum(PER_MESSAGE + _inside(message.get("content", "")) for message in body["messages"])
    counted += _inside(body.get("system") or "")
    tools = body.get("tools") or []
    if tools:
        counted += TOOLS_PROMPT + sum(tokens(json.dumps(tool, ensure_ascii=False)) for tool in tools)
    return counted


def _inside(value: Any) -> int:
    if isinstance(value, str):
        return tokens(value)
    if isinstance(value, list):
        return sum(_inside(one) for one in value)
    if not isinstance(value, dict):
        return 1
    if value.get("type") == "image":
        return PICTURE
    if value.get("type") == "base64":
        pages = re.findall(rb"/Type\s*/Page\b", base64.b64decode(value["data"]))
        return PAGE * max(len(pages), 1)
    if isinstance(value.get("type"), str) and value["type"] in {"url", "file"}:
        return PAGE
    return sum(_inside(one) for name, one in value.items() if name not in _NO_TOKENS)
