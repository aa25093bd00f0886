"""Translate requests as a gateway with an upstream of each kind does, as far as the network.

    bytes ─► Protocol's reading ─► Relay.embark ─► the upstream body, what the caller hears, the losses

Read, prepared and written by the app's own parts. A request of the upstream's own dialect goes on as it came.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from msgspec import Raw
from msgspec.structs import replace
from starlette.types import Message

from gateway import ir
from gateway.app import Gateway
from gateway.config import load
from gateway.context import RequestContext, attach
from gateway.dialects import Answering, Dialect, Passing
from gateway.dialects.anthropic import Anthropic
from gateway.dialects.gemini.inbound import Gemini
from gateway.dialects.openai_chat import OpenAIChat
from gateway.dialects.openai_responses import OpenAIResponses
from gateway.errors import CallerError, InvalidRequest
from gateway.policy import speaks
from gateway.routes import DialectName
from gateway.upstream import Journey, Target

__all__ = ["CODECS", "PATHS", "TARGETS", "Sent", "Upstreams", "answer_of"]

Json = Any

TARGETS: Final = {
    "v1internal Gemini 3": ("code", "gemini-3-flash"),
    "v1internal Gemini 2.5": ("code", "gemini-2.5-flash"),
    "v1internal Claude": ("code", "claude-sonnet-4-6"),
    "gemini Gemini 3": ("gemini", "gemini-3-flash-preview"),
    "vertex Gemini 3": ("vertex", "gemini-3-flash-preview"),
    "vertex Claude": ("vertex", "claude-sonnet-4-5"),
    "openai chat": ("chat", "gpt-4.1"),
    "openai chat, thinking": ("chat", "gpt-5.2"),
    "openai responses": ("responses", "gpt-5.2"),
    "azure": ("azure", "gpt-5.2"),
    "anthropic": ("anthropic", "claude-sonnet-4-5"),
    "anthropic, adaptive": ("anthropic", "claude-opus-4-8"),
}
CODECS: Final[dict[DialectName, Dialect]] = {
    "openai-chat": OpenAIChat(),
    "openai-responses": OpenAIResponses(),
    "anthropic": Anthropic(),
    "gemini": Gemini(),
}
PATHS: Final[dict[DialectName, str]] = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:generateContent",
}

_CONFIG: Final = {
    "upstream": {
        "code": {
            "type": "v1internal",
            "oauth": {"client_id": "our-client", "client_secret": "our-secret"},
            "pool": {"refresh_tokens": ["rt-1"]},
        },
        "gemini": {"type": "gemini", "api_key": "key-1"},
        "vertex": {"type": "vertex", "project": "our-project"},
        "chat": {"type": "openai", "api_key": "key-1"},
        "responses": {"type": "openai", "api": "responses", "api_key": "key-1"},
        "azure": {"type": "azure", "endpoint": "https://ours.openai.azure.com", "api_key": "key-1"},
        "anthropic": {"type": "anthropic", "api_key": "key-1"},
    },
}
_SAID: Final[list[ir.Event]] = [
    ir.Started(id="r1", usage=ir.Usage(input=5)),
    ir.BlockStarted(kind="thinking"),
    ir.ThinkingDelta("Hm."),
    ir.SignatureDelta(ir.Signature("claude", "c2ln")),
    ir.BlockEnded(),
    ir.BlockStarted(kind="text"),
    ir.TextDelta("Well."),
    ir.BlockEnded(),
    ir.BlockStarted(kind="tool_call", id="call_1", name="sql"),
    ir.ArgumentsDelta('{"input":"x"}'),
    ir.BlockEnded(),
    ir.UsageReported(ir.Usage(input=5, output=7, reasoning=2)),
    ir.Finished(reason="tool_calls"),
]


class Sent(NamedTuple):
    """What goes upstream, in this order; what the caller hears then; and what is told about the rest.

    `passed`: the caller's own words go on, with these edits.
    """

    body: str
    answer: bytes
    losses: tuple[ir.Loss, ...]
    passed: bool = False
    edits: tuple[str, ...] = ()


class Upstreams:
    """The translation of one gateway with its default configuration, as far as the network."""

    def __init__(self, folder: str, lossy: str = "report") -> None:
        loaded = load({"server": {"data_dir": folder}, "translate": {"lossy": lossy}, **_CONFIG})
        self._gateway = Gateway(loaded)
        self._spoken = speaks(loaded.config)
        self._unread = speaks(loaded.config, unread=True)

    def send(self, dialect: DialectName, target: str, request: Json, *, own: bool = True) -> Sent | CallerError:
        """Translate a request, or give what refuses it; not `own`: never let the caller's own words pass."""
        try:
            context = self.context(dialect, request)
            if not own and context.request is not None:
                context.request = context.own = replace(context.request, native=None)
            journey = self.embark(context, target)
            body = bytes(journey.body())
        except CallerError as error:
            return error
        passed = journey.request.native is not None
        return Sent(
            body=_comparable(body),
            answer=(_passed_to if passed else answer_of)(CODECS[dialect], journey.request),
            losses=(*journey.request.losses, *journey.losses),
            passed=passed,
            edits=tuple(edit.name for edit in getattr(journey, "edits", ())),
        )

    def context(self, dialect: DialectName, request: Json) -> RequestContext:
        """Read a request as the middleware `protocol` does."""
        return self.read(dialect, json.dumps(request).encode())

    def read(self, dialect: DialectName, body: bytes) -> RequestContext:
        """Read a body as the middleware `protocol` does."""
        context, _ = attach({"method": "POST", "path": PATHS[dialect], "headers": []}, _nowhere)
        read = self._read(dialect, body, context)
        if read.stream is None and dialect == "openai-chat":
            read = replace(read, stream=False)
        context.request = context.own = read
        context.requested_model = read.model
        return context

    def embark(self, context: RequestContext, target: str) -> Journey:
        """Go as far as the network; raise CallerError."""
        upstream, model = TARGETS[target]
        return self._gateway.relay.embark(context, Target(self._gateway.adapters[upstream], model))

    def _read(self, dialect: DialectName, body: bytes, context: RequestContext) -> ir.Request:
        codec = CODECS[dialect]
        try:
            read = codec.read_request(body, route=context.route)
        except InvalidRequest as error:
            if dialect not in self._unread or not isinstance(codec, Passing):
                raise
            return codec.read_unread(body, error, context.route)
        if read.native is None and dialect in self._spoken:
            return replace(read, native=ir.Native(dialect=dialect, body=Raw(body)))
        return read


