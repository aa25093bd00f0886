"""Tools for a Chat upstream, and the choice among them."""

from typing import Any

import pytest
from msgspec import Raw, json, structs

from gateway import ir

from .outbound import GPT, OTHER, assistant, body, call, function, lost, messages, raw, result, tool_of, user, written

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
STRICT = SCHEMA | {"required": ["a"], "additionalProperties": False}
INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
FREE = ir.Tool(name="sql", free_form=True, schema=raw(INPUT), path="tools[1]")


def test_a_function_goes_with_its_schema_byte_for_byte() -> None:
    tool = function(description="adds", schema=raw(SCHEMA))
    assert body(tools=(tool,))["tools"] == [
        {"type": "function", "function": {"name": "f", "description": "adds", "parameters": SCHEMA}}
    ]


def test_a_function_without_parameters_gets_an_empty_object() -> None:
    (tool,) = body(tools=(function(),))["tools"]
    assert tool["function"]["parameters"] == {"type": "object", "properties": {}}


def test_an_array_that_does_not_say_what_it_holds_may_hold_anything() -> None:
    answer = written(tools=(function(schema=raw({"type": "object", "properties": {"a": {"type": "array"}}})),))
    assert tool_of(answer)["function"]["parameters"]["properties"] == {"a": {"type": "array", "items": {}}}
    assert lost(answer) == [("tools[0].function.parameters", "hint")]


@pytest.mark.parametrize(
    ("schema", "strict", "sent"),
    [(STRICT, True, True), (STRICT, None, None), (STRICT, False, False), (SCHEMA, True, None), (SCHEMA, False, False)],
)
def test_strict_is_kept_where_it_came_and_can_hold(schema: Any, strict: bool | None, sent: bool | None) -> None:
    answer = written(tools=(function(schema=raw(schema), strict=strict),))
    assert tool_of(answer)["function"].get("strict") == sent
    assert lost(answer) == ([("tools[0].function.strict", "hint")] if strict != sent else [])


@pytest.mark.parametrize(
    "inner",
    [
        {"type": "object", "properties": {}},
        {"anyOf": [{"type": "object", "properties": {"b": {}}, "additionalProperties": False, "required": []}]},
        {"type": "array", "items": {"type": "object"}},
        {"allOf": [{"type": "object", "additionalProperties": False, "required": ["c"], "properties": {"b": {}}}]},
        {"type": ["object", "null"]},
    ],
)
def test_one_open_object_within_is_not_strict(inner: Any) -> None:
    schema = STRICT | {"properties": {"a": inner}}
    (tool,) = body(tools=(function(schema=raw(schema), strict=True),))["tools"]
    assert "strict" not in tool["function"]


@pytest.mark.parametrize(
    "inner",
    [
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        {"oneOf": [{"type": "string"}, {"type": "null"}]},
        {"allOf": [STRICT]},
        {"$ref": "#/$defs/A", "description": "another"},
        {"description": "anything"},
        {"type": "array", "items": {}},
        STRICT | {"required": ["a", "b"]},
    ],
)
def test_what_openai_cannot_force_is_not_strict(inner: Any) -> None:
    """Anthropic takes some of it in its own strict tools; OpenAI would refuse the whole request."""
    schema = {"type": "object", "properties": {"x": inner}, "required": ["x"], "additionalProperties": False}
    answer = written(tools=(function(schema=raw(schema | {"$defs": {"A": STRICT}}), strict=True),))
    assert "strict" not in tool_of(answer)["function"]
    assert ("tools[0].function.strict", "hint") in lost(answer)


def test_a_strict_function_has_no_defaults() -> None:
    """What pydantic writes of optional fields: Azure refuses it there, and OpenAI did."""
    inner = {"n": {"type": "integer", "default": 3}, "default": {"type": ["string", "null"], "default": None}}
    schema = {"type": "object", "properties": inner, "required": [*inner], "additionalProperties": False}
    answer = written(tools=(function(schema=raw(schema), strict=True),))
    sent = tool_of(answer)["function"]
    assert sent["strict"] is True
    assert sent["parameters"]["properties"] == {
        "n": {"type": "integer", "description": "(default: 3)"},
        "default": {"type": ["string", "null"]},
    }
    assert lost(answer) == [("tools[0].function.parameters", "hint")]


