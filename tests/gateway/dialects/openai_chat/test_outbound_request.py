"""The body for a Chat upstream: limits, sampling, thinking, the form of the answer, who asks, the rest."""

from typing import Any

import pytest

from gateway import ir
from gateway.dialects.openai_chat.outbound_request import write_request
from gateway.dialects.outbound import OpenAITarget
from gateway.errors import InvalidRequest

from .outbound import GPT, OTHER, body, lost, messages, raw, user, written

OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
LIST = {"type": "array", "items": {"type": "string"}}
CLOSED = OPEN | {"required": ["a"], "additionalProperties": False}


def test_a_small_request_is_streamed_and_counted() -> None:
    assert body() == {
        "model": GPT,
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_the_limit_goes_under_the_name_that_the_server_knows() -> None:
    sampling = ir.Sampling(max_tokens=100)
    assert body(sampling=sampling)["max_completion_tokens"] == 100
    older = body(sampling=sampling, target={"max_tokens_field": "max_tokens"})
    assert older["max_tokens"] == 100
    assert "max_completion_tokens" not in older


def test_the_limit_is_cut_to_the_models() -> None:
    answer = written(sampling=ir.Sampling(max_tokens=9000), target={"max_output": 4096})
    assert answer.body["max_completion_tokens"] == 4096
    assert lost(answer) == [("max_tokens", "hint")]


def test_sampling_is_carried_apart_from_top_k() -> None:
    sampling = ir.Sampling(
        temperature=0.3, top_p=0.9, top_k=40, seed=7, presence_penalty=0.5, frequency_penalty=-0.5, stop=("END", "")
    )
    answer = written(sampling=sampling, paths={"top_k": "generationConfig.topK"})
    fields = {name: answer.body[name] for name in ("temperature", "top_p", "seed", "stop")}
    assert fields == {"temperature": 0.3, "top_p": 0.9, "seed": 7, "stop": ["END"]}
    assert (answer.body["presence_penalty"], answer.body["frequency_penalty"]) == (0.5, -0.5)
    assert lost(answer) == [("generationConfig.topK", "change")]


def test_several_answers_are_asked_for() -> None:
    answer = written(sampling=ir.Sampling(n=2))
    assert (answer.body["n"], answer.choices) == (2, 2)
    assert "n" not in written(sampling=ir.Sampling()).body


def test_more_than_four_stop_sequences_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        written(sampling=ir.Sampling(stop=tuple("abcde")))
    assert caught.value.param == "stop"


@pytest.mark.parametrize("model", ["o3", "openai/o4-mini", "gpt-5", "gpt-5-mini-2025-08-07"])
def test_models_that_think_draw_their_own_way(model: str) -> None:
    sampling = ir.Sampling(temperature=0.3, top_p=1, seed=7, stop=("END",))
    answer = written(model=model, sampling=sampling)
    assert {"temperature", "stop"}.isdisjoint(answer.body)
    assert (answer.body["top_p"], answer.body["seed"]) == (1, 7)
    assert lost(answer) == [("stop", "change"), ("temperature", "change")]


@pytest.mark.parametrize(("level", "sent"), [("high", False), ("none", True)])
def test_a_model_that_can_leave_thinking_out_may_be_told_how_to_draw(level: str, sent: bool) -> None:
    reasoning = ir.Reasoning(mode="off") if level == "none" else ir.Reasoning(mode="level", level=level)
    assert ("temperature" in body(model="gpt-5.1", sampling=ir.Sampling(temperature=0.3), reasoning=reasoning)) is sent


# thinking


@pytest.mark.parametrize(
    ("model", "reasoning", "effort"),
    [
        ("o3", ir.Reasoning(mode="level", level="low"), "low"),
        ("o3", ir.Reasoning(mode="level", level="xhigh"), "high"),
        ("o3", ir.Reasoning(mode="off"), None),
        ("o3", ir.Reasoning(mode="auto"), None),
        ("o3", ir.Reasoning(), None),
        ("gpt-5", ir.Reasoning(mode="level", level="minimal"), "minimal"),
        ("gpt-5", ir.Reasoning(mode="off"), None),
        ("gpt-5-pro", ir.Reasoning(mode="level", level="low"), "high"),
        ("gpt-5.1", ir.Reasoning(mode="off"), "none"),
        ("gpt-5.1", ir.Reasoning(mode="budget", budget=31_999), "high"),
        ("gpt-5.2", ir.Reasoning(mode="budget", budget=31_999), "xhigh"),
        ("gpt-5.2", ir.Reasoning(mode="budget", budget=1024), "low"),
        ("gpt-5.2", ir.Reasoning(mode="budget", budget=8192), "medium"),
        ("gpt-5.2", ir.Reasoning(mode="budget", budget=8193), "high"),
        ("gpt-5.1-codex-max", ir.Reasoning(mode="level", level="max"), "xhigh"),
        ("gpt-5.5", ir.Reasoning(mode="level", level="max"), "xhigh"),
        ("gpt-5.6-sol", ir.Reasoning(mode="level", level="max"), "max"),
        ("gpt-5.10", ir.Reasoning(mode="level", level="max"), "max"),
        ("gpt-6-astra", ir.Reasoning(mode="level", level="max"), "max"),
        ("gpt-6.1-sol", ir.Reasoning(mode="off"), "none"),
        ("openai/gpt-oss-120b", ir.Reasoning(mode="level", level="max"), "high"),
        ("gpt-4.1", ir.Reasoning(mode="level", level="low"), None),
        ("gpt-35-turbo", ir.Reasoning(mode="level", level="low"), None),
        (OTHER, ir.Reasoning(mode="budget", budget=100), "low"),
        (OTHER, ir.Reasoning(mode="level", level="max"), "high"),
        (OTHER, ir.Reasoning(mode="off"), None),
    ],
)
def test_effort_is_what_the_model_takes(model: str, reasoning: ir.Reasoning, effort: str | None) -> None:
    assert body(model=model, reasoning=reasoning).get("reasoning_effort") == effort


@pytest.mark.parametrize("level", ["none", "minimal", "max"])
def test_a_chat_callers_effort_goes_as_it_is_to_a_model_that_nobody_knows(level: str) -> None:
    reasoning = ir.Reasoning(mode="off") if level == "none" else ir.Reasoning(mode="level", level=level)
    answer = written(model=OTHER, reasoning=reasoning, dialect="openai-chat")
    assert (answer.body["reasoning_effort"], answer.losses) == (level, ())


def test_an_effort_that_is_not_exact_is_a_hint_by_the_callers_name() -> None:
    answer = written(model="o3", reasoning=ir.Reasoning(mode="budget", budget=1024))
    assert lost(answer) == [("thinking", "hint")]
    paths = {"thinking": "output_config.effort"}
    answer = written(model="o3", reasoning=ir.Reasoning(mode="level", level="max"), paths=paths)
    assert lost(answer) == [("output_config.effort", "hint")]


def test_a_target_without_reasoning_gets_no_effort() -> None:
    answer = written(model="o3", reasoning=ir.Reasoning(mode="level", level="low"), target={"reasoning": False})
    assert "reasoning_effort" not in answer.body
    assert lost(answer) == [("thinking", "hint")]


# form of the answer


def test_a_schema_goes_nested_with_its_name_and_description() -> None:
    output = ir.Output(kind="schema", schema=raw(CLOSED), name="city", description="A city.", strict=True)
    assert body(output=output)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "city", "description": "A city.", "schema": CLOSED, "strict": True},
    }


