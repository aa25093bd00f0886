"""Small well-formed bodies for the fake of the public API, and a client of it."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

from tests.fakes.gemini_api import STREAM, FakeGemini
from tests.fakes_tests.v1internal_bodies import Json, read, user

GEMINI_2 = "gemini-2.5-flash"
GEMINI_2_PRO = "gemini-2.5-pro"
GEMINI_3 = "gemini-3-flash-preview"
GEMINI_3_PRO = "gemini-3-pro-preview"
GEMMA_3, GEMMA_4 = "gemma-3-27b-it", "gemma-4-31b-it"
DRAWING = "gemini-3-pro-image-preview"
EMBEDDING = "gemini-embedding-001"
OBJECT: Json = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}


def body(*contents: Json, **request: Any) -> Json:
    """Make a generating body; without contents the user says hi."""
    return {"contents": list(contents) or [user("hi")], **request}


def inside(node: Any) -> Json:
    """Make an object schema with one property."""
    return {"type": "object", "properties": {"b": node}}


class GeminiClient:
    """Calls a fake without an SDK."""

    def __init__(self, fake: FakeGemini, session: aiohttp.ClientSession) -> None:
        self.fake = fake
        self.session = session
        self.opened: list[aiohttp.ClientResponse] = []

    async def open(
        self, path: str, sent: Any = None, *, key: str = "key-1", verb: str = "POST", **headers: str
    ) -> aiohttp.ClientResponse:
        """Call a path; the body is left to be read."""
        shown = {"x-goog-api-key": key} if key else {}
        made = self.session.request(verb, self.fake.url + path, json=sent, headers=shown | headers)
        self.opened.append(await made)
        return self.opened[-1]

    async def post(
        self, method: str, sent: Any, model: str = GEMINI_3, *, version: str = "v1beta", **call: Any
    ) -> aiohttp.ClientResponse:
        """Call a method of a model, streaming ones as SSE, and read the whole answer."""
        query = "?alt=sse" if method == STREAM else ""
        response = await self.open(f"/{version}/models/{model}:{method}{query}", sent, **call)
        await response.read()
        return response

    async def get(self, path: str, **call: Any) -> Any:
        """Read a resource."""
        return await (await self.open(path, verb="GET", **call)).json()

    def close(self) -> None:
        """Close what was not read to its end."""
        for response in self.opened:
            response.close()

    async def stream(self, sent: Any, model: str = GEMINI_3) -> list[Json]:
        """Stream an answer."""
        response = await self.post(STREAM, sent, model)
        assert response.status == 200, await response.text()
        return read(await response.read())

    async def ask(self, text: str, model: str = GEMINI_3, **request: Any) -> list[Json]:
        """Stream the answer to one text."""
        return await self.stream(body(user(text), **request), model)

    async def whole(self, text: str, model: str = GEMINI_3, **request: Any) -> Json:
        """Get the answer to one text at once."""
        response = await self.post("generateContent", body(user(text), **request), model)
        assert response.status == 200, await response.text()
        answer: Json = json.loads(await response.read())
        return answer


async def refusal(response: aiohttp.ClientResponse, status: int = 400) -> str:
    """Take the message of an error whose status agrees with its body."""
    answer = json.loads(await response.read())
    error = (answer[0] if isinstance(answer, list) else answer)["error"]
    assert (response.status, error["code"]) == (status, status), error
    return str(error["message"])
