"""OpenAI's callers of embeddings and pictures before Google's models."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.making import DRAW, EMBED, floats, standing
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.gemini_api_embeddings import vector
from tests.fakes.v1internal_reply import PIXEL

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

MODEL, IMAGEN, GEMINI = "gemini-embedding-001", "imagen-4.0-generate-001", "gemini-2.5-flash-image"
PAINTERS = pytest.mark.parametrize("model", [IMAGEN, GEMINI])


def google(fake: FakeGemini, *keys: str) -> Json:
    table = {"type": "gemini", "base_url": fake.url, "api_key": list(keys or ("key-1",)), "models": [MODEL]}
    return {"gemini": {**table, "pool": {"health": {"interval": 0}}}}  # nothing is asked but for the requests


@pytest.fixture
async def http(fake_gemini: FakeGemini, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with standing(tmp_path, google(fake_gemini)) as client:
        yield client


@pytest.fixture
async def strict(fake_gemini: FakeGemini, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with standing(tmp_path, google(fake_gemini), translate={"lossy": "strict"}) as client:
        yield client


async def embed(http: httpx.AsyncClient, given: Any, **fields: Any) -> httpx.Response:
    return await http.post(EMBED, json={"model": MODEL, "input": given, **fields})


async def draw(http: httpx.AsyncClient, model: str = GEMINI, prompt: str = "!image", **fields: Any) -> httpx.Response:
    return await http.post(DRAW, json={"model": model, "prompt": prompt, **fields})


# embeddings


async def test_one_text_is_one_vector(http: httpx.AsyncClient, fake_gemini: FakeGemini) -> None:
    body = (await embed(http, "a")).json()
    assert body == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": vector("a")}],
        "model": MODEL,
        "usage": body["usage"],
    }
    assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] > 0
    assert [call.method for call in fake_gemini.requests] == ["embedContent"]


async def test_several_texts_keep_their_order(http: httpx.AsyncClient, fake_gemini: FakeGemini) -> None:
    data = (await embed(http, ["a", "b", "c"])).json()["data"]
    assert [(one["index"], one["embedding"]) for one in data] == [(0, vector("a")), (1, vector("b")), (2, vector("c"))]
    assert [call.method for call in fake_gemini.requests] == ["batchEmbedContents"]


async def test_more_than_a_hundred_go_in_several_calls(http: httpx.AsyncClient, fake_gemini: FakeGemini) -> None:
    texts = [str(number) for number in range(205)]
    data = (await embed(http, texts, dimensions=2)).json()["data"]
    assert [one["index"] for one in data] == list(range(205))
    assert [round(value, 6) for value in data[204]["embedding"]] == [round(value, 6) for value in vector("204", 2)]
    assert sorted(len(call.body["requests"]) for call in fake_gemini.requests) == [5, 100, 100]


async def test_base64_holds_the_same_numbers(http: httpx.AsyncClient) -> None:
    packed = (await embed(http, "a", encoding_format="base64")).json()["data"][0]["embedding"]
    assert floats(packed) == pytest.approx(vector("a"), abs=1e-6)


async def test_a_shorter_vector_has_the_length_of_openais(http: httpx.AsyncClient, fake_gemini: FakeGemini) -> None:
    values = (await embed(http, "a", dimensions=8)).json()["data"][0]["embedding"]
    assert len(values) == 8
    assert math.hypot(*values) == pytest.approx(1)
    assert fake_gemini.requests[-1].body["outputDimensionality"] == 8


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"input": [1, 2]}, "input[0]", "this upstream accepts text"),
        ({"input": ["a", [1, 2]]}, "input[1]", "this upstream accepts text"),
        ({"input": [[1, 2], [3]]}, "input[0]", "this upstream accepts text"),
        ({"input": [{}]}, "input[0]", "expected a string"),
        ({"input": ""}, "input", "is empty"),
        ({"input": ["a", ""]}, "input[1]", "is empty"),
        ({"input": []}, "input", "1 to 2048"),
        ({"input": "a", "dimensions": 0}, "dimensions", "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format", "encoding_format"),
    ],
)
async def test_what_cannot_be_embedded_is_named(
    http: httpx.AsyncClient, fake_gemini: FakeGemini, fields: Json, param: str, words: str
) -> None:
    response = await http.post(EMBED, json={"model": MODEL, **fields})
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (400, param)
    assert words in error["message"]
    assert fake_gemini.requests == []


async def test_a_request_without_input_is_refused(http: httpx.AsyncClient) -> None:
    response = await http.post(EMBED, json={"model": MODEL})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "input")


async def test_who_asks_is_a_hint_that_strict_mode_lets_go(strict: httpx.AsyncClient) -> None:
    response = await embed(strict, "a", user="u")
    assert response.status_code == 200
    assert "x-gateway-lossy" not in response.headers


async def test_googles_refusal_is_told(http: httpx.AsyncClient) -> None:
    response = await embed(http, "a", dimensions=4000)
    assert response.status_code == 400
    assert "output_dimensionality" in response.json()["error"]["message"]


async def test_a_batch_goes_to_another_key_when_one_is_refused(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    async with standing(tmp_path, google(fake_gemini, "nobody", "key-2")) as http:
        response = await embed(http, [str(number) for number in range(150)])
    assert response.status_code == 200
    assert [call.credential for call in fake_gemini.requests if call.status == 200] == ["key-2", "key-2"]


async def test_a_model_that_does_not_embed_is_not_found(http: httpx.AsyncClient) -> None:
    response = await http.post(EMBED, json={"model": "gemini-2.5-flash", "input": "a"})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


# pictures


@PAINTERS
async def test_a_picture_comes_in_base64(http: httpx.AsyncClient, model: str) -> None:
    response = await draw(http, model)
    body = response.json()
    assert body["data"] == [{"b64_json": PIXEL}]
    assert body["output_format"] == "png"
    assert body["created"] > 1_700_000_000
    assert ("usage" in body) is (model == GEMINI)
    assert "x-gateway-lossy" not in response.headers


async def test_imagen_is_asked_for_its_own_fields(http: httpx.AsyncClient, fake_gemini: FakeGemini) -> None:
    fields: Json = {"n": 6, "size": "1536x1024", "output_format": "jpeg", "response_format": "b64_json"}
    response = await draw(http, IMAGEN, **fields)
    assert len(response.json()["data"]) == 6
    assert response.json()["output_format"] == "jpeg"
    sent = sorted((call.body for call in fake_gemini.requests), key=lambda body: body["parameters"]["sampleCount"])
    common: Json = {"includeRaiReason": True, "aspectRatio": "4:3", "outputOptions": {"mimeType": "image/jpeg"}}
    assert [body["instances"] for body in sent] == [[{"prompt": "!image"}]] * 2
    assert [body["parameters"] for body in sent] == [{"sampleCount": 2} | common, {"sampleCount": 4} | common]


async def test_gemini_draws_one_picture_a_call(http: httpx.AsyncClient, fake_gemini: FakeGemini) -> None:
    response = await draw(http, n=3, size="1792x1024")
    assert len(response.json()["data"]) == 3
    assert len(fake_gemini.requests) == 3
    assert fake_gemini.requests[0].body["generationConfig"] == {
        "responseModalities": ["IMAGE"],
        "imageConfig": {"aspectRatio": "16:9"},
    }
    usage = response.json()["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


@PAINTERS
@pytest.mark.parametrize(
    "fields",
    [
        {"size": "auto"},
        {"size": "1024x1024"},
        {"quality": "auto"},
        {"quality": "standard"},
        {"output_compression": 100},
        {"user": "u"},
        {},
    ],
)
async def test_what_is_carried_is_no_loss(strict: httpx.AsyncClient, model: str, fields: Json) -> None:
    assert (await draw(strict, model, **fields)).status_code == 200


@PAINTERS
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", "1536x1024"),
        ("quality", "high"),
        ("style", "vivid"),
        ("background", "transparent"),
        ("moderation", "low"),
        ("output_format", "webp"),
        ("output_compression", 50),
    ],
)
async def test_what_is_not_carried_is_told_and_refused_in_strict_mode(
    fake_gemini: FakeGemini, tmp_path: Path, model: str, field: str, value: Any
) -> None:
    async with standing(tmp_path / "a", google(fake_gemini)) as http:
        assert (await draw(http, model, **{field: value})).headers["x-gateway-lossy"] == "1"
    async with standing(tmp_path / "b", google(fake_gemini), translate={"lossy": "strict"}) as http:
        response = await draw(http, model, **{field: value})
    assert (response.status_code, response.json()["error"]["param"]) == (400, field)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "url"}, "response_format"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"size": "large"}, "size"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
    ],
)
async def test_what_cannot_be_drawn_is_named(
    http: httpx.AsyncClient, fake_gemini: FakeGemini, fields: Json, param: str
) -> None:
    response = await http.post(DRAW, json={"model": GEMINI, "prompt": "a", **fields})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert fake_gemini.requests == []


@pytest.mark.parametrize(
    ("model", "prompt", "words"),
    [
        (IMAGEN, "!withheld", "blocked every image"),
        (IMAGEN, "!withheld why", "Responsible AI practices"),
        (GEMINI, "!finish IMAGE_SAFETY\n!chunk %s", "IMAGE_SAFETY"),
        (GEMINI, "!chunk %b", "PROHIBITED_CONTENT"),
    ],
)
async def test_a_picture_that_is_withheld_is_a_refusal_of_openais(
    http: httpx.AsyncClient, model: str, prompt: str, words: str
) -> None:
    ended = json.dumps({"candidates": [{"finishReason": "IMAGE_SAFETY", "index": 0}]})
    blocked = json.dumps({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})
    response = await draw(http, model, prompt.replace("%s", ended).replace("%b", blocked))
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "moderation_blocked")
    assert words in error["message"]


async def test_words_in_place_of_a_picture_are_the_upstreams_fault(
    http: httpx.AsyncClient, fake_gemini: FakeGemini
) -> None:
    response = await draw(http, prompt="!say I cannot")
    assert response.status_code == 502
    assert response.json()["error"]["message"] == "the upstream responded without an image: I cannot"
    assert len(fake_gemini.requests) > 1


async def test_a_stream_ends_with_the_whole_picture(http: httpx.AsyncClient) -> None:
    response = await draw(http, stream=True, partial_images=2)
    assert response.headers["content-type"].startswith("text/event-stream")
    name, data = response.text.strip().split("\n")
    assert name == "event: image_generation.completed"
    event = json.loads(data.removeprefix("data: "))
    assert (event["type"], event["b64_json"]) == ("image_generation.completed", PIXEL)
    assert event["usage"]["output_tokens"] > 0


async def test_a_refused_key_is_left_for_another_one(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    async with standing(tmp_path, google(fake_gemini, "nobody", "key-2")) as http:
        assert (await draw(http, IMAGEN)).status_code == 200
    assert [call.credential for call in fake_gemini.requests] == ["nobody", "key-2"]
