"""What a request becomes: system, tools, tool choice, sampling, the form of the answer."""

from typing import Any

import msgspec
import pytest

from gateway import ir
from gateway.dialects.gemini.schema import SchemaCache
from gateway.errors import InvalidRequest

from .asking import (
    CLAUDE,
    GEMINI_2,
    GEMINI_3,
    GPT,
    IMAGE,
    assistant,
    body,
    call,
    config,
    contents,
    image,
    lost,
    raw,
    result,
    sent,
    tool,
    user,
    written,
)

FAMILIES = pytest.mark.parametrize("model", [GEMINI_3, GEMINI_2, CLAUDE, GPT])
SEARCH = ir.Tool(name="web_search", builtin="web_search", path="tools[1]")
SCHEMA = raw({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})


def texts(*words: str) -> tuple[ir.Text, ...]:
    return tuple(ir.Text(text=text) for text in words)


def calling(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = body(**fields).get("toolConfig", {}).get("functionCallingConfig", {})
    return found


def thinks(budget: int = 2048) -> ir.Reasoning:
    return ir.Reasoning(mode="budget", budget=budget)


def test_plain_text_is_one_content_and_nothing_else() -> None:
    assert body(user("hi")) == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


@FAMILIES
def test_each_system_block_is_a_part_of_the_system_instruction(model: str) -> None:
    written_system = body(model=model, system=texts("one", "", "two"))["systemInstruction"]
    assert written_system == {"role": "user", "parts": [{"text": "one"}, {"text": "two"}]}


def test_blank_system_text_is_left_out_for_claude() -> None:
    assert "systemInstruction" not in body(model=CLAUDE, system=texts(" \n"))


def test_mid_conversation_system_becomes_a_reminder_of_the_user() -> None:
    rule = ir.Turn(role="system", parts=texts("rule"))
    assert contents(user("u"), assistant("a"), rule)[-1] == (
        "user",
        [{"text": "<system-reminder>\nrule\n</system-reminder>"}],
    )


def test_that_the_user_says_an_instruction_is_told() -> None:
    rule = ir.Turn(role="system", parts=texts("rule"))
    answer = written(user("u"), rule, user("v"))
    assert [(loss.path, loss.severity) for loss in answer.losses] == [("messages", "hint")]


def test_a_blank_instruction_in_mid_conversation_says_nothing() -> None:
    assert written(user("u"), ir.Turn(role="system", parts=texts(" ")), user("v")).losses == ()


def test_mid_conversation_system_joins_the_neighbouring_user_turn() -> None:
    rule = ir.Turn(role="system", parts=texts("rule"))
    assert len(contents(user("u"), rule, user("v"))) == 1


# tools


def test_all_functions_stand_in_one_tool() -> None:
    tools = body(tools=(tool("f", description="F"), tool("g")))["tools"]
    parameters = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert tools == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "F", "parameters": parameters},
                {"name": "g", "parameters": parameters},
            ]
        }
    ]


@pytest.mark.parametrize("schema", [None, raw({}), raw(None), raw({"type": "object", "properties": {}})])
def test_function_without_parameters_has_none_upstream(schema: msgspec.Raw | None) -> None:
    assert body(tools=(tool(schema=schema),))["tools"] == [{"functionDeclarations": [{"name": "f"}]}]


def test_claude_gets_a_placeholder_and_the_reader_is_told() -> None:
    answer = written(model=CLAUDE, tools=(tool(schema=None),))
    assert sent(answer)["tools"][0]["functionDeclarations"][0]["parameters"]["required"] == ["reason"]
    assert list(answer.placeholders) == ["f"]


