"""Reading tools and the choice among them."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway import ir
from gateway.errors import InvalidRequest

from .asking import lost, read

F = {"name": "f", "description": "d", "input_schema": {"type": "object"}}


@pytest.mark.parametrize("kind", [{}, {"type": None}, {"type": "custom"}])
def test_a_callers_tool(kind: dict[str, Any]) -> None:
    request = read(tools=[F | kind | {"strict": True}])
    assert request.tools == (
        ir.Tool(
            name="f",
            description="d",
            schema=Raw(b'{"type": "object"}'),
            strict=True,
            path="tools[0]",
            schema_path="input_schema",
        ),
    )
    assert request.losses == ()


@pytest.mark.parametrize("schema", [{}, {"input_schema": None}, {"input_schema": True}])
def test_a_tool_without_schema(schema: dict[str, Any]) -> None:
    assert read(tools=[{"name": "f"} | schema]).tools == (
        ir.Tool(name="f", path="tools[0]", schema_path="input_schema"),
    )


def test_claude_codes_deferred_tool_is_a_tool() -> None:
    request = read(tools=[F | {"defer_loading": True, "input_examples": [{}], "eager_input_streaming": True}])
    assert [tool.name for tool in request.tools] == ["f"]
    assert lost(request) == ["tools[0].defer_loading", "tools[0].input_examples", "tools[0].eager_input_streaming"]


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        ("web_search_20250305", "web_search"),
        ("web_search_20260318", "web_search"),
        ("web_fetch_20250910", "web_fetch"),
        ("code_execution_20250825", "code_execution"),
    ],
)
def test_services_of_the_upstream(kind: str, builtin: str) -> None:
    assert read(tools=[{"type": kind, "name": builtin}]).tools == (
        ir.Tool(name=builtin, builtin=builtin, path="tools[0]"),
    )


def test_the_limits_of_a_fetch_are_reported_by_weight() -> None:
    tool = {"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 5, "allowed_domains": ["a.example"]}
    assert [(loss.path, loss.severity) for loss in read(tools=[tool]).losses] == [
        ("tools[0].max_uses", "hint"),
        ("tools[0].allowed_domains", "change"),
    ]


def test_nothing_is_lost_with_a_list_of_no_domains() -> None:
    tool = {"type": "web_fetch_20250910", "name": "web_fetch", "allowed_domains": [], "blocked_domains": []}
    assert {loss.severity for loss in read(tools=[tool]).losses} == {"hint"}


def test_the_search_among_deferred_tools_is_not_needed() -> None:
    search = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex", "cache_control": None}
    request = read(tools=[search, F])
    assert [tool.name for tool in request.tools] == ["f"]
    assert lost(request) == ["tools[0].type"]


@pytest.mark.parametrize(
    ("kind", "name", "needed", "known"),
    [
        ("bash_20241022", "bash", [], ["command", "restart"]),
        ("bash_20250124", "bash", [], ["command", "restart"]),
        ("text_editor_20250124", "str_replace_editor", ["command", "path"], ["view_range", "new_str"]),
        ("text_editor_20250728", "str_replace_based_edit_tool", ["command", "path"], ["file_text", "insert_text"]),
        ("memory_20250818", "memory", ["command"], ["old_path", "new_path", "insert_line", "insert_text"]),
    ],
)
def test_a_tool_that_claude_knows_by_heart_is_a_function(
    kind: str, name: str, needed: list[str], known: list[str]
) -> None:
    request = read(tools=[{"type": kind, "name": name, "max_characters": 9}])
    (tool,) = request.tools
    assert (tool.name, tool.builtin, bool(tool.description)) == (name, None, True)
    assert tool.schema is not None
    schema = msgspec.json.decode(tool.schema)
    assert schema["required"] == needed
    assert {*known, *needed} <= schema["properties"].keys()
    assert [(loss.path, loss.severity) for loss in request.losses] == [
        ("tools[0]", "change"),
        ("tools[0].max_characters", "hint"),
    ]


@pytest.mark.parametrize(
    ("kind", "commands"),
    [  # by Anthropic's documentation of the tools; newer editors undo nothing
        ("text_editor_20241022", ["view", "create", "str_replace", "insert", "undo_edit"]),
        ("text_editor_20250429", ["view", "create", "str_replace", "insert"]),
        ("memory_20250818", ["view", "create", "str_replace", "insert", "delete", "rename"]),
    ],
)
def test_the_commands_of_a_tool_for_files(kind: str, commands: list[str]) -> None:
    (tool,) = read(tools=[{"type": kind, "name": "x"}]).tools
    assert tool.schema is not None
    assert msgspec.json.decode(tool.schema)["properties"]["command"]["enum"] == commands


def test_nobody_else_is_asked_for_advice() -> None:
    advisor = {"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5-5"}
    request = read(tools=[advisor, F], tool_choice={"type": "tool", "name": "advisor"})
    assert [tool.name for tool in request.tools] == ["f"]
    assert request.tool_choice == ir.ToolChoice(mode="auto")
    assert [(loss.path, loss.severity) for loss in request.losses] == [
        ("tools[0]", "change"),
        ("tool_choice.name", "change"),
    ]


@pytest.mark.parametrize(
    ("kind", "instead"),
    [
        ("computer_20251124", "declare a function instead"),
        ("computer_toolset_20260801", "declare a function instead"),
        ("browser_toolset_20260801", "declare a function instead"),
        ("hologram_1", "declare a function instead"),
        ("mcp_toolset", "run them in the client, and declare their tools"),
    ],
)
def test_tools_that_nobody_runs_are_refused_with_what_to_do(kind: str, instead: str) -> None:
    with pytest.raises(InvalidRequest, match=f"tool type '{kind}' .*; {instead}") as caught:
        read(tools=[F, {"type": kind, "name": "x"}])
    assert caught.value.param == "tools[1].type"


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ({"input_schema": {}}, "tools[0].name"),
        ({"name": ""}, "tools[0].name"),
        ({"name": "f", "input_schema": []}, "tools[0].input_schema"),
        ({"name": "f", "description": 5}, "tools[0].description"),
        ("f", "tools[0]"),
    ],
)
def test_a_wrong_tool_is_named(tool: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(tools=[tool])
    assert caught.value.param == param


def test_a_tool_declared_twice_counts_once() -> None:
    assert [tool.path for tool in read(tools=[F, F]).tools] == ["tools[0]"]


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="declared twice"):
        read(tools=[F, F | {"description": "other"}])


@pytest.mark.parametrize(
    ("choice", "read_as"),
    [
        ({"type": "auto"}, ir.ToolChoice(mode="auto")),
        ({"type": "any"}, ir.ToolChoice(mode="required")),
        ({"type": "none"}, ir.ToolChoice(mode="none")),
        ({"type": "tool", "name": "f"}, ir.ToolChoice(mode="named", names=("f",))),
        ({"type": "auto", "disable_parallel_tool_use": True}, ir.ToolChoice(mode="auto", parallel=False)),
        ({"type": "auto", "disable_parallel_tool_use": False}, ir.ToolChoice(mode="auto")),
    ],
)
def test_tool_choice(choice: dict[str, Any], read_as: ir.ToolChoice) -> None:
    assert read(tools=[F], tool_choice=choice).tool_choice == read_as


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        ({"type": "tool", "name": "g"}, "tool_choice.name"),
        ({"type": "tool"}, "tool_choice.name"),
        ({"type": "some"}, "tool_choice.type"),
        ("auto", "tool_choice"),
    ],
)
def test_a_wrong_choice_is_named(choice: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(tools=[F], tool_choice=choice)
    assert caught.value.param == param


def test_a_choice_without_tools_is_dropped() -> None:
    assert read(tool_choice={"type": "any"}).tool_choice is None
