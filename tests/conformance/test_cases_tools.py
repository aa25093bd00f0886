"""Acceptance cases B: tools, their calls, and the choice among them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.automata import Call
from tests.conformance.replies import FC, T, chunk, script
from tests.conformance.served import CHAT, CLAUDE, DIALECTS, MESSAGES, Served, events

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

NUMBERS = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
ADDED = script(chunk(FC("add", {"a": 17, "b": 25})), chunk(T(""), fin="STOP"))
WEATHER = [chunk(FC("w", {"c": city})) for city in "BSG"]

LONG = "mcp__server__" + 79 * "x"
LONG_NAMES = [f"{LONG}x", f"{LONG}y"]
LEGAL = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")


def chat_tools(*names: str, schema: Any = NUMBERS) -> list[Any]:
    return [{"type": "function", "function": {"name": name, "parameters": schema}} for name in names]


def messages_tools(*names: str, schema: Any = NUMBERS) -> list[Any]:
    return [{"name": name, "input_schema": schema} for name in names]


def responses_tools(*names: str, schema: Any = NUMBERS) -> list[Any]:
    return [{"type": "function", "name": name, "parameters": schema} for name in names]


TOOLS = {"openai-chat": chat_tools, "openai-responses": responses_tools, "anthropic": messages_tools}
TOOL_ENDS = {"openai-chat": "tool_calls", "anthropic": "tool_use"}


async def test_a_messages_stream_carries_a_tool_use(either: Served) -> None:
    """B1"""
    heard = await either.hear("anthropic", ADDED, stream=True, tools=messages_tools("add"))
    (call,) = heard.calls
    assert (call.name, call.arguments, heard.finish) == ("add", {"a": 17, "b": 25}, "tool_use")
    assert re.fullmatch("[a-zA-Z0-9_-]+", call.id)


async def test_a_chat_stream_carries_a_call_and_says_so_though_upstream_says_stop(either: Served) -> None:
    """B2"""
    chunks = events((await either.post(CHAT, ADDED, stream=True, tools=chat_tools("add"))).text)
    deltas = [call for one in chunks for call in one["choices"][0]["delta"].get("tool_calls", ())]
    assert (deltas[0]["index"], deltas[0]["type"], deltas[0]["function"]["name"]) == (0, "function", "add")
    assert deltas[0]["id"]
    arguments = "".join(delta["function"].get("arguments", "") for delta in deltas)
    assert json.loads(arguments) == {"a": 17, "b": 25}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_calls_in_chunks_of_their_own_stay_apart(either: Served, dialect: str, stream: bool) -> None:
    """B3"""
    said = script(*WEATHER, chunk(fin="STOP"))
    heard = await either.hear(dialect, said, stream=stream, tools=TOOLS[dialect]("w"))
    assert [(call.name, call.arguments["c"]) for call in heard.calls] == [("w", "B"), ("w", "S"), ("w", "G")]
    assert len({call.id for call in heard.calls}) == 3
    assert heard.finish == TOOL_ENDS[dialect]


async def test_streamed_calls_are_numbered_over_the_whole_stream(either: Served) -> None:
    """B3"""
    chunks = events(
        (await either.post(CHAT, script(*WEATHER, chunk(fin="STOP")), stream=True, tools=chat_tools("w"))).text
    )
    deltas = [call for one in chunks for call in one["choices"][0]["delta"].get("tool_calls", ())]
    assert [delta["index"] for delta in deltas if "id" in delta] == [0, 1, 2]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_call_without_arguments_has_an_empty_object(every: Served, dialect: str, stream: bool) -> None:
    """B7"""
    said = script(chunk({"functionCall": {"name": "f"}}), chunk(fin="STOP"))
    heard = await every.hear(dialect, said, stream=stream, tools=TOOLS[dialect]("f"), max_tokens=50)
    assert [(call.name, call.arguments) for call in heard.calls] == [("f", {})]
    assert heard.finish == TOOL_ENDS[dialect]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        ("openai-chat", {"parallel_tool_calls": False}),
        ("anthropic", {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}),
    ],
)
async def test_one_call_at_a_time_is_one_call(every: Served, dialect: str, fields: Any, stream: bool) -> None:
    """B13: Google has no switch for it, so further calls of the answer are kept back."""
    said = '!tool f {"a": 1}\n!tool f {"a": 2}'
    heard = await every.hear(dialect, said, stream=stream, tools=TOOLS[dialect]("f"), max_tokens=50, **fields)
    assert [call.arguments for call in heard.calls] == [{"a": 1}]


async def test_a_limit_of_calls_without_tools_says_nothing(either: Served) -> None:
    """B14"""
    response = await either.post(CHAT, "hi", parallel_tool_calls=False)
    assert (response.status_code, response.headers.get("x-gateway-lossy")) == (200, None)
    assert "toolConfig" not in either.sent


async def test_thinking_and_a_forced_call_are_both_taken(every: Served) -> None:
    """B16: a Claude model that thinks cannot be forced, so there the thinking is kept and the choice is lost."""
    thinking = {"type": "enabled", "budget_tokens": 2000}
    fields: Json = {"tools": messages_tools("f"), "tool_choice": {"type": "any"}, "thinking": thinking}
    response = await every.post(MESSAGES, "hi", max_tokens=4000, **fields)
    assert response.status_code == 200
    assert every.config["thinkingConfig"]["includeThoughts"] is True
    forced = every.sent["toolConfig"]["functionCallingConfig"]["mode"] == "ANY"
    assert forced is (every.model != CLAUDE) is ("x-gateway-lossy" not in response.headers)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_long_name_is_legal_upstream_and_the_callers_own_in_the_answer(
    either: Served, dialect: str, stream: bool
) -> None:
    """B10"""
    await either.hear(dialect, "hi", stream=False, tools=TOOLS[dialect](*LONG_NAMES))
    (tool,) = either.sent["tools"]
    declared = [declaration["name"] for declaration in tool["functionDeclarations"]]
    assert all(LEGAL.fullmatch(name) for name in declared)
    assert len(set(declared)) == 2
    said = script(chunk(*(FC(name, {}) for name in declared)), chunk(fin="STOP"))
    heard = await either.hear(dialect, said, stream=stream, tools=TOOLS[dialect](*LONG_NAMES))
    assert [call.name for call in heard.calls] == LONG_NAMES


@pytest.mark.parametrize(
    ("dialect", "choice", "calling"),
    [
        ("openai-chat", "none", {"mode": "NONE"}),
        ("openai-chat", "auto", {"mode": "AUTO"}),
        ("openai-chat", "required", {"mode": "ANY"}),
        (
            "openai-chat",
            {"type": "function", "function": {"name": "g"}},
            {"mode": "ANY", "allowedFunctionNames": ["g"]},
        ),
        ("anthropic", {"type": "none"}, {"mode": "NONE"}),
        ("anthropic", {"type": "auto"}, {"mode": "AUTO"}),
        ("anthropic", {"type": "any"}, {"mode": "ANY"}),
        ("anthropic", {"type": "tool", "name": "g"}, {"mode": "ANY", "allowedFunctionNames": ["g"]}),
    ],
)
async def test_the_tool_choice_is_a_mode(either: Served, dialect: str, choice: Any, calling: Any) -> None:
    """B12"""
    tools = TOOLS[dialect]("f", "g")
    heard = await either.hear(dialect, "hi", stream=False, tools=tools, tool_choice=choice, max_tokens=50)
    assert heard.error is None
    assert either.sent["toolConfig"] == {"functionCallingConfig": calling}
    assert len(either.sent["tools"][0]["functionDeclarations"]) == 2


@pytest.mark.parametrize(
    ("path", "choice", "tools"),
    [
        (CHAT, {"type": "function", "function": {"name": "h"}}, chat_tools("f")),
        (MESSAGES, {"type": "tool", "name": "h"}, messages_tools("f")),
    ],
)
async def test_a_choice_of_an_undeclared_tool_is_refused_here(
    either: Served, path: str, choice: Any, tools: Any
) -> None:
    """B18"""
    response = await either.post(path, "hi", tools=tools, tool_choice=choice, max_tokens=50)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert "tool_choice" in response.json()["error"]["message"]
    assert either.calls == []


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_tool_loop_runs_to_its_end(either: Served, dialect: str, stream: bool) -> None:
    """B1, B2, S0-42, S0-43: the results reach the model, and its words come back."""
    ask = '!tool add {"a": 1}\n!then\n!say three'
    tools = TOOLS[dialect]("add")
    first = await either.hear(dialect, ask, stream=stream, tools=tools)
    (call,) = first.calls
    assert (call.name, call.arguments) == ("add", {"a": 1})
    history = RESULTS[dialect](call, "3")
    second = await either.hear(dialect, ask, *history, stream=stream, tools=tools)
    assert (second.text, second.calls) == ("three", ())
    assert either.contents[-1]["parts"][0]["functionResponse"]["response"] == {"output": "3"}


def chat_result(call: Call, result: str) -> list[Any]:
    function = {"name": call.name, "arguments": json.dumps(call.arguments)}
    made = {"role": "assistant", "content": None}
    return [
        made | {"tool_calls": [{"id": call.id, "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": call.id, "content": result},
    ]


def messages_result(call: Call, result: str) -> list[Any]:
    used = {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
    given = {"type": "tool_result", "tool_use_id": call.id, "content": result}
    return [{"role": "assistant", "content": [used]}, {"role": "user", "content": [given]}]


RESULTS = {"openai-chat": chat_result, "anthropic": messages_result}
