"""Native calls that are neither answers nor counts: they go on as they came to the upstream that has them."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from google import genai
from google.genai import types
from google.genai.client import AsyncClient
from starlette.applications import Starlette
from starlette.routing import Mount

from gateway.app import create_app, lifespan
from tests.conformance.gemini_api import EMBED, GEMINI_2, public, settings
from tests.conformance.served import Served, standing
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.v1internal import FakeV1Internal
from tests.patience import patient
from tests.serving import serve

pytestmark = pytest.mark.anyio

BODY = {"content": {"parts": [{"text": "hi"}]}}
V1INTERNAL = {"other": {"type": "v1internal", "models": [GEMINI_2, "veo"]}}
KEYS: dict[str, Any] = {"key": [{"name": "alice", "secret": "sk-alice", "limits": {"requests_per_minute": 3}}]}
ALICE = {"x-goog-api-key": "sk-alice"}
DEMO = {"demo": {"type": "demo"}}


async def embed(http: httpx.AsyncClient, model: str = EMBED, **options: Any) -> httpx.Response:
    return await http.post(f"/v1beta/models/{model}:embedContent", json=BODY, **options)


# which upstream


@pytest.mark.parametrize("path", [f"/v1beta/models/{EMBED}", f"/v1/models/{EMBED}", f"/v1beta/models/google%2F{EMBED}"])
async def test_embeddings_come_from_the_upstream_of_the_model(google: Served, path: str) -> None:
    response = await google.http.post(f"{path}:embedContent", json=BODY)
    assert response.status_code == 200, response.text
    assert len(response.json()["embedding"]["values"]) == 3072
    assert response.headers["x-gateway-upstream"] == f"google/{EMBED}"
    assert response.headers["x-request-id"]
    assert google.fake.requests[-1].path.endswith(f"/models/{EMBED}:embedContent")


async def test_an_alias_leads_to_its_model(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    async with public(fake_gemini, tmp_path, models={"alias": {"mine": EMBED}}) as google:
        assert (await embed(google.http, "mine")).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/v1beta/models/{EMBED}-search:embedContent", BODY),
        ("/v1/embeddings", {"model": f"{EMBED}-search", "input": "hi"}),
    ],
)
async def test_a_variant_that_can_do_nothing_is_counted_as_lost(
    fake_gemini: FakeGemini, tmp_path: Path, path: str, body: Any
) -> None:
    async with public(fake_gemini, tmp_path) as google:
        told = await google.http.post(path, json=body)
        plain = await google.http.post(
            path.replace("-search", ""), json=body | ({"model": EMBED} if "model" in body else {})
        )
    assert [(answer.status_code, answer.headers.get("x-gateway-lossy")) for answer in (told, plain)] == [
        (200, "1"),
        (200, None),
    ]
    async with public(fake_gemini, tmp_path, translate={"lossy": "strict"}) as google:
        refused = await google.http.post(path, json=body)
    assert (refused.status_code, "-search is for text responses only" in refused.text) == (400, True)


@pytest.fixture
async def chained(fake_gemini: FakeGemini, tmp_path: Path) -> AsyncIterator[tuple[Served, FakeGemini]]:
    """Run a gateway with a chain of two upstreams, and give the fake of the second one, too."""
    async with FakeGemini() as second:
        config = settings(fake_gemini, tmp_path, models={"alias": {"mine": [f"google/{EMBED}", f"spare/{EMBED}"]}})
        config["upstream"]["spare"] = config["upstream"]["google"] | {"base_url": second.url}
        async with standing(cast(FakeV1Internal, fake_gemini), config) as served:
            yield served, second


@pytest.mark.parametrize(
    "refusal", ["429_per_minute", "429_bare", "500_internal", "503_high_demand", "400_key_invalid", "403_key_leaked"]
)
async def test_the_next_member_of_a_chain_answers_what_the_first_one_cannot(
    chained: tuple[Served, FakeGemini], refusal: str
) -> None:
    google, second = chained
    google.fake.fail(refusal)
    answer = await embed(google.http, "mine")
    assert (answer.status_code, answer.headers["x-gateway-upstream"]) == (200, f"spare/{EMBED}")
    assert [call.path.rpartition("/")[2] for call in second.calls("embedContent")] == [f"{EMBED}:embedContent"]


async def test_what_the_last_member_of_a_chain_says_is_the_answer(chained: tuple[Served, FakeGemini]) -> None:
    google, second = chained
    google.fake.fail("500_internal")
    second.fail("429_per_day")
    answer = await embed(google.http, "mine")
    assert (answer.status_code, answer.headers["x-gateway-upstream"]) == (429, f"spare/{EMBED}")


async def test_what_the_caller_did_wrong_is_said_by_the_first_member(chained: tuple[Served, FakeGemini]) -> None:
    google, second = chained
    answer = await google.http.post("/v1beta/models/mine:embedContent", json={"content": {"parts": [{"nothing": 1}]}})
    assert (answer.status_code, answer.headers["x-gateway-upstream"]) == (400, f"google/{EMBED}")
    assert second.calls("embedContent") == []


async def test_what_it_took_is_in_the_ledger(google: Served) -> None:
    requests = [{"model": f"models/{EMBED}", **BODY} for _ in range(3)]
    response = await google.http.post(f"/v1beta/models/{EMBED}:batchEmbedContents", json={"requests": requests})
    assert len(response.json()["embeddings"]) == 3
    ledger = google.gateway.services.ledger
    assert ledger is not None
    (row,) = await ledger.rows(None, None, 9)
    assert (row.model, row.input, row.estimated) == (EMBED, response.json()["usageMetadata"]["promptTokenCount"], False)
    assert row.input > 0


async def test_another_upstream_that_lists_the_model_first_does_not_hide_it(
    fake_gemini: FakeGemini, tmp_path: Path
) -> None:
    config = settings(fake_gemini, tmp_path)
    config["upstream"] = V1INTERNAL | config["upstream"]
    async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url) as http:
        served = await http.post(f"/v1beta/models/{GEMINI_2}:embedContent", json=BODY)
        absent = await http.post("/v1beta/models/veo:predictLongRunning", json={})
    assert "not supported for embedContent" in served.json()["error"]["message"]
    assert (absent.status_code, len(fake_gemini.requests)) == (404, 1)
    assert absent.json()["error"]["message"] == (
        "'veo' is served by upstream 'other' (type v1internal), which has no image and video generation by predict; "
        "'google' may serve it: write UPSTREAM/model"
    )


async def test_a_tuned_model_is_the_upstreams_that_can_have_one(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    async with public(fake_gemini, tmp_path, upstream=DEMO) as google:
        response = await google.http.get("/v1beta/tunedModels/t1:transferOwnership")
    assert response.headers["x-gateway-upstream"] == "google/tunedModels/t1"


@pytest.mark.parametrize("default", ["", "second", "demo"])
async def test_a_call_without_a_model_goes_to_the_default_or_the_first(
    fake_gemini: FakeGemini, tmp_path: Path, default: str
) -> None:
    config = settings(fake_gemini, tmp_path, models={"default_upstream": default})
    second = config["upstream"]["google"] | {"api_key": ["key-2"]}
    config["upstream"] = {"demo": {"type": "demo"}, **config["upstream"], "second": second}
    async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url) as http:
        response = await http.get("/v1beta/files")
    assert response.headers["x-gateway-upstream"] == ("second" if default == "second" else "google")
    assert fake_gemini.requests[-1].credential == ("key-2" if default == "second" else "key-1")


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("POST", f"/v1beta/models/{EMBED}:embedContent", "embeddings"),
        ("POST", "/upload/v1beta/files", "files"),
        ("GET", "/v1beta/files/f1", "files"),
        ("GET", "/v1beta/cachedContents", "context caches"),
    ],
)
async def test_without_such_an_upstream_the_reason_is_told(tmp_path: Path, method: str, path: str, what: str) -> None:
    app = create_app({"upstream": DEMO, "log": {"level": "error"}, "server": {"data_dir": str(tmp_path)}})
    async with serve(app) as url, httpx.AsyncClient(base_url=url) as http:
        response = await http.request(method, path, json={})
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["status"]) == (404, 404, "NOT_FOUND")
    assert error["message"].endswith(f"no upstream here has Gemini's {what}")


async def test_what_is_not_googles_is_not_passed_on(google: Served) -> None:
    for path in ("/v1beta", "/v1/files", "/v1beta/files/", "/v1beta/a/%2e%2e/files", "/v2/files"):
        assert (await google.http.get(path)).status_code == 404
    assert google.fake.requests == []


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1beta/models/gemini-2.5-flash"])
async def test_the_lists_of_models_are_the_gateways_own(google: Served, path: str) -> None:
    assert (await google.http.get(path)).status_code == 200
    assert google.fake.requests == []


async def test_a_list_says_what_a_model_can_be_asked_for(google: Served) -> None:
    response = await google.http.get(f"/v1beta/models/{EMBED}")
    assert response.json()["supportedGenerationMethods"] == ["embedContent", "countTokens"]


# keys and limits


@pytest.mark.usefixtures("stopped")
async def test_a_key_is_needed_counted_and_kept(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    async with public(fake_gemini, tmp_path, **KEYS) as google:
        statuses = [(await embed(google.http)).status_code]
        statuses += [(await embed(google.http, headers=ALICE)).status_code for _ in range(4)]
    assert statuses == [401, 200, 200, 200, 429]
    assert not any("sk-alice" in repr(call) for call in fake_gemini.requests)


async def test_a_key_in_the_query_stays_here(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    async with public(fake_gemini, tmp_path, **KEYS) as google:
        response = await google.http.get("/v1beta/files", params={"key": "sk-alice", "pageSize": "5"})
    assert response.status_code == 200
    assert fake_gemini.requests[-1].query == {"pageSize": "5"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"/v1beta/models/{EMBED}:embedContent", BODY, 200),
        (f"/v1beta/models/{GEMINI_2}:embedContent", BODY, 403),
        ("/v1beta/cachedContents", {"model": f"models/{GEMINI_2}"}, 403),
        ("/v1beta/cachedContents", {}, 403),
        ("/v1beta/tunedModels", {}, 403),
    ],
)
async def test_a_key_is_held_to_its_models(
    fake_gemini: FakeGemini, tmp_path: Path, path: str, body: Any, status: int
) -> None:
    keys = [{"name": "alice", "secret": "sk-alice", "models": ["gemini-embedding-*"]}]
    async with public(fake_gemini, tmp_path, key=keys) as google:
        response = await google.http.post(path, json=body, headers=ALICE)
        files = await google.http.get("/v1beta/files", headers=ALICE)
    assert (response.status_code, files.status_code) == (status, 200)


# bodies


async def chunked(body: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("announced", [True, False])
async def test_a_large_upload_goes_through_in_pieces(google: Served, announced: bool) -> None:
    data = bytes(range(256)) * 20_000
    start = {
        "x-goog-upload-protocol": "resumable",
        "x-goog-upload-command": "start",
        "x-goog-upload-header-content-type": "text/plain",
    }
    begun = await google.http.post("/upload/v1beta/files", json={}, headers=start)
    finish = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
    content: Any = data if announced else chunked(data)
    made = await google.http.post(begun.headers["x-goog-upload-url"], content=content, headers=finish)
    assert made.json()["file"]["sizeBytes"] == str(len(data))
    assert google.fake.requests[-1].raw == data


@pytest.mark.parametrize(("words", "announced"), [(600_000, True), (5, False)])
async def test_json_of_any_length_goes_by_the_gateways_own_names(
    fake_gemini: FakeGemini, tmp_path: Path, words: int, *, announced: bool
) -> None:
    """The name of a model is the upstream's own in it, and a key that is held to models may use its own."""
    fake_gemini.caches.least_tokens = 1
    texts = [{"role": "user", "parts": [{"text": "x " * words}]}]
    bodies = {
        "/v1beta/cachedContents": {"model": "models/best", "contents": texts},
        "/v1beta/models/best:countTokens": {"contents": texts},
        "/v1beta/models/words:batchEmbedContents": {
            "requests": [{"model": "models/words", "content": {"parts": [{"text": "x " * (words // 5)}]}}] * 5
        },
    }
    keys = [{"name": "alice", "secret": "sk-alice", "models": ["best", "words"]}]
    models = {"alias": {"best": GEMINI_2, "words": EMBED}}
    async with public(fake_gemini, tmp_path, models=models, key=keys) as google:
        for path, fields in bodies.items():
            body = json.dumps(fields).encode()
            headers = {**ALICE, "content-type": "application/json"}
            answer = await google.http.post(path, content=body if announced else chunked(body), headers=headers)
            assert answer.status_code == 200, (path, answer.text[:300])


async def test_another_key_answers_json_of_any_length(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    fake_gemini.fail("429_per_minute", token="key-1", method="embedContent")
    async with public(fake_gemini, tmp_path, "key-1", "key-2") as google:
        body = {"content": {"parts": [{"text": "x" * 1_200_000}]}}
        answer = await google.http.post(f"/v1beta/models/{EMBED}:embedContent", json=body)
    assert answer.status_code == 200, answer.text
    assert [call.credential for call in fake_gemini.calls("embedContent")] == ["key-1", "key-2"]


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_beyond_the_limit_is_413(fake_gemini: FakeGemini, tmp_path: Path, announced: bool) -> None:
    body = json.dumps({"content": {"parts": [{"text": "x" * 3_000_000}]}}).encode()
    content: Any = body if announced else chunked(body)
    async with public(fake_gemini, tmp_path, server={"max_body": "2MB"}) as google:
        response = await google.http.post(f"/v1beta/models/{EMBED}:embedContent", content=content)
    assert (response.status_code, response.json()["error"]["code"]) == (413, 413)


async def test_a_compressed_body_goes_on_plain(google: Served) -> None:
    body = gzip.compress(json.dumps(BODY).encode())
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    response = await google.http.post(f"/v1beta/models/{EMBED}:embedContent", content=body, headers=headers)
    assert response.status_code == 200, response.text
    assert json.loads(google.fake.requests[-1].raw) == BODY


async def test_a_caller_that_leaves_closes_the_upstream_and_returns_the_key(google: Served) -> None:
    google.fake.fail("silence", method="embedContent")
    asked = asyncio.create_task(embed(google.http))
    await google.fake.wait_for("embedContent")
    asked.cancel()
    await google.fake.wait_closed()
    adapter: Any = google.gateway.adapters["google"]
    async with asyncio.timeout(patient(2)):
        while adapter.leases:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.005)


async def test_an_upstream_that_is_gone_is_502(google: Served) -> None:
    await google.fake.stop_base("a")
    response = await embed(google.http)
    assert (response.status_code, response.json()["error"]["status"]) == (502, "INTERNAL")


# google-genai


@pytest.fixture
async def mounted(fake_gemini: FakeGemini, tmp_path: Path) -> AsyncIterator[str]:
    """Run a gateway with keys below /ai of another app; give its address."""
    gateway = create_app(settings(fake_gemini, tmp_path, "key-1", "key-2", **KEYS))
    async with lifespan(gateway), serve(Starlette(routes=[Mount("/ai", gateway)])) as url:
        yield f"{url}/ai"


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[AsyncClient]:
    client = genai.Client(api_key="sk-alice", http_options=types.HttpOptions(base_url=url))
    async with client.aio as one:
        yield one
    client.close()


async def test_the_sdk_uploads_reads_and_deletes_a_file(mounted: str, tmp_path: Path, fake_gemini: FakeGemini) -> None:
    """The SDK sends no key with the pieces: the address is enough, and the upload counts as its caller's."""
    file = tmp_path / "notes.txt"
    file.write_text("words")
    async with client_of(mounted) as client:
        made = await client.files.upload(file=file, config={"display_name": "Notes"})
        assert (made.display_name, made.size_bytes) == ("Notes", 5)
        assert made.name is not None
        assert (await client.files.get(name=made.name)).uri == made.uri
    assert [call.credential for call in fake_gemini.calls("files.upload")] == ["key-1", "key-1"]


async def test_the_sdk_asks_about_a_file_it_uploaded(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("words")
    async with public(fake_gemini, tmp_path, "key-1", "key-2") as google, client_of(google.url) as client:
        made = await client.files.upload(file=file)
        for _ in range(3):
            answer = await client.models.generate_content(model=GEMINI_2, contents=["!say read", made])
            assert answer.text == "read"
        assert made.name is not None
        await client.files.delete(name=made.name)
    assert {call.credential for call in fake_gemini.calls("generateContent")} == {"key-1"}


async def test_the_sdk_goes_on_about_its_file_after_a_restart(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("words")
    keys = ("key-1", "key-2", "key-3")
    async with public(fake_gemini, tmp_path, *keys) as google, client_of(google.url) as client:
        made = await client.files.upload(file=file)
    fake_gemini.files.stored[made.name or ""].owner = "key-3"  # as if the others had rested then
    async with public(fake_gemini, tmp_path, *keys) as google, client_of(google.url) as client:
        for _ in range(3):
            answer = await client.models.generate_content(model=GEMINI_2, contents=["!say read", made])
            assert answer.text == "read"
        async for chunk in await client.models.generate_content_stream(model=GEMINI_2, contents=["!say it", made]):
            assert chunk.text
        assert google.gateway.usable
    asked = [call.credential for call in fake_gemini.requests if "enerateContent" in call.method]
    assert asked == ["key-1", "key-2", *["key-3"] * 4]


async def test_the_sdk_embeds_counts_and_caches(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    fake_gemini.caches.least_tokens = 1
    async with public(fake_gemini, tmp_path, "key-1", "key-2") as google, client_of(google.url) as client:
        embedded = await client.models.embed_content(model=EMBED, contents=["one", "two"])
        counted = await client.models.count_tokens(model=GEMINI_2, contents="one two")
        config = types.CreateCachedContentConfig(contents=["a long story"], ttl="60s")
        cache = await client.caches.create(model=GEMINI_2, config=config)
        asked = types.GenerateContentConfig(cached_content=cache.name)
        for _ in range(2):
            answer = await client.models.generate_content(model=GEMINI_2, contents="!say told", config=asked)
            assert answer.text == "told"
    assert [len(one.values or ()) for one in embedded.embeddings or ()] == [3072, 3072]
    assert (counted.total_tokens or 0) > 0
    assert {call.credential for call in fake_gemini.calls("generateContent")} == {"key-1"}


async def test_the_sdk_embeds_and_caches_by_names_of_the_gateways_own(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    """Google wants the body to name the model as the path does, and the SDK writes the same into both."""
    fake_gemini.caches.least_tokens = 1
    async with (
        public(fake_gemini, tmp_path, models={"alias": {"words": EMBED}}) as google,
        client_of(google.url) as client,
    ):
        for model in ("words", f"google/{EMBED}"):
            embedded = await client.models.embed_content(model=model, contents=["one", "two"])
            assert [len(one.values or ()) for one in embedded.embeddings or ()] == [3072, 3072]
        config = types.CreateCachedContentConfig(contents=["a long story"], ttl="60s")
        cache = await client.caches.create(model=f"google/{GEMINI_2}", config=config)
        asked = types.GenerateContentConfig(cached_content=cache.name)
        answer = await client.models.generate_content(model=GEMINI_2, contents="!say told", config=asked)
    assert answer.text == "told"


@pytest.mark.parametrize("unknown", ["pass", "reject"])
async def test_a_model_of_a_body_that_no_rule_knows_is_a_matter_for_the_upstream(
    fake_gemini: FakeGemini, tmp_path: Path, unknown: str
) -> None:
    asked = {"model": "models/never-heard-of", "contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    async with public(fake_gemini, tmp_path, models={"unknown": unknown}) as google:
        response = await google.http.post("/v1beta/cachedContents", json=asked)
    assert (response.status_code, "is not served here" in response.text) == (404, False)
    assert fake_gemini.requests[-1].body == asked


async def test_a_suffix_stays_here_where_another_upstream_is_the_first_to_list_the_model(
    fake_gemini: FakeGemini, tmp_path: Path
) -> None:
    """S4-71: Code Assist has no caches, so the call goes on to the upstream that has them"""
    fake_gemini.caches.least_tokens = 1
    asked = {"model": f"models/{GEMINI_2}-search", "contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    config = settings(fake_gemini, tmp_path)
    config["upstream"] = V1INTERNAL | config["upstream"]
    async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url) as http:
        response = await http.post("/v1beta/cachedContents", json=asked)
    assert response.status_code == 200, response.text
    assert fake_gemini.requests[-1].body["model"] == f"models/{GEMINI_2}"
