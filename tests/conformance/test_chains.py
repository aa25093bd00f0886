"""A chain is never worse than its members: upstreams of two kinds, the second one to fall back on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.app import create_app
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.serving import serve

pytestmark = pytest.mark.anyio

FIRST, SECOND = "gemini/gemini-3-flash-preview", "openai/gpt-4.1"


@pytest.fixture
async def http(fake_gemini: FakeGemini, fake_openai: FakeOpenAI, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    upstreams = {
        "gemini": {"type": "gemini", "api_key": "key-1", "base_url": fake_gemini.url, "models": [FIRST[7:]]},
        "openai": {"type": "openai", "api_key": ["key-1", "key-2"], "base_url": f"{fake_openai.url}/v1"},
    }
    config = {
        "server": {"data_dir": str(tmp_path)},
        "log": {"level": "error"},
        "models": {"alias": {"best": [FIRST, SECOND]}},
        "upstream": upstreams,
    }
    async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
        yield client


async def ask(http: httpx.AsyncClient, model: str = "best") -> httpx.Response:
    messages = [{"role": "user", "content": "!say hi"}]
    return await http.post("/v1/chat/completions", json={"model": model, "messages": messages})


async def test_the_first_is_tried_again_where_the_second_has_no_key_left(
    http: httpx.AsyncClient, fake_gemini: FakeGemini, fake_openai: FakeOpenAI
) -> None:
    fake_openai.fail("401_invalid_key", times=2)
    assert (await ask(http, SECOND)).status_code == 503
    fake_gemini.fail("503_overloaded")
    answer = await ask(http)
    assert (answer.status_code, answer.headers.get("x-gateway-upstream")) == (200, FIRST), answer.text


async def test_the_shorter_wait_is_told(
    http: httpx.AsyncClient, fake_gemini: FakeGemini, fake_openai: FakeOpenAI
) -> None:
    fake_gemini.fail("429_per_minute")
    fake_openai.fail("429_quota", times=2)
    answer = await ask(http)
    assert answer.status_code == 429
    assert 30 < int(answer.headers["retry-after"]) < 40
