"""Write a stream of GenerateContentResponses: events without names, or one JSON array.

    chunk* (a chunk with finishReason and the true usage | an error)

Nothing stands between the chunks: google-genai fails on comments, event names and an end mark. Calls in a row wait for
each other and stand in one chunk: clients that know a call by its place in the chunk take those of several for one. A
call whose arguments broke off waits for what comes next: when that is the end of an answer that was cut, it is not
said. The last letter of a thought waits for its signature: clients drop a thought without words, or fail on it. Of
several answers each has a writer of its own, which writes its candidate; the first one's sends, and has the usage and
the end.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from msgspec import Raw

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.content import is_whole
from gateway.errors import GatewayError, StreamBroken

from .inbound_answer import JSON, breaks_off, candidate, encode, ended, ending, frame, part, placed, sources, usage
from .inbound_errors import write_broken, write_error
from .logprobs import average, write_logprobs

__all__ = ["GeminiStream"]

_HEAD: Final = b'{"candidates":[{"content":{"role":"model","parts":['
_UNCOUNTED: Final[JSON] = {"usageMetadata": usage(ir.Usage())}  # BAML skips a chunk without: Google counts in each


class GeminiStream:
    """The writer of one streamed answer."""

    def __init__(self, answering: Answering, index: int = 0) -> None:
        self._index = index
        self._others: dict[int, GeminiStream] = {}
        self._answering = answering
        self._visible = bool(answering.request.reasoning.visible)
        self._frame = frame(answering)
        self._between: JSON = {**_UNCOUNTED, **self._frame}  # of each chunk but the last
        self._tail = b']},"index":%d}],' % index + encode(self._between)[1:]
        self._out: list[bytes] = []
        self._begun = self._said = self._ended = False
        self._usage = ir.Usage()
        self._block = ir.BlockStarted(kind="text")
        self._pieces: list[str] = []
        self._media: ir.MediaChunk | None = None
        self._signature: ir.Signature | None = None
        self._thought = ""  # the last letter of a thought, which waits for its signature
        self._calls: list[JSON] = []  # which wait for others
        self._waiting: ir.ToolCall | None = None  # its arguments are not whole: the answer may have been cut there
        self._opaque: list[ir.OpaqueEvent] = []
        self._sources: list[ir.CitationDelta] = []
        self._citations: list[ir.CitationDelta] = []
        self._texts: list[str] = []
        self._before = 0
        self._tokens: list[ir.Logprob] = []
        self._told = 0  # of these

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

    # what surrounds a chunk

    def _send(self, *chunk: bytes) -> None:
        if self._index:
            self._out.append(b"".join(chunk))
            return
        if self._answering.array:
            self._out += (b",\r\n" if self._begun else b"[", *chunk, b"\n")
        else:
            self._out += (b"data: ", *chunk, b"\r\n\r\n")
        self._begun = True

    def _end(self) -> None:
        if self._answering.array:
            self._out.append(b"]")
        self._ended = True

    def _fail(self, error: GatewayError) -> None:
        self._think("", "")
        self._call()
        if self._answering.apart:
            self._out.append(write_broken(error))
        else:
            self._send(write_error(error))
        self._end()

    # a translated answer

    def _say(self, *written: JSON) -> None:
        self._said = True
        if len(self._tokens) > self._told:
            likely = candidate(written, index=self._index, **self._likely())
            self._send(encode({"candidates": [likely], **self._between}))
        else:
            self._send(_HEAD, b",".join(map(encode, written)), self._tail)

    def _call(self) -> None:
        """Say the calls that wait."""
        calls, self._calls = self._calls, []
        if calls:
            self._say(*calls)

    def _likely(self) -> JSON:
        """Write how likely the tokens are of which that was not said."""
        news, self._told = self._tokens[self._told :], len(self._tokens)
        return write_logprobs(news)

    def _start(self, event: ir.Started) -> None:
        self._usage = event.usage or self._usage

    def _count(self, event: ir.UsageReported) -> None:
        self._usage = event.usage

    def _open(self, event: ir.BlockStarted) -> None:
        self._release()
        if event.kind != "tool_call":
            self._call()
        self._block = event
        self._pieces.clear()
        self._media = self._signature = None

    def _text(self, event: ir.TextDelta) -> None:
        if event.text:
            self._texts.append(event.text)
            self._say({"text": event.text})

    def _reason(self, event: ir.ThinkingDelta) -> None:
        if event.text and self._visible:
            self._think(event.text[:-1], event.text[-1])

    def _think(self, words: str, last: str) -> None:
        """Say what waits of a thought, and its next words but for the last letter."""
        said, self._thought = self._thought + words, last
        if said:
            self._say({"text": said, "thought": True})

    def _argue(self, event: ir.ArgumentsDelta) -> None:
        self._pieces.append(event.json)

    def _show(self, event: ir.MediaChunk) -> None:
        self._media = event

    def _sign(self, event: ir.SignatureDelta) -> None:
        self._signature = event.signature

    def _cite(self, event: ir.CitationDelta) -> None:
        self._sources.append(event)

    def _end_text(self) -> None:
        data = "".join(self._texts).encode()
        self._citations += placed(self._sources, data, self._before)
        self._before += len(data)
        self._texts.clear()
        self._sources.clear()

    def _tell(self, event: ir.LogprobsDelta) -> None:
        self._tokens += event.tokens

    def _close(self, _: ir.BlockEnded) -> None:
        if self._block.kind == "text":
            self._end_text()
        made = self._made()
        if isinstance(made, ir.ToolCall) and not is_whole(bytes(made.arguments)):
            self._waiting = made
        elif isinstance(made, ir.ToolCall):
            self._calls.append(part(made, self._answering))
        elif made is not None:
            self._say(part(made, self._answering))

    def _release(self) -> None:
        """Take the call that waits as one: the answer has gone on behind it."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._calls.append(part(waiting, self._answering))

    def _made(self) -> ir.ReplyPart | None:
        """Give what is left to say of the block: a whole one, or the signature of its words and what waits for it."""
        block, media, signature = self._block, self._media, self._signature
        if block.kind == "tool_call":
            given = Raw("".join(self._pieces).encode())
            return ir.ToolCall(id=block.id, name=block.name, arguments=given, signature=signature)
        if media is not None:
            return ir.Media(media_type=media.media_type, data=media.data, signature=signature)
        signed = signature is not None and self._answering.sealed
        if block.kind == "thinking":
            words, self._thought = self._thought, ""
            return ir.Thinking(text=words, signature=signature) if words or (signed and self._visible) else None
        return ir.Text(text="", signature=signature) if signed else None

    def _finish(self, event: ir.Finished) -> None:
        if self._waiting is not None and not breaks_off(self._waiting, event):
            self._release()
        self._call()
        found = sources(self._opaque, self._citations) | self._likely() | average(self._tokens)
        if self._index:
            self._send(encode({"candidates": [ended(event, (), found, self._index)], **self._between}))
            self._ended = True
            return
        self._send(encode({**ending(event, self._usage, (), found, said=self._said), **self._frame}))
        self._end()

    def _other(self, event: ir.Alternative) -> None:
        if event.place not in self._others:
            self._others[event.place] = GeminiStream(self._answering, event.place)
        for chunk in self._others[event.place].chunks(event.event):
            self._send(chunk)

    def chunks(self, event: ir.Event) -> list[bytes]:
        """Give the chunks for an event of another answer than the first, to be sent by that one's writer."""
        take = self._TAKE.get(type(event))
        if take is not None and not self._ended:
            take(self, event)
        chunks, self._out = self._out, []
        return chunks

    def _keep(self, event: ir.OpaqueEvent) -> None:
        self._opaque.append(event)

    def _break(self, event: ir.Failed) -> None:
        self._fail(event.error)

    _TAKE: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        ir.Started: _start,
        ir.UsageReported: _count,
        ir.BlockStarted: _open,
        ir.TextDelta: _text,
        ir.ThinkingDelta: _reason,
        ir.ArgumentsDelta: _argue,
        ir.MediaChunk: _show,
        ir.SignatureDelta: _sign,
        ir.CitationDelta: _cite,
        ir.BlockEnded: _close,
        ir.LogprobsDelta: _tell,
        ir.OpaqueEvent: _keep,
        ir.Finished: _finish,
        ir.Failed: _break,
        ir.Alternative: _other,
    }
