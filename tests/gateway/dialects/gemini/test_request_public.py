"""What differs in a request when it goes to the public Gemini API."""

import json
from typing import Any

import msgspec
import pytest

from gateway import ir
from gateway.dialects.gemini.request import GeminiTarget, Written, write_request
from tests.fakes.gemini_api_checks import generation
from tests.fakes.gemini_api_models import describe
from tests.fakes.v1internal_signatures import Signatures

from .asking import GEMINI_SIGNATURE, assistant, call, lost, raw, result, tool, user

GEMINI_3, GEMINI_2 = "gemini-3-flash-preview", "gemini-2.5-flash"
SCHEMA = raw({"type": "object", "properties": {"a": {"type": "integer", "exclusiveMinimum": 0}}, "required": ["a"]})
LIGHT = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]}
SEARCH = ir.Tool(name="web_search", builtin="web_search", path="tools[1]")
CODE = ir.Tool(name="code_execution", builtin="code_execution", path="tools[2]")


def public(*turns: ir.Turn, model: str = GEMINI_3, target: dict[str, Any] | None = None, **fields: Any) -> Written:
    """Write a request; a body that the Gemini API would refuse fails the test."""
    request = ir.Request(model=model, turns=turns or (user("hi"),), **fields)
    options: dict[str, Any] = {"model": model, "family": "gemini", "surface": "gemini", **(target or {})}
    answer = write_request(request, GeminiTarget(**options))
    generation(sent(answer), f"models/{model}", describe(model), headers={}, signatures=Signatures())
    return answer


def sent(answer: Written) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(msgspec.json.encode(answer.body))
    return body


def body(*turns: ir.Turn, **fields: Any) -> dict[str, Any]:
    return sent(public(*turns, **fields))


def test_parameters_go_as_json_schema() -> None:
    (declared,) = body(tools=(tool(schema=SCHEMA),))["tools"][0]["functionDeclarations"]
    assert declared == {"name": "f", "parametersJsonSchema": LIGHT}


def test_a_server_that_knows_no_json_schema_gets_parameters() -> None:
    (declared,) = body(tools=(tool(schema=SCHEMA),), target={"json_schemas": False})["tools"][0]["functionDeclarations"]
    assert declared["parameters"]["properties"]["a"]["type"] == "integer"
    assert "parametersJsonSchema" not in declared


EMPTY = {"type": "object", "properties": {}, "additionalProperties": False}


@pytest.mark.parametrize("schema", [None, raw({}), raw(EMPTY)])
def test_a_function_without_parameters_has_none(schema: Any) -> None:
    (declared,) = body(tools=(tool(schema=schema),))["tools"][0]["functionDeclarations"]
    assert declared == {"name": "f"}


def test_a_function_that_takes_anything_says_so() -> None:
    (declared,) = body(tools=(tool(schema=raw({"additionalProperties": True})),))["tools"][0]["functionDeclarations"]
    assert declared["parametersJsonSchema"] == {"type": "object", "additionalProperties": True}


def test_the_schema_of_an_answer_goes_as_json_schema() -> None:
    config = body(output=ir.Output(kind="schema", schema=SCHEMA))["generationConfig"]
    assert config == {"responseMimeType": "application/json", "responseJsonSchema": LIGHT}


def test_json_and_tools_go_together_to_gemini_3() -> None:
    written = body(tools=(tool(),), output=ir.Output(kind="schema", schema=SCHEMA))
    assert written["generationConfig"]["responseMimeType"] == "application/json"
    assert written["tools"]


def test_json_with_tools_is_asked_for_in_words_before_gemini_3() -> None:
    written = body(tools=(tool(),), output=ir.Output(kind="schema", schema=SCHEMA), model=GEMINI_2)
    assert "generationConfig" not in written
    assert written["tools"]
    assert "exclusiveMinimum" in written["systemInstruction"]["parts"][0]["text"]


def test_services_stand_beside_functions_from_gemini_3_on() -> None:
    written = body(tools=(tool(), SEARCH, CODE))
    assert [next(iter(one)) for one in written["tools"]] == ["functionDeclarations", "googleSearch", "codeExecution"]
    assert written["toolConfig"] == {"includeServerSideToolInvocations": True}


def test_the_flag_and_a_choice_go_together() -> None:
    choice = ir.ToolChoice(mode="named", names=("f",))
    assert body(tools=(tool(), SEARCH), tool_choice=choice)["toolConfig"] == {
        "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]},
        "includeServerSideToolInvocations": True,
    }


@pytest.mark.parametrize(
    ("choice", "tools", "config", "told"),
    [
        # no field forces a service, or forbids it
        (("named", "web_search"), ["f", "googleSearch"], {"mode": "AUTO"}, ["tool_choice"]),
        (("none",), ["f"], {"mode": "NONE"}, []),
        (("auto", "web_search"), ["googleSearch"], None, []),
        (("required", "web_search"), ["googleSearch"], None, ["tool_choice"]),
        (("auto", "f"), ["f"], {"mode": "AUTO"}, []),
        (("required", "f"), ["f"], {"mode": "ANY", "allowedFunctionNames": ["f"]}, []),
        (
            ("required", "f", "web_search"),
            ["f", "googleSearch"],
            {"mode": "ANY", "allowedFunctionNames": ["f"]},
            ["tool_choice"],
        ),
    ],
)
def test_a_choice_among_functions_and_services(
    choice: tuple[Any, ...], tools: list[str], config: object, told: list[str]
) -> None:
    written = public(tools=(tool(), SEARCH), tool_choice=ir.ToolChoice(mode=choice[0], names=choice[1:]))
    declared = sent(written)["tools"]
    found = [(kind, value) for one in declared for kind, value in one.items()]
    assert [value[0]["name"] if kind == "functionDeclarations" else kind for kind, value in found] == tools
    assert sent(written).get("toolConfig", {}).get("functionCallingConfig") == config
    assert lost(written, "change") == told


