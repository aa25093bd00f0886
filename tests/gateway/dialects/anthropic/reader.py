"""Read what the writers wrote: as events, as an automaton would, and with the official SDK."""

from collections.abc import Sequence
from typing import Any

import httpx2
from anthropic import Anthropic as Client
from anthropic.types import Message

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.anthropic import Anthropic
from gateway.testing.grammar_messages import blocks_of as content
from gateway.testing.grammar_messages import check_messages, messages_events
from gateway.testing.grammar_sse import letter

__all__ = ["accumulate", "answering", "check", "client", "content", "fold", "parse", "write"]

ID = "0123456789abcdef01234567"


def answering(
    reasoning: ir.Reasoning = ir.Reasoning(visible=True),  # noqa: B008 (frozen)
    tools: tuple[ir.Tool, ...] = (),
    *,
    sealed: bool = True,
    estimate: int = 7,
) -> Answering:
    request = ir.Request(model="m", turns=(), reasoning=reasoning, tools=tools)
    return Answering(
        request=request,
        model="claude-x",
        id=ID,
        created=0,
        request_id="req_1",
        estimate=lambda: estimate,
        sealed=sealed,
    )


def write(events: Sequence[ir.Event], to: Answering | None = None) -> bytes:
    writer = Anthropic().stream_writer(to or answering())
    return b"".join(writer.feed([event]) for event in events) + writer.close()


def fold(events: Sequence[ir.Event]) -> ir.Reply:
    folded = ir.Fold()
    folded.feed(events)
    return folded.reply()


def parse(data: bytes) -> list[dict[str, Any]]:
    """Split into events by the letter; each has an `event:` line equal to its type and one data line."""
    letter(data)
    return messages_events(data)


def check(events: Sequence[dict[str, Any]]) -> None:
    """Raise AssertionError unless `events` is one complete Messages stream; a ping may stand anywhere in it."""
    check_messages(events)
    names = [event["type"] for event in events if event["type"] != "ping"]
    if names[-1] != "error":
        assert names.count("message_delta") == 1
        assert events[-1] == {"type": "message_stop"}
        assert "content_block_stop" in names


def client(status: int, body: bytes, content_type: str = "application/json") -> Client:
    """Make an official client whose server always gives this answer."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, content=body, headers={"content-type": content_type, "request-id": "req_1"})

    return Client(
        api_key="k",
        base_url="http://localhost",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
    )


def accumulate(data: bytes) -> Message:
    """Let the official SDK read a stream to its end."""
    sdk = client(200, data, "text/event-stream")
    with sdk.messages.stream(model="m", max_tokens=1, messages=[]) as stream:
        return stream.get_final_message()
