"""Acceptance cases D: options of the request."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.served import CHAT, GEMINI_2, GEMINI_3, MESSAGES, Served, values

pytestmark = pytest.mark.anyio

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


async def test_max_tokens_is_the_output_limit(served: Served) -> None:
    """D1"""
    assert (await served.post(MESSAGES, "hi", max_tokens=100)).status_code == 200
    assert served.config["maxOutputTokens"] == 100


@pytest.mark.parametrize(
    ("effort", "model", "level", "budget"),
    [
        ("none", GEMINI_3, "minimal", None),
        ("low", GEMINI_3, "low", None),
        ("high", GEMINI_3, "high", None),
        ("none", GEMINI_2, None, 0),
        ("low", GEMINI_2, None, 1024),
        ("high", GEMINI_2, None, 24576),
    ],
)
async def test_effort_is_a_level_or_a_budget_never_both(
    served: Served, effort: str, model: str, level: str | None, budget: int | None
) -> None:
    """D6"""
    assert (await served.post(CHAT, "hi", model=model, reasoning_effort=effort)).status_code == 200
    thinking = served.config["thinkingConfig"]
    wanted = {"thinkingLevel": level} if level else {"thinkingBudget": budget}
    given = {name: value for name, value in thinking.items() if name != "includeThoughts"}
    assert {name: str(value).lower() for name, value in given.items()} == {k: str(v) for k, v in wanted.items()}


@pytest.mark.parametrize("model", [GEMINI_2, GEMINI_3])
async def test_a_json_schema_is_the_schema_of_the_answer(served: Served, model: str) -> None:
    """D8"""
    form = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}}
    assert (await served.post(CHAT, "hi", model=model, response_format=form)).status_code == 200
    assert served.config["responseMimeType"] == "application/json"
    schema = served.config.get("responseSchema") or served.config["responseJsonSchema"]
    assert set(schema["properties"]) == {"name", "age"}
    assert schema["properties"]["age"]["type"].lower() == "integer"
    assert sorted(schema["required"]) == ["age", "name"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [(CHAT, {"stop": "END"}), (MESSAGES, {"stop_sequences": ["END", ""], "max_tokens": 50})],
)
async def test_stops_are_a_list_without_empty_ones(served: Served, path: str, fields: Any) -> None:
    """D15"""
    assert (await served.post(path, "hi", **fields)).status_code == 200
    assert served.config["stopSequences"] == ["END"]


async def test_nothing_of_the_callers_dialect_slips_through(served: Served) -> None:
    """R2: unknown fields are accepted, and what the upstream does not know is not sent."""
    mark = {"type": "ephemeral"}
    text = {"type": "text", "text": "hi", "cache_control": mark}
    system = [{"type": "text", "text": "s", "cache_control": mark}]
    message = {"role": "user", "content": [text]}
    response = await served.post(MESSAGES, message, system=system, max_tokens=50, betas=["x"], never_heard_of=1)
    assert response.status_code == 200
    assert not values("cache_control", served.fake.calls()[-1].body)
