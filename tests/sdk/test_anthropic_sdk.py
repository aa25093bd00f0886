"""The Anthropic SDK gets from Google's models what it expects of Anthropic's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.tools import BetaLocalFilesystemMemoryTool

from tests.packaging.fixtures import WHEEL
from tests.packaging.served import Google

pytestmark = WHEEL

MODELS = pytest.mark.parametrize("model", ["gemini-3-flash", "claude-sonnet-4-6"])
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
THINKING: Any = {"type": "enabled", "budget_tokens": 2048}
WEATHER: Any = {
    "name": "weather",
    "description": "Tell the weather of a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
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


def user(content: Any) -> list[Any]:
    return [{"role": "user", "content": content}]


def results(message: Any) -> list[Any]:
    return [
        {"type": "tool_result", "tool_use_id": block.id, "content": f"sunny in {block.input['city']}"}
        for block in message.content
        if block.type == "tool_use"
    ]


def text(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def thoughts(message: Any) -> str:
    return "".join(block.thinking for block in message.content if block.type == "thinking")


def outputs(google: Google) -> list[Any]:
    parts = google.generated[-1]["contents"][-1]["parts"]
    return [part["functionResponse"]["response"] for part in parts if "functionResponse" in part]


@MODELS
def test_text(claude: anthropic.Anthropic, accepting: Google, model: str) -> None:
    message = claude.messages.create(model=model, max_tokens=100, messages=user("!say good morning"))
    assert text(message) == "good morning"
    assert (message.model, message.stop_reason) == (model, "end_turn")
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens > 0


@MODELS
def test_stream(claude: anthropic.Anthropic, accepting: Google, model: str) -> None:
    words = "a long answer that comes in more than one piece"
    with claude.messages.stream(model=model, max_tokens=100, messages=user(f"!say {words}")) as stream:
        said = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(said) == text(final) == words
    assert len(said) > 1
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0


@MODELS
def test_raw_events_of_a_stream(claude: anthropic.Anthropic, accepting: Google, model: str) -> None:
    with claude.messages.create(model=model, max_tokens=100, messages=user("!say hi"), stream=True) as stream:
        kinds = [event.type for event in stream]
    assert kinds == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


@MODELS
async def test_text_in_an_event_loop(async_claude: anthropic.AsyncAnthropic, accepting: Google, model: str) -> None:
    message = await async_claude.messages.create(model=model, max_tokens=100, messages=user("!say good evening"))
    assert text(message) == "good evening"


@MODELS
async def test_stream_in_an_event_loop(async_claude: anthropic.AsyncAnthropic, accepting: Google, model: str) -> None:
    async with async_claude.messages.stream(model=model, max_tokens=100, messages=user("!say good night")) as stream:
        said = [piece async for piece in stream.text_stream]
    assert "".join(said) == "good night"


@MODELS
def test_thinking_tool_loop_with_the_blocks_sent_back_as_they_came(
    claude: anthropic.Anthropic, accepting: Google, model: str
) -> None:
    messages = user(ONE_CALL)
    asked = claude.messages.create(model=model, max_tokens=4096, messages=messages, tools=[WEATHER], thinking=THINKING)
    assert (asked.stop_reason, thoughts(asked)) == ("tool_use", "where is Rome")
    messages += [{"role": "assistant", "content": asked.content}, *user(results(asked))]
    answer = claude.messages.create(model=model, max_tokens=4096, messages=messages, tools=[WEATHER], thinking=THINKING)
    assert text(answer) == "it is sunny"
    assert accepting.signers == [model.partition("-")[0]]


@MODELS
def test_streamed_thinking_tool_loop(claude: anthropic.Anthropic, accepting: Google, model: str) -> None:
    messages = user(ONE_CALL)
    with claude.messages.stream(
        model=model, max_tokens=4096, messages=messages, tools=[WEATHER], thinking=THINKING
    ) as stream:
        asked = stream.get_final_message()
    messages += [{"role": "assistant", "content": asked.content}, *user(results(asked))]
    with claude.messages.stream(
        model=model, max_tokens=4096, messages=messages, tools=[WEATHER], thinking=THINKING
    ) as stream:
        assert stream.get_final_text() == "it is sunny"
    assert accepting.signers == [model.partition("-")[0]]


@MODELS
def test_signed_thoughts_of_another_family_are_left_out(
    claude: anthropic.Anthropic, accepting: Google, model: str
) -> None:
    """A user who changes the model within a conversation keeps it."""
    other = {"gemini-3-flash": "claude-sonnet-4-6", "claude-sonnet-4-6": "gemini-3-flash"}[model]
    messages = user(ONE_CALL)
    asked = claude.messages.create(model=other, max_tokens=4096, messages=messages, tools=[WEATHER], thinking=THINKING)
    messages += [{"role": "assistant", "content": asked.content}, *user(results(asked))]
    answer = claude.messages.create(model=model, max_tokens=4096, messages=messages, tools=[WEATHER], thinking=THINKING)
    assert text(answer) == "it is sunny"
    assert other.partition("-")[0] not in accepting.signers


@MODELS
def test_thinking_shown_only_when_asked_for(claude: anthropic.Anthropic, accepting: Google, model: str) -> None:
    message = claude.messages.create(model=model, max_tokens=100, messages=user("!think two and two\n!say four"))
    assert [block.type for block in message.content] == ["text"]


@pytest.mark.parametrize("kind", ["adaptive", "enabled"])
@MODELS
def test_thoughts_are_blocks(claude: anthropic.Anthropic, accepting: Google, model: str, kind: str) -> None:
    thinking: Any = {"adaptive": {"type": "adaptive"}, "enabled": THINKING}[kind]
    message = claude.messages.create(
        model=model, max_tokens=4096, messages=user("!think two and two\n!say four"), thinking=thinking
    )
    assert (thoughts(message), text(message)) == ("two and two", "four")


@MODELS
def test_parallel_calls(claude: anthropic.Anthropic, accepting: Google, model: str) -> None:
    messages = user(TWO_CALLS)
    asked = claude.messages.create(model=model, max_tokens=500, messages=messages, tools=[WEATHER])
    assert len({result["tool_use_id"] for result in results(asked)}) == 2
    messages += [{"role": "assistant", "content": asked.content}, *user([*reversed(results(asked))])]
    answer = claude.messages.create(model=model, max_tokens=500, messages=messages, tools=[WEATHER])
    assert text(answer) == "it is sunny in both"
    assert outputs(accepting) == [{"output": "sunny in Rome"}, {"output": "sunny in Oslo"}]


@MODELS
def test_streamed_parallel_calls(claude: anthropic.Anthropic, accepting: Google, model: str) -> None:
    with claude.messages.stream(
        model=model, max_tokens=500, messages=user("!toolsplit\n" + TWO_CALLS), tools=[WEATHER]
    ) as stream:
        asked = stream.get_final_message()
    assert [block.input for block in asked.content if block.type == "tool_use"] == [
        {"city": "Rome"},
        {"city": "Oslo"},
    ]


@MODELS
def test_functions_are_called_by_the_sdk(claude: anthropic.Anthropic, google: Google, model: str) -> None:
    """It asks for a thread first, hears that there are none, and sends the whole conversation."""

    @anthropic.beta_tool
    def weather(city: str) -> str:
        """Tell the weather of a city."""
        return f"sunny in {city}"

    runner = claude.beta.messages.tool_runner(model=model, max_tokens=500, messages=user(TWO_CALLS), tools=[weather])
    assert text(runner.until_done()) == "it is sunny in both"
    assert outputs(google) == [{"output": "sunny in Rome"}, {"output": "sunny in Oslo"}]


@MODELS
def test_the_sdks_own_memory_is_kept_by_any_model(
    claude: anthropic.Anthropic, google: Google, model: str, tmp_path: Path
) -> None:
    """Only Claude knows the parameters of the tool by heart: it comes without a schema."""
    prompt = """!tool memory {"command": "create", "path": "/memories/colour", "file_text": "blue"}
