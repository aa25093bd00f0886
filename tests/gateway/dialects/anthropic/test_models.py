"""Model lists, single models and counts."""

import json
from typing import Any

import pytest

from gateway.dialects.anthropic import Anthropic
from gateway.errors import InvalidRequest
from gateway.upstream import ModelInfo

from .reader import client

MODELS = [(f"m{number}", ModelInfo(id=f"m{number}")) for number in range(25)]
INFO = ModelInfo(id="up", display_name="Model X", max_input=200_000, max_output=64_000)


def page(**query: str) -> Any:
    found = json.loads(Anthropic().write_models(MODELS, query))
    return [model["id"] for model in found["data"]], found["has_more"]


def names(start: int, end: int) -> list[str]:
    return [f"m{number}" for number in range(start, end)]


def test_one_model_as_the_wire_shows_it() -> None:
    assert Anthropic().write_model("x", INFO) == (
        b'{"type":"model","id":"x","display_name":"Model X","created_at":"1970-01-01T00:00:00Z",'
        b'"lifecycle":"active","max_input_tokens":200000,"max_tokens":64000}'
    )


def test_an_unnamed_model_is_called_by_its_id() -> None:
    assert json.loads(Anthropic().write_model("x", ModelInfo(id="up")))["display_name"] == "x"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, (names(0, 20), True)),
        ({"limit": "3"}, (names(0, 3), True)),
        ({"limit": "25"}, (names(0, 25), False)),
        ({"limit": "1000"}, (names(0, 25), False)),
        ({"after_id": "m19"}, (names(20, 25), False)),
        ({"after_id": "m2", "limit": "2"}, (names(3, 5), True)),
        ({"after_id": "m24"}, ([], False)),
        ({"before_id": "m5", "limit": "2"}, (names(3, 5), True)),
        ({"before_id": "m2"}, (names(0, 2), False)),
        ({"before_id": "m0"}, ([], False)),
    ],
)
def test_pages(query: dict[str, str], found: tuple[list[str], bool]) -> None:
    assert page(**query) == found


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"lifecycle": "active"}, True),
        ({"lifecycle[]": "active"}, True),
        ({"lifecycle[]": "deprecated,active"}, True),
        ({"lifecycle": "deprecated"}, False),
        ({"lifecycle[]": "deprecated,retired"}, False),
    ],
)
def test_models_are_in_use_as_far_as_anybody_knows_here(query: dict[str, str], shown: bool) -> None:
    assert page(**query) == ((names(0, 20), True) if shown else ([], False))


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "1001"}, {"limit": "many"}, {"after_id": "nobody"}, {"lifecycle[]": "active,dead"}],
)
def test_a_wrong_page_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        page(**query)
    assert caught.value.param in query


def test_the_cursors_are_the_ends_of_the_page() -> None:
    found = json.loads(Anthropic().write_models(MODELS, {"after_id": "m2", "limit": "2"}))
    assert (found["first_id"], found["last_id"]) == ("m3", "m4")
    none = json.loads(Anthropic().write_models([], {}))
    assert none == {"data": [], "has_more": False, "first_id": None, "last_id": None}


def test_the_official_client_lists_models() -> None:
    listed = client(200, Anthropic().write_models([("x", INFO)], {})).models.list()
    (model,) = listed.data
    assert (model.id, model.lifecycle, model.max_input_tokens) == ("x", "active", 200_000)
    assert model.created_at.year == 1970
    assert not listed.has_next_page()


def test_the_official_client_reads_one_model() -> None:
    model = client(200, Anthropic().write_model("x", INFO)).models.retrieve("x")
    assert (model.type, model.display_name) == ("model", "Model X")


def test_a_count() -> None:
    assert Anthropic().write_count(42) == b'{"input_tokens":42}'


def test_the_official_client_reads_a_count() -> None:
    counted = client(200, Anthropic().write_count(42)).messages.count_tokens(model="m", messages=[])
    assert counted.input_tokens == 42
