"""Ids of calls that another model has made, before models that want them in a form of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.testing.fake import FakeUpstream, Received, Reply
from tests.conformance.test_demanded import MISTRAL, before, messages, statuses
from tests.conformance.test_unanswered_calls import MODEL, by_responses
from tests.fakes.openai_api import RESPONSES, FakeOpenAI
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

KIMI = "moonshotai/Kimi-K2-Instruct"
CHATS = "/v1/chat/completions"
VLLM = "chatcmpl-tool-0123456789abcdef0123456789abcdef"  # longer than OpenAI allows
SCHEMA: Json = {"type": "object", "properties": {}}
TOOLS: Json = {
    CHATS: [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("f", "g")],
    "/v1/messages": [{"name": name, "input_schema": SCHEMA} for name in ("f", "g")],
    "/v1/responses": [{"type": "function", "name": name, "parameters": SCHEMA, "strict": False} for name in "fg"],
}


def asked(path: str, model: str, *ids: str) -> Json:
    """Make a conversation in which f and g were called, at once."""
    body: Json = {"model": model, "tools": TOOLS[path]}
    called = [*zip(ids, ("f", "g"), strict=True)]
    user: Json = {"role": "user", "content": "hi"}
    if path == CHATS:
        calls = [{"id": one, "type": "function", "function": {"name": n, "arguments": "{}"}} for one, n in called]
        results = [{"role": "tool", "tool_call_id": one, "content": "!say done"} for one in ids]
        return body | {"messages": [user, {"role": "assistant", "content": None, "tool_calls": calls}, *results]}
    if path == "/v1/responses":
        items = [{"type": "function_call", "call_id": one, "name": n, "arguments": "{}"} for one, n in called]
        outputs = [{"type": "function_call_output", "call_id": one, "output": "!say done"} for one in ids]
        return body | {"store": False, "input": [user, *items, *outputs]}
    uses: list[Json] = [{"type": "tool_use", "id": one, "name": n, "input": {}} for one, n in called]
    told = [{"type": "tool_result", "tool_use_id": one, "content": "!say done"} for one in ids]
    said: Json = {"role": "assistant", "content": uses}
    return body | {"max_tokens": 100, "messages": [user, said, {"role": "user", "content": told}]}


def ids_in(fake: FakeOpenAI) -> tuple[list[str], list[str]]:
    """Give the ids of the calls and those of the results that went upstream last."""
    sent = messages(fake)
    calls = [call["id"] for one in sent for call in one.get("tool_calls") or ()]
    return calls, [one["tool_call_id"] for one in sent if one["role"] == "tool"]


async def test_a_chat_goes_on_at_mistral_that_began_elsewhere(tmp_path: Path) -> None:
    """Mistral refuses ids of others (code 3280); Chat Completions pass as they are until then."""
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        for _ in range(2):
            response = await http.post(CHATS, json=asked(CHATS, MISTRAL, "call_1", "D681PevKs"))
            assert response.status_code == 200, response.text
        assert statuses(fake) == [400, 200, 200]
        calls, results = ids_in(fake)
        assert calls == results
        assert (len(calls[0]), calls[0].isalnum(), calls[1]) == (9, True, "D681PevKs")


async def test_a_chat_goes_on_at_openai_with_ids_that_are_too_long_there(tmp_path: Path) -> None:
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, ["gpt-4.1"]) as http:
        for _ in range(2):
            response = await http.post(CHATS, json=asked(CHATS, "gpt-4.1", VLLM, "call_2"))
            assert response.status_code == 200, response.text
        assert statuses(fake) == [400, 200, 200]
        calls, results = ids_in(fake)
        assert calls == results
        assert (calls[0] != VLLM, len(calls[0]) <= 40, calls[1]) == (True, True, "call_2")


async def test_responses_go_on_at_openai_with_ids_that_are_too_long_there(tmp_path: Path) -> None:
    """LiteLLM writes signatures into the ids of Gemini's calls."""
    path, given = "/v1/responses", f"call_1__thought__{'AAAA' * 50}"
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, **by_responses(fake)) as http:
        for _ in range(2):
            response = await http.post(path, json=asked(path, MODEL, given, "call_2"))
            assert response.status_code == 200, response.text
        asked_for = fake.calls(RESPONSES)
        assert [one.status for one in asked_for] == [400, 200, 200]
        ids = [item["call_id"] for item in asked_for[-1].request["input"] if "call_id" in item]
        assert ids[:2] == ids[2:]
        assert (ids[0].startswith("call_"), len(ids[0]) <= 64, ids[1]) == (True, True, "call_2")


