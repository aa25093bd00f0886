"""The official openai SDK judges the fake: both must agree on everything it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from tests.fakes.openai_api import FakeOpenAI
from tests.fakes_tests.openai_api_bodies import GPT_5, OBJECT

pytestmark = pytest.mark.anyio

LOOP = '!think hm\n!tool weather {"q": "Bern"}\n!tool weather {"q": "Oslo"}\n!then\n!say done'
TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": OBJECT, "strict": True}}
FLAT: Any = {"type": "function", "name": "weather", "parameters": OBJECT, "strict": True}


class Place(BaseModel):
    """What an answer is parsed into."""

    city: str


@pytest.fixture
async def sdk(fake_openai: FakeOpenAI) -> AsyncIterator[AsyncOpenAI]:
    """Give the SDK for event loops, without retries."""
    async with AsyncOpenAI(api_key="key-1", base_url=f"{fake_openai.url}/v1", max_retries=0) as client:
        yield client


def user(text: str) -> Any:
    return {"role": "user", "content": text}


def _said(call: Any) -> Any:
    return {"name": call.function.name, "arguments": call.function.arguments}


async def test_text(sdk: AsyncOpenAI) -> None:
    answer = await sdk.chat.completions.create(model="gpt-4.1", messages=[user("!say hello")])
    assert answer.choices[0].message.content == "hello"
    assert answer.usage is not None
    assert answer.usage.total_tokens


async def test_a_stream(sdk: AsyncOpenAI) -> None:
    made = await sdk.chat.completions.create(
        model="gpt-4.1", messages=[user("!say a text of chunks")], stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in made]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "a text of chunks"
    assert chunks[-1].usage is not None


async def test_a_tool_loop_with_the_stream_helper(sdk: AsyncOpenAI) -> None:
    messages: list[Any] = [user(LOOP)]
    async with sdk.chat.completions.stream(model="gpt-4.1", messages=messages, tools=[TOOL]) as stream:
        message = (await stream.get_final_completion()).choices[0].message
    assert message.tool_calls is not None
    assert [call.function.arguments for call in message.tool_calls] == ['{"q": "Bern"}', '{"q": "Oslo"}']
    calls = [{"id": call.id, "type": "function", "function": _said(call)} for call in message.tool_calls]
    messages.append({"role": "assistant", "content": None, "tool_calls": calls})
    messages += [
        {"role": "tool", "tool_call_id": call.id, "name": call.function.name, "content": "4"}
        for call in message.tool_calls
    ]
    answer = await sdk.chat.completions.create(model="gpt-4.1", messages=messages, tools=[TOOL])
    assert answer.choices[0].message.content == "done"


async def test_an_answer_is_parsed(sdk: AsyncOpenAI) -> None:
    answer = await sdk.chat.completions.parse(
        model="gpt-4.1", messages=[user('!say {"city": "Rome"}')], response_format=Place
    )
    assert answer.choices[0].message.parsed == Place(city="Rome")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("400_context", openai.BadRequestError),
        ("401_invalid_key", openai.AuthenticationError),
        ("403_model", openai.PermissionDeniedError),
        ("404", openai.NotFoundError),
        ("429_requests", openai.RateLimitError),
        ("500_server", openai.InternalServerError),
        ("503_overloaded", openai.InternalServerError),
    ],
)
async def test_errors_have_their_classes(sdk: AsyncOpenAI, error: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised:
        await sdk.chat.completions.create(model="gpt-4.1", messages=[user(f"!error {error}")])
    assert isinstance(raised.value, openai.APIStatusError)
    assert raised.value.request_id


async def test_an_error_within_a_stream_is_raised(sdk: AsyncOpenAI) -> None:
    said = '!chunk {"error": {"message": "Sorry", "type": "server_error", "param": null, "code": null}}'
    made = await sdk.chat.completions.create(model="gpt-4.1", messages=[user(said)], stream=True)
    with pytest.raises(openai.APIError, match="Sorry"):
        async for _ in made:
            pass


async def test_a_response_and_what_follows_it(sdk: AsyncOpenAI) -> None:
    first = await sdk.responses.create(model=GPT_5, input=LOOP, tools=[FLAT], reasoning={"summary": "auto"})
    assert [item.type for item in first.output] == ["reasoning", "function_call", "function_call"]
    outputs: Any = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "4"}
        for item in first.output
        if item.type == "function_call"
    ]
    second = await sdk.responses.create(model=GPT_5, input=outputs, previous_response_id=first.id, tools=[FLAT])
    assert second.output_text == "done"
    assert (await sdk.responses.retrieve(second.id)).output_text == "done"
    listed = await sdk.responses.input_items.list(second.id)
    assert len(listed.data) == 2
    await sdk.responses.delete(second.id)


async def test_a_streamed_response_is_put_together(sdk: AsyncOpenAI) -> None:
    async with sdk.responses.stream(model=GPT_5, input=LOOP, tools=[FLAT], reasoning={"summary": "auto"}) as stream:
        async for _ in stream:
            pass
        answer = await stream.get_final_response()
    assert [item.type for item in answer.output] == ["reasoning", "function_call", "function_call"]
    assert answer.usage is not None
    assert answer.usage.input_tokens_details.cached_tokens == 0


@pytest.mark.parametrize("finish", ["STOP", "length", "refusal"])
async def test_streamed_text_ends_well(sdk: AsyncOpenAI, finish: str) -> None:
    async with sdk.responses.stream(model="gpt-4.1", input=f"!say a text\n!finish {finish}") as stream:
        *_, last = [event async for event in stream]
    assert last.type == ("response.incomplete" if finish == "length" else "response.completed")
    assert last.response.output_text == ("" if finish == "refusal" else "a text")


async def test_models_embeddings_and_pictures(sdk: AsyncOpenAI) -> None:
    assert "gpt-4.1" in [model.id async for model in sdk.models.list()]
    assert (await sdk.models.retrieve("o3")).id == "o3"
    made = await sdk.embeddings.create(model="text-embedding-3-small", input="a")
    assert len(made.data[0].embedding) == 1536
    drawn = await sdk.images.generate(model="gpt-image-1", prompt="a dot")
    assert drawn.data is not None
    assert drawn.data[0].b64_json
