"""Tools and the choice among them on their way to an upstream that speaks OpenAI Responses."""

import pytest
from msgspec import structs

from gateway import ir

from .outbound import body, lost, raw, thread, tool, written

A, B = tool("a", path="tools[0]"), tool("b", path="tools[1]")
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = OPEN | {"required": ["a"], "additionalProperties": False}
FREE = tool("patch", free_form=True, path="tools[0]")
SEARCH = ir.Tool(name="web_search", builtin="web_search", path="tools[0]")
SPACE = {"type": "namespace", "name": "ns", "description": "About.", "tools": [{"type": "function", "name": "f"}]}
NESTED = tool("ns__f", path="tools[0].tools[0]", namespace=("ns", "f"), description="About.\n\nF.")


def test_function_is_flat_and_not_strict_unless_it_says_so() -> None:
    assert body(tools=(tool(description="Does."),))["tools"] == [
        {"type": "function", "name": "f", "description": "Does.", "parameters": OPEN, "strict": False}
    ]


def test_function_without_parameters_has_an_empty_object() -> None:
    (one,) = body(tools=(tool(schema=None),))["tools"]
    assert one["parameters"] == {"type": "object", "properties": {}}


def test_array_that_says_nothing_of_its_items_may_hold_anything() -> None:
    schema = {"type": "object", "properties": {"items": {"type": "array"}, "b": {"enum": [{"type": "array"}]}}}
    assert lost(written(tools=(tool(schema=raw(schema)),))) == {"tools[0].parameters": "hint"}
    (one,) = body(tools=(tool(schema=raw(schema)),))["tools"]
    assert one["parameters"]["properties"] == {
        "items": {"type": "array", "items": {}},
        "b": {"enum": [{"type": "array"}]},
    }


def test_root_without_a_type_is_an_object() -> None:
    (one,) = body(tools=(tool(schema=raw({"properties": {}})),))["tools"]
    assert one["parameters"] == {"type": "object", "properties": {}}


def test_strict_is_kept_where_the_schema_allows_it() -> None:
    (one,) = body(tools=(tool(schema=raw(CLOSED), strict=True),))["tools"]
    assert one["strict"] is True
    defaulted = CLOSED | {"properties": {"a": {"type": "string", "default": "x"}}}
    (one,) = body(tools=(tool(schema=raw(defaulted), strict=True),))["tools"]
    assert (one["strict"], "default" in one["parameters"]["properties"]["a"]) == (True, False)
    open_one = written(tools=(tool(strict=True),))
    assert lost(open_one) == {"tools[0].strict": "hint"}


def test_caller_of_this_dialect_says_itself_whether_a_function_is_strict() -> None:
    (one,) = body(tools=(tool(),), thread=thread(tools=[{"type": "function", "name": "f"}]))["tools"]
    assert "strict" not in one


def test_name_that_is_not_legal_is_mapped() -> None:
    asked = written(tools=(tool("mcp.a b"),))
    (one,) = body(tools=(tool("mcp.a b"),))["tools"]
    assert asked.names.original(one["name"]) == "mcp.a b"


# free-form tools


def test_free_form_tool_of_another_dialect_keeps_its_grammar() -> None:
    grammar = ir.Grammar(definition="start: x", syntax="lark", path="tools[0].custom.format")
    asked = written(tools=(structs.replace(FREE, grammar=grammar),))
    form = {"type": "grammar", "syntax": "lark", "definition": "start: x"}
    assert asked.body["tools"] == [{"type": "custom", "name": "patch", "format": form}]
    assert asked.losses == ()


def test_where_a_free_form_tool_is_a_function_its_grammar_is_told() -> None:
    grammar = ir.Grammar(definition="start: x", syntax="lark", path="tools[0].custom.format")
    asked = written(tools=(structs.replace(FREE, grammar=grammar),), model="gpt-4o")
    assert ("tools[0].custom.format", "change") in [(loss.path, loss.severity) for loss in asked.losses]


def test_free_form_tool_has_the_grammar_of_its_caller() -> None:
    form = {"type": "grammar", "syntax": "lark", "definition": "start: x"}
    own = thread(tools=[{"type": "custom", "name": "patch", "format": form}])
    asked = written(tools=(FREE,), thread=own)
    assert (asked.body["tools"], asked.custom) == (
        [{"type": "custom", "name": "patch", "format": raw(form)}],
        frozenset({"patch"}),
    )


def test_older_model_gets_a_free_form_tool_as_a_function() -> None:
    asked = written(tools=(FREE,), model="gpt-4.1")
    assert (asked.custom, asked.wrapped, lost(asked)) == (
        frozenset(),
        frozenset({"patch"}),
        {"tools[0]": "change"},
    )


def test_model_that_nobody_knows_gets_a_free_form_tool_as_such() -> None:
    assert body(tools=(FREE,), model="my-deployment", target={"reasoning": False})["tools"] == [
        {"type": "custom", "name": "patch"}
    ]


