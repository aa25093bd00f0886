"""The tools for an Anthropic upstream, and the choice among them."""

from typing import Any

import pytest
from msgspec.json import decode, encode

from gateway import ir
from gateway.dialects.anthropic.outbound_request import AnthropicWritten

from .outbound import NEWER, Json, assistant, body, call, function, lost, raw, result, user, written

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SEARCH = ir.Tool(name="web_search", builtin="web_search", path="tools[1]")
BUDGET = ir.Reasoning(mode="budget", budget=2000, visible=True)
F = function("f")
G = function("g", path="tools[1]")


def choice(mode: Any, *names: str, parallel: bool | None = None) -> ir.ToolChoice:
    return ir.ToolChoice(mode=mode, names=names, parallel=parallel)


def tools(answer: AnthropicWritten) -> list[Json]:
    found: list[Json] = decode(encode(answer.body["tools"]))
    return found


def test_a_function_has_name_description_and_schema() -> None:
    answer = written(tools=(function("f", description="Tells it.", schema=raw(CITY)),))
    assert tools(answer) == [{"name": "f", "description": "Tells it.", "input_schema": CITY}]
    assert lost(answer) == []


def test_a_function_without_parameters_takes_an_object() -> None:
    assert tools(written(tools=(F,)))[0]["input_schema"] == {"type": "object", "properties": {}}


def test_a_free_form_tool_is_a_function_with_one_input() -> None:
    schema = raw({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]})
    answer = written(tools=(function("sql", schema=schema, free_form=True),))
    assert tools(answer)[0]["input_schema"]["required"] == ["input"]
    assert answer.wrapped == {"sql"}
    assert lost(answer) == [("tools[0]", "change")]


def test_calls_are_held_to_a_strict_schema() -> None:
    answer = written(tools=(function("f", schema=raw(CITY), strict=True),))
    assert tools(answer) == [{"name": "f", "input_schema": CITY | {"additionalProperties": False}, "strict": True}]


@pytest.mark.parametrize(
    ("schema", "target"),
    [
        ({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}, {}),
        ({"type": "object"}, {}),
        (CITY, {"structured": False}),
    ],
)
def test_what_calls_cannot_be_held_to_is_told(schema: Json, target: Json) -> None:
    answer = written(tools=(function("f", schema=raw(schema), strict=True),), target=target)
    assert tools(answer) == [{"name": "f", "input_schema": schema}]
    assert lost(answer) == [("tools[0].function.strict", "hint")]


def test_what_is_not_strict_stays_as_it_is() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "string"}}
    assert tools(written(tools=(function("f", schema=raw(schema), strict=False),))) == [
        {"name": "f", "input_schema": schema}
    ]


@pytest.mark.parametrize(
    ("builtin", "kind"),
    [
        ("web_search", "web_search_20250305"),
        ("web_fetch", "web_fetch_20250910"),
        ("code_execution", "code_execution_20250825"),
    ],
)
def test_a_service_stands_beside_functions(builtin: str, kind: str) -> None:
    answer = written(tools=(F, ir.Tool(name="x", builtin=builtin, path="tools[1]")))
    assert tools(answer)[1] == {"type": kind, "name": builtin}
    assert lost(answer) == []


def test_tools_keep_their_order_for_a_mark_holds_for_all_before_it() -> None:
    names = [tool["name"] for tool in tools(written(tools=(F, SEARCH, function("g", path="tools[2]"))))]
    assert names == ["f", "web_search", "g"]


@pytest.mark.parametrize("fields", [{"target": {"services": frozenset()}}, {"tools": (function("web_search"), SEARCH)}])
def test_a_service_that_is_not_there_is_told(fields: Json) -> None:
    given: Json = {"tools": (F, SEARCH)}
    answer = written(**given | fields)
    assert len(tools(answer)) == 1
    assert lost(answer) == [("tools[1]", "change")]


def test_tools_that_were_called_are_declared_but_not_to_be_called() -> None:
    sent = body(user("go"), assistant(call("a", "f")), user(result("a", "ok")))
    assert sent["tools"] == [{"name": "f", "input_schema": {"type": "object"}}]
    assert sent["tool_choice"] == {"type": "none"}


# the choice


