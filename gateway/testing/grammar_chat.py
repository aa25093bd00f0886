"""OpenAI Chat Completions as its callers read it.

    {role} {content | tool_calls}* {finish_reason} [usage, no choices] `[DONE]`

An error takes the place of the rest, and of `[DONE]`. Every chunk has the same id, creation time and model.
"""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

from gateway.testing.grammar import Call, Counts, Heard, Json, arguments, counts_of, inner, read_object, rule, walks
from gateway.testing.grammar_sse import frames

__all__ = ["ChatStream", "chat_counts", "chat_error", "chat_stream", "chat_whole", "openai_counts"]

_IMAGE: Final = re.compile(r"!\[image\]\((data:image/[a-z]+;base64,[^)]*)\)")
_REASONS: Final = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})


class ChatStream:
    """A stream that keeps the rules; making one checks them."""

    @walks
    def __init__(self, data: bytes) -> None:
        events = [frame.text for frame in frames(data)]
        rule(events, "the stream is empty")
        *before, last = events
        rule("[DONE]" not in before, "something follows [DONE]")
        self.done = last == "[DONE]"
        self.chunks: list[Json] = [read_object(event, "an event") for event in before]
        wrong = [chunk for chunk in self.chunks if "error" in chunk]
        rule(not wrong, f"the stream continues after an error: {wrong}")
        end = {"error": None} if self.done else read_object(last, "the last event")
        rule("error" in end, f"the stream ends without [DONE]: {last[:200]}")
        self.error: Json | None = None if self.done else chat_error(500, last.encode())
        self.usage: Json | None = None
        if self.chunks and not self.chunks[-1]["choices"]:
            self.usage = self.chunks.pop()["usage"]
            rule(self.usage is not None, "the last chunk has neither choices nor usage")
        self._check()

    def _check(self) -> None:
        kinds = {chunk["object"] for chunk in self.chunks}
        rule(kinds <= {"chat.completion.chunk"}, f"object is {kinds}")
        for name in ("id", "created", "model"):
            rule(len({chunk[name] for chunk in self.chunks}) <= 1, f"{name} changes within the stream")
        choices = [choice for chunk in self.chunks for choice in chunk["choices"]]
        rule(len(choices) == len(self.chunks), "a chunk before the end has no choice, or several")
        rule({choice["index"] for choice in choices} <= {0}, "the index of a choice is not 0")
        roles = [place for place, choice in enumerate(choices) if choice["delta"].get("role") is not None]
        rule(roles == [0][: len(choices)], f"the role is in the deltas {roles}, not only in the first")
        rule(all("finish_reason" in choice for choice in choices), "a choice without finish_reason, which may be null")
        reasons = [choice["finish_reason"] for choice in choices]
        ends = [place for place, reason in enumerate(reasons) if reason]
        late = self.done and len(ends) == 1 and ends[0] < len(reasons) - 1
        rule(not late, f"a chunk with a choice follows finish_reason: {self.chunks[-1:]}")
        rule(
            ends == ([len(reasons) - 1] if self.done else []),
            f"finish_reason is in the chunks {ends} of {len(reasons)}",
        )
        rule({reason for reason in reasons if reason} <= _REASONS, f"finish_reason is {reasons[-1:]}")
        usage = [chunk["usage"] for chunk in self.chunks if chunk.get("usage") is not None]
        rule(not usage, f"usage is in a chunk with choices: {usage[-1:]}")

    @property
    def deltas(self) -> list[Json]:
        """Give them in order."""
        return [chunk["choices"][0]["delta"] for chunk in self.chunks]

    @property
    def finish(self) -> str | None:
        """Give the reason why it ended."""
        return self.chunks[-1]["choices"][0].get("finish_reason") if self.chunks else None

    @walks
    def message(self) -> Json:
        """Join the deltas."""
        message: Json = {}
        for delta in deepcopy(self.deltas):
            for key, value in delta.items():
                if value is not None or key == "content":
                    _JOIN.get(key, _once)(message, key, value)
        calls = message.get("tool_calls", {})
        if calls:
            rule(list(calls) == list(range(len(calls))), f"the indices of the calls are {list(calls)}")
            message["tool_calls"] = list(calls.values())
        return message


@walks
def chat_stream(data: bytes) -> Heard:
    """Walk a stream of Chat chunks; Broken where it leaves its grammar."""
    stream = ChatStream(data)
    return _heard(stream.message(), stream.finish, stream.usage or {}, stream.error)


