"""Bodies of other dialects at the path of Chat Completions, as Cursor sends them."""

import json
from typing import Any

import pytest

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.openai_chat import OpenAIChat
from gateway.errors import InvalidRequest
from gateway.routes import Route

Json = dict[str, Any]

OBJECT: Json = {"type": "object", "properties": {"a": {"type": "string"}}}
USER: Json = {"role": "user", "content": "hi"}
NESTED: Json = {"type": "function", "function": {"name": "g", "parameters": OBJECT}}
GRAMMAR: Json = {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}
PATCH: Json = {"type": "custom", "name": "ApplyPatch", "description": "patches", "format": GRAMMAR}


def read(body: Any) -> ir.Request:
    return OpenAIChat().read_request(json.dumps(body).encode())


def chat(*tools: Json, **more: Any) -> Json:
    return {"model": "m", "messages": [USER], "tools": list(tools), **more}


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "name": "f", "description": "d", "parameters": OBJECT},
        {"type": "function", "name": "f", "description": "d", "input_schema": OBJECT},
        {"name": "f", "description": "d", "input_schema": OBJECT},
    ],
)
def test_a_flat_function_is_one(tool: Json) -> None:
    request = read(chat(tool, NESTED, tool_choice={"type": "function", "name": "f"}))
    flat, nested = request.tools
    assert (flat.name, flat.description, json.loads(bytes(flat.schema or b""))) == ("f", "d", OBJECT)
    assert nested.name == "g"
    assert request.tool_choice == ir.ToolChoice(mode="named", names=("f",))
    assert request.mixed


def test_a_flat_free_form_tool_is_one() -> None:
    _, patch = read(chat(NESTED, PATCH, tool_choice={"type": "custom", "name": "ApplyPatch"})).tools
    assert (patch.name, patch.free_form) == ("ApplyPatch", True)
    assert patch.grammar is not None
    assert (patch.grammar.syntax, patch.grammar.definition) == ("lark", "start: /x/")


def test_a_body_of_responses_is_read_as_one() -> None:
    request = read(
        {
            "model": "m",
            "instructions": "be brief",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
                {"type": "function_call", "call_id": "c1", "name": "ApplyPatch", "arguments": "*** Begin Patch"},
                {"type": "function_call_output", "call_id": "c1", "output": "done"},
            ],
            "tools": [PATCH, {"type": "function", "name": "f", "parameters": OBJECT}],
            "reasoning": {"effort": "high"},
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )
    assert [tool.name for tool in request.tools] == ["ApplyPatch", "f"]
    assert request.reasoning == ir.Reasoning(mode="level", level="high", visible=False)
    assert [text.text for text in request.system] == ["be brief"]
    call = request.turns[1].parts[0]
    assert isinstance(call, ir.ToolCall)
    assert json.loads(bytes(call.arguments)) == {"input": "*** Begin Patch"}
    assert (request.thread, request.mixed, request.stream) == (None, True, True)


@pytest.mark.parametrize("tool", [NESTED, {"name": "g", "input_schema": OBJECT}])
@pytest.mark.parametrize(
    ("choice", "mode"),
    [("auto", "auto"), ("required", "required"), ({"type": "function", "function": {"name": "g"}}, "named")],
)
def test_messages_of_anthropic_are_read_as_such(tool: Json, choice: Any, mode: str) -> None:
    request = read(
        {
            "model": "claude-x",
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": "be brief"}]},
                USER,
                {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "g", "input": {"a": "b"}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "done"}]},
            ],
            "tools": [tool],
            "tool_choice": choice,
            "stream_options": {"include_usage": True},
        }
    )
    assert [text.text for text in request.system] == ["be brief"]
    assert [type(turn.parts[0]) for turn in request.turns] == [ir.Text, ir.ToolCall, ir.ToolResult]
    assert [tool.name for tool in request.tools] == ["g"]
    assert request.tool_choice is not None
    assert request.tool_choice.mode == mode
    assert request.sampling.max_tokens is None


def test_the_model_may_stand_in_the_path() -> None:
    route = Route(dialect="openai-chat", operation="chat", model="mine")
    body = json.dumps({"input": "hi"}).encode()
    assert OpenAIChat().read_request(body, route=route).model == "mine"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"model": "m"}, "messages: required, but missing"),
        ([1], "the request body"),
        (chat({"type": "web_search"}), "tools of type 'web_search'"),
        (chat(NESTED, temperature="hot"), "temperature"),
        ({"model": "m", "messages": [{"role": "robot", "content": 'say "tool_use"'}]}, "role"),
        ({"model": "m", "messages": [USER], "tools": 3}, "tools"),
        ({"model": "m", "messages": [{"role": "user", "content": [{"type": []}]}]}, "type"),
        ({"model": "m", "messages": [USER], "tools": [{"type": [], "name": {}}], "tool_choice": {"name": []}}, "tools"),
        ({"model": "m", "input": 3}, "input"),
        ({"model": "m", "input": "hi", "previous_response_id": "resp_1"}, "previous_response_id: only /v1/responses"),
        (
            {"model": "m", "input": [USER, {"type": "item_reference", "id": "rs_1"}]},
            r"input\[1\]\.id: only /v1/responses keeps conversations",
        ),
    ],
)
def test_what_is_in_no_form_is_refused_in_words_of_its_own(body: Any, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        read(body)


def answering(request: ir.Request) -> Answering:
    return Answering(request=request, model="m", id="1", created=1, request_id="r", estimate=lambda: 1)


CALLED: list[ir.Event] = [
    ir.Started(id="1", model="m"),
    ir.BlockStarted(kind="tool_call", id="c1", name="ApplyPatch"),
    ir.ArgumentsDelta('{"input":"*** Begin '),
    ir.ArgumentsDelta('Patch"}'),
    ir.BlockEnded(),
    ir.Finished(reason="tool_calls"),
]


@pytest.mark.parametrize(
    ("body", "call"),
    [
        (chat(NESTED, PATCH), {"type": "function", "function": {"name": "ApplyPatch", "arguments": "*** Begin Patch"}}),
        (
            chat({"type": "custom", "custom": {"name": "ApplyPatch"}}),
            {"type": "custom", "custom": {"name": "ApplyPatch", "input": "*** Begin Patch"}},
        ),
    ],
)
def test_a_free_form_call_is_that_of_a_function_for_who_knows_no_other(body: Json, call: Json) -> None:
    asked = answering(read(body))
    writer = OpenAIChat().stream_writer(asked)
    data = writer.feed(CALLED) + writer.close()
    chunks = [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: {")]
    (streamed,) = [
        one for chunk in chunks for choice in chunk["choices"] for one in choice["delta"].get("tool_calls", ())
    ]
    fold = ir.Fold()
    fold.feed(CALLED)
    (whole,) = json.loads(OpenAIChat().write_whole(fold.reply(), asked))["choices"][0]["message"]["tool_calls"]
    assert streamed == {"index": 0, "id": "c1", **call}
    assert whole == {"id": "c1", **call}
