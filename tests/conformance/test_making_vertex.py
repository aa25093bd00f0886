"""OpenAI's callers of embeddings and pictures before Vertex AI."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.making import DRAW, EMBED, floats, standing
from tests.conformance.vertex_api import logged_in
from tests.fakes.gemini_api_embeddings import vector
from tests.fakes.v1internal_reply import PIXEL
from tests.fakes.vertex_api import FakeVertex
from tests.fakes.vertex_api_login import refused

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

ONE, SEVERAL, NEWER = "gemini-embedding-001", "text-embedding-005", "gemini-embedding-2"
IMAGEN, GEMINI, CLAUDE = "imagen-4.0-generate-001", "gemini-2.5-flash-image", "claude-sonnet-4-5"
EMBEDDERS = pytest.mark.parametrize("model", [ONE, SEVERAL, NEWER])
PAINTERS = pytest.mark.parametrize("model", [IMAGEN, GEMINI])
LONG = "word " * 2000  # of 2500 tokens here


@pytest.fixture(autouse=True)
def _login(fake_vertex: FakeVertex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a service account at hand."""
    logged_in(fake_vertex, tmp_path, monkeypatch)


def before(fake: FakeVertex, folder: Path, **over: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """Run a gateway."""
    return standing(folder / "data", {"vertex": {"type": "vertex", "base_url": fake.url}}, **over)


@pytest.fixture
async def http(fake_vertex: FakeVertex, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with before(fake_vertex, tmp_path) as client:
        yield client


@pytest.fixture
async def strict(fake_vertex: FakeVertex, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with before(fake_vertex, tmp_path, translate={"lossy": "strict"}) as client:
        yield client


async def embed(http: httpx.AsyncClient, given: Any, model: str = SEVERAL, **fields: Any) -> httpx.Response:
    return await http.post(EMBED, json={"model": model, "input": given, **fields})


async def draw(http: httpx.AsyncClient, model: str = GEMINI, prompt: str = "!image", **fields: Any) -> httpx.Response:
    return await http.post(DRAW, json={"model": model, "prompt": prompt, **fields})


def sizes(fake: FakeVertex) -> list[int]:
    """Say how many texts each call had that was answered."""
    return sorted((len(call.body["instances"]) for call in fake.requests if call.status == 200), reverse=True)


# embeddings


async def test_one_text_is_one_vector(http: httpx.AsyncClient, fake_vertex: FakeVertex) -> None:
    response = await embed(http, "abcdefgh")
    assert response.json() == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": vector("abcdefgh", 768)}],
        "model": SEVERAL,
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
    assert response.headers["x-gateway-upstream"] == f"vertex/{SEVERAL}"
    assert "x-gateway-token-count" not in response.headers
    (call,) = fake_vertex.requests
    assert call.path.endswith(f"/locations/us-central1/publishers/google/models/{SEVERAL}:predict")
    assert call.headers["authorization"].startswith("Bearer ya29.")
    assert call.body == {"instances": [{"content": "abcdefgh"}], "parameters": {"autoTruncate": False}}


@EMBEDDERS
async def test_several_texts_keep_their_order(http: httpx.AsyncClient, model: str) -> None:
    body = (await embed(http, ["abcd", "b", "c" * 8], model)).json()
    size = len(body["data"][0]["embedding"])
    assert [one["index"] for one in body["data"]] == [0, 1, 2]
    assert [one["embedding"] for one in body["data"]] == [vector(text, size) for text in ("abcd", "b", "c" * 8)]
    assert body["usage"] == {"prompt_tokens": 4, "total_tokens": 4}


@pytest.mark.parametrize(("model", "calls"), [(SEVERAL, [250, 250, 10]), (ONE, [1] * 510)])
async def test_a_call_has_as_many_texts_as_the_model_takes(
    http: httpx.AsyncClient, fake_vertex: FakeVertex, model: str, calls: list[int]
) -> None:
    data = (await embed(http, [str(number) for number in range(510)], model, dimensions=2)).json()["data"]
    assert [one["index"] for one in data] == list(range(510))
    assert data[509]["embedding"] == pytest.approx(vector("509", 2))
    assert sizes(fake_vertex) == calls


async def test_a_call_has_no_more_tokens_than_vertex_takes(http: httpx.AsyncClient, fake_vertex: FakeVertex) -> None:
    assert (await embed(http, ["word " * 1600] * 24)).status_code == 200
    assert {call.status for call in fake_vertex.requests} == {200}
    assert sum(sizes(fake_vertex)) == 24


async def test_a_location_that_takes_fewer_texts_gets_them_one_by_one(
    http: httpx.AsyncClient, fake_vertex: FakeVertex
) -> None:
    fake_vertex.most_instances = 5
    data = (await embed(http, list("abcdefgh"))).json()["data"]
    assert [one["embedding"] for one in data] == [vector(text, 768) for text in "abcdefgh"]
    assert [call.status for call in fake_vertex.requests] == [400, *[200] * 8]
    assert sizes(fake_vertex) == [1] * 8


async def test_texts_whose_tokens_were_underestimated_go_one_by_one(
    http: httpx.AsyncClient, fake_vertex: FakeVertex
) -> None:
    response = await embed(http, ["       a" * 1000] * 14)  # the fake counts spaces, the estimate does not
    assert response.status_code == 200, response.text
    assert [call.status for call in fake_vertex.requests] == [400, *[200] * 14]


@EMBEDDERS
async def test_a_shorter_vector_has_the_length_of_openais(
    http: httpx.AsyncClient, fake_vertex: FakeVertex, model: str
) -> None:
    values = (await embed(http, "a", model, dimensions=8)).json()["data"][0]["embedding"]
    assert len(values) == 8
    assert math.hypot(*values) == pytest.approx(1)
    sent = fake_vertex.requests[-1].body
    assert (sent.get("parameters") or sent)["outputDimensionality"] == 8


async def test_base64_holds_the_same_numbers(http: httpx.AsyncClient) -> None:
    packed = (await embed(http, "a", encoding_format="base64")).json()["data"][0]["embedding"]
    assert floats(packed) == pytest.approx(vector("a", 768), abs=1e-6)


@EMBEDDERS
async def test_a_text_that_is_too_long_is_refused_and_not_cut(http: httpx.AsyncClient, model: str) -> None:
    response = await embed(http, LONG * 4, model)
    assert response.status_code == 400
    assert "supports up to" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "param"), [({"input": [1, 2]}, "input[0]"), ({"input": ""}, "input"), ({"input": []}, "input")]
)
async def test_what_cannot_be_embedded_is_named(
    http: httpx.AsyncClient, fake_vertex: FakeVertex, fields: Json, param: str
) -> None:
    response = await http.post(EMBED, json={"model": ONE, **fields})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert fake_vertex.requests == []


async def test_who_asks_is_a_hint_that_strict_mode_lets_go(strict: httpx.AsyncClient) -> None:
    assert (await embed(strict, "a", user="u")).status_code == 200


# the login, and failures


async def test_a_token_that_ended_is_renewed(http: httpx.AsyncClient, fake_vertex: FakeVertex) -> None:
    await embed(http, "a")
    fake_vertex.login.expire()
    assert (await embed(http, "a")).status_code == 200
    assert [call.status for call in fake_vertex.requests] == [200, 401, 200]


async def test_a_call_that_fails_is_made_again(http: httpx.AsyncClient, fake_vertex: FakeVertex) -> None:
    fake_vertex.fail("503_unavailable", method="predict")
    data = (await embed(http, list("abcd"), ONE)).json()["data"]
    assert [one["embedding"] for one in data] == [vector(text) for text in "abcd"]
    assert max(call.status for call in fake_vertex.requests if call.status) == 503


@pytest.mark.parametrize(("path", "model"), [(EMBED, ONE), (DRAW, IMAGEN)])
async def test_a_dead_login_is_no_fault_of_the_callers(
    fake_vertex: FakeVertex, tmp_path: Path, path: str, model: str
) -> None:
    """H6"""
    fake_vertex.login.fail(refused("invalid_grant", "Invalid JWT Signature."), 99)
    async with before(fake_vertex, tmp_path) as http:
        response = await http.post(path, json={"model": model, "input": "a", "prompt": "a"})
    assert response.status_code == 502
    assert "gcloud auth application-default login" in response.text


@pytest.mark.parametrize(
    ("error", "status"), [("429_quota", 429), ("403_service_disabled", 502), ("400_invalid_argument", 400)]
)
@pytest.mark.parametrize(("path", "model"), [(EMBED, ONE), (DRAW, IMAGEN)])
async def test_a_refusal_is_a_status(
    http: httpx.AsyncClient, fake_vertex: FakeVertex, path: str, model: str, error: str, status: int
) -> None:
    """H1, H2, H6"""
    fake_vertex.fail(error, times=9, method="predict")
    response = await http.post(path, json={"model": model, "input": "a", "prompt": "a"})
    assert response.status_code == status, response.text
    assert response.json()["error"]["message"]


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "text-embedding-9"])
async def test_a_model_that_does_not_embed_is_not_found(http: httpx.AsyncClient, model: str) -> None:
    response = await embed(http, "a", f"vertex/{model}")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(("path", "words"), [(EMBED, "has no embeddings"), (DRAW, "makes no images")])
