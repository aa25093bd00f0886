"""The options of a request for an Anthropic upstream."""

from typing import Any

import pytest
from msgspec.json import decode, encode

from gateway import ir
from gateway.errors import InvalidRequest

from .outbound import NEWER, Json, assistant, body, call, function, lost, raw, result, text, thought, user, written

HIGH = ir.Reasoning(mode="level", level="high", visible=True)
SCHEMA = {"type": "object", "properties": {"sum": {"type": "number"}}, "required": ["sum"]}
CLOSED = SCHEMA | {"additionalProperties": False}
BY_SCHEMA = ir.Output(kind="schema", schema=raw(SCHEMA))


def drawn(**fields: Any) -> Json:
    return {"sampling": ir.Sampling(**fields)}


def test_the_least_request() -> None:
    assert body(user("hi")) == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 8192,
        "messages": [{"role": "user", "content": [text("hi")]}],
        "stream": True,
    }


# limits


@pytest.mark.parametrize(("limit", "wanted", "sent"), [(None, None, 8192), (64_000, None, 64_000), (64_000, 100, 100)])
def test_an_answer_has_a_limit(limit: int | None, wanted: int | None, sent: int) -> None:
    fields = {"sampling": ir.Sampling(max_tokens=wanted), "target": {"max_output": limit}}
    assert body(**fields)["max_tokens"] == sent


@pytest.mark.parametrize("level", ["low", "high", "max"])
def test_d2_thinking_takes_nothing_from_an_answer_without_a_limit(level: str) -> None:
    sent = body(reasoning=ir.Reasoning(mode="level", level=level), target={"max_output": 64_000})
    assert (sent["thinking"]["type"], sent["max_tokens"]) == ("enabled", 64_000)


def test_more_than_the_models_limit_is_cut() -> None:
    answer = written(**drawn(max_tokens=9000), target={"max_output": 4096})
    assert answer.body["max_tokens"] == 4096
    assert lost(answer) == [("max_tokens", "hint")]


def test_d11_two_answers_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        written(**drawn(n=2))
    assert caught.value.param == "n"


def test_white_space_is_nothing_to_stop_at() -> None:
    answer = written(**drawn(stop=("END", "\n")))
    assert answer.body["stop_sequences"] == ["END"]
    assert lost(answer) == [("stop", "change")]


# thinking by a budget


@pytest.mark.parametrize(
    ("reasoning", "max_tokens", "budget"),
    [
        (HIGH, 64_000, 24_576),
        (ir.Reasoning(mode="level", level="low"), 9000, 1024),
        (ir.Reasoning(mode="level", level="minimal"), 9000, 1024),
        (ir.Reasoning(mode="budget", budget=3000), 9000, 3000),
        (ir.Reasoning(mode="auto"), 64_000, 24_576),
    ],
)
def test_a_budget_model_gets_a_budget(reasoning: ir.Reasoning, max_tokens: int, budget: int) -> None:
    sent = body(reasoning=reasoning, **drawn(max_tokens=max_tokens), target={"max_output": 64_000})
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert sent["max_tokens"] == max_tokens


def test_d4_and_pitfall_22_the_budget_stays_below_the_limit() -> None:
    answer = written(reasoning=HIGH, **drawn(max_tokens=4000, temperature=0.3))
    assert answer.body["thinking"] == {"type": "enabled", "budget_tokens": 3999}
    assert "temperature" not in answer.body
    assert lost(answer) == [("thinking", "hint"), ("temperature", "change")]


def test_pitfall_22_where_no_budget_fits_there_is_no_thinking() -> None:
    answer = written(reasoning=HIGH, **drawn(max_tokens=1000))
    assert "thinking" not in answer.body
    assert lost(answer) == [("thinking", "change")]


def test_the_limit_is_raised_where_that_is_configured() -> None:
    fields = {"target": {"max_output": 64_000, "thinking_conflict": "raise"}}
    sent = body(reasoning=ir.Reasoning(mode="budget", budget=3000), **drawn(max_tokens=2000), **fields)
    assert sent["max_tokens"] == 3000 + 8192


def test_thinking_is_dropped_where_that_is_configured() -> None:
    sent = body(reasoning=HIGH, **drawn(max_tokens=4000), target={"thinking_conflict": "drop"})
    assert "thinking" not in sent


@pytest.mark.parametrize("mode", ["unset", "off"])
def test_without_a_word_a_budget_model_does_not_think(mode: Any) -> None:
    assert "thinking" not in body(reasoning=ir.Reasoning(mode=mode))