def test_illegal_name_is_mapped_everywhere_and_comes_back() -> None:
    name = "mcp__server__" + "x" * 80
    answer = written(
        user("u"),
        assistant(call("c", name)),
        user(result("c", "r")),
        tools=(tool(name),),
        tool_choice=ir.ToolChoice(mode="named", names=(name,)),
    )
    request = sent(answer)
    upstream = request["tools"][0]["functionDeclarations"][0]["name"]
    assert answer.names.original(upstream) == name != upstream
    assert request["contents"][1]["parts"][0]["functionCall"]["name"] == upstream
    assert request["contents"][2]["parts"][0]["functionResponse"]["name"] == upstream
    assert request["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == [upstream]


def test_dropped_schema_keywords_are_hints_at_the_tools_path() -> None:
    schema = raw({"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}, "propertyNames": {}})
    answer = written(tools=(tool(schema=schema),))
    assert set(lost(answer, "hint")) == {"tools[0].properties.a.minLength", "tools[0].propertyNames"}
    assert lost(answer, "change") == lost(answer, "content") == []


def test_schemas_are_cleaned_once_for_all_requests() -> None:
    schemas, schema = SchemaCache(), raw({"properties": {"a": {"type": "string"}}})
    tools = tool("f", schema=schema), tool("g", schema=schema)
    bodies: list[Any] = [written(tools=tools, target={"schemas": schemas}).body for _ in range(2)]
    cleaned = [one["parameters"] for body in bodies for one in body["tools"][0]["functionDeclarations"]]
    assert len(cleaned) == 4
    assert all(one is cleaned[0] for one in cleaned)


@pytest.mark.parametrize(
    ("builtin", "upstream"),
    [("web_search", "googleSearch"), ("web_fetch", "urlContext"), ("code_execution", "codeExecution")],
)
def test_builtin_tool_alone_becomes_googles(builtin: str, upstream: str) -> None:
    answer = written(tools=(ir.Tool(name=builtin, builtin=builtin),))
    assert sent(answer)["tools"] == [{upstream: {}}]
    assert answer.losses == ()


def test_builtin_tool_beside_functions_is_dropped_and_told() -> None:
    answer = written(tools=(tool(), SEARCH))
    assert [list(entry) for entry in sent(answer)["tools"]] == [["functionDeclarations"]]
    assert lost(answer, "change") == ["tools[1]"]


@pytest.mark.parametrize("model", [CLAUDE, GPT])
def test_other_families_have_no_search(model: str) -> None:
    answer = written(model=model, tools=(SEARCH,))
    assert "tools" not in sent(answer)
    assert lost(answer, "change") == ["tools[1]"]


# tool choice

CHOICES = [
    (GEMINI_3, None, {}),
    (GEMINI_3, "auto", {"mode": "AUTO"}),
    (GEMINI_3, "none", {"mode": "NONE"}),
    (GEMINI_3, "required", {"mode": "ANY"}),
    (GPT, None, {}),
    (GPT, "required", {"mode": "ANY"}),
    (CLAUDE, None, {"mode": "VALIDATED"}),
    (CLAUDE, "auto", {"mode": "VALIDATED"}),
    (CLAUDE, "none", {"mode": "NONE"}),
    (CLAUDE, "required", {"mode": "ANY"}),
]


@pytest.mark.parametrize(("model", "mode", "expected"), CHOICES)
def test_tool_choice_has_its_mode(model: str, mode: Any, expected: dict[str, Any]) -> None:
    choice = mode and ir.ToolChoice(mode=mode)
    assert calling(model=model, tools=(tool(),), tool_choice=choice) == expected


@pytest.mark.parametrize("model", [GEMINI_3, CLAUDE])
@pytest.mark.parametrize("mode", ["required", "named"])
def test_forced_choice_carries_its_names(model: str, mode: Any) -> None:
    choice = ir.ToolChoice(mode=mode, names=("g",))
    expected = {"mode": "ANY", "allowedFunctionNames": ["g"]}
    assert calling(model=model, tools=(tool("f"), tool("g")), tool_choice=choice) == expected


def test_free_choice_among_some_declares_only_these() -> None:
    choice = ir.ToolChoice(mode="auto", names=("g",))
    declarations = body(tools=(tool("f"), tool("g")), tool_choice=choice)["tools"][0]["functionDeclarations"]
    assert [declaration["name"] for declaration in declarations] == ["g"]


@FAMILIES
def test_choice_without_functions_is_dropped(model: str) -> None:
    assert calling(model=model, tool_choice=ir.ToolChoice(mode="required")) == {}


def test_none_keeps_the_declarations() -> None:
    assert body(tools=(tool(),), tool_choice=ir.ToolChoice(mode="none"))["tools"]


def test_claude_thinking_beats_a_forced_choice() -> None:
    answer = written(model=CLAUDE, tools=(tool(),), tool_choice=ir.ToolChoice(mode="required"), reasoning=thinks())
    assert sent(answer)["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}
    assert lost(answer, "change") == ["tool_choice"]


def test_forced_choice_beats_thinking_that_only_the_configuration_wants() -> None:
    wanted = ir.Reasoning(mode="budget", budget=2048, include=True)
    answer = written(model=CLAUDE, tools=(tool(),), tool_choice=ir.ToolChoice(mode="required"), reasoning=wanted)
    assert sent(answer)["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
    assert "generationConfig" not in sent(answer)
    assert lost(answer) == []


def test_one_call_at_a_time_is_left_to_the_reader() -> None:
    answer = written(tools=(tool(),), tool_choice=ir.ToolChoice(mode="auto", parallel=False))
    assert not answer.parallel
    assert lost(answer, "change") == ["parallel_tool_calls"]


def test_one_call_at_a_time_costs_nothing_where_none_may_be_made() -> None:
    answer = written(tools=(tool(),), tool_choice=ir.ToolChoice(mode="none", parallel=False))
    assert (lost(answer, "hint"), lost(answer, "change")) == (["parallel_tool_calls"], [])


@pytest.mark.parametrize("parallel", [None, True])
def test_parallel_calls_are_allowed_otherwise(parallel: bool | None) -> None:
    answer = written(tools=(tool(),), tool_choice=ir.ToolChoice(mode="auto", parallel=parallel))
    assert answer.parallel
    assert answer.losses == ()


# sampling

ALL = ir.Sampling(
    max_tokens=100,
    temperature=0.5,
    top_p=0.9,
    top_k=40,
    seed=0,
    presence_penalty=0.5,
    frequency_penalty=-0.5,
    stop=("END", ""),
    n=1,
)
WRITTEN = {
    "maxOutputTokens": 100,
    "temperature": 0.5,
    "topP": 0.9,
    "topK": 40,
    "seed": 0,
    "presencePenalty": 0.5,
    "frequencyPenalty": -0.5,
    "stopSequences": ["END"],
}


@pytest.mark.parametrize("model", [GEMINI_3, GEMINI_2, GPT])
def test_sampling_is_carried(model: str) -> None:
    answer = written(model=model, sampling=ALL)
    assert sent(answer)["generationConfig"] == WRITTEN
    assert answer.losses == ()


@pytest.mark.parametrize(
    ("given", "sent_on"),
    [(2**31 - 1, 2**31 - 1), (-(2**31), -(2**31)), (2**31, 0), (2**32 - 1, 2**31 - 1), (-(2**63), 0), (2**40 + 7, 7)],
)
def test_a_seed_has_the_bits_of_the_proto(given: int, sent_on: int) -> None:
    """OpenAI's have 64, and random ones of 32 without a sign are common; Google refuses them (TYPE_INT32)."""
    answer = written(sampling=ir.Sampling(seed=given))
    assert sent(answer)["generationConfig"] == {"seed": sent_on}
    assert lost(answer, "hint") == (["seed"] if given != sent_on else [])


def test_claude_has_no_seed_and_no_penalties() -> None:
    answer = written(model=CLAUDE, sampling=ir.Sampling(seed=0, presence_penalty=1.0, frequency_penalty=0.0, top_k=3))
    assert sent(answer)["generationConfig"] == {"topK": 3}
    assert lost(answer, "change") == ["seed", "presence_penalty"]


def test_claude_takes_temperature_or_top_p_up_to_one() -> None:
    answer = written(model=CLAUDE, sampling=ir.Sampling(temperature=1.5, top_p=0.9))
    assert sent(answer)["generationConfig"] == {"temperature": 1}
    assert set(lost(answer, "change")) == {"temperature", "top_p"}
    answer = written(model=CLAUDE, sampling=ir.Sampling(temperature=0.5, top_p=0.9))
    assert sent(answer)["generationConfig"] == {"temperature": 0.5}
    assert lost(answer, "change") == ["top_p"]


@pytest.mark.parametrize("reasoning", [ir.Reasoning(), thinks()])
def test_claude_gets_a_top_p_beside_the_temperature_that_it_has_anyway(reasoning: ir.Reasoning) -> None:
    answer = written(model=CLAUDE, sampling=ir.Sampling(temperature=1, top_p=0.95), reasoning=reasoning)
    config = sent(answer)["generationConfig"]
    assert (config.get("temperature"), config["topP"]) == (None, 0.95)
    assert (lost(answer, "change"), "temperature" in lost(answer, "hint")) == ([], True)


@pytest.mark.parametrize(
    ("filled", "kept"),
    [
        ({"temperature"}, {"topP": 0.9}),
        ({"top_p"}, {"temperature": 0.5}),
        ({"temperature", "top_p"}, {"temperature": 0.5}),
    ],
)
def test_claude_gets_what_the_caller_says_before_what_was_filled_in(filled: set[str], kept: dict[str, float]) -> None:
    sampling = ir.Sampling(temperature=0.5, top_p=0.9)
    answer = written(model=CLAUDE, sampling=sampling, filled=frozenset(filled))
    assert sent(answer)["generationConfig"] == kept


@pytest.mark.parametrize("reasoning", [ir.Reasoning(), thinks()])
def test_claude_lacks_nothing_without_the_default_beside_a_temperature(reasoning: ir.Reasoning) -> None:
    answer = written(model=CLAUDE, sampling=ir.Sampling(temperature=1, top_p=1), reasoning=reasoning)
    config = sent(answer)["generationConfig"]
    assert (config["temperature"], config.get("topP")) == (1, None)
    assert lost(answer, "change") == []
    assert "top_p" in lost(answer, "hint")


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (ir.Sampling(temperature=0.3, top_k=5, top_p=0.5), {}),
        (ir.Sampling(temperature=1.0), {"temperature": 1.0}),
        (ir.Sampling(top_p=0.95), {"topP": 0.95}),
    ],
)
def test_thinking_claude_takes_little_sampling(sampling: ir.Sampling, kept: dict[str, float]) -> None:
    found = config(model=CLAUDE, sampling=sampling, reasoning=thinks())
    assert {name: found[name] for name in found if name not in ("thinkingConfig", "maxOutputTokens")} == kept


def test_output_limit_is_cut_to_the_models() -> None:
    answer = written(sampling=ir.Sampling(max_tokens=131072), target={"max_output": 65536})
    assert sent(answer)["generationConfig"] == {"maxOutputTokens": 65536}
    assert lost(answer) == lost(answer, "hint") == ["max_tokens"]


def test_several_answers_are_asked_of_gemini_and_of_no_claude() -> None:
    answer = written(sampling=ir.Sampling(n=2))
    assert (sent(answer)["generationConfig"], answer.candidates) == ({"candidateCount": 2}, 2)
    with pytest.raises(InvalidRequest) as caught:
        written(model=CLAUDE, sampling=ir.Sampling(n=2))
    assert caught.value.param == "n"


def test_more_than_five_stops_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        written(sampling=ir.Sampling(stop=tuple("abcdef")))
    assert caught.value.param == "stop"


def test_blank_stops_are_left_out_for_claude_and_told() -> None:
    asked = written(model=CLAUDE, sampling=ir.Sampling(stop=("\n", "", "END")))
    assert asked.body["generationConfig"] == {"stopSequences": ["END"]}
    assert asked.losses == (ir.Loss("stop", "Claude does not accept stop sequences of whitespace", "change"),)


# the form of the answer


def test_schema_without_tools_goes_into_the_configuration() -> None:
    assert config(output=ir.Output(kind="schema", schema=SCHEMA)) == {
        "responseMimeType": "application/json",
        "responseSchema": {
            "type": "object",
            "properties": {"a": {"type": "integer"}},
            "required": ["a"],
            "propertyOrdering": ["a"],
        },
    }


@pytest.mark.parametrize("output", [ir.Output(kind="json"), ir.Output(kind="schema", schema=raw({}))])
def test_any_json_is_a_media_type_only(output: ir.Output) -> None:
    assert config(model=GEMINI_2, output=output) == {"responseMimeType": "application/json"}


def test_gemini_3_has_json_and_tools() -> None:
    assert config(tools=(tool(),), output=ir.Output(kind="json")) == {"responseMimeType": "application/json"}


@pytest.mark.parametrize(("model", "tools"), [(GEMINI_2, (tool(),)), (GPT, ())])
def test_elsewhere_json_is_asked_for_in_words(model: str, tools: tuple[ir.Tool, ...]) -> None:
    answer = written(model=model, tools=tools, output=ir.Output(kind="schema", schema=SCHEMA), system=texts("Be kind."))
    request = sent(answer)
    first, second = request["systemInstruction"]["parts"]
    assert first == {"text": "Be kind."}
    assert bytes(SCHEMA).decode() in second["text"]
    assert "generationConfig" not in request
    assert ("tools" in request) is bool(tools)
    assert lost(answer, "change") == ["response_format"]


BY_SCHEMA = ir.Output(kind="schema", schema=SCHEMA)
ANSWER = "structured_output"


def answers(**fields: Any) -> tuple[list[str], Any]:
    """Ask Claude for JSON by a schema; give the declared tools and how they are called."""
    request = sent(written(model=CLAUDE, output=BY_SCHEMA, **fields))
    declared = [one["name"] for tool in request.get("tools", ()) for one in tool["functionDeclarations"]]
    return declared, request.get("toolConfig", {}).get("functionCallingConfig")


def test_claude_gives_json_as_the_arguments_of_a_tool() -> None:
    answer = written(model=CLAUDE, output=BY_SCHEMA)
    request = sent(answer)
    ((declaration,),) = (one["functionDeclarations"] for one in request["tools"])
    assert declaration["name"] == answer.answer == ANSWER
    assert declaration["parameters"]["type"] == "object"
    assert request["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [ANSWER]}}
    assert "systemInstruction" not in request
    assert lost(answer, "change") == ["response_format"]


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        (None, {"mode": "ANY"}),
        (ir.ToolChoice(mode="auto"), {"mode": "ANY"}),
        (ir.ToolChoice(mode="none"), {"mode": "ANY", "allowedFunctionNames": [ANSWER]}),
    ],
)
def test_claude_answers_so_or_calls_the_callers_tools(choice: ir.ToolChoice | None, calling: Any) -> None:
    assert answers(tools=(tool(),), tool_choice=choice) == (["f", ANSWER], calling)


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning": thinks()},
        {"tools": (tool(),), "tool_choice": ir.ToolChoice(mode="required")},
        {"tools": (tool(ANSWER),)},
    ],
    ids=["while it thinks", "where a call is demanded", "where the name is taken"],
)
def test_claude_is_asked_in_words_where_no_tool_can_stand_for_the_answer(fields: Any) -> None:
    answer = written(model=CLAUDE, output=BY_SCHEMA, **fields)
    (instruction,) = sent(answer)["systemInstruction"]["parts"]
    assert bytes(SCHEMA).decode() in instruction["text"]
    assert (answer.answer, lost(answer, "change")) == ("", ["response_format"])