def test_a_function_that_is_not_strict_keeps_its_defaults() -> None:
    schema = STRICT | {"properties": {"a": {"type": "string", "default": "x"}, "b": {"type": "object"}}}
    for strict in (True, False, None):
        (tool,) = body(tools=(function(schema=raw(schema), strict=strict),))["tools"]
        assert tool["function"]["parameters"]["properties"]["a"] == {"type": "string", "default": "x"}


def test_what_openai_can_force_is_strict() -> None:
    """Bounds, a pattern, a format, a reference to itself: as the structured outputs of OpenAI take them."""
    inner = {
        "n": {"type": ["integer", "null"], "minimum": 0, "exclusiveMaximum": 9},
        "s": {"type": "string", "pattern": "^a", "format": "email", "description": "a mail"},
        "either": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]},
        "list": {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
        "kind": {"const": "k"},
    }
    schema = {"type": "object", "properties": inner, "required": list(inner), "additionalProperties": False}
    answer = written(tools=(function(schema=raw(schema | {"$defs": {"A": STRICT}}), strict=True),))
    assert tool_of(answer)["function"]["strict"] is True


def test_a_free_form_tool_goes_as_one_to_who_has_them() -> None:
    answer = written(tools=(FREE,), model="gpt-5.2")
    assert answer.body["tools"] == [{"type": "custom", "custom": {"name": "sql"}}]
    assert (answer.custom, answer.wrapped, answer.losses) == (frozenset({"sql"}), frozenset(), ())


def test_a_free_form_tool_keeps_its_grammar_or_its_loss_is_told() -> None:
    tool = structs.replace(FREE, grammar=ir.Grammar(definition="a+", syntax="regex", path="tools[1].format"))
    answer = written(tools=(tool,), model="gpt-5.2")
    form = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a+"}}
    assert answer.body["tools"] == [{"type": "custom", "custom": {"name": "sql", "format": form}}]
    assert lost(written(tools=(tool,), model=GPT)) == [("tools[1]", "change"), ("tools[1].format", "change")]


def test_a_free_form_tool_is_wrapped_for_the_others() -> None:
    answer = written(tools=(FREE,), model=GPT)
    assert tool_of(answer) == {"type": "function", "function": {"name": "sql", "parameters": INPUT}}
    assert (answer.custom, answer.wrapped) == (frozenset(), frozenset({"sql"}))
    assert lost(answer) == [("tools[1]", "change")]


def test_calls_of_a_free_form_tool_go_back_as_they_came() -> None:
    turns = (user("go"), assistant(call("c1", "sql", input="select 1")), user(result("c1", "1")))
    said = messages(*turns, tools=(FREE,), model="gpt-5")
    assert said[1]["tool_calls"] == [{"id": "c1", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}]
    assert said[2] == {"role": "tool", "tool_call_id": "c1", "content": "1"}


def test_a_namespace_is_told_to_who_reads_the_answer() -> None:
    assert written(tools=(function("ns__f", namespace=("ns", "f")),)).namespaces == {"ns__f": ("ns", "f")}


# the choice


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (ir.ToolChoice(mode="auto"), "auto"),
        (ir.ToolChoice(mode="none"), "none"),
        (ir.ToolChoice(mode="required"), "required"),
        (ir.ToolChoice(mode="named", names=("g",)), {"type": "function", "function": {"name": "g"}}),
        (
            ir.ToolChoice(mode="required", names=("g",)),
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]},
            },
        ),
    ],
)
def test_a_choice_is_said_as_openai_wants_it(choice: ir.ToolChoice, sent: Any) -> None:
    answer = body(tools=(function(), function("g")), tool_choice=choice)
    assert (answer["tool_choice"], len(answer["tools"])) == (sent, 2)


def test_a_free_form_tool_is_chosen_as_one() -> None:
    choice = ir.ToolChoice(mode="named", names=("sql",))
    assert body(tools=(FREE,), tool_choice=choice, model="gpt-5")["tool_choice"] == {
        "type": "custom",
        "custom": {"name": "sql"},
    }


def test_a_subset_is_all_that_other_servers_see() -> None:
    choice = ir.ToolChoice(mode="auto", names=("g",))
    answer = written(tools=(function(), function("g")), tool_choice=choice, model=OTHER)
    assert answer.body["tool_choice"] == "auto"
    assert tool_of(answer)["function"]["name"] == "g"
    assert lost(answer) == [("tools[0]", "hint")]


