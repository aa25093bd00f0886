"""What Claude signed and sealed goes through a caller's hands and comes back to it as it was."""

import json
from typing import Any

import pytest
from msgspec.json import decode, encode

from gateway import ir
from gateway.dialects import Answering, Dialect
from gateway.dialects.anthropic import Anthropic
from gateway.dialects.anthropic.outbound_request import AnthropicTarget, write_request
from gateway.dialects.anthropic.outbound_stream import ReadOptions, StreamReader
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.signatures import Replay
from gateway.dialects.openai_chat import OpenAIChat

Json = dict[str, Any]

THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "EuYBCkQYBSJA"}
SEALED = {"type": "redacted_thinking", "data": "EmwKAhgB"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
TARGET = AnthropicTarget(model="claude-opus-4-8", adaptive=True)
ASKS: Json = {"model": "m", "max_tokens": 9000, "messages": [{"role": "user", "content": "go"}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}]}


def answered(codec: Dialect, asked: Json, *content: Json) -> Json:
    """Give what a caller of this dialect hears when Claude says this."""
    message = {"id": "msg_1", "content": content, "stop_reason": "tool_use", "usage": {"input_tokens": 1}}
    fold = ir.Fold()
    fold.feed(StreamReader(ReadOptions(names=NameMap([]))).feed_whole(encode(message)))
    request = codec.read_request(encode(asked))
    answering = Answering(request=request, model="m", id="1", created=1, request_id="r", estimate=lambda: 1)
    found: Json = json.loads(codec.write_whole(fold.reply(), answering))
    return found


def again(codec: Dialect, asked: Json) -> Any:
    """Give what Claude hears again of its turn."""
    written = write_request(codec.read_request(encode(asked)), TARGET)
    return decode(encode(written.body["messages"]))[1]["content"]


@pytest.mark.parametrize("thought", [THOUGHT, SEALED])
def test_an_anthropic_caller_brings_thoughts_back(thought: Json) -> None:
    asked = ASKS | {"thinking": {"type": "adaptive"}}
    said = answered(Anthropic(), asked, thought, CALL)
    turns = [*ASKS["messages"], {"role": "assistant", "content": said["content"]}, RESULT]
    assert again(Anthropic(), asked | {"messages": turns}) == [thought, CALL]


def test_a_chat_caller_brings_thoughts_back() -> None:
    asked = ASKS | {"reasoning_effort": "high"}
    said = answered(OpenAIChat(), asked, THOUGHT, CALL)["choices"][0]["message"]
    turns = [*ASKS["messages"], said, {"role": "tool", "tool_call_id": "toolu_1", "content": "ok"}]
    assert again(OpenAIChat(), asked | {"messages": turns}) == [THOUGHT, CALL]


def test_nobody_else_takes_sealed_thoughts_for_a_signature() -> None:
    said = answered(Anthropic(), ASKS | {"thinking": {"type": "adaptive"}}, SEALED, CALL)
    turns = [*ASKS["messages"], {"role": "assistant", "content": said["content"]}, RESULT]
    read = Anthropic().read_request(encode(ASKS | {"messages": turns}))
    replay = Replay(family="claude", latest=False, thoughts=True)
    kept = replay.parts(read.turns[1].parts)
    assert [type(part) for part in kept] == [ir.ToolCall]
