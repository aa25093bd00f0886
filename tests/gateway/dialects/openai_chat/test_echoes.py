"""What servers built on pydantic repeat of a request."""

import json

import pytest

from gateway.dialects.openai_chat.echoes import without_echoes
from gateway.dialects.openai_chat.outbound_errors import read_error

SECRET = 'the words of the prompt, "quoted" \' and [open'
WHERE = {"type": "string_type", "loc": ["body", "messages", 0, "content"], "msg": "Input should be a valid string"}
ERRORS = [
    {**WHERE, "input": [{"type": "text", "text": SECRET}], "url": "https://errors.pydantic.dev/2/v/string_type"},
    {**WHERE, "loc": ["body", "model"], "input": SECRET, "ctx": {"min_length": 1}},
    {
        "type": "missing",
        "loc": ("body", "stream"),
        "msg": "Field required",
        "input": {"messages": [{"content": SECRET}]},
    },
]


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"detail": ERRORS}),
        json.dumps({"error": {"message": f"3 validation errors:\n  {ERRORS}", "code": 400}}),
        json.dumps({"object": "error", "message": f"{ERRORS[0]} {ERRORS}", "code": 400}),
    ],
)
def test_only_what_is_wrong_is_told(body: str) -> None:
    message = read_error(422, body.encode(), {}).message
    assert "prompt" not in message
    assert "quoted" not in message
    assert message.count("Input should be a valid string") >= 2
    assert "stream" in message
    assert "pydantic.dev" in message


def test_a_body_that_is_cut_off() -> None:
    message = read_error(422, json.dumps({"detail": ERRORS}).encode()[:-30], {}).message
    assert "prompt" not in message
    assert message.endswith('"msg": "Input should be a valid string"')


def test_a_validation_error_in_words() -> None:
    said = (
        "2 validation errors for Request\nmessages\n  Field required [type=missing, "
        "input_value={'prompt': 'the words'...}], input_type=dict]\nmodel\n  Bad [type=x, input_value='the wo"
    )
    assert without_echoes(said) == (
        "2 validation errors for Request\nmessages\n  Field required [type=missing, input_type=dict]\n"
        "model\n  Bad [type=x"
    )


@pytest.mark.parametrize(
    "said",
    [
        "Invalid 'input': string too long. Expected a string with maximum length 10, 'input': too.",
        'You sent {"model": "m", "input": "a"}',
        "",
    ],
)
def test_other_texts_stay_as_they_are(said: str) -> None:
    assert without_echoes(said) == said
