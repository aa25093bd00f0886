"""What of a Gemini caller's own words is written otherwise for an upstream that speaks Gemini, too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects.gemini.edits import pass_on

Json = dict[str, Any]

MODEL = "gemini-3-flash-preview"
WANTED = ir.Sampling(temperature=0.5, max_tokens=9)
TEXT: Json = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def passed(body: Json, sampling: ir.Sampling = WANTED) -> tuple[Json, list[str]]:
    """Give the body as it goes on, and the names of the edits."""
    taken = pass_on(ir.Request(model=MODEL, turns=(), sampling=sampling), Raw(json.dumps(body).encode()))
    return json.loads(bytes(taken.body)), [edit.name for edit in taken.edits]


def test_what_needs_no_edit_keeps_its_bytes() -> None:
    body = Raw(b'{"contents":  [], "model":"models/gemini-3-flash-preview"}')
    taken = pass_on(ir.Request(model=MODEL, turns=()), body)
    assert (bytes(taken.body), taken.edits) == (bytes(body), ())


def test_the_model_of_the_path_holds() -> None:
    assert passed({**TEXT, "model": "models/x"}, ir.Sampling()) == ({**TEXT, "model": f"models/{MODEL}"}, ["model"])


@pytest.mark.parametrize("name", ["generationConfig", "generation_config"])
def test_defaults_go_into_the_configuration_that_is_there(name: str) -> None:
    body, edits = passed({**TEXT, name: {"seed": 7}})
    assert body == {**TEXT, name: {"seed": 7, "temperature": 0.5, "maxOutputTokens": 9}}
    assert edits == ["defaults"]


def test_defaults_make_a_configuration_where_there_is_none() -> None:
    body, _ = passed(TEXT)
    assert body == {**TEXT, "generationConfig": {"temperature": 0.5, "maxOutputTokens": 9}}


def test_defaults_of_every_name_are_filled_in() -> None:
    body, _ = passed(TEXT, ir.Sampling(temperature=0.5, top_p=0.25, top_k=3, max_tokens=9))
    assert body["generationConfig"] == {"temperature": 0.5, "topP": 0.25, "topK": 3, "maxOutputTokens": 9}


@pytest.mark.parametrize("name", ["maxOutputTokens", "max_output_tokens"])
def test_what_the_caller_says_is_no_default(name: str) -> None:
    given: Json = {name: 5, "temperature": 1}
    assert passed({**TEXT, "generationConfig": given}) == ({**TEXT, "generationConfig": given}, [])


def test_a_null_of_the_caller_is_filled_in() -> None:
    body, _ = passed({**TEXT, "generationConfig": {"temperature": None, "maxOutputTokens": 5}})
    assert body["generationConfig"] == {"temperature": 0.5, "maxOutputTokens": 5}


@pytest.mark.parametrize("role", ["function", "tool"])
def test_older_words_for_who_gives_results_are_the_user(role: str) -> None:
    said = {"role": role, "parts": [{"functionResponse": {"name": "f", "response": {"role": role}}}]}
    body, edits = passed({"contents": [*TEXT["contents"], said]}, ir.Sampling())
    assert body == {"contents": [*TEXT["contents"], {**said, "role": "user"}]}
    assert edits == ["speaker"]
    assert passed({"contents": [{**said, "role": "user"}]}, ir.Sampling())[1] == []


SIGNED = "EkBGQUtF"
SENTINEL = "skip_thought_signature_validator"


def model(*parts: Json) -> Json:
    return {"role": "model", "parts": list(parts)}


def resent(*contents: Json, refused: str) -> tuple[list[Json], list[str]]:
    """Give the contents as they go up once more, and the paths of what is left out."""
    body = Raw(json.dumps({"contents": contents}).encode())
    taken = pass_on(ir.Request(model=MODEL, turns=()), body, {refused})
    return json.loads(bytes(taken.body))["contents"], [loss.path for loss in taken.losses]


@pytest.mark.parametrize("name", ["thoughtSignature", "thought_signature"])
@pytest.mark.parametrize("call", ["functionCall", "function_call"])
def test_refused_signatures_stay_behind_and_calls_have_the_sentinel(name: str, call: str) -> None:
    said = model({"thought": True, "text": "hm", name: SIGNED}, {"text": "", name: SIGNED}, {call: {}, name: SIGNED})
    assert resent(*TEXT["contents"], said, model({"text": "", name: SIGNED}), refused="signatures") == (
        [*TEXT["contents"], model({"thought": True, "text": "hm"}, {call: {}, name: SENTINEL})],
        [f"contents[1].parts[{place}].{name}" for place in range(3)] + [f"contents[2].parts[0].{name}"],
    )


@pytest.mark.parametrize("empty", [{"role": "model"}, {"role": "model", "parts": None}, {"role": "model", "parts": []}])
def test_an_answer_without_parts_that_was_refused_is_left_out(empty: Json) -> None:
    """google-genai keeps one where the model only said why it ended."""
    asked: Json = {"role": "user", "parts": [{"text": "a"}]}
    assert resent(asked, empty, asked, refused="blanks") == ([asked, asked], [])
    assert resent(asked, empty, refused="blanks") == ([asked, empty], [])
    assert resent(refused="blanks") == ([], [])


def test_the_sentinel_is_no_signature_that_could_be_refused() -> None:
    said = model({"functionCall": {}, "thoughtSignature": SENTINEL})
    assert resent(said, refused="signatures") == ([said], [])


def test_missed_signatures_are_the_sentinel_on_the_first_call_of_a_step() -> None:
    call: Json = {"functionCall": {}}
    result: Json = {"role": "user", "parts": [{"functionResponse": {}}]}
    led, signed = {**call, "thoughtSignature": SENTINEL}, {**call, "thoughtSignature": SIGNED}
    steps = [model({"text": "a"}), model(call, call), model(call), result, model(signed, call), result, model(call)]
    after = [model({"text": "a"}), model(led, call), model(call), result, model(signed, call), result, model(led)]
    assert resent(*steps, refused="unsigned") == (after, [])


def test_what_a_model_that_draws_has_not_signed_is_shown_by_the_user() -> None:
    picture: Json = {"inline_data": {"mime_type": "image/png", "data": "AAAA"}}
    signed: Json = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": SIGNED}
    thought: Json = {"text": "hm", "thought": True}
    asks: Json = {"role": "user", "parts": [{"text": "draw"}]}
    shows: Json = {"role": "user", "parts": [{"text": "[said by the assistant:]"}, {"text": "a"}, picture]}
    steps = [asks, model(thought, {"text": "a"}, picture), asks, model(signed), asks, model({"text": "a"}, picture)]
    after, lost = resent(*steps, refused="unsigned_parts")
    assert after == [asks, model(thought), shows, asks, model(signed), asks, shows]
    assert lost == ["contents[1]", "contents[5]"]


@pytest.mark.parametrize(
    ("cause", "after", "lost"),
    [
        ("penalties", {"seed": 1, "response_logprobs": True, "logprobs": 2}, ["presencePenalty"]),
        ("logprobs", {"seed": 1, "presencePenalty": 1}, ["response_logprobs", "logprobs"]),
        ("thinking_config", {"seed": 1, "presencePenalty": 1, "response_logprobs": True, "logprobs": 2}, []),
    ],
)
def test_a_setting_that_a_model_has_refused_is_left_out(cause: str, after: Json, lost: list[str]) -> None:
    config: Json = {"seed": 1, "presencePenalty": 1, "response_logprobs": True, "logprobs": 2}
    body = Raw(json.dumps({"contents": [], "generation_config": config}).encode())
    taken = pass_on(ir.Request(model=MODEL, turns=()), body, {cause})
    assert json.loads(bytes(taken.body))["generation_config"] == after
    assert [(loss.path, loss.severity) for loss in taken.losses] == [
        (f"generation_config.{name}", "change") for name in lost
    ]


@pytest.mark.parametrize(
    ("cause", "config"),
    [
        ("penalties", {"presencePenalty": 0, "frequencyPenalty": 0.0}),
        ("logprobs", {"responseLogprobs": False, "logprobs": None}),
    ],
)
def test_nothing_is_lost_with_a_refused_setting_that_says_nothing(cause: str, config: Json) -> None:
    body = Raw(json.dumps({"contents": [], "generationConfig": config}).encode())
    taken = pass_on(ir.Request(model=MODEL, turns=()), body, {cause})
    assert json.loads(bytes(taken.body))["generationConfig"] == {}
    assert [loss.severity for loss in taken.losses] == ["hint", "hint"]


@pytest.mark.parametrize(
    ("name", "reasoning", "budget"),
    [
        ("gemini-2.5-flash", ir.Reasoning(mode="level", level="high"), 24576),
        ("gemini-3-pro-preview", ir.Reasoning(mode="level", level="low"), 1024),
    ],
)
def test_a_level_that_a_model_does_not_know_is_a_budget(name: str, reasoning: ir.Reasoning, budget: int) -> None:
    thinking: Json = {"thinking_level": "X", "includeThoughts": True}
    body = Raw(json.dumps({"contents": [], "generationConfig": {"topK": 1, "thinkingConfig": thinking}}).encode())
    taken = pass_on(ir.Request(model=name, turns=(), reasoning=reasoning), body, {"level"})
    config = {"topK": 1, "thinkingConfig": {"includeThoughts": True, "thinkingBudget": budget}}
    assert (json.loads(bytes(taken.body))["generationConfig"], taken.losses) == (config, ())


def test_a_budget_stays_where_levels_were_refused() -> None:
    body = Raw(b'{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":5}}}')
    assert pass_on(ir.Request(model=MODEL, turns=()), body, {"level"}).body == body


def test_a_content_that_the_caller_left_empty_stays_beside_one_whose_envelope_is_opened() -> None:
    sealed = ir.seal(ir.Signature("gemini", "c2ln", kind="f"))
    call: Json = {"functionCall": {"name": "f", "args": {}}}
    empty: Json = {"role": "user", "parts": []}
    body, edits = passed({"contents": [empty, model({**call, "thoughtSignature": sealed})]}, ir.Sampling())
    assert body == {"contents": [empty, model({**call, "thoughtSignature": "c2ln"})]}
    assert edits == ["own"]


def test_calls_behind_the_thoughts_of_another_family_have_the_sentinel() -> None:
    sealed = ir.seal(ir.Signature("claude", "c2ln", kind="t"))
    call: Json = {"functionCall": {"name": "f", "args": {}}}
    thought: Json = {"thought": True, "text": "hm"}
    result: Json = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}
    said = [model({**thought, "thoughtSignature": sealed}, call, call), result, model(call)]
    body, edits = passed({"contents": [*TEXT["contents"], *said]}, ir.Sampling())
    led = {**call, "thoughtSignature": SENTINEL}
    assert body == {"contents": [*TEXT["contents"], model(thought, led, call), result, model(led)]}
    assert edits == ["own"]


RESULT: Json = {"functionResponse": {"name": "f", "response": {"output": "1"}}}
CALLED: Json = {"functionCall": {"name": "f", "args": {}}}
SHOWN: Json = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}


def told(model: str, *parts: Json) -> list[Json]:
    """Give the contents in which these parts of the user's go on."""
    body = Raw(json.dumps({"contents": [{"role": "user", "parts": parts}]}).encode())
    return list(json.loads(bytes(pass_on(ir.Request(model=model, turns=()), body).body))["contents"])


