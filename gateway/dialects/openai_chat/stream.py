"""A streamed answer: `chat.completion.chunk`s, then `[DONE]`, or an error and no `[DONE]`.

nothing said --first content--> role and content --…--> finish [usage] [DONE]
     any of them --error or no finish--> error

Of several answers each has a writer of its own, which says all but the usage and the end.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.places import Places
from gateway.dialects.raw import NO_FIELDS
from gateway.dialects.shown import markdown
from gateway.errors import GatewayError, StreamBroken
from gateway.sse import event as sse_event
from gateway.sse import json_line

from . import answer
from .calls import StreamedCall
from .errors import write_error

__all__ = ["END", "ChatStream", "broken"]

END: Final = b"data: [DONE]\n\n"
_HOLE: Final = b"\x00"  # never in JSON: where a delta goes in a chunk made beforehand

_encode: Final = msgspec.json.Encoder().encode


class _Choice(Struct, kw_only=True):
    index: int = 0
    delta: Raw
    logprobs: answer.Logprobs | UnsetType = UNSET
    finish_reason: str | None = None


class _Chunk(Struct, kw_only=True):
    id: str
    object: str = "chat.completion.chunk"
    created: int
    model: str
    choices: list[_Choice]
    service_tier: str | UnsetType = UNSET
    usage: answer.Usage | UnsetType | None = UNSET


class ChatStream:
    """Writes one stream."""

    _tier: str | UnsetType = UNSET  # of who has chosen one; how a request is served is known at the end

    def __init__(self, answering: Answering, index: int = 0) -> None:
        self._index = index
        self._others: dict[int, ChatStream] = {}
        self._how = answer.manner(answering)
        self._answering = answering
        head, _, tail = self._chunk([_Choice(index=index, delta=Raw(_HOLE))]).partition(_HOLE)
        self._head, self._tail = head, tail
        self._text_head, self._text_tail = head + b'{"content":', b"}" + tail
        self._out: list[bytes] = []
        self._opened = self._ended = False
        self._said = False  # anything but thoughts
        self._usage = ir.Usage()
        self._block: ir.BlockKind = "text"
        self._texts: list[str] = []
        self._before = 0
        self._sources: list[ir.CitationDelta] = []
        self._tokens: tuple[ir.Logprob, ...] = ()  # of the words that come next
        self._annotations: list[answer.Annotation] = []
        self._pictures = 0
        self._calls = 0
        self._call: StreamedCall | None = None
        self._block_signature: ir.Signature | None = None
        self._signature = answer.MessageSignature(self._how)

    def feed(self, events: Sequence[ir.Event]) -> bytes:
        """Give the chunks for these events."""
        for event in events:
            take = self._TAKE.get(type(event))
            if take is not None and not self._ended:
                take(self, event)
        return self._written()

    def close(self, error: GatewayError | None = None) -> bytes:
        """End with the error; an answer without a finish is one too."""
        if not self._ended:
            self._fail(error or StreamBroken(StreamBroken.CUT))
        return self._written()

    def _written(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out

    def _chunk(self, choices: list[_Choice], usage: answer.Usage | UnsetType | None = UNSET) -> bytes:
        answering = self._answering
        if usage is UNSET and answering.request.include_usage:
            usage = None
        chunk = _Chunk(
            id=answer.completion_id(answering),
            created=answering.created,
            model=answering.model,
            choices=choices,
            service_tier=self._tier,
            usage=usage,
        )
        return sse_event(json_line(_encode(chunk)))

    def _say(self, delta: answer.Message) -> None:
        """Write a chunk; the first one carries the role, and a content in any case."""
        if not self._opened:
            self._opened = True
            delta.role = "assistant"
            if delta.content is UNSET:  # null is for calls only: a program that adds up contents adds this one, too
                delta.content = None if delta.tool_calls or delta.function_call else ""
        written, tokens = _encode(delta), self._tokens
        if tokens:
            self._tokens = ()
            choice = _Choice(index=self._index, delta=Raw(written), logprobs=answer.logprobs(tokens))
            self._out.append(self._chunk([choice]))
        else:
            self._out += (self._head, json_line(written), self._tail)

    def _started(self, event: ir.Started) -> None:
        self._usage = event.usage or self._usage

    def _counted(self, event: ir.UsageReported) -> None:
        self._usage = event.usage

    def _begin(self, event: ir.BlockStarted) -> None:
        self._block = event.kind
        self._block_signature = None
        if event.kind == "tool_call":
            self._call = StreamedCall(self._calls, event, self._how)
            self._calls += 1
            self._said = True

    def _text(self, event: ir.TextDelta) -> None:
        text = event.text
        if not text:
            return
        self._texts.append(text)
        if self._opened and not self._tokens:
            self._out += (self._text_head, json_line(_encode(text)), self._text_tail)
        else:
            self._say(answer.Message(content=text))
        self._said = True

    def _thought(self, event: ir.ThinkingDelta) -> None:
        if event.text and self._how.thoughts:
            self._signature.piece(event.text)
            self._say(answer.Message(reasoning_content=event.text))

    def _sign(self, event: ir.SignatureDelta) -> None:
        self._block_signature = event.signature
        if self._call is not None:
            self._call.signature = event.signature

    def _argue(self, event: ir.ArgumentsDelta) -> None:
        if self._call is not None and event.json:
            self._write_call(self._call)
            self._call.argue(event.json)

    def _show(self, event: ir.MediaChunk) -> None:
        self._said = True
        if self._how.beside:
            shown = answer.picture(event.media_type, event.data, self._pictures)
            self._pictures += 1
            self._say(answer.Message(images=[shown]))
        else:
            content = markdown(event.media_type, event.data)
            self._before += len(content)
            self._say(answer.Message(content=content))

    def _cite(self, event: ir.CitationDelta) -> None:
        self._sources.append(event)

    def _tell(self, event: ir.LogprobsDelta) -> None:
        self._tokens += event.tokens

    def _end_block(self, event: ir.BlockEnded) -> None:
        if self._block == "text":
            if self._tokens:
                self._say(answer.Message())
            self._end_text()
        elif self._block == "thinking":
            self._signature.thinking(self._block_signature, self._calls)
        elif self._call is not None:
            self._write_call(self._call, ended=True)
            self._call = None

    def _end_text(self) -> None:
        text = "".join(self._texts)
        if self._sources:
            places = Places(text)
            self._annotations += [answer.annotation(source, places, self._before) for source in self._sources]
        self._before += len(text)
        self._texts, self._sources = [], []
        self._signature.text(self._block_signature)

    def _write_call(self, call: StreamedCall, *, ended: bool = False) -> None:
        news = call.news(ended=ended)
        if news is None:
            return
        if not self._how.legacy:
            self._say(answer.Message(tool_calls=[news]))
        elif call.index == 0:  # an older message has room for one
            self._say(answer.Message(function_call=news.function))

    def _finish(self, event: ir.Finished) -> None:
        reason = answer.finish_reason(event, self._calls, self._how)
        if (refusal := answer.refusal(event, said=self._said)) is not None:
            self._say(answer.Message(refusal=refusal))
        extra = self._signature.chosen()
        if self._annotations or extra is not UNSET:
            self._say(answer.Message(annotations=self._annotations or UNSET, extra_content=extra))
        if not self._opened:
            self._say(answer.Message(content=""))
        request = self._answering.request
        if request.extras:
            self._tier = answer.tier(request, self._usage)
        self._out.append(self._chunk([_Choice(index=self._index, delta=NO_FIELDS, finish_reason=reason)]))
        self._ended = True
        if self._index:
            return
        if request.include_usage:
            self._out.append(self._chunk([], answer.usage(self._usage)))
        self._out.append(END)

    def _other(self, event: ir.Alternative) -> None:
        if event.place not in self._others:
            self._others[event.place] = ChatStream(self._answering, event.place)
        self._out.append(self._others[event.place].feed((event.event,)))

    def _failed(self, event: ir.Failed) -> None:
        self._fail(event.error)

    def _fail(self, error: GatewayError) -> None:
        self._out.append(broken(error))
        self._ended = True

    _TAKE: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        ir.Started: _started,
        ir.BlockStarted: _begin,
        ir.TextDelta: _text,
        ir.ThinkingDelta: _thought,
        ir.SignatureDelta: _sign,
        ir.ArgumentsDelta: _argue,
        ir.MediaChunk: _show,
        ir.CitationDelta: _cite,
        ir.LogprobsDelta: _tell,
        ir.BlockEnded: _end_block,
        ir.UsageReported: _counted,
        ir.Finished: _finish,
        ir.Failed: _failed,
        ir.Alternative: _other,
    }


def broken(error: GatewayError) -> bytes:
    """Write the error that ends a stream."""
    return sse_event(json_line(write_error(error)[1]))