!then
!say noted"""
    runner = claude.beta.messages.tool_runner(
        model=model,
        max_tokens=500,
        messages=user(prompt),
        tools=[BetaLocalFilesystemMemoryTool(base_path=str(tmp_path))],
    )
    assert text(runner.until_done()) == "noted"
    assert [path.read_text() for path in tmp_path.rglob("colour")] == ["blue"]
    assert not google.refused


@MODELS
def test_result_with_a_picture(claude: anthropic.Anthropic, accepting: Google, model: str) -> None:
    messages = user(TWO_CALLS.partition("\n")[2])
    asked = claude.messages.create(model=model, max_tokens=500, messages=messages, tools=[WEATHER])
    (result,) = results(asked)
    result["content"] = [{"type": "text", "text": "a map"}, picture()]
    messages += [{"role": "assistant", "content": asked.content}, *user([result])]
    claude.messages.create(model=model, max_tokens=500, messages=messages, tools=[WEATHER])
    assert PIXEL in str(accepting.generated[-1]["contents"][-1])


@MODELS
def test_image_in(claude: anthropic.Anthropic, accepting: Google, model: str) -> None:
    claude.messages.create(
        model=model, max_tokens=100, messages=user([{"type": "text", "text": "!say a dot"}, picture()])
    )
    parts = accepting.generated[-1]["contents"][-1]["parts"]
    assert [part["inlineData"] for part in parts if "inlineData" in part] == [{"mimeType": "image/png", "data": PIXEL}]


@MODELS
def test_cache_marks_and_metadata_are_taken_and_not_passed_on(
    claude: anthropic.Anthropic, accepting: Google, model: str
) -> None:
    mark: Any = {"type": "ephemeral"}
    tool: Any = {**WEATHER, "cache_control": mark}
    claude.messages.create(
        model=model,
        max_tokens=100,
        system=[{"type": "text", "text": "Be brief.", "cache_control": mark}],
        tools=[tool],
        messages=user([{"type": "text", "text": "!say hi", "cache_control": mark}]),
        metadata={"user_id": "u-1"},
    )
    assert accepting.generated[-1]["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert "cache" not in str(accepting.generated[-1])


def test_length_is_a_stop_reason(claude: anthropic.Anthropic, accepting: Google) -> None:
    message = claude.messages.create(
        model="gemini-3-flash", max_tokens=100, messages=user("!say too lo\n!finish MAX_TOKENS")
    )
    assert message.stop_reason == "max_tokens"


def test_models_are_those_that_the_upstream_lists(claude: anthropic.Anthropic) -> None:
    names = [model.id for model in claude.models.list(limit=5)]
    assert len(names) == len(set(names)) > 5
    assert {"claude-sonnet-4-6", "gemini-3-flash"} <= set(names)
    assert claude.models.retrieve("claude-sonnet-4-6").max_tokens == 64000


@MODELS
def test_count_tokens(claude: anthropic.Anthropic, accepting: Google, model: str) -> None:
    short, long = (
        claude.messages.count_tokens(model=model, messages=user("word " * times)).input_tokens for times in (10, 1000)
    )
    assert 0 < short < long
    assert len([call for call in accepting.requests if call["method"] == "countTokens"]) == 2


@MODELS
def test_headers_name_the_request_and_the_upstream(claude: anthropic.Anthropic, accepting: Google, model: str) -> None:
    raw = claude.messages.with_raw_response.create(model=model, max_tokens=100, messages=user("!say hi"))
    assert raw.headers["x-gateway-upstream"] == f"google/{model}"
    assert raw.request_id == raw.headers["request-id"] == raw.headers["x-request-id"]
    assert text(raw.parse()) == "hi"


def picture() -> Any:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
