"""Sampling, reasoning and the form of the answer."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects.openai_chat import OpenAIChat
from gateway.errors import InvalidRequest


def read(**fields: Any) -> ir.Request:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return OpenAIChat().read_request(msgspec.json.encode(body))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ir.Sampling()),
        ({"max_tokens": 5}, ir.Sampling(max_tokens=5)),
        ({"max_tokens": 5, "max_completion_tokens": 6}, ir.Sampling(max_tokens=6)),
        ({"temperature": 2, "top_p": 0.5}, ir.Sampling(temperature=2.0, top_p=0.5)),
        ({"temperature": None, "stop": None}, ir.Sampling()),
        ({"top_k": 40}, ir.Sampling(top_k=40)),
        ({"top_k": -1}, ir.Sampling()),
        ({"seed": 7}, ir.Sampling(seed=7)),
        (
            {"presence_penalty": -2, "frequency_penalty": 0.5},
            ir.Sampling(presence_penalty=-2.0, frequency_penalty=0.5),
        ),
        ({"stop": "END"}, ir.Sampling(stop=("END",))),
        ({"stop": ["END", "", "\n"]}, ir.Sampling(stop=("END", "\n"))),
        ({"stop": list("abcdef")}, ir.Sampling(stop=tuple("abcdef"))),
        ({"n": 1}, ir.Sampling()),
        ({"n": 2}, ir.Sampling(n=2)),
    ],
)
def test_sampling(fields: dict[str, Any], expected: ir.Sampling) -> None:
    assert read(**fields).sampling == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 2.1),
        ("temperature", -1),
        ("temperature", "hot"),
        ("temperature", True),
        ("top_p", 1.5),
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("max_completion_tokens", -1),
        ("presence_penalty", 3),
        ("frequency_penalty", -3),
        ("n", 0),
        ("seed", "x"),
        ("stop", 5),
        ("stream", "yes"),
        ("reasoning_effort", "enormous"),
        ("modalities", "text"),
        ("tools", {}),
        ("user", 5),
    ],
)
def test_a_wrong_value_is_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**{field: value})
    assert caught.value.param == field
    assert field in caught.value.message


def google(**config: Any) -> dict[str, Any]:
    return {"google": {"thinking_config": config}}


def level(name: str) -> ir.Reasoning:
    return ir.Reasoning(mode="level", level=name, visible=True)


OFF = ir.Reasoning(mode="off", visible=False)
AUTO = ir.Reasoning(mode="auto", visible=True)
BUDGET = ir.Reasoning(mode="budget", budget=2000, visible=True)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ir.Reasoning()),
        *[({"reasoning_effort": name}, level(name)) for name in ("minimal", "low", "medium", "high", "xhigh", "max")],
        ({"reasoning_effort": "none"}, OFF),
        ({"reasoning_effort": "auto"}, AUTO),
        ({"reasoning": {"effort": "high"}}, level("high")),
        ({"reasoning": {"effort": "none"}}, OFF),
        ({"reasoning": {"max_tokens": 2000}}, BUDGET),
        ({"reasoning": {"enabled": True}}, AUTO),
        ({"reasoning": {"enabled": False}}, OFF),
        ({"reasoning": {"exclude": True}}, ir.Reasoning(visible=False)),
        ({"reasoning": {"effort": "low", "exclude": True}}, ir.Reasoning(mode="level", level="low", visible=False)),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, BUDGET),
        ({"thinking": {"type": "enabled"}}, AUTO),
        ({"thinking": {"type": "adaptive"}}, AUTO),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, ir.Reasoning(mode="auto", visible=False)),
        ({"thinking": {"type": "disabled"}}, OFF),
        ({"extra_body": google(thinking_budget=2000)}, BUDGET),
        ({"extra_body": google(thinking_budget=0)}, OFF),
        ({"extra_body": google(thinking_budget=-1)}, AUTO),
        ({"extra_body": google(thinking_level="LOW")}, level("low")),
        ({"extra_body": google(include_thoughts=True)}, ir.Reasoning(visible=True)),
        (
            google(thinking_level="high", include_thoughts=False),
            ir.Reasoning(mode="level", level="high", visible=False),
        ),
        ({"reasoning_effort": "low", **google(thinking_budget=9)}, level("low")),
    ],
)
def test_reasoning(fields: dict[str, Any], expected: ir.Reasoning) -> None:
    assert read(**fields).reasoning == expected


def test_an_unknown_thinking_level_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'enormous' is not one of"):
        read(extra_body=google(thinking_level="enormous"))


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (None, ir.Output()),
        ({"type": "text"}, ir.Output()),
        ({"type": "json_object"}, ir.Output(kind="json")),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}},
            ir.Output(kind="schema", schema=Raw(b'{"type":"object"}'), name="n", strict=True),
        ),
        ({"type": "json_schema", "json_schema": {"name": "n"}}, ir.Output(kind="json", name="n")),
    ],
)
def test_response_format(form: Any, expected: ir.Output) -> None:
    assert read(response_format=form).output == expected


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"type": "xml"}, "response_format.type"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": []}}, "response_format.json_schema.schema"),
        ("json", "response_format"),
    ],
)
def test_a_wrong_response_format_is_named(form: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(response_format=form)
    assert caught.value.param == param
