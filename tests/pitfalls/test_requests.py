"""Requests: roles, limits, options and what a dialect has no word for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.anthropic_api import FORCED
from tests.conformance.openai_api import NUMBERS, SCHEMA, Said
from tests.conformance.served import user, values
from tests.conformance.test_cases_tools import chat_tools, messages_tools
from tests.fakes.anthropic_api import COUNT
from tests.fakes.v1internal_reply import PIXEL
from tests.pitfalls.gateways import (
    ALL,
    CHAT_FORM,
    CLAUDES,
    DIALECTS,
    GOOGLE,
    OPENAI,
    TRANSLATING,
    Alone,
    At,
    each,
    translated,
)

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

DIALECT = pytest.mark.parametrize("dialect", DIALECTS)
TRANSLATED = pytest.mark.parametrize("dialect", TRANSLATING)
EVERY_CLAUDE = (*CLAUDES, "v1internal-claude")

RULED = [user("one"), {"role": "system", "content": "be brief"}, {"role": "assistant", "content": "two"}, user("three")]


@each(*ALL)
async def test_pitfall_11_a_system_message_of_an_anthropic_caller_is_taken(at: At) -> None:
    """Anthropic is asked for a model that takes it itself."""
    at.push("!say ok")
    newer = {"model": f"{at.kind.table}/claude-opus-5-5"} if at.upstream in CLAUDES else {}
    response = await at.messages(*RULED, **newer)
    assert response.json()["content"][0]["text"] == "ok"
    assert "be brief" in json.dumps(at.sent)


@each(*GOOGLE, "v1internal-claude", *OPENAI)
async def test_pitfall_12_it_is_no_turn_of_the_assistant(at: At) -> None:
    at.push("!say ok")
    await at.messages(*RULED)
    (turn,) = [one for one in at.turns if "be brief" in json.dumps(one)]
    assert turn["role"] in (("developer", "system", "user") if at.upstream in OPENAI else ("user",))
    texts = [json.dumps(one) for one in at.turns]
    places = [
        next(place for place, text in enumerate(texts) if word in text) for word in ("one", "be brief", "two", "three")
    ]
    assert places == sorted(places)


@each(*EVERY_CLAUDE)
async def test_pitfall_13_what_the_developer_says_first_is_the_system_prompt(at: At) -> None:
    at.push("!say ok")
    await at.items({"role": "developer", "content": "be brief"}, user("one"))
    system = at.sent["system" if at.upstream in CLAUDES else "systemInstruction"]
    assert "be brief" in json.dumps(system)
    assert "be brief" not in json.dumps(at.turns)


@each(*CLAUDES)
async def test_pitfall_13_what_an_anthropic_caller_s_system_says_first_too(at: At) -> None:
    at.push("!say ok")
    response = await at.messages({"role": "system", "content": "be brief"}, user("one"))
    assert response.json()["content"][0]["text"] == "ok"
    assert "be brief" in json.dumps(at.sent["system"])
    assert ([turn["role"] for turn in at.turns], len(at.calls)) == (["user"], 1)


@each(*CLAUDES)
async def test_an_answer_that_the_caller_has_begun_ends_in_no_blank(at: At) -> None:
    """Dialects.md §5.4."""
    at.push("!say ok")
    assert (await at.messages(user("one"), {"role": "assistant", "content": "So: "})).status_code == 200
    assert at.turns[-1] == {"role": "assistant", "content": "So:"}


REASONING = ("gpt-5", "o4-mini")


@pytest.mark.parametrize("model", REASONING)
@each(*CHAT_FORM)
async def test_pitfall_14_the_limit_has_the_name_that_a_reasoning_model_takes(at: At, model: str) -> None:
    at.push("!say ok")
    await at.messages(user("hi"), max_tokens=100, model=f"{at.kind.table}/{model}")
    assert (at.sent["max_completion_tokens"], "max_tokens" in at.sent, len(at.calls)) == (100, False, 1)


UNSUPPORTED = {
    "message": "Unsupported parameter: '{0}' is not supported with this model. Use '{1}' instead.",
    "type": "invalid_request_error",
    "code": "unsupported_parameter",
}


@DIALECT
@pytest.mark.parametrize("upstream", CHAT_FORM)
async def test_pitfall_14_a_400_that_names_the_other_field_is_corrected_once(
    upstream: str, dialect: str, alone: Alone
) -> None:
    at = await alone(upstream)
    await at.ask(dialect, "!say ok", limit=100)
    field, other = sorted(("max_tokens", "max_completion_tokens"), key=lambda name: name not in at.sent)
    error = UNSUPPORTED | {"message": UNSUPPORTED["message"].format(field, other), "param": field}
    at.push("!refuse " + json.dumps({"status": 400, "error": error}))
    for _ in range(2):
        assert (await at.ask(dialect, "!say ok", limit=100)).text == "ok"
    sent = [[name for name in (field, other) if name in call.request] for call in at.calls]
    assert sent == [[field], [field], [other], [other]]


@pytest.mark.parametrize(
    ("dialect", "temperature"),
    [
        ("openai-chat", {"temperature": 0.3}),
        ("openai-responses", {"temperature": 0.3}),
        ("anthropic", {"temperature": 0.3}),
        ("gemini", {"generationConfig": {"temperature": 0.3, "thinkingConfig": {"thinkingBudget": 1024}}}),
    ],
)
@each(*CLAUDES)
async def test_pitfall_15_no_temperature_goes_with_thoughts(at: At, dialect: str, temperature: Json) -> None:
    at.push("!say ok")
    told = await at.ask(dialect, thinks=True, more=temperature)
    assert told.text == "ok"
    assert at.sent["thinking"]["type"] == "enabled"
    assert at.sent.get("temperature", 1) == 1
    assert len(at.calls) == 1


@pytest.mark.parametrize("drawn", [{"temperature": 0.3}, {"top_p": 0.3}, {"top_k": 5}])
@each("anthropic")
async def test_pitfall_15_who_does_not_think_keeps_it_all_the_same(at: At, drawn: Json) -> None:
    for thinks in (True, False, True):
        at.push("!say ok")
        assert (await at.ask("anthropic", thinks=thinks, more=drawn)).text == "ok"
        assert ("thinking" in at.sent, drawn.items() <= at.sent.items()) == (thinks, not thinks)


MARK: Json = {"cache_control": {"type": "ephemeral"}}
SHOT: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}, **MARK}
MARKED: Json = {
    "system": [{"type": "text", "text": "be brief", **MARK}],
    "tools": [{**messages_tools("f")[0], **MARK}],
    "messages": [
        user([{"type": "text", "text": "!tool f {}", **MARK}]),
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}, **MARK}]},
        user(
            [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "4", **MARK}, SHOT],
                    **MARK,
                }
            ]
        ),
    ],
    **MARK,
}


@each(*GOOGLE, "v1internal-claude", *OPENAI)
async def test_pitfall_16_no_cache_mark_is_left_at_any_depth(at: At) -> None:
    at.push("!say ok")
    response = await at.post("/v1/messages", {"max_tokens": 100, **MARKED})
    assert response.status_code == 200, response.text
    assert "cache_control" not in at.calls[-1].raw.decode()


@each(*CLAUDES)
async def test_pitfall_17_a_thought_has_no_cache_mark_and_all_else_keeps_its_own(at: At) -> None:
    at.push("!think hm\n!redacted secret\n!tool f {}", "!say ok")
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "tools": messages_tools("f")}
    blocks = (await at.messages(user("go"), **thinking)).json()["content"]
    assert [block["type"] for block in blocks] == ["thinking", "redacted_thinking", "tool_use"]
    marked = {"role": "assistant", "content": [{**block, **MARK} for block in blocks]}
    result = {"type": "tool_result", "tool_use_id": blocks[-1]["id"], "content": "4", **MARK}
    await at.messages(user("go"), marked, user([result]), **thinking)
    _, assistant, last = at.turns
    assert assistant["content"] == [*blocks[:2], {**blocks[2], **MARK}]
    assert last["content"] == [result]


LONG = "mcp__server__" + "x" * 77


def names_of(sent: Any) -> list[str]:
    """Find the names of the declared tools."""
    return [name for tool in sent["tools"] for name in values("name", _declared(tool))]


def _declared(tool: Json) -> Any:
    declared = tool.get("functionDeclarations") or [tool.get("function", tool)]
    return [{"name": one["name"]} for one in declared]


@pytest.mark.parametrize("stream", [True, False])
@translated()
async def test_pitfall_18_a_name_of_90_letters_is_legal_there_and_itself_here(
    at: At, dialect: str, stream: bool
) -> None:
    names = [LONG + "y", LONG + "z"]
    at.push("!say ok")
    await at.ask(dialect, tools=names)
    sent = names_of(at.sent)
    assert len({*sent}) == 2
    assert all(len(name) <= 64 for name in sent)
    at.push(f'!tool {sent[1]} {{"a": 1}}')
    (call,) = (await at.ask(dialect, tools=names, stream=stream)).calls
    assert (names_of(at.sent), call.name) == (sent, names[1])


@pytest.mark.parametrize("choice", ["any", "tool"])
@DIALECT
@each(*CLAUDES)
async def test_pitfall_19_a_forced_tool_gives_way_to_thoughts(at: At, dialect: str, choice: str) -> None:
    named: dict[str, Json] = {
        "openai-chat": {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        "openai-responses": {"tool_choice": {"type": "function", "name": "f"}},
        "anthropic": {"tool_choice": {"type": "tool", "name": "f"}},
        "gemini": {"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}},
    }
    at.push("!say ok")
    response = await at.response(
        dialect, thinks=True, tools=["f"], more=(FORCED if choice == "any" else named)[dialect]
    )
    assert response.status_code == 200, response.text
    assert at.sent["tool_choice"]["type"] == "auto"
    assert at.sent["thinking"]["type"] == "enabled"
    assert int(response.headers["x-gateway-lossy"]) >= 1


SEARCHES: dict[str, Json] = {
    "openai-chat": {"tools": chat_tools("f"), "web_search_options": {}},
    "openai-responses": {"tools": [{"type": "function", "name": "f", "parameters": NUMBERS}, {"type": "web_search"}]},
    "anthropic": {"tools": [*messages_tools("f"), {"type": "web_search_20250305", "name": "web_search"}]},
}


@TRANSLATED
@each("v1internal")
async def test_pitfall_20_beside_functions_v1internal_is_asked_for_no_search(at: At, dialect: str) -> None:
    at.push("!say ok")
    response = await at.response(dialect, more=SEARCHES[dialect])
    assert response.status_code == 200, response.text
    assert values("googleSearch", at.sent) == []
    assert names_of(at.sent) == ["f"]
    assert int(response.headers["x-gateway-lossy"]) >= 1


@each("v1internal", "vertex")
async def test_pitfall_20_a_gemini_callers_services_are_left_out_beside_functions(at: At) -> None:
    at.push("!say ok")
    tools = [{"google_search": {}}, {"functionDeclarations": [{"name": "f"}]}, {"urlContext": {}}]
    config = {"functionCallingConfig": {"mode": "AUTO"}, "includeServerSideToolInvocations": True}
    response = await at.contents({"role": "user", "parts": [{"text": "hi"}]}, tools=tools, toolConfig=config)
    assert at.sent["tools"] == [{"functionDeclarations": [{"name": "f"}]}]
    assert at.sent["toolConfig"] == {"functionCallingConfig": {"mode": "AUTO"}}
    assert response.headers["x-gateway-lossy"] == "2"


@TRANSLATED
@each("gemini")
async def test_pitfall_20_beside_functions_gemini_3_gets_a_tool_of_its_own_and_the_flag(at: At, dialect: str) -> None:
    at.push("!say ok")
    response = await at.response(dialect, more=SEARCHES[dialect])
    assert response.status_code == 200, response.text
    assert sorted(name for tool in at.sent["tools"] for name in tool) == ["functionDeclarations", "googleSearch"]
    assert len(at.sent["tools"]) == 2
    assert at.sent["toolConfig"]["includeServerSideToolInvocations"] is True


@each("vertex")
async def test_pitfall_20_vertex_is_not_asked_for_calls_of_its_own_tools(at: At) -> None:
    at.push("!say ok")
    asked = {"tools": [{"googleSearch": {}}], "toolConfig": {"includeServerSideToolInvocations": True}}
    response = await at.contents({"role": "user", "parts": [{"text": "hi"}]}, **asked)
    assert response.json()["candidates"][0]["content"]["parts"][0]["text"] == "ok"
    assert at.sent["tools"] == asked["tools"]


@TRANSLATED
@each(*GOOGLE)
async def test_pitfall_21_beside_tools_gemini_2_is_asked_for_no_json_type(at: At, dialect: str) -> None:
    at.push("!say {}")
    told = await at.ask(dialect, tools=["f"], schema=SCHEMA, model=at.older)
    assert told.error is None
    assert "responseMimeType" not in at.sent.get("generationConfig", {})
    assert names_of(at.sent) == ["f"]


@each(*GOOGLE)
async def test_pitfall_21_any_json_beside_tools_neither(at: At) -> None:
    at.push("!say {}")
    form = {"response_format": {"type": "json_object"}}
    told = await at.ask("openai-chat", tools=["f"], model=at.older, more=form)
    assert told.error is None
    assert "responseMimeType" not in at.sent.get("generationConfig", {})


HIGH: dict[str, Json] = {
    "openai-chat": {"reasoning_effort": "high"},
    "openai-responses": {"reasoning": {"effort": "high"}},
    "gemini": {"generationConfig": {"thinkingConfig": {"thinkingBudget": 24576}, "maxOutputTokens": 4000}},
}


@pytest.mark.parametrize(
    ("at", "dialect"),
    [(at, dialect) for at in EVERY_CLAUDE for dialect in HIGH],
    indirect=["at"],
)
async def test_pitfall_22_the_budget_is_below_the_limit(at: At, dialect: str) -> None:
    at.push("!say ok")
    told = await at.ask(dialect, limit=4000, more=HIGH[dialect])
    assert told.text == "ok"
    if at.upstream in CLAUDES:
        budget, limit = at.sent["thinking"]["budget_tokens"], at.sent["max_tokens"]
    else:
        config = at.sent["generationConfig"]
        budget, limit = config["thinkingConfig"]["thinkingBudget"], config["maxOutputTokens"]
    assert 1024 <= budget < limit <= 4000


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
@each(*EVERY_CLAUDE)
async def test_pitfall_22_where_there_is_no_room_nothing_is_thought(at: At, dialect: str) -> None:
    at.push("!say ok")
    told = await at.ask(dialect, limit=1024, more=HIGH[dialect])
    assert told.text == "ok"
    assert "thinkingConfig" not in at.sent.get("generationConfig", {})
    assert at.sent.get("thinking", {"type": "disabled"})["type"] == "disabled"


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
@each(*EVERY_CLAUDE)
async def test_pitfall_23_calls_without_their_thoughts_turn_thinking_off(at: At, dialect: str) -> None:
    at.push("!tool f {}", "!say ok")
    calls = (await at.ask(dialect, "go", tools=["f"])).calls
    assert calls
    strange = [type(calls[0])("call_never_heard_of", "f", {})]
    said = [Said("go"), Said(calls=strange, results=("4",))]
    told = await at.ask(dialect, said=said, tools=["f"], thinks=True)
    assert (told.text, told.error) == ("ok", None)
    assert "thinkingConfig" not in at.sent.get("generationConfig", {})
    assert at.sent.get("thinking", {"type": "disabled"})["type"] == "disabled"


@pytest.mark.parametrize(
    ("upstream", "model", "limit"),
    [
        ("anthropic", "claude-sonnet-4-5", 64_000),  # configured
        ("anthropic", "claude-sonnet-4-5-20250929", 64_000),  # not listed, as the next one
        ("vertex-claude", "claude-sonnet-4-5@20250929", 64_000),
    ],
)
async def test_a_messages_caller_who_names_no_limit_gets_that_of_the_model(
    upstream: str, model: str, limit: int, alone: Alone
) -> None:
    at = await alone(upstream)
    at.push("!say ok")
    response = await at.post("/v1/messages", {"messages": [user("hi")], "model": f"{at.kind.table}/{model}"})
    assert response.status_code == 200, response.text
    assert at.sent["max_tokens"] == limit


BETAS = "context-1m-2025-08-07,never-heard-of-2026-01-01"


@each("anthropic")
async def test_pitfall_24_anthropic_gets_all_betas(at: At) -> None:
    body = {"max_tokens": 50, "messages": [user("!say ok")]}
    await at.post("/v1/messages", body, anthropic_beta=BETAS)
    assert at.calls[0].headers["anthropic-beta"] == BETAS


@each("vertex-claude")
async def test_pitfall_24_vertex_gets_the_betas_that_it_knows(at: At) -> None:
    body = {"max_tokens": 50, "messages": [user("!say ok")]}
    response = await at.post("/v1/messages", body, anthropic_beta=BETAS)
    assert response.status_code == 200, response.text
    assert at.sent["anthropic_beta"] == ["context-1m-2025-08-07"]
    assert "anthropic-beta" not in at.calls[-1].headers


@each("vertex-claude")
async def test_pitfall_24_counting_has_a_list_of_its_own(at: At) -> None:
    body = {"messages": [user("hi")]}
    response = await at.post("/v1/messages/count_tokens", body, anthropic_beta=f"{BETAS},web-search-2025-03-05")
    assert response.json()["input_tokens"] > 0
    assert "x-gateway-token-count" not in response.headers
    (call,) = at.fake.calls(COUNT)
    assert "never-heard-of-2026-01-01" not in json.dumps(call.body) + json.dumps(call.headers)


@each(*GOOGLE, "v1internal-claude", *OPENAI)
async def test_pitfall_24_betas_are_nothing_to_others(at: At) -> None:
    body = {"max_tokens": 50, "messages": [user("!say ok")]}
    response = await at.post("/v1/messages", body, anthropic_beta=BETAS)
    assert response.status_code == 200, response.text
    assert "context-1m" not in json.dumps(at.calls[-1].headers) + at.calls[-1].raw.decode()


@each("vertex-claude")
async def test_an_effort_from_a_turn_on_is_left_out_where_it_is_not_known(at: At) -> None:
    """Claude Code sets it in system messages, with and without words, by a beta that Vertex AI does not have."""
    turns = [
        user("one"),
        {"role": "system", "content": [], "output_config": {"effort": "low"}},
        {"role": "assistant", "content": "two"},
        user("!say ok"),
        {"role": "system", "content": "be brief", "output_config": {"effort": "high"}},
    ]
    asked = {"model": f"{at.kind.table}/claude-opus-5-5", "max_tokens": 50, "messages": turns}
    response = await at.post("/v1/messages", asked, anthropic_beta="mid-conversation-output-config-2026-07-01")
    assert response.status_code == 200, response.text
    assert "x-gateway-lossy" not in response.headers
    assert at.sent["messages"] == [turns[0], *turns[2:4], {"role": "system", "content": "be brief"}]
    chat = asked | {"messages": [user("!say ok")], "reasoning_effort": "low"}
    response = await at.post("/v1/chat/completions", chat)
    assert response.status_code == 200, response.text
    assert at.sent["output_config"] == {"effort": "low"}


@each("anthropic", "vertex-claude")
@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [
        (
            "claude-opus-5-5",
            {"max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 2000}},
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "medium"}},
        ),
        (
            "claude-sonnet-4-5",
            {
                "max_tokens": 128_000,
                "thinking": {"type": "adaptive"},
                "output_config": {"effort": "medium"},
                "messages": [user("!think hm\n!say ok"), {"role": "system", "content": "be brief"}],
            },
            {
                "max_tokens": 64_000,
                "thinking": {"type": "enabled", "budget_tokens": 8192},
                "messages": [user("!think hm\n!say ok")],
                "system": [{"type": "text", "text": "be brief"}],
            },
        ),
        (
            "claude-fable-5",
            {"max_tokens": 100, "thinking": {"type": "disabled"}},
            {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "low"}},
        ),
    ],
)
async def test_an_anthropic_caller_of_another_model_of_claude_is_understood(
    at: At, model: str, asked: Json, sent: Json
) -> None:
    """Its program knows the name that it asks for, and what that model takes; here another one answers to it."""
    body = {"model": f"{at.kind.table}/{model}", "messages": [user("!think hm\n!say ok")], **asked}
    for _ in range(2):
        response = await at.post("/v1/messages", body)
        assert response.status_code == 200, response.text
        assert "x-gateway-lossy" not in response.headers
        assert response.json()["content"][-1]["text"] == "ok"
    assert {name: at.sent.get(name) for name in ("thinking", "output_config", *sent)} == {"output_config": None} | sent
    assert [call.status for call in at.calls[-2:]] == [200, 200]


@each("responses")
async def test_sealed_thoughts_are_not_asked_of_a_model_that_has_none(at: At) -> None:
    """Codex asks for them with every request; OpenAI refuses the wish."""
    told, sealed = "message.output_text.logprobs", "reasoning.encrypted_content"
    for _ in range(2):
        response = await at.items({"role": "user", "content": "!say ok"}, include=[told, sealed], store=False)
        assert response.json()["output"][0]["content"][0]["text"] == "ok"
        assert "x-gateway-lossy" not in response.headers
    assert [call.request["include"] for call in at.calls] == [[told, sealed], [told], [told]]
