"""What templates demand of messages: one message of the system's, which leads, and thoughts with each answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from tests.fakes.openai_api import CHAT, FakeOpenAI
from tests.serving import serve

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

QWEN, DEEPSEEK, KIMI, GGUF = "qwen3.8-27b", "deepseek-v4-pro", "kimi-k2.5", "qwen3-8b.gguf"
MINIMAX, MIMO, MISTRAL = "minimax-m2", "mimo-v2.5-pro", "mistral-large-2512"
GPT_OSS = "gpt-oss-120b"
MODELS = (QWEN, DEEPSEEK, KIMI, GGUF, MINIMAX, MIMO, MISTRAL, GPT_OSS, "ep-1")
RULE = "<system-reminder>\nBe kind.\n</system-reminder>"
NO_ARGUMENTS: Json = {"type": "object", "properties": {}}
TOOL: Json = {"type": "function", "function": {"name": "f", "parameters": NO_ARGUMENTS}}
CALLED: Json = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@asynccontextmanager
async def before(
    fake: FakeOpenAI, folder: Path, models: Sequence[str] = MODELS, **over: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Run a gateway that knows nothing of others."""
    table: Json = {
        "type": "openai",
        "base_url": f"{fake.url}/v1",
        "models": [*models],
    }
    config: Json = {"server": {"data_dir": str(folder)}, "log": {"level": "error"}, "upstream": {"other": table}}
    async with serve(create_app(config | over)) as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
        yield http


def statuses(fake: FakeOpenAI) -> list[int]:
    return [call.status for call in fake.calls(CHAT)]


def messages(fake: FakeOpenAI) -> list[Json]:
    found: list[Json] = fake.calls(CHAT)[-1].request["messages"]
    return found


def system(content: Any = "Be kind.", role: str = "system") -> Json:
    return {"role": role, "content": content}


USER, AGAIN = {"role": "user", "content": "hi"}, {"role": "user", "content": "!say done"}
SAID = {"role": "assistant", "content": "yes"}
PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
ASKED: dict[str, tuple[str, Json]] = {
    "openai-chat": (
        "/v1/chat/completions",
        {"messages": [system("Be brief."), USER, SAID, AGAIN, system(role="developer")]},
    ),
    "openai-responses": (
        "/v1/responses",
        {"instructions": "Be brief.", "store": False, "input": [USER, SAID, AGAIN, system(role="developer")]},
    ),
    "anthropic": (
        "/v1/messages",
        {"max_tokens": 100, "system": "Be brief.", "messages": [USER, SAID, AGAIN, system()]},
    ),
}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("dialect", ASKED)
async def test_the_user_says_instructions_within_a_conversation(dialect: str, strict: bool, tmp_path: Path) -> None:
    path, body = ASKED[dialect]
    over: Json = {"translate": {"lossy": "strict"}} if strict else {}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path, **over) as http:
        for _ in range(2):
            response = await http.post(path, json=body | {"model": QWEN})
            assert response.status_code == 200, response.text
            assert "done" in response.text
        assert statuses(fake) == [400, 200, 200]
        assert messages(fake) == [
            system("Be brief."),
            USER,
            SAID,
            {"role": "user", "content": f"!say done\n\n{RULE}"},
        ]


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic"])
async def test_mistral_gets_an_answer_behind_results_and_no_later_instructions(dialect: str, tmp_path: Path) -> None:
    path, body = CALLS[dialect]
    body = body | {"messages": [*body["messages"], system()]}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        for _ in range(2):
            response = await http.post(path, json=body | {"model": MISTRAL})
            assert response.status_code == 200, response.text
        assert statuses(fake) == ([400, 400, 400, 200, 200] if dialect == "openai-chat" else [400, 200, 200])
        roles = [one["role"] for one in messages(fake)]
        assert roles == ["user", "assistant", "user", "assistant", "tool", "assistant", "user"]
        assert messages(fake)[-2:] == [{"role": "assistant", "content": "OK."}, {"role": "user", "content": RULE}]


