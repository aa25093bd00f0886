"""Read what the writers wrote: as events, as an automaton would, and with the official SDK."""

import json
from collections.abc import Sequence
from typing import Any

import httpx2
from anthropic import Anthropic as Client
from anthropic.types import Message

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.anthropic import Anthropic

__all__ = ["accumulate", "answering", "check", "client", "content", "fold", "parse", "write"]

ID = "0123456789abcdef01234567"
DELTAS = {"text": "text_delta", "thinking": "thinking_delta", "tool_use": "input_json_delta"}
EMPTY: dict[str, dict[str, object]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}


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
    assert data.endswith(b"\n\n")
    found: list[dict[str, Any]] = []
    for block in data.decode().removesuffix("\n\n").split("\n\n"):
        lines = block.splitlines()  # the Unicode way: U+2028 and its like must not stand raw
        assert len(lines) == 2
        event = json.loads(lines[1].removeprefix("data: "))
        assert lines[0] == f"event: {event['type']}"
        found.append(event)
    return found


def check(events: Sequence[dict[str, Any]]) -> None:
    """Raise AssertionError unless `events` is one complete Messages stream; a ping may stand anywhere in it."""
    *body, last = [event for event in events if event["type"] != "ping"]
    if last["type"] == "error":
        assert last["error"]["type"]
        assert last["error"]["message"]
    else:
        assert last == {"type": "message_stop"}
        assert body.pop()["type"] == "message_delta"
    _check_body(body, complete=last["type"] != "error")


def _check_body(body: Sequence[dict[str, Any]], *, complete: bool) -> None:
    if not body:
        assert not complete
        return
    assert body[0]["type"] == "message_start"
    assert body[0]["message"]["usage"]["input_tokens"] >= 0
    index, kind, seen, signed = -1, "", "", False
    for event in body[1:]:
        if event["type"] == "content_block_start":
            assert not kind
            index, kind, seen, signed = index + 1, event["content_block"]["type"], "", False
            assert event["content_block"].items() >= EMPTY.get(kind, {}).items()
        elif event["type"] == "content_block_delta":
            assert kind
            seen, signed = _check_delta(event["delta"], kind, seen, signed=signed)
        else:
            assert event["type"] == "content_block_stop"
            assert kind
            if kind == "tool_use":
                json.loads(seen)
            kind = ""
        assert event["index"] == index
    assert not complete or (not kind and index >= 0)


def _check_delta(delta: dict[str, Any], kind: str, seen: str, *, signed: bool) -> tuple[str, bool]:
    if delta["type"] == "signature_delta":
        assert kind == "thinking"
        assert not signed
        return seen, True
    if delta["type"] == "citations_delta":
        assert kind == "text"
        return seen, signed
    assert delta["type"] == DELTAS[kind]
    assert not signed
    (words,) = (delta[key] for key in ("text", "thinking", "partial_json") if key in delta)
    return seen + words, signed


def content(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the blocks of a stream together."""
    blocks: list[dict[str, Any]] = []
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            _add(blocks[event["index"]], event["delta"])
    for block in blocks:
        block["input"] = json.loads(block.pop("json", "{}"))
        if block["type"] not in ("tool_use", "server_tool_use"):
            del block["input"]
    return blocks


def _add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta:
        case {"text": words}:
            block["text"] += words
        case {"thinking": words}:
            block["thinking"] += words
        case {"signature": words}:
            block["signature"] = words
        case {"partial_json": words}:
            block["json"] = block.get("json", "") + words
        case {"citation": source}:
            block.setdefault("citations", []).append(source)
        case _:
            raise AssertionError(delta)


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
