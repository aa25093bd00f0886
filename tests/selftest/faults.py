"""The planted faults: each one that gateways have had, in an encoder of ours, and the check that must find it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.selftest.mutants import Answer, Edit, errors, objects, streams, wholes

__all__ = ["FAULTS", "Fault"]

Json = dict[str, Any]
CHAT, RESPONSES, MESSAGES, GEMINI = "openai-chat", "openai-responses", "anthropic", "gemini"


@dataclass(frozen=True)
class Fault:
    """One fault. `check`: the first that finds it; `words`: in what is told of it."""

    dialect: str
    name: str
    edit: Edit
    check: str
    words: str


# streams, as lists of events


def _twice(found: list[bytes]) -> list[bytes]:
    return [*found, found[-1]]


def _first_twice(found: list[bytes]) -> list[bytes]:
    return [found[0], *found]


def _cut_tail(found: list[bytes]) -> list[bytes]:
    return [*found[:-1], found[-1].rstrip(b"\r\n") + b"\n"]


def _glued(found: list[bytes]) -> list[bytes]:
    return [found[0].rstrip(b"\r\n") + b"\r\n", *found[1:]]


def _ping_inside(found: list[bytes]) -> list[bytes]:
    name, _, data = found[1].partition(b"\n")
    return [found[0], name + b'\nevent: ping\ndata: {"type": "ping"}\n\n' + data, *found[2:]]


def _error_after(found: list[bytes]) -> list[bytes]:
    return [*found, b'data: {"error": {"message": "late", "type": "server_error"}}\n\n']


def _raw_line(found: list[bytes]) -> list[bytes]:
    """Write a line end that stands in a text as it is."""
    return [event.replace(b"short sentence", b"short\nsentence").replace(b"sentence", b"sen\ntence") for event in found]


def _half_escape(found: list[bytes]) -> list[bytes]:
    return [
        event[: event.index(b"Paris")] + b"\\" + event[event.index(b"Paris") :] if b"Paris" in event else event
        for event in found
    ]


def _late_role(found: list[bytes]) -> list[bytes]:
    return [event.replace(b'"delta":{"content"', b'"delta":{"role":"assistant","content"') for event in found]


# events and answers, as objects


def _set(path: str, value: Any) -> Callable[[Json], Json]:
    """Set what a path leads to, where it leads anywhere; a callable is given what is there."""

    def edit(found: Json) -> Json:
        holder, last = _end(path, found)
        if isinstance(holder, dict) and last in holder and holder[last] is not None:
            holder[last] = value(holder[last]) if callable(value) else value
        return found

    return edit


def _end(path: str, found: Json) -> tuple[Any, str]:
    """Give what holds the last step of a path, None where it leads nowhere, and that step."""
    *way, last = path.split(".")
    holder: Any = found
    for step in way:
        try:
            holder = holder[int(step)] if isinstance(holder, list) else holder[step]
        except (KeyError, IndexError):
            return None, last
    return holder, last


def _drop(path: str) -> Callable[[Json], Json]:
    def edit(found: Json) -> Json:
        holder, last = _end(path, found)
        if isinstance(holder, dict):
            holder.pop(last, None)
        return found

    return edit


class _Count:
    """Gives another number each time."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, was: Any) -> str:
        self.number += 1
        return f"{was}-{self.number}"


def _is(kind: str) -> Callable[[Json], bool]:
    return lambda event: event.get("type") == kind


def _where(holds: Callable[[Json], bool], edit: Callable[[Json], Json | None]) -> Callable[[Json], Json | None]:
    return lambda event: edit(event) if holds(event) else event


def _without(kind: str) -> Edit:
    return objects(_where(_is(kind), lambda _: None))


def _jump(found: list[bytes]) -> list[bytes]:
    return [re.sub(rb'"index":1\b', b'"index":2', event) for event in found]


def _gap(event: Json) -> Json:
    return event | {"sequence_number": event["sequence_number"] + (event["sequence_number"] > 2)}


def _undone(found: list[bytes]) -> list[bytes]:
    """Leave the last event of the item out, and number the others anew."""
    return _renumber([event for event in found if b"event: response.output_item.done" not in event])


