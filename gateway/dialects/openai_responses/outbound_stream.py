"""Read an upstream's answer: events of OpenAI Responses in, neutral events out, in their grammar whatever comes.

    response.created ─► Started     an item ─► its blocks, in the order in which they began
    response.completed, .incomplete, .failed, error ─► the end; nothing else is one but .done, which some relays write

Servers leave out events, or send the output only with the last one: what was not said by then is said from there. A
stream that ends without one of these is broken, unless a message or a call of it is whole and nothing has begun since.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from gateway import ir
from gateway.dialects.gemini.errors import mask
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_chat.outbound_blocks import Blocks
from gateway.dialects.openai_chat.outbound_errors import read_details, read_error
from gateway.dialects.openai_chat.outbound_wire import arguments_of
from gateway.dialects.outbound_reader import BlockReader
from gateway.dialects.raw import NULL
from gateway.errors import GatewayError, StreamBroken, UpstreamUnavailable

from .items import DIALECT
from .outbound_executed import INTERPRETER, executed
from .outbound_output import Call, Message, Output, Reasoning
from .outbound_wire import MAKING, Event, Item, Part, Response, read_event, read_item, read_response

__all__ = ["ReadOptions", "StreamReader"]

_INCOMPLETE: Final[dict[str, ir.FinishReason]] = {
    "max_output_tokens": "length",
    "max_messages": "length",
    "content_filter": "content_filter",
    "steered": "stop",
}
_ITEMS: Final = frozenset({"message", "reasoning", "function_call", "custom_tool_call", "image_generation_call"})
_LAST: Final = frozenset({"message", "function_call", "custom_tool_call"})  # items that an answer may end with
_MORE: Final = "commentary"  # the phase of a message that says what the model goes on to do
_DONE: Final = "[DONE]"
_encode: Final = msgspec.json.Encoder().encode

_Known = TypeVar("_Known", Message, Reasoning, Call)


class ReadOptions(Struct, frozen=True, kw_only=True):
    """What the reader must know of the request; see OpenAIWritten.

    `salt`: makes ids for calls that have none, or one of `turns`, the conversation so far, in the form of the
    caller's `dialect`.
    """

    names: NameMap
    salt: str = ""
    turns: Sequence[ir.Turn] = ()
    dialect: str = ""
    namespaces: Mapping[str, tuple[str, str]] = {}


class _Seen(Struct):
    """An item of the output: what is read of it, whether it is complete, and whether the answer may end with it."""

    kind: str
    id: str | None
    output: Output | None
    done: bool = False
    last: bool = False


class _Left:
    """What has been read of items that the last event has not named yet."""

    def __init__(self, items: Sequence[_Seen]) -> None:
        self._taken: set[int] = set()
        self._alike: defaultdict[tuple[str, str | None], deque[_Seen]] = defaultdict(deque)
        for seen in items:
            self._alike[seen.kind, None].append(seen)
            if seen.id:
                self._alike[seen.kind, seen.id].append(seen)

    def match(self, item: Item, at: _Seen | None) -> _Seen | None:
        """Take what is already read of an item: by its id, its place, or as the first of its kind."""
        found = self._first(item.type, item.key) if item.key else None
        if found is None and at is not None and at.kind == item.type and id(at) not in self._taken:
            found = at
        found = found or self._first(item.type, None)
        if found is not None:
            self._taken.add(id(found))
        return found

    def _first(self, kind: str, key: str | None) -> _Seen | None:
        alike = self._alike[kind, key]
        while alike and id(alike[0]) in self._taken:
            alike.popleft()
        return alike[0] if alike else None


class StreamReader(BlockReader):
    """Reads one answer."""

    def __init__(self, options: ReadOptions) -> None:
        super().__init__(options.salt, options.turns)
        self._blocks.dialect = options.dialect
        self._names = options.names
        self._within = {inner: name for name, inner in options.namespaces.items()}
        self._usage: ir.Usage | None = None
        self._items: list[_Seen] = []
        self._by_id: dict[str, _Seen] = {}
        self._by_index: dict[int, _Seen] = {}

    @property
    def usage(self) -> ir.Usage | None:
        """What the upstream has counted so far."""
        return self._usage

    def feed(self, payloads: Sequence[str | bytes]) -> list[ir.Event]:
        """Take the data of the next events of the stream."""
        for payload in payloads:
            if self._ended:
                break
            if payload == _DONE:  # what is not complete by then will not be
                self._close()
            else:
                self._read(payload)
        return self._flushed()

    def feed_whole(self, body: bytes) -> list[ir.Event]:
        """Take an answer that came as one JSON document, and end it."""
        try:
            response = read_response(body)
            if response.error == NULL and response.output is None and response.status is None:
                raise ValueError(read_details(body).message or "it has no output")
            if response.background and response.status in MAKING:
                self._start(response)
                self._finished_with(None, ir.Finished(reason="pause", native=response.status))
            else:
                self._finish(response, "response.failed" if response.error != NULL else f"response.{response.status}")
        except ValueError as error:
            self._unreadable(read_details(body).message or mask(str(error)))
        return self._flushed()

    def _read(self, data: str | bytes) -> None:
        try:
            event = read_event(data, self._TYPES)
            take = self._TAKE.get(event.type)
            if take is not None:
                take(self, event)
            elif not event.type and event.error != NULL:
                self._failed(event)
        except ValueError as error:
            self._unreadable(mask(str(error)))

    def _start(self, response: Response | None) -> None:
        if self._started:
            return
        self._started = True
        given = response or Response()
        started = ir.Started(
            id=given.id or None,
            model=given.model or None,
            usage=given.counted(),
        )
        self._events.append(started)

    def _begun(self, event: Event) -> None:
        if event.response is not None:
            self._start(event.response)

    # items

    def _added(self, event: Event) -> None:
        self._start(None)
        item = read_item(event.item, _ITEMS)
        known, key = self._known(item.key, event.output_index), item.key
        if known is None or known.done or known.kind != item.type or (known.id and key and known.id != key):
            known = self._new(item.type, key, event.output_index)
        self._name(known.output, item)

    def _done(self, event: Event) -> None:
        self._start(None)
        item = read_item(event.item, _ITEMS)
        known = self._known(item.key, event.output_index)
        if known is None or known.kind != item.type:
            known = self._new(item.type, item.key, event.output_index)
        self._complete(known, item, event.item)

    def _complete(self, known: _Seen, item: Item, raw: Raw, *, cut: bool = False) -> None:
        """Take an item that says of itself that it is done; `cut`: the whole answer is not."""
        if known.done:
            return
        known.done = True
        known.last = item.type in _LAST and item.status in (None, "completed") and item.phase != _MORE
        self._name(known.output, item)
        if known.output is not None:
            known.output.finish(item, cut=item.status == "incomplete" or (cut and item.status != "completed"))
        elif item.type == "image_generation_call":
            if item.result:
                kind = f"image/{item.output_format or 'png'}"
                self._blocks.whole("media", ir.MediaChunk(media_type=kind, data=item.result))
        elif item.type:
            self._events += self._blocks.events()
            self._events.append(ir.OpaqueEvent(dialect=DIALECT, kind=item.type, value=raw))
            for said in executed(raw) if item.type == INTERPRETER else ():
                self._blocks.whole("text" if isinstance(said, ir.TextDelta) else "media", said)

    def _known(self, given: str | None, index: int | None) -> _Seen | None:
        found = self._by_id.get(given) if given else None
        return self._by_index.get(index) if found is None and index is not None else found

    def _new(self, kind: str, given: str | None, index: int | None) -> _Seen:
        make = _OUTPUTS.get(kind)
        seen = _Seen(kind=kind, id=given, output=make(self._blocks) if make is not None else None)
        self._items.append(seen)
        if given:
            self._by_id[given] = seen
        if index is not None:
            self._by_index[index] = seen
        return seen

    def _of(self, event: Event, kind: str, known: type[_Known]) -> _Known:
        """Find the item that an event is about; one that was not announced begins with it."""
        self._start(None)
        seen = self._known(event.item_id, event.output_index)
        if seen is None or not isinstance(seen.output, known):
            seen = self._new(kind, event.item_id, event.output_index)
        assert isinstance(seen.output, known)
        return seen.output

    def _name(self, output: Output | None, item: Item) -> None:
        """Give a call the name that the caller has for it."""
        if not isinstance(output, Call) or not item.name:
            return
        block = output.block
        name = self._within.get((item.namespace, item.name), item.name) if item.namespace else item.name
        block.given = block.given or item.call_id or item.id or ""
        block.name = block.name or self._names.original(name)

    # what items consist of

    def _text(self, event: Event) -> None:
        """Take more words; behind the end of their message they are another one: OmniRoute ends it too early."""
        if event.delta:
            index = event.content_index or 0
            if not self._of(event, "message", Message).text(index).add(event.delta, event.logprobs):
                self._new("message", event.item_id, event.output_index)
                self._of(event, "message", Message).text(index).add(event.delta, event.logprobs)

    def _text_done(self, event: Event) -> None:
        if event.text:
            self._of(event, "message", Message).text(event.content_index or 0).complete(event.text, event.logprobs)

    def _part_done(self, event: Event) -> None:
        part = event.part or Part()
        if part.type in ("output_text", "refusal"):
            self._of(event, "message", Message).part(event.content_index or 0, part)

    def _cite(self, event: Event) -> None:
        self._of(event, "message", Message).text(event.content_index or 0).cite(event.annotation)

    def _refuse(self, event: Event) -> None:
        index = event.content_index or 0
        self._of(event, "message", Message).refuse(index, event.delta or "", event.refusal)

    def _summarise(self, event: Event) -> None:
        index = event.summary_index or 0
        self._of(event, "reasoning", Reasoning).add("summary", index, event.delta or "", event.text)

    def _think(self, event: Event) -> None:
        index = event.content_index or 0
        self._of(event, "reasoning", Reasoning).add("content", index, event.delta or "", event.text)

    def _argue(self, event: Event) -> None:
        self._of(event, "function_call", Call).add(event.delta or "", arguments_of(event.arguments))

    def _input(self, event: Event) -> None:
        self._of(event, "custom_tool_call", Call).add(event.delta or "", event.input)

    # the end

    def _ending(self, event: Event) -> None:
        response = event.response or Response()
        if response.error == NULL and event.error != NULL:
            response.error = event.error  # Pioneer says beside a response why it failed
        told = f"response.{response.status}"  # some servers call every end completed
        self._finish(response, told if told in self._TYPES else event.type)

    def _failed(self, event: Event) -> None:
        """Take an error, which may stand by itself or be the whole event."""
        flat = {"message": event.message, "code": event.code, "param": event.param}
        self._fail(_error(event.error if event.error != NULL else Raw(_encode(flat))))

    def _finish(self, response: Response, kind: str) -> None:
        self._start(response)
        counted = response.counted()
        self._usage = counted or self._usage
        if kind in _BROKEN:
            self._fail(_broken(response, kind))
            return
        cut = kind == "response.incomplete"
        self._settle(response.output or (), cut=cut)
        error = self._nameless()
        if error is not None:
            self._fail(error)
            return
        self._finished_with(counted, self._finished(response, cut=cut, called=bool(self._blocks.calls)))

    def _settle(self, output: Sequence[Raw], *, cut: bool) -> None:
        """Say what the last event holds and nothing before it did; end what is still open.

        Of an answer that was `cut` the last item was; one before it that does not say how far it came is whole.
        """
        left, last = _Left(self._items), len(output) - 1
        for index, raw in enumerate(output):
            item = read_item(raw, _ITEMS)
            seen = left.match(item, self._by_index.get(index)) or self._new(item.type, item.key, None)
            self._complete(seen, item, raw, cut=cut and (index == last or item.status is not None))
        for seen in self._items:
            if not seen.done and seen.output is not None:
                seen.output.finish(Item(type=seen.kind), cut=cut)

    def _close(self) -> None:
        """Take the end of the stream: OpenRouter's may have none of its own behind items that are all complete."""
        if self._items and self._items[-1].last and all(seen.done for seen in self._items):
            self._finish(Response(), "response.completed")
        else:
            super()._close()

    def _finished(self, response: Response, *, cut: bool, called: bool) -> ir.Finished:
        messages = (seen.output for seen in self._items if isinstance(seen.output, Message))
        refusal = "\n\n".join(message.refusal for message in messages if message.refusal) or None
        if cut:
            native = (response.incomplete_details and response.incomplete_details.reason) or "incomplete"
            return ir.Finished(reason=_INCOMPLETE.get(native, "length"), native=native, explanation=refusal)
        reason: ir.FinishReason = "tool_calls" if called else "content_filter" if refusal else "stop"
        return ir.Finished(reason=reason, native="completed", explanation=refusal)

    _TAKE: ClassVar[dict[str, Callable[[Any, Event], None]]] = {
        "response.created": _begun,
        "response.queued": _begun,
        "response.in_progress": _begun,
        "response.output_item.added": _added,
        "response.output_item.done": _done,
        "response.content_part.done": _part_done,
        "response.output_text.delta": _text,
        "response.output_text.done": _text_done,
        "response.output_text.annotation.added": _cite,
        "response.refusal.delta": _refuse,
        "response.refusal.done": _refuse,
        "response.reasoning_summary_text.delta": _summarise,
        "response.reasoning_summary_text.done": _summarise,
        "response.reasoning_text.delta": _think,
        "response.reasoning_text.done": _think,
        "response.function_call_arguments.delta": _argue,
        "response.function_call_arguments.done": _argue,
        "response.custom_tool_call_input.delta": _input,
        "response.custom_tool_call_input.done": _input,
        "response.completed": _ending,
        "response.incomplete": _ending,
        "response.failed": _ending,
        "response.cancelled": _ending,
        "response.done": _ending,
        "error": _failed,
    }
    _TYPES: ClassVar[frozenset[str]] = frozenset(_TAKE)


_OUTPUTS: Final[dict[str, Callable[[Blocks], Output]]] = {
    "message": Message,
    "reasoning": Reasoning,
    "function_call": lambda blocks: Call(blocks, custom=False),
    "custom_tool_call": lambda blocks: Call(blocks, custom=True),
}
_BROKEN: Final = {
    "response.failed": "the upstream failed without saying why",
    "response.cancelled": "the upstream cancelled its response",
    "response.in_progress": "",
    "response.queued": "",
}


def _broken(response: Response, kind: str) -> GatewayError:
    if response.error != NULL:
        return _error(response.error)
    words = _BROKEN[kind]
    return UpstreamUnavailable(words) if words else StreamBroken(StreamBroken.CUT)


def _error(raw: Raw) -> GatewayError:
    return read_error(200, b'{"error":%b}' % bytes(raw), {})
