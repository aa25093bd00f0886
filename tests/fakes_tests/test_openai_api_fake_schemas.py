"""What the fake of Chat Completions refuses of schemas and of types, each case one rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes_tests.openai_api_bodies import OBJECT, OpenAIClient, chat, function, refusal, schema

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

DEEPEST = 10
WHERE = "', '".join(["properties', 'q"] * (DEEPEST + 1))


def nested(levels: int) -> Json:
    """Make a strict schema of objects in objects."""
    node: Json = OBJECT
    for _ in range(levels - 1):
        node = holding(node)
    return node


def holding(node: Json, **fields: Any) -> Json:
    return {**OBJECT, "properties": {"q": node}, **fields}


STRICT: dict[str, tuple[Json, str]] = {
    "demands what is not there": (
        {**OBJECT, "required": ["q", "x"]},
        "In context=(), 'required' is required to be an array of keys of properties. Extra 'x'.",
    ),
    "words beside a reference": (
        holding({"$ref": "#/$defs/Q", "description": "x"}, **{"$defs": {"Q": OBJECT}}),
        "In context=('properties', 'q'), $ref cannot have keywords ['description'].",
    ),
    "below a choice": (
        holding({"anyOf": [{"type": "object"}]}),
        (
            "In context=('properties', 'q', 'anyOf', '0'), 'additionalProperties' is required to be supplied and to "
            "be false."
        ),
    ),
    "below an array": (
        holding({"type": "array", "items": {"type": "object"}}),
        ("In context=('properties', 'q', 'items'), 'additionalProperties' is required to be supplied and to be false."),
    ),
    "too deep": (nested(DEEPEST + 2), f"In context=('{WHERE}'), too many levels of nesting."),
}
CASES: dict[str, tuple[Json, str]] = {
    "a strict function of no schema": (
        chat(tools=[function(parameters={}, strict=True)]),
        (
            "Invalid schema for function 'f': In context=(), 'additionalProperties' is required to be supplied and to "
            "be false."
        ),
    ),
    "a schema that is none": (
        chat(tools=[function(parameters={"type": "object", "properties": {"a": {"type": "text"}}})]),
        "Invalid schema for function 'f': schema is not valid under any of the given schemas.",
    ),
    "an object of what": (
        chat(tools=[function(parameters={"type": "object"})]),
        "Invalid schema for function 'f': In context=(), object schema missing properties.",
    ),
    "no boolean": (
        chat(stream="yes"),
        "Invalid type for 'stream': expected a boolean, but got a string instead.",
    ),
    "no number": (
        chat(temperature="hot"),
        "Invalid type for 'temperature': expected a decimal, but got a string instead.",
    ),
    "no array": (
        chat(tools={}),
        "Invalid type for 'tools': expected an array, but got an object instead.",
    ),
    "no object": (
        chat(stream_options=True, stream=True),
        "Invalid type for 'stream_options': expected an object, but got a boolean instead.",
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_each_rule_refuses(openai: OpenAIClient, case: str) -> None:
    body, message = CASES[case]
    assert refusal(await openai.call("/v1/chat/completions", body)).startswith(message)


@pytest.mark.parametrize("case", STRICT)
async def test_what_cannot_be_forced_is_refused(openai: OpenAIClient, case: str) -> None:
    node, problem = STRICT[case]
    message = f"Invalid schema for response_format 'n': {problem}"
    assert refusal(await openai.chat("hi", response_format=schema(node))) == message


async def test_what_is_just_deep_enough_is_taken(openai: OpenAIClient) -> None:
    assert (await openai.chat("hi", response_format=schema(nested(DEEPEST))))[0] == 200
