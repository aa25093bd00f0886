"""Tools, tool choice, and the older functions."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects.openai_chat import OpenAIChat
from gateway.errors import InvalidRequest

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
F = {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}}
G = {"type": "function", "function": {"name": "g"}}
SQL = {"type": "custom", "custom": {"name": "sql", "description": "d"}}
NAMED = {"type": "function", "function": {"name": "f"}}
BELOW = "function.parameters"


def read(**fields: Any) -> ir.Request:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return OpenAIChat().read_request(msgspec.json.encode(body))


def refused(**fields: Any) -> str | None:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    return caught.value.param


def test_a_function_keeps_its_schema_raw() -> None:
    schema = Raw(msgspec.json.encode(SCHEMA))
    assert read(tools=[F]).tools == (
        ir.Tool(name="f", description="d", schema=schema, strict=True, path="tools[0]", schema_path=BELOW),
    )


@pytest.mark.parametrize("function", [{"name": "g"}, {"name": "g", "parameters": None}])
def test_a_function_may_have_no_parameters(function: dict[str, Any]) -> None:
    assert read(tools=[{"function": function}]).tools == (ir.Tool(name="g", path="tools[0]", schema_path=BELOW),)


def test_a_free_form_tool_is_a_function_of_one_text() -> None:
    (tool,) = read(tools=[SQL]).tools
    assert tool.free_form
    assert msgspec.json.decode(tool.schema or b"") == {
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
    }


GRAMMAR = {"syntax": "regex", "definition": "a+"}


@pytest.mark.parametrize("said", [{"grammar": GRAMMAR}, GRAMMAR])
def test_the_grammar_of_a_free_form_tool_is_read_at_either_depth(said: dict[str, Any]) -> None:
    request = read(tools=[{"type": "custom", "custom": {"name": "sql", "format": {"type": "grammar", **said}}}])
    assert request.tools[0].grammar == ir.Grammar(definition="a+", syntax="regex", path="tools[0].custom.format")
    assert request.losses == ()


@pytest.mark.parametrize("said", [{"type": "gbnf"}, {"type": "grammar"}, {"type": "grammar", "grammar": "a+"}, "a+"])
def test_a_form_of_text_that_nobody_knows_is_told(said: Any) -> None:
    request = read(tools=[{"type": "custom", "custom": {"name": "sql", "format": said}}])
    assert request.tools[0].grammar is None
    assert [(loss.path, loss.severity) for loss in request.losses] == [("tools[0].custom.format", "change")]


def test_older_functions_are_read() -> None:
    request = read(functions=[{"name": "f", "parameters": SCHEMA}])
    schema = Raw(msgspec.json.encode(SCHEMA))
    assert request.tools == (ir.Tool(name="f", schema=schema, path="functions[0]", schema_path="parameters"),)
    assert request.paths["parallel_tool_calls"] == "functions"
    assert request.tool_choice == ir.ToolChoice(mode="auto", parallel=False)


def test_web_search_options_are_a_built_in_tool() -> None:
    request = read(web_search_options={"xNeverHeardOf": 1}, tools=[G])
    assert request.tools[1] == ir.Tool(name="web_search", builtin="web_search", path="web_search_options")
    assert [loss.path for loss in request.losses] == ["web_search_options.xNeverHeardOf"]


def test_the_same_tool_twice_counts_once() -> None:
    assert [tool.name for tool in read(tools=[F, G, F]).tools] == ["f", "g"]


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([F, {"type": "function", "function": {"name": "f"}}], "tools[1]"),
        ([F, {"type": "custom", "custom": {"name": "f"}}], "tools[1]"),
        ([{"type": "retrieval"}], "tools[0].type"),
        ([{"type": "function"}], "tools[0].function"),
        ([{"type": "custom"}], "tools[0].custom"),
        ([G, {"type": "function", "function": {"name": ""}}], "tools[1].function.name"),
        ([{"type": "function", "function": {"name": "f", "parameters": "x"}}], "tools[0].function.parameters"),
    ],
)
def test_a_wrong_tool_is_named(tools: list[Any], param: str) -> None:
    assert refused(tools=tools) == param


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("none", ir.ToolChoice(mode="none")),
        ("auto", ir.ToolChoice(mode="auto")),
        ("required", ir.ToolChoice(mode="required")),
        (NAMED, ir.ToolChoice(mode="named", names=("f",))),
        ({"type": "custom", "custom": {"name": "sql"}}, ir.ToolChoice(mode="named", names=("sql",))),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [NAMED]}},
            ir.ToolChoice(mode="required", names=("f",)),
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED, SQL]}},
            ir.ToolChoice(mode="auto", names=("f", "sql")),
        ),
    ],
)
def test_tool_choice(choice: Any, expected: ir.ToolChoice) -> None:
    assert read(tools=[F, G, SQL], tool_choice=choice).tool_choice == expected


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("none", ir.ToolChoice(mode="none", parallel=False)),
        ({"name": "f"}, ir.ToolChoice(mode="named", names=("f",), parallel=False)),
    ],
)
def test_older_function_call(choice: Any, expected: ir.ToolChoice) -> None:
    assert read(functions=[{"name": "f"}], function_call=choice).tool_choice == expected


@pytest.mark.parametrize("parallel", [True, False])
def test_parallel_calls_alone_are_a_choice(parallel: bool) -> None:
    assert read(tools=[F], parallel_tool_calls=parallel).tool_choice == ir.ToolChoice(mode="auto", parallel=parallel)


def test_parallel_calls_join_the_choice() -> None:
    choice = read(tools=[F], tool_choice="required", parallel_tool_calls=False).tool_choice
    assert choice == ir.ToolChoice(mode="required", parallel=False)


@pytest.mark.parametrize("fields", [{"tool_choice": "auto"}, {"parallel_tool_calls": False}])
def test_a_choice_without_tools_is_dropped(fields: dict[str, Any]) -> None:
    assert read(**fields).tool_choice is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [G], "tool_choice": NAMED}, "tool_choice"),
        ({"tool_choice": NAMED}, "tool_choice"),
        (
            {"tools": [G], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": [NAMED]}}},
            "tool_choice",
        ),
        ({"functions": [{"name": "g"}], "function_call": {"name": "f"}}, "function_call"),
        ({"tools": [G], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [G], "tool_choice": {"type": "function"}}, "tool_choice"),
        ({"tools": [G], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"functions": [{"name": "g"}], "function_call": "any"}, "function_call"),
    ],
)
def test_a_wrong_choice_is_named(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields) == param


def test_the_mark_of_a_tool_is_read() -> None:
    request = read(tools=[F | {"cache_control": {"type": "ephemeral", "ttl": "1h"}}])
    assert request.tools[0].mark == ir.Mark(path="tools[0].cache_control", ttl="1h")
    assert (request.marks, request.losses) == ((request.tools[0].mark,), ())


def test_a_tool_that_is_declared_twice_is_one_with_the_mark_of_either() -> None:
    request = read(tools=[F, F | {"cache_control": {"type": "ephemeral"}}])
    assert [tool.mark for tool in request.tools] == [ir.Mark(path="tools[1].cache_control")]


def test_services_of_googles_are_asked_for_as_litellms_clients_do() -> None:
    request = read(tools=[{"googleSearch": {}}, {"urlContext": {"xDepth": 2}}, {"codeExecution": None}, G])
    assert [(tool.builtin, tool.path) for tool in request.tools] == [
        ("web_search", "tools[0].googleSearch"),
        ("web_fetch", "tools[1].urlContext"),
        ("code_execution", "tools[2].codeExecution"),
        (None, "tools[3]"),
    ]
    assert [(loss.path, loss.severity) for loss in request.losses] == [("tools[1].urlContext.xDepth", "change")]


def test_web_search_without_options_loses_nothing() -> None:
    request = read(web_search_options={})
    assert [tool.builtin for tool in request.tools] == ["web_search"]
    assert request.losses == ()