async def test_claude_does_neither(http: httpx.AsyncClient, fake_vertex: FakeVertex, path: str, words: str) -> None:
    response = await http.post(path, json={"model": CLAUDE, "input": "a", "prompt": "a"})
    assert (response.status_code, response.json()["error"]["param"]) == (404, "model")
    assert words in response.json()["error"]["message"]
    assert fake_vertex.requests == []


# pictures


@PAINTERS
async def test_a_picture_comes_in_base64(http: httpx.AsyncClient, fake_vertex: FakeVertex, model: str) -> None:
    response = await draw(http, f"vertex/{model}")
    body = response.json()
    assert (body["data"], body["output_format"]) == ([{"b64_json": PIXEL}], "png")
    assert ("usage" in body) is (model == GEMINI)
    assert "x-gateway-lossy" not in response.headers
    verb = "generateContent" if model == GEMINI else "predict"
    assert fake_vertex.requests[-1].path.endswith(f"/publishers/google/models/{model}:{verb}")


async def test_imagen_is_asked_for_its_own_fields(http: httpx.AsyncClient, fake_vertex: FakeVertex) -> None:
    fields: Json = {"n": 6, "size": "1536x1024", "output_format": "jpeg", "response_format": "b64_json"}
    response = await draw(http, IMAGEN, **fields)
    assert (len(response.json()["data"]), response.json()["output_format"]) == (6, "jpeg")
    sent = sorted((call.body for call in fake_vertex.requests), key=lambda body: body["parameters"]["sampleCount"])
    common: Json = {"includeRaiReason": True, "aspectRatio": "4:3", "outputOptions": {"mimeType": "image/jpeg"}}
    assert [body["instances"] for body in sent] == [[{"prompt": "!image"}]] * 2
    assert [body["parameters"] for body in sent] == [{"sampleCount": 2} | common, {"sampleCount": 4} | common]