async def _nowhere(message: Message) -> None:
    """Send nothing: there is no answer."""


def _comparable(body: bytes) -> str:
    fields = json.loads(body)
    fields.pop("requestId", None)  # each call has a random one
    return json.dumps(fields)


def answer_of(codec: Dialect, request: ir.Request) -> bytes:
    """Write what the caller hears when the upstream says always the same."""
    if request.thread is not None:  # what the answer merely repeats of the request tells nothing
        said = {name: raw for name, raw in request.thread.echo.items() if name == "include"}
        request = replace(request, thread=replace(request.thread, echo=said))
    answering = _answering(request)
    if request.stream:
        return _streamed(codec, answering)
    fold = ir.Fold()
    fold.feed(_SAID)
    return codec.write_whole(fold.reply(), answering)


def _passed_to(codec: Dialect, request: ir.Request) -> bytes:
    """Pass on what an upstream of the same dialect says: always the same, with its usage."""
    assert isinstance(codec, Passing)
    answering = _answering(request)
    told = replace(answering, request=ir.Request(model="m", turns=(), stream=True, include_usage=True))
    passage = codec.passage(answering)
    return passage.feed([ir.Passed(_streamed(codec, told)), ir.Finished(reason="stop")]) + passage.close()


def _answering(request: ir.Request) -> Answering:
    return Answering(request=request, model="m", id="0f" * 12, created=1, request_id="r", estimate=lambda: 1)


def _streamed(codec: Dialect, answering: Answering) -> bytes:
    writer = codec.stream_writer(answering)
    return writer.feed(_SAID) + writer.close()
