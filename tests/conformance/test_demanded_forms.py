"""What servers demand of the form of messages: no role of developers, and texts that are no lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.test_demanded import CALLED, PICTURE, TOOL, USER, before, messages, statuses, system
from tests.fakes.openai_api import CHAT, FakeOpenAI

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

PARTS = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def refusal(message: str, status: int = 400, **error: Any) -> str:
    """Direct the fake to refuse one call."""
    return "!refuse " + json.dumps({"status": status, "error": {"message": message, **error}})


@pytest.mark.parametrize(
    "message",
    [
        # NeuroAIHub/BrainPilot#549
        "developer is not one of ['system', 'assistant', 'user', 'tool', 'function']",
        # vastsa/PI-Desktop#30
        "Error from provider (Console Go): Upstream request failed: [1214] Incorrect role information",
        (
            "Failed to deserialize the JSON body into the target type: messages[0].role: unknown variant `developer`, "
            "expected one of `system`, `user`, `assistant`, `tool` at line 1 column 40"
        ),
        "Input tag 'developer' found using 'role' does not match any of the expected tags: 'system', 'user'",
        # tusharmath/forgecode#1177 has it for system
        "Unsupported value: 'messages[0].role' does not support 'developer' with this model.",
    ],
)
async def test_a_server_without_the_role_of_developers_gets_the_systems_and_is_remembered(
    message: str, tmp_path: Path
) -> None:
    body = {"model": "ep-1", "messages": [system(role="developer"), USER], "min_p": 0.1}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        fake.script.push(refusal(message))
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json=body)
            assert response.status_code == 200, response.text
        assert statuses(fake) == [400, 200, 200]
        assert messages(fake) == [system(), USER]


@pytest.mark.parametrize(
    "message",
    [
        # anomalyco/opencode#30381, TencentCloud/TencentDB-Agent-Memory#1313
        (
            "AiError: Bad input: Error: oneOf at '/' not met, 0 matches: required properties at '/' are 'prompt', Type "
            "mismatch of '/messages/0/content', 'array' not in 'string'"
        ),
        "AiError: Bad input: Error: oneOf at '/' not met",
        (
            "'messages.0' : for 'role:system' the following must be satisfied[('messages.0.content' : value must be a "
            "string)]"
        ),
        (
            "Failed to deserialize the JSON body into the target type: messages[0]: invalid type: sequence, expected a "
            "string at line 1 column 92"
        ),
    ],
)
async def test_a_server_that_takes_texts_only_gets_no_parts_and_no_null(message: str, tmp_path: Path) -> None:
    calls = {"role": "assistant", "content": None, "tool_calls": [CALLED]}
    result = {"role": "tool", "tool_call_id": "c1", "content": PARTS}
    given = [system(PARTS), {"role": "user", "content": [PICTURE]}, calls, result, USER]
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        fake.script.push(refusal(message))
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json={"model": "ep-1", "messages": given})
            assert response.status_code == 200, response.text
        assert statuses(fake) == [400, 200, 200]
        assert messages(fake) == [
            system("a\n\nb"),
            {"role": "user", "content": [PICTURE]},
            calls | {"content": ""},
            {"role": "tool", "tool_call_id": "c1", "content": "a\n\nb"},
            USER,
        ]


async def test_a_message_that_says_nothing_at_all_is_an_empty_text_for_openai(tmp_path: Path) -> None:
    silent: Json = {"role": "assistant", "content": None}
    others = [silent | {"tool_calls": [CALLED]}, {"role": "tool", "tool_call_id": "c1", "content": PARTS}]
    others += [silent | {"refusal": "No."}, USER]
    body: Json = {"model": "gpt-4.1", "messages": [USER, silent, USER, silent | {"tool_calls": []}, USER, *others]}
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, ["gpt-4.1"]) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json=body)
            assert response.status_code == 200, response.text
        assert statuses(fake) == [400, 200, 200]
        said = {"role": "assistant", "content": ""}
        assert messages(fake) == [USER, said, USER, said, USER, *others]


async def test_an_empty_list_of_words_is_null_with_calls_and_an_empty_text_without_for_openai(tmp_path: Path) -> None:
    """ADK by LiteLLM: what a model has only thought before a call, or a tool has not said."""
    calling: Json = {"role": "assistant", "content": [], "tool_calls": [CALLED], "reasoning_content": "two"}
    result: Json = {"role": "tool", "tool_call_id": "c1", "content": []}
    body: Json = {"model": "gpt-5", "messages": [USER, calling, result, {"role": "assistant", "content": []}, USER]}
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, ["gpt-5"]) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json=body)
            assert response.status_code == 200, response.text
        called = {"role": "assistant", "content": None, "tool_calls": [CALLED]}
        said = {"role": "assistant", "content": ""}
        assert messages(fake) == [USER, called, result | {"content": ""}, said, USER]
        assert statuses(fake)[-1] == 200


async def test_callers_of_other_dialects_get_the_same_from_such_a_server(tmp_path: Path) -> None:
    use = {"type": "tool_use", "id": "c1", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "ok"}
    talk = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [use]}]
    body = {"model": "ep-1", "max_tokens": 9, "messages": [*talk, {"role": "user", "content": [result]}]}
    words = "AiError: Bad input: Error: Type mismatch of '/messages/1/content', 'null' not in 'string'"
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        fake.script.push(refusal(words))
        response = await http.post("/v1/messages", json=body)
        assert response.status_code == 200, response.text
        assert [one["content"] for one in messages(fake)] == ["hi", "", "ok"]


@pytest.mark.parametrize(
    "message",
    [
        # RooCodeInc/Roo-Code#10334, livekit/agents#3134
        "Tools with mixed values for 'strict' are not allowed. Please set all tools to 'strict: true'",
        "Tools with strict=True are not supported by this model",
        "body.tools.0.function.strict: property 'body.tools.0.function.strict' is unsupported",
    ],
)
@pytest.mark.parametrize("native", [True, False])
async def test_tools_are_loose_where_they_may_not_be_strict_one_by_one(
    message: str, native: bool, tmp_path: Path
) -> None:
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    strict = {"name": "g", "parameters": schema, "strict": True}
    path, body = "/v1/chat/completions", Json(tools=[{"type": "function", "function": strict}, TOOL])
    if not native:
        path, body = "/v1/responses", Json(tools=[strict | {"type": "function"}], store=False)
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        fake.script.push(refusal(message, 422))
        for _ in range(2):
            response = await http.post(path, json=body | {"model": "ep-1", "messages" if native else "input": [USER]})
            assert response.status_code == 200, response.text
        sent = [["strict" in tool["function"] for tool in call.request["tools"]] for call in fake.calls(CHAT)]
        rest = [False, False] if native else [False]
        assert sent == [[True, *rest[1:]], rest, rest]


@pytest.mark.parametrize(
    "message",
    [
        "This model does not support assistant message prefill. The conversation must end with a user message.",
        "Requests ending with a model turn are not supported.",
    ],
)
async def test_a_model_is_asked_for_the_rest_of_what_its_caller_has_begun(tmp_path: Path, message: str) -> None:
    """Claude at OpenRouter or GitHub, and Google's own OpenAI API."""
    begun = {"role": "assistant", "content": "It is"}
    more = {"role": "user", "content": "Continue from where you stopped."}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path) as http:
        fake.script.push(refusal(message))
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json={"model": "ep-1", "messages": [USER, begun]})
            assert (response.status_code, response.headers["x-gateway-lossy"]) == (200, "1")
        assert messages(fake) == [USER, begun, more]
        response = await http.post("/v1/chat/completions", json={"model": "ep-1", "messages": [USER]})
        assert "x-gateway-lossy" not in response.headers
        assert statuses(fake) == [400, 200, 200, 200]
