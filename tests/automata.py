"""What a caller hears in an answer, whichever the dialect and whether it streams: checked by the letter, then compared.

The automata of the dialects are those that the codecs' own tests walk; nothing here asks the product.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.gateway.dialects.anthropic import reader as messages
from tests.gateway.dialects.openai_chat.chat import Stream
from tests.gateway.dialects.openai_responses.responses import Stream as ResponseStream

__all__ = [
    "STREAMS",
    "WHOLES",
    "Call",
    "Heard",
    "chat_stream",
    "chat_whole",
    "messages_stream",
    "messages_whole",
    "responses_stream",
    "responses_whole",
]

Json = dict[str, Any]

IMAGE = re.compile(r"!\[image\]\((data:image/[a-z]+;base64,[^)]*)\)")


@dataclass(frozen=True)
class Call:
    """A tool call, its arguments parsed."""

    id: str
    name: str
    arguments: Any


@dataclass(frozen=True)
class Heard:
    """One answer. `usage` is in the dialect's own words; `error` stands in the place of `finish`.

    `finish` of Responses is the reason why it is incomplete, or its status.
    """

    text: str = ""
    thoughts: str = ""
    calls: tuple[Call, ...] = ()
    images: tuple[str, ...] = ()
    finish: str | None = None
    usage: Json = field(default_factory=dict)
    error: Json | None = None


def chat_stream(data: bytes) -> Heard:
    """Walk a stream of Chat chunks; AssertionError where it leaves its grammar."""
    stream = Stream(data)
    assert stream.done == (stream.error is None)
    return _chat(stream.message(), stream.finish, stream.usage or {}, stream.error)


def chat_whole(body: bytes) -> Heard:
    """Read a `chat.completion`, or an error."""
    answer = json.loads(body)
    if "error" in answer:
        return Heard(error=answer["error"])
    (choice,) = answer["choices"]
    return _chat(choice["message"], choice["finish_reason"], answer["usage"])


def messages_stream(data: bytes) -> Heard:
    """Walk a stream of Messages events; AssertionError where it leaves its grammar."""
    events = messages.parse(data)
    messages.check(events)
    last = events[-1]
    if last["type"] == "error":
        return _message(_unfinished(events), None, {}, last["error"])
    delta = events[-2]
    usage = events[0]["message"]["usage"] | delta["usage"]  # the later word holds, as with the SDK
    return _message(messages.content(events), delta["delta"]["stop_reason"], usage)


def messages_whole(body: bytes) -> Heard:
    """Read a message, or an error."""
    answer = json.loads(body)
    if answer["type"] == "error":
        return Heard(error=answer["error"])
    return _message(answer["content"], answer["stop_reason"], answer["usage"])


def responses_stream(data: bytes) -> Heard:
    """Walk a stream of Responses events; AssertionError where it leaves its grammar."""
    return _response(ResponseStream(data).response)


def responses_whole(body: bytes) -> Heard:
    """Read a Response object, or an error."""
    answer = json.loads(body)
    return _response(answer) if answer.get("object") == "response" else Heard(error=answer["error"])


def _chat(message: Json, finish: str | None, usage: Json, error: Json | None = None) -> Heard:
    text, images = _images(message.get("content") or "")
    calls = (
        Call(call["id"], call["function"]["name"], _arguments(call["function"]["arguments"], error))
        for call in message.get("tool_calls", ())
    )
    thoughts = message.get("reasoning_content", "")
    return Heard(text, thoughts, tuple(calls), images, finish, usage, error)


def _message(blocks: Iterable[Json], stop: str | None, usage: Json, error: Json | None = None) -> Heard:
    blocks = list(blocks)
    text, images = _images("".join(_words(blocks, "text")))
    calls = tuple(Call(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use")
    return Heard(text, "".join(_words(blocks, "thinking")), calls, images, stop, usage, error)


def _response(response: Json) -> Heard:
    output, error = response["output"], response["error"]
    assert (error is None) == (response["status"] != "failed")
    said = [part for item in output if item["type"] == "message" for part in item["content"]]
    thoughts = [part for item in output if item["type"] == "reasoning" for part in item["summary"]]
    calls = tuple(
        Call(item["call_id"], item["name"], _arguments(item["arguments"], error))
        for item in output
        if item["type"] == "function_call" and item["status"] == "completed"  # one that broke off is none
    )
    images = tuple(
        f"data:image/{item['output_format']};base64,{item['result']}"
        for item in output
        if item["type"] == "image_generation_call"
    )
    finish = None if error else (response["incomplete_details"] or {}).get("reason") or response["status"]
    text, thought = ("".join(part.get("text", "") for part in parts) for parts in (said, thoughts))
    return Heard(text, thought, calls, images, finish, response["usage"] or {}, error)


def _unfinished(events: list[Json]) -> list[Json]:
    """Put blocks together of which the last may have broken off: a call that did is none."""
    stopped = sum(event["type"] == "content_block_stop" for event in events)
    kept = [event for event in events if event.get("index", 0) < stopped or not _argues(event)]
    blocks = messages.content(kept)
    return [block for at, block in enumerate(blocks) if at < stopped or block["type"] != "tool_use"]


def _argues(event: Json) -> bool:
    return bool(event.get("delta", {}).get("type") == "input_json_delta")


def _words(blocks: Iterable[Json], kind: str) -> list[str]:
    return [block[kind] for block in blocks if block["type"] == kind]


def _images(content: str) -> tuple[str, tuple[str, ...]]:
    return IMAGE.sub("", content), tuple(IMAGE.findall(content))


def _arguments(text: str, error: Json | None) -> Any:
    """Parse a call's arguments; those of an answer that broke off may have broken off, too."""
    try:
        return json.loads(text)
    except ValueError:
        assert error is not None, f"arguments that are no JSON: {text!r}"
        return text


STREAMS: dict[str, Callable[[bytes], Heard]] = {
    "openai-chat": chat_stream,
    "openai-responses": responses_stream,
    "anthropic": messages_stream,
}
WHOLES: dict[str, Callable[[bytes], Heard]] = {
    "openai-chat": chat_whole,
    "openai-responses": responses_whole,
    "anthropic": messages_whole,
}
