"""The OpenAI SDK gets from Google's models what it expects of OpenAI's."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from tests.packaging.fixtures import WHEEL
from tests.packaging.served import KEY, Google
from tests.processes import Program

pytestmark = WHEEL

MODELS = pytest.mark.parametrize("model", ["gemini-3-flash", "claude-sonnet-4-6"])
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tell the weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
ONE_CALL = """!think where is Rome
!tool weather {"city": "Rome"}
!then
!say it is sunny"""
TWO_CALLS = """!tool weather {"city": "Rome"}
!tool weather {"city": "Oslo"}
!then
!say it is sunny in both"""


class Capital(BaseModel):
    city: str
    people: int


def user(content: Any) -> list[Any]:
    return [{"role": "user", "content": content}]


def results(calls: Any) -> list[Any]:
    return [
        {"role": "tool", "tool_call_id": call.id, "content": f"sunny in {json.loads(call.function.arguments)['city']}"}
        for call in calls
    ]


def responses(google: Google) -> list[Any]:
    return [
        part["functionResponse"] for part in google.generated[-1]["contents"][-1]["parts"] if "functionResponse" in part
    ]


@MODELS
def test_text(chat: openai.OpenAI, accepting: Google, model: str) -> None:
    answer = chat.chat.completions.create(model=model, messages=user("!say good morning"))
    assert answer.choices[0].message.content == "good morning"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == model
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


@MODELS
def test_stream(chat: openai.OpenAI, accepting: Google, model: str) -> None:
    words = "a long answer that comes in more than one piece"
    with chat.chat.completions.create(
        model=model, messages=user(f"!say {words}"), stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    deltas = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(delta or "" for delta in deltas) == words
    assert len([delta for delta in deltas if delta]) > 1
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


@MODELS
async def test_text_in_an_event_loop(async_chat: openai.AsyncOpenAI, accepting: Google, model: str) -> None:
    answer = await async_chat.chat.completions.create(model=model, messages=user("!say good evening"))
    assert answer.choices[0].message.content == "good evening"


@MODELS
async def test_stream_in_an_event_loop(async_chat: openai.AsyncOpenAI, accepting: Google, model: str) -> None:
    async with async_chat.chat.completions.stream(model=model, messages=user("!say good night")) as stream:
        said = [event.delta async for event in stream if event.type == "content.delta"]
        final = await stream.get_final_completion()
    assert "".join(said) == final.choices[0].message.content == "good night"


@MODELS
def test_tool_loop_with_the_message_sent_back_as_it_came(chat: openai.OpenAI, accepting: Google, model: str) -> None:
    messages = user(ONE_CALL)
    asked = chat.chat.completions.create(model=model, messages=messages, tools=[WEATHER], reasoning_effort="high")
    message = asked.choices[0].message
    assert asked.choices[0].finish_reason == "tool_calls"
    messages += [message, *results(message.tool_calls)]
    answer = chat.chat.completions.create(model=model, messages=messages, tools=[WEATHER], reasoning_effort="high")
    assert answer.choices[0].message.content == "it is sunny"
    assert [response["name"] for response in responses(accepting)] == ["weather"]
    assert accepting.signers == [model.partition("-")[0]]


@MODELS
def test_streamed_tool_loop(chat: openai.OpenAI, accepting: Google, model: str) -> None:
    messages = user(ONE_CALL)
    said = ""
    for _ in range(2):
        with chat.chat.completions.stream(
            model=model, messages=messages, tools=[WEATHER], reasoning_effort="high"
        ) as stream:
            message = stream.get_final_completion().choices[0].message
        said = message.content or ""
        messages += [message, *results(message.tool_calls or [])]
    assert said == "it is sunny"
    assert accepting.signers == [model.partition("-")[0]]


@MODELS
def test_parallel_calls_answered_in_another_order(chat: openai.OpenAI, accepting: Google, model: str) -> None:
    messages = user(TWO_CALLS)
    asked = chat.chat.completions.create(model=model, messages=messages, tools=[WEATHER]).choices[0].message
    assert asked.tool_calls is not None
    assert len({call.id for call in asked.tool_calls}) == 2
    messages += [asked, *reversed(results(asked.tool_calls))]
    answer = chat.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
    assert answer.choices[0].message.content == "it is sunny in both"
    assert [response["response"] for response in responses(accepting)] == [
        {"output": "sunny in Rome"},
        {"output": "sunny in Oslo"},
    ]


@MODELS
def test_streamed_parallel_calls_have_indexes(chat: openai.OpenAI, accepting: Google, model: str) -> None:
    with chat.chat.completions.create(
        model=model, messages=user("!toolsplit\n" + TWO_CALLS), tools=[WEATHER], stream=True
    ) as stream:
        calls = [call for chunk in stream for call in chunk.choices[0].delta.tool_calls or []]
    arguments = ["".join(call.function.arguments or "" for call in calls if call.index == n) for n in (0, 1)]  # type: ignore[union-attr]  # every call here is of a function
    assert [json.loads(text) for text in arguments] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert [call.index for call in calls if call.id] == [0, 1]


def test_client_that_drops_signatures_gets_the_real_ones_recalled(chat: openai.OpenAI, accepting: Google) -> None:
    messages = user(ONE_CALL)
    asked = chat.chat.completions.create(model="gemini-3-flash", messages=messages, tools=[WEATHER])
    calls = asked.choices[0].message.tool_calls or []
    plain = [
        {"id": call.id, "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
        for call in calls
    ]
    messages += [{"role": "assistant", "tool_calls": plain}, *results(calls)]
    chat.chat.completions.create(model="gemini-3-flash", messages=messages, tools=[WEATHER])
    assert accepting.signers == ["gemini"]


@MODELS
def test_thoughts_come_beside_the_content(chat: openai.OpenAI, accepting: Google, model: str) -> None:
    answer = chat.chat.completions.create(
        model=model, messages=user("!think two and two\n!say four"), reasoning_effort="high"
    )
    message = answer.choices[0].message.to_dict()
    assert (message["reasoning_content"], message["content"]) == ("two and two", "four")


@MODELS
def test_image_in(chat: openai.OpenAI, accepting: Google, model: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    chat.chat.completions.create(model=model, messages=user([{"type": "text", "text": "!say a dot"}, picture]))
    parts = accepting.generated[-1]["contents"][-1]["parts"]
    assert [part["inlineData"] for part in parts if "inlineData" in part] == [{"mimeType": "image/png", "data": PIXEL}]


def test_image_out(chat: openai.OpenAI, accepting: Google) -> None:
    answer = chat.chat.completions.create(model="gemini-3-pro-image", messages=user("!image"))
    content = answer.choices[0].message.content or ""
    assert base64.b64decode(PIXEL) == base64.b64decode(content.partition("base64,")[2].rstrip(")"))


@MODELS
def test_answer_of_a_schema(chat: openai.OpenAI, accepting: Google, model: str) -> None:
    answer = chat.chat.completions.parse(
        model=model, messages=user('!say {"city": "Oslo", "people": 700000}'), response_format=Capital
    )
    assert answer.choices[0].message.parsed == Capital(city="Oslo", people=700_000)


def test_length_is_a_finish_reason(chat: openai.OpenAI, accepting: Google) -> None:
    answer = chat.chat.completions.create(
        model="gemini-3-flash", messages=user("!say too lo\n!finish MAX_TOKENS"), max_completion_tokens=100
    )
    assert answer.choices[0].finish_reason == "length"


def test_models_are_those_that_the_upstream_lists(chat: openai.OpenAI) -> None:
    names = [model.id for model in chat.models.list()]
    assert {"claude-sonnet-4-6", "gemini-3-flash", "gemini-3-pro-image"} <= set(names)
    assert not [name for name in names if name.startswith("tab_")]
    assert chat.models.retrieve("gemini-3-flash").id == "gemini-3-flash"


@MODELS
def test_headers_name_the_request_and_the_upstream(chat: openai.OpenAI, accepting: Google, model: str) -> None:
    raw = chat.chat.completions.with_raw_response.create(model=model, messages=user("!say hi"))
    assert raw.headers["x-gateway-upstream"] == f"google/{model}"
    assert raw.request_id == raw.headers["x-request-id"] == raw.headers["request-id"]
    assert raw.parse().choices[0].message.content == "hi"


def test_clients_of_the_module_level_api_are_served(gateway: Program, accepting: Google) -> None:
    """`openai.api_base` of the 0.x line: the same path below the base, and this header."""
    api_base = f"{gateway.url}/v1"
    answer = httpx.post(
        f"{api_base}/chat/completions",
        headers={"Authorization": f"Bearer {KEY}", "User-Agent": "OpenAI/v1 PythonBindings/0.28.1"},
        json={"model": "gemini-3-flash", "messages": user("!say hi"), "temperature": 0, "n": 1},
    )
    assert answer.json()["choices"][0]["message"]["content"] == "hi"
    listed = httpx.get(f"{api_base}/models", headers={"Authorization": f"Bearer {KEY}"})
    assert "gemini-3-flash" in [model["id"] for model in listed.json()["data"]]
