"""What is written otherwise in answers that pass: the model's name, and what names a key in an error's message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.edits import echoing, mask_message
from gateway.dialects.openai_embeddings import of_length_one

Json = dict[str, Any]

TO = Answering(
    request=ir.Request(model="m", turns=()),
    model="asked",
    id="0f" * 12,
    created=1,
    request_id="req_1",
    estimate=lambda: 5,
)
WHOLE, EVENT = echoing("model").apply, echoing("model", within="response").apply


def raws(members: Json) -> dict[str, Raw]:
    return {name: Raw(json.dumps(value).encode()) for name, value in members.items()}


def read(members: dict[str, Raw] | None) -> Json | None:
    return members and {name: json.loads(bytes(value)) for name, value in members.items()}


def test_an_answer_has_the_callers_name_of_the_model() -> None:
    assert read(WHOLE(raws({"id": "r", "model": "theirs"}), TO)) == {"id": "r", "model": "asked"}


def test_an_event_has_the_callers_name_of_the_model_within_its_answer() -> None:
    given = {"type": "response.created", "response": {"id": "r", "model": "theirs"}}
    assert read(EVENT(raws(given), TO)) == {"type": "response.created", "response": {"id": "r", "model": "asked"}}


@pytest.mark.parametrize("given", [{"id": "r"}, {"response": {"id": "r"}}, {"response": 5}, {"response": None}])
def test_where_no_model_is_named_nothing_changes(given: Json) -> None:
    fields = raws(given)
    assert WHOLE(fields, TO) is fields
    assert EVENT(fields, TO) is fields


@pytest.mark.parametrize("within", [(), ("error",), ("response", "error")])
def test_a_message_is_masked_where_it_stands(within: tuple[str, ...]) -> None:
    def around(message: str) -> Json:
        members: Json = {"message": message, "code": "c"}
        for name in reversed(within):
            members = {name: members, "beside": 1}
        return members

    mask = mask_message(lambda text: text.replace("key-1", "***"), *within)
    assert read(mask(raws(around("of key-1")), TO)) == around("of ***")
    fields = raws(around("of nobody"))
    assert mask(fields, TO) is fields


@pytest.mark.parametrize("given", [{}, {"error": None}, {"error": {"code": 1}}, {"error": {"message": 5}}])
def test_where_there_is_no_message_nothing_is_masked(given: Json) -> None:
    fields = raws(given)
    assert mask_message(lambda _: "***", "error")(fields, TO) is fields


def test_a_vector_that_was_shortened_is_one_long_again() -> None:
    assert of_length_one([3.0, 4.0]) == [0.6, 0.8]
    assert of_length_one([0.0, 0.0]) == [0.0, 0.0]
