"""Read a streamed answer: chunks in, neutral events out, in their grammar whatever comes.

    text ─► text block, open until something else comes or the stream ends, so that late sources find it; words go on
            in it behind a signature, for callers show each block by itself, and the last signature is that of all
    thought ─► thinking block, closed by its signature
    functionCall, inlineData ─► a block that is complete at once

The end is held back until the upstream closes: usage may follow the finish reason, and a tool turn says STOP.
Where several candidates were asked for, each but the first has a reader of its own, and its events are alternatives.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.content import arguments
from gateway.dialects.raw import NOTHING
from gateway.dialects.shown import fenced, link
from gateway.errors import GatewayError, StreamBroken, UpstreamMalformed

from .errors import mask, read_details, read_error
from .executed import LANGUAGES
from .logprobs import read_logprobs
from .names import NameMap, call_ids, legal_id, made_id
from .schema import Cleaned, strip_placeholders
from .usage import Tally
from .wire import (
    Blob,
    Call,
    Candidate,
    Chunk,
    Feedback,
    Part,
    finish_of,
    read_chunks,
    read_fetched,
    read_grounding,
    read_native,
    read_recited,
)

__all__ = ["ReadOptions", "StreamReader"]

_FINISHED: Final[dict[str, ir.FinishReason]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "pause",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}
# Never a clean end, whatever came before: a call of the same answer may be missing.
_MALFORMED: Final = {
    "MALFORMED_FUNCTION_CALL": "upstream_malformed_tool_call",
    "UNEXPECTED_TOOL_CALL": "upstream_unexpected_tool_call",
    "TOO_MANY_TOOL_CALLS": "upstream_too_many_tool_calls",
    "MALFORMED_RESPONSE": "upstream_malformed",
    "MISSING_THOUGHT_SIGNATURE": "upstream_missing_thought_signature",
}
_SOURCES: Final[dict[str, Callable[[Raw], list[ir.CitationDelta]]]] = {
    "groundingMetadata": read_grounding,
    "citationMetadata": read_recited,
}
# Callers take a chunk that begins so for an error, even with null in it.
_ERROR: Final = re.compile(rb'\{\s*"error"\s*:')
_UNCOUNTED: Final = ir.Usage()


class ReadOptions(Struct, frozen=True, kw_only=True):
    """What the reader of an answer must know of the request; see `Written`.

    `salt`: makes ids for calls that have none, or one of `turns`, the conversation so far, where the answer has no id
    of its own; they have the form of the caller's `dialect`. `native`: each chunk passes, too, out of the envelope that
    Code Assist has around it. `candidates`: how many were asked for.
    """

    names: NameMap
    family: ir.Family
    salt: str
    turns: Sequence[ir.Turn] = ()
    dialect: str = ""
    placeholders: Mapping[str, Cleaned] = {}
    parallel: bool = True
    answer: str = ""
    native: bool = False
    candidates: int = 1


class StreamReader:
    """Read one answer.

    `skipped` counts events that could not be decoded. `empty`: it ended well, with nothing for a person or a tool.
    `finished`: the upstream has said why its answer ends; usage may follow, and nothing has to.
    """

    finished = False
    skipped = 0
    empty = False
    _started = _ended = _visible = _answered = False
    _id = ""
    _open: ir.BlockKind | None = None
    _texts = 0
    _continues = False  # the last call; its pieces are their caller's
    _before: frozenset[str] | None = None  # ids of the conversation so far
    _finish: str | None = None
    _finish_message: str | None = None
    _blocked: Feedback | None = None

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._events: list[ir.Event] = []
        self._tally = Tally()
        self._call_ids: set[str] = set()
        self._tokens: list[ir.Logprob] = []  # of the words that come next
        self._sources: dict[str, Raw] = {}
        self._others: dict[int, StreamReader] = {}

    @property
    def usage(self) -> ir.Usage | None:
        """What the upstream has counted so far."""
        return self._tally.usage()

    def feed(self, payloads: Sequence[str | bytes]) -> list[ir.Event]:
        """Take the data of the next events of the stream."""
        for payload in payloads:
            try:
                chunks = read_chunks(payload)
            except ValueError:
                self.skipped += 1
                continue
            if self._options.native:
                self._pass(chunks, read_native(payload))
                continue
            for chunk in chunks:
                if not self._ended:
                    self._take(chunk)
        return self._flushed()

    def feed_whole(self, body: bytes) -> list[ir.Event]:
        """Take an answer that came as one JSON document, and end it."""
        events = self.feed([body])
        if self.skipped and not self._ended:
            self._fail(UpstreamMalformed(f"the upstream's response cannot be read: {read_details(body).message}"))
        return events + self.close()

    def close(self) -> list[ir.Event]:
        """End the answer where the upstream's stream ended; idempotent."""
        for index, other in self._others.items():
            if not self._ended:
                self._alternative(index, other.close())
        if not self._ended:
            ending = self._ending()
            if isinstance(ending, GatewayError):
                self._fail(ending)
            else:
                self._end(ending)
        return self._flushed()

    def _flushed(self) -> list[ir.Event]:
        events, self._events = self._events, []
        return events

    def _fail(self, error: GatewayError) -> None:
        self._events.append(ir.Failed(error))
        self._ended = True

    # chunks

    def _pass(self, chunks: Sequence[Chunk], natives: Sequence[Raw]) -> None:
        for chunk, native in zip(chunks, natives, strict=True):
            if not self._ended:
                place = len(self._events)
                self._take(chunk)
                if not self._ended and not _ERROR.match(bytes(native)):
                    self._events.insert(place, ir.Passed(bytes(native)))

    def _take(self, chunk: Chunk) -> None:
        if chunk.error and bytes(chunk.error) not in NOTHING:
            self._fail(read_error(200, b'{"error":%b}' % bytes(chunk.error), {}))
            return
        if chunk.usage_metadata is not None:
            self._tally.add(chunk.usage_metadata)
        if not self._started:
            self._start(chunk)
        if chunk.candidates:
            for candidate in chunk.candidates:
                if not candidate.index:
                    self._candidate(candidate)
                elif 0 < candidate.index < self._options.candidates:  # else nobody asked for it
                    self._alternative(candidate.index, self._other(candidate.index).feed_candidate(candidate))
                    self.finished = self._is_finished()
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason:
            self._blocked = chunk.prompt_feedback

    def _start(self, chunk: Chunk) -> None:
        counted = self._tally.usage()
        says = chunk.candidates or chunk.response_id or chunk.model_version or chunk.prompt_feedback
        if not says and counted in (None, _UNCOUNTED):
            return  # a sign of life
        self._id = chunk.response_id or ""
        self._started = True
        self._events.append(ir.Started(id=chunk.response_id, model=chunk.model_version, usage=counted))

    def _other(self, index: int) -> "StreamReader":
        if index not in self._others:
            salt = f"{self._id or self._options.salt}/{index}"
            self._others[index] = StreamReader(replace(self._options, salt=salt, candidates=1))
        return self._others[index]

    def _alternative(self, index: int, events: Sequence[ir.Event]) -> None:
        for event in events:
            if self._ended:  # with another candidate, in the same chunk
                return
            if isinstance(event, ir.Failed):
                self._fail(event.error)
            else:
                self._events.append(ir.Alternative(index, event))

    def feed_candidate(self, candidate: Candidate) -> list[ir.Event]:
        """Take what one chunk says of one candidate, whose answer it is alone."""
        self._candidate(candidate)
        return self._flushed()

    def _candidate(self, candidate: Candidate) -> None:
        content = candidate.content
        if candidate.logprobs_result:
            self._tokens += read_logprobs(candidate.logprobs_result)
        if content is not None and content.parts:
            for part in content.parts:
                if not self._ended:
                    self._part(part)
        if candidate.finish_reason:
            self._finish = finish_of(candidate)
            self._finish_message = candidate.finish_message
            self.finished = self._options.candidates == 1 or self._is_finished()
        if candidate.grounding_metadata:
            self._source("groundingMetadata", candidate.grounding_metadata)
        if candidate.citation_metadata:
            self._source("citationMetadata", candidate.citation_metadata)
        if candidate.url_context_metadata:
            self._source("urlContextMetadata", candidate.url_context_metadata)

    def _is_finished(self) -> bool:
        finished = [self._finish is not None, *(other.finished for other in self._others.values())]
        return all(finished) and len(finished) == self._options.candidates

    # parts

    def _part(self, part: Part) -> None:
        signature = part.thought_signature or part.thought_signature_twin
        call = part.function_call or part.function_call_twin
        if call is not None:
            self._call(call, signature)  # also when it is marked as a thought
        elif part.text:
            kind: ir.BlockKind = "thinking" if part.thought else "text"
            if self._open != kind:
                self._begin(kind)
            if self._tokens and not part.thought:
                self._tell()
            self._events.append(ir.ThinkingDelta(part.text) if part.thought else ir.TextDelta(part.text))
            if signature:
                self._sign(signature, thought=bool(part.thought))
        else:
            self._wordless(part, signature)

    def _wordless(self, part: Part, signature: str | None) -> None:
        blob = part.inline_data or part.inline_data_twin
        if blob is not None:
            if not part.thought:  # a thought's picture is a draft
                self._media(blob, signature)
        elif (file := part.file_data) is not None and file.file_uri:
            self._words(link(file.mime_type or "file/", file.file_uri))
        elif (code := part.executable_code) is not None:
            self._words(fenced(LANGUAGES.get(code.language or "", ""), code.code or ""))
        elif (ran := part.code_execution_result) is not None:
            self._words(fenced("output", ran.output or ""))
        elif signature and part.tool_call is UNSET and part.tool_response is UNSET:  # these sign themselves
            self._sign(signature, thought=bool(part.thought))

    def _sign(self, signature: str, *, thought: bool) -> None:
        """Sign the open block; a thought's signature ends it, and stands alone when its words are withheld."""
        if thought and self._open != "thinking":
            self._begin("thinking")
        if self._open is not None:
            self._events.append(ir.SignatureDelta(ir.Signature(self._options.family, signature)))
        if thought:
            self._end_block()

    def _call(self, call: Call, signature: str | None) -> None:
        if self._call_ids and not self._options.parallel:
            return
        continued, self._continues = self._continues, self._options.native and call.will_continue is True
        if not call.name:
            if not continued:
                code = _MALFORMED["MALFORMED_FUNCTION_CALL"]
                self._fail(UpstreamMalformed("the upstream called a tool without a name", code=code))
            return
        if call.name == self._options.answer:
            self._answer(call)
            return
        call_id = self._call_id(call.id or "")
        name = self._options.names.original(call.name)
        self._whole(
            ir.BlockStarted(kind="tool_call", id=call_id, name=name),
            ir.Signature(self._options.family, signature, "f") if signature else None,
            ir.ArgumentsDelta(self._arguments(call.name, call.args)),
        )

    def _answer(self, call: Call) -> None:
        """Take the arguments of the tool that stands for JSON mode as the answer's text."""
        if not self._answered:
            self._answered = True
            self._part(Part(text=self._arguments(self._options.answer, call.args)))

    def _call_id(self, given: str) -> str:
        """Keep a legal id that is new in the conversation, else make one: the same for the same answer."""
        if self._before is None:
            self._before = call_ids(self._options.turns)
        number = len(self._call_ids)
        while not legal_id(given) or given in self._call_ids or given in self._before:
            given = made_id(f"{self._id or self._options.salt}/{number}", self._options.dialect)
            number += 1
        self._call_ids.add(given)
        return given

    def _arguments(self, tool: str, args: Raw | UnsetType) -> str:
        given = arguments(None if args is UNSET else bytes(args))
        cleaned = self._options.placeholders.get(tool)
        if cleaned is not None:
            value = msgspec.json.decode(given)
            stripped = strip_placeholders(value, cleaned)
            if stripped != value:
                return msgspec.json.encode(stripped).decode()
        return bytes(given).decode()

    def _media(self, blob: Blob, signature: str | None) -> None:
        if not blob.data:
            return
        media_type = blob.mime_type or blob.mime_type_twin or "application/octet-stream"
        self._whole(
            ir.BlockStarted(kind="media"),
            ir.Signature(self._options.family, signature) if signature else None,
            ir.MediaChunk(media_type=media_type, data=blob.data),
        )

    def _words(self, words: str) -> None:
        self._texts += 1
        self._whole(ir.BlockStarted(kind="text"), None, ir.TextDelta(words))

    def _source(self, kind: str, value: Raw) -> None:
        if bytes(value) not in NOTHING:
            self._sources[kind] = value  # comes again with every later chunk, and grows

    # blocks

    def _whole(self, started: ir.BlockStarted, signature: ir.Signature | None, delta: ir.Event) -> None:
        """Write a block that is complete at once."""
        self._end_block()
        self._visible = True
        self._events.append(started)
        if signature is not None:
            self._events.append(ir.SignatureDelta(signature))
        self._events += (delta, ir.BlockEnded())

    def _begin(self, kind: ir.BlockKind) -> None:
        if self._open is not None:
            self._end_block(cites=self._open != kind)  # sources come again, and stand with the last words
        self._open = kind
        if kind == "text":
            self._visible = True
            self._texts += 1
        self._events.append(ir.BlockStarted(kind=kind))

    def _tell(self) -> None:
        self._events.append(ir.LogprobsDelta(tuple(self._tokens)))
        self._tokens = []

    def _end_block(self, *, cites: bool = True) -> None:
        if self._open is None:
            return
        if self._tokens and self._open == "text":  # they came behind their words
            self._tell()
        if cites and self._open == "text" and self._sources:
            self._cite()
        self._events.append(ir.BlockEnded())
        self._open = None

    def _cite(self) -> None:
        """Write the sources into the open text block, and whole for those who can read them."""
        found = [one for kind, read in _SOURCES.items() if kind in self._sources for one in read(self._sources[kind])]
        if (pages := self._sources.get("urlContextMetadata")) is not None:
            cited = {citation.url for citation in found}
            found += [citation for citation in read_fetched(pages) if citation.url not in cited]
        for citation in found:
            # Places are counted in the whole text; behind other blocks they are not those of this one.
            self._events.append(citation if self._texts == 1 else replace(citation, start=None, end=None))
        self._tell_sources()

    def _tell_sources(self) -> None:
        for kind, value in self._sources.items():
            self._events.append(ir.OpaqueEvent(dialect="gemini", kind=kind, value=value))
        self._sources = {}

    # the end

    def _end(self, ending: ir.Finished) -> None:
        self._end_block()
        if self._sources:
            self._tell_sources()
        if (counted := self._tally.usage()) is not None:
            self._events.append(ir.UsageReported(counted))
        self._events.append(ending)
        self._ended = True
        self.empty = ending.reason == "stop" and not self._visible

    def _ending(self) -> ir.Finished | GatewayError:
        native = self._finish
        # a call comes whole, so a tool turn may end without a reason; not where an event got lost, perhaps another call
        if native is None and (self.skipped or not (self._call_ids or self._answered)):
            return self._unfinished()
        said = "STOP" if native is None else native
        reason = _FINISHED.get(said)
        if reason is None and said not in _MALFORMED and self._visible:  # OTHER, LANGUAGE, … and names not known yet
            reason = "stop"
        if reason == "stop" and self._call_ids:
            reason = "tool_calls"
        if reason is not None:
            words = self._finish_message if reason == "content_filter" else None
            return ir.Finished(reason=reason, native=native, explanation=words)
        why = f": {mask(self._finish_message)}" if self._finish_message else ", and did not say why"
        code = _MALFORMED.get(said, "upstream_malformed")
        return UpstreamMalformed(f"the upstream ended its response with {mask(said)}{why}", code=code)

    def _unfinished(self) -> ir.Finished | GatewayError:
        blocked = self._blocked
        if blocked is None or blocked.block_reason is None:
            return StreamBroken(StreamBroken.CUT)
        words = blocked.block_reason_message or f"the upstream blocked the prompt: {blocked.block_reason}"
        return ir.Finished(reason="content_filter", native=blocked.block_reason, explanation=words)
