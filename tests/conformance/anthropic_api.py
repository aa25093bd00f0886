"""The real gateway before the strict fake of the Anthropic API, and what its callers say beside `openai_api.Wish`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx

from gateway.app import create_app
from tests.conformance.openai_api import OpenAIServed
from tests.fakes.anthropic_api import MESSAGES, FakeAnthropic
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_record import Record
from tests.fakes.v1internal_reply import PIXEL
from tests.serving import serve

__all__ = [
    "FORCED",
    "MODELS",
    "NEW",
    "OLD",
    "ClaudeServed",
    "before",
    "seen_by_a_tool",
    "settings",
]

Json = dict[str, Any]

OLD, NEW = "claude-sonnet-4-5", "claude-opus-5"  # thinks by a budget; as much as it finds right
MODELS = (OLD, NEW)

# how each dialect says that some tool must be called
FORCED: dict[str, Json] = {
    "openai-chat": {"tool_choice": "required"},
    "anthropic": {"tool_choice": {"type": "any"}},
    "gemini": {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
    "openai-responses": {"tool_choice": "required"},
}


class ClaudeServed(OpenAIServed):
    """A gateway before the fake of the Anthropic API."""

    model = OLD

    @property
    def calls(self) -> list[Record]:
        """The calls for an answer."""
        return self.fake.calls(MESSAGES)

    @property
    def claude(self) -> FakeAnthropic:
        """The fake."""
        return cast(FakeAnthropic, self.fake)


def settings(fake: FakeAnthropic, folder: Path, *keys: str, **over: Any) -> Json:
    """Write the gateway.toml of these tests, as a mapping."""
    upstream = {
        "type": "anthropic",
        "base_url": fake.url,
        "api_key": list(keys or ("key-1",)),
        "models": list(MODELS),
        **over.pop("anthropic", {}),
    }
    return {
        "server": {"data_dir": str(folder)},
        "log": {"level": "error", "format": "json"},
        "upstream": {"anthropic": upstream},
        **over,
    }


@asynccontextmanager
async def before(fake: FakeAnthropic, folder: Path, *keys: str, **over: Any) -> AsyncIterator[ClaudeServed]:
    """Run a gateway."""
    app = create_app(settings(fake, folder, *keys, **over))
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        yield ClaudeServed(cast(FakeV1Internal, fake), app, http)


def seen_by_a_tool(dialect: str, text: str) -> Json:
    """Have a tool called that gives back a picture; Chat Completions has no place for one."""
    if dialect == "anthropic":
        source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
        used = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "image", "source": source}]}
        said: list[tuple[str, Any]] = [("user", text), ("assistant", [used]), ("user", [result])]
        return {"messages": [{"role": role, "content": content} for role, content in said]}
    if dialect == "gemini":
        shot = {"inlineData": {"mimeType": "image/png", "data": PIXEL}}
        response = {"id": "c1", "name": "f", "response": {"output": "shown"}, "parts": [shot]}
        parts: list[tuple[str, Json]] = [
            ("user", {"text": text}),
            ("model", {"functionCall": {"id": "c1", "name": "f", "args": {}}}),
            ("user", {"functionResponse": response}),
        ]
        return {"contents": [{"role": role, "parts": [part]} for role, part in parts]}
    shown = [{"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}]
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "call_1", "output": shown}
    return {"input": [{"role": "user", "content": text}, call, output]}
