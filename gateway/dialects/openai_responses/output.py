"""The output of a response: its items as they grow, and the events that tell of them.

    item added (part added, delta*, annotation*, text done, part done)* item done

One item is open at a time, and one part of it. A message lasts until another item begins: each block of text is a
part of it. Reasoning and calls last as long as their blocks; a call whose arguments broke off waits for what comes
next: when that is the end of an answer that was cut, it is never done, so that nobody runs it.

A search of the web stands last, for in a stream the upstream names its sources when the text has already gone out.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from msgspec import Struct

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.anthropic.answer import JSON, carrier, envelope
from gateway.dialects.content import is_whole
from gateway.dialects.gemini.names import map_id
from gateway.dialects.logprobs import write_logprobs
from gateway.dialects.openai_chat.answer import free_text, refusal
from gateway.dialects.places import Places
from gateway.dialects.searched import searched
from gateway.dialects.shown import markdown

from . import answer
from .ran import RAN, Ran, ran_by

__all__ = ["Emit", "Output"]

Emit = Callable[[str, JSON], None]


class _Words(Struct, frozen=True, kw_only=True):
    """Words in a part of an item: the names of its fields, and how the names of its events begin."""

    item: str
    parts: str
    index: str
    part: str
    text: str
    blank: JSON
    field: str = "text"
    extra: JSON = {}


_TEXT: Final = _Words(
    item="message",
    parts="content",
    index="content_index",
    part="response.content_part",
    text="response.output_text",
    blank={"type": "output_text", "text": "", "annotations": []},
    extra={"logprobs": []},
)
_REFUSAL: Final = _Words(
    item="message",
    parts="content",
    index="content_index",
    part="response.content_part",
    text="response.refusal",
    blank={"type": "refusal", "refusal": ""},
    field="refusal",
)
_SUMMARY: Final = _Words(
    item="reasoning",
    parts="summary",
    index="summary_index",
    part="response.reasoning_summary_part",
    text="response.reasoning_summary_text",
    blank={"type": "summary_text", "text": ""},
)
_SEARCH: Final = "web_search_call"
_ITEMS: Final[dict[str, tuple[str, JSON]]] = {  # the start of its id, and what it begins as
    "message": ("msg", {"role": "assistant", "content": []}),
    "reasoning": ("rs", {"summary": []}),
    "function_call": ("fc", {"arguments": ""}),
    "custom_tool_call": ("ctc", {"input": ""}),
    "image_generation_call": ("ig", {"result": None}),
    _SEARCH: ("ws", {}),
    **{ran.item: (ran.prefix, {}) for ran in RAN.values()},
}
_ARGUMENTS: Final = {  # the field of a call, and how the names of its events begin
    "function_call": ("arguments", "response.function_call_arguments"),
    "custom_tool_call": ("input", "response.custom_tool_call_input"),
}
_STATES: Final = {
    "image_generation_call": ("in_progress", "generating", "completed"),
    _SEARCH: ("in_progress", "searching", "completed"),
}


class Output:
    """Takes the events of blocks; `items` is the output so far."""

    def __init__(self, answering: Answering, emit: Emit) -> None:
        request = answering.request
        self.items: list[JSON] = []
        self._answering = answering
        self._emit = emit
        self._shows = request.reasoning.visible is not False
        self._carries = answer.carries(answering)
        self._unseen: list[str] = []  # words of a thought that the caller does not see
        self._free_form = frozenset(tool.name for tool in request.tools if tool.free_form)
        self._runs = ran_by(request.tools)
        self._ran: tuple[Ran, str] | None = None  # what is called, by what id: the item waits for its arguments
        self._namespaces = {tool.name: tool.namespace for tool in request.tools if tool.namespace}
        self._said = False  # anything but thoughts
        self._sealed: dict[int, str] = {}
        self._item: JSON = {}  # the open one, the last of `items`; {} = none
        self._parts: list[JSON] = []  # of the open message or reasoning
        self._words: _Words | None = None  # of the open part
        self._at: JSON = {}  # where the next delta goes
        self._pieces: list[str] = []  # of the open part or call
        self._kind: ir.BlockKind = "text"
        self._call: ir.BlockStarted | None = None  # waits: its signature stands in an item before it
        self._signature: ir.Signature | None = None
        self._sources: list[ir.CitationDelta] = []  # of the open part
        self._cited: list[ir.CitationDelta] = []
        self._opaque: list[ir.OpaqueEvent] = []
        self._tokens: list[ir.Logprob] = []  # of the words that come next
        self._likely: list[JSON] = []  # of the open part

    def take(self, event: ir.Event) -> None:
        """Take the next event of a block."""
        take = self._TAKE.get(type(event))
        if take is not None:
            take(self, event)

    def finish(self, finish: ir.Finished) -> JSON:
        """End what is open; give the fields of the Response object that say how it ended."""
        reason = answer.incomplete(finish)
        if (words := refusal(finish, said=self._said)) is not None:
            self._write(_REFUSAL, words)
            self._close()
        if reason and (self._ran is not None or self._item.get("type") in _ARGUMENTS):
            self.abandon()
        self._run()
        self._close("incomplete" if reason else "completed")
        self._search()
        details = {"reason": reason} if reason else None
        return {"status": "incomplete" if reason else "completed", "incomplete_details": details}

    def abandon(self) -> None:
        """Leave what is open as it has been told."""
        self._sources.clear()
        self._tokens.clear()
        self._ran = None
        if self._words is not None:
            self._fill(self._words)
        elif self._item.get("type") == "function_call":
            self._item["arguments"] = "".join(self._pieces)
        if self._item:
            self._item["status"] = "incomplete"
        self._item = {}

    def stored(self) -> list[JSON]:
        """Give the items as they are kept: with what seals the thoughts, whether or not the caller has it."""
        if self._carries or not self._sealed:
            return self.items
        sealed = {index: {"encrypted_content": value} for index, value in self._sealed.items()}
        return [{**item, **sealed.get(index, {})} for index, item in enumerate(self.items)]

    # blocks

    def _search(self) -> None:
        """Tell of a search, if one took place and the caller asked for one."""
        told = searched(self._cited, self._opaque, self._answering.request)
        if told is not None:
            self._pass_through(_SEARCH, action=answer.search(told, self._answering))
            self._close()

    def _start(self, event: ir.BlockStarted) -> None:
        self._run()
        self._kind = event.kind
        self._unseen.clear()
        self._call = event if event.kind == "tool_call" else None
        self._signature = None

    def _say(self, event: ir.TextDelta) -> None:
        if event.text:
            self._said = True
            self._write(_TEXT, event.text)

    def _think(self, event: ir.ThinkingDelta) -> None:
        if not self._shows:
            self._unseen.append(event.text)
        elif event.text:
            self._write(_SUMMARY, event.text)

    def _sign(self, event: ir.SignatureDelta) -> None:
        self._signature = event.signature
        if self._call is not None:
            self._seal(carrier(event.signature, self._answering))

    def _cite(self, event: ir.CitationDelta) -> None:
        self._sources.append(event)
        self._cited.append(event)

    def _keep(self, event: ir.OpaqueEvent) -> None:
        self._opaque.append(event)

    def _tell(self, event: ir.LogprobsDelta) -> None:
        self._tokens += event.tokens

    def _show(self, event: ir.MediaChunk) -> None:
        self._said = True
        if not event.media_type.startswith("image/"):
            self._write(_TEXT, markdown(event.media_type, event.data))
            return
        self._pass_through("image_generation_call", output_format=event.media_type.removeprefix("image/"))
        self._item["result"] = event.data
        self._close()

    def _argue(self, event: ir.ArgumentsDelta) -> None:
        self._begin_call()
        if event.json:
            self._pieces.append(event.json)
            if self._ran is None and self._item["type"] == "function_call":
                self._emit("response.function_call_arguments.delta", {**self._at, "delta": event.json})

    def _end(self, _: ir.BlockEnded) -> None:
        if self._kind == "thinking":
            self._seal(self._envelope())
        elif self._kind == "tool_call":
            self._begin_call()
            if is_whole("".join(self._pieces)):
                self._run()
                self._close()
        else:
            if self._words is None and self._sources:
                self._open_part(_TEXT)
            self._close_part()
            self._tokens.clear()  # of a block without words

    def _envelope(self) -> str:
        """Give the signature of thoughts; a bare one would come back as if OpenAI had made it.

        OpenAI seals all of its own: clients that keep the conversation do not send a thought back without a seal
        (AI SDK), or fail (Microsoft Agent Framework). One that nobody signed has an envelope that says so.
        """
        if self._signature is None:
            told = self._carries and self._item.get("type") == "reasoning"
            return envelope(None, self._answering) if told else ""
        known = self._signature.issuer is not None
        return envelope(self._signature, self._answering, "".join(self._unseen)) if known else ""

    # items

    def _begin(self, kind: str, **fields: object) -> JSON:
        """Open an item; give where its events stand."""
        self._close()
        prefix, blank = _ITEMS[kind]
        index = len(self.items)
        identifier = answer.item_id(prefix, self._answering, index)
        self._item = {"id": identifier, "type": kind, "status": "in_progress", **blank, **fields}
        self.items.append(self._item)
        self._at = {"item_id": identifier, "output_index": index}
        self._emit("response.output_item.added", {"output_index": index, "item": self._item})
        return self._at

    def _pass_through(self, kind: str, **fields: object) -> None:
        """Open an item of a service, and tell of all its states at once."""
        at = self._begin(kind, **fields)
        for state in _STATES[kind]:
            self._emit(f"response.{kind}.{state}", at)

    def _begin_call(self) -> None:
        call, self._call = self._call, None
        if call is None:
            return
        self._said = True
        identifier = map_id(call.id) if call.id else answer.item_id("call", self._answering, len(self.items))
        if (ran := self._runs.get(call.name)) is not None:
            self._close()
            self._ran = ran, identifier
            return
        namespace, name = self._namespaces.get(call.name, ("", call.name))
        fields = {"namespace": namespace} if namespace else {}
        kind = "custom_tool_call" if call.name in self._free_form else "function_call"
        self._begin(kind, call_id=identifier, name=name, **fields)

    def _run(self) -> None:
        """Write the call of a tool that OpenAI defines, once all its arguments are there."""
        if self._ran is None:
            return
        (ran, identifier), self._ran = self._ran, None
        said = ran.said("".join(self._pieces))
        self._pieces.clear()
        self._begin(ran.item, call_id=identifier, **said)
        self._close()

    def _seal(self, sealed: str) -> None:
        """End the reasoning that is open, or write one that has nothing but a signature."""
        if sealed and self._item.get("type") != "reasoning":
            self._begin("reasoning")
        if self._item.get("type") != "reasoning":
            return
        if sealed:
            self._sealed[len(self.items) - 1] = sealed
        if sealed and self._carries:
            self._item["encrypted_content"] = sealed
        self._close()

    def _close(self, status: str = "completed") -> None:
        if not self._item:
            return
        self._close_part()
        if self._item["type"] in _ARGUMENTS:
            self._close_call(str(self._item["type"]))
        self._item["status"] = status
        self._emit("response.output_item.done", {"output_index": len(self.items) - 1, "item": self._item})
        self._item = {}

    def _close_call(self, kind: str) -> None:
        field, events = _ARGUMENTS[kind]
        text = "".join(self._pieces) or "{}"
        if kind == "custom_tool_call":
            text = free_text(text)
        if text and (kind == "custom_tool_call" or not self._pieces):
            self._emit(f"{events}.delta", {**self._at, "delta": text})
        self._pieces.clear()
        self._item[field] = text
        self._emit(f"{events}.done", {**self._at, "name": self._item["name"], field: text})

    # parts

    def _write(self, words: _Words, text: str) -> None:
        if self._words is None:
            self._open_part(words)
        self._pieces.append(text)
        extra = {"logprobs": self._told()} if self._tokens else words.extra
        self._emit(f"{words.text}.delta", {**self._at, "delta": text, **extra})

    def _told(self) -> list[JSON]:
        """Take what waits of how likely the tokens are."""
        told = write_logprobs(self._tokens)
        self._tokens.clear()
        self._likely += told
        return told

    def _open_part(self, words: _Words) -> None:
        if self._item.get("type") != words.item:
            self._parts = []
            self._begin(words.item, **{words.parts: self._parts})
        self._words = words
        self._at = {"item_id": self._item["id"], "output_index": len(self.items) - 1, words.index: len(self._parts)}
        self._emit(f"{words.part}.added", {**self._at, "part": words.blank})

    def _fill(self, words: _Words) -> JSON:
        """Put the words of the open part into its item."""
        text = "".join(self._pieces)
        part: JSON = {**words.blank, words.field: text}
        if self._sources:
            places = Places(text)
            part["annotations"] = [answer.citation(source, places) for source in self._sources]
        if self._tokens:
            self._told()
        if self._likely:
            part["logprobs"], self._likely = self._likely, []
        self._parts.append(part)
        self._words = None
        self._pieces.clear()
        self._sources.clear()
        return part

    def _close_part(self) -> None:
        words = self._words
        if words is None:
            return
        part = self._fill(words)
        annotations: Any = part.get("annotations", ())
        for index, annotation in enumerate(annotations):
            members: JSON = {**self._at, "annotation_index": index, "annotation": annotation}
            self._emit("response.output_text.annotation.added", members)
        extra = {name: part.get(name, value) for name, value in words.extra.items()}
        self._emit(f"{words.text}.done", {**self._at, words.field: part[words.field], **extra})
        self._emit(f"{words.part}.done", {**self._at, "part": part})

    _TAKE: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        ir.BlockStarted: _start,
        ir.TextDelta: _say,
        ir.ThinkingDelta: _think,
        ir.SignatureDelta: _sign,
        ir.ArgumentsDelta: _argue,
        ir.CitationDelta: _cite,
        ir.LogprobsDelta: _tell,
        ir.OpaqueEvent: _keep,
        ir.MediaChunk: _show,
        ir.BlockEnded: _end,
    }
