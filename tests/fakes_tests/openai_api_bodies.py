"""Small well-formed bodies for the fake of the OpenAI API, and a client of it without an SDK."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.v1internal_reply import PIXEL

__all__ = [
    "OBJECT",
    "PICTURE",
    "OpenAIClient",
    "called",
    "chat",
    "function",
    "refusal",
    "responses",
    "result",
    "schema",
]

Json = dict[str, Any]

CHAT_PATH, RESPONSES_PATH = "/v1/chat/completions", "/v1/responses"
GPT, O4, GPT_5 = "gpt-4.1", "o4-mini", "gpt-5"
PICTURE = f"data:image/png;base64,{PIXEL}"
OBJECT: Json = {
    "type": "object",
    "properties": {"q": {"type": "string"}},
    "required": ["q"],
    "additionalProperties": False,
}


def chat(*messages: Json | str, **fields: Any) -> Json:
    """Make a Chat body; a text is what the user says."""
    said = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages or ("hi",)]
    return {"model": GPT, "messages": said, **fields}


def responses(*items: Json | str, **fields: Any) -> Json:
    """Make a Responses body; a text is what the user says."""
    said = [{"role": "user", "content": one} if isinstance(one, str) else one for one in items or ("hi",)]
    return {"model": GPT, "input": said, **fields}


def function(name: str = "f", **fields: Any) -> Json:
    """Declare a function to Chat."""
    return {"type": "function", "function": {"name": name, **fields}}


def called(*ids: str) -> Json:
    """Say that the model called a function once for each id."""
    calls = [{"id": one, "type": "function", "function": {"name": "f", "arguments": "{}"}} for one in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(call: str) -> Json:
    """Answer a call."""
    return {"role": "tool", "tool_call_id": call, "content": "ok"}


def schema(node: Any, *, strict: bool = True) -> Json:
    """Ask for an answer by a schema."""
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": node, "strict": strict}}


class OpenAIClient:
    """Calls a fake."""

    def __init__(self, fake: FakeOpenAI, session: aiohttp.ClientSession) -> None:
        self.fake = fake
        self.session = session
        self.headers: dict[str, str] = {}

    async def call(
        self, path: str, sent: Any = None, *, key: str = "key-1", verb: str = "POST", **options: Any
    ) -> tuple[int, Any]:
        """Call a path, and read the whole answer as JSON."""
        status, data = await self.read(path, sent, key=key, verb=verb, **options)
        return status, json.loads(data)

    async def read(
        self, path: str, sent: Any = None, *, key: str = "key-1", verb: str = "POST", **options: Any
    ) -> tuple[int, bytes]:
        """Call a path, and read the whole answer."""
        shown = {"authorization": f"Bearer {key}"} if key else {}
        body = {"json": sent} if verb == "POST" and "data" not in options else {}
        headers = shown | options.pop("headers", {})
        async with self.session.request(verb, self.fake.url + path, headers=headers, **body, **options) as response:
            self.headers = {name.lower(): value for name, value in response.headers.items()}
            return response.status, await response.read()

    async def chat(self, *messages: Json | str, **fields: Any) -> tuple[int, Any]:
        """Ask in Chat."""
        return await self.call(CHAT_PATH, chat(*messages, **fields))

    async def respond(self, *items: Json | str, **fields: Any) -> tuple[int, Any]:
        """Ask in Responses."""
        return await self.call(RESPONSES_PATH, responses(*items, **fields))

    async def events(self, path: str, sent: Json) -> list[Any]:
        """Stream, and give the data of the events; `[DONE]` as a word."""
        status, data = await self.read(path, sent | {"stream": True})
        assert status == 200, data
        lines = [line[6:] for line in data.decode().split("\n") if line.startswith("data: ")]
        return ["[DONE]" if line == "[DONE]" else json.loads(line) for line in lines]


def refusal(answered: tuple[int, Any], status: int = 400) -> str:
    """Take the message of an error."""
    assert answered[0] == status, answered
    assert answered[1]["error"].keys() == {"message", "type", "param", "code"}
    return str(answered[1]["error"]["message"])
