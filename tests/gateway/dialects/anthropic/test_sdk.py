"""What the official client makes of written streams, and what it sends back."""

import json

from gateway import ir
from gateway.dialects.anthropic import Anthropic

from .asking import read_raw
from .reader import accumulate, answering, client, write
from .test_stream import STOP, call, text, thinking

SIGNED = ir.Signature("gemini", "c2ln", "f")
THOUGHT = ir.Signature("claude", "b3Blbg==", "t")


def test_text() -> None:
    usage = ir.UsageReported(ir.Usage(input=3, output=2))
    message = accumulate(write([ir.Started(usage=ir.Usage(input=3)), *text("Hello"), usage, STOP]))
    assert message.to_dict() == {
        "id": "msg_0123456789abcdef01234567",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": 3,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 2,
            "service_tier": "standard",
        },
    }


def test_parallel_calls() -> None:
    message = accumulate(write([ir.Started(), *call('{"a":17,"b":25}'), *call("", number="2"), STOP]))
    assert [block.to_dict() for block in message.content] == [
        {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 17, "b": 25}},
        {"type": "tool_use", "id": "call_2", "name": "f", "input": {}},
    ]
    assert message.stop_reason == "tool_use"


def test_pings_may_stand_anywhere() -> None:
    ping = Anthropic.keepalive
    writer = Anthropic().stream_writer(answering())
    parts = [writer.feed([event]) for event in (ir.Started(), *text("a"), STOP)]
    message = accumulate(ping + ping.join(parts))
    assert [block.to_dict() for block in message.content] == [{"type": "text", "text": "a"}]


def test_signatures_come_home_in_the_next_request() -> None:
    """Claude Code replays the content as it got it; so does the SDK's `to_param`."""
    written = write([ir.Started(), *thinking("hm", THOUGHT), *text("a"), *call("", SIGNED), STOP])
    content = accumulate(written).to_dict()["content"]
    body = json.dumps({"model": "m", "messages": [{"role": "assistant", "content": content}]}).encode()
    thought, words, called = read_raw(body).turns[0].parts
    assert thought == ir.Thinking(text="hm", signature=THOUGHT)
    assert words == ir.Text(text="a")
    assert isinstance(called, ir.ToolCall)
    assert called.signature == SIGNED


def test_the_raw_event_stream_has_no_skipped_event() -> None:
    """The client skips events without a name."""
    data = write([ir.Started(), *text("a"), STOP])
    sdk = client(200, data, "text/event-stream")
    with sdk.messages.create(model="m", max_tokens=1, messages=[], stream=True) as stream:
        assert [event.type for event in stream] == [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