def _open_ended(chunk: Json) -> Json:
    for choice in chunk["choices"]:
        if choice.get("finish_reason", "") is None:
            del choice["finish_reason"]
    return chunk


def _never_counted(event: Json) -> Json:
    for holder in (event.get("message", {}), event):
        if "input_tokens" in holder.get("usage", {}):
            holder["usage"]["input_tokens"] = 0
    return event


def _uncapped(found: list[bytes]) -> list[bytes]:
    return [event.replace(b'"finishReason":"STOP"', b'"finishReason":"stop"') for event in found]


def _comment(found: list[bytes]) -> list[bytes]:
    return [found[0], b": keep-alive\r\n\r\n", *found[1:]]


def _tight(found: list[bytes]) -> list[bytes]:
    return [event.replace(b"data: ", b"data:") for event in found]


def _separator(found: list[bytes]) -> list[bytes]:
    return [event.replace(b"sentence", "sen\u2028tence".encode()) for event in found]


def _renumber(found: list[bytes]) -> list[bytes]:
    return [re.sub(rb'"sequence_number":\d+', b'"sequence_number":%d' % at, event) for at, event in enumerate(found)]


def _lacking(kind: bytes) -> Edit:
    """Leave events of Responses out, and number the others anew."""
    return streams(lambda found: _renumber([event for event in found if b"event: " + kind not in event]))


def _alive(text: bytes) -> Edit:
    """Write a sign of life otherwise."""
    signs = re.compile(rb"^(?:: [^\n]*|event: ping\ndata: [^\n]*)\n\n", re.MULTILINE)
    return lambda answer: replace(answer, body=signs.sub(text, answer.body)) if answer.streamed else answer


def _text_200(answer: Answer) -> Answer:
    return replace(answer, status=200)


def _plain(answer: Answer) -> Answer:
    return replace(answer, kind=b"text/plain", body=b"Bad Request")


def _detail(answer: Answer) -> Answer:
    return replace(answer, body=json.dumps({"detail": "bad request"}).encode())


def _kind(kind: bytes) -> Edit:
    return lambda answer: replace(answer, kind=kind) if answer.streamed else answer


def _as_stream(answer: Answer) -> Answer:
    """Answer as a stream those who asked for none."""
    is_answer = answer.status == 200 and answer.asked and not answer.streamed
    return replace(answer, kind=b"text/event-stream", body=b"data: " + answer.body + b"\n\n") if is_answer else answer


def _finished(chunk: Json) -> Json:
    for candidate in chunk.get("candidates", []):
        candidate["finishReason"] = "STOP"
    return chunk


