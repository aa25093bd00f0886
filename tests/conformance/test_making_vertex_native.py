"""Gemini callers of embeddings before Vertex AI, which knows a model's own method alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types

from tests.conformance.making import standing
from tests.conformance.vertex_api import logged_in
from tests.fakes.gemini_api_embeddings import vector
from tests.fakes.v1internal_reply import PIXEL
from tests.fakes.vertex_api import FakeVertex

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

ONE, SEVERAL, NEWER = "gemini-embedding-001", "text-embedding-005", "gemini-embedding-2"
MODELS = pytest.mark.parametrize("model", [ONE, SEVERAL, NEWER])
EMBED, BATCH = "embedContent", "batchEmbedContents"
PICTURE: Json = {"inlineData": {"mimeType": "image/png", "data": PIXEL}}


@pytest.fixture
async def http(
    fake_vertex: FakeVertex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    logged_in(fake_vertex, tmp_path, monkeypatch)
    async with standing(tmp_path / "data", {"vertex": {"type": "vertex", "base_url": fake_vertex.url}}) as client:
        yield client


@pytest.fixture
def sdk(http: httpx.AsyncClient) -> genai.Client:
    """Give Google's library as callers of the Gemini API have it."""
    return genai.Client(api_key="k", http_options=types.HttpOptions(base_url=str(http.base_url).rstrip("/")))


async def ask(http: httpx.AsyncClient, verb: str, body: Json, model: str = ONE) -> httpx.Response:
    return await http.post(f"/v1beta/models/{model}:{verb}", json=body)


def said(*parts: Any, **options: Any) -> Json:
    return {"content": {"parts": [{"text": part} if isinstance(part, str) else part for part in parts]}, **options}


def several(*requests: Json) -> Json:
    return {"requests": [{"model": f"models/{ONE}", **request} for request in requests]}


@MODELS
async def test_googles_library_gets_vectors_in_order(sdk: genai.Client, fake_vertex: FakeVertex, model: str) -> None:
    config = types.EmbedContentConfig(output_dimensionality=4, task_type="RETRIEVAL_DOCUMENT", title="t")
    contents = [types.Content(parts=[types.Part(text=text)]) for text in ("abcd", "b")]
    answer = await sdk.aio.models.embed_content(model=model, contents=contents, config=config)
    assert [one.values for one in answer.embeddings or []] == [vector("abcd", 4), vector("b", 4)]
    assert {call.method for call in fake_vertex.requests} == {EMBED if model == NEWER else "predict"}


async def test_one_text_is_asked_for_by_predict(http: httpx.AsyncClient, fake_vertex: FakeVertex) -> None:
    options: Json = {"taskType": "RETRIEVAL_DOCUMENT", "title": "t", "outputDimensionality": 4}
    response = await ask(http, EMBED, said("abcdefgh", model=f"models/{ONE}", **options))
    assert response.json() == {
        "embedding": {"values": vector("abcdefgh", 4)},
        "usageMetadata": {"promptTokenCount": 2},
    }
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-gateway-upstream"] == f"vertex/{ONE}"
    assert fake_vertex.requests[-1].body == {
        "instances": [{"content": "abcdefgh", "task_type": "RETRIEVAL_DOCUMENT", "title": "t"}],
        "parameters": {"autoTruncate": False, "outputDimensionality": 4},
    }


async def test_a_batch_of_texts_is_as_few_calls_as_their_options_allow(
    http: httpx.AsyncClient, fake_vertex: FakeVertex
) -> None:
    requests = [said("a"), said("b"), said("c", outputDimensionality=2), said("d")]
    response = await ask(http, BATCH, several(*requests), SEVERAL)
    wanted = [vector("a", 768), vector("b", 768), vector("c", 2), vector("d", 768)]
    assert [one["values"] for one in response.json()["embeddings"]] == wanted
    assert response.json()["usageMetadata"] == {"promptTokenCount": 4}
    assert sorted(len(call.body["instances"]) for call in fake_vertex.requests) == [1, 1, 2]


async def test_a_content_of_any_kind_goes_whole_where_the_model_takes_it(
    http: httpx.AsyncClient, fake_vertex: FakeVertex
) -> None:
    config = {"outputDimensionality": 3, "documentOcr": True, "autoTruncate": True}
    response = await ask(http, EMBED, said("a", PICTURE, embedContentConfig=config), NEWER)
    assert response.json()["usageMetadata"] == {"promptTokenCount": 259}
    assert fake_vertex.requests[-1].body == {
        "content": {"role": "user", "parts": [{"text": "a"}, PICTURE]},
        "autoTruncate": True,
        "outputDimensionality": 3,
        "embedContentConfig": {"documentOcr": True},
    }


async def test_the_other_spelling_is_understood(http: httpx.AsyncClient, fake_vertex: FakeVertex) -> None:
    response = await ask(http, EMBED, said({"text": "a"}, task_type="CLUSTERING", output_dimensionality="2"))
    assert response.json()["embedding"]["values"] == vector("a", 2)
    assert fake_vertex.requests[-1].body["instances"][0]["task_type"] == "CLUSTERING"


