"""What a Gemini body has no room for, in the caller's own words."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from gateway import ir
from gateway.errors import InvalidRequest

from .asking import (
    CLAUDE,
    GEMINI_2,
    GEMINI_3,
    IMAGE,
    assistant,
    call,
    image,
    lost,
    raw,
    result,
    thought,
    tool,
    user,
    written,
)

PUBLIC = {"surface": "gemini"}
BELOW = "function.parameters"
SIGNED = ir.Signature("openai", "c2ln")


@pytest.mark.parametrize(
    ("where", "path"),
    [
        ({"path": "tools[0]", "schema_path": BELOW}, "tools[0].function.strict"),
        ({"path": "functions[0]", "schema_path": "parameters"}, "functions[0].strict"),
    ],
)
def test_a_strict_schema(where: Any, path: str) -> None:
    assert lost(written(tools=(tool(strict=True, **where),)), "hint") == [path]
    assert lost(written(tools=(tool(strict=False, **where),))) == []


def test_keywords_of_a_schema_below_the_tool() -> None:
    given = tool(schema=raw({"type": "object", "propertyNames": {}, "properties": {"a": {}}}), schema_path=BELOW)
    assert lost(written(tools=(given,))) == ["tools[0].function.parameters.propertyNames"]


def test_keywords_of_the_answers_schema() -> None:
    output = ir.Output(
        kind="schema", schema=raw({"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}})
    )
    answer = written(output=output, paths={"schema": "output_config.format.schema"})
    assert lost(answer) == ["output_config.format.schema.properties.a.pattern"]


def test_tools_that_a_free_choice_leaves_out() -> None:
    tools = (tool("f"), tool("g", path="tools[1]"))
    assert lost(written(tools=tools, tool_choice=ir.ToolChoice(mode="auto", names=("f",)))) == ["tools[1]"]


@pytest.mark.parametrize("model", [GEMINI_3, CLAUDE])
def test_a_choice_without_functions(model: str) -> None:
    search = ir.Tool(name="web_search", builtin="web_search", path="tools[0]")
    choice = ir.ToolChoice(mode="required", parallel=False)
    assert {"tool_choice", "parallel_tool_calls"} <= set(
        lost(written(tools=(search,), tool_choice=choice, model=model))
    )


def test_a_choice_for_a_model_that_draws() -> None:
    answer = written(tools=(tool(),), tool_choice=ir.ToolChoice(mode="auto"), model=IMAGE)
    assert lost(answer, "hint") == ["tool_choice"]


def test_what_is_said_of_a_schema_beside_it() -> None:
    output = ir.Output(kind="json", name="n", description="d", strict=True)
    assert lost(written(output=output)) == [
        f"response_format.json_schema.{name}" for name in ("name", "description", "strict")
    ]


def test_all_details_but_the_first() -> None:
    seen = (image(detail="low"), image(detail="high", detail_path="x.detail"), image(detail="auto"), image())
    assert lost(written(user(*seen))) == ["x.detail"]
    assert lost(written(user(image(detail="low", detail_path="y.detail")), model=CLAUDE)) == ["y.detail"]


@pytest.mark.parametrize("model", [GEMINI_3, CLAUDE])
def test_a_detail_that_nobody_knows(model: str) -> None:
    assert lost(written(user(image(detail="fine", detail_path="x.detail")), model=model)) == ["x.detail"]


@pytest.mark.parametrize("model", [GEMINI_2, GEMINI_3, CLAUDE])
def test_updates_of_thoughts(model: str) -> None:
    wish = ir.Reasoning(mode="budget", budget=2000, visible=True)
    paths = {"thinking": "output_config.effort", "display": "thinking.display"}
    before = lost(written(model=model, reasoning=wish, paths=paths))
    updated = written(model=model, reasoning=replace(wish, display="updates"), paths=paths)
    assert lost(updated, "hint") == [*before, "thinking.display"]


def test_names_of_files() -> None:
    named = image(filename="a.png", path="messages[0].content[0].file.file_data")
    assert lost(written(user(named))) == ["messages[0].content[0].file.filename"]
    assert lost(written(user(named), paths={"filename": "displayName"})) == ["messages[0].content[0].file.displayName"]


@pytest.mark.parametrize(
    ("target", "said", "paths"),
    [
        ({}, {"user": "u"}, ["user"]),
        ({}, {"session": "s"}, []),
        ({}, {"user": "s", "session": "s"}, []),
        (PUBLIC, {"user": "u", "session": "s"}, ["session", "user"]),
    ],
)
def test_who_asks(target: Any, said: Any, paths: list[str]) -> None:
    assert lost(written(target=target, **said), "hint") == paths


def amount(mode: Any, **fields: Any) -> ir.Reasoning:
    return ir.Reasoning(mode=mode, visible=True, **fields)


@pytest.mark.parametrize(
    ("model", "reasoning", "told"),
    [
        (GEMINI_3, amount("level", level="low"), False),
        (GEMINI_3, amount("level", level="max"), True),
        (GEMINI_3, amount("budget", budget=3000), True),
        (GEMINI_3, amount("off"), True),
        (GEMINI_3, amount("auto"), False),
        ("gemini-3-pro-high", amount("level", level="low"), True),
        (GEMINI_2, amount("budget", budget=3000), False),
        (GEMINI_2, amount("budget", budget=90000), True),
        (GEMINI_2, amount("level", level="max"), True),
        (GEMINI_2, amount("level", level="low"), False),
        (GEMINI_2, amount("off"), False),
        ("gemini-2.5-pro", amount("off"), True),
        (CLAUDE, amount("budget", budget=100), True),
        (CLAUDE, amount("level", level="low"), False),
        (GEMINI_3, ir.Reasoning(mode="budget", budget=3000, include=True), False),
    ],
)
def test_thinking_that_is_not_to_be_had_as_asked(model: str, reasoning: ir.Reasoning, told: bool) -> None:
    assert lost(written(model=model, reasoning=reasoning), "hint") == ["thinking"] * told


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"sampling": ir.Sampling(seed=1)}, "generationConfig.seed"),
        ({"reasoning": amount("budget", budget=1)}, "generationConfig.thinkingConfig"),
        ({"tools": (tool(),), "tool_choice": ir.ToolChoice(mode="auto", parallel=False)}, "a.parallel"),
    ],
)
def test_losses_are_told_by_the_callers_names(given: Any, path: str) -> None:
    paths = {
        "seed": "generationConfig.seed",
        "thinking": "generationConfig.thinkingConfig",
        "parallel_tool_calls": "a.parallel",
    }
    assert lost(written(model=CLAUDE, paths=paths, **given)) == [path]


@pytest.mark.parametrize(
    ("sampling", "paths"),
    [
        (ir.Sampling(n=2), {"n": "generationConfig.candidateCount"}),
        (ir.Sampling(stop=tuple("abcdef")), {"stop": "stop_sequences"}),
    ],
)
def test_refusals_too(sampling: ir.Sampling, paths: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        written(model=CLAUDE, sampling=sampling, paths=paths)
    assert [caught.value.param] == list(paths.values())


def test_thoughts_and_signatures_that_do_not_go_back() -> None:
    said = assistant(thought(), ir.Text(text="a", signature=SIGNED), call("c1", signature=SIGNED))
    turn = replace(said, places=(("t",), ("x",), ("c",)))
    assert lost(written(user("u"), turn, user(result("c1", "r")))) == ["t", "x", "c"]


def test_thoughts_that_go_back_are_not_lost() -> None:
    turn = replace(assistant(thought(), call("c1")), places=(("t",), ()))
    reasoning = amount("budget", budget=2000)
    assert lost(written(user("u"), turn, user(result("c1", "r")), model=CLAUDE, reasoning=reasoning)) == []


@pytest.mark.parametrize(("name", "paths"), [("f", []), (None, []), ("g", ["results[c1].name"])])
def test_a_result_that_calls_itself_otherwise(name: str | None, paths: list[str]) -> None:
    named = replace(result("c1", "r"), name=name)
    assert lost(written(user("u"), assistant(call("c1")), user(named))) == paths