def test_a_schema_without_a_name_gets_one_and_is_not_made_strict() -> None:
    output = ir.Output(kind="schema", schema=raw(CLOSED))
    assert body(output=output)["response_format"]["json_schema"] == {"name": "answer", "schema": CLOSED}


def test_a_strict_schema_has_no_defaults() -> None:
    """What pydantic writes of optional fields: Azure refuses it there, and OpenAI did."""
    given = {"n": {"type": "integer", "default": 3}}
    schema = {"type": "object", "properties": given, "required": ["n"], "additionalProperties": False}
    form = body(output=ir.Output(kind="schema", schema=raw(schema), strict=True))["response_format"]["json_schema"]
    assert form["strict"] is True
    assert form["schema"]["properties"] == {"n": {"type": "integer", "description": "(default: 3)"}}


def test_strict_is_dropped_where_the_schema_does_not_keep_its_rules() -> None:
    output = ir.Output(kind="schema", schema=raw(OPEN), name="city", strict=True)
    answer = written(output=output, paths={"response_format.json_schema": "text.format"})
    assert lost(answer) == [("text.format.strict", "hint")]
    form: Any = answer.body["response_format"]
    assert "strict" not in form["json_schema"]


def test_a_schema_without_a_root_type_is_told_to_be_an_object() -> None:
    answer = written(output=ir.Output(kind="schema", schema=raw({"properties": {}})), paths={"schema": "text.schema"})
    form: Any = answer.body["response_format"]
    assert form["json_schema"]["schema"] == raw({"type": "object", "properties": {}})
    assert lost(answer) == [("text.schema", "hint")]