# services


def test_services_are_named() -> None:
    code = ir.Tool(name="code_execution", builtin="code_execution", path="tools[1]")
    assert body(tools=(SEARCH, code))["tools"] == [
        {"type": "web_search"},
        {"type": "code_interpreter", "container": {"type": "auto"}},
    ]


def test_what_code_prints_is_asked_for() -> None:
    code = ir.Tool(name="code_execution", builtin="code_execution", path="tools[0]")
    assert body(tools=(code,))["include"] == ["reasoning.encrypted_content", "code_interpreter_call.outputs"]


def test_services_keep_the_options_of_their_caller() -> None:
    said = {"type": "web_search_preview", "search_context_size": "low", "user_location": None}
    assert body(tools=(SEARCH,), thread=thread(tools=[said]))["tools"] == [
        {"type": "web_search_preview", "search_context_size": "low"}
    ]


def test_service_that_is_not_here_is_told() -> None:
    fetch = ir.Tool(name="web_fetch", builtin="web_fetch", path="tools[1]")
    assert lost(written(tools=(A, fetch))) == {"tools[1]": "change"}


# namespaces


def test_namespace_goes_whole() -> None:
    asked = written(tools=(NESTED, B), thread=thread(tools=[SPACE]))
    function = {"type": "function", "name": "f", "parameters": raw(OPEN)}
    space = {"type": "namespace", "name": "ns", "description": raw("About."), "tools": [function]}
    assert asked.body["tools"][0] == space  # type: ignore[index]  # a list
    assert asked.namespaces == {"ns__f": ("ns", "f")}


def test_choice_of_a_tool_in_a_namespace_makes_it_flat() -> None:
    choice = ir.ToolChoice(mode="named", names=("ns__f",))
    asked = body(tools=(NESTED,), tool_choice=choice, thread=thread(tools=[SPACE]))
    assert asked["tool_choice"] == {"type": "function", "name": "ns__f"}
    assert asked["tools"][0]["description"] == "About.\n\nF."


def test_older_model_gets_a_namespace_flat() -> None:
    assert written(tools=(NESTED,), thread=thread(tools=[SPACE]), model="gpt-4.1").namespaces == {}


def test_tool_that_joined_later_is_flat() -> None:
    later = tool("ns__f", path="input[2].tools[0].tools[0]", namespace=("ns", "f"))
    assert body(tools=(later,), thread=thread(tools=[]))["tools"][0]["name"] == "ns__f"


# the choice


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ir.ToolChoice(mode="auto"), "auto"),
        (ir.ToolChoice(mode="none"), "none"),
        (ir.ToolChoice(mode="required"), "required"),
        (ir.ToolChoice(mode="named", names=("a",)), {"type": "function", "name": "a"}),
        (
            ir.ToolChoice(mode="auto", names=("b",)),
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "b"}]},
        ),
        (
            ir.ToolChoice(mode="required", names=("a", "b")),
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "a"}, {"type": "function", "name": "b"}],
            },
        ),
    ],
)
def test_choice(choice: ir.ToolChoice, expected: object) -> None:
    assert body(tools=(A, B), tool_choice=choice)["tool_choice"] == expected


def test_choice_of_a_free_form_tool() -> None:
    choice = ir.ToolChoice(mode="named", names=("patch",))
    assert body(tools=(FREE,), tool_choice=choice)["tool_choice"] == {"type": "custom", "name": "patch"}


def test_choice_of_a_service() -> None:
    choice = ir.ToolChoice(mode="named", names=("web_search",))
    assert body(tools=(SEARCH,), tool_choice=choice)["tool_choice"] == {"type": "web_search"}


def test_choice_of_a_service_that_is_not_here_is_told() -> None:
    fetch = ir.Tool(name="web_fetch", builtin="web_fetch", path="tools[1]")
    asked = written(tools=(A, fetch), tool_choice=ir.ToolChoice(mode="named", names=("web_fetch",)))
    assert (asked.body["tool_choice"], lost(asked)) == ("auto", {"tools[1]": "change", "tool_choice": "change"})


def test_choice_of_a_tool_that_is_not_there_is_told() -> None:
    asked = written(tools=(A,), tool_choice=ir.ToolChoice(mode="auto", names=("a", "gone")))
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "a"}]}
    assert (asked.body["tool_choice"], lost(asked)) == (allowed, {"tool_choice": "change"})


@pytest.mark.parametrize("parallel", [True, False])
def test_parallel_calls_are_said_beside_the_choice(parallel: bool) -> None:
    asked = body(tools=(A,), tool_choice=ir.ToolChoice(mode="auto", parallel=parallel))
    assert asked["parallel_tool_calls"] is parallel


def test_parallel_calls_without_tools_are_told() -> None:
    asked = written(tools=(), tool_choice=ir.ToolChoice(mode="auto", parallel=False))
    assert lost(asked) == {"tool_choice": "hint", "parallel_tool_calls": "hint"}
