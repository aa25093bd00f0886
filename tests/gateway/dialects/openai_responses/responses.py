"""A Responses stream as its rules want it, read back from bytes, and put together again by hand and by the SDK."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import httpx2
from msgspec import Raw
from openai import OpenAI
from openai.types.responses import ResponseStreamEvent

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.openai_responses.stream import StreamWriter
from gateway.dialects.openai_responses.whole import write_both
from gateway.testing.grammar_responses import ResponsesStream
from gateway.testing.grammar_sse import letter
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
MODELS = {
    get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(get_args(ResponseStreamEvent)[0])
}


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


class Stream(ResponsesStream):
    """A stream that keeps the rules, and says no less than the SDK's own types; making one checks them."""

    def __init__(self, data: bytes) -> None:
        letter(data)
        super().__init__(data)
        created, begun, *told = self.events
        assert (created["sequence_number"], begun["type"]) == (0, "response.in_progress")
        assert created["response"] == begun["response"]
        assert self.done == self.items[: len(self.done)]
        assert self.output == self.items
        for event in self.events:
            MODELS[event["type"]].model_validate(event)
        for event in told:
            assert event.get("delta", "words")
            if event["type"] in ("response.output_text.delta", "response.output_text.done"):
                assert isinstance(event["logprobs"], list)


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
    body: Json = json.loads(write_both(fold.reply(), to or answering())[stored])
    return body
