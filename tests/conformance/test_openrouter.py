"""What models have signed behind OpenRouter comes home in its own field: without it Google's refuse the next turn."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.adapters import openai
from gateway.app import create_app
from tests.conformance.travelling import CALLERS
from tests.fakes.openai_api import CHAT, FakeOpenAI
from tests.fakes.openrouter_api import SENTINEL, FakeOpenRouter
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

GEMINI, CLAUDE, GPT = "google/gemini-3-flash-preview", "anthropic/claude-sonnet-4.5", "openai/gpt-5.2"
TRANSLATED = ("anthropic", "openai-responses", "gemini")
THOUGHT = "I shall call f"
ASKED = f"!think {THOUGHT}\n!tool f {{}}\n!then\n!say done"


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the fake's host for OpenRouter's."""
    monkeypatch.setattr(openai, "_CARRIERS", {"127.0.0.1": ("reasoning_details",)})


@asynccontextmanager
async def before(fake: FakeOpenAI, folder: Path, **over: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run a gateway that knows nothing of others."""
    upstream = {"type": "openai", "base_url": f"{fake.url}/v1", "api_key": "key-1", "models": [GEMINI, CLAUDE, GPT]}
    config = {"server": {"data_dir": str(folder)}, "log": {"level": "error"}, "upstream": {"router": upstream}, **over}
    async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
        yield http


def details(fake: FakeOpenRouter) -> list[Json]:
    """Give those of the last call."""
    return [one for message in fake.calls(CHAT)[-1].request["messages"] for one in message.get("reasoning_details", ())]


def statuses(fake: FakeOpenRouter) -> list[int]:
    return [call.status for call in fake.calls(CHAT)]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("model", [GEMINI, CLAUDE, GPT])
@pytest.mark.parametrize("dialect", TRANSLATED)
async def test_it_comes_home_to_another_process(dialect: str, model: str, tmp_path: Path) -> None:
    caller = CALLERS[dialect]
    async with FakeOpenRouter() as fake:
        async with before(fake, tmp_path / "a") as http:
            said = await caller.first(http, model, ASKED)
        async with before(fake, tmp_path / "b", translate={"lossy": "strict"}) as http:
            response = await caller.second(http, model, ASKED, said)
        assert response.status_code == 200, response.text
        assert statuses(fake) == [200, 200]
        home = details(fake)
        (call,) = fake.calls(CHAT)[-1].request["messages"][1]["tool_calls"]
        if model == GEMINI:
            assert [(one["type"], one["id"]) for one in home] == [("reasoning.encrypted", call["id"])]
        elif dialect == "gemini":  # whose callers keep no thoughts of others
            assert home == []
        elif model == CLAUDE:
            assert [(one["type"], one["text"]) for one in home] == [("reasoning.text", THOUGHT)]
        else:
            assert [one["type"] for one in home] == ["reasoning.summary", "reasoning.encrypted"]


@pytest.mark.usefixtures("known")
async def test_a_hidden_thought_comes_home(tmp_path: Path) -> None:
    text = ASKED.replace(THOUGHT, "hidden from all")
    async with FakeOpenRouter() as fake, before(fake, tmp_path) as http:
        said = await CALLERS["anthropic"].first(http, CLAUDE, text)
        response = await CALLERS["anthropic"].second(http, CLAUDE, text, said)
        assert response.status_code == 200, response.text
        ((kind, data),) = [(one["type"], one["data"]) for one in details(fake)]
        assert kind == "reasoning.encrypted"
        assert data in fake.seals


@pytest.mark.parametrize("dialect", TRANSLATED)
async def test_another_router_gets_it_once_it_has_asked_for_it(dialect: str, tmp_path: Path) -> None:
    caller = CALLERS[dialect]
    async with FakeOpenRouter() as fake, before(fake, tmp_path) as http:
        said = await caller.first(http, GEMINI, ASKED)
        response = await caller.second(http, GEMINI, ASKED, said)
        assert response.status_code == 200, response.text
        assert statuses(fake) == [200, 400, 200]
        assert [one["data"] in fake.seals for one in details(fake)] == [True]


async def test_a_chat_goes_on_whose_caller_drops_what_signs_its_calls(tmp_path: Path) -> None:
    """Its own words pass until they are refused; what answers have signed is remembered, as for any other caller."""
    messages: list[Json] = [{"role": "user", "content": ASKED.replace("!then", "!then\n!tool f {}\n!then")}]
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    async with FakeOpenRouter() as fake, before(fake, tmp_path) as http:
        for _ in range(3):
            asked = {"model": GEMINI, "messages": messages, "tools": [tool], "stream": False}
            response = await http.post("/v1/chat/completions", json=asked)
            assert response.status_code == 200, response.text
            said = response.json()["choices"][0]["message"]
            calls = said.get("tool_calls") or []
            messages.append({"role": "assistant", "content": said["content"]})
            if calls:
                bare = [{name: one for name, one in call.items() if name != "extra_content"} for call in calls]
                messages[-1]["tool_calls"] = bare
            messages += [{"role": "tool", "tool_call_id": call["id"], "content": "sunny"} for call in calls]
        assert messages[-1]["content"] == "done"
        assert statuses(fake) == [200, 400, 200, 400, 200]
        assert [one["data"] in fake.seals for one in details(fake)] == [True, True]


@pytest.mark.usefixtures("known")
async def test_a_call_of_another_model_gets_the_sentinel(tmp_path: Path) -> None:
    caller = CALLERS["anthropic"]
    async with FakeOpenRouter() as fake, before(fake, tmp_path) as http:
        said = await caller.first(http, CLAUDE, ASKED)
        response = await caller.second(http, GEMINI, ASKED, said)
        assert response.status_code == 200, response.text
        assert statuses(fake) == [200, 200]
        assert [one["data"] for one in details(fake)] == [SENTINEL]


async def test_a_call_of_another_model_in_a_chat_gets_the_sentinel_once_it_is_refused(tmp_path: Path) -> None:
    call = {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    called = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "sunny"}
    messages = [{"role": "user", "content": ASKED}, called, result]
    async with FakeOpenRouter() as fake, before(fake, tmp_path) as http:
        response = await http.post("/v1/chat/completions", json={"model": GEMINI, "messages": messages})
        assert response.status_code == 200, response.text
        assert response.json()["choices"][0]["message"]["content"] == "done"
        assert statuses(fake) == [400, 200]
        assert [one["data"] for one in details(fake)] == [SENTINEL]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(("model", "left"), [(GEMINI, [SENTINEL]), (CLAUDE, []), (GPT, [])])
async def test_what_is_refused_is_left_out(model: str, left: list[str], tmp_path: Path) -> None:
    """As where a router goes on to another provider, who has not signed it."""
    caller = CALLERS["openai-responses"]
    async with FakeOpenRouter() as fake, before(fake, tmp_path) as http:
        said = await caller.first(http, model, ASKED)
        fake.seals.clear()
        response = await caller.second(http, model, ASKED, said)
        assert response.status_code == 200, response.text
        assert statuses(fake) == [200, 400, 200]
        assert [one["data"] for one in details(fake)] == left


@pytest.mark.usefixtures("known")
async def test_callers_read_what_the_provider_said(tmp_path: Path) -> None:
    async def refused(said: str) -> str:
        raw = json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": said}})
        metadata = {"raw": raw, "provider_name": "Anthropic"}
        error = {"message": "Provider returned error", "code": 400, "metadata": metadata}
        text = "!refuse " + json.dumps({"status": 400, "error": error})
        body = {"model": CLAUDE, "max_tokens": 100, "messages": [{"role": "user", "content": text}]}
        response = await http.post("/v1/messages", json=body)
        assert response.status_code == 400
        return str(response.json()["error"]["message"])

    async with FakeOpenRouter() as fake, before(fake, tmp_path) as http:
        assert await refused("tools.0: bad") == "Provider returned error: Anthropic: tools.0: bad"
        assert (await refused("prompt is too long: 9 > 8")).startswith("prompt is too long")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", {}, 400),
        ("/v1/messages", {"max_tokens": 100}, 200),
    ],
)
async def test_a_prompt_that_moderation_stops_is_no_matter_of_the_key(
    path: str, body: Json, status: int, tmp_path: Path
) -> None:
    words = f'{CLAUDE} requires moderation on Anthropic. Your input was flagged for "violence".'
    stopped = {"status": 403, "error": {"code": 403, "message": words, "metadata": {"reasons": ["violence"]}}}
    messages = [{"role": "user", "content": f"!refuse {json.dumps(stopped)}"}]
    async with FakeOpenRouter() as fake, before(fake, tmp_path) as http:
        response = await http.post(path, json={"model": CLAUDE, "messages": messages, **body})
        assert response.status_code == status, response.text
        assert status == 400 or response.json()["stop_reason"] == "refusal"
        assert statuses(fake) == [403]


BODIES: dict[str, tuple[str, Json]] = {
    "openai-chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "!say done"}]}),
    "openai-responses": ("/v1/responses", {"store": False, "input": "!say done"}),
    "anthropic": ("/v1/messages", {"max_tokens": 32_000, "messages": [{"role": "user", "content": "!say done"}]}),
}
LIMIT = "max_completion_tokens"


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("dialect", BODIES)
async def test_an_answer_is_as_long_as_can_be_afforded(dialect: str, strict: bool, tmp_path: Path) -> None:
    path, body = BODIES[dialect]
    over: Json = {"translate": {"lossy": "strict"}} if strict else {}
    async with FakeOpenRouter() as fake, before(fake, tmp_path, **over) as http:
        fake.credits = 27_342
        response = await http.post(path, json=body | {"model": GPT})
        assert response.status_code == 200, response.text
        assert "done" in response.text
        assert statuses(fake) == [402, 200]
        assert fake.calls(CHAT)[-1].request[LIMIT] == 27_342
        fake.credits = None
        assert (await http.post(path, json=body | {"model": GPT})).status_code == 200
        assert fake.calls(CHAT)[-1].request.get(LIMIT) == body.get("max_tokens")  # there is money again


@pytest.mark.parametrize("given", [{"max_tokens": 40_000}, {LIMIT: 40_000}])
async def test_a_chat_callers_own_limit_is_cut_to_what_can_be_afforded(given: Json, tmp_path: Path) -> None:
    path, body = BODIES["openai-chat"]
    async with FakeOpenRouter() as fake, before(fake, tmp_path) as http:
        fake.credits = 27_342
        response = await http.post(path, json=body | given | {"model": GPT})
        assert response.status_code == 200, response.text
        sent = fake.calls(CHAT)[-1].request
        assert [sent.get("max_tokens"), sent.get(LIMIT)] == [None, 27_342]


@pytest.mark.parametrize("dialect", BODIES)
async def test_what_can_hardly_be_afforded_is_a_used_up_quota(dialect: str, tmp_path: Path) -> None:
    path, body = BODIES[dialect]
    async with FakeOpenRouter() as fake, before(fake, tmp_path) as http:
        fake.credits = 500
        response = await http.post(path, json=body | {"model": GPT})
        assert response.status_code in (402, 429)
        assert "can only afford 500" in response.text
        assert statuses(fake) == [402]


async def test_a_prompt_that_cannot_be_afforded_keeps_no_key_from_a_shorter_one(tmp_path: Path) -> None:
    """The words are those of continuedev/continue issue 11227: what is left would pay for another prompt."""
    said = "Prompt tokens limit exceeded: 64128 > 6964. To increase, visit https://openrouter.ai/settings/credits"
    error = {"status": 402, "error": {"message": said, "code": 402}}
    path, body = BODIES["anthropic"]
    async with FakeOpenRouter() as fake:
        upstream = {"type": "openai", "base_url": f"{fake.url}/v1", "api_key": ["key-1", "key-2"], "models": [GPT]}
        async with before(fake, tmp_path, upstream={"router": upstream}) as http:
            for _ in range(2):
                fake.script.push("!refuse " + json.dumps(error))
            over = await http.post(path, json=body | {"model": GPT})
            assert (over.status_code, said in over.text) == (429, True)
            assert statuses(fake) == [402, 402]
            assert (await http.post(path, json=body | {"model": GPT})).status_code == 200


async def test_another_key_serves_what_cannot_be_afforded_twice(tmp_path: Path) -> None:
    path, body = BODIES["anthropic"]
    said = "This request requires more credits. You requested up to 32000 tokens, but can only afford"
    async with FakeOpenRouter() as fake:
        upstream = {"type": "openai", "base_url": f"{fake.url}/v1", "api_key": ["key-1", "key-2"], "models": [GPT]}
        async with before(fake, tmp_path, upstream={"router": upstream}) as http:
            for left in (9000, 5000):
                error = {"message": f"{said} {left}.", "code": 402}
                fake.script.push("!refuse " + json.dumps({"status": 402, "error": error}))
            response = await http.post(path, json=body | {"model": GPT})
            assert response.status_code == 200, response.text
            assert [(call.credential, call.status) for call in fake.calls(CHAT)] == [
                ("key-1", 402),
                ("key-1", 402),
                ("key-2", 200),
            ]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("fake", [FakeOpenAI(), FakeOpenAI(plain=True), FakeOpenRouter()])
async def test_clients_of_openrouter_ask_for_tokens_as_there(fake: FakeOpenAI, strict: bool, tmp_path: Path) -> None:
    """LiteLLM's `openrouter/` always sends it, and OpenRouter's provider for the AI SDK if it is told to."""
    over: Json = {"translate": {"lossy": "strict"}} if strict else {}
    model = "gpt-4.1" if type(fake) is FakeOpenAI else GPT
    body = {"model": f"router/{model}", "messages": [{"role": "user", "content": "hi"}], "usage": {"include": True}}
    async with fake, before(fake, tmp_path, **over) as http:
        whole = await http.post("/v1/chat/completions", json=body)
        assert whole.status_code == 200, whole.text
        assert whole.json()["usage"]["prompt_tokens"] > 0
        streamed = await http.post("/v1/chat/completions", json=body | {"stream": True})
        assert streamed.status_code == 200, streamed.text
        assert '"prompt_tokens":' in streamed.text.splitlines()[-4]
        assert "x-gateway-lossy" not in streamed.headers
        assert [call.status for call in fake.calls(CHAT)][-2:] == [200, 200]


async def test_clients_of_openrouter_get_no_tokens_of_a_stream_unasked(tmp_path: Path) -> None:
    async with FakeOpenRouter() as fake, before(fake, tmp_path) as http:
        body = {"model": GPT, "messages": [{"role": "user", "content": "hi"}], "stream": True}
        for asked in ({}, {"usage": {"include": False}}):
            response = await http.post("/v1/chat/completions", json=body | asked)
            assert response.status_code == 200, response.text
            assert "prompt_tokens" not in response.text
