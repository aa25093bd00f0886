"""`/v1/embeddings` and `/v1/images/generations`: routing, keys, limits and errors, and what passes unchanged."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.conformance.making import DRAW, EMBED, floats, standing
from tests.conformance.raw import Raw
from tests.fakes.azure_api import FakeAzure
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.v1internal_reply import PIXEL
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

SMALL = "text-embedding-3-small"
BODY = b'{ "model":"text-embedding-3-small",  "input": ["a","\\u00e4"], "dimensions": 4, "user":"u" }'


def openai(fake: FakeOpenAI, *keys: str, **over: Any) -> Json:
    table = {"type": "openai", "base_url": f"{fake.url}/v1", "api_key": list(keys or ("key-1",)), **over}
    return {"openai": {"models": [SMALL, "gpt-image-1", "gpt-4.1"], **table}}


def azure(fake: FakeAzure, version: str, *keys: str) -> Json:
    deployments = {SMALL: "vectors", "gpt-image-1": "painter"}
    table = {"endpoint": fake.url, "api_key": list(keys or ("key-1",)), "api_version": version}
    return {"azure": {"type": "azure", "deployments": deployments, **table}}


@pytest.fixture
async def http(fake_openai: FakeOpenAI, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with standing(tmp_path, openai(fake_openai)) as client:
        yield client


async def direct(fake: FakeOpenAI, path: str, body: Json | bytes) -> httpx.Response:
    """Ask the upstream itself."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"authorization": "Bearer key-1", "content-type": "application/json"}
    async with httpx.AsyncClient() as client:
        return await client.post(fake.url + path, content=content, headers=headers)


# what passes


async def test_embeddings_pass_byte_for_byte(http: httpx.AsyncClient, fake_openai: FakeOpenAI) -> None:
    response = await http.post(EMBED, content=BODY)
    assert response.status_code == 200
    assert fake_openai.requests[-1].raw == BODY
    assert response.content == (await direct(fake_openai, EMBED, BODY)).content
    assert response.headers["x-gateway-upstream"] == f"openai/{SMALL}"
    assert "x-gateway-lossy" not in response.headers


async def test_pictures_pass_byte_for_byte(http: httpx.AsyncClient, fake_openai: FakeOpenAI) -> None:
    body = {"model": "gpt-image-1", "prompt": "a dot", "n": 2, "quality": "low", "size": "1536x1024"}
    response = await http.post(DRAW, json=body)
    assert response.content == (await direct(fake_openai, DRAW, body)).content
    assert len(response.json()["data"]) == 2


