"""The items of a conversation → system texts and turns.

    reasoning ─ message (assistant) ─ function_call …   one turn of the assistant
    function_call_output …                              one turn of the user
    agent_message (of another agent of the caller)      a turn of the user
    message (user, system, developer)                   a turn each; leading instructions become the system prompt

A signature of a call travels as a reasoning item before it. What only OpenAI's own servers can read stays whole.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal

import msgspec
from msgspec import Raw, UnsetType

from gateway import ir
from gateway.dialects.content import IMAGES, arguments, limit_depth, media, wrapped
from gateway.dialects.known import read_known
from gateway.dialects.openai_chat.tools import distinct
from gateway.dialects.openai_chat.wire import given
from gateway.dialects.place import Place
from gateway.dialects.raw import TEXT

from . import wire
from .parts import Given, read_content
from .ran import RAN
from .tools import flat_name, read_tools

__all__ = ["DIALECT", "Conversation"]

DIALECT: Final = "openai-responses"

_Speaker = Literal["assistant", "user"]

# A call that the caller runs: the tool that must be declared for it, and where its arguments stand.
_RAN: Final = {ran.item: (ran.name, ran.field) for ran in RAN.values()}
_RAN_OUTPUTS: Final = {f"{kind}_output": name for kind, (name, _) in _RAN.items()}
# Done by OpenAI's own servers, or for them: by whom it was said.
_HOSTED: Final[dict[str, _Speaker]] = {
    "code_interpreter_call": "assistant",
    "computer_call": "assistant",
    "computer_call_output": "user",
    "file_search_call": "assistant",
    "mcp_approval_request": "assistant",
    "mcp_approval_response": "user",
    "mcp_call": "assistant",
    "mcp_list_tools": "assistant",
    "program": "assistant",
    "program_output": "assistant",
    "tool_search_call": "assistant",
    "web_search_call": "assistant",
}
_WORDS: Final = ("message", "function_call_output", "custom_tool_call_output")  # whose parts are looked at one by one
_REFUSED: Final = {
    "compaction": "only OpenAI can read what it has compacted; send the items themselves",
    "compaction_trigger": "compaction is not available here; ask for a summary",
}


class Conversation:
    """Collects system texts, turns and tools. `declared`: the tools of the request itself.

    `references`: where items are only named. `updates`: settings that hold from there on.
    """

    def __init__(self, declared: Iterable[ir.Tool]) -> None:
        self.system: list[ir.Text] = []
        self.turns: list[ir.Turn] = []
        self.tools = list(declared)
        self._speaker: _Speaker = "user"
        self._parts: list[ir.Part] = []
        self._places: list[tuple[str, ...]] = []
        self.references: list[str] = []
        self.updates: list[tuple[wire.Update, Place]] = []
        self._carried: tuple[ir.Signature, Place] | None = None
        self._calls: defaultdict[str, deque[str]] = defaultdict(deque)  # by name, those that have no result yet first
        self._answered: set[str] = set()

    def read(self, items: Sequence[Raw], place: Place) -> None:
        """Take the next items."""
        for index, raw in enumerate(items):
            at = place.item(index)
            kind = _kind(raw, at)
            if kind not in _WORDS:
                limit_depth(raw)
            if kind in _HOSTED:
                self._keep(kind, raw, at, _HOSTED[kind])
            else:
                _READERS[kind](self, kind, raw, at)
        self._end()

    def finish(self) -> tuple[tuple[ir.Text, ...], tuple[ir.Turn, ...], tuple[ir.Tool, ...]]:
        """Give system texts, turns and tools; instructions alone are said, the last of them, in their turn."""
        if not self.turns and self.system:
            self.turns.append(ir.Turn(role="system", parts=(self.system.pop(),)))
        return tuple(self.system), tuple(self.turns), distinct(self.tools)

    def _say(self, speaker: _Speaker, part: ir.Part, *places: str) -> None:
        if speaker != self._speaker:
            self._end()
            self._speaker = speaker
        self._parts.append(part)
        self._places.append(places)

    def _end(self) -> None:
        """Make a turn of what one side has said in a row."""
        self._carry(None)
        if self._parts:
            places = tuple(self._places) if any(self._places) else ()
            self.turns.append(ir.Turn(role=self._speaker, parts=tuple(self._parts), places=places))
            self._parts, self._places = [], []

    def _carry(self, signature: tuple[ir.Signature, Place] | None) -> None:
        """Hold the signature of the next call; one that no call has taken is lost."""
        if self._carried is not None:
            self._carried[1].lose("encrypted_content", "no call follows that it could belong to")
        self._carried = signature

    def _call(self, call_id: str, name: str, given: Raw) -> None:
        carried, self._carried = self._carried, None
        signature, places = (carried[0], [carried[1].path]) if carried else (None, list[str]())
        self._calls[name].append(call_id)
        self._say("assistant", ir.ToolCall(id=call_id, name=name, arguments=given, signature=signature), *places)

    def _keep(self, kind: str, raw: Raw, place: Place, speaker: _Speaker) -> None:
        self._say(speaker, ir.Opaque(dialect=DIALECT, kind=kind, value=raw, path=place.path))

    def _declares(self, name: str) -> bool:
        return any(tool.name == name for tool in self.tools)

    # one reader for each kind of item

    def message(self, _: str, raw: Raw, place: Place) -> None:
        """Read words of anybody."""
        message = read_known(raw, wire.MESSAGE, place)
        if message.phase is not None:
            place.lose("phase", "the text is carried, but not its phase")
        parts = list(read_content(message.content, place.at("content")))
        if message.role == "assistant":
            if self._carried is None and ir.Text in map(type, self._parts):
                self._end()  # two messages are not the words of one
            for part in parts:
                self._say("assistant", part)
            return
        self._end()
        if message.role == "user":
            self.turns.append(ir.Turn(role="user", parts=tuple(parts)))
            return
        texts = tuple(_texts(parts, message.role, place))
        if self.turns:
            self.turns.append(ir.Turn(role="system", parts=texts))
        else:
            self.system += texts

    def agent_message(self, _: str, raw: Raw, place: Place) -> None:
        """Read what another agent of the caller says."""
        message = read_known(raw, wire.AGENT_MESSAGE, place)
        self._end()
        self.turns.append(ir.Turn(role="user", parts=tuple(read_content(message.content, place.at("content")))))

    def function_call(self, _: str, raw: Raw, place: Place) -> None:
        """Read the call of a function."""
        call = read_known(raw, wire.CALL, place)
        self._call(call.call_id, flat_name(call.namespace, call.name), arguments(call.arguments))

    def custom_call(self, _: str, raw: Raw, place: Place) -> None:
        """Read the call of a free-form tool."""
        call = read_known(raw, wire.CUSTOM_CALL, place)
        self._call(call.call_id, flat_name(call.namespace, call.name), wrapped(call.input or ""))

    def output(self, _: str, raw: Raw, place: Place) -> None:
        """Read the result of a function or free-form tool."""
        given = read_known(raw, wire.OUTPUT, place)
        name = flat_name(given.namespace, given.name) if given.name else None
        call_id = given.call_id or (name and self._unanswered(name))
        if not call_id:
            raise place.refuse("required, but missing", "call_id")
        self._answered.add(call_id)
        parts = tuple(read_content(given.output, place.at("output")))
        self._say("user", ir.ToolResult(id=call_id, name=name, parts=parts, path=place.path))

    def _unanswered(self, name: str) -> str:
        """Give the first call of a function that has no result yet; its name, which is no call's id, without one."""
        calls = self._calls[name]
        while calls and calls[0] in self._answered:
            calls.popleft()
        return calls[0] if calls else name

    def ran(self, kind: str, raw: Raw, place: Place) -> None:
        """Read the call of a shell or patch as that of a function; without such a function it stays as it is."""
        name, field = _RAN[kind]
        if not self._declares(name):
            self._keep(kind, raw, place, "assistant")
            return
        call = read_known(raw, wire.RAN, place)
        action: Raw | UnsetType = getattr(call, field)
        if not given(action):
            raise place.refuse("required, but missing", field)
        self._call(call.call_id, name, arguments(bytes(action)))

    def ran_output(self, kind: str, raw: Raw, place: Place) -> None:
        """Read what came of it."""
        if not self._declares(_RAN_OUTPUTS[kind]):
            self._keep(kind, raw, place, "user")
            return
        result = read_known(raw, wire.RAN_OUTPUT, place)
        call_id = result.call_id or result.id
        if call_id is None:
            raise place.refuse("required, but missing", "call_id")
        if given(result.max_output_length):
            place.lose("max_output_length", "already in the call")
        text = _words(result.output) if given(result.output) else result.status or ""
        failed = result.status == "failed"
        self._answered.add(call_id)
        parts = (ir.Text(text=text),) if text else ()
        self._say("user", ir.ToolResult(id=call_id, parts=parts, is_error=failed, path=place.path))

    def reasoning(self, _: str, raw: Raw, place: Place) -> None:
        """Read thoughts; a call's own signature waits for the call."""
        item = read_known(raw, wire.REASONING, place)
        text = "\n\n".join(words.text for words in item.content or item.summary or ())
        if item.content and item.summary:
            place.lose("summary", "content already says it")
        signature, unseen = _signature(item.encrypted_content, place)
        if signature is not None and signature.kind == "f":
            if self._speaker != "assistant":
                self._end()
                self._speaker = "assistant"
            self._carry((signature, place))
            signature = None
        if text or signature is not None:
            self._say("assistant", ir.Thinking(text=text or unseen, signature=signature), place.path)

    def picture(self, kind: str, raw: Raw, place: Place) -> None:
        """Read a picture that was drawn; one that came to nothing, or that is a drawing in words, stays as it is."""
        drawn = read_known(raw, wire.PICTURE, place)
        media_type = f"image/{drawn.output_format or 'png'}"
        if not drawn.result or media_type not in IMAGES:
            self._keep(kind, raw, place, "assistant")
            return
        shown = media(data=drawn.result, path=f"{place.path}.result", otherwise=media_type)
        self._say("assistant", shown)

    def more_tools(self, _: str, raw: Raw, place: Place) -> None:
        """Read tools that join here; they are declared from the beginning."""
        self.tools += read_tools(read_known(raw, wire.TOOLS, place).tools, place.at("tools"))

    def update(self, _: str, raw: Raw, place: Place) -> None:
        """Note new settings in the midst of a conversation."""
        self.updates.append((read_known(raw, wire.UPDATE, place), place))

    def refuse(self, kind: str, raw: Raw, place: Place) -> None:
        """Refuse what would change the meaning if it were left out."""
        raise place.refuse(_REFUSED[kind], "type")

    def reference(self, _: str, raw: Raw, place: Place) -> None:
        """Note where an item is only named."""
        self.references.append(place.at("id").path)