FAULTS = [
    # Chat
    Fault(CHAT, "a second terminal", streams(_twice), "text, streamed", "follows .DONE.|continues after"),
    Fault(CHAT, "no DONE", streams(lambda found: found[:-1]), "text, streamed", "without .DONE."),
    Fault(
        CHAT, "an error after the terminal", streams(_error_after), "text, streamed", "follows .DONE.|continues after"
    ),
    Fault(CHAT, "no finish_reason", objects(_set("choices.0.finish_reason", None)), "text, streamed", "finish_reason"),
    Fault(CHAT, "a role in every delta", streams(_late_role), "text, streamed", "role is in the deltas"),
    Fault(CHAT, "no role at all", objects(_drop("choices.0.delta.role")), "text, streamed", "role is in"),
    Fault(CHAT, "an id that changes", objects(_set("id", _Count())), "text, streamed", "id changes"),
    Fault(
        CHAT, "a total that is no sum", objects(_set("usage.total_tokens", 1)), "text, streamed", "total_tokens is 1"
    ),
    Fault(CHAT, "negative usage", wholes(_set("usage.completion_tokens", -3)), "text", "completion_tokens is -3"),
    Fault(
        CHAT,
        "a part above its whole",
        wholes(_set("usage.prompt_tokens_details", {"cached_tokens": 9999})),
        "text",
        "9999",
    ),
    Fault(CHAT, "arguments split inside an escape", streams(_half_escape), "tool call, streamed", "not JSON"),
    Fault(
        CHAT,
        "arguments as an object",
        wholes(_set("choices.0.message.tool_calls.0.function.arguments", json.loads)),
        "tool call",
        "JSON",
    ),
    Fault(
        CHAT,
        "a call's index that jumps",
        streams(
            lambda found: [event.replace(b'"tool_calls":[{"index":0', b'"tool_calls":[{"index":1') for event in found]
        ),
        "tool call, streamed",
        "indices of the calls",
    ),
    Fault(
        CHAT, "a call without an id", wholes(_set("choices.0.message.tool_calls.0.id", "")), "tool call", "without id"
    ),
    Fault(CHAT, "200 with an error body", errors(_text_200), "bad JSON", "expected 400"),
    Fault(CHAT, "an error in plain text", errors(_plain), "bad JSON", "content-type of an error"),
    Fault(CHAT, "a framework's own error", errors(_detail), "bad JSON", "there is no error in it"),
    Fault(CHAT, "a stream as JSON", _kind(b"application/json"), "text, streamed", "content-type"),
    Fault(CHAT, "a stream for one who wants none", _as_stream, "text", "content-type"),
    Fault(CHAT, "a raw line end in a text", streams(_raw_line), "text, streamed", "not a field of an event"),
    Fault(CHAT, "a last event without its blank line", streams(_cut_tail), "text, streamed", "blank line"),
    Fault(CHAT, "a sign of life that is data", _alive(b"data: ping\n\n"), "silence", "not JSON"),
    Fault(
        CHAT,
        "chunks that leave finish_reason out",
        objects(_where(lambda one: "delta" in str(one), _open_ended)),
        "text, streamed",
        "without finish_reason",
    ),
    # Responses
    Fault(RESPONSES, "a gap in the numbers", objects(_gap), "text, streamed", "sequence_number"),
    Fault(RESPONSES, "an item that is not done", streams(_undone), "text, streamed", "is not done at the end"),
    Fault(RESPONSES, "no last event", _without("response.completed"), "text, streamed", "last event is"),
    Fault(
        RESPONSES,
        "words that are done otherwise",
        objects(_where(_is("response.output_text.done"), _set("text", "x"))),
        "text, streamed",
        "its deltas said",
    ),
    Fault(
        RESPONSES,
        "an item id that changes",
        objects(_where(_is("response.output_text.delta"), _set("item_id", _Count()))),
        "text, streamed",
        "open is",
    ),
    Fault(
        RESPONSES,
        "an empty output at the end",
        objects(_where(_is("response.completed"), _set("response.output", []))),
        "text, streamed",
        "has the output \\[\\]",
    ),
    Fault(
        RESPONSES,
        "names without types",
        streams(lambda found: [event.partition(b"\n")[2] for event in found]),
        "text, streamed",
        "the event ''",
    ),
    Fault(RESPONSES, "words without their done", _lacking(b"response.output_text.done"), "text, streamed", "text.done"),
    Fault(
        RESPONSES,
        "arguments without their done",
        _lacking(b"response.function_call_arguments.done"),
        "tool call, streamed",
        "arguments.done",
    ),
    Fault(
        RESPONSES,
        "deltas without logprobs",
        objects(_where(_is("response.output_text.delta"), _drop("logprobs"))),
        "text, streamed",
        "without logprobs",
    ),
    Fault(
        RESPONSES,
        "a response id that changes",
        objects(_where(_is("response.in_progress"), _set("response.id", "resp_other"))),
        "text, streamed",
        "id of the response changes",
    ),
    Fault(
        RESPONSES, "an answer that is still in progress", wholes(_set("status", "in_progress")), "text", "'in_progress'"
    ),
    Fault(RESPONSES, "a response without tools", wholes(_drop("tools")), "text", "'tools' is missing"),
    Fault(RESPONSES, "a message without a role", wholes(_drop("output.0.role")), "text", "'role' is missing"),
    Fault(
        RESPONSES,
        "a text without annotations",
        objects(_drop("response.output.0.content.0.annotations")),
        "text, streamed",
        "without annotations",
    ),
    Fault(RESPONSES, "usage without details", wholes(_drop("usage.input_tokens_details")), "text", "_details"),
    # Messages
    Fault(MESSAGES, "no message_stop", _without("message_stop"), "text, streamed", "not message_stop"),
    Fault(MESSAGES, "a block that is not stopped", _without("content_block_stop"), "text, streamed", "not stopped"),
    Fault(MESSAGES, "a start without a model", objects(_drop("message.model")), "text, streamed", "'model' is missing"),
    Fault(MESSAGES, "no stop_reason", objects(_set("delta.stop_reason", None)), "text, streamed", "stop_reason"),
    Fault(MESSAGES, "a stop_reason of Chat", objects(_set("delta.stop_reason", "stop")), "text, streamed", "is 'stop'"),
    Fault(
        MESSAGES,
        "an end of the turn behind a call",
        objects(_where(lambda one: "tool_use" in str(one), _set("delta.stop_reason", "end_turn"))),
        "tool call, streamed",
        "but there is a call",
    ),
    Fault(
        MESSAGES,
        "a message_delta without usage",
        objects(_where(_is("message_delta"), _drop("usage"))),
        "text, streamed",
        "the usage None",
    ),
    Fault(MESSAGES, "an index that jumps", streams(_jump), "thoughts, streamed", "has the index 2"),
    Fault(MESSAGES, "two starts", streams(_first_twice), "text, streamed", "message_start within"),
    Fault(MESSAGES, "a ping inside an event", streams(_ping_inside), "text, streamed", "two names of one event"),
    Fault(
        MESSAGES,
        "a signature that is lost",
        objects(_where(lambda one: "signature_delta" in str(one), lambda _: None)),
        "thoughts, streamed",
        "have none",
    ),
    Fault(
        MESSAGES,
        "an error of OpenAI's shape",
        errors(lambda one: replace(one, body=b'{"error": {"message": "m", "type": "t"}}')),
        "bad JSON",
        "'type' is missing",
    ),
    Fault(
        MESSAGES,
        "an error of another type",
        errors(lambda one: replace(one, body=one.body.replace(b"invalid_request_error", b"api_error"))),
        "bad JSON",
        "api_error with the status 400",
    ),
    Fault(
        MESSAGES, "usage that is lost in streams", objects(_never_counted), "usage, whole and streamed", "streamed 0"
    ),
    Fault(MESSAGES, "a sign of life that swallows an event", _alive(b"event: ping\n"), "silence", "two names"),
    Fault(MESSAGES, "a ping without its type", _alive(b"event: ping\ndata: {}\n\n"), "silence", "'type' is missing"),
    # Gemini
    Fault(GEMINI, "events that are glued", streams(_glued), "text, streamed", "not JSON"),
    Fault(GEMINI, "no finishReason", objects(_drop("candidates.0.finishReason")), "text, streamed", "no finishReason"),
    Fault(GEMINI, "a finishReason in every chunk", objects(_finished), "text, streamed", "after the end|two reasons"),
    Fault(GEMINI, "a finishReason in small letters", streams(_uncapped), "text, streamed", "finishReason is 'stop'"),
    Fault(GEMINI, "a comment between chunks", streams(_comment), "text, streamed", "not one `data: ` line"),
    Fault(GEMINI, "data without the space", streams(_tight), "text, streamed", "not one `data: ` line"),
    Fault(GEMINI, "a separator as it is", streams(_separator), "text, streamed", "not escaped"),
    Fault(
        GEMINI,
        "an OpenAI terminal",
        streams(lambda found: [*found, b"data: [DONE]\r\n\r\n"]),
        "text, streamed",
        "not JSON",
    ),
    Fault(
        GEMINI,
        "a total that is no sum",
        wholes(_set("usageMetadata.totalTokenCount", 1)),
        "text",
        "totalTokenCount is 1",
    ),
    Fault(
        GEMINI,
        "an error with another code",
        errors(lambda one: replace(one, body=one.body.replace(b'"code":400', b'"code":500'))),
        "bad JSON",
        "error.code is 500",
    ),
    Fault(
        GEMINI,
        "args as text",
        wholes(_set("candidates.0.content.parts.0.functionCall.args", json.dumps)),
        "tool call",
        "a call as",
    ),
]
