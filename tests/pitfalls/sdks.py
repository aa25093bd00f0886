"""Answers as the official SDKs read them."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
from anthropic.types import Message
from google import genai
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import Response

from tests.conformance.openai_api import CALLERS
from tests.pitfalls.gateways import At

__all__ = ["chunks_of", "contents_of", "message_of", "response_of"]

Json = dict[str, Any]


def _body(at: At, dialect: str, wish: Json) -> Any:
    wanted = at.wish(**wish)
    body = CALLERS[dialect].body(wanted) | (wanted.more or {})
    return {name: value for name, value in body.items() if name != "stream"}


async def chunks_of(at: At, **wish: Any) -> list[ChatCompletionChunk]:
    """Stream a chat completion."""
    async with openai.AsyncOpenAI(
        api_key="k", base_url=f"{at.url}/v1", max_retries=0, _strict_response_validation=True
    ) as client:
        stream = await client.chat.completions.create(stream=True, **_body(at, "openai-chat", wish))
        return [chunk async for chunk in stream]


async def response_of(at: At, **wish: Any) -> Response:
    """Stream a response."""
    async with (
        openai.AsyncOpenAI(
            api_key="k", base_url=f"{at.url}/v1", max_retries=0, _strict_response_validation=True
        ) as client,
        client.responses.stream(**_body(at, "openai-responses", wish)) as stream,
    ):
        async for _ in stream:
            pass
        return await stream.get_final_response()


async def message_of(at: At, **wish: Any) -> Message:
    """Stream a message."""
    async with (
        anthropic.AsyncAnthropic(
            api_key="k", base_url=at.url, max_retries=0, _strict_response_validation=True
        ) as client,
        client.messages.stream(**_body(at, "anthropic", wish)) as stream,
    ):
        return await stream.get_final_message()


async def contents_of(at: At, **wish: Any) -> list[genai.types.GenerateContentResponse]:
    """Stream contents."""
    body = _body(at, "gemini", wish)
    config = {**body.get("generationConfig", {}), "tools": body.get("tools")}
    client = genai.Client(api_key="k", http_options=genai.types.HttpOptions(base_url=at.url))
    try:
        stream = await client.aio.models.generate_content_stream(
            model=at.model, contents=body["contents"], config=genai.types.GenerateContentConfig.model_validate(config)
        )
        return [chunk async for chunk in stream]
    finally:
        await client.aio.aclose()
