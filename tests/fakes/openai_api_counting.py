"""What `POST /v1/responses/input_tokens` takes and says: the prompt of an answer, and nothing that makes one."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.openai_api_items import FIELDS
from tests.fakes.openai_api_reply import tokens
from tests.fakes.openai_api_responses import Wanted, judge
from tests.fakes.openai_api_shapes import obj, text

__all__ = ["input_tokens"]

Json = dict[str, Any]

_NAMES = (
    "conversation",
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
)
_BODY = obj({}, {**{name: FIELDS[name] for name in _NAMES}, "personality": text(64)})
_PROMPT = ("instructions", "tools", "text")


def input_tokens(wanted: Wanted) -> Json:
    """Count what the model would read."""
    _BODY(wanted.body, "")
    judge(wanted)
    read = [wanted.items, *(wanted.body.get(name) for name in _PROMPT)]
    counted = sum(tokens(json.dumps(one, ensure_ascii=False)) for one in read if one)
    return {"object": "response.input_tokens", "input_tokens": counted}
