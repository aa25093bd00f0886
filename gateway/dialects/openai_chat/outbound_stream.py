"""Read an upstream's answer: chunks in, neutral events out, in their grammar whatever comes.

    reasoning_content, reasoning, reasoning_details ─► thinking     content ─► text     tool_calls ─► one block a call

The end is held back until `[DONE]` or the end of the body: usage follows the finish reason. An answer that no finish
reason ends is complete when `[DONE]` follows, and broken when nothing does. Where several answers were asked for, each
choice but the first has a reader of its own, and its events are alternatives.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.gemini.errors import mask
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.logprobs import read_logprobs
from gateway.dialects.outbound_reader import NO_CALL, BlockReader
from gateway.dialects.places import Places
from gateway.dialects.raw import NOTHING, TEXT, read
from gateway.dialects.shown import picture
from gateway.errors import GatewayError, InvalidRequest, StreamBroken, UpstreamMalformed, UpstreamUnavailable

from .details import Detail, read_details
from .endings import MALFORMED, reason_of
from .outbound_content import Source, read_annotations, read_part, read_pictures, read_sources
from .outbound_errors import is_outcome, read_error, stands_alone, unwrapped
from .outbound_errors import read_details as read_error_details
from .outbound_usage import Tally
from .outbound_wire import Call, Choice, Chunk, Delta, Function, arguments_of, read_chunk

__all__ = ["ReadOptions", "StreamReader"]

_DONE: Final = "[DONE]"
_LEGACY: Final = -1  # the index of the older function_call, of which there is one


class ReadOptions(Struct, frozen=True, kw_only=True):
    """What the reader must know of the request; see OpenAIWritten.

    `salt`: makes ids for calls that have none, or one of `turns`, the conversation so far, in the form of the
    caller's `dialect`.
    """

    names: NameMap
    salt: str = ""
    turns: Sequence[ir.Turn] = ()
    dialect: str = ""
    choices: int = 1


class _Told(Struct):
    content: object = None


_TOLD: Final[msgspec.json.Decoder[_Told | None]] = msgspec.json.Decoder(_Told | None)


class StreamReader(BlockReader):
    """Reads one answer. `tally`: that of the first answer, where it is another one."""

    _unplaced: dict[str, Detail] | None = None  # what signs a call, by its id, or the words

    def __init__(self, options: ReadOptions, tally: Tally | None = None) -> None:
        super().__init__(options.salt, options.turns)
        self._blocks.dialect = options.dialect
        self._options = options
        self._tally = Tally() if tally is None else tally
        self._started = tally is not None
        self._said = False
        self._finish: str | None = None
        self._refusal: list[str] = []
        self._places: Places | None = None  # of the last text block
        self._pieces: list[str] = []  # that come behind them
        self._sources: tuple[Raw | UnsetType, ...] = ()  # of the whole answer: some servers repeat them in each chunk
        self._tokens: list[ir.Logprob] = []  # of the words that come next
        self._others: dict[int, StreamReader] = {}

    @property
    def usage(self) -> ir.Usage | None:
        """What the upstream has counted so far."""
        return self._tally.usage()

    def feed(self, payloads: Sequence[str]) -> list[ir.Event]:
        """Take the data of the next events of the stream, `[DONE]` among them."""
        for payload in payloads:
            if self._ended:
                break
            if payload == _DONE:
                self._end(done=True)
            else:
                self._read(payload)
        return self._flushed()

    def feed_whole(self, body: bytes) -> list[ir.Event]:
        """Take an answer that came as one JSON document, and end it."""
        chunk = self._read(unwrapped(body))
        if not self._ended and (chunk is None or not chunk.choices):
            self._unreadable(read_error_details(body).message or "it has no choices")
        if not self._ended:
            self._end(done=True)
        return self._flushed()

    def _close(self) -> None:
        self._end(done=False)

    # chunks

    def _read(self, data: str | bytes) -> Chunk | None:
        try:
            chunk = read_chunk(data)
        except ValueError as error:
            if isinstance(data, str) and (inner := unwrapped(data.encode())).startswith(b'{"error"'):
                return self._read(inner)  # Google's server of this dialect puts an error into an array
            shown = read_error_details(data).message if isinstance(data, bytes) else ""  # a page, no words of an answer
            self._unreadable(shown or mask(str(error)))
            return None
        if (chunk.error is not UNSET and _says(chunk.error)) or chunk.kind == "error":
            self._fail(read_error(200, data if isinstance(data, bytes) else data.encode(), {}))
            return None
        if (
            chunk.usage is not UNSET
            and self._tally.add(chunk.usage, chunk.service_tier)
            and (chunk.search_results is not UNSET or chunk.citations is not UNSET)
        ):
            self._sources = chunk.search_results, chunk.citations
        for choice in chunk.choices or self._none(chunk, data):
            if not choice.index:
                if not self._started:
                    self._start(chunk)
                self._choice(choice)
            elif 0 < choice.index < self._options.choices:  # else nobody asked for it
                if not self._started:
                    self._start(chunk)
                self._alternative(choice.index, self._other(choice.index).feed_choice(choice))
        return chunk

    def _none(self, chunk: Chunk, data: str | bytes) -> Sequence[Choice]:
        """Give no choices; it may say that this is a failure."""
        body = data if isinstance(data, bytes) else data.encode()
        if (chunk.outcome is not UNSET and is_outcome(body)) or (chunk.choices is None and stands_alone(body)):
            self._fail(read_error(200, body, {}))
        return ()

    def _other(self, index: int) -> "StreamReader":
        if index not in self._others:
            options = replace(self._options, salt=f"{self._options.salt}/{index}", choices=1)
            self._others[index] = StreamReader(options, self._tally)
        return self._others[index]

    def _alternative(self, index: int, events: Sequence[ir.Event]) -> None:
        if self._ended:  # with another choice's error, in the same chunk
            return
        self._events += self._blocks.events()
        for event in events:
            if isinstance(event, ir.Failed):
                self._fail(event.error)
            elif not self._ended and not isinstance(event, ir.UsageReported):
                self._events.append(ir.Alternative(index, event))

    def feed_choice(self, choice: Choice) -> list[ir.Event]:
        """Take what one chunk says of one choice, whose answer it is alone."""
        self._choice(choice)
        return self._flushed()

    def end_choice(self, *, done: bool) -> list[ir.Event]:
        """End the answer."""
        self._end(done=done)
        return self._flushed()

    def _start(self, chunk: Chunk) -> None:
        self._started = True
        started = ir.Started(
            id=chunk.id if isinstance(chunk.id, str) and chunk.id else None,
            model=chunk.model if isinstance(chunk.model, str) and chunk.model else None,
            usage=self._tally.usage(),
        )
        self._events.append(started)

    def _choice(self, choice: Choice) -> None:
        if choice.usage is not UNSET:
            self._tally.add(choice.usage)
        if choice.logprobs is not UNSET and (told := read(choice.logprobs, _TOLD)) is not None:
            self._tokens += read_logprobs(told.content)
        if choice.delta is not None:
            self._delta(choice.delta, whole=False)
        if choice.message is not None and not self._heard():  # some servers repeat at the end what they have streamed
            self._delta(choice.message, whole=True)
        if choice.finish_reason:  # some servers write "" into each chunk
            if self._finish is None or choice.finish_reason != "stop":  # Xinference says it again behind "length"
                self._finish = choice.finish_reason
            if choice.error is not UNSET and _says(choice.error) and not self._ended:
                self._fail(read_error(200, b'{"error":%b}' % choice.error, {}))

    def _heard(self) -> bool:
        return bool(self._said or self._refusal or self._blocks.calls)

    def _delta(self, delta: Delta, *, whole: bool) -> None:
        if delta.reasoning_details is not UNSET:
            self._detailed(delta, read_details(delta.reasoning_details))
        elif thought := _thought(delta):
            self._think(thought)
        if isinstance(delta.content, str):
            self._say(delta.content)
        elif delta.content:
            self._parts(delta.content)
        if delta.refusal:
            self._refusal.append(delta.refusal)
        if delta.images is not UNSET:
            for url in read_pictures(delta.images):
                self._show(url)
        if delta.annotations is not UNSET:
            self._annotated(delta.annotations)
        if delta.tool_calls or delta.function_call:
            self._called(delta, whole=whole)

    def _called(self, delta: Delta, *, whole: bool) -> None:
        for place, call in enumerate(delta.tool_calls or ()):
            self._call(call, place if whole and call.index is None else call.index)
        if delta.function_call is not None and not delta.tool_calls:  # llama-cpp-python writes each call in both ways
            self._call(Call(function=delta.function_call), _LEGACY)
        if self._unplaced:
            self._place(self._unplaced, delta.tool_calls or ())

    def _annotated(self, annotations: Raw) -> None:
        for source in read_annotations(annotations):
            self._cite(source)

    def _parts(self, parts: Sequence[Raw]) -> None:
        for part in map(read_part, parts):
            for thought in part.thoughts:
                self._think(thought)
            self._say(part.text or "")
            if part.refusal:
                self._refusal.append(part.refusal)
            if part.image_url is not None:
                self._show(part.image_url.url)

    # blocks

    def _think(self, text: str) -> None:
        if text:
            self._said = True
            self._blocks.say("thinking", ir.ThinkingDelta(text))

    def _detailed(self, delta: Delta, details: Sequence[Detail]) -> None:
        """Take thoughts with what signs them, which ends each; what signs a call may stand before it or behind it."""
        if not any(detail.words for detail in details):
            self._think(_thought(delta))
        for detail in details:
            self._think(detail.words)
            if (seal := detail.seal) is not None:
                self._blocks.say("thinking", ir.SignatureDelta(seal))
                self._blocks.end()
            elif detail.family == "gemini" and detail.data and not self._signs_call(detail):
                self._unplaced = self._unplaced or {}
                self._unplaced.setdefault(detail.id or "", detail)

    def _place(self, unplaced: dict[str, Detail], calls: Sequence[Call]) -> None:
        for call in calls:
            if call.id and call.id in unplaced and self._signs_call(unplaced[call.id]):
                del unplaced[call.id]

    def _signs_call(self, detail: Detail) -> bool:
        call = self._blocks.known(None, detail.id, "") if detail.id else None
        if call is None or call.given != detail.id:
            return False
        self._blocks.sign(call, detail.data or "")
        return True

    def _say(self, text: str) -> None:
        if text:
            self._said = True
            if self._tokens:
                self._tell()
            self._add_text(ir.TextDelta(text))
            self._pieces.append(text)

    def _tell(self) -> None:
        self._add_text(ir.LogprobsDelta(tuple(self._tokens)))
        self._tokens = []

    def _add_text(self, event: ir.Event) -> None:
        if self._blocks.say("text", event):
            self._pieces, self._places = [], None

    def _cite(self, source: Source) -> None:
        """Write a source into the last text; its place counts characters there, and bytes here."""
        text = self._places = self._places or Places()
        for piece in self._pieces:
            text.add(piece)
        self._pieces.clear()
        placed = self._blocks.texts == 1 and source.start_index is not None and source.end_index is not None
        start, end = (source.start_index or 0, source.end_index or 0) if placed else (0, 0)
        start, end = max(start, 0), max(start, end, 0)
        self._add_text(
            ir.CitationDelta(
                url=source.url,
                title=source.title or "",
                start=text.to_bytes(start) if placed else None,
                end=text.to_bytes(end) if placed else None,
                text=text.between(start, end),
            )
        )

    def _show(self, url: str) -> None:
        try:
            shown = picture(url, "images")
        except InvalidRequest:
            return
        self._said = True
        if isinstance(shown, ir.TextDelta):
            self._say(shown.text)
        else:
            self._blocks.whole("media", shown)

    def _call(self, call: Call, index: int | None) -> None:
        function, custom = call.function or Function(), call.custom
        name = function.name or (custom and custom.name) or ""
        block = self._blocks.call(index, call.id or "", name)
        if block.ended:
            return  # it was whole already
        block.name = block.name or self._options.names.original(name)
        extra = call.extra_content
        if extra is not None and extra.google is not None and extra.google.thought_signature:
            self._blocks.sign(block, extra.google.thought_signature)
        if custom is not None:
            block.custom = True
            if custom.input:
                block.write(custom.input)
        elif (given := arguments_of(function.arguments)) != "":
            block.argue(given)

    # the end

    def _end(self, *, done: bool) -> None:
        for index, other in self._others.items():
            if not self._ended:
                self._alternative(index, other.end_choice(done=done))
        if self._ended:
            return
        ending = self._ending(done=done)
        if isinstance(ending, GatewayError):
            self._fail(ending)
            return
        if not self._started:
            self._start(Chunk())
        if self._sources and self._blocks.speaks and self._places is None:  # else its words have sources of their own
            for source in read_sources(*self._sources):
                self._cite(source)
        if self._unplaced:
            self._sign(next(iter(self._unplaced.values())).data or "")
        if self._tokens and self._blocks.speaks:  # of an end mark, which has no words
            self._tell()
        self._finished_with(self._tally.usage(), ending)

    def _sign(self, value: str) -> None:
        """Sign the first call with what names none, or the words where nothing is called."""
        calls = self._blocks.calls
        if not calls and self._blocks.texts:
            self._add_text(ir.SignatureDelta(ir.Signature("gemini", value)))
        elif calls:
            self._blocks.sign(calls[0], value)

    def _ending(self, *, done: bool) -> ir.Finished | GatewayError:
        native, calls = self._finish, self._blocks.calls
        if (nameless := self._nameless()) is not None:
            return nameless
        reason = reason_of(native or "stop")
        if native is not None and native.partition(":")[0] == MALFORMED:
            return UpstreamMalformed(f"the upstream ended its response with {native!r}", code=NO_CALL)
        if reason is None:
            return UpstreamUnavailable(f"the upstream ended its response with {native!r}")
        if native is None and not (done and self._heard()):
            return StreamBroken(StreamBroken.CUT)
        if reason == "stop" and calls:
            reason = "tool_calls"
        elif reason == "stop" and self._refusal:
            reason = "content_filter"  # a refusal is said beside the content, and ends like an answer
        return ir.Finished(reason=reason, native=native, explanation="".join(self._refusal) or None)


def _says(error: Raw) -> bool:
    """Tell an error from what some servers write where there is none."""
    return bytes(error) not in NOTHING


def _thought(delta: Delta) -> str:
    """Give the words of a thought; the same ones may stand in several fields."""
    if delta.reasoning_content:
        return delta.reasoning_content
    return (read(delta.reasoning, TEXT) or "") if delta.reasoning is not UNSET else ""
