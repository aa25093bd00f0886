"""The options of a request on their way to an upstream that speaks OpenAI Responses."""

from typing import Any

import pytest

from gateway import ir
from gateway.dialects.openai_responses.outbound_request import write_request
from gateway.dialects.outbound import OpenAITarget
from gateway.errors import InvalidRequest

from .outbound import MODEL, body, items, lost, raw, sent, system, thread, tool, user, written

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}


def test_plain_question_is_streamed_and_stored_nowhere() -> None:
    assert body(user("hi")) == {
        "model": MODEL,
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "stream": True,
    }


def test_model_that_does_not_think_is_not_asked_for_thoughts() -> None:
    asked = written(model="gpt-4.1", reasoning=ir.Reasoning(mode="level", level="high", visible=True))
    assert {"include", "reasoning"}.isdisjoint(asked.body)
    assert lost(asked) == {"thinking": "hint"}


def test_target_without_reasoning_is_not_asked_for_thoughts() -> None:
    asked = written(model="mistral-small", target={"reasoning": False}, reasoning=ir.Reasoning(mode="auto"))
    assert {"include", "reasoning"}.isdisjoint(asked.body)


def test_thoughts_that_do_not_go_back_need_not_be_sealed() -> None:
    assert "include" not in body(target={"signatures": False})


def test_leading_system_texts_are_instructions() -> None:
    assert body(user("hi"), system=(ir.Text(text="A"), ir.Text(text=""), ir.Text(text="B")))["instructions"] == "A\n\nB"


def test_limit_of_the_answer_has_a_least_and_a_most() -> None:
    small = written(sampling=ir.Sampling(max_tokens=1), paths={"max_tokens": "max_completion_tokens"})
    assert (small.body["max_output_tokens"], lost(small)) == (16, {"max_completion_tokens": "hint"})
    large = written(sampling=ir.Sampling(max_tokens=999_999), target={"max_output": 1000})
    assert (large.body["max_output_tokens"], lost(large)) == (1000, {"max_tokens": "hint"})
    assert body(sampling=ir.Sampling(max_tokens=100))["max_output_tokens"] == 100


def test_sampling_goes_along_where_the_model_takes_it() -> None:
    asked = body(model="gpt-4.1", sampling=ir.Sampling(temperature=0, top_p=0.5))
    assert (asked["temperature"], asked["top_p"]) == (0, 0.5)


def test_model_that_thinks_draws_by_itself() -> None:
    asked = written(model="o3", sampling=ir.Sampling(temperature=0.2, top_p=1))
    assert (asked.body.get("temperature"), asked.body["top_p"]) == (None, 1)
    assert lost(asked) == {"temperature": "change"}


@pytest.mark.parametrize("reasoning", [ir.Reasoning(), ir.Reasoning(mode="off")])
def test_model_that_does_not_think_draws_as_it_is_told(reasoning: ir.Reasoning) -> None:
    sampling = ir.Sampling(temperature=0.2)
    request = ir.Request(model="m", turns=(user("hi"),), sampling=sampling, reasoning=reasoning)
    asked = write_request(request, OpenAITarget(model="gpt-5.2"))
    assert (asked.body["temperature"], asked.losses) == (0.2, ())


def test_what_has_no_field_is_told_by_the_callers_names() -> None:
    sampling = ir.Sampling(
        top_k=5, seed=1, presence_penalty=0.5, frequency_penalty=0, stop=("END", ""), temperature=None
    )
    asked = written(sampling=sampling, paths={"stop": "stop_sequences"})
    assert lost(asked) == {
        "top_k": "change",
        "seed": "change",
        "presence_penalty": "change",
        "frequency_penalty": "hint",
        "stop_sequences": "change",
    }


def test_several_answers_are_refused() -> None:
    with pytest.raises(InvalidRequest) as error:
        written(sampling=ir.Sampling(n=2), paths={"n": "candidateCount"})
    assert error.value.param == "candidateCount"


def test_empty_conversation_is_refused_by_the_callers_name() -> None:
    with pytest.raises(InvalidRequest) as error:
        written(user(""), paths={"messages": "input"})
    assert error.value.param == "input"


# thinking