def test_what_stands_beside_results_follows_them() -> None:
    """As the AI SDK shows pictures of tools, where a name does not begin with gemini-3."""
    assert told(MODEL, SHOWN, RESULT, {"text": "seen"}, RESULT) == [
        {"role": "user", "parts": [RESULT, RESULT]},
        {"role": "user", "parts": [SHOWN, {"text": "seen"}]},
    ]


@pytest.mark.parametrize(
    ("model", "parts"), [("gemini-2.5-pro", [RESULT, SHOWN]), (MODEL, [RESULT, RESULT]), (MODEL, [SHOWN])]
)
def test_what_a_model_takes_in_one_content_stays_in_it(model: str, parts: list[Json]) -> None:
    assert told(model, *parts) == [{"role": "user", "parts": parts}]


def test_results_of_one_turns_calls_are_in_one_content() -> None:
    """LangChain.js gives each its own; with what a tool shows beside them, too."""
    apart = [{"role": "user", "parts": parts} for parts in ([RESULT, SHOWN], [RESULT, SHOWN])]
    body, edits = passed({"contents": [*TEXT["contents"], model(*[CALLED] * 2), *apart]}, ir.Sampling())
    assert [one["parts"] for one in body["contents"][2:]] == [[RESULT, RESULT], [SHOWN], [SHOWN]]
    assert edits == ["alone", "results"]
