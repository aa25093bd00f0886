"""A Chat stream as its rules want it, read back from bytes."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.openai_chat import OpenAIChat

Json = dict[str, Any]
USER = ir.Turn(role="user", parts=(ir.Text(text="hi"),))


def answering(images: str = "markdown", sealed: bool = True, **request: Any) -> Answering:
    """Make what a writer is told; keywords are fields of the request."""
    return Answering(
        request=ir.Request(model="m", turns=(USER,), **request),
        model="asked",
        id="0f" * 12,
        created=1_700_000_001,
        request_id="r",
        estimate=lambda: 5,
        sealed=sealed,
        images=images,
    )


def block(kind: ir.BlockKind, *deltas: ir.Event, name: str = "", ident: str = "") -> list[ir.Event]:
    return [ir.BlockStarted(kind=kind, id=ident, name=name), *deltas, ir.BlockEnded()]


def text(*words: str) -> list[ir.Event]:
    return block("text", *map(ir.TextDelta, words))


def thinking(*words: str) -> list[ir.Event]:
    return block("thinking", *map(ir.ThinkingDelta, words))


def call(name: str, *arguments: str, ident: str = "call_a") -> list[ir.Event]:
    return block("tool_call", *map(ir.ArgumentsDelta, arguments), name=name, ident=ident)


def answer(*blocks: list[ir.Event], reason: ir.FinishReason = "stop", **finish: Any) -> list[ir.Event]:
    """Make a complete stream of blocks."""
    inner = [event for block in blocks for event in block]
    return [ir.Started(), *inner, ir.Finished(reason=reason, **finish)]


def payloads(data: bytes) -> list[str]:
    """Give the data of each event; there is nothing but `data: ` lines and blank ones."""
    events = data.decode().split("\n\n")
    assert events.pop() == ""
    assert all(event.startswith("data: ") and len(event.splitlines()) == 1 for event in events)
    return [event.removeprefix("data: ") for event in events]


class Stream:
    """A stream that keeps the rules; making one checks them."""

    def __init__(self, data: bytes) -> None:
        *before, last = payloads(data)
        self.done = last == "[DONE]"
        self.chunks: list[Json] = [json.loads(payload) for payload in before]
        self.error: Json | None = None if self.done else json.loads(last)["error"]
        self.usage: Json | None = None
        if self.chunks and not self.chunks[-1]["choices"]:
            self.usage = self.chunks.pop()["usage"]
            assert self.usage is not None
        self._check()

    def _check(self) -> None:
        frames = {(c["id"], c["object"], c["created"], c["model"]) for c in self.chunks}
        assert len(frames) <= 1, frames
        choices = [choice for chunk in self.chunks for choice in chunk["choices"]]
        assert len(choices) == len(self.chunks)
        assert {choice["index"] for choice in choices} <= {0}
        assert [place for place, choice in enumerate(choices) if "role" in choice["delta"]] == [0][: len(choices)]
        reasons = [choice["finish_reason"] for choice in choices]
        assert [reason for reason in reasons if reason] == ([reasons[-1]] if self.done else [])
        assert {chunk.get("usage", "absent") for chunk in self.chunks} <= {None if self.usage else "absent", None}

    @property
    def deltas(self) -> list[Json]:
        return [chunk["choices"][0]["delta"] for chunk in self.chunks]

    @property
    def finish(self) -> str | None:
        return self.chunks[-1]["choices"][0]["finish_reason"] if self.chunks else None

    def message(self) -> Json:
        """Join the deltas by hand."""
        message: Json = {}
        for delta in self.deltas:
            for key, value in delta.items():
                _JOIN.get(key, _once)(message, key, value)
        calls = message.get("tool_calls", {})
        if calls:
            assert list(calls) == list(range(len(calls)))
            message["tool_calls"] = list(calls.values())
        return message


def _once(message: Json, key: str, value: Any) -> None:
    assert key not in message, f"{key} comes twice"
    message[key] = value


def _words(message: Json, key: str, value: str | None) -> None:
    message[key] = value if message.get(key) is None else message[key] + (value or "")


def _list(message: Json, key: str, value: list[Json]) -> None:
    message.setdefault(key, []).extend(value)


def _calls(message: Json, key: str, value: list[Json]) -> None:
    calls: dict[int, Json] = message.setdefault(key, {})
    for delta in value:
        index = delta.pop("index")
        if index not in calls:
            calls[index] = delta
            continue
        known = calls[index]
        assert not {"id", "type", "custom"} & set(delta)
        function = delta.pop("function")
        assert set(function) == {"arguments"}
        known["function"]["arguments"] += function["arguments"]
        for field, content in delta.items():
            _once(known, field, content)


def _function(message: Json, key: str, value: Json) -> None:
    if key in message:
        message[key]["arguments"] += value["arguments"]
    else:
        message[key] = value


_JOIN: dict[str, Callable[[Json, str, Any], None]] = {
    "content": _words,
    "reasoning_content": _words,
    "tool_calls": _calls,
    "function_call": _function,
    "annotations": _list,
    "images": _list,
}


def write(events: Iterable[ir.Event], to: Answering | None = None) -> Stream:
    """Write events as one read, end the stream and read it back."""
    writer = OpenAIChat().stream_writer(to or answering())
    return Stream(writer.feed(list(events)) + writer.close())


def whole(events: Iterable[ir.Event], to: Answering | None = None) -> Json:
    """Write the same events as a whole answer and read it back."""
    fold = ir.Fold()
    fold.feed(events)
    body: Json = json.loads(OpenAIChat().write_whole(fold.reply(), to or answering()))
    return body