async def test_gemini_draws_one_picture_a_call(http: httpx.AsyncClient, fake_vertex: FakeVertex) -> None:
    response = await draw(http, n=3, size="1792x1024")
    assert len(response.json()["data"]) == len(fake_vertex.requests) == 3
    assert fake_vertex.requests[0].body["generationConfig"] == {
        "responseModalities": ["IMAGE"],
        "imageConfig": {"aspectRatio": "16:9"},
    }
    usage = response.json()["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


async def test_an_answer_that_cannot_be_used_is_asked_for_again(
    http: httpx.AsyncClient, fake_vertex: FakeVertex
) -> None:
    fake_vertex.script.push("!say I had rather not", "!image")
    answer = await draw(http)
    assert answer.status_code == 200, answer.text
    assert [one["b64_json"] for one in answer.json()["data"]] == [PIXEL]
    assert len(fake_vertex.requests) == 2


@PAINTERS
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", "1536x1024"),
        ("quality", "high"),
        ("style", "vivid"),
        ("background", "transparent"),
        ("output_format", "webp"),
        ("output_compression", 50),
    ],
)
async def test_what_is_not_carried_is_told_and_refused_in_strict_mode(
    fake_vertex: FakeVertex, tmp_path: Path, model: str, field: str, value: Any
) -> None:
    async with before(fake_vertex, tmp_path) as http:
        assert (await draw(http, f"vertex/{model}", **{field: value})).headers["x-gateway-lossy"] == "1"
    async with before(fake_vertex, tmp_path / "b", translate={"lossy": "strict"}) as http:
        response = await draw(http, f"vertex/{model}", **{field: value})
    assert (response.status_code, response.json()["error"]["param"]) == (400, field)


@pytest.mark.parametrize(
    ("model", "prompt", "words"),
    [
        (IMAGEN, "!withheld", "Responsible AI practices"),
        (GEMINI, "!finish IMAGE_SAFETY\n!chunk %s", "IMAGE_SAFETY"),
    ],
)
async def test_a_picture_that_is_withheld_is_a_refusal_of_openais(
    http: httpx.AsyncClient, model: str, prompt: str, words: str
) -> None:
    ended = json.dumps({"candidates": [{"finishReason": "IMAGE_SAFETY", "index": 0}]})
    response = await draw(http, model, prompt.replace("%s", ended))
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "moderation_blocked")
    assert words in error["message"]


async def test_a_stream_ends_with_the_whole_picture(http: httpx.AsyncClient) -> None:
    response = await draw(http, IMAGEN, stream=True)
    name, data = response.text.strip().split("\n")
    assert name == "event: image_generation.completed"
    assert json.loads(data.removeprefix("data: "))["b64_json"] == PIXEL
