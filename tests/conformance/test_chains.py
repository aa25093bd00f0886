"""A chain is never worse than its members: upstreams of two kinds, the second one to fall back on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.gemini_api_files import File
from tests.fakes.openai_api import FakeOpenAI
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
FIRST, SECOND = "gemini/gemini-3-flash-preview", "openai/gpt-4.1"


@asynccontextmanager
async def chained(folder: Path, upstreams: Json, members: list[str], **over: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Call a gateway whose "best" is a chain of these members."""
    config = {
        "server": {"data_dir": str(folder)},
        "log": {"level": "error"},
        "models": {"alias": {"best": members}},
        "upstream": upstreams,
        **over,
    }
    async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
        yield client


@pytest.fixture
async def http(fake_gemini: FakeGemini, fake_openai: FakeOpenAI, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    upstreams = {
        "gemini": {"type": "gemini", "api_key": "key-1", "base_url": fake_gemini.url, "models": [FIRST[7:]]},
        "openai": {"type": "openai", "api_key": ["key-1", "key-2"], "base_url": f"{fake_openai.url}/v1"},
    }
    async with chained(tmp_path, upstreams, [FIRST, SECOND]) as client:
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


async def test_a_file_that_the_next_one_has_not_does_not_hide_why_the_first_one_failed(
    fake_gemini: FakeGemini, tmp_path: Path
) -> None:
    """The caller may come again."""
    async with FakeGemini() as other:
        upstreams = {
            name: {"type": "gemini", "api_key": "key-1", "base_url": fake.url, "models": [FIRST[7:]]}
            for name, fake in (("gemini", fake_gemini), ("other", other))
        }
        second = FIRST.replace("gemini/", "other/")
        async with chained(tmp_path, upstreams, [FIRST, second]) as http:
            file = {"fileData": {"fileUri": f"{http.base_url}/v1beta/files/one", "mimeType": "text/plain"}}
            body = {"contents": [{"role": "user", "parts": [file, {"text": "!say read"}]}]}
            path = "/v1beta/models/best:generateContent"
            absent = await http.post(path, json=body)
            other.files.stored["files/one"] = File("files/one", "key-1", "text/plain", b"words")
            found = await http.post(path, json=body)
            del other.files.stored["files/one"]
            fake_gemini.fail("429_per_minute")
            failed = await http.post(path, json=body)
    assert (absent.status_code, found.status_code, failed.status_code) == (404, 200, 429)
    assert found.headers["x-gateway-upstream"] == second
    assert 30 < int(failed.headers["retry-after"]) < 40


async def test_a_file_at_google_leads_past_a_member_of_another_vendor(
    fake_gemini: FakeGemini, fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    upstreams = {
        "gemini": {"type": "gemini", "api_key": "key-1", "base_url": fake_gemini.url, "models": [FIRST[7:]]},
        "openai": {"type": "openai", "api": "responses", "api_key": "key-1", "base_url": f"{fake_openai.url}/v1"},
    }
    fake_gemini.files.stored["files/one"] = File("files/one", "key-1", "text/plain", b"words")
    async with chained(tmp_path, upstreams, [SECOND, FIRST]) as http:
        file = {"fileData": {"fileUri": f"{fake_gemini.url}/v1beta/files/one", "mimeType": "text/plain"}}
        body = {"contents": [{"role": "user", "parts": [file, {"text": "!say read"}]}]}
        found = await http.post("/v1beta/models/best:generateContent", json=body)
        refused = await http.post(f"/v1beta/models/{SECOND}:generateContent", json=body)
    assert (found.status_code, found.headers.get("x-gateway-upstream")) == (200, FIRST), found.text
    assert refused.status_code == 400
    assert (
        "contents[0].parts[0].fileData.fileUri: only the account that owns a file" in refused.json()["error"]["message"]
    )


async def test_a_conversation_that_the_next_one_does_not_know_does_not_hide_why_the_first_one_failed(
    fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    async with FakeOpenAI() as other:
        upstreams = {
            name: {"type": "openai", "api": "responses", "api_key": "key-1", "base_url": f"{fake.url}/v1"}
            for name, fake in (("openai", fake_openai), ("other", other))
        }
        members = [SECOND, SECOND.replace("openai/", "other/")]
        async with chained(tmp_path, upstreams, members, responses={"keep_days": 0}) as http:
            first = await http.post("/v1/responses", json={"model": "best", "input": "!say one"})
            body = {"model": "best", "input": "!say two", "previous_response_id": first.json()["id"]}
            assert (await http.post("/v1/responses", json=body)).status_code == 200
            fake_openai.fail("429_requests")
            failed = await http.post("/v1/responses", json=body)
    assert (failed.status_code, "retry-after" in failed.headers) == (429, True), failed.text