async def test_ollama_says_so_with_a_500(tmp_path: Path) -> None:
    path, body = ASKED["anthropic"]
    error = {"message": "system message must be at the beginning", "type": "api_error", "param": None, "code": None}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        fake.script.push("!refuse " + json.dumps({"status": 500, "error": error}))
        response = await http.post(path, json=body | {"model": "ep-1"})
        assert response.status_code == 200, response.text
        assert [one["role"] for one in messages(fake)] == ["system", "user", "assistant", "user"]


async def test_a_chat_caller_keeps_the_rest_of_its_words(tmp_path: Path) -> None:
    given = [
        system("a"),
        system([{"type": "text", "text": "b"}], role="developer"),
        {"role": "user", "content": [PICTURE]},
        system(),
        {"role": "assistant", "content": None, "tool_calls": [CALLED]},
        {"role": "tool", "tool_call_id": "c1", "content": "ok"},
        system([{"type": "text", "text": "Be kind."}]),
        USER | {"name": "Ann"},
    ]
    text = {"type": "text", "text": RULE}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        response = await http.post("/v1/chat/completions", json={"model": QWEN, "messages": given, "min_p": 0.10})
        assert response.status_code == 200, response.text
        assert messages(fake) == [
            system([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
            {"role": "user", "content": [PICTURE, text]},
            *given[4:6],
            {"role": "user", "content": RULE},
            USER | {"name": "Ann"},
        ]
        assert b'"min_p":0.1' in fake.calls(CHAT)[-1].raw


CALLS: dict[str, tuple[str, Json]] = {
    "openai-chat": (
        "/v1/chat/completions",
        {
            "tools": [TOOL],
            "messages": [
                USER,
                SAID,
                USER,
                {"role": "assistant", "content": None, "tool_calls": [CALLED]},
                {"role": "tool", "tool_call_id": "c1", "content": "!say done"},
            ],
        },
    ),
    "openai-responses": (
        "/v1/responses",
        {
            "store": False,
            "tools": [{"type": "function", "name": "f", "parameters": NO_ARGUMENTS, "strict": False}],
            "input": [
                USER,
                SAID,
                USER,
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "!say done"},
            ],
        },
    ),
    "anthropic": (
        "/v1/messages",
        {
            "max_tokens": 100,
            "tools": [{"name": "f", "input_schema": NO_ARGUMENTS}],
            "messages": [
                USER,
                SAID,
                USER,
                {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "!say done"}]},
            ],
        },
    ),
}


@pytest.mark.parametrize("model", [DEEPSEEK, KIMI, MIMO])
@pytest.mark.parametrize("dialect", CALLS)
async def test_an_answer_without_thoughts_has_a_blank_where_they_are_demanded(
    dialect: str, model: str, tmp_path: Path
) -> None:
    path, body = CALLS[dialect]
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        for _ in range(2):
            response = await http.post(path, json=body | {"model": model})
            assert response.status_code == 200, response.text
        if model != KIMI or dialect == "openai-chat":
            assert statuses(fake) == [400, 200, 200]
            assert [one["reasoning_content"] for one in messages(fake) if one["role"] == "assistant"] == [" ", " "]
        else:
            assert statuses(fake) == [200, 200]


async def test_thoughts_go_back_to_a_model_of_another_name_that_demands_them(tmp_path: Path) -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    path, body = CALLS["openai-responses"]
    given = [*body["input"][:3], thought, *body["input"][3:]]
    missing = {"message": "The `reasoning_content` in the thinking mode must be passed back to the API."}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        fake.script.push("!refuse " + json.dumps({"status": 400, "error": missing}))
        response = await http.post(path, json=body | {"model": "ep-1", "input": given})
        assert response.status_code == 200, response.text
        assert [one["reasoning_content"] for one in messages(fake) if one["role"] == "assistant"] == [" ", "hm"]


async def test_thoughts_of_a_model_that_is_served_by_another_are_left_out_once_refused(tmp_path: Path) -> None:
    """Groq and Cerebras serve Kimi, and refuse the field."""
    refused = {"message": "messages.3.assistant.reasoning_content: property 'reasoning_content' is unsupported"}
    path, body = CALLS["anthropic"]
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        fake.script.push("!refuse " + json.dumps({"status": 400, "error": refused}))
        response = await http.post(path, json=body | {"model": "kimi-k2-instruct"})
        assert response.status_code == 200, response.text
        assert ["reasoning_content" in str(call.request) for call in fake.calls(CHAT)] == [True, False]