def test_json_mode_says_so_where_nobody_else_does() -> None:
    output = ir.Output(kind="json")
    assert body(output=output)["response_format"] == {"type": "json_object"}
    assert messages(output=output)[0] == {"role": "system", "content": "Answer in JSON."}
    assert messages(user("Give me Json"), output=output) == [{"role": "user", "content": "Give me Json"}]


@pytest.mark.parametrize("schema", [LIST, {"anyOf": [LIST, {"type": "null"}]}, {"type": "string", "enum": ["a"]}])
def test_what_is_no_object_is_asked_for_in_words(schema: Any) -> None:
    """As google-genai has `response_schema=list[str]`: OpenAI answers 400 to it."""
    answer = written(output=ir.Output(kind="schema", schema=raw(schema)), dialect="gemini", model=GPT)
    assert "response_format" not in answer.body
    assert ("response_format", "change") in lost(answer)
    told: Any = answer.body["messages"]
    assert told[0]["role"] == "system"
    assert bytes(raw(schema)).decode() in told[0]["content"]


@pytest.mark.parametrize(("model", "dialect"), [(OTHER, "gemini"), (GPT, "openai-responses")])
def test_a_list_is_left_to_who_may_take_it_and_to_who_must_know(model: str, dialect: str) -> None:
    """Servers of others take any schema; callers of OpenAI's own dialects know what its models take."""
    request = ir.Request(
        model="m", turns=(user("hi"),), output=ir.Output(kind="schema", schema=raw(LIST)), dialect=dialect
    )
    form: Any = write_request(request, OpenAITarget(model=model)).body["response_format"]
    assert form["json_schema"]["schema"] == raw(LIST)


def test_pictures_are_asked_for() -> None:
    assert body(output=ir.Output(modalities=("text", "image")))["modalities"] == ["text", "image"]


def test_how_pictures_are_to_be_is_said_as_openrouter_takes_it() -> None:
    output = ir.Output(modalities=("image",), shape=ir.Shape(ratio="16:9", size="2K", path="image_config"))
    assert body(output=output)["image_config"] == {"aspect_ratio": "16:9", "image_size": "2K"}
    answer = written(output=output, target={"draws": False})
    assert lost(answer) == [("modalities", "change"), ("image_config", "change")]


def test_pictures_are_not_asked_for_where_all_answers_are_words() -> None:
    answer = written(output=ir.Output(modalities=("text", "image")), target={"draws": False})
    assert ("modalities" in answer.body, lost(answer)) == (False, [("modalities", "change")])


# who asks, and the rest


def test_the_user_goes_under_the_callers_name_for_it() -> None:
    assert body(user="ann")["user"] == "ann"
    assert body(user="ann", paths={"user": "safety_identifier"})["safety_identifier"] == "ann"


def test_a_long_user_goes_by_its_hash() -> None:
    assert body(user="a" * 65)["user"] == "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"
    assert body(user="a" * 64)["user"] == "a" * 64


def test_a_session_is_a_cache_key_where_the_caller_calls_it_so() -> None:
    assert body(session="s", paths={"session": "prompt_cache_key"})["prompt_cache_key"] == "s"
    same = written(user="u_session_1", session="u_session_1", paths={"session": "metadata.user_id"})
    assert "prompt_cache_key" not in same.body
    assert same.losses == ()
    assert lost(written(session="s", paths={"session": "sessionId"})) == [("sessionId", "hint")]


def test_unknown_fields_of_a_chat_caller_go_along() -> None:
    extras = {"metadata": raw({"a": "b"}), "logit_bias": raw({"5": 1}), "min_p": raw(0.1), "stream": raw(False)}
    answer = written(extras=extras, dialect="openai-chat")
    assert (answer.body["metadata"], answer.body["min_p"]) == (raw({"a": "b"}), raw(0.1))
    assert answer.body["logit_bias"] == raw({"5": 1})
    assert answer.body["stream"] is True
    assert lost(answer) == [("stream", "hint")]


def test_unknown_fields_of_others_are_hints() -> None:
    answer = written(extras={"labels": raw({}), "service_tier": raw("flex")})
    assert "labels" not in answer.body
    assert answer.body["service_tier"] == raw("flex")
    assert lost(answer) == [("labels", "hint")]


def test_a_caller_of_responses_is_moderated_here_too() -> None:
    answer = written(extras={"moderation": raw({"model": "m"})})
    assert answer.body["moderation"] == raw({"model": "m"})
    assert lost(answer) == []


def test_a_tier_of_responses_alone_is_left_out() -> None:
    answer = written(extras={"service_tier": raw("ultrafast")})
    assert "service_tier" not in answer.body
    assert lost(answer) == [("service_tier", "hint")]
