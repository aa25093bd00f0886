"""Acceptance cases B: tools, their calls, and the choice among them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.automata import Call
from tests.conformance.replies import FC, T, chunk, script
from tests.conformance.served import CHAT, DIALECTS, MESSAGES, Served, events

pytestmark = pytest.mark.anyio

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


TOOLS = {"openai-chat": chat_tools, "anthropic": messages_tools}
TOOL_ENDS = {"openai-chat": "tool_calls", "anthropic": "tool_use"}


async def test_a_messages_stream_carries_a_tool_use(served: Served) -> None:
    """B1"""
    heard = await served.hear("anthropic", ADDED, stream=True, tools=messages_tools("add"))
    (call,) = heard.calls
    assert (call.name, call.arguments, heard.finish) == ("add", {"a": 17, "b": 25}, "tool_use")
    assert re.fullmatch("[a-zA-Z0-9_-]+", call.id)


async def test_a_chat_stream_carries_a_call_and_says_so_though_upstream_says_stop(served: Served) -> None:
    """B2"""
    chunks = events((await served.post(CHAT, ADDED, stream=True, tools=chat_tools("add"))).text)
    deltas = [call for one in chunks for call in one["choices"][0]["delta"].get("tool_calls", ())]
    assert (deltas[0]["index"], deltas[0]["type"], deltas[0]["function"]["name"]) == (0, "function", "add")
    assert deltas[0]["id"]
    arguments = "".join(delta["function"].get("arguments", "") for delta in deltas)
    assert json.loads(arguments) == {"a": 17, "b": 25}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_calls_in_chunks_of_their_own_stay_apart(served: Served, dialect: str, stream: bool) -> None:
    """B3"""
    said = script(*WEATHER, chunk(fin="STOP"))
    heard = await served.hear(dialect, said, stream=stream, tools=TOOLS[dialect]("w"))
    assert [(call.name, call.arguments["c"]) for call in heard.calls] == [("w", "B"), ("w", "S"), ("w", "G")]
    assert len({call.id for call in heard.calls}) == 3
    assert heard.finish == TOOL_ENDS[dialect]


async def test_streamed_calls_are_numbered_over_the_whole_stream(served: Served) -> None:
    """B3"""
    chunks = events(
        (await served.post(CHAT, script(*WEATHER, chunk(fin="STOP")), stream=True, tools=chat_tools("w"))).text
    )
    deltas = [call for one in chunks for call in one["choices"][0]["delta"].get("tool_calls", ())]
    assert [delta["index"] for delta in deltas if "id" in delta] == [0, 1, 2]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_long_name_is_legal_upstream_and_the_callers_own_in_the_answer(
    served: Served, dialect: str, stream: bool
) -> None:
    """B10"""
    await served.hear(dialect, "hi", stream=False, tools=TOOLS[dialect](*LONG_NAMES))
    (tool,) = served.sent["tools"]
    declared = [declaration["name"] for declaration in tool["functionDeclarations"]]
    assert all(LEGAL.fullmatch(name) for name in declared)
    assert len(set(declared)) == 2
    said = script(chunk(*(FC(name, {}) for name in declared)), chunk(fin="STOP"))
    heard = await served.hear(dialect, said, stream=stream, tools=TOOLS[dialect](*LONG_NAMES))
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
async def test_the_tool_choice_is_a_mode(served: Served, dialect: str, choice: Any, calling: Any) -> None:
    """B12"""
    tools = TOOLS[dialect]("f", "g")
    heard = await served.hear(dialect, "hi", stream=False, tools=tools, tool_choice=choice, max_tokens=50)
    assert heard.error is None
    assert served.sent["toolConfig"] == {"functionCallingConfig": calling}
    assert len(served.sent["tools"][0]["functionDeclarations"]) == 2


@pytest.mark.parametrize(
    ("path", "choice", "tools"),
    [
        (CHAT, {"type": "function", "function": {"name": "h"}}, chat_tools("f")),
        (MESSAGES, {"type": "tool", "name": "h"}, messages_tools("f")),
    ],
)
async def test_a_choice_of_an_undeclared_tool_is_refused_here(
    served: Served, path: str, choice: Any, tools: Any
) -> None:
    """B18"""
    response = await served.post(path, "hi", tools=tools, tool_choice=choice, max_tokens=50)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert "tool_choice" in response.json()["error"]["message"]
    assert served.fake.calls() == []


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_tool_loop_runs_to_its_end(served: Served, dialect: str, stream: bool) -> None:
    """B1, B2, S0-42, S0-43: the results reach the model, and its words come back."""
    ask = '!tool add {"a": 1}\n!then\n!say three'
    tools = TOOLS[dialect]("add")
    first = await served.hear(dialect, ask, stream=stream, tools=tools)
    (call,) = first.calls
    assert (call.name, call.arguments) == ("add", {"a": 1})
    history = RESULTS[dialect](call, "3")
    second = await served.hear(dialect, ask, *history, stream=stream, tools=tools)
    assert (second.text, second.calls) == ("three", ())
    assert served.contents[-1]["parts"][0]["functionResponse"]["response"] == {"output": "3"}


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