BOUND: Json = {
    "type": "object",
    "properties": {
        "pattern": {"type": "string", "description": "A date.", "pattern": "^[0-9]+$", "maxLength": 65536},
        "list": {"type": "array", "items": {"type": "string", "maxLength": 2000}, "maxItems": 50},
    },
    "required": ["pattern"],
}
UNBOUND: Json = {
    "type": "object",
    "properties": {
        "pattern": {"type": "string", "description": "A date. (pattern: ^[0-9]+$, maxLength: 65536)"},
        "list": {
            "type": "array",
            "items": {"type": "string", "description": "(maxLength: 2000)"},
            "description": "(maxItems: 50)",
        },
    },
    "required": ["pattern"],
}
BOUNDED: dict[str, tuple[str, Json]] = {
    "openai-chat": (
        "/v1/chat/completions",
        {"messages": [AGAIN], "tools": [{"type": "function", "function": {"name": "f", "parameters": BOUND}}, TOOL]},
    ),
    "openai-responses": (
        "/v1/responses",
        {"store": False, "input": [AGAIN], "tools": [{"type": "function", "name": "f", "parameters": BOUND}]},
    ),
    "anthropic": (
        "/v1/messages",
        {"max_tokens": 100, "messages": [AGAIN], "tools": [{"name": "f", "input_schema": BOUND}]},
    ),
}


@pytest.mark.parametrize("dialect", BOUNDED)
async def test_bounds_are_said_in_words_where_no_grammar_holds_them(dialect: str, tmp_path: Path) -> None:
    path, body = BOUNDED[dialect]
    if dialect == "openai-chat":
        body = body | {"tools": [body["tools"][0], TOOL | {"function": TOOL["function"] | {"name": "g"}}]}
    over: Json = {"translate": {"lossy": "strict"}}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path, **over) as http:
        for _ in range(2):
            response = await http.post(path, json=body | {"model": GGUF})
            assert response.status_code == 200, response.text
        assert statuses(fake) == [400, 200, 200]
        tools = fake.calls(CHAT)[-1].request["tools"]
        assert tools[0]["function"]["parameters"] == UNBOUND
        assert tools[1:] == body["tools"][1:]


FLAVORED: Json = {
    "type": "object",
    "properties": {
        "skill": {"type": "string", "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "page": {"$ref": "#/definitions/Page", "description": "which"},
        "any": True,
        "when": {"type": ["string", "null"], "format": "date-time"},
        "size": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
    },
    "anyOf": [{"required": ["skill"]}, {"required": ["page"]}],
    "definitions": {"Page": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
}
PLAINLY: Json = {
    "type": "object",
    "properties": {
        "skill": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "page": {
            "type": "object",
            "properties": {"id": {"type": "string"}},
            "required": ["id"],
            "description": "which",
        },
        "any": {"type": "object"},
        "when": {"description": "(format: date-time)", "anyOf": [{"type": "string"}, {"type": "null"}]},
        "size": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
    },
}


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic"])
async def test_schemas_of_tools_get_moonshots_form(dialect: str, tmp_path: Path) -> None:
    """MoonshotAI/kimi-code#2661, can1357/oh-my-pi#5952, NousResearch/hermes-agent#14804."""
    path, body = BOUNDED[dialect]
    body = json.loads(json.dumps(body).replace(json.dumps(BOUND), json.dumps(FLAVORED)))
    if dialect == "openai-chat":
        body["tools"][1]["function"]["name"] = "g"
    over: Json = {"translate": {"lossy": "strict"}}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path, **over) as http:
        for _ in range(2):
            response = await http.post(path, json=body | {"model": "kimi-k3"})
            assert response.status_code == 200, response.text
        assert statuses(fake) == [400, 200, 200]
        tools = fake.calls(CHAT)[-1].request["tools"]
        assert tools[0]["function"]["parameters"] == PLAINLY
        assert tools[1:] == body["tools"][1:]


def calling(arguments: str) -> Json:
    """Say a call as the model has made it."""
    return CALLED | {"function": {"name": "f", "arguments": arguments}}


async def test_arguments_that_were_cut_off_stand_in_an_object(tmp_path: Path) -> None:
    """vllm-project/vllm#43995, HKUDS/nanobot#1487: the conversation goes on."""
    cut, whole = '{"text": "He said', '{"a": 1}'
    calls = [calling(cut), calling(whole) | {"id": "c2"}, calling("") | {"id": "c3"}]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "x"} for call in calls]
    said = {"role": "assistant", "content": None, "tool_calls": calls}
    body = {"model": QWEN, "messages": [USER, said, *results, AGAIN], "tools": [TOOL]}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json=body)
            assert response.status_code == 200, response.text
        assert statuses(fake) == [400, 200, 200]
        sent = [call["function"]["arguments"] for call in messages(fake)[1]["tool_calls"]]
        assert sent == [json.dumps({"input": cut}, separators=(",", ":")), whole, "{}"]
        assert messages(fake)[2:] == body["messages"][2:]


