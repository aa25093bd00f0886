"""A Responses stream as its rules want it, read back from bytes, and put together again by hand and by the SDK."""

import json
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from typing import Any, get_args

import httpx2
from msgspec import Raw
from openai import OpenAI
from openai.types.responses import ResponseStreamEvent

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.openai_responses.stream import StreamWriter
from gateway.dialects.openai_responses.whole import write_whole
from tests.gateway.dialects.openai_chat.chat import USER, answer, block, call, text, thinking

__all__ = [
    "ID",
    "Json",
    "Stream",
    "answer",
    "answering",
    "block",
    "call",
    "signed",
    "spoken",
    "text",
    "thinking",
    "whole",
    "write",
]

Json = dict[str, Any]
ID = "0f" * 12
TERMINALS = ("response.completed", "response.incomplete", "response.failed")
MODELS = {
    get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(get_args(ResponseStreamEvent)[0])
}
DELTAS = {  # the field of what is open that a delta adds to
    "response.output_text": "text",
    "response.refusal": "refusal",
    "response.reasoning_summary_text": "text",
    "response.function_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
}
PARTS = {"response.content_part": "content", "response.reasoning_summary_part": "summary"}


def answering(
    sealed: bool = True,
    store: bool = True,
    echo: dict[str, bytes] | None = None,
    previous: str | None = None,
    **request: Any,
) -> Answering:
    """Make what a writer is told; further keywords are fields of the request."""
    raw = {field: Raw(value) for field, value in (echo or {}).items()}
    thread = ir.Thread(echo=raw, store=store, previous=previous)
    return Answering(
        request=ir.Request(model="m", turns=(USER,), thread=thread, **request),
        model="asked",
        id=ID,
        created=1_700_000_001,
        request_id="r",
        estimate=lambda: 5,
        sealed=sealed,
    )


def signed(events: Sequence[ir.Event], issuer: ir.Family | None = "gemini", kind: Any = "t") -> list[ir.Event]:
    """Sign a block where upstreams do: a call before its arguments, anything else at its end."""
    at = 1 if kind == "f" else -1
    signature = ir.SignatureDelta(ir.Signature(issuer, "R0VN", kind))
    return [*events[:at], signature, *events[at:]] if kind == "f" else [*events[:-1], signature, events[-1]]


def parse(data: bytes) -> Iterator[Json]:
    """Give the data of each event; its name and its number are right."""
    events = data.decode().split("\n\n")
    assert events.pop() == ""
    for number, event in enumerate(events):
        name, line = event.split("\n")
        read: Json = json.loads(line.removeprefix("data: "))
        assert name == f"event: {read['type']}"
        assert read["sequence_number"] == number
        yield read


class Stream:
    """A stream that keeps the rules; making one checks them."""

    def __init__(self, data: bytes) -> None:
        self.events = list(parse(data))
        created, begun, *told, last = self.events
        for event in self.events:
            MODELS[event["type"]].model_validate(event)
        assert (created["type"], begun["type"]) == ("response.created", "response.in_progress")
        assert created["response"] == begun["response"]
        assert (begun["response"]["status"], begun["response"]["output"]) == ("in_progress", [])
        assert last["type"] in TERMINALS
        self.response: Json = last["response"]
        assert last["type"] == f"response.{self.response['status']}"
        self.items: list[Json] = []
        self.open: Json | None = None
        self.part: Json | None = None
        for event in told:
            self._take(event)
        self._check_end()

    @property
    def status(self) -> str:
        return str(self.response["status"])

    @property
    def names(self) -> list[str]:
        return [event["type"].removeprefix("response.") for event in self.events]

    @property
    def output(self) -> list[Json]:
        output: list[Json] = self.response["output"]
        return output

    def named(self, name: str) -> list[Json]:
        """Give the events of one type."""
        return [event for event in self.events if event["type"] == f"response.{name}"]

    def _take(self, event: Json) -> None:
        subject, _, verb = event["type"].rpartition(".")
        if subject == "response.output_item":
            self._take_item(event, verb)
            return
        assert self.open is not None, event
        place = (event["output_index"], event["item_id"])
        assert place == (len(self.items) - 1, self.open["id"])
        if subject in PARTS:
            self._take_part(event, verb, PARTS[subject])
        elif subject == "response.output_text.annotation":
            assert self.part is not None
            assert event["annotation_index"] == len(self.part["annotations"])
            self.part["annotations"].append(event["annotation"])
        elif subject != "response.image_generation_call":
            self._take_words(event, verb, DELTAS[subject])

    def _take_item(self, event: Json, verb: str) -> None:
        if verb == "added":
            assert self.open is None
            assert event["output_index"] == len(self.items)
            self.open = deepcopy(event["item"])
            self.items.append(self.open)
            assert self.open["status"] == "in_progress"
            return
        assert self.open is not None
        assert self.part is None
        assert event["output_index"] == len(self.items) - 1
        done = event["item"]
        if done["type"] == "image_generation_call":
            self.open["result"] = done["result"]
        if "encrypted_content" in done:
            self.open["encrypted_content"] = done["encrypted_content"]
        self.open["status"] = done["status"]
        assert done == self.open
        assert done["status"] in ("completed", "incomplete")
        self.open = None

    def _take_part(self, event: Json, verb: str, field: str) -> None:
        assert self.open is not None
        index = event["content_index" if field == "content" else "summary_index"]
        if verb == "added":
            assert self.part is None
            assert index == len(self.open[field])
            self.part = deepcopy(event["part"])
            self.open[field].append(self.part)
            return
        assert event["part"] == self.part
        assert index == len(self.open[field]) - 1
        self.part = None

    def _take_words(self, event: Json, verb: str, field: str) -> None:
        holder = self.open if field in ("arguments", "input") else self.part
        assert holder is not None
        if verb == "delta":
            assert event["delta"]
            holder[field] += event["delta"]
        else:
            assert verb == "done"
            assert event[field] == holder[field]
        if event["type"].startswith("response.output_text."):
            assert event["logprobs"] == []

    def _check_end(self) -> None:
        if self.open is not None:
            calls = ("function_call", "custom_tool_call")
            assert self.status == "failed" or (self.status == "incomplete" and self.open["type"] in calls)
            self.open["status"] = "incomplete"
        assert self.output == self.items
        if self.status == "completed":
            assert {item["status"] for item in self.items} <= {"completed"}


def spoken(data: bytes) -> list[Any]:
    """Give the events as the official SDK makes them, which checks its own rules on the way."""

    def serve(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=data)

    with (
        httpx2.Client(transport=httpx2.MockTransport(serve)) as http,
        OpenAI(api_key="k", base_url="http://localhost/v1", http_client=http, max_retries=0) as client,
        client.responses.stream(model="m", input="hi") as stream,
    ):
        return list(stream)


def write(events: Iterable[ir.Event], to: Answering | None = None) -> Stream:
    """Write events as one read, end the stream and read it back."""
    writer = StreamWriter(to or answering())
    return Stream(writer.feed(list(events)) + writer.close())


def whole(events: Iterable[ir.Event], to: Answering | None = None, *, stored: bool = False) -> Json:
    """Write the same events as a whole answer and read it back."""
    fold = ir.Fold()
    fold.feed(events)
    body: Json = json.loads(write_whole(fold.reply(), to or answering(), stored=stored))
    return body