@pytest.mark.parametrize("output", [ir.Output(kind="json"), ir.Output(kind="schema", schema=raw({"type": "array"}))])
def test_claude_is_asked_in_words_for_what_is_no_object_by_a_schema(output: ir.Output) -> None:
    request = sent(written(model=CLAUDE, output=output))
    assert "tools" not in request
    assert request["systemInstruction"]["parts"][0]["text"].startswith("Answer with one JSON value only")


# images


def test_pictures_are_asked_for_where_that_can_be_said() -> None:
    output = ir.Output(modalities=("text", "image"))
    assert config(model=IMAGE, output=output, target={"surface": "gemini"}) == {"responseModalities": ["TEXT", "IMAGE"]}
    here, elsewhere = written(model=IMAGE, output=output), written(model=GEMINI_3, output=output)
    assert "generationConfig" not in here.body | elsewhere.body
    assert (lost(here, "hint"), lost(elsewhere, "change")) == (["modalities"], ["modalities"])


@pytest.mark.parametrize("surface", ["gemini", "vertex", "v1internal"])
def test_how_pictures_are_to_be_is_said_to_models_that_draw(surface: Any) -> None:
    output = ir.Output(shape=ir.Shape(ratio="16:9", size="2K", path="image_config"))
    said = config(model=IMAGE, output=output, target={"surface": surface})
    assert said == {"imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"}}
    assert lost(written(model=GEMINI_3, output=output), "change") == ["image_config"]