def test_pitfall_23_thinking_is_off_where_the_loop_lost_its_thoughts() -> None:
    turns = (user("go"), assistant(call("a")), user(result("a", "ok")))
    answer = written(*turns, reasoning=HIGH)
    assert "thinking" not in answer.body
    assert lost(answer) == [("thinking", "change")]


def test_thoughts_that_begin_the_loop_are_enough() -> None:
    turns = (
        user("go"),
        assistant(thought("Hm."), call("a")),
        user(result("a", "ok")),
        assistant(call("b")),
        user(result("b", "ok")),
    )
    assert body(*turns, reasoning=HIGH, target={"max_output": 64_000})["thinking"]["type"] == "enabled"


def test_thoughts_of_a_loop_that_is_over_are_not_missed() -> None:
    turns = (user("go"), assistant(call("a")), user(result("a", "ok")), assistant("So."), user("on"))
    assert "thinking" in body(*turns, reasoning=HIGH, target={"max_output": 64_000})


@pytest.mark.parametrize(("display", "sent"), [("omitted", {"display": "omitted"}), ("summarized", {})])
def test_a_budget_model_may_leave_out_the_words(display: Any, sent: Json) -> None:
    wish = ir.Reasoning(mode="budget", budget=2000, visible=True, display=display)
    found = body(reasoning=wish, target={"max_output": 64_000})["thinking"]
    assert found == {"type": "enabled", "budget_tokens": 2000} | sent


@pytest.mark.parametrize("target", [{"max_output": 64_000}, NEWER])
def test_words_that_nobody_is_shown_are_left_out(target: Json) -> None:
    """Their signature is good without them, and all that comes back of them."""
    wish = ir.Reasoning(mode="level", level="low", visible=False)
    assert body(reasoning=wish, target=target)["thinking"]["display"] == "omitted"


@pytest.mark.parametrize(
    ("reasoning", "path"),
    [
        (ir.Reasoning(visible=True), "thinking"),
        (ir.Reasoning(mode="budget", budget=2000, visible=True, display="updates"), "display"),
    ],
)
def test_what_a_budget_model_does_not_show_is_told(reasoning: ir.Reasoning, path: str) -> None:
    assert lost(written(reasoning=reasoning, target={"max_output": 64_000})) == [(path, "hint")]


# thinking as it finds right