async def test_an_alias_changes_the_name_alone_both_ways(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    alias = {"alias": {"mine": f"openai/{SMALL}"}}
    async with standing(tmp_path, openai(fake_openai), models=alias) as http:
        response = await http.post(EMBED, json={"model": "mine", "input": "a", "dimensions": 2})
    assert fake_openai.requests[-1].body == {"model": SMALL, "input": "a", "dimensions": 2}
    expected = (await direct(fake_openai, EMBED, {"model": SMALL, "input": "a", "dimensions": 2})).json()
    assert response.json() == expected | {"model": "mine"}


async def test_the_name_can_be_the_upstreams(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    models = {"alias": {"mine": f"openai/{SMALL}"}, "echo": "upstream"}
    async with standing(tmp_path, openai(fake_openai), models=models) as http:
        response = await http.post(EMBED, json={"model": "mine", "input": "a"})
    assert response.json()["model"] == SMALL


@pytest.mark.parametrize("root", ["/v1", "/openai/v1", f"/openai/deployments/{SMALL}"])
async def test_every_address_leads_there(http: httpx.AsyncClient, fake_openai: FakeOpenAI, root: str) -> None:
    body = {"input": "a"} if "deployments" in root else {"model": SMALL, "input": "a"}
    response = await http.post(f"{root}/embeddings?api-version=2024-10-21", json=body)
    assert response.status_code == 200, response.text
    assert fake_openai.requests[-1].body["model"] == SMALL


@pytest.mark.parametrize("version", ["2025-04-01-preview", "v1"])
async def test_azure_embeds_and_draws(fake_azure: FakeAzure, tmp_path: Path, version: str) -> None:
    async with standing(tmp_path, azure(fake_azure, version)) as http:
        made = await http.post(EMBED, json={"model": SMALL, "input": "a", "encoding_format": "base64"})
        drawn = await http.post(DRAW, json={"model": "gpt-image-1", "prompt": "a dot"})
    assert len(floats(made.json()["data"][0]["embedding"])) == 1536
    assert drawn.json()["data"] == [{"b64_json": PIXEL}]
    assert [call.model for call in fake_azure.requests] == ["vectors", "painter"]
    assert [call.body["model"] for call in fake_azure.requests] == ["vectors", "painter"]


async def test_a_stream_of_pictures_passes_as_it_comes(http: httpx.AsyncClient, fake_openai: FakeOpenAI) -> None:
    body = {"model": "gpt-image-1", "prompt": "a dot", "stream": True, "partial_images": 1}
    response = await http.post(DRAW, json=body)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.content == (await direct(fake_openai, DRAW, body)).content
    assert b"event: image_generation.completed" in response.content


# keys


@pytest.mark.parametrize("error", ["401_invalid_key", "429_requests", "429_quota", "403"])
async def test_another_key_serves(fake_openai: FakeOpenAI, tmp_path: Path, error: str) -> None:
    fake_openai.fail(error, token="key-1")
    async with standing(tmp_path, openai(fake_openai, "key-1", "key-2")) as http:
        response = await http.post(EMBED, content=BODY)
    assert response.status_code == 200
    assert [call.credential for call in fake_openai.requests] == ["key-1", "key-2"]


async def test_a_key_that_rests_is_not_asked(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    fake_openai.fail("429_requests")
    async with standing(tmp_path, openai(fake_openai)) as http:
        first, second = await http.post(EMBED, content=BODY), await http.post(EMBED, content=BODY)
    assert (first.status_code, second.status_code) == (429, 429)
    assert second.headers["retry-after"] == "20"
    assert len(fake_openai.requests) == 1


@pytest.mark.parametrize(("error", "status"), [("401_invalid_key", 502), ("403_model", 404), ("400_policy", 400)])
async def test_a_refusal_is_told_and_never_the_callers_401(
    http: httpx.AsyncClient, fake_openai: FakeOpenAI, error: str, status: int
) -> None:
    fake_openai.fail(error)
    response = await http.post(EMBED, content=BODY)
    assert response.status_code == status
    assert response.json()["error"].keys() == {"message", "type", "param", "code"}
    assert "key-1" not in response.text


async def test_a_failure_is_tried_again(http: httpx.AsyncClient, fake_openai: FakeOpenAI) -> None:
    fake_openai.fail("500_server")
    assert (await http.post(EMBED, content=BODY)).status_code == 200
    assert [call.status for call in fake_openai.requests] == [500, 200]


async def test_the_next_member_of_a_chain_serves(
    fake_openai: FakeOpenAI, fake_azure: FakeAzure, tmp_path: Path
) -> None:
    fake_openai.fail("429_quota", times=9)
    upstream = openai(fake_openai) | azure(fake_azure, "v1")
    alias = {"alias": {"mine": [f"openai/{SMALL}", f"azure/{SMALL}"]}}
    async with standing(tmp_path, upstream, models=alias) as http:
        response = await http.post(EMBED, json={"model": "mine", "input": "a"})
    assert response.headers["x-gateway-upstream"] == f"azure/{SMALL}"
    assert response.json()["model"] == "mine"


# what stands around


async def test_a_bad_body_is_named(http: httpx.AsyncClient, fake_openai: FakeOpenAI) -> None:
    for content, param in ((b"{", None), (b"[]", None), (b'{"input":"a"}', "model"), (b'{"model":1}', "model")):
        response = await http.post(EMBED, content=content)
        assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert fake_openai.requests == []


@pytest.mark.usefixtures("stopped")
async def test_a_key_is_held_to_its_models_and_its_limits(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    key = [{"name": "a", "secret": "sk-a", "models": [SMALL], "limits": {"requests_per_minute": 2}}]
    headers = {"authorization": "Bearer sk-a"}
    async with standing(tmp_path, openai(fake_openai), key=key) as http:
        answers = [
            await http.post(EMBED, content=BODY, headers={"authorization": "Bearer other"}),
            await http.post(DRAW, json={"model": "gpt-image-1", "prompt": "a"}, headers=headers),
            await http.post(EMBED, content=BODY, headers=headers),
            await http.post(EMBED, content=BODY, headers=headers),
        ]
    assert [answer.status_code for answer in answers] == [401, 403, 200, 429]
    assert answers[2].headers["x-ratelimit-remaining-requests"] == "0"
    assert answers[2].headers["x-request-id"]


async def test_the_access_log_has_who_served_it_and_its_tokens(
    fake_openai: FakeOpenAI, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with standing(tmp_path, openai(fake_openai), log={"level": "info", "format": "json"}) as http:
        await http.post(EMBED, content=BODY)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = [line for line in lines if line.get("path") == EMBED]
    assert (line["model"], line["upstream"], line["status"]) == (SMALL, f"openai/{SMALL}", 200)
    assert (line["input_tokens"], line["output_tokens"], line["attempts"], line["end"]) == (2, 0, 1, "done")


async def test_an_unknown_model_is_not_found(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    async with standing(tmp_path, openai(fake_openai), models={"unknown": "reject"}) as http:
        response = await http.post(EMBED, json={"model": "text-embedding-3-smal", "input": "a"})
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert SMALL in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "what"), [(EMBED, "embeddings"), (DRAW, "image generation")], ids=["embeddings", "images"]
)
@pytest.mark.parametrize(("kind", "more"), [("demo", {}), ("anthropic", {"api_key": "k"})])
async def test_where_no_upstream_can_it_is_a_404_that_names_it(
    tmp_path: Path, kind: str, more: Json, path: str, what: str
) -> None:
    async with standing(tmp_path, {"mine": {"type": kind, **more}}) as http:
        response = await http.post(path, json={"model": "mine/x", "input": "a", "prompt": "a"})
    assert response.status_code == 404
    assert response.json()["error"]["message"] == (
        f"'mine/x' is served by upstream 'mine' (type {kind}), which has no {what}"
    )


@pytest.mark.parametrize(
    ("path", "model", "body"), [(EMBED, SMALL, {"input": "a"}), (DRAW, "gpt-image-1", {"prompt": "a"})]
)
@pytest.mark.parametrize("absent", [PlainTextResponse("No", 404), JSONResponse({"detail": "No"}, 404)])
async def test_a_server_that_has_chats_only_is_a_404_and_left_out_of_a_chain(
    fake_openai: FakeOpenAI, tmp_path: Path, path: str, model: str, body: Json, absent: Response
) -> None:
    async def answer(_: Request) -> Response:
        return absent

    bare = Starlette(routes=[Route("/v1/{path:path}", answer, methods=["POST"])])
    alias = {"alias": {"mine": ["bare/x", f"openai/{model}"]}}
    async with serve(bare) as url:
        upstream = {"bare": {"type": "openai", "base_url": f"{url}/v1"}} | openai(fake_openai)
        async with standing(tmp_path, upstream, models=alias) as http:
            refused = await http.post(path, json={"model": "bare/x", **body})
            served = await http.post(path, json={"model": "mine", **body})
    assert refused.status_code == 404
    assert refused.json()["error"] == {
        "message": "the upstream has none; if it should, base_url lacks /v1: No",
        "type": "invalid_request_error",
        "param": None,
        "code": "not_found",
    }
    assert served.status_code == 200


async def test_a_model_that_only_chats_is_a_404_and_left_out_of_a_chain(
    fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    alias = {"alias": {"mine": ["openai/gpt-4.1", f"openai/{SMALL}"]}}
    async with standing(tmp_path, openai(fake_openai), models=alias) as http:
        refused = await http.post(EMBED, json={"model": "openai/gpt-4.1", "input": "a"})
        served = await http.post(EMBED, json={"model": "mine", "input": "a"})
    assert (refused.status_code, served.status_code) == (404, 200)
    assert "not allowed to generate embeddings" in refused.json()["error"]["message"]


async def test_a_server_that_was_not_started_for_embeddings_is_a_404_and_left_out_of_a_chain(
    fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    words = "This server does not support embeddings. Start it with `--embeddings`"

    async def answer(_: Request) -> Response:
        error = {"code": 501, "message": words, "type": "not_supported_error"}
        return JSONResponse({"error": error}, 501)

    bare = Starlette(routes=[Route("/v1/embeddings", answer, methods=["POST"])])
    async with serve(bare) as url:
        upstream = {"bare": {"type": "openai", "base_url": f"{url}/v1"}} | openai(fake_openai)
        alias = {"alias": {"mine": ["bare/x", f"openai/{SMALL}"]}}
        async with standing(tmp_path, upstream, models=alias) as http:
            refused = await http.post(EMBED, json={"model": "bare/x", "input": "a"})
            served = await http.post(EMBED, json={"model": "mine", "input": "a"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
    assert words in refused.json()["error"]["message"]
    assert served.status_code == 200


@pytest.mark.parametrize("verb", ["embedContent", "batchEmbedContents"])
async def test_who_asks_for_embeddings_in_geminis_words_is_told_where_they_are(
    fake_openai: FakeOpenAI, tmp_path: Path, verb: str
) -> None:
    google = {"type": "gemini", "base_url": "http://127.0.0.1:9", "api_key": "key-1"}
    for others in ({}, {"google": google}):
        async with standing(tmp_path, openai(fake_openai) | others) as http:
            response = await http.post(f"/v1beta/models/openai/{SMALL}:{verb}", json={"content": {"parts": []}})
        assert response.status_code == 404
        assert response.json()["error"]["message"] == (
            f"'openai/{SMALL}' has embeddings at POST /v1/embeddings, in OpenAI's format"
        )


async def test_an_upstream_that_could_serve_it_is_named(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    async with standing(tmp_path, openai(fake_openai) | {"demo": {"type": "demo"}}) as http:
        response = await http.post(EMBED, json={"model": "demo", "input": "a"})
    assert response.status_code == 404
    assert response.json()["error"]["message"].endswith("; 'openai' may serve it: write UPSTREAM/model")


async def test_members_that_cannot_are_left_out_of_a_chain(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    upstream = {"demo": {"type": "demo"}} | openai(fake_openai)
    alias = {"alias": {"mine": ["demo/demo", f"openai/{SMALL}"]}}
    async with standing(tmp_path, upstream, models=alias) as http:
        assert (await http.post(EMBED, json={"model": "mine", "input": "a"})).status_code == 200


# what a compatible server leaves out


VECTOR = {"object": "embedding", "index": 0, "embedding": [1.0, -2.5]}
COUNTED = {"prompt_tokens": 7, "total_tokens": 7}
LISTED = {"object": "list", "data": [VECTOR], "model": "m", "usage": COUNTED}


@asynccontextmanager
async def compatible(folder: Path, *answers: tuple[int, Json]) -> AsyncIterator[tuple[httpx.AsyncClient, Raw]]:
    raw = Raw()
    for status, answer in answers:
        raw.says(json.dumps(answer).encode(), status=status, kind="application/json")
    async with serve(raw) as below:
        table = {"type": "openai", "base_url": f"{below}/v1", "api_key": ["key-1"], "models": ["m"]}
        async with standing(folder, {"server": table}) as http:
            yield http, raw


async def test_who_asks_for_base64_gets_it_where_a_server_lists_numbers(tmp_path: Path) -> None:
    """SGLang, LM Studio, Infinity: OpenAI's SDK for Node made a quarter as many numbers of it, that for .NET none."""
    async with compatible(tmp_path, (200, LISTED)) as (http, _):
        packed = await http.post(EMBED, json={"model": "m", "input": "a", "encoding_format": "base64"})
        plain = await http.post(EMBED, json={"model": "m", "input": "a"})
    assert floats(packed.json()["data"][0]["embedding"]) == [1.0, -2.5]
    assert packed.json() == LISTED | {"data": [VECTOR | {"embedding": packed.json()["data"][0]["embedding"]}]}
    assert plain.content == json.dumps(LISTED).encode()


async def test_a_server_that_knows_no_form_of_vectors_is_not_told_one(tmp_path: Path) -> None:
    """Google's own OpenAI API, and LiteLLM before models without it."""
    refusal = {"error": {"message": "gemini does not support parameters: {'encoding_format': 'base64'}"}}
    asked = {"model": "m", "input": "a", "encoding_format": "base64"}
    async with compatible(tmp_path, (400, refusal), (200, LISTED)) as (http, raw):
        answers = [await http.post(EMBED, json=asked) for _ in range(2)]
    assert [floats(one.json()["data"][0]["embedding"]) for one in answers] == [[1.0, -2.5]] * 2
    assert [json.loads(call.body) for call in raw.calls] == [asked, *[{"model": "m", "input": "a"}] * 2]


async def test_a_form_that_nobody_has_is_its_callers(tmp_path: Path) -> None:
    refusal = {"error": {"message": "Invalid value for 'encoding_format' = md5", "type": "invalid_request_error"}}
    async with compatible(tmp_path, (400, refusal)) as (http, raw):
        response = await http.post(EMBED, json={"model": "m", "input": "a", "encoding_format": "md5"})
    assert (response.status_code, len(raw.calls)) == (400, 1)


async def test_what_sdks_read_of_an_answer_is_there(tmp_path: Path) -> None:
    """Google's own OpenAI API and Cloudflare count nothing and name no place: Spring AI, .NET and Dify failed."""
    bare = {"object": "list", "data": [{"embedding": [1.0]}, {"embedding": [2.0]}], "model": "m", "usage": None}
    async with compatible(tmp_path, (200, bare)) as (http, _):
        response = await http.post(EMBED, json={"model": "m", "input": ["a", "b"]})
    body = response.json()
    assert [one["index"] for one in body["data"]] == [0, 1]
    assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] > 0
    assert response.headers["x-gateway-token-count"] == "estimate"