@pytest.mark.parametrize(
    ("reasoning", "expected"),
    [
        (ir.Reasoning(mode="level", level="high"), {"effort": "high"}),
        (ir.Reasoning(mode="level", level="high", visible=True), {"effort": "high", "summary": "auto"}),
        (ir.Reasoning(mode="auto", visible=True), {"summary": "auto"}),
        (ir.Reasoning(mode="off", visible=True), {"effort": "none"}),
        (ir.Reasoning(mode="budget", budget=1024), {"effort": "low"}),
        (ir.Reasoning(mode="budget", budget=20_000, visible=False), {"effort": "high"}),
        (ir.Reasoning(visible=True, include=False), None),
        (ir.Reasoning(visible=False, include=True), {"summary": "auto"}),
        (ir.Reasoning(), None),
    ],
)
def test_thinking_is_an_effort_and_a_summary(reasoning: ir.Reasoning, expected: dict[str, str] | None) -> None:
    assert body(reasoning=reasoning).get("reasoning") == expected


def test_budget_is_told_to_be_the_nearest_effort() -> None:
    asked = written(reasoning=ir.Reasoning(mode="budget", budget=2000), paths={"thinking": "thinking.budget_tokens"})
    assert lost(asked) == {"thinking.budget_tokens": "hint"}


def test_callers_own_words_about_thinking_go_along() -> None:
    own = thread(reasoning={"effort": "low", "summary": "detailed", "context": "all_turns"})
    asked = body(reasoning=ir.Reasoning(mode="level", level="low", visible=True), thread=own)
    assert asked["reasoning"] == {"effort": "low", "summary": "detailed", "context": "all_turns"}


def test_upstream_that_shows_no_thoughts_is_not_asked_for_them() -> None:
    asked = written(target={"summaries": False}, reasoning=ir.Reasoning(mode="level", level="low", visible=True))
    assert (asked.body["reasoning"], lost(asked)) == ({"effort": "low"}, {"thinking": "hint"})


@pytest.mark.parametrize("newer", [{}, {"summary": None}])
def test_summary_by_its_older_name_goes_along(newer: dict[str, None]) -> None:
    own = thread(reasoning={"generate_summary": "concise", **newer})
    assert body(reasoning=ir.Reasoning(visible=True), thread=own)["reasoning"] == {"summary": "concise"}


# form of the answer


def test_schema_stands_flat() -> None:
    asked = body(output=ir.Output(kind="schema", schema=raw(SCHEMA), name="n", strict=True))
    assert asked["text"] == {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}}


def test_schema_without_a_name_gets_one() -> None:
    form = body(output=ir.Output(kind="schema", schema=raw(OPEN)))["text"]["format"]
    assert form == {"type": "json_schema", "name": "answer", "schema": OPEN}


def test_a_strict_schema_has_no_defaults() -> None:
    """What pydantic writes of optional fields: Azure refuses it there, and OpenAI did."""
    given = {"n": {"type": "integer", "default": 3}}
    schema = {"type": "object", "properties": given, "required": ["n"], "additionalProperties": False}
    form = body(output=ir.Output(kind="schema", schema=raw(schema), strict=True))["text"]["format"]
    assert form["strict"] is True
    assert form["schema"]["properties"] == {"n": {"type": "integer", "description": "(default: 3)"}}


def test_strictness_that_the_schema_cannot_have_is_told() -> None:
    asked = written(
        output=ir.Output(kind="schema", schema=raw(OPEN), name="a b", strict=True),
        paths={"response_format.json_schema": "text.format"},
    )
    assert lost(asked) == {"text.format.strict": "hint", "text.format.name": "hint"}
    assert "strict" not in body(output=ir.Output(kind="schema", schema=raw(OPEN), strict=True))["text"]["format"]


def test_json_is_asked_for_in_words_too_if_nobody_says_the_word() -> None:
    asked = body(user("List them."), output=ir.Output(kind="json"))
    assert asked["text"] == {"format": {"type": "json_object"}}
    assert asked["input"][0]["role"] == "system"
    assert len(items(user("As JSON."), output=ir.Output(kind="json"))) == 1


def test_schema_keeps_its_description() -> None:
    described = ir.Output(kind="schema", schema=raw(OPEN), description="d")
    assert body(output=described)["text"]["format"]["description"] == "d"
    assert lost(written(output=ir.Output(kind="json", description="d"))) == {
        "response_format.json_schema.description": "hint"
    }


