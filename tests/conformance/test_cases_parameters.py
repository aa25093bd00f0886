"""Acceptance cases D: options of the request."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.served import CHAT, CLAUDE, MESSAGES, Served, values

pytestmark = pytest.mark.anyio

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


async def test_max_tokens_is_the_output_limit(either: Served) -> None:
    """D1"""
    assert (await either.post(MESSAGES, "hi", max_tokens=100)).status_code == 200
    assert either.config["maxOutputTokens"] == 100


@pytest.mark.parametrize(
    ("effort", "level", "budget"), [("none", "minimal", 0), ("low", "low", 1024), ("high", "high", 24576)]
)
async def test_effort_is_a_level_or_a_budget_never_both(either: Served, effort: str, level: str, budget: int) -> None:
    """D6"""
    for model, wanted in ((either.model, {"thinkingLevel": level}), (either.older, {"thinkingBudget": budget})):
        assert (await either.post(CHAT, "hi", model=model, reasoning_effort=effort)).status_code == 200
        thinking = {name: value for name, value in either.config["thinkingConfig"].items() if name != "includeThoughts"}
        assert {name: str(value).lower() for name, value in thinking.items()} == {k: str(v) for k, v in wanted.items()}


async def test_the_budget_of_a_claude_model_is_below_its_output(served: Served) -> None:
    """D4"""
    fields: Any = {"reasoning_effort": "high", "max_tokens": 4000, "temperature": 0.5}
    assert (await served.post(CHAT, "hi", model=CLAUDE, **fields)).status_code == 200
    assert 1024 <= served.config["thinkingConfig"]["thinkingBudget"] < 4000
    assert "temperature" not in served.config


async def test_more_than_one_answer_of_claude_is_refused_by_its_name(served: Served) -> None:
    """D11"""
    response = await served.post(CHAT, "hi", n=2, model=CLAUDE)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "n")
    assert served.calls == []


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}}}),
        (MESSAGES, {"output_config": {"format": {"type": "json_schema", "schema": PERSON}}, "max_tokens": 50}),
    ],
)
@pytest.mark.parametrize("model", ["model", "older"])
async def test_a_json_schema_is_the_schema_of_the_answer(either: Served, model: str, path: str, fields: Any) -> None:
    """D8"""
    assert (await either.post(path, "hi", model=getattr(either, model), **fields)).status_code == 200
    assert either.config["responseMimeType"] == "application/json"
    schema = either.config.get("responseSchema") or either.config["responseJsonSchema"]
    assert set(schema["properties"]) == {"name", "age"}
    assert schema["properties"]["age"]["type"].lower() == "integer"
    assert sorted(schema["required"]) == ["age", "name"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [(CHAT, {"stop": "END"}), (MESSAGES, {"stop_sequences": ["END", ""], "max_tokens": 50})],
)
async def test_stops_are_a_list_without_empty_ones(either: Served, path: str, fields: Any) -> None:
    """D15"""
    assert (await either.post(path, "hi", **fields)).status_code == 200
    assert either.config["stopSequences"] == ["END"]


async def test_nothing_of_the_callers_dialect_slips_through(either: Served) -> None:
    """R2: unknown fields are accepted, and what the upstream does not know is not sent."""
    mark = {"type": "ephemeral"}
    text = {"type": "text", "text": "hi", "cache_control": mark}
    system = [{"type": "text", "text": "s", "cache_control": mark}]
    message = {"role": "user", "content": [text]}
    response = await either.post(MESSAGES, message, system=system, max_tokens=50, betas=["x"], never_heard_of=1)
    assert response.status_code == 200
    assert not values("cache_control", either.calls[-1].body)