_READERS: Final[dict[str, Callable[[Conversation, str, Raw, Place], None]]] = {
    "message": Conversation.message,
    "agent_message": Conversation.agent_message,
    "function_call": Conversation.function_call,
    "custom_tool_call": Conversation.custom_call,
    "function_call_output": Conversation.output,
    "custom_tool_call_output": Conversation.output,
    "reasoning": Conversation.reasoning,
    "image_generation_call": Conversation.picture,
    "additional_tools": Conversation.more_tools,
    "tool_search_output": Conversation.more_tools,
    "configuration_update": Conversation.update,
    "item_reference": Conversation.reference,
    **dict.fromkeys(_RAN, Conversation.ran),
    **dict.fromkeys(_RAN_OUTPUTS, Conversation.ran_output),
    **dict.fromkeys(_REFUSED, Conversation.refuse),
}


def _kind(raw: Raw, place: Place) -> str:
    """Tell the type of an item; it may be left out of messages and references."""
    head = place.read(raw, wire.HEAD)
    kind = head.type or ("message" if head.role is not None else "item_reference" if head.id is not None else None)
    if kind is None:
        raise place.refuse("required, but missing", "type")
    if kind not in _HOSTED and kind not in _READERS:
        raise place.refuse(f"items of type {kind!r} are not supported here", "type")
    return kind


def _texts(parts: Iterable[Given], role: str, place: Place) -> Iterator[ir.Text]:
    for part in parts:
        if not isinstance(part, ir.Text):
            raise Place(part.path or place.path).refuse(f"a {role}message may contain text only")
        yield part


def _signature(sealed: str | None, place: Place) -> tuple[ir.Signature | None, str]:
    """Open our envelope, and give words that stand in it; what is none was sealed by OpenAI, whose form this is."""
    if not sealed:
        return None, ""
    if not ir.is_sealed(sealed):
        return ir.Signature("openai", sealed), ""
    signature, unseen = ir.unseal_thought(sealed)
    if signature is None:
        place.lose("encrypted_content", "the signature is corrupt")
    elif not signature.value:
        signature = None  # it was given out as one that nobody signed
    return signature, unseen


def _words(output: Raw) -> str:
    """Give an output as text: a string is itself, anything else its JSON."""
    try:
        return TEXT.decode(output)
    except msgspec.ValidationError:
        return bytes(output).decode()