def test_schema_without_a_type_is_one_of_an_object() -> None:
    asked = written(output=ir.Output(kind="schema", schema=raw({"properties": {}})), paths={"schema": "a.schema"})
    assert lost(asked) == {"a.schema": "hint"}


def test_verbosity_of_either_dialect_is_an_option_of_the_text() -> None:
    asked = written(extras={"verbosity": raw("low")})
    assert (asked.body["text"], asked.losses) == ({"verbosity": raw("low")}, ())


def test_pictures_in_the_answer_are_told_to_be_lost() -> None:
    assert lost(written(output=ir.Output(modalities=("text", "image")))) == {"modalities": "change"}
    shape = ir.Shape(ratio="16:9", size="2K", path="image_config")
    assert lost(written(output=ir.Output(shape=shape))) == {"image_config": "change"}


# who asks, and the rest


def test_user_and_session_go_by_the_callers_names() -> None:
    asked = body(user="u", session="s", paths={"user": "safety_identifier"})
    assert (asked["safety_identifier"], asked["prompt_cache_key"], "user" in asked) == ("u", "s", False)


def test_long_names_go_as_their_hash() -> None:
    asked = body(user="u" * 150, session="u" * 150)
    assert len(asked["user"]) == len(asked["prompt_cache_key"]) == 64
    assert asked["user"] == body(user="u" * 150)["user"]


def test_options_that_chat_shares_go_along_and_others_are_told() -> None:
    asked = written(extras={"metadata": raw({"a": "b"}), "service_tier": raw("flex"), "logit_bias": raw({"1": 2})})
    assert (asked.body["metadata"], asked.body["service_tier"]) == (raw({"a": "b"}), raw("flex"))
    assert lost(asked) == {"logit_bias": "change"}


def test_a_caller_of_chat_is_moderated_here_too() -> None:
    """Both APIs have the field, of one form in the types of openai 3.57: it may keep an answer back."""
    asked = written(extras={"moderation": raw({"model": "m", "policy": {"input": {"mode": "block"}}})})
    assert "moderation" in asked.body
    assert lost(asked) == {}


def test_what_is_cached_by_marks_alone_is_cached_without_them_where_they_are_lost() -> None:
    """By the SDK's types a request in this mode without marks does not use the cache at all."""
    options = raw({"mode": "explicit"})
    mark = ir.Mark(path="messages[0].content[0].prompt_cache_breakpoint")
    asked = written(extras={"prompt_cache_options": options}, marks=(mark,))
    assert "prompt_cache_options" not in asked.body
    assert lost(asked) == {"prompt_cache_options": "hint", mark.path: "hint"}
    assert "prompt_cache_options" in written(extras={"prompt_cache_options": options}).body
    implicit = {"prompt_cache_options": raw({"mode": "implicit"})}
    assert "prompt_cache_options" in written(extras=implicit, marks=(mark,)).body


def test_caller_of_this_dialect_has_all_options_but_ours() -> None:
    extras = {"truncation": raw("auto"), "max_tool_calls": raw(2), "store": raw(True), "model": raw("x")}
    asked = written(extras=extras, thread=thread())
    assert (asked.body["truncation"], asked.body["max_tool_calls"]) == (raw("auto"), raw(2))
    assert (asked.body["store"], asked.body["model"]) == (False, MODEL)
    assert lost(asked) == {"store": "hint", "model": "hint"}


def test_system_turn_in_the_midst_keeps_its_place() -> None:
    assert [item["role"] for item in items(user("a"), system("rule"), user("b"))] == ["user", "system", "user"]


def test_every_loss_has_a_path() -> None:
    fields: dict[str, Any] = {"tools": (tool(builtin="web_fetch"),), "tool_choice": ir.ToolChoice(mode="auto")}
    assert lost(written(**fields)) == {"tools[0]": "change", "tool_choice": "hint"}


def test_what_is_no_object_is_asked_for_in_words() -> None:
    schema = raw({"type": "array", "items": {"type": "string"}})
    answer = written(output=ir.Output(kind="schema", schema=schema), dialect="gemini")
    assert lost(answer) == {"response_format": "change"}
    assert "text" not in answer.body
    (told, _) = sent(answer)["input"]
    assert told["role"] == "system"
    assert bytes(schema).decode() in told["content"][0]["text"]
