"""The official SDK judges the fake of the Anthropic API: what it sends is taken, and what it gets back it reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic, AsyncAnthropicVertex
from pydantic import BaseModel

from tests.fakes.anthropic_api import COUNT, MESSAGES, FakeAnthropic
from tests.fakes_tests.anthropic_api_bodies import FIVE, FOUR_6, PDF, PICTURE, SEARCH, THINKING, TOOL

pytestmark = pytest.mark.anyio

HAIKU = "claude-haiku-4-5"
Json = dict[str, Any]
TOOLS: Any = [TOOL]
ENABLED: Any = THINKING


@pytest.fixture
async def sdk(fake_anthropic: FakeAnthropic) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(api_key="key-1", base_url=fake_anthropic.url, max_retries=0) as client:
        yield client


@pytest.fixture
async def vertex(fake_anthropic: FakeAnthropic) -> AsyncIterator[AsyncAnthropicVertex]:
    url = f"{fake_anthropic.url}/v1"
    options: Json = {"region": "global", "project_id": "p", "access_token": "token-1"}
    async with AsyncAnthropicVertex(base_url=url, max_retries=0, **options) as client:
        yield client


def user(content: Any) -> Any:
    return {"role": "user", "content": content}


def answered(message: Any) -> Any:
    return {"role": "assistant", "content": message.content}


def result(call: str) -> Any:
    return user([{"type": "tool_result", "tool_use_id": call, "content": "4"}])


async def test_a_message(sdk: AsyncAnthropic) -> None:
    message = await sdk.messages.create(model=FIVE, max_tokens=99, system="Be kind.", messages=[user("!say a")])
    assert (message.content[0].type, message.stop_reason) == ("text", "end_turn")
    assert message.usage.input_tokens > 0
    assert message._request_id
    assert message._request_id.startswith("req_")


async def test_pictures_and_documents(sdk: AsyncAnthropic) -> None:
    content = [{"type": "image", "source": PICTURE}, {"type": "document", "source": PDF}]
    message = await sdk.messages.create(model=FIVE, max_tokens=99, messages=[user(content)])
    assert message.usage.input_tokens > 3000


async def test_a_streamed_message_is_put_together(sdk: AsyncAnthropic) -> None:
    said = '!think hm\n!say a text of chunks\n!tool f {"q": "x"}'
    made = {"model": HAIKU, "max_tokens": 2048, "messages": [user(said)], "tools": TOOLS, "thinking": ENABLED}
    async with sdk.messages.stream(**made) as stream:
        kinds = {event.type async for event in stream}
        message = await stream.get_final_message()
    assert {"thinking", "signature", "text", "input_json"} <= kinds
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[2].type == "tool_use"
    assert message.content[2].input == {"q": "x"}
    assert message.stop_reason == "tool_use"


async def test_raw_events(sdk: AsyncAnthropic) -> None:
    stream = await sdk.messages.create(model=FIVE, max_tokens=99, messages=[user("!say a")], stream=True)
    assert [event.type async for event in stream] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


@pytest.mark.parametrize(("model", "thinking"), [(HAIKU, THINKING), (FOUR_6, {"type": "adaptive"}), (FIVE, None)])
async def test_a_second_turn_with_thoughts_and_tools(sdk: AsyncAnthropic, model: str, thinking: Any) -> None:
    fields: Json = {"model": model, "max_tokens": 2048, "tools": TOOLS} | ({"thinking": thinking} if thinking else {})
    first = user("!think hm\n!tool f {}\n!then\n!say done")
    one = await sdk.messages.create(messages=[first], **fields)
    talk = [first, answered(one), result(one.content[-1].id)]  # type: ignore[union-attr]  # the last block is the call
    two = await sdk.messages.create(messages=talk, **fields)
    assert [block.type for block in two.content] == ["text"]


async def test_what_a_stream_put_together_goes_back(sdk: AsyncAnthropic) -> None:
    first = user("!think hm\n!redacted hm\n!search cats\n!tool f {}\n!then\n!say done")
    fields: Json = {"model": HAIKU, "max_tokens": 2048, "tools": [TOOL, SEARCH], "thinking": THINKING}
    async with sdk.messages.stream(messages=[first], **fields) as stream:
        one = await stream.get_final_message()
    kinds = ["thinking", "redacted_thinking", "server_tool_use", "web_search_tool_result", "text", "tool_use"]
    assert [block.type for block in one.content] == kinds
    content = [block.model_dump(exclude={"parsed_output"}, exclude_none=True) for block in one.content]
    talk: Any = [first, {"role": "assistant", "content": content}, result(content[-1]["id"])]
    two = await sdk.messages.create(messages=talk, **fields)
    assert [block.type for block in two.content] == ["text"]


async def test_forms_of_answers(sdk: AsyncAnthropic) -> None:
    class Place(BaseModel):
        city: str

    talk = [user('!say {"city": "Rome"}')]
    message = await sdk.messages.parse(model=FIVE, max_tokens=99, messages=talk, output_format=Place)
    assert message.parsed_output == Place(city="Rome")


async def test_the_beta_namespace(sdk: AsyncAnthropic, fake_anthropic: FakeAnthropic) -> None:
    message = await sdk.beta.messages.create(
        model=FIVE,
        max_tokens=99,
        messages=[user("!say a")],
        betas=["context-management-2025-06-27"],
        context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
    )
    assert message.content[0].type == "text"
    assert fake_anthropic.requests[-1].headers["anthropic-beta"] == "context-management-2025-06-27"


async def test_a_count(sdk: AsyncAnthropic, fake_anthropic: FakeAnthropic) -> None:
    counted = await sdk.messages.count_tokens(model=FIVE, messages=[user("hello")], tools=TOOLS, system="x")
    assert counted.input_tokens > 346
    assert fake_anthropic.requests[-1].method == COUNT


async def test_models(sdk: AsyncAnthropic, fake_anthropic: FakeAnthropic) -> None:
    names = [model.id async for model in sdk.models.list(limit=4)]
    assert sorted(names) == sorted(fake_anthropic.models)
    assert len(fake_anthropic.calls("models.list")) == 4
    model = await sdk.models.retrieve(FIVE)
    assert (model.display_name, model.lifecycle, model.max_tokens) == ("Claude Opus 5", "active", 128_000)
    assert model.capabilities is not None
    assert model.capabilities.thinking.types.adaptive.supported
    assert not model.capabilities.thinking.types.enabled.supported


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("400_context", anthropic.BadRequestError),
        ("401_key", anthropic.AuthenticationError),
        ("403_permission", anthropic.PermissionDeniedError),
        ("404_model", anthropic.NotFoundError),
        ("409_conflict", anthropic.ConflictError),
        ("413_large", anthropic.APIStatusError),
        ("429_rate", anthropic.RateLimitError),
        ("500_internal", anthropic.InternalServerError),
        ("504_timeout", anthropic.InternalServerError),
        ("529_overloaded", anthropic.InternalServerError),
    ],
)
async def test_errors_have_their_classes(sdk: AsyncAnthropic, error: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised:
        await sdk.messages.create(model=FIVE, max_tokens=99, messages=[user(f"!error {error}")])
    assert isinstance(raised.value, anthropic.APIStatusError)
    assert raised.value.status_code == int(error[:3])
    assert raised.value.request_id


async def test_an_error_within_a_stream_is_raised(sdk: AsyncAnthropic) -> None:
    said = user("!say a text of chunks\n!midway 529_overloaded")
    stream = await sdk.messages.create(model=FIVE, max_tokens=99, messages=[said], stream=True)
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        async for _ in stream:
            pass


async def test_an_overload_is_tried_again(sdk: AsyncAnthropic, fake_anthropic: FakeAnthropic) -> None:
    fake_anthropic.fail("529_overloaded")
    patient = sdk.with_options(max_retries=1)
    message = await patient.messages.create(model=FIVE, max_tokens=99, messages=[user("!say a")])
    assert message.content[0].type == "text"
    assert len(fake_anthropic.calls(MESSAGES)) == 2


async def test_a_bad_request_is_not_tried_again(sdk: AsyncAnthropic, fake_anthropic: FakeAnthropic) -> None:
    patient = sdk.with_options(max_retries=2)
    with pytest.raises(anthropic.BadRequestError, match="text content blocks must be non-empty"):
        await patient.messages.create(model=FIVE, max_tokens=99, messages=[user([{"type": "text", "text": ""}])])
    assert len(fake_anthropic.calls(MESSAGES)) == 1


async def test_claude_on_vertex(vertex: AsyncAnthropicVertex, fake_anthropic: FakeAnthropic) -> None:
    made: Json = {"model": "claude-sonnet-4-5@20250929", "max_tokens": 99, "messages": [user("!say a")]}
    message = await vertex.messages.create(**made)
    assert (message.id[:9], message.content[0].type) == ("msg_vrtx_", "text")
    assert fake_anthropic.requests[-1].path.endswith("claude-sonnet-4-5@20250929:rawPredict")
    async with vertex.messages.stream(**made) as stream:
        assert (await stream.get_final_message()).stop_reason == "end_turn"
    assert fake_anthropic.requests[-1].path.endswith(":streamRawPredict")
    assert "model" not in fake_anthropic.requests[-1].request


async def test_a_count_on_vertex(vertex: AsyncAnthropicVertex) -> None:
    assert (await vertex.messages.count_tokens(model=FIVE, messages=[user("hello")])).input_tokens == 6


async def test_errors_on_vertex(vertex: AsyncAnthropicVertex) -> None:
    with pytest.raises(anthropic.NotFoundError, match="Publisher Model"):
        await vertex.messages.create(model="claude-9", max_tokens=99, messages=[user("x")])
    with pytest.raises(anthropic.BadRequestError, match="req_vrtx_"):
        await vertex.messages.create(model=FIVE, max_tokens=99, messages=[user("")])
    with pytest.raises(anthropic.AuthenticationError):
        await vertex.copy(access_token="nobody").messages.create(model=FIVE, max_tokens=99, messages=[user("x")])