def test_services_give_way_to_functions_before_gemini_3() -> None:
    written = public(tools=(tool(), SEARCH), model=GEMINI_2)
    assert [next(iter(one)) for one in sent(written)["tools"]] == ["functionDeclarations"]
    assert lost(written, "change") == ["tools[1]"]


def test_functions_alone_have_no_flag() -> None:
    assert "toolConfig" not in body(tools=(tool(),))


@pytest.mark.parametrize("model", [GEMINI_3, GEMINI_2])
def test_calls_and_results_both_have_their_ids(model: str) -> None:
    signed = ir.Signature("gemini", GEMINI_SIGNATURE, "f")
    turns = (user("u"), assistant(call("c1", signature=signed), call("c2")), user(result("c2", "2"), result("c1", "1")))
    calls, results = body(*turns, tools=(tool(),), model=model)["contents"][1:]
    assert [part["functionCall"]["id"] for part in calls["parts"]] == ["c1", "c2"]
    assert [part["functionResponse"]["id"] for part in results["parts"]] == ["c1", "c2"]


def test_no_choice_is_ever_validated() -> None:
    mode = body(tools=(tool(),), tool_choice=ir.ToolChoice(mode="auto"))["toolConfig"]["functionCallingConfig"]
    assert mode == {"mode": "AUTO"}


def test_penalties_are_left_out_where_they_are_refused() -> None:
    sampling = ir.Sampling(presence_penalty=0.5, frequency_penalty=0.5, temperature=1)
    written = public(sampling=sampling, target={"penalties": False})
    assert sent(written)["generationConfig"] == {"temperature": 1}
    assert lost(written, "change") == ["presence_penalty", "frequency_penalty"]


def test_nothing_is_lost_with_a_penalty_of_0_where_they_are_refused() -> None:
    written = public(sampling=ir.Sampling(presence_penalty=0, frequency_penalty=0.5), target={"penalties": False})
    assert (lost(written, "hint"), lost(written, "change")) == (["presence_penalty"], ["frequency_penalty"])


@pytest.mark.parametrize(
    ("model", "config"),
    [
        (GEMINI_2, {"thinkingBudget": 24576, "includeThoughts": True}),
        (GEMINI_3, {"thinkingLevel": "high", "includeThoughts": True}),
        ("gemini-3.7-flash", {"thinkingLevel": "high", "includeThoughts": True}),
        ("gemini-flash-latest", {"includeThoughts": True}),
    ],
)
def test_thinking_goes_by_budget_or_by_level(model: str, config: dict[str, object]) -> None:
    reasoning = ir.Reasoning(mode="level", level="high", visible=True)
    assert body(model=model, reasoning=reasoning)["generationConfig"]["thinkingConfig"] == config


@pytest.mark.parametrize(("model", "level"), [(GEMINI_3, "minimal"), ("gemini-3.8-flash", "low")])
def test_thinking_that_cannot_be_off_is_at_its_lowest(model: str, level: str) -> None:
    config = body(model=model, reasoning=ir.Reasoning(mode="off"))["generationConfig"]["thinkingConfig"]
    assert config == {"thinkingLevel": level, "includeThoughts": False}


BLOCKING = {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}
SAFETY = "extra_body.google.safety_settings"


@pytest.mark.parametrize("surface", ["gemini", "vertex", "v1internal"])
def test_what_the_caller_lets_google_block(surface: str) -> None:
    answer = public(extras={"safety_settings": raw([BLOCKING])}, target={"surface": surface})
    assert sent(answer)["safetySettings"] == [BLOCKING]
    assert lost(answer) == []


@pytest.mark.parametrize(
    ("settings", "kept", "path"),
    [
        ([{**BLOCKING, "xUnknown": 1}], [BLOCKING], f"{SAFETY}[0].xUnknown"),
        ({"HARM_CATEGORY_HARASSMENT": "BLOCK_NONE"}, None, SAFETY),
        ([{"category": 3}], None, SAFETY),
        ([], None, None),
    ],
)
def test_safety_that_is_not_as_google_has_it(settings: Any, kept: Any, path: str | None) -> None:
    answer = public(extras={"safety_settings": raw(settings)}, paths={"safety_settings": SAFETY})
    assert sent(answer).get("safetySettings") == kept
    assert lost(answer) == ([path] if path else [])


def test_claude_and_others_block_nothing_for_google() -> None:
    request = ir.Request(model="claude", turns=(user("hi"),), extras={"safety_settings": raw([BLOCKING])})
    answer = write_request(request, GeminiTarget(model="claude-opus-4-6", family="claude"))
    assert "safetySettings" not in sent(answer)
    assert lost(answer) == ["safety_settings"]