@pytest.mark.parametrize("mode", ["auto", "required"])
@pytest.mark.parametrize("model", [GPT, OTHER])
def test_a_choice_of_a_service_leaves_the_functions_out(mode: Any, model: str) -> None:
    search = ir.Tool(name="web_search", builtin="web_search", path="web_search_options")
    choice = ir.ToolChoice(mode=mode, names=("web_search",))
    answer = written(tools=(function(), search), tool_choice=choice, model=model)
    assert not {"tools", "tool_choice"} & answer.body.keys()
    assert answer.body["web_search_options"] == {}
    assert lost(answer) == [("tools[0]", "hint"), ("tool_choice", "change" if mode == "required" else "hint")]


@pytest.mark.parametrize("choice", [ir.ToolChoice(mode="none"), ir.ToolChoice(mode="auto", names=("f",))])
def test_a_service_that_may_not_be_called_is_left_out(choice: ir.ToolChoice) -> None:
    search = ir.Tool(name="web_search", builtin="web_search", path="web_search_options")
    answer = written(tools=(function(), search), tool_choice=choice)
    assert "web_search_options" not in answer.body
    assert lost(answer) == [("web_search_options", "hint")]


def test_no_parallel_calls_is_said_beside_auto() -> None:
    answer = body(tools=(function(),), tool_choice=ir.ToolChoice(mode="auto", parallel=False))
    assert (answer["tool_choice"], answer["parallel_tool_calls"]) == ("auto", False)


def test_without_tools_nothing_is_said_of_them() -> None:
    answer = written(tool_choice=ir.ToolChoice(mode="auto", parallel=False))
    assert {"tools", "tool_choice", "parallel_tool_calls"}.isdisjoint(answer.body)
    assert lost(answer) == [("tool_choice", "hint"), ("parallel_tool_calls", "hint")]


@pytest.mark.parametrize(("parallel", "severity"), [(True, "hint"), (False, "change")])
def test_older_thinkers_take_no_word_about_parallel_calls(parallel: bool, severity: str) -> None:
    answer = written(tools=(function(),), tool_choice=ir.ToolChoice(mode="auto", parallel=parallel), model="o3")
    assert "parallel_tool_calls" not in answer.body
    assert lost(answer) == [("parallel_tool_calls", severity)]


def test_older_thinkers_need_no_word_where_no_call_may_be_made() -> None:
    answer = written(tools=(function(),), tool_choice=ir.ToolChoice(mode="none", parallel=False), model="o3")
    assert lost(answer) == [("parallel_tool_calls", "hint")]


# services of the upstream


def test_a_search_that_a_chat_caller_asks_for_goes_along() -> None:
    tool = ir.Tool(name="web_search", builtin="web_search", path="web_search_options")
    assert body(tools=(tool,))["web_search_options"] == {}


def test_a_search_is_told_where_the_user_is_and_how_much_to_read() -> None:
    options = (
        ir.Option(name="user_location", value=Raw(b'{"city":"Rome"}'), at="user_location"),
        ir.Option(name="search_context_size", value=Raw(b'"low"'), at="search_context_size"),
        ir.Option(name="max_uses", value=Raw(b"3"), at="max_uses"),
    )
    tool = ir.Tool(name="web_search", builtin="web_search", options=options, path="tools[0]")
    answer = written(tools=(tool,), model="gpt-4o-search-preview")
    assert json.decode(json.encode(answer.body["web_search_options"])) == {
        "user_location": {"type": "approximate", "approximate": {"city": "Rome"}},
        "search_context_size": "low",
    }
    assert lost(answer) == [("tools[0].max_uses", "hint")]


@pytest.mark.parametrize(("model", "sent"), [("gpt-4o-search-preview", True), (GPT, False)])
def test_a_search_of_others_goes_to_models_that_search(model: str, sent: bool) -> None:
    tool = ir.Tool(name="web_search", builtin="web_search", path="tools[0]")
    answer = written(tools=(tool,), model=model)
    assert ("web_search_options" in answer.body) is sent
    assert lost(answer) == ([] if sent else [("tools[0]", "change")])


def test_services_that_it_has_not_are_told() -> None:
    tools = (function(), ir.Tool(name="code", builtin="code_execution", path="tools[1]"))
    choice = ir.ToolChoice(mode="named", names=("code",))
    answer = written(tools=tools, tool_choice=choice)
    assert answer.body["tool_choice"] == "auto"
    assert lost(answer) == [("tool_choice", "change"), ("tools[1]", "change")]