@walks
def chat_whole(body: bytes) -> Heard:
    """Read a `chat.completion`, or an error."""
    answer = read_object(body, "the answer")
    if "error" in answer:
        return Heard(error=chat_error(500, body))
    rule(answer["object"] == "chat.completion", f"object is {answer['object']!r}")
    for name, kind in (("id", str), ("created", int), ("model", str)):
        rule(isinstance(answer[name], kind), f"{name} is {answer[name]!r}")
    rule(len(answer["choices"]) == 1, f"{len(answer['choices'])} choices")
    (choice,) = answer["choices"]
    rule(choice["index"] == 0, f"the index of the choice is {choice['index']!r}")
    rule(choice["message"]["role"] == "assistant", f"the role is {choice['message']['role']!r}")
    rule(choice["finish_reason"] in _REASONS, f"finish_reason is {choice['finish_reason']!r}")
    return _heard(choice["message"], choice["finish_reason"], answer["usage"])


@walks
def chat_error(status: int, body: bytes) -> Json:
    """Read an error of OpenAI's APIs."""
    rule(status >= 400, f"an error with the status {status}")
    error = inner(read_object(body, "the error"), "error")
    rule(error, "there is no error in it")
    rule(isinstance(error["message"], str) and error["message"], "error.message is empty")
    rule(isinstance(error["type"], str) and error["type"], f"error.type is {error['type']!r}")
    rule(error.get("param") is None or isinstance(error["param"], str), f"error.param is {error.get('param')!r}")
    return error


@walks
def chat_counts(usage: Json) -> Counts:
    """Check the counts of an answer."""
    return openai_counts(usage, "prompt_tokens", "completion_tokens")


def openai_counts(usage: Json, given: str, said: str) -> Counts:
    """Check the counts of an OpenAI answer, by the names that its dialect has for what went in and what came out."""
    asked, answered, total = usage[given], usage[said], usage["total_tokens"]
    kept = inner(usage, f"{given}_details").get("cached_tokens") or 0
    thought = inner(usage, f"{said}_details").get("reasoning_tokens") or 0
    found = counts_of({given: asked}, {"cached_tokens": kept}, {said: answered}, {"reasoning_tokens": thought})
    rule(total == asked + answered, f"usage: total_tokens is {total}, not {asked} + {answered}")
    return found


def _heard(message: Json, finish: str | None, usage: Json, error: Json | None = None) -> Heard:
    said = message.get("content") or ""
    calls = tuple(_call(call, error) for call in message.get("tool_calls") or ())
    rule(finish != "tool_calls" or calls, "finish_reason is tool_calls, but there is no call")
    thoughts = message.get("reasoning_content") or message.get("reasoning") or ""
    return Heard(_IMAGE.sub("", said), thoughts, calls, tuple(_IMAGE.findall(said)), finish, usage, error)


def _call(call: Json, error: Json | None) -> Call:
    rule(call["id"] and call["type"] in ("function", "custom"), f"a call without id or type: {call}")
    if call["type"] == "custom":
        return Call(call["id"], call["custom"]["name"], call["custom"]["input"])
    function = call["function"]
    rule(function["name"], f"a call without a name: {call}")
    return Call(call["id"], function["name"], arguments(function["arguments"], error))


def _once(message: Json, key: str, value: Any) -> None:
    rule(key not in message, f"{key} comes twice")
    message[key] = value


def _words(message: Json, key: str, value: str | None) -> None:
    message[key] = value if message.get(key) is None else message[key] + (value or "")


def _list(message: Json, key: str, value: list[Json]) -> None:
    message.setdefault(key, []).extend(value)


def _calls(message: Json, key: str, value: list[Json]) -> None:
    calls: dict[int, Json] = message.setdefault(key, {})
    for given in value:
        delta = {name: part for name, part in given.items() if part is not None}  # null and absent are one to the SDKs
        index = delta.pop("index")
        if index not in calls:
            delta.get("function", {}).setdefault("arguments", "")
            calls[index] = delta
        else:
            _go_on(calls[index], delta)


def _go_on(known: Json, delta: Json) -> None:
    rule(delta.pop("type", known["type"]) == known["type"], "the type of a call changes")
    rule(not {"id", "custom"} & set(delta), f"a call is named again: {json.dumps(delta)}")
    function = {name: part for name, part in delta.pop("function").items() if part is not None}
    rule(set(function) == {"arguments"}, f"a call goes on with {json.dumps(function)}")
    known["function"]["arguments"] += function["arguments"]
    for field, content in delta.items():
        _once(known, field, content)


def _function(message: Json, key: str, value: Json) -> None:
    if key in message:
        message[key]["arguments"] += value["arguments"]
    else:
        message[key] = value


def _extras(message: Json, key: str, value: Json) -> None:
    message.setdefault(key, []).append(value)


_JOIN: Final[dict[str, Callable[[Json, str, Any], None]]] = {
    "content": _words,
    "reasoning_content": _words,
    "reasoning": _words,
    "refusal": _words,
    "tool_calls": _calls,
    "function_call": _function,
    "annotations": _list,
    "images": _list,
    "provider_specific_fields": _extras,  # what others add of their own
    "thinking_blocks": _list,
}
