"""What is asked of upstreams with a pool stands in the ledger: by whose key, and with what the upstream has counted."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from gateway.adapters.credential import credential_id
from gateway.redact import Secret
from tests.conformance.making import DRAW, EMBED, standing
from tests.conformance.raw import passing
from tests.conformance.vertex_api import logged_in
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.vertex_api import FakeVertex
from tests.patience import patient
from tests.redis_server import RedisServer

pytestmark = pytest.mark.anyio

KEY = "key-1"
WORDS = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
async def openai(fake_openai: FakeOpenAI, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    models = ["text-embedding-3-small", "gpt-image-1", "gpt-4.1"]
    table = {"type": "openai", "base_url": f"{fake_openai.url}/v1", "api_key": [KEY], "models": models}
    async with standing(tmp_path, {"openai": table}) as client:
        yield client


@pytest.fixture
async def gemini(fake_gemini: FakeGemini, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    table = {"type": "gemini", "base_url": fake_gemini.url, "api_key": [KEY]}
    async with standing(tmp_path, {"gemini": table}) as client:
        yield client


async def entered(folder: Path) -> dict[str, Any]:
    """Give the one row, once it is there."""
    with anyio.fail_after(patient(20)):
        while True:
            if (folder / "gateway.db").exists():
                with closing(sqlite3.connect(folder / "gateway.db")) as file:
                    file.row_factory = sqlite3.Row
                    rows = file.execute("SELECT * FROM usage").fetchall()
                if rows:
                    (row,) = rows
                    return dict(row)
            await anyio.sleep(0.05)


async def test_an_answer_of_a_key_of_a_pool(openai: httpx.AsyncClient, tmp_path: Path) -> None:
    counted = (await openai.post("/v1/chat/completions", json={"model": "gpt-4.1", **WORDS})).json()["usage"]
    row = await entered(tmp_path)
    assert row["credential"] == credential_id(Secret(KEY))
    assert (row["input"], row["output"]) == (counted["prompt_tokens"], counted["completion_tokens"])
    assert row["usd"] == pytest.approx((row["input"] * 2 + row["output"] * 8) / 1e6)


async def test_vectors(openai: httpx.AsyncClient, tmp_path: Path) -> None:
    body = {"model": "text-embedding-3-small", "input": "hello"}
    counted = (await openai.post(EMBED, json=body)).json()["usage"]
    row = await entered(tmp_path)
    assert (row["credential"], row["end"]) == (credential_id(Secret(KEY)), "done")
    assert (row["input"], row["output"], row["estimated"]) == (counted["prompt_tokens"], 0, 0)


async def test_pictures_as_a_stream(openai: httpx.AsyncClient, tmp_path: Path) -> None:
    body = {"model": "gpt-image-1", "prompt": "a dot", "stream": True, "partial_images": 1}
    assert (await openai.post(DRAW, json=body)).status_code == 200
    row = await entered(tmp_path)
    assert row["credential"] == credential_id(Secret(KEY))
    assert row["output"] > 0


@pytest.mark.parametrize("shared", [True, False], ids=["redis", "alone"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (DRAW, {"model": "gpt-image-1", "prompt": "a dot"}),
        (DRAW, {"model": "gpt-image-1", "prompt": "a dot", "stream": True, "partial_images": 1}),
        (EMBED, {"model": "text-embedding-3-small", "input": "hello"}),
    ],
    ids=["picture", "picture-stream", "vector"],
)
async def test_limits_count_what_the_ledger_says(
    path: str, body: dict[str, Any], fake_openai: FakeOpenAI, tmp_path: Path, redis: RedisServer, *, shared: bool
) -> None:
    table = {"type": "openai", "base_url": f"{fake_openai.url}/v1", "api_key": KEY, "models": [body["model"]]}
    over: dict[str, Any] = {"store": {"redis": redis.url}} if shared else {}
    whose = {"authorization": "Bearer sk-limited-0123456789"}
    key = {"name": "limited", "secret": whose["authorization"][7:], "limits": {"tokens_per_month": 100_000}}
    async with standing(tmp_path, {"openai": table}, key=[key], **over) as client:
        assert (await client.post(path, json=body, headers=whose)).status_code == 200
        said = (await client.get("/usage", headers=whose)).json()
    used, left = said["usage"]["this_month"], said["left"]["tokens_per_month"]
    assert used["input_tokens"] > 0
    assert 100_000 - left == used["input_tokens"] + used["output_tokens"]


async def test_what_passes_has_the_tokens_that_its_answer_tells(gemini: httpx.AsyncClient, tmp_path: Path) -> None:
    body = {"content": {"parts": [{"text": "hello"}]}}
    path = "/v1beta/models/gemini-embedding-001:embedContent"
    told = (await gemini.post(path, json=body)).json()["usageMetadata"]["promptTokenCount"]
    row = await entered(tmp_path)
    assert (row["dialect"], row["model"]) == ("gemini", "gemini-embedding-001")
    assert (row["credential"], row["end"]) == (credential_id(Secret(KEY)), "done")
    assert (row["input"], row["estimated"], row["usd"]) == (told, 0, pytest.approx(told * 0.15e-6))


async def test_what_passes_without_telling_tokens_has_none_that_are_known(
    gemini: httpx.AsyncClient, tmp_path: Path
) -> None:
    body = {"instances": [{"prompt": "a dot"}], "parameters": {"sampleCount": 1}}
    answer = await gemini.post("/v1beta/models/imagen-4.0-generate-001:predict", json=body)
    assert answer.status_code == 200, answer.text
    row = await entered(tmp_path)
    assert (row["credential"], row["end"]) == (credential_id(Secret(KEY)), "done")
    assert (row["input"], row["estimated"], row["usd"]) == (0, 1, None)


async def test_a_refusal_that_nobody_here_reads_names_who_was_refused(
    gemini: httpx.AsyncClient, tmp_path: Path
) -> None:
    path = "/v1beta/models/gemini-embedding-001:embedContent"
    assert (await gemini.post(path, json={})).status_code == 400
    row = await entered(tmp_path)
    assert (row["credential"], row["end"], row["status"]) == (credential_id(Secret(KEY)), "error", 400)


@pytest.mark.parametrize(
    ("path", "model"), [("/v1/chat/completions", "gpt-4.1"), (EMBED, "text-embedding-3-small")], ids=["words", "vector"]
)
async def test_who_was_asked_in_vain_is_named(
    openai: httpx.AsyncClient, fake_openai: FakeOpenAI, tmp_path: Path, path: str, model: str
) -> None:
    fake_openai.fail("429_quota", times=9)
    body = {"model": model, "input": "hello", **WORDS}
    assert (await openai.post(path, json=body)).status_code == 429
    row = await entered(tmp_path)
    assert (row["credential"], row["end"], row["status"]) == (credential_id(Secret(KEY)), "error", 429)


async def test_vectors_of_vertex_in_geminis_words(
    fake_vertex: FakeVertex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged_in(fake_vertex, tmp_path, monkeypatch)
    body = {"content": {"parts": [{"text": "hello"}]}}
    async with standing(tmp_path, {"vertex": {"type": "vertex", "base_url": fake_vertex.url}}) as client:
        assert (await client.post("/v1beta/models/gemini-embedding-001:embedContent", json=body)).status_code == 200
        row = await entered(tmp_path)
    assert row["credential"]
    assert (row["end"], row["estimated"]) == ("done", 0)


async def test_an_account_is_named_by_its_e_mail(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    table = {
        "type": "v1internal",
        "base_urls": [fake_v1internal.base("a")],
        "models": ["gemini-3-flash"],
        "oauth": {
            "client_id": "c",
            "client_secret": "s",
            "token_url": fake_v1internal.token_url,
            "userinfo_url": fake_v1internal.userinfo_url,
        },
        "pool": {"refresh_tokens": ["rt-1"]},
    }
    email = fake_v1internal.oauth.accounts["rt-1"].email
    admin = ("admin", "hunter22")
    async with standing(tmp_path, {"google": table}, admin={"password": admin[1]}) as http:
        await http.post("/v1/chat/completions", json={"model": "gemini-3-flash", **WORDS})
        (known,) = (await http.get("/admin/credentials", auth=admin)).json()["credentials"]
        await http.post(f"/admin/credentials/{known['id']}/check", auth=admin)
        names: set[str] = set()
        with anyio.fail_after(patient(20)):
            while names != {email}:  # what a check has found is written behind its back
                report = (await http.get("/admin/usage?by=credential", auth=admin)).json()
                names = {row["name"] for row in report["rows"]}
                await anyio.sleep(0.05)


@pytest.mark.parametrize("count", [2**63, 10**30])
async def test_a_count_that_no_answer_can_have_says_nothing(count: int, tmp_path: Path) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": count, "completion_tokens": 1, "total_tokens": count + 1}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(json.dumps(body).encode(), kind="application/json")
        response = await same.post(json.dumps({"model": "m", **WORDS}).encode())
        assert response.status_code == 200, response.text
        row = await entered(tmp_path)
    assert (0 < row["input"] < 100, row["output"], bool(row["estimated"])) == (True, 1, True)
