"""Counting always answers: exactly where the upstream can, with a marked estimate where it cannot or will not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
from google import genai

from gateway import endpoints
from gateway.app import create_app
from tests.conformance import anthropic_api, azure_api, gemini_api, openai_api, vertex_api
from tests.conformance import served as code_assist
from tests.conformance.counting import COUNTERS, counted, read, request_of, rubbish
from tests.fakes import anthropic_api as claude
from tests.fakes.azure_api import FakeAzure
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import COUNT, FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_reply import PIXEL
from tests.fakes.vertex_api import FakeVertex
from tests.patience import patient
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

MODELS = {
    "v1internal": code_assist.GEMINI_3,
    "claude": code_assist.CLAUDE,
    "gemini": gemini_api.GEMINI_3,
    "vertex": vertex_api.GEMINI,
    "vertex-claude": vertex_api.CLAUDE,
    "anthropic": anthropic_api.OLD,
    "responses": "gpt-4.1",
    "chat": "gpt-4.1",
    "azure": "gpt-4.1",
    "demo": "demo",
}
METHODS = {
    "v1internal": "countTokens",
    "claude": "countTokens",
    "gemini": "countTokens",
    "vertex": "countTokens",
    "vertex-claude": claude.COUNT,
    "anthropic": claude.COUNT,
    "responses": COUNT,
}
EXACT = tuple(METHODS)
FAILURES = {
    "v1internal": ("429", "404", "500", "401", "reset"),
    "claude": ("429", "reset"),
    "gemini": ("429", "404", "500", "reset"),
    "vertex": ("429", "404", "500", "401_expired", "403_service_disabled", "reset"),
    "vertex-claude": ("429", "503_vertex", "403_vertex", "reset"),
    "anthropic": ("429", "404", "529", "reset"),
    "responses": ("429", "500", "503", "reset"),
}
# after which nothing is asked for a while; without a wait it is the shared capacity of Vertex that is used up
USED_UP = {"vertex": "429_quota", "vertex-claude": "429_rate"}
UPSTREAMS: dict[str, tuple[type[Any], Callable[..., Json]]] = {
    "v1internal": (FakeV1Internal, code_assist.settings),
    "claude": (FakeV1Internal, code_assist.settings),
    "gemini": (FakeGemini, gemini_api.settings),
    "vertex": (FakeVertex, vertex_api.settings),
    "vertex-claude": (FakeVertex, vertex_api.settings),
    "anthropic": (claude.FakeAnthropic, anthropic_api.settings),
    "responses": (FakeOpenAI, partial(openai_api.settings, api="responses")),
    "chat": (FakeOpenAI, partial(openai_api.settings, api="chat")),
    "azure": (FakeAzure, partial(azure_api.settings, version="v1")),
}


class Counting:
    """A gateway before one upstream."""

    def __init__(self, upstream: str, fake: Any, http: httpx.AsyncClient) -> None:
        self.upstream = upstream
        self.model = MODELS[upstream]
        self.fake = fake
        self.http = http
        self.method = METHODS.get(upstream, "")


@asynccontextmanager
async def standing(upstream: str, folder: Path, **over: Any) -> AsyncIterator[Counting]:
    """Run a gateway."""
    fake: Any = None
    config: Json = {"server": {"data_dir": str(folder)}, "log": {"level": "error"}, **over}
    async with AsyncExitStack() as stack:
        if upstream in UPSTREAMS:
            kind, settings = UPSTREAMS[upstream]
            fake = await stack.enter_async_context(kind())
            config = settings(fake, folder, **over)
        if isinstance(fake, FakeVertex):
            vertex_api.logged_in(fake, folder, stack.enter_context(pytest.MonkeyPatch.context()))
        url = await stack.enter_async_context(serve(create_app(config)))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20))
        yield Counting(upstream, fake.claude if upstream == "vertex-claude" else fake, http)


@pytest.fixture(params=MODELS)
async def one(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Counting]:
    """Run a gateway before each kind of upstream."""
    async with standing(request.param, tmp_path) as running:
        yield running


@pytest.fixture(params=EXACT)
async def exact(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Counting]:
    """Run a gateway before each kind of upstream that counts."""
    async with standing(request.param, tmp_path) as running:
        yield running


@pytest.mark.parametrize("dialect", COUNTERS)
async def test_every_caller_gets_a_number_of_every_upstream(one: Counting, dialect: str) -> None:
    """I1, I5"""
    _, estimated = await counted(one.http, dialect, one.model)
    assert estimated is (not one.method)


@pytest.mark.parametrize("dialect", COUNTERS)
async def test_instructions_and_tools_make_it_more(one: Counting, dialect: str) -> None:
    """I2"""
    bare, _ = await counted(one.http, dialect, one.model)
    system, _ = await counted(one.http, dialect, one.model, system="Be brief, and answer in the words of the caller.")
    both, _ = await counted(one.http, dialect, one.model, system="Be brief, and answer in the words.", tool=True)
    assert bare < system < both
    assert await counted(one.http, dialect, one.model) == (bare, not one.method)


async def test_an_upstream_that_says_nothing_is_not_waited_for_longer_than_two_seconds(exact: Counting) -> None:
    exact.fake.fail("silence", times=9, method=exact.method)
    began = time.monotonic()
    told = await asyncio.gather(*(counted(exact.http, dialect, exact.model) for dialect in COUNTERS))
    assert [estimated for _, estimated in told] == [True] * len(COUNTERS)
    assert 1.9 < time.monotonic() - began < patient(20)


@pytest.mark.parametrize(
    ("upstream", "error"), [(name, error) for name, errors in FAILURES.items() for error in errors]
)
@pytest.mark.parametrize("dialect", COUNTERS)
async def test_a_failure_of_the_upstream_leaves_the_estimate(
    upstream: str, error: str, dialect: str, tmp_path: Path
) -> None:
    async with standing(upstream, tmp_path) as running:
        running.fake.fail(error, times=9, method=running.method)
        _, estimated = await counted(running.http, dialect, running.model)
        assert estimated
        assert running.fake.calls(running.method)


@pytest.mark.parametrize("dialect", COUNTERS)
@pytest.mark.parametrize("upstream", ["v1internal", "gemini", "vertex", "vertex-claude", "anthropic", "responses"])
@pytest.mark.parametrize(
    "reply",
    [
        b'{"totalTokens": 0, "input_tokens": 0}',
        b'{"totalTokens": -7, "input_tokens": -7}',
        b'{"totalTokens": null, "input_tokens": null}',
        b'{"totalTokens": "many", "input_tokens": "many"}',
        b'{"totalTokens": 1e400, "input_tokens": 1e400}',
        b"{}",
        b"[]",
        b"",
        b"<html>hello</html>",
        b'{"totalTokens": 12',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=["0", "negative", "null", "words", "endless", "nothing", "list", "empty", "html", "cut", "no utf-8", "deep"],
)
async def test_rubbish_of_the_upstream_leaves_the_estimate(
    upstream: str, dialect: str, reply: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "_COUNT_S", 20.0)  # a machine that stands still asks nobody within two
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(rubbish(reply))
        if upstream.startswith("vertex"):
            vertex_api.logged_in(await stack.enter_async_context(FakeVertex()), tmp_path, monkeypatch)
        model = vertex_api.CLAUDE if upstream == "vertex-claude" else "m"
        vertex: Json = {"type": "vertex", "base_url": server.url, "models": [model]}
        kinds: dict[str, Json] = {
            "v1internal": {
                "type": "v1internal",
                "base_urls": [server.url],
                "models": ["m"],
                "oauth": {"client_id": "i", "client_secret": "s", "token_url": f"{server.url}/token"},
                "pool": {"refresh_tokens": ["rt-1"], "project_ids": {"rt-1": "p"}},
            },
            "anthropic": {"type": "anthropic", "base_url": server.url, "api_key": "k", "models": ["m"]},
            "gemini": {"type": "gemini", "base_url": server.url, "api_key": "k", "models": ["m"]},
            "vertex": vertex,
            "vertex-claude": vertex,
            "responses": {
                "type": "openai",
                "base_url": f"{server.url}/v1",
                "api_key": "k",
                "api": "responses",
                "models": ["m"],
            },
        }
        config = {
            "server": {"data_dir": str(tmp_path)},
            "log": {"level": "error"},
            "upstream": {"x": kinds[upstream]},
        }
        async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url) as http:
            _, estimated = await counted(http, dialect, model)
    assert estimated
    assert server.asked == 1


@pytest.mark.parametrize("dialect", COUNTERS)
async def test_while_all_credentials_rest_nothing_is_asked(exact: Counting, dialect: str) -> None:
    exact.fake.fail(USED_UP.get(exact.upstream, "429"), times=99)
    body = {"model": exact.model, "messages": [{"role": "user", "content": "x"}]}
    assert (await exact.http.post("/v1/chat/completions", json=body)).status_code == 429
    exact.fake.reset()
    _, estimated = await counted(exact.http, dialect, exact.model)
    assert estimated
    assert not exact.fake.calls(exact.method)


@pytest.mark.parametrize("dialect", COUNTERS)
async def test_a_model_that_nobody_serves_is_counted_too(dialect: str, tmp_path: Path) -> None:
    async with standing("demo", tmp_path, models={"unknown": "reject"}) as running:
        _, estimated = await counted(running.http, dialect, "nobodys-model")
        assert estimated
        path, body = request_of("anthropic", "nobodys-model", "hi")
        refused = await running.http.post(path.replace("/count_tokens", ""), json=body | {"max_tokens": 5})
        assert refused.status_code == 404


@pytest.mark.parametrize("dialect", COUNTERS)
async def test_a_model_that_the_upstream_does_not_know_is_counted_too(exact: Counting, dialect: str) -> None:
    tokens, _ = await counted(exact.http, dialect, "nobodys-model")
    assert tokens > 0


REFUSED: list[tuple[str, Json]] = [
    ("anthropic", {"model": "demo", "messages": []}),
    ("anthropic", {"model": "demo", "messages": "hi"}),
    ("anthropic", {"messages": [{"role": "user", "content": "no model is named"}]}),
    ("anthropic", {"model": "demo", "messages": [{"role": "user", "content": [{"type": "hologram", "text": "hi"}]}]}),
    (
        "anthropic",
        {
            "model": "demo",
            "messages": [{"role": "user", "content": "x"}],
            "tool_choice": {"type": "tool", "name": "no"},
        },
    ),
    ("anthropic", {"model": "demo", "messages": [{"role": "user", "content": "x"}], "mcp_servers": [{"url": "u"}]}),
    (
        "anthropic",
        {
            "model": "demo",
            "messages": [
                {"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]}
            ],
        },
    ),
    ("openai-responses", {"input": "no model is named"}),
    ("openai-responses", {"model": "demo", "instructions": "no input"}),
    ("openai-responses", {"model": "demo", "input": []}),
    ("openai-responses", {"model": "demo", "input": "x", "background": True}),
    ("openai-responses", {"model": "demo", "input": [{"type": "item_reference", "id": "x"}]}),
    ("openai-responses", {"model": "demo", "input": [{"type": "hologram", "x": "y"}]}),
    ("gemini", {"contents": []}),
    ("gemini", {"contents": [{"parts": []}]}),
    ("gemini", {"contents": [{"parts": [{"hologram": {}}]}]}),
    ("gemini", {"generateContentRequest": {"model": "models/demo"}}),
]


@pytest.mark.parametrize(("dialect", "body"), REFUSED)
async def test_what_could_not_be_answered_is_counted(dialect: str, body: Json, tmp_path: Path) -> None:
    async with standing("demo", tmp_path) as running:
        path, _ = request_of(dialect, "demo", "")
        assert read(dialect, await running.http.post(path, json=body))[1]


@pytest.mark.parametrize(("dialect", "body"), REFUSED)
async def test_it_is_counted_before_upstreams_that_count_too(dialect: str, body: Json, tmp_path: Path) -> None:
    async with standing("gemini", tmp_path) as running:
        path, _ = request_of(dialect, running.model, "")
        body = body | ({"model": running.model} if "model" in body else {})
        assert read(dialect, await running.http.post(path, json=body))[0] > 0


@pytest.mark.parametrize(
    ("dialect", "body", "status"),
    [
        ("anthropic", b"", 400),
        ("anthropic", b"{", 400),
        ("anthropic", b"[]", 400),
        ("anthropic", b'{"model": "demo"}', 400),
        ("openai-responses", b'{"model": "demo"}', 400),
        ("openai-responses", b'"input"', 400),
        ("gemini", b"{}", 400),
        ("gemini", b'{"messages": []}', 400),
    ],
)
async def test_what_is_no_prompt_is_refused(dialect: str, body: bytes, status: int, tmp_path: Path) -> None:
    async with standing("demo", tmp_path) as running:
        path, _ = request_of(dialect, "demo", "")
        response = await running.http.post(path, content=body, headers={"content-type": "application/json"})
        assert response.status_code == status
        assert "error" in response.json()


async def test_what_nobody_can_read_is_counted_by_its_words(tmp_path: Path) -> None:
    async with standing("demo", tmp_path) as running:

        async def number(text: str, **more: Any) -> int:
            block = {"type": "hologram", "text": text, **more}
            body = {"model": "demo", "messages": [{"role": "user", "content": [block]}]}
            return read("anthropic", await running.http.post("/v1/messages/count_tokens", json=body))[0]

        short, long = await number("a word"), await number("a word " * 100)
        assert short < 20
        assert 150 < long < 300
        assert await number("a word", cache_control={"type": "ephemeral"}, signature="x" * 999) == short
        picture = await number("a word", data="AAAA" * 10_000)
        assert short < picture < short + 2000


@pytest.mark.parametrize("number", ["1e400", "9" * 5000], ids=["endless", "long"])
@pytest.mark.parametrize("name", ["temperature", "model"])
async def test_a_number_that_nobody_can_hold_is_counted_too(name: str, number: str, tmp_path: Path) -> None:
    async with standing("demo", tmp_path) as running:
        body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "hi"}]} | {name: "@"})
        response = await running.http.post("/v1/messages/count_tokens", content=body.replace('"@"', number))
        assert read("anthropic", response)[0] < 20


PICTURE: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
PDF: Json = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="}}


@pytest.mark.parametrize("upstream", MODELS)
@pytest.mark.parametrize("block", [PICTURE, PDF], ids=["picture", "document"])
@pytest.mark.parametrize("nested", [False, True])
async def test_pictures_and_documents_count(upstream: str, block: Json, nested: bool, tmp_path: Path) -> None:
    words: Json = {"type": "text", "text": "look"}

    def asked(*blocks: Json) -> Json:
        if not nested:
            return {"messages": [{"role": "user", "content": [*blocks]}]}
        use = {"type": "tool_use", "id": "t1", "name": "add", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "t1", "content": [*blocks]}
        turns = [("user", "call"), ("assistant", [use]), ("user", [result])]
        tools = [{"name": "add", "input_schema": {"type": "object"}}]
        return {"messages": [{"role": role, "content": content} for role, content in turns], "tools": tools}

    async with standing(upstream, tmp_path) as running:
        sizes = [
            read(
                "anthropic",
                await running.http.post("/v1/messages/count_tokens", json={"model": running.model, **asked(*blocks)}),
            )[0]
            for blocks in ((words,), (words, block))
        ]
    assert sizes[0] < sizes[1]


@pytest.mark.usefixtures("stopped")
async def test_a_burst_of_counts_takes_nothing_of_a_limit(tmp_path: Path) -> None:
    """I1: clients fire dozens of them when they start."""
    async with standing("gemini", tmp_path, limits={"requests_per_minute": 2, "concurrent": 1}) as running:
        for _ in range(20):
            await counted(running.http, "anthropic", running.model)
        body = {"model": running.model, "messages": [{"role": "user", "content": "hi"}]}
        statuses = [(await running.http.post("/v1/chat/completions", json=body)).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


async def test_a_server_that_cannot_count_is_asked_once(tmp_path: Path) -> None:
    async with FakeOpenAI(plain=True, keys=()) as fake:
        config = openai_api.settings(fake, tmp_path, "responses", openai={"api_key": []})
        async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url) as http:
            for dialect in (*COUNTERS, *COUNTERS):
                assert (await counted(http, dialect, "qwen"))[1]
        assert [call.path for call in fake.requests if "input_tokens" in call.path] == ["/v1/responses/input_tokens"]


async def test_what_makes_an_answer_is_not_sent_to_be_counted(tmp_path: Path) -> None:
    async with standing("responses", tmp_path) as running:
        body: Json = {
            "model": running.model,
            "input": "hi",
            "max_output_tokens": 100,
            "temperature": 0.5,
            "stream": True,
            "include": ["reasoning.encrypted_content"],
            "text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object", "properties": {}}}},
        }
        assert not read("openai-responses", await running.http.post("/v1/responses/input_tokens", json=body))[1]
        sent = running.fake.calls(COUNT)[0].body
    assert sorted(sent) == ["input", "model", "text"]


# the official clients


async def test_the_anthropic_client_counts(one: Counting) -> None:
    async with anthropic.AsyncAnthropic(api_key="k", base_url=str(one.http.base_url), max_retries=0) as client:
        said = await client.messages.count_tokens(model=one.model, messages=[{"role": "user", "content": "hi"}])
        beta = await client.beta.messages.count_tokens(model=one.model, messages=[{"role": "user", "content": "hi"}])
    assert said.input_tokens == beta.input_tokens > 0


async def test_the_openai_client_counts(one: Counting) -> None:
    async with openai.AsyncOpenAI(api_key="k", base_url=f"{one.http.base_url}/v1", max_retries=0) as client:
        said = await client.responses.input_tokens.count(model=one.model, input="hi")
        bare = await client.responses.input_tokens.count(input="hi")
    assert (said.object, bare.object) == ("response.input_tokens",) * 2
    assert min(said.input_tokens, bare.input_tokens) > 0


async def test_the_google_client_counts(one: Counting) -> None:
    client = genai.Client(api_key="k", http_options=genai.types.HttpOptions(base_url=str(one.http.base_url)))
    said = await client.aio.models.count_tokens(model=one.model, contents="hi")
    await client.aio.aclose()
    assert (said.total_tokens or 0) > 0
