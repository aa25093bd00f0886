"""OpenAI's callers of pictures before Code Assist, whose drawing models take a shape and a size by the longer edge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.making import DRAW, EMBED, standing
from tests.conformance.served import settings
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_reply import PIXEL

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

MODEL = "gemini-3-pro-image"
ENVELOPES = pytest.mark.parametrize("envelope", ["antigravity", "gemini-cli"])


def google(fake: FakeV1Internal, folder: Path, **table: Any) -> Json:
    config: Json = settings(fake, folder, google=table)["upstream"]
    return config


@pytest.fixture
async def http(fake_v1internal: FakeV1Internal, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with standing(tmp_path, google(fake_v1internal, tmp_path)) as client:
        yield client


async def draw(http: httpx.AsyncClient, model: str = MODEL, prompt: str = "!image", **fields: Any) -> httpx.Response:
    return await http.post(DRAW, json={"model": model, "prompt": prompt, **fields})


def asked(fake: FakeV1Internal) -> list[Json]:
    return [call.body for call in fake.requests if call.method == "generateContent"]


@ENVELOPES
async def test_a_picture(fake_v1internal: FakeV1Internal, tmp_path: Path, envelope: str) -> None:
    async with standing(tmp_path, google(fake_v1internal, tmp_path, envelope=envelope)) as http:
        response = await draw(http)
    body = response.json()
    assert (response.status_code, body["data"]) == (200, [{"b64_json": PIXEL}])
    assert body["usage"]["output_tokens"] > 0
    (sent,) = asked(fake_v1internal)
    assert sent["project"]
    assert sent.get("requestType") == {"antigravity": "image_gen"}.get(envelope)
    inner = {name: value for name, value in sent["request"].items() if name not in ("sessionId", "session_id")}
    assert inner == {"contents": [{"role": "user", "parts": [{"text": "!image"}]}]}


@pytest.mark.parametrize(
    ("size", "config"),
    [
        ("1024x1024", {"aspectRatio": "1:1", "imageSize": "1K"}),
        ("1792x1024", {"aspectRatio": "16:9", "imageSize": "2K"}),
        ("2160x3840", {"aspectRatio": "9:16", "imageSize": "4K"}),
    ],
)
async def test_a_size_is_a_shape_and_a_longer_edge(
    http: httpx.AsyncClient, fake_v1internal: FakeV1Internal, size: str, config: Json
) -> None:
    assert (await draw(http, size=size)).status_code == 200
    (sent,) = asked(fake_v1internal)
    assert sent["request"]["generationConfig"] == {"imageConfig": config}


async def test_several_pictures_are_several_calls(http: httpx.AsyncClient, fake_v1internal: FakeV1Internal) -> None:
    assert len((await draw(http, n=3)).json()["data"]) == 3
    ids = [sent["requestId"] for sent in asked(fake_v1internal)]
    assert len(set(ids)) == 3


async def test_a_stream_of_pictures(http: httpx.AsyncClient) -> None:
    response = await draw(http, stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert "event: image_generation.completed\n" in response.text


async def test_a_refused_token_is_renewed(http: httpx.AsyncClient, fake_v1internal: FakeV1Internal) -> None:
    assert (await draw(http)).status_code == 200
    fake_v1internal.fail("401_unauthenticated", method="generateContent", times=1)
    assert (await draw(http)).status_code == 200
    assert [call.status for call in fake_v1internal.requests if call.method == "generateContent"] == [200, 401, 200]


async def test_a_used_up_account_leaves_it_to_the_next(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    table = google(fake_v1internal, tmp_path, pool={"refresh_tokens": ["rt-1", "rt-2"]})
    async with standing(tmp_path, table) as http:
        fake_v1internal.fail("429_bare", method="generateContent", times=1)
        assert (await draw(http)).status_code == 200
    calls = [call for call in fake_v1internal.requests if call.method == "generateContent"]
    assert len({call.headers["authorization"] for call in calls}) == len(calls) == 2


async def test_other_models_draw_nothing(http: httpx.AsyncClient, fake_v1internal: FakeV1Internal) -> None:
    response = await draw(http, "gemini-3-flash")
    assert (response.status_code, response.json()["error"]["param"]) == (404, "model")
    assert "'gemini-3-flash' makes no images" in response.json()["error"]["message"]
    assert asked(fake_v1internal) == []


async def test_in_a_chain_the_member_that_draws_is_asked(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    alias = {"alias": {"mine": ["google/gemini-3-flash", f"google/{MODEL}"]}}
    async with standing(tmp_path, google(fake_v1internal, tmp_path), models=alias) as http:
        assert (await draw(http, "mine")).status_code == 200


async def test_it_has_no_embeddings(http: httpx.AsyncClient) -> None:
    response = await http.post(EMBED, json={"model": MODEL, "input": "a"})
    assert (response.status_code, "has no embeddings" in response.json()["error"]["message"]) == (404, True)