@pytest.mark.parametrize(
    ("chosen", "sent"),
    [
        (choice("auto"), {"type": "auto"}),
        (choice("none"), {"type": "none"}),
        (choice("required"), {"type": "any"}),
        (choice("named", "g"), {"type": "tool", "name": "g"}),
        (choice("auto", parallel=True), {"type": "auto"}),
        (choice("required", parallel=False), {"type": "any", "disable_parallel_tool_use": True}),
        (choice("named", "f", parallel=False), {"type": "tool", "name": "f", "disable_parallel_tool_use": True}),
    ],
)
def test_b12_the_choice(chosen: ir.ToolChoice, sent: Json) -> None:
    answer = written(tools=(F, G), tool_choice=chosen)
    assert answer.body["tool_choice"] == sent
    assert lost(answer) == []


def test_b13_one_call_at_a_time_is_said_beside_auto() -> None:
    sent = body(tools=(F,), tool_choice=choice("auto", parallel=False))
    assert sent["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_none_leaves_nothing_to_be_parallel() -> None:
    answer = written(tools=(F,), tool_choice=choice("none", parallel=False))
    assert answer.body["tool_choice"] == {"type": "none"}
    assert lost(answer) == [("parallel_tool_calls", "hint")]


def test_b16_and_pitfall_19_what_thinks_by_a_budget_is_not_forced() -> None:
    answer = written(tools=(F,), tool_choice=choice("required"), reasoning=BUDGET, target={"max_output": 64_000})
    assert answer.body["tool_choice"] == {"type": "auto"}
    assert answer.body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert lost(answer) == [("tool_choice", "change")]


def test_what_thinks_as_it_finds_right_is_forced() -> None:
    answer = written(tools=(F,), tool_choice=choice("required"), reasoning=BUDGET, target=NEWER)
    assert answer.body["tool_choice"] == {"type": "any"}


def test_a_configured_wish_for_thoughts_yields_to_the_callers_choice() -> None:
    wish = ir.Reasoning(mode="budget", budget=2000, visible=True, include=True)
    answer = written(tools=(F,), tool_choice=choice("named", "f"), reasoning=wish, target={"max_output": 64_000})
    assert answer.body["tool_choice"] == {"type": "tool", "name": "f"}
    assert "thinking" not in answer.body


@pytest.mark.parametrize(("mode", "sent"), [("auto", "auto"), ("required", "any")])
def test_of_some_of_the_tools_only_those_are_declared(mode: str, sent: str) -> None:
    answer = written(tools=(F, G), tool_choice=choice(mode, "g"))
    assert [tool["name"] for tool in tools(answer)] == ["g"]
    assert answer.body["tool_choice"] == {"type": sent}
    assert lost(answer) == [("tools[0]", "hint")]


def test_a_service_can_be_chosen() -> None:
    answer = written(tools=(F, SEARCH), tool_choice=choice("named", "web_search"))
    assert answer.body["tool_choice"] == {"type": "tool", "name": "web_search"}


def test_a_service_that_is_not_there_cannot() -> None:
    answer = written(
        tools=(F, SEARCH), tool_choice=choice("named", "web_search"), target={"services": frozenset[str]()}
    )
    assert answer.body["tool_choice"] == {"type": "auto"}
    assert ("tool_choice", "change") in lost(answer)


@pytest.mark.parametrize(
    ("wish", "names", "told"),
    [
        (choice("required", "web_search"), ["web_search"], {"type": "any"}),
        (choice("auto", "web_search"), ["web_search"], {"type": "auto"}),
        (choice("required", "f"), ["f"], {"type": "any"}),
    ],
)
def test_a_choice_of_some_leaves_functions_and_services_out(wish: ir.ToolChoice, names: list[str], told: Json) -> None:
    answer = written(tools=(F, SEARCH), tool_choice=wish)
    assert [tool["name"] for tool in tools(answer)] == names
    assert answer.body["tool_choice"] == told


def test_a_choice_without_tools_is_left_out() -> None:
    answer = written(tool_choice=choice("auto", parallel=False), paths={"parallel_tool_calls": "tool_choice.x"})
    assert "tool_choice" not in answer.body
    assert lost(answer) == [("tool_choice", "hint"), ("tool_choice.x", "hint")]
