"""Small well-formed bodies for the fake of the Anthropic API, and a client of it without an SDK."""

from __future__ import annotations

import io
import json
from typing import Any

import aiohttp

from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.v1internal_reply import PIXEL

__all__ = [
    "FIVE",
    "FOUR_5",
    "FOUR_6",
    "OBJECT",
    "PDF",
    "PICTURE",
    "SEARCH",
    "THINKING",
    "TOOL",
    "AnthropicClient",
    "asking",
    "called",
    "document",
    "image",
    "result",
    "said",
    "user",
    "vertex",
]

Json = dict[str, Any]

PATH, COUNT_PATH = "/v1/messages", "/v1/messages/count_tokens"
VERTEX = "/v1/projects/p/locations/global/publishers/anthropic/models"
FOUR_5, FOUR_6, FIVE = "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-5"
OBJECT: Json = {"type": "object", "properties": {"q": {"type": "string"}}}
TOOL: Json = {"name": "f", "description": "Does f.", "input_schema": OBJECT}
SEARCH: Json = {"type": "web_search_20250305", "name": "web_search"}
THINKING: Json = {"type": "enabled", "budget_tokens": 1024}
PICTURE: Json = {"type": "base64", "media_type": "image/png", "data": PIXEL}
PDF: Json = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQKJSVFT0Y="}


def user(content: Any) -> Json:
    """Say it as the user."""
    return {"role": "user", "content": content}


def said(*content: Json | str) -> Json:
    """Say it as the model."""
    return {"role": "assistant", "content": [{"type": "text", "text": x} if isinstance(x, str) else x for x in content]}


def called(*ids: str, name: str = "f") -> Json:
    """Say that the model called a tool once for each id."""
    return said(*[{"type": "tool_use", "id": one, "name": name, "input": {}} for one in ids])


def result(*ids: str, **fields: Any) -> Json:
    """Answer calls."""
    return user([{"type": "tool_result", "tool_use_id": one, "content": "ok", **fields} for one in ids])


def image(**source: Any) -> Json:
    """Show a picture."""
    return user([{"type": "image", "source": {**PICTURE, **source}}])


def document(source: Any, **fields: Any) -> Json:
    """Hand over a document."""
    return user([{"type": "document", "source": source, **fields}])


def asking(*messages: Json | str, **fields: Any) -> Json:
    """Make a body; a text is what the user says."""
    talk = [user(one) if isinstance(one, str) else one for one in messages or ("hi",)]
    return {"model": FOUR_5, "max_tokens": 2048, "messages": talk, **fields}


def vertex(*messages: Json | str, **fields: Any) -> Json:
    """Make a body for Vertex."""
    body = {"anthropic_version": "vertex-2023-10-16", **asking(*messages), **fields}
    del body["model"]
    return body


class AnthropicClient:
    """Calls a fake."""

    def __init__(self, fake: FakeAnthropic, session: aiohttp.ClientSession) -> None:
        self.fake = fake
        self.session = session
        self.headers: dict[str, str] = {}

    async def read(
        self, path: str, sent: Any = None, *, key: str = "key-1", verb: str = "POST", **options: Any
    ) -> tuple[int, bytes]:
        """Call a path, and read the whole answer."""
        shown = {"x-api-key": key} if key else {}
        data = options.pop("data", None if verb == "GET" else json.dumps(sent).encode())
        kind = {"anthropic-version": "2023-06-01", "content-type": "application/json"}
        headers = shown | kind | options.pop("headers", {})
        body = io.BytesIO(data) if data is not None else None
        async with self.session.request(verb, self.fake.url + path, headers=headers, data=body, **options) as response:
            self.headers = {name.lower(): value for name, value in response.headers.items()}
            return response.status, await response.read()

    async def call(self, path: str, sent: Any = None, **options: Any) -> tuple[int, Any]:
        """Call a path, and read the answer as JSON."""
        status, data = await self.read(path, sent, **options)
        return status, json.loads(data)

    async def ask(self, *messages: Json | str, betas: str = "", **fields: Any) -> tuple[int, Any]:
        """Ask for a message."""
        return await self.call(PATH, asking(*messages, **fields), headers={"anthropic-beta": betas} if betas else {})

    async def count(self, *messages: Json | str, **fields: Any) -> tuple[int, Any]:
        """Count a message."""
        body = asking(*messages, **fields)
        del body["max_tokens"]
        return await self.call(COUNT_PATH, body)

    async def predict(
        self, sent: Json, model: str = "claude-sonnet-4-5@20250929", verb: str = "rawPredict", **more: Any
    ) -> tuple[int, Any]:
        """Ask Claude on Vertex."""
        headers = {"authorization": "Bearer token-1"} | more.pop("headers", {})
        return await self.call(f"{VERTEX}/{model}:{verb}", sent, key="", headers=headers)

    async def events(self, *messages: Json | str, **fields: Any) -> list[Json]:
        """Stream, and give the events; each is named as it says itself."""
        status, data = await self.read(PATH, asking(*messages, stream=True, **fields))
        assert status == 200, data
        return events_of(data)

    async def refusal(self, sent: Json, *, status: int = 400, betas: str = "") -> str:
        """Ask what is refused, and give the words."""
        return words(await self.call(PATH, sent, headers={"anthropic-beta": betas} if betas else {}), status)


def events_of(data: bytes) -> list[Json]:
    """Read a stream."""
    read: list[Json] = []
    for event in data.decode().split("\n\n")[:-1]:
        name, line = event.split("\n")
        read.append(json.loads(line.removeprefix("data: ")))
        assert name == f"event: {read[-1]['type']}"
    return read


def words(answered: tuple[int, Any], status: int = 400, kind: str = "invalid_request_error") -> str:
    """Take the message of an error."""
    assert answered[0] == status, answered
    assert answered[1].keys() == {"type", "error", "request_id"}, answered
    assert (answered[1]["type"], answered[1]["error"]["type"]) == ("error", kind), answered
    return str(answered[1]["error"]["message"])
