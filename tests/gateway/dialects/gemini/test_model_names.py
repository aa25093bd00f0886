"""The body of a native call names the model as its path does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects.gemini.model_names import named_as

ASKED = {"contents": [{"parts": [{"text": "hi"}]}]}


def batch(model: str) -> Any:
    return {"batch": {"input_config": {"requests": {"requests": [{"request": {"model": model, **ASKED}}]}}}}


@pytest.mark.parametrize(
    "body",
    [
        lambda model: {"model": model, **ASKED},
        lambda model: {"requests": [{"model": model}, {"model": model, "content": {}}]},
        batch,
    ],
)
def test_each_place_names_the_upstreams_model(body: Any) -> None:
    for folder in ("models/", ""):
        named = named_as(json.dumps(body(f"{folder}mine")).encode(), "m-1")
        assert json.loads(named) == body(f"{folder}m-1")


def test_a_tuned_model_says_so_itself() -> None:
    assert named_as(b'{"model":"models/mine"}', "tunedModels/t-1") == b'{"model":"tunedModels/t-1"}'


@pytest.mark.parametrize(
    "body",
    [
        b'{ "model" : "models/m-1", "requests":[ {"model":"models/m-1"} ] }',
        b'{ "content": {"model": "models/mine"}, "requests": 1, "batch": [2] }',
        b'{"model": 1}',
        b"[1",
        b"",
    ],
)
def test_all_else_stays_as_it_came(body: bytes) -> None:
    assert named_as(body, "m-1") == body