async def test_a_text_is_cut_for_who_wants_it(http: httpx.AsyncClient) -> None:
    long = "word " * 2000
    refused = await ask(http, EMBED, said(long))
    assert (refused.status_code, "supports up to 2048" in refused.text) == (400, True)
    assert (await ask(http, EMBED, said(long, embedContentConfig={"autoTruncate": True}))).status_code == 200


@pytest.mark.parametrize(
    ("verb", "body", "words"),
    [
        (EMBED, {}, "content: is missing"),
        (EMBED, said("a", nonsense=1), "nonsense: no such field is known"),
        (EMBED, said(), "content.parts: this model of Vertex AI takes one text and nothing else"),
        (EMBED, said(""), "content.parts: is empty"),
        (EMBED, said("a", "b"), "content.parts: this model of Vertex AI takes one text"),
        (EMBED, said(PICTURE), "content.parts: this model of Vertex AI takes one text"),
        (EMBED, said({"text": "a", "thought": True}), "content.parts: this model of Vertex AI takes one text"),
        (EMBED, said({"text": 7}), "content.parts[0].text: expected `str`, got `int`"),
        (EMBED, said("a", outputDimensionality="many"), "outputDimensionality"),
        (EMBED, said("a", embedContentConfig={"documentOcr": True}), "embedContentConfig.documentOcr: this model"),
        (BATCH, {}, "requests: is empty"),
        (BATCH, {"requests": []}, "requests: is empty"),
        (BATCH, {"requests": [], "nonsense": 1}, "nonsense: no such field is known"),
        (BATCH, several(said("a"), said(PICTURE)), "requests[1].content.parts: this model of Vertex AI takes one text"),
        (BATCH, several(said("a"), {}), "requests[1].content: is missing"),
    ],
)
async def test_what_cannot_be_carried_is_named(
    http: httpx.AsyncClient, fake_vertex: FakeVertex, verb: str, body: Json, words: str
) -> None:
    response = await ask(http, verb, body)
    assert (response.status_code, response.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert words in response.json()["error"]["message"]
    assert fake_vertex.requests == []


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b""])
async def test_what_is_no_request_is_refused(http: httpx.AsyncClient, content: bytes) -> None:
    response = await http.post(f"/v1beta/models/{ONE}:{EMBED}", content=content)
    assert (response.status_code, response.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("model", "verb", "words"),
    [
        ("claude-sonnet-4-5", EMBED, "has no embeddings"),
        ("gemini-2.5-flash", BATCH, "was not found"),
        (ONE, "asyncBatchEmbedContent", "Vertex AI has no POST"),
        (ONE, "nothing", "Vertex AI has no POST"),
    ],
)
async def test_what_vertex_has_not_is_a_404_that_says_why(
    http: httpx.AsyncClient, model: str, verb: str, words: str
) -> None:
    response = await ask(http, verb, several(said("a")) if verb == BATCH else said("a"), model)
    assert (response.status_code, response.json()["error"]["status"]) == (404, "NOT_FOUND")
    assert words in response.json()["error"]["message"]


async def test_googles_library_raises_what_vertex_refuses(sdk: genai.Client) -> None:
    config = types.EmbedContentConfig(output_dimensionality=9999)
    with pytest.raises(errors.ClientError, match="outputDimensionality") as caught:
        await sdk.aio.models.embed_content(model=ONE, contents="a", config=config)
    assert caught.value.code == 400


async def test_a_token_that_ended_is_renewed(http: httpx.AsyncClient, fake_vertex: FakeVertex) -> None:
    await ask(http, EMBED, said("a"))
    fake_vertex.login.expire()
    assert (await ask(http, EMBED, said("a"))).status_code == 200
    assert [call.status for call in fake_vertex.requests] == [200, 401, 200]


async def test_a_location_that_takes_fewer_texts_gets_them_one_by_one(
    http: httpx.AsyncClient, fake_vertex: FakeVertex
) -> None:
    fake_vertex.most_instances = 1
    response = await ask(http, BATCH, several(*map(said, "abc")), SEVERAL)
    assert [one["values"] for one in response.json()["embeddings"]] == [vector(text, 768) for text in "abc"]


@pytest.mark.parametrize(("error", "status"), [("503_unavailable", 503), ("429_quota", 429), ("403_permission", 502)])
async def test_a_failure_is_told_and_not_tried_again(
    http: httpx.AsyncClient, fake_vertex: FakeVertex, error: str, status: int
) -> None:
    fake_vertex.fail(error, method="predict")
    assert (await ask(http, EMBED, said("a"))).status_code == status
    assert len(fake_vertex.requests) == 1


async def test_a_large_batch_comes_in_pieces(http: httpx.AsyncClient) -> None:
    body = json.dumps(several(*(said(str(number), title=None) for number in range(100)))).encode() + b" " * 2**20

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 2**16):
            yield body[start : start + 2**16]

    response = await http.post(f"/v1beta/models/{SEVERAL}:{BATCH}", content=pieces())
    assert [one["values"] for one in response.json()["embeddings"]] == [vector(str(n), 768) for n in range(100)]
