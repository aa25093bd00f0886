"""Small well-formed bodies for the fake, and the parts that spoil them."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

from tests.fakes.v1internal import FakeV1Internal

Json = dict[str, Any]

GEMINI_2 = "gemini-2.5-flash"
GEMINI_3 = "gemini-3-flash"
CLAUDE = "claude-sonnet-4-6"
DRAWING = "gemini-3-pro-image"
GPT = "gpt-oss-120b-medium"
BEARER = {"Authorization": "Bearer static-1"}
GEMINI_SIGNATURE = "EkBGQUtF"
CLAUDE_SIGNATURE = "RWtCR1FVdEY="
SCHEMA: Json = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}


def body(model: str, *contents: Json, **request: Any) -> Json:
    """Make a generating body; without contents the user says hi."""
    return {
        "model": model,
        "project": "p",
        "request": {"contents": list(contents) or [user("hi")], **request},
    }


def user(*parts: str | Json) -> Json:
    """Make a turn of the user."""
    return {"role": "user", "parts": [{"text": part} if isinstance(part, str) else part for part in parts]}


def said(*parts: str | Json) -> Json:
    """Make a turn of the model."""
    return user(*parts) | {"role": "model"}


def call(name: str = "f", number: str | None = None, signature: str | None = None) -> Json:
    """Make a function call."""
    part: Json = {"functionCall": {"name": name, "args": {}}}
    if number is not None:
        part["functionCall"]["id"] = number
    if signature is not None:
        part["thoughtSignature"] = signature
    return part


def result(name: str = "f", number: str | None = None) -> Json:
    """Make a function response."""
    inner: Json = {"name": name, "response": {"output": "x"}}
    return {"functionResponse": inner if number is None else inner | {"id": number}}


def thought(text: str = "t", signature: str | None = CLAUDE_SIGNATURE) -> Json:
    """Make a thought."""
    part: Json = {"thought": True, "text": text}
    return part if signature is None else part | {"thoughtSignature": signature}


def tools(*schemas: Any, name: str = "f", field: str = "parameters") -> list[Json]:
    """Declare functions, one for each schema: `f`, `f1`, …"""
    declared = [{"name": f"{name}{place or ''}", field: schema} for place, schema in enumerate(schemas)]
    return [{"functionDeclarations": declared}]


def calling(mode: str, *names: str) -> Json:
    """Configure function calling."""
    config: Json = {"mode": mode}
    return {"functionCallingConfig": config | ({"allowedFunctionNames": list(names)} if names else {})}


def thinking(**config: Any) -> Json:
    """Configure thinking, with room for it."""
    return {"maxOutputTokens": 8000, "thinkingConfig": config}


def thinks(budget: int = 2000) -> Json:
    """Turn Claude's thinking on."""
    return thinking(includeThoughts=True, thinkingBudget=budget)


class Client:
    """Calls a fake."""

    def __init__(self, fake: FakeV1Internal, session: aiohttp.ClientSession) -> None:
        self.fake = fake
        self.session = session
        self.opened: list[aiohttp.ClientResponse] = []

    async def open(
        self, method: str, sent: Any, *, base: str = "a", headers: dict[str, str] = BEARER
    ) -> aiohttp.ClientResponse:
        """Call a method, streaming ones as SSE; the body is left to be read."""
        query = "?alt=sse" if method == "streamGenerateContent" else ""
        url = f"{self.fake.base(base)}/v1internal:{method}{query}"
        self.opened.append(await self.session.post(url, json=sent, headers=headers))
        return self.opened[-1]

    async def post(
        self, method: str, sent: Any, *, base: str = "a", headers: dict[str, str] = BEARER
    ) -> aiohttp.ClientResponse:
        """Call a method and read the whole answer."""
        response = await self.open(method, sent, base=base, headers=headers)
        await response.read()
        return response

    def close(self) -> None:
        """Close what was not read to its end."""
        for response in self.opened:
            response.close()

    async def stream(self, sent: Any) -> list[Json]:
        """Stream an answer, and take the chunks out of their envelopes."""
        response = await self.post("streamGenerateContent", sent)
        assert response.status == 200, await response.text()
        return [one["response"] for one in read(await response.read())]

    async def ask(self, text: str, model: str = GEMINI_3, **request: Any) -> list[Json]:
        """Stream the answer to one text."""
        return await self.stream(body(model, user(text), **request))


def read(data: bytes) -> list[Json]:
    """Read the JSON of an SSE body in CRLF framing."""
    return [json.loads(event[6:]) for event in data.decode().split("\r\n\r\n") if event]


def parts(chunks: list[Json]) -> list[Json]:
    """List the parts of a stream."""
    return [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]


def text(chunks: list[Json]) -> str:
    """Join the visible text of a stream."""
    return "".join(part.get("text", "") for part in parts(chunks) if not part.get("thought"))


def message(answer: Any) -> str:
    """Take the message out of its list, and out of Anthropic's string."""
    error = (answer[0] if isinstance(answer, list) else answer)["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    said_by_google = str(error["message"])
    return json.loads(said_by_google)["error"]["message"] if said_by_google.startswith("{") else said_by_google
