"""Anthropic Messages as its callers read it.

    message_start {content_block_start content_block_delta* content_block_stop}* message_delta message_stop

A ping may stand anywhere, an error takes the place of the rest. Blocks are numbered in their order; a thinking block
is signed last, and the arguments of a call are JSON once they are complete.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

from gateway.testing.grammar import Broken, Call, Counts, Heard, Json, counts_of, inner, read_object, rule, walks
from gateway.testing.grammar_sse import frames

__all__ = [
    "blocks_of",
    "check_messages",
    "messages_counts",
    "messages_error",
    "messages_events",
    "messages_stream",
    "messages_whole",
]

_IMAGE: Final = re.compile(r"!\[image\]\((data:image/[a-z]+;base64,[^)]*)\)")
_DELTAS: Final = {
    "text": "text_delta",
    "thinking": "thinking_delta",
    "tool_use": "input_json_delta",
    "server_tool_use": "input_json_delta",
}
_STOPS: Final = frozenset(
    {"end_turn", "stop_sequence", "tool_use", "max_tokens", "model_context_window_exceeded"}
    | {"pause_turn", "compaction", "refusal"}
)
_EMPTY: Final[dict[str, Json]] = {"text": {"text": ""}, "thinking": {"thinking": ""}, "tool_use": {"input": {}}}
_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


@walks
def messages_events(data: bytes) -> list[Json]:
    """Read the events; each is named by its type."""
    found: list[Json] = []
    for frame in frames(data):
        event = read_object(frame.text, "an event")
        rule(frame.event == event["type"], f"the event {frame.event!r} has the type {event['type']!r}")
        found.append(event)
    return found


@walks
def check_messages(events: Sequence[Json]) -> None:
    """Raise Broken unless `events` is one complete Messages stream."""
    told = [event for event in events if event["type"] != "ping"]
    rule(told, "the stream is empty")
    *body, last = told
    complete = last["type"] != "error"
    if complete:
        rule(last["type"] == "message_stop", f"the last event is {last['type']}, not message_stop")
        rule(body and body[-1]["type"] == "message_delta", "no message_delta before message_stop")
        rule(body[-1]["delta"]["stop_reason"], "message_delta has no stop_reason")
        while body[-1]["type"] == "message_delta":
            usage = body.pop().get("usage")  # the SDK reads it of each
            rule(usage and type(usage.get("output_tokens")) is int, f"message_delta has the usage {usage}")
    else:
        _check_error(last)
    _check_body(body, complete=complete)


def _check_body(body: Sequence[Json], *, complete: bool) -> None:
    if not body:
        rule(not complete, "no message_start")
        return
    _check_start(body[0])
    walk = _Blocks()
    for event in body[1:]:
        walk.take(event)
    rule(not complete or not walk.kind, f"the block {walk.index} is not stopped at the end")


def _check_start(event: Json) -> None:
    rule(event["type"] == "message_start", f"the first event is {event['type']}")
    message = event["message"]
    rule(message["id"] and message["role"] == "assistant", f"a message of {message}")
    rule(message["type"] == "message" and message["model"], f"a {message['type']} of the model {message['model']!r}")
    rule(message["content"] == [] and message["stop_reason"] is None, "message_start has content already")
    rule(message["usage"]["input_tokens"] >= 0, f"usage: {message['usage']}")


class _Blocks:
    """The blocks of a stream; `kind`: of the one that is open, "" = none."""

    def __init__(self) -> None:
        self.index = -1
        self.kind = ""
        self._seen = ""
        self._signed = False

    def take(self, event: Json) -> None:
        name = event["type"]
        if name == "content_block_start":
            rule(not self.kind, f"a block begins while block {self.index}, {self.kind}, is open")
            block = event["content_block"]
            self.index, self.kind, self._seen, self._signed = self.index + 1, block["type"], "", False
            empty = _EMPTY.get(self.kind, {})
            rule(block.items() >= empty.items(), f"a {self.kind} block begins as {block}, not with {empty}")
        elif name == "content_block_delta":
            rule(self.kind, "a delta, but no block is open")
            self._take(event["delta"])
        else:
            rule(name == "content_block_stop", f"{name} within the blocks")
            rule(self.kind, "a block is stopped that is not open")
            if self.kind in ("tool_use", "server_tool_use") and self._seen:
                read_object(self._seen, f"the input of block {self.index}")
            self.kind = ""
        rule(event["index"] == self.index, f"{name} has the index {event['index']}, not {self.index}")

    def _take(self, delta: Json) -> None:
        if delta["type"] == "signature_delta":
            rule(self.kind == "thinking", f"a signature in a block of {self.kind}")
            rule(not self._signed, "a block is signed twice")
            self._signed = True
        elif delta["type"] == "citations_delta":
            rule(self.kind == "text", f"a citation in a block of {self.kind}")
        else:
            rule(delta["type"] == _DELTAS[self.kind], f"{delta['type']} in a block of {self.kind}")
            rule(not self._signed, "a block continues after its signature")
            (words,) = (delta[key] for key in ("text", "thinking", "partial_json") if key in delta)
            self._seen += words


@walks
def blocks_of(events: Sequence[Json]) -> list[Json]:
    """Put the blocks of a stream together."""
    blocks: list[Json] = []
    for event in events:
        if event["type"] == "content_block_start":
            block: Json = event["content_block"]
            blocks.append(dict(block))
        elif event["type"] == "content_block_delta":
            place: int = event["index"]
            _add(blocks[place], event["delta"])
    for block in blocks:
        block["input"] = json.loads(block.pop("json", "") or "{}")
        if block["type"] not in ("tool_use", "server_tool_use"):
            del block["input"]
    return blocks


def _add(block: Json, delta: Json) -> None:
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
            raise Broken(f"an unknown delta: {delta}")


@walks
def messages_stream(data: bytes) -> Heard:
    """Walk a stream of Messages events; Broken where it leaves its grammar."""
    events = [event for event in messages_events(data) if event["type"] != "ping"]
    check_messages(events)
    last = events[-1]
    if last["type"] == "error":
        return _heard(_unfinished(events), None, {}, last["error"])
    usage: Json = dict(events[0]["message"]["usage"])
    for event in events:
        usage |= event.get("usage") or {}  # the later word holds, as with the SDK
    return _heard(blocks_of(events), events[-2]["delta"]["stop_reason"], usage)


@walks
def messages_whole(body: bytes) -> Heard:
    """Read a message, or an error."""
    answer = read_object(body, "the answer")
    if answer["type"] == "error":
        _check_error(answer)
        return Heard(error=answer["error"])
    rule(answer["type"] == "message" and answer["role"] == "assistant", f"a {answer['type']} of {answer['role']}")
    rule(answer["id"] and answer["model"], "id or model is empty")
    rule(answer["stop_reason"], "stop_reason is empty")
    return _heard(answer["content"], answer["stop_reason"], answer["usage"])


@walks
def messages_error(status: int, body: bytes) -> Json:
    """Read an error; its type is the one of its status."""
    answer = read_object(body, "the error")
    _check_error(answer)
    error: Json = answer["error"]
    expected = _TYPES.get(status)
    rule(expected in (None, error["type"]), f"{error['type']} with the status {status}, not {expected}")
    return error


@walks
def messages_counts(usage: Json) -> Counts:
    """Check the counts of an answer."""
    kept = {name: usage.get(name) or 0 for name in ("cache_read_input_tokens", "cache_creation_input_tokens")}
    given = {"input_tokens": usage["input_tokens"]}  # without what was kept
    return counts_of(given | kept, kept, {"output_tokens": usage["output_tokens"]}, {})


def _check_error(answer: Json) -> None:
    rule(answer["type"] == "error", f"the type of the error is {answer['type']!r}")
    error = answer["error"]
    rule(error["type"] and error["message"], f"an error without type or message: {error}")


def _heard(blocks: Iterable[Json], stop: str | None, usage: Json, error: Json | None = None) -> Heard:
    blocks = list(blocks)
    text = "".join(_words(blocks, "text"))
    calls = tuple(Call(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use")
    rule(error is not None or stop in _STOPS, f"stop_reason is {stop!r}")
    rule(stop != "tool_use" or calls, "stop_reason is tool_use, but there is no call")
    rule(stop != "end_turn" or not calls, "stop_reason is end_turn, but there is a call, which no client would make")
    sealed = tuple(block["signature"] for block in blocks if block.get("signature"))
    thoughts = "".join(_words(blocks, "thinking"))
    images = tuple(_IMAGE.findall(text))
    return Heard(_IMAGE.sub("", text), thoughts, calls, images, stop, usage, error, sealed)


def _unfinished(events: list[Json]) -> list[Json]:
    """Put blocks together of which the last may have broken off: a call that did is none."""
    stopped = sum(event["type"] == "content_block_stop" for event in events)
    kept = [event for event in events if event.get("index", 0) < stopped or not _argues(event)]
    blocks = blocks_of(kept)
    return [block for at, block in enumerate(blocks) if at < stopped or block["type"] != "tool_use"]


def _argues(event: Json) -> bool:
    return bool(inner(event, "delta").get("type") == "input_json_delta")


def _words(blocks: Iterable[Json], kind: str) -> list[str]:
    return [block[kind] for block in blocks if block["type"] == kind]
