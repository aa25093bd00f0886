"""A plain translation proxy, as many are written: FastAPI, pydantic, httpx, json; Chat Completions to the Gemini API.

It is what the gateway replaces, and stands here to be measured: `uvicorn bench.seed_like:app` with `SEED_UPSTREAM`,
the base URL of the upstream, and `SEED_KEY`, the key that callers show. It imports nothing of the gateway or the bench.
"""

import json
import logging
import os
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import httpx
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

__all__ = ["app"]

UPSTREAM = os.environ.get("SEED_UPSTREAM", "http://127.0.0.1:9000")
KEY = os.environ.get("SEED_KEY", "none")
FINISH = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter", "RECITATION": "content_filter"}
JSON = dict[str, Any]

logger = logging.getLogger("seed_like")


class ImageURL(BaseModel):
    url: str


class Part(BaseModel):
    type: Literal["text", "image_url"]
    text: str | None = None
    image_url: ImageURL | None = None


class Message(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str | list[Part] | None = None


class ChatRequest(BaseModel):
    model: str
    messages: list[Message]
    stream: bool = False
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Keep one client: one for each request would be slower yet."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=UPSTREAM, timeout=120, limits=limits) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


def known(authorization: Annotated[str, Header()] = "") -> None:
    """Refuse callers without the key."""
    if authorization != f"Bearer {KEY}":
        raise HTTPException(401, "Invalid API key")


@app.post("/v1/chat/completions", dependencies=[Depends(known)], response_model=None)
async def chat(asked: ChatRequest, request: Request) -> StreamingResponse | JSON:
    """Answer a chat completion."""
    client: httpx.AsyncClient = request.app.state.client
    body = to_gemini(asked)
    logger.info("%s stream=%s messages=%d", asked.model, asked.stream, len(asked.messages))
    if asked.stream:
        return StreamingResponse(streamed(client, asked.model, body), media_type="text/event-stream")
    answer = await client.post(f"/v1beta/models/{asked.model}:generateContent", json=body)
    if answer.status_code != 200:
        raise HTTPException(answer.status_code, answer.text)
    return whole(asked.model, answer.json())


# requests


def to_gemini(asked: ChatRequest) -> JSON:
    """Write the request for Gemini."""
    contents = [
        {"role": "model" if message.role == "assistant" else "user", "parts": parts(message.content)}
        for message in asked.messages
        if message.role != "system"
    ]
    body: JSON = {"contents": contents, "generationConfig": settings(asked)}
    if system := [part for message in asked.messages if message.role == "system" for part in parts(message.content)]:
        body["systemInstruction"] = {"parts": system}
    return body


def settings(asked: ChatRequest) -> JSON:
    """Write what the caller set."""
    stop = [asked.stop] if isinstance(asked.stop, str) else asked.stop
    named = {
        "maxOutputTokens": asked.max_tokens,
        "temperature": asked.temperature,
        "topP": asked.top_p,
        "stopSequences": stop,
    }
    return {name: value for name, value in named.items() if value is not None}


def parts(content: str | list[Part] | None) -> list[JSON]:
    """Write texts, and pictures that are data."""
    if content is None or isinstance(content, str):
        return [{"text": content or ""}]
    return [picture(part.image_url.url) if part.image_url else {"text": part.text or ""} for part in content]


def picture(url: str) -> JSON:
    """Write a data URL."""
    head, _, data = url.partition(";base64,")
    return {"inlineData": {"mimeType": head.removeprefix("data:"), "data": data}}


# answers


async def streamed(client: httpx.AsyncClient, model: str, body: JSON) -> AsyncIterator[str]:
    """Translate an upstream stream event by event."""
    about = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
    first = True
    path = f"/v1beta/models/{model}:streamGenerateContent?alt=sse"
    async with client.stream("POST", path, json=body) as answer:
        async for line in answer.aiter_lines():
            if not line.startswith("data: "):
                continue
            text, finish = read(json.loads(line[6:]))
            delta: JSON = {"role": "assistant", "content": text} if first else {"content": text}
            first = False
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            chunk = {**about, "object": "chat.completion.chunk", "choices": [choice]}
            yield f"data: {json.dumps(chunk)}\n\n"
    yield "data: [DONE]\n\n"


def whole(model: str, answer: JSON) -> JSON:
    """Translate a whole answer."""
    text, finish = read(answer)
    used = answer.get("usageMetadata", {})
    message = {"role": "assistant", "content": text}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": used.get("promptTokenCount", 0),
            "completion_tokens": used.get("candidatesTokenCount", 0),
            "total_tokens": used.get("totalTokenCount", 0),
        },
    }


def read(answer: JSON) -> tuple[str, str | None]:
    """Return text and finish reason of an answer, or of a piece of one."""
    candidate = answer["candidates"][0]
    text = "".join(part.get("text", "") for part in candidate.get("content", {}).get("parts", []))
    reason = candidate.get("finishReason")
    return text, FINISH.get(reason, "stop") if reason else None
