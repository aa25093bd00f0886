"""Native calls whose model stands in the body alone: limits hold, and the ledger has what they took."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import types

from tests.conformance.making import standing
from tests.conformance.raw import Raw
from tests.conformance.test_ledger import entered
from tests.serving import serve

pytestmark = pytest.mark.anyio

MODEL = "gemini-2.5-flash"
KEY = "sk-limited-0123456789"
CHAT, INTERACTIONS = "/v1beta/openai/chat/completions", "/v1beta/interactions"
INTERACTED = {
    "total_input_tokens": 90,
    "total_cached_tokens": 60,
    "total_output_tokens": 20,
    "total_thought_tokens": 40,
    "total_tokens": 150,
}


@pytest.fixture
def google() -> Raw:
    return Raw()


@pytest.fixture
async def http(google: Raw, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Run a gateway whose caller may spend a cent and a few hundred tokens."""
    limits = {"tokens_per_month": 300, "usd_per_month": 0.01}
    key = {"name": "limited", "secret": KEY, "models": ["*flash", "quick"], "limits": limits}
    over: dict[str, Any] = {"key": [key], "models": {"alias": {"quick": f"google/{MODEL}"}}}
    async with serve(google) as url:
        table = {"type": "gemini", "base_url": url, "api_key": "key-1", "models": [MODEL]}
        async with standing(tmp_path, {"google": table}, **over) as http:
            http.headers["x-goog-api-key"] = KEY
            yield http


def events(*said: dict[str, Any]) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(one).encode() for one in said) + b"data: [DONE]\n\n"


@pytest.mark.parametrize("asked", [MODEL, f"models/{MODEL}", f"google/{MODEL}", "quick"])
async def test_what_a_chat_took_is_what_google_has_counted(
    http: httpx.AsyncClient, google: Raw, tmp_path: Path, asked: str
) -> None:
    usage = {"prompt_tokens": 90, "completion_tokens": 20, "total_tokens": 150}
    google.says(json.dumps({"choices": [], "usage": usage}).encode(), kind="application/json")
    answer = await http.post(CHAT, json={"model": asked, "messages": [{"role": "user", "content": "hi"}]})
    assert (answer.status_code, answer.headers["x-gateway-upstream"]) == (200, f"google/{MODEL}"), answer.text
    row = await entered(tmp_path)
    assert (row["asked"], row["model"], row["estimated"]) == (asked, MODEL, 0)
    assert (row["input"], row["output"]) == (90, 60)
    assert row["usd"] == pytest.approx((90 * 0.3 + 60 * 2.5) / 1e6)
    left = (await http.get("/usage")).json()["left"]
    assert (left["tokens_per_month"], left["usd_per_month"]) == (150, pytest.approx(0.01 - row["usd"]))


@pytest.mark.parametrize("stream", [False, True])
async def test_an_interaction_of_googles_sdk_counts(
    http: httpx.AsyncClient, google: Raw, tmp_path: Path, *, stream: bool
) -> None:
    made = {"id": "i", "status": "completed", "usage": INTERACTED}
    if stream:
        google.says(events({"event_type": "interaction.completed", "interaction": made}))
    else:
        google.says(json.dumps(made).encode(), kind="application/json")
    options = types.HttpOptions(base_url=str(http.base_url))
    async with genai.Client(api_key=KEY, http_options=options).aio as client:
        answer: Any = await client.interactions.create(model=MODEL, input="hi", stream=stream)
        told = [event.interaction async for event in answer][-1] if stream else answer
    assert told.usage.total_thought_tokens == 40
    row = await entered(tmp_path)
    assert (row["model"], row["end"], row["estimated"]) == (MODEL, "done", 0)
    assert (row["input"], row["cached"], row["output"], row["reasoning"]) == (90, 60, 60, 40)


@pytest.mark.parametrize("path", [CHAT, INTERACTIONS, "/v1beta/cachedContents"])
async def test_what_google_does_not_count_is_estimated(http: httpx.AsyncClient, google: Raw, path: str) -> None:
    google.says(b"{}", kind="application/json")
    body, left = {"model": MODEL, "input": "word " * 130}, [300]
    for status in (200, 200, 200, 429):
        assert (await http.post(path, json=body)).status_code == status
        left.append((await http.get("/usage")).json()["left"]["tokens_per_month"])
    assert 130 <= left[0] - left[1] == left[1] - left[2] < 150
    assert left[3:] == [0, 0]