@pytest.mark.parametrize(
    ("level", "effort"), [("minimal", "low"), ("low", "low"), ("medium", "medium"), ("xhigh", "xhigh"), ("max", "max")]
)
def test_an_adaptive_model_gets_an_effort(level: str, effort: str) -> None:
    sent = body(reasoning=ir.Reasoning(mode="level", level=level), target=NEWER)
    assert sent["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert sent["output_config"] == {"effort": effort}


@pytest.mark.parametrize(
    ("level", "efforts"), [("max", ("low", "medium", "high")), ("xhigh", ("low", "medium", "high", "max"))]
)
def test_an_effort_above_high_is_high_where_a_model_lacks_it(level: str, efforts: tuple[str, ...]) -> None:
    """dialects.md §1.6"""
    answer = written(reasoning=ir.Reasoning(mode="level", level=level), target=NEWER | {"efforts": efforts})
    assert answer.body["output_config"] == {"effort": "high"}
    assert lost(answer) == [("thinking", "hint")]


@pytest.mark.parametrize(("budget", "effort"), [(600, "low"), (2000, "medium"), (20_000, "high")])
def test_a_budget_becomes_an_effort_and_is_told(budget: int, effort: str) -> None:
    answer = written(reasoning=ir.Reasoning(mode="budget", budget=budget), target=NEWER)
    assert answer.body["output_config"] == {"effort": effort}
    assert lost(answer) == [("thinking", "hint")]


def test_an_adaptive_model_may_decide_by_itself() -> None:
    sent = body(reasoning=ir.Reasoning(mode="auto", visible=True), target=NEWER)
    assert sent["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert "output_config" not in sent


def test_off_is_said_to_a_model_that_thinks_unasked() -> None:
    assert body(reasoning=ir.Reasoning(mode="off"), target=NEWER)["thinking"] == {"type": "disabled"}


def test_off_is_said_to_models_of_others_which_think_unless_told_not_to() -> None:
    off = ir.Reasoning(mode="off", visible=False)
    assert body(reasoning=off, target={"model": "deepseek-v4-pro"})["thinking"] == {"type": "disabled"}
    assert "thinking" not in body(reasoning=off)
    awake = written(reasoning=off, target={"model": "kimi-k2.7-code", "rests": False})
    assert "thinking" not in awake.body
    assert lost(awake) == [("thinking", "hint")]


def test_a_model_that_always_thinks_does_so_the_least() -> None:
    answer = written(reasoning=ir.Reasoning(mode="off", visible=False), target=NEWER | {"rests": False})
    assert answer.body["thinking"] == {"type": "adaptive", "display": "omitted"}
    assert answer.body["output_config"] == {"effort": "low"}
    assert lost(answer) == [("thinking", "hint")]


def test_updates_are_asked_for_with_their_beta() -> None:
    answer = written(reasoning=ir.Reasoning(mode="auto", visible=True, display="updates"), target=NEWER)
    assert answer.body["thinking"] == {"type": "adaptive", "display": "updates"}
    assert answer.betas == ("thinking-display-updates-2026-08-18",)


def test_an_adaptive_loop_may_come_back_without_thoughts() -> None:
    turns = (user("go"), assistant(call("a")), user(result("a", "ok")))
    assert body(*turns, reasoning=HIGH, target=NEWER)["thinking"]["type"] == "adaptive"


# how the answer is drawn


def test_the_temperature_goes_up_to_1() -> None:
    answer = written(**drawn(temperature=1.5))
    assert answer.body["temperature"] == 1
    assert lost(answer) == [("temperature", "change")]


def test_pitfall_15_what_thinks_is_not_told_how_to_draw() -> None:
    answer = written(reasoning=HIGH, **drawn(temperature=0.3, top_p=0.5, top_k=5), target={"max_output": 64_000})
    assert not {"temperature", "top_p", "top_k"} & answer.body.keys()
    assert lost(answer) == [("temperature", "change"), ("top_p", "change"), ("top_k", "change")]


def test_what_thinks_takes_a_few_values() -> None:
    sent = body(reasoning=HIGH, **drawn(temperature=1, top_p=0.95), target={"max_output": 64_000})
    assert (sent["temperature"], sent["top_p"]) == (1, 0.95)


def test_one_of_two_is_kept() -> None:
    answer = written(**drawn(temperature=0.5, top_p=0.5, top_k=5), target={"both_samplings": False})
    assert (answer.body["temperature"], answer.body["top_k"]) == (0.5, 5)
    assert lost(answer) == [("top_p", "change")]


def test_nothing_is_lost_with_a_default_beside_a_temperature() -> None:
    answer = written(**drawn(temperature=0.5, top_p=1), target={"both_samplings": False})
    assert (answer.body["temperature"], "top_p" in answer.body) == (0.5, False)
    assert lost(answer) == [("top_p", "hint")]


def test_nothing_is_lost_with_the_default_temperature_beside_a_top_p() -> None:
    answer = written(**drawn(temperature=1, top_p=0.95, top_k=64), target={"both_samplings": False})
    assert ("temperature" in answer.body, answer.body["top_p"], answer.body["top_k"]) == (False, 0.95, 64)
    assert lost(answer) == [("temperature", "hint")]


@pytest.mark.parametrize(("filled", "kept"), [("temperature", {"top_p": 0.9}), ("top_p", {"temperature": 0.5})])
def test_what_the_caller_says_goes_before_what_was_filled_in(filled: str, kept: dict[str, float]) -> None:
    one = {**drawn(temperature=0.5, top_p=0.9), "filled": frozenset({filled})}
    sent = body(**one, target={"both_samplings": False})
    assert {name: sent[name] for name in ("temperature", "top_p") if name in sent} == kept


def test_a_model_that_draws_by_itself_is_not_told() -> None:
    answer = written(**drawn(temperature=1, top_p=0.5), target={"sampling": False})
    assert not {"temperature", "top_p"} & answer.body.keys()
    assert lost(answer) == [("temperature", "hint"), ("top_p", "change")]


def test_what_claude_does_not_know_is_told() -> None:
    answer = written(**drawn(seed=7, presence_penalty=0.5, frequency_penalty=0))
    assert lost(answer) == [("seed", "change"), ("presence_penalty", "change"), ("frequency_penalty", "hint")]


# form of the answer


def test_d8_a_schema_is_one_of_the_answer() -> None:
    sent = body(output=BY_SCHEMA)
    assert sent["output_config"] == {"format": {"type": "json_schema", "schema": CLOSED}}


def test_the_form_stands_beside_the_effort() -> None:
    sent = body(output=BY_SCHEMA, reasoning=ir.Reasoning(mode="level", level="low"), target=NEWER)
    assert sent["output_config"].keys() == {"effort", "format"}


def test_keywords_that_answers_are_not_held_to_are_mentioned() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
    answer = written(output=ir.Output(kind="schema", schema=raw(schema)), paths={"schema": "text.format.schema"})
    assert lost(answer) == [("text.format.schema.properties.n.minimum", "hint")]


def test_any_json_is_asked_for_in_words() -> None:
    answer = written(output=ir.Output(kind="json"), system=(ir.Text(text="Be brief."),))
    (first, second) = decode(encode(answer.body["system"]))
    assert first == text("Be brief.")
    assert second["text"].startswith("Answer with one JSON value only")
    assert lost(answer) == [("response_format", "change")]


def test_an_older_model_answers_by_a_tool() -> None:
    answer = written(output=BY_SCHEMA, target={"structured": False})
    (tool,) = decode(encode(answer.body["tools"]))
    assert (tool["name"], tool["input_schema"]) == ("structured_output", SCHEMA)
    assert answer.body["tool_choice"] == {
        "type": "tool",
        "name": "structured_output",
        "disable_parallel_tool_use": True,
    }
    assert answer.answer == "structured_output"
    assert lost(answer) == [("response_format", "change")]


def test_an_older_model_may_call_other_tools_first() -> None:
    answer = written(output=BY_SCHEMA, target={"structured": False}, tools=(function("sum"),))
    assert [tool["name"] for tool in decode(encode(answer.body["tools"]))] == ["sum", "structured_output"]
    assert answer.body["tool_choice"] == {"type": "any"}


def test_an_older_model_that_thinks_is_asked_in_words() -> None:
    answer = written(output=BY_SCHEMA, reasoning=HIGH, target={"structured": False, "max_output": 64_000})
    assert answer.answer == ""
    assert "JSON Schema" in decode(encode(answer.body["system"]))[0]["text"]


def test_a_schema_that_leaves_its_names_open_is_emulated() -> None:
    schema = raw({"type": "object", "additionalProperties": {"type": "string"}})
    answer = written(output=ir.Output(kind="schema", schema=schema))
    assert "output_config" not in answer.body
    assert answer.answer == "structured_output"


def test_a_schema_whose_root_refers_to_an_object_is_emulated() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    schema = raw({"$ref": "#/$defs/Node", "$defs": {"Node": node}})
    answer = written(output=ir.Output(kind="schema", schema=schema))
    (tool,) = decode(encode(answer.body["tools"]))
    assert tool["input_schema"] == {**node, "$defs": {"Node": node}}
    assert answer.answer == "structured_output"


@pytest.mark.parametrize("node", [{"type": "array"}, {"$ref": "#/$defs/Node"}, {"$ref": "#"}, {"$ref": "#/$defs/None"}])
def test_a_schema_whose_root_refers_to_no_object_is_asked_for_in_words(node: Json) -> None:
    output = ir.Output(kind="schema", schema=raw({"$ref": "#/$defs/Node", "$defs": {"Node": node}}))
    answer = written(output=output, target={"structured": False})
    assert "tools" not in answer.body
    assert lost(answer) == [("response_format", "change")]


# who asks, and the rest


def test_the_user_is_named() -> None:
    assert body(user="u1")["metadata"] == {"user_id": "u1"}


@pytest.mark.parametrize("name", ["ann@example.com", "x" * 300])
def test_a_name_that_is_refused_goes_by_its_hash(name: str) -> None:
    found = written(user=name).body["metadata"]
    assert isinstance(found, dict)
    assert len(found["user_id"]) == 64


def test_a_session_of_its_own_is_told() -> None:
    assert lost(written(session="s1")) == [("session", "hint")]


def test_unknown_fields_are_told_by_the_callers_name() -> None:
    answer = written(extras={"logit_bias": raw({"1": 2}), "service_tier": raw("flex")})
    assert lost(answer) == [("logit_bias", "change"), ("service_tier", "hint")]


def test_pictures_are_not_drawn() -> None:
    assert lost(written(output=ir.Output(modalities=("text", "image")))) == [("modalities", "change")]
    shape = ir.Shape(ratio="16:9", size="2K", path="image_config")
    assert lost(written(output=ir.Output(shape=shape))) == [("image_config", "change")]