def test_claude_that_does_not_think_keeps_its_temperature() -> None:
    off = ir.Reasoning(mode="budget", budget=0, include=False)  # as [thinking] says it of plain Claude models
    answer = written(model=CLAUDE, reasoning=off, sampling=ir.Sampling(temperature=0.3))
    assert sent(answer)["generationConfig"]["temperature"] == 0.3
    assert answer.losses == ()


def test_drawing_model_gets_words_and_nothing_it_refuses() -> None:
    answer = written(
        user("a dot"),
        model=IMAGE,
        system=texts("Draw small."),
        tools=(tool(), SEARCH),
        output=ir.Output(kind="json"),
        tool_choice=ir.ToolChoice(mode="required"),
        reasoning=thinks(),
    )
    expected = [{"role": "user", "parts": [{"text": "Draw small."}, {"text": "a dot"}]}]
    assert sent(answer) == {"contents": expected}
    assert answer.image_model
    assert lost(answer, "change") == ["tools[0]", "tools[1]", "response_format"]


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (("low", "high"), "MEDIA_RESOLUTION_LOW"),
        (("auto", "high"), "MEDIA_RESOLUTION_HIGH"),
        ((None, "original"), "MEDIA_RESOLUTION_HIGH"),
        (("auto", None), None),
    ],
)
def test_first_detail_asked_for_holds_for_all(details: tuple[str | None, ...], expected: str | None) -> None:
    request = body(user(*(image(detail=detail) for detail in details)))
    assert request.get("generationConfig", {}).get("mediaResolution") == expected


def test_claude_knows_no_detail() -> None:
    assert "generationConfig" not in body(user(image(detail="low")), model=CLAUDE)


# losses


def test_unknown_fields_are_hints() -> None:
    answer = written(extras={"logit_bias": raw({}), "store": raw(True)})
    assert lost(answer, "hint") == ["logit_bias", "store"]
    assert lost(written(extras={"logit_bias": raw({"5": 1})}), "change") == ["logit_bias"]


def test_callers_own_losses_are_not_repeated() -> None:
    assert written(losses=(ir.Loss("messages[0].cache_control", "x", "hint"),)).losses == ()
