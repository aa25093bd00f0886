"""Each option, in the neutral form or told."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import ir
from gateway.errors import InvalidRequest

from .asking import SCHEMA, ask, loads, lost

ENCRYPTED = "reasoning.encrypted_content"


def test_sampling_is_read() -> None:
    request = ask(max_output_tokens=9, temperature=0.5, top_p=0.25)
    assert request.sampling == ir.Sampling(max_tokens=9, temperature=0.5, top_p=0.25)
    assert request.paths["max_tokens"] == "max_output_tokens"


@pytest.mark.parametrize(
    ("reasoning", "expected"),
    [
        (None, ir.Reasoning(visible=False)),
        ({}, ir.Reasoning(visible=False)),
        ({"effort": "high"}, ir.Reasoning(mode="level", level="high", visible=False)),
        ({"effort": "none"}, ir.Reasoning(mode="off", visible=False)),
        ({"effort": "low", "summary": "auto"}, ir.Reasoning(mode="level", level="low", visible=True)),
        ({"generate_summary": "auto"}, ir.Reasoning(visible=True)),
        ({"summary": "none"}, ir.Reasoning(visible=False)),
    ],
)
def test_thoughts_are_shown_only_as_a_summary(reasoning: Any, expected: ir.Reasoning) -> None:
    assert ask(reasoning=reasoning).reasoning == expected


@pytest.mark.parametrize(
    ("reasoning", "path"), [({"effort": "low", "summary": "auto"}, "reasoning.effort"), (None, "reasoning.summary")]
)
def test_the_amount_of_thinking_goes_by_its_own_name(reasoning: Any, path: str) -> None:
    assert ask(reasoning=reasoning).paths["thinking"] == path


@pytest.mark.parametrize(
    ("reasoning", "expected"),
    [
        ({"effort": "none", "summary": "auto"}, [("reasoning.summary", "hint")]),
        ({"summary": "auto", "generate_summary": "auto"}, [("reasoning.generate_summary", "hint")]),
        ({"summary": "detailed"}, [("reasoning.summary", "hint")]),
        ({"mode": "pro", "context": "all_turns"}, [("reasoning.mode", "change"), ("reasoning.context", "hint")]),
        ({"mode": "standard", "context": "auto"}, []),
        ({"x": 1}, [("reasoning.x", "hint")]),
    ],
)
def test_what_reasoning_says_besides_is_told(reasoning: Any, expected: list[tuple[str, str]]) -> None:
    assert lost(ask(reasoning=reasoning)) == expected


def test_a_schema_stands_flat() -> None:
    form = {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True, "description": "d"}
    request = ask(text={"format": form})
    output = request.output
    assert (output.kind, output.name, output.strict, loads(output.schema)) == ("schema", "n", True, SCHEMA)
    assert (output.description, lost(request)) == ("d", [])
    assert request.paths["schema"] == "text.format.schema"


@pytest.mark.parametrize(("kind", "expected"), [("text", "text"), ("json_object", "json")])
def test_other_forms_have_no_schema(kind: str, expected: str) -> None:
    request = ask(text={"format": {"type": kind, "name": "n"}})
    assert (request.output, lost(request)) == (ir.Output(kind=expected), [("text.format.name", "hint")])  # type: ignore[arg-type]  # both are kinds


def test_verbosity_stands_where_chat_has_it() -> None:
    request = ask(text={"verbosity": "low"})
    assert (loads(request.extras["verbosity"]), request.paths["verbosity"]) == ("low", "text.verbosity")


def test_who_asks_and_in_which_conversation() -> None:
    request = ask(user="ann", safety_identifier="x", prompt_cache_key="k")
    assert (request.user, request.session, lost(request)) == ("ann", "k", [("safety_identifier", "hint")])
    assert ask(safety_identifier="x").paths["user"] == "safety_identifier"


@pytest.mark.parametrize("stream", [True, False, None])
def test_a_stream_is_asked_for_in_the_body(stream: bool | None) -> None:
    assert ask(stream=stream).stream is stream


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"top_logprobs": 2}, [("top_logprobs", "hint")]),
        ({"top_logprobs": 0}, []),
        ({"top_logprobs": 2, "include": ["message.output_text.logprobs"]}, []),
        ({"include": [ENCRYPTED, "web_search_call.results"]}, [("include[1]", "hint")]),
        ({"include": ["web_search_call.action.sources"]}, []),
        ({"stream_options": {"include_obfuscation": False}}, [("stream_options.include_obfuscation", "hint")]),
        ({"stream_options": {"include_usage": True}}, [("stream_options.include_usage", "hint")]),
        ({"background": False, "prompt": None, "conversation": None}, []),
    ],
)
def test_what_has_no_equivalent_is_told(fields: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert lost(ask(**fields)) == expected


@pytest.mark.parametrize("name", ["service_tier", "max_tool_calls", "truncation", "metadata", "client_metadata", "new"])
def test_other_options_wait_for_an_upstream_that_knows_them(name: str) -> None:
    assert set(ask(**{name: "auto"}).extras) == {name}


def test_not_to_cut_the_input_is_the_default() -> None:
    assert ask(truncation="disabled").extras == {}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"background": True}, "background"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"model": None}, "model"),
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": 3}, "input"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": 2}, "top_p"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"text": {"format": {"type": "json_schema", "name": "n", "schema": "{}"}}}, "text.format.schema"),
        ({"store": "yes"}, "store"),
    ],
)
def test_an_option_that_is_wrong_is_named(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(**fields)
    assert caught.value.param == path


@pytest.mark.parametrize("reasoning", [{"generate_summary": "concise"}, {"generate_summary": "auto", "effort": "none"}])
def test_what_is_lost_of_the_older_name_goes_by_it(reasoning: Any) -> None:
    assert lost(ask(reasoning=reasoning)) == [("reasoning.generate_summary", "hint")]


def test_thoughts_that_the_older_name_shows_go_by_it() -> None:
    assert ask(reasoning={"generate_summary": "auto"}).paths["thinking"] == "reasoning.generate_summary"
