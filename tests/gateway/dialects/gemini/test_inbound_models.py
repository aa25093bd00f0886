"""Model lists and their pages."""

import json
from typing import Any

import pytest

from gateway.dialects.gemini.inbound import Gemini
from gateway.errors import InvalidRequest
from gateway.upstream import ModelInfo

MODELS = [(f"m{number}", ModelInfo(id=f"m{number}")) for number in range(5)]


def listed(models: list[tuple[str, ModelInfo]], **query: str) -> Any:
    return json.loads(Gemini().write_models(models, query))


def page(**query: str) -> tuple[str, str | None]:
    found = listed(MODELS, **query)
    return " ".join(model["name"].removeprefix("models/") for model in found["models"]), found.get("nextPageToken")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ("m0 m1 m2 m3 m4", None)),
        ({"pageSize": "0"}, ("m0 m1 m2 m3 m4", None)),
        ({"pageSize": ""}, ("m0 m1 m2 m3 m4", None)),
        ({"pageSize": "2"}, ("m0 m1", "m1")),
        ({"pageSize": "2", "pageToken": "m1"}, ("m2 m3", "m3")),
        ({"pageSize": "2", "pageToken": "m3"}, ("m4", None)),
        ({"page_size": "4", "page_token": "m0"}, ("m1 m2 m3 m4", None)),
        ({"pageSize": "5"}, ("m0 m1 m2 m3 m4", None)),
        ({"pageSize": "99999999999"}, ("m0 m1 m2 m3 m4", None)),
        ({"pageToken": "m2"}, ("m3 m4", None)),
        ({"pageToken": ""}, ("m0 m1 m2 m3 m4", None)),
    ],
)
def test_pages(query: dict[str, str], found: tuple[str, str | None]) -> None:
    assert page(**query) == found


def test_a_page_has_a_thousand_models_at_most() -> None:
    many = [(f"m{number}", ModelInfo(id="m")) for number in range(1001)]
    found = listed(many, pageSize="1001")
    assert (len(found["models"]), found["nextPageToken"]) == (1000, "m999")


def test_no_models_are_an_empty_page() -> None:
    assert listed([], pageSize="2") == {"models": []}


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"pageSize": "-1"}, "pageSize"),
        ({"page_size": "many"}, "page_size"),
        ({"pageToken": "nobody"}, "pageToken"),
    ],
)
def test_a_wrong_page_is_refused(query: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        page(**query)
    assert caught.value.param == param