@pytest.mark.parametrize("path", TOOLS)
async def test_kimi_is_told_of_calls_by_numbered_ids(path: str, tmp_path: Path) -> None:
    """Behind ids of another form it ends its turn without a word: MoonshotAI/Kimi-K2 docs/tool_call_guidance.md."""
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path, [KIMI]) as http:
        response = await http.post(path, json=asked(path, KIMI, "toolu_1", "functions.g:7"))
        assert response.status_code == 200, response.text
        assert statuses(fake) == [200]
        assert ids_in(fake) == (["functions.f:0", "functions.g:1"], ["functions.f:0", "functions.g:1"])


async def test_a_server_that_does_not_take_kimis_ids_gets_others(tmp_path: Path) -> None:
    """OpenAI's models, and Claude, are also served by others, in whose words they refuse ids (litellm PR 31094)."""
    refused = {"message": "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path, [KIMI]) as http:
        fake.script.push("!refuse " + json.dumps({"status": 400, "error": refused}))
        response = await http.post(CHATS, json=asked(CHATS, KIMI, "functions.f:0", "functions.g:1"))
        assert response.status_code == 200, response.text
        calls, results = ids_in(fake)
        assert calls == results
        assert all(len(one) == 9 and one.isalnum() for one in calls)


async def test_ids_that_kimi_made_pass_as_they_are(tmp_path: Path) -> None:
    own = "functions.f:3", "functions.g:4"
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path, [KIMI]) as http:
        response = await http.post(CHATS, json=asked(CHATS, KIMI, *own))
        assert response.status_code == 200, response.text
        assert ids_in(fake) == ([*own], [*own])


def vllm(_: Received) -> Reply:
    """Answer as a server with Anthropic's API that takes any id."""
    said: Json = {"id": "msg_1", "type": "message", "role": "assistant", "model": KIMI, "content": []}
    usage = {"input_tokens": 1, "output_tokens": 1}
    return Reply.events(
        {"type": "message_start", "message": said | {"stop_reason": None, "stop_sequence": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "done"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    )


@pytest.mark.parametrize(
    ("ids", "sent"),
    [
        (("toolu_1", "functions.g:7"), ["functions.f:0", "functions.g:1"]),
        (("functions.f:3", "functions.g:4"), ["functions.f:3", "functions.g:4"]),
    ],
)
@pytest.mark.parametrize("path", TOOLS)
async def test_kimi_behind_anthropics_api_is_told_so_too(
    path: str, ids: tuple[str, str], sent: list[str], tmp_path: Path
) -> None:
    """BerriAI/litellm#32214: with ids made legal for Claude, each of Claude Code's turns stopped early."""
    async with FakeUpstream(answer=vllm) as fake:
        table: Json = {"type": "anthropic", "base_url": fake.url, "api_key": "k", "models": [KIMI]}
        config: Json = {"server": {"data_dir": str(tmp_path)}, "log": {"level": "error"}, "upstream": {"vllm": table}}
        async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
            response = await http.post(path, json=asked(path, KIMI, *ids) | {"stream": True})
            assert response.status_code == 200, response.text
        blocks = [block for one in fake.requests[-1].json()["messages"][1:] for block in one["content"]]
        uses = [block["id"] for block in blocks if block["type"] == "tool_use"]
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        assert (uses, results) == (sent, sent)


@pytest.mark.parametrize("path", [CHATS, "/v1/messages"])
async def test_a_server_with_anthropics_api_that_does_not_take_them_gets_legal_ones(path: str, tmp_path: Path) -> None:
    words = "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
    refused = Reply.json({"type": "error", "error": {"type": "invalid_request_error", "message": words}}, 400)
    async with FakeUpstream(refused, answer=vllm) as fake:
        table: Json = {"type": "anthropic", "base_url": fake.url, "api_key": "k", "models": [KIMI]}
        config: Json = {"server": {"data_dir": str(tmp_path)}, "log": {"level": "error"}, "upstream": {"vllm": table}}
        async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
            for _ in range(2):
                response = await http.post(path, json=asked(path, KIMI, "functions.f:0", "c2") | {"stream": True})
                assert response.status_code == 200, response.text
        first, *others = (received.json()["messages"][1]["content"] for received in fake.requests)
        assert [block["id"] for block in first] == ["functions.f:0", "functions.g:1"]
        assert len(others) == 2
        assert all("." not in block["id"] and other[1]["id"] == "c2" for other in others for block in other)
