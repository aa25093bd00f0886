"""Tools, and the choice among them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import ir
from gateway.errors import InvalidRequest

from .asking import SCHEMA, F, Json, ask, loads, lost

SQL: Json = {"type": "custom", "name": "sql", "description": "Runs it."}
CRM: Json = {"type": "namespace", "name": "crm", "description": "Customers.", "tools": [F, SQL]}
SEARCH: Json = {"type": "web_search"}


def only(tool: Json) -> ir.Tool:
    (found,) = ask(tools=[tool]).tools
    return found


def test_a_function_is_flat() -> None:
    tool = only(F | {"description": "Does.", "strict": True})
    assert (tool.name, tool.description, tool.strict, loads(tool.schema)) == ("f", "Does.", True, SCHEMA)
    assert (tool.path, tool.schema_path) == ("tools[0]", "parameters")


def test_a_function_may_have_no_parameters() -> None:
    assert only({"type": "function", "name": "f", "parameters": None, "strict": None}).schema is None


def test_a_free_form_tool_takes_text() -> None:
    tool = only(SQL | {"format": {"type": "text"}})
    assert (tool.name, tool.free_form, loads(tool.schema)["required"]) == ("sql", True, ["input"])


def test_a_grammar_is_read() -> None:
    request = ask(tools=[SQL | {"format": {"type": "grammar", "syntax": "lark", "definition": "start: /a/"}}])
    assert request.tools[0].grammar == ir.Grammar(definition="start: /a/", syntax="lark", path="tools[0].format")
    assert lost(request) == []


def test_tools_of_a_namespace_are_flattened_and_remember_it() -> None:
    function, custom = ask(tools=[CRM]).tools
    assert (function.name, function.namespace, function.path) == ("crm__f", ("crm", "f"), "tools[0].tools[0]")
    assert (custom.name, custom.namespace, custom.free_form) == ("crm__sql", ("crm", "sql"), True)
    assert (function.description, custom.description) == ("Customers.", "Customers.\n\nRuns it.")


def test_description_that_repeats_the_name_of_a_namespace_is_no_description() -> None:
    """That is what this gateway writes where nothing was said: one behind another adds nothing to each function."""
    function, custom = ask(tools=[{**CRM, "description": "crm"}]).tools
    assert (function.description, custom.description) == (None, "Runs it.")


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        ("web_search", "web_search"),
        ("web_search_2025_08_26", "web_search"),
        ("web_search_preview", "web_search"),
        ("web_search_preview_2025_03_11", "web_search"),
        ("code_interpreter", "code_execution"),
    ],
)
def test_services_that_others_have_too_are_built_in(kind: str, builtin: str) -> None:
    assert only({"type": kind}) == ir.Tool(name=builtin, builtin=builtin, path="tools[0]")


def test_options_of_services_are_told() -> None:
    search = SEARCH | {"filters": {"of_language": "it"}, "external_web_access": False}
    code = {"type": "code_interpreter", "container": {"type": "auto"}}
    assert lost(ask(tools=[search, code])) == [
        ("tools[0].filters.of_language", "change"),
        ("tools[0].external_web_access", "hint"),
    ]
    for blank in ({"type": "auto", "memory_limit": None, "network_policy": None}, {"type": "auto", "file_ids": []}):
        assert lost(ask(tools=[code | {"container": blank}])) == []
    for own in ("cntr_1", {"type": "auto", "file_ids": ["file-1"]}, {"type": "auto", "memory_limit": "4g"}):
        assert lost(ask(tools=[code | {"container": own}])) == [("tools[0].container", "change")]


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        ("tool_search", "hint"),
        ("programmatic_tool_calling", "hint"),
        ("image_generation", "change"),
        ("file_search", "change"),
    ],
)
def test_what_clients_add_by_default_is_left_out(kind: str, severity: str) -> None:
    request = ask(tools=[{"type": kind}, F])
    assert ([tool.name for tool in request.tools], lost(request)) == (["f"], [("tools[0]", severity)])


@pytest.mark.parametrize(
    ("kind", "needed"),
    [("shell", ["commands"]), ("local_shell", ["command"]), ("apply_patch", ["type", "path"])],
)
def test_what_the_caller_runs_is_a_function(kind: str, needed: list[str]) -> None:
    request = ask(tools=[{"type": kind}], tool_choice={"type": kind})
    (tool,) = request.tools
    assert (tool.name, tool.builtin, tool.path) == (kind, None, "tools[0]")
    assert loads(tool.schema)["required"] == needed
    assert request.tool_choice == ir.ToolChoice(mode="named", names=(kind,))
    assert lost(request) == [("tools[0]", "change")]


@pytest.mark.parametrize("where", [None, {}, {"type": "local"}])
def test_a_shell_of_the_callers(where: Json | None) -> None:
    assert [tool.name for tool in ask(tools=[{"type": "shell", "environment": where}]).tools] == ["shell"]


def test_what_a_shell_has_beside_it_is_lost() -> None:
    where = {"type": "local", "skills": [{"name": "s", "description": "d", "path": "/s"}]}
    request = ask(tools=[{"type": "shell", "environment": where, "allowed_callers": ["direct"]}])
    assert lost(request) == [
        ("tools[0].environment.skills", "hint"),
        ("tools[0].allowed_callers", "hint"),
        ("tools[0]", "change"),
    ]


@pytest.mark.parametrize("kind", ["container_auto", "container_reference"])
def test_a_shell_of_openais_is_refused(kind: str) -> None:
    with pytest.raises(InvalidRequest, match="containers of OpenAI's are not available here") as caught:
        ask(tools=[{"type": "shell", "environment": {"type": kind}}])
    assert caught.value.param == "tools[0].environment.type"


@pytest.mark.parametrize("kind", ["mcp", "computer", "computer_use_preview", "x"])
def test_what_nobody_here_can_do_is_refused(kind: str) -> None:
    with pytest.raises(InvalidRequest, match="not available here") as caught:
        ask(tools=[F, {"type": kind}])
    assert caught.value.param == "tools[1].type"


@pytest.mark.parametrize(
    ("tools", "path"),
    [
        ([{"type": "function"}], "tools[0].name"),
        ([{"type": "function", "name": ""}], "tools[0].name"),
        ([{"type": "function", "name": "f", "parameters": []}], "tools[0].parameters"),
        ([{"type": "custom"}], "tools[0].name"),
        ([{"type": "namespace", "name": "n"}], "tools[0].tools"),
        ([{"type": "namespace", "name": "n", "tools": [SEARCH]}], "tools[0].tools[0].type"),
        ([F, F | {"description": "another"}], "tools[1]"),
        ([F | {"name": "crm__f", "description": "another"}, CRM], "tools[1].tools[0]"),
        (["f"], "tools[0]"),
    ],
)
def test_a_tool_that_is_wrong_is_named(tools: list[Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(tools=tools)
    assert caught.value.param == path


def test_unknown_fields_of_tools_are_told() -> None:
    inner = CRM | {"tools": [F | {"defer_loading": True}]}
    request = ask(tools=[F | {"x": 1}, SQL | {"y": 1}, inner])
    assert lost(request) == [
        ("tools[0].x", "hint"),
        ("tools[1].y", "hint"),
        ("tools[2].tools[0].defer_loading", "hint"),
    ]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ir.ToolChoice(mode="auto")),
        ("none", ir.ToolChoice(mode="none")),
        ("required", ir.ToolChoice(mode="required")),
        ({"type": "function", "name": "f"}, ir.ToolChoice(mode="named", names=("f",))),
        ({"type": "custom", "name": "sql"}, ir.ToolChoice(mode="named", names=("sql",))),
        ({"type": "function", "name": "f", "namespace": "crm"}, ir.ToolChoice(mode="named", names=("crm__f",))),
        ({"type": "apply_patch"}, ir.ToolChoice(mode="named", names=("apply_patch",))),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
            ir.ToolChoice(mode="required", names=("f",)),
        ),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "namespace", "name": "crm"}]},
            ir.ToolChoice(mode="auto", names=("crm__f", "crm__sql")),
        ),
    ],
)
def test_a_choice_is_read(choice: Any, expected: ir.ToolChoice) -> None:
    tools = [F, SQL, CRM, F | {"name": "apply_patch"}]
    assert ask(tools=tools, tool_choice=choice).tool_choice == expected


def test_a_service_is_chosen_by_its_name() -> None:
    request = ask(tools=[F, SEARCH], tool_choice={"type": "web_search_preview"})
    assert request.tool_choice == ir.ToolChoice(mode="named", names=("web_search",))
    assert lost(request) == []


def test_a_service_that_is_left_out_cannot_be_chosen() -> None:
    request = ask(tools=[F], tool_choice={"type": "image_generation"})
    assert (request.tool_choice, lost(request)) == (None, [("tool_choice", "change")])


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_services_are_among_the_allowed(mode: Any) -> None:
    allowed = {"type": "allowed_tools", "mode": mode, "tools": [SEARCH, {"type": "function", "name": "f"}]}
    request = ask(tools=[F, SEARCH], tool_choice=allowed)
    assert request.tool_choice == ir.ToolChoice(mode=mode, names=("web_search", "f"))
    assert lost(request) == []


@pytest.mark.parametrize(
    ("mode", "told"), [("auto", []), ("required", [("tool_choice.tools", "change")])], ids=["auto", "required"]
)
def test_when_nothing_that_is_allowed_is_here_nothing_may_be_called(mode: str, told: list[tuple[str, str]]) -> None:
    drawing = {"type": "image_generation"}
    request = ask(tools=[F, drawing], tool_choice={"type": "allowed_tools", "mode": mode, "tools": [drawing]})
    assert request.tool_choice == ir.ToolChoice(mode="none")
    assert lost(request) == [("tools[1]", "change"), ("tool_choice.tools[0]", "hint"), *told]


@pytest.mark.parametrize(
    ("choice", "path"),
    [
        ("sometimes", "tool_choice"),
        ({"type": "function", "name": "g"}, "tool_choice"),
        ({"type": "function"}, "tool_choice.name"),
        ({"type": "mcp", "server_label": "s"}, "tool_choice"),
        ({"type": "web_search_preview"}, "tool_choice.type"),
        ({"type": "allowed_tools", "tools": [{"type": "code_interpreter"}]}, "tool_choice.tools[0].type"),
        ({"type": "allowed_tools", "mode": "auto"}, "tool_choice.tools"),
        ({"type": "allowed_tools", "tools": [{"type": "namespace", "name": "n"}]}, "tool_choice"),
        ({"type": "allowed_tools", "tools": [{"type": "function"}]}, "tool_choice.tools[0].name"),
        ({"type": "namespace"}, "tool_choice.name"),
    ],
)
def test_a_choice_that_is_wrong_is_named(choice: Any, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(tools=[F], tool_choice=choice)
    assert caught.value.param == path


def test_one_call_at_a_time_joins_the_choice() -> None:
    assert ask(tools=[F], parallel_tool_calls=False).tool_choice == ir.ToolChoice(mode="auto", parallel=False)


def test_without_tools_a_choice_says_nothing() -> None:
    request = ask(tool_choice="auto", parallel_tool_calls=True)
    assert request.tool_choice is None
    assert lost(request) == [("tool_choice", "hint"), ("parallel_tool_calls", "hint")]
