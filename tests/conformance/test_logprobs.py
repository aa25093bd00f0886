"""OpenAI's SDK asks a Gemini model how likely its words were, through the gateway, and understands the answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from openai import AsyncOpenAI

from tests.conformance.raw import Passed, passing

pytestmark = pytest.mark.anyio

MODEL: Final = "gemini-3-flash-preview"
TOKENS: Final = (("He", -0.25, "Hi", -1.5), ("llo", -0.75, "y", -2.0))


def chunk(token: str, likely: float, other: str, less: float) -> dict[str, Any]:
    said = {"token": token, "tokenId": 7, "logProbability": likely}
    top = [said, {"token": other, "tokenId": 8, "logProbability": less}]
    told = {"chosenCandidates": [said], "topCandidates": [{"candidates": top}]}
    return {"content": {"role": "model", "parts": [{"text": token}]}, "logprobsResult": told}


def streamed() -> list[bytes]:
    candidates = [*(chunk(*one) for one in TOKENS), {"finishReason": "STOP", "avgLogprobs": -0.5}]
    counted = {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3}
    chunks = [{"candidates": [one], "modelVersion": MODEL, "usageMetadata": counted} for one in candidates]
    return [b"data: %b\r\n\r\n" % json.dumps(one).encode() for one in chunks]


@pytest.fixture
async def google(tmp_path: Path) -> AsyncIterator[Passed]:
    async with passing("openai-chat", tmp_path, table={"type": "gemini", "models": [MODEL]}) as passed:
        passed.raw.says(*streamed())
        yield passed


@pytest.fixture
async def sdk(google: Passed) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="k", base_url=f"{google.url}/v1", max_retries=0) as client:
        yield client


def heard(told: Any) -> list[tuple[str, float, list[tuple[str, float]]]]:
    return [(one.token, one.logprob, [(other.token, other.logprob) for other in one.top_logprobs]) for one in told]


EXPECTED: Final = [(token, likely, [(token, likely), (other, less)]) for token, likely, other, less in TOKENS]


async def test_chat_completions(google: Passed, sdk: AsyncOpenAI) -> None:
    asked: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    raw = await sdk.chat.completions.with_raw_response.create(**asked, logprobs=True, top_logprobs=2)
    config = google.raw.sent["generationConfig"]
    assert (config["responseLogprobs"], config["logprobs"]) == (True, 2)
    assert "x-gateway-lossy" not in raw.headers
    answer = raw.parse()
    assert answer.choices[0].logprobs is not None
    assert heard(answer.choices[0].logprobs.content) == EXPECTED

    async with sdk.chat.completions.stream(**asked, logprobs=True, top_logprobs=2) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "Hello"
    assert final.choices[0].logprobs is not None
    assert heard(final.choices[0].logprobs.content) == EXPECTED


async def test_responses(google: Passed, sdk: AsyncOpenAI) -> None:
    asked: dict[str, Any] = {"model": MODEL, "input": "hi", "include": ["message.output_text.logprobs"]}
    async with sdk.responses.stream(**asked, top_logprobs=2) as stream:
        events = [event async for event in stream]
        deltas = [event.logprobs for event in events if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert google.raw.sent["generationConfig"]["logprobs"] == 2
    assert [one for told in deltas for one in heard(told)] == EXPECTED
    whole = await sdk.responses.create(**asked, top_logprobs=2)
    for response in (final, whole):
        output: Any = response.output
        ((part,),) = (message.content for message in output)
        assert (part.type, heard(part.logprobs)) == ("output_text", EXPECTED)


async def test_the_upstream_is_not_asked_where_nobody_asks(google: Passed, sdk: AsyncOpenAI) -> None:
    answer = await sdk.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}])
    assert "responseLogprobs" not in google.raw.sent.get("generationConfig", {})
    assert answer.choices[0].message.content == "Hello"