@pytest.mark.parametrize("content", ["Let me look.", [{"type": "text", "text": "Let me look."}]])
async def test_what_gpt_oss_says_before_a_call_is_one_of_its_thoughts(content: Any, tmp_path: Path) -> None:
    """openclaw/openclaw#6514: LM Studio and llama.cpp."""
    calls = {"role": "assistant", "tool_calls": [CALLED]}
    result = {"role": "tool", "tool_call_id": "c1", "content": "x"}
    said = calls | {"content": content, "reasoning_content": "hm"}
    others = [calls | {"content": None, "reasoning_content": "so"}, result, calls | {"content": "Again."}, result]
    body = {"model": GPT_OSS, "messages": [USER, said, result, *others, AGAIN], "tools": [TOOL]}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json=body)
            assert response.status_code == 200, response.text
        assert statuses(fake) == [500, 200, 200]
        together = calls | {"content": None, "reasoning_content": "hm\n\nLet me look."}
        assert messages(fake) == [USER, together, result, *others, AGAIN]


async def test_tools_without_parameters_have_none_of_them(tmp_path: Path) -> None:
    """QwenLM/qwen-code#11834."""
    body = {"model": MINIMAX, "messages": [AGAIN], "tools": [TOOL, {"type": "function", "function": {"name": "g"}}]}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json=body)
            assert response.status_code == 200, response.text
        assert statuses(fake) == [400, 200, 200]
        tools = fake.calls(CHAT)[-1].request["tools"]
        assert tools == [TOOL, {"type": "function", "function": {"name": "g", "parameters": NO_ARGUMENTS}}]


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
async def test_the_user_asks_where_there_are_instructions_only(dialect: str, tmp_path: Path) -> None:
    """lmstudio-ai/lmstudio-bug-tracker#1586, anomalyco/opencode#2557."""
    path, field = ("/v1/chat/completions", "messages") if dialect == "openai-chat" else ("/v1/responses", "input")
    body = {"model": QWEN, field: [system("Be brief."), SAID]}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        for _ in range(2):
            response = await http.post(path, json=body)
            assert response.status_code == 200, response.text
        assert statuses(fake) == [400, 200, 200]
        assert messages(fake) == [system("Be brief."), {"role": "user", "content": "(conversation continues)"}, SAID]


@pytest.mark.parametrize("dialect", CALLS)
async def test_a_result_without_words_is_said_to_be_empty(dialect: str, tmp_path: Path) -> None:
    path, body = CALLS[dialect]
    body = json.loads(json.dumps(body).replace("!say done", ""))
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        for _ in range(2):
            response = await http.post(path, json=body | {"model": MINIMAX})
            assert response.status_code == 200, response.text
        assert statuses(fake) == [400, 200, 200]
        *_, call, result = messages(fake)
        assert (call["content"], result["content"]) == (None, "(empty)")
