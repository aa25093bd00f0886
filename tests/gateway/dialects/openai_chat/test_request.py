"""The body as a whole: what is required, what is kept raw, what is reported."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateway import ir
from gateway.dialects.openai_chat import OpenAIChat
from gateway.errors import InvalidRequest
from gateway.routes import Route

MESSAGES = [{"role": "user", "content": "hi"}]


def read(**fields: Any) -> ir.Request:
    return OpenAIChat().read_request(msgspec.json.encode({"model": "m", "messages": MESSAGES} | fields))


def test_a_small_request() -> None:
    body = b'{"model":"gpt-4o","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]}'
    assert OpenAIChat().read_request(body) == ir.Request(
        model="gpt-4o",
        system=(ir.Text(text="s"),),
        turns=(ir.Turn(role="user", parts=(ir.Text(text="hi"),)),),
        dialect="openai-chat",
    )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"messages":[{"role":"user","content":"hi"}]}', "model"),
        (b'{"model":"","messages":[{"role":"user","content":"hi"}]}', "model"),
        (b'{"model":null,"messages":[{"role":"user","content":"hi"}]}', "model"),
        (b'{"model":"m"}', "messages"),
        (b'{"model":"m","messages":[]}', "messages"),
        (b'{"model":"m","messages":{}}', "messages"),
        (b"[]", None),
        (b"no JSON", None),
    ],
)
def test_what_is_required(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        OpenAIChat().read_request(body)
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize("model", [{}, {"model": None}, {"model": ""}, {"model": "other"}])
def test_the_model_of_the_path_takes_the_place_of_the_bodys(model: dict[str, Any]) -> None:
    body = msgspec.json.encode({"messages": MESSAGES, **model})
    route = Route("openai-chat", "chat", "mine")
    assert OpenAIChat().read_request(body, route=route).model == "mine"


@pytest.mark.parametrize(
    ("fields", "stream", "include_usage"),
    [
        ({}, None, False),
        ({"stream": False}, False, False),
        ({"stream": True, "stream_options": None}, True, False),
        ({"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}}, True, True),
        ({"stream": True, "usage": {"include": True}}, True, True),  # OpenRouter's clients
        ({"stream": True, "usage": {"include": False}, "stream_options": {"include_usage": True}}, True, True),
        ({"stream": True, "usage": {"include": False}}, True, False),
        ({"stream": True, "usage": {}}, True, False),
        ({"stream": True, "usage": None}, True, False),
        ({"stream": True, "usage": True}, True, False),  # in no form that is known
    ],
)
def test_streaming(fields: dict[str, Any], stream: bool | None, include_usage: bool) -> None:
    request = read(**fields)
    assert (request.stream, request.include_usage) == (stream, include_usage)


@pytest.mark.parametrize(
    ("fields", "user"),
    [({"user": "a"}, "a"), ({"safety_identifier": "b"}, "b"), ({"user": "a", "safety_identifier": "b"}, "a")],
)
def test_the_user(fields: dict[str, Any], user: str) -> None:
    assert read(**fields).user == user


def test_the_prompt_cache_key_is_the_session() -> None:
    assert read(prompt_cache_key="k").session == "k"


@pytest.mark.parametrize(
    "field",
    [
        "metadata",
        "store",
        "service_tier",
        "verbosity",
        "moderation",
        "prompt_cache_options",
        "prompt_cache_retention",
        "some_new_field",
    ],
)
def test_what_is_not_read_is_kept_raw(field: str) -> None:
    request = read(**{field: {"a": [1]}})
    assert request.extras == {field: Raw(b'{"a":[1]}')}
    assert request.losses == ()


def test_null_is_absent() -> None:
    assert read(metadata=None, logit_bias=None, audio=None, tools=None, modalities=None, user=None) == read()


@pytest.mark.parametrize(
    ("fields", "wanted", "lost"),
    [
        ({"logprobs": True}, 0, []),
        ({"logprobs": True, "top_logprobs": 2}, 2, []),
        ({"top_logprobs": 2}, None, [("top_logprobs", "hint")]),
        ({"logprobs": False, "top_logprobs": 2}, None, [("top_logprobs", "hint")]),
    ],
)
def test_how_likely_tokens_are_is_told_on_demand(
    fields: dict[str, Any], wanted: int | None, lost: list[tuple[str, str]]
) -> None:
    request = read(**fields)
    assert (request.sampling.logprobs, [(loss.path, loss.severity) for loss in request.losses]) == (wanted, lost)


@pytest.mark.parametrize("field", ["logit_bias", "prediction", "store"])
def test_what_an_upstream_of_the_same_dialect_takes_is_kept(field: str) -> None:
    request = read(**{field: {"5": 1}})
    assert (request.dialect, bytes(request.extras[field]), request.losses) == ("openai-chat", b'{"5":1}', ())


@pytest.mark.parametrize("fields", [{"logprobs": False}, {"top_logprobs": 0}, {"prediction": None}])
def test_what_asks_for_nothing_is_not_reported(fields: dict[str, Any]) -> None:
    assert read(**fields).losses == ()


@pytest.mark.parametrize("fields", [{"modalities": ["text", "audio"]}, {"audio": {"voice": "alloy", "format": "wav"}}])
def test_answers_in_sound_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert caught.value.param in fields


def test_answers_in_pictures_are_kept_for_who_can() -> None:
    assert read(modalities=["image"]).output.modalities == ("image",)
    assert read(modalities=["text"]).output.modalities == ()


def test_how_pictures_are_to_be_is_read_as_openrouters_callers_say_it() -> None:
    """https://openrouter.ai/docs/guides/overview/multimodal/image-generation"""
    given = read(image_config={"aspect_ratio": "16:9", "image_size": "2K", "font_inputs": []})
    assert given.output.shape == ir.Shape(ratio="16:9", size="2K", path="image_config")
    assert [loss.path for loss in given.losses] == ["image_config.font_inputs"]
    assert read(image_config={}).output.shape is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "role", "content"]), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["model", "messages", "tools", "tool_choice", "stop", "reasoning", "response_format", "functions", "x"]
        ),
        json_values,
    ),
    st.lists(st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "tool_call_id"]), json_values)),
)
def test_any_object_is_read_or_refused(fields: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    body = {"model": "m", "messages": [*MESSAGES, *messages]} | fields
    try:
        OpenAIChat().read_request(msgspec.json.encode(body))
    except InvalidRequest as error:
        assert error.param is not None
