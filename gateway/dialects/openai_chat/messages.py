"""Messages of Chat Completions → system texts and turns.

Leading system and developer messages become the system prompt; tool messages in a row become one user turn.
"""

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Final

from msgspec.json import Decoder
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.content import arguments, wrapped
from gateway.dialects.known import understood
from gateway.dialects.marks import marked, with_mark
from gateway.dialects.place import Place
from gateway.dialects.raw import NO_FIELDS, NO_LIST, NULL
from gateway.dialects.shown import read_shown
from gateway.errors import InvalidRequest

from . import wire
from .parts import audio_part, file_part, image_part, refusal_part, text_part, video_part
from .thoughts import THOUGHTS, among, call_signature, is_thought, lifted, read_thoughts, sign

__all__ = ["read_messages"]

_RESULTS: Final = ("tool", "function")

_SPOKEN: Final = (
    "refusal",
    "tool_calls",
    "function_call",
    *THOUGHTS,
    "images",
    "audio",
    "annotations",
)
# What a message of this role may hold, and nothing reads.
_UNREAD: Final = {
    **dict.fromkeys(("system", "developer", "user"), (*_SPOKEN, "tool_call_id", "name")),
    "tool": _SPOKEN,
    "function": (*_SPOKEN, "tool_call_id"),
    "assistant": ("annotations", "tool_call_id", "name"),
}
_unread: Final = {role: attrgetter(*fields) for role, fields in _UNREAD.items()}
_thoughts: Final = attrgetter(*THOUGHTS)
_marks: Final = attrgetter(*wire.MARKS)
_PICTURES: Final = Decoder(list[wire.Picture])
_NOTHING: Final = (NULL, NO_LIST, NO_FIELDS)

_UNSIGNED: Final[tuple[None, tuple[str, ...]]] = (None, ())

_Given = ir.Text | ir.Media


def read_messages(
    messages: Sequence[wire.Message], losses: list[ir.Loss]
) -> tuple[tuple[ir.Text, ...], tuple[ir.Turn, ...]]:
    """Read all messages; add to `losses` what has no place in the neutral form."""
    reader = _Messages(losses)
    for index, message in enumerate(messages):
        reader.read(message, index)
    turns = tuple(reader.turns())
    return tuple(reader.system), turns


class _Messages:
    """Collects turns; remembers the legacy `function_call`s whose results are still to come."""

    def __init__(self, losses: list[ir.Loss]) -> None:
        self.system: list[ir.Text] = []
        self._turns: list[ir.Turn] = []
        self._results: list[ir.Part] = []
        self._losses = losses
        self._legacy: dict[str, str] = {}

    def read(self, message: wire.Message, index: int) -> None:
        """Take the next message."""
        path = f"messages[{index}]"
        role = message.role
        if any(_unread[role](message)):
            self._lose_unread(message, path)
        mark = message.mark(path, self._losses) if any(_marks(message)) else None
        if role in _RESULTS:
            self._results += marked([self._result(message, path)], mark, self._losses)
            return
        if self._results:
            self._end_results()
        if role == "assistant":
            turn = self._assistant(message, path, index)
            self._turns.append(turn if mark is None else replace(turn, parts=marked(turn.parts, mark, self._losses)))
        elif role == "user":
            self._turns.append(ir.Turn(role="user", parts=marked(self._content(message, path), mark, self._losses)))
        else:
            self._instruct(marked(self._texts(message, path), mark, self._losses))

    def _instruct(self, texts: tuple[ir.Text, ...]) -> None:
        if self._turns:
            self._turns.append(ir.Turn(role="system", parts=texts))
        else:
            self.system += texts

    def turns(self) -> list[ir.Turn]:
        """Give all turns; instructions alone are said, the last of them, in their turn."""
        if self._results:
            self._end_results()
        if not self._turns and self.system:
            self._turns.append(ir.Turn(role="system", parts=(self.system.pop(),)))
        return self._turns

    def _end_results(self) -> None:
        self._turns.append(ir.Turn(role="user", parts=tuple(self._results)))
        self._results = []

    def _lose(self, path: str, reason: str, severity: ir.Severity = "hint") -> None:
        self._losses.append(ir.Loss(path, reason, severity))

    def _lose_unread(self, message: wire.Message, path: str) -> None:
        for field in _UNREAD[message.role]:
            value = getattr(message, field)
            if value and value not in _NOTHING:
                named = field == "name"
                reason = (
                    "names of participants are not carried" if named else f"ignored in a message of role {message.role}"
                )
                self._lose(f"{path}.{field}", reason)

    def _content(self, message: wire.Message, path: str) -> tuple[_Given, ...]:
        content = message.content
        if not content:
            return ()
        if isinstance(content, str):
            return (ir.Text(text=content),)
        parts = [
            self._part(part, f"{path}.content[{i}]")
            for i, part in enumerate(content)
            if message.role != "assistant" or not is_thought(part)
        ]
        return tuple([part for part in parts if not isinstance(part, ir.Text) or part.text])

    def _part(self, part: wire.Part, path: str) -> _Given:
        read = _PARTS[type(part)](part, path)
        return with_mark(read, part.mark(path, self._losses), self._losses) if any(_marks(part)) else read

    def _texts(self, message: wire.Message, path: str) -> tuple[ir.Text, ...]:
        texts: list[ir.Text] = []
        for part in self._content(message, path):
            if not isinstance(part, ir.Text):
                raise InvalidRequest(f"{part.path}: a {message.role}message may contain text only", param=part.path)
            texts.append(part)
        return tuple(texts)

    def _assistant(self, message: wire.Message, path: str, index: int) -> ir.Turn:
        if wire.given(message.audio):
            self._lose(f"{path}.audio", "audio of an earlier response is not kept", "content")
        message, within = lifted(message, path, self._losses)
        thinks = any(_thoughts(message)) or among(message)
        thoughts = read_thoughts(message, path, self._losses, within) if thinks else []
        calls = message.tool_calls or ()
        parts: list[ir.Part] = []
        places: list[tuple[str, ...]] = []
        behind: dict[int, list[tuple[ir.Thinking, str]]] = {}
        for thought, place, before in thoughts:
            if before <= 0 or not calls:
                parts.append(thought)
                places.append((place,))
            else:
                behind.setdefault(min(before, len(calls)), []).append((thought, place))
        parts += self._shown(message, path)
        if message.refusal:
            parts.append(ir.Text(text=message.refusal))
        places += [()] * (len(parts) - len(places))
        if message.extra_content is not None:
            sign(message, f"{path}.{within}", parts, places, self._losses)
        for i, call in enumerate(calls):
            at = f"{path}.tool_calls[{i}]"
            signature, signed = _UNSIGNED
            if call.extra_content is not None or message.reasoning_details:
                signature, signed = call_signature(call, at, message, self._losses)
            parts.append(self._call(call, at, i, signature))
            places.append(signed)
            for thought, place in behind.get(i + 1, ()):
                parts.append(thought)
                places.append((place,))
        if message.function_call is not None:
            parts.append(self._legacy_call(message.function_call, index))
            places.append(())
        return ir.Turn(role="assistant", parts=tuple(parts), places=tuple(places) if any(places) else ())

    def _shown(self, message: wire.Message, path: str) -> Iterator[_Given]:
        """Give what the model said, with the pictures within its words and beside them."""
        for part in self._content(message, path):
            if isinstance(part, ir.Text):
                yield from read_shown(part, f"{path}.content")
            else:
                yield part
        if wire.given(message.images):
            place = Place(f"{path}.images", self._losses)
            pictures = understood(message.images, _PICTURES, place, "content")
            for i, picture in enumerate(pictures or []):
                yield image_part(picture, f"{place.path}[{i}]")

    def _call(self, call: wire.ToolCall, path: str, place: int, signature: ir.Signature | None) -> ir.ToolCall:
        if wire.given(call.index) and bytes(call.index) != b"%d" % place:
            self._lose(f"{path}.index", "calls follow the order of the list")
        if call.function is not None:
            name, given = call.function.name, arguments(call.function.arguments)
            if call.custom is not None:
                self._lose(f"{path}.custom", "ignored beside function")
        elif call.custom is not None:
            name, given = call.custom.name, wrapped(call.custom.input or "")
        else:
            raise InvalidRequest(f"{path}.function: required, but missing", param=f"{path}.function")
        return ir.ToolCall(id=call.id, name=name, arguments=given, signature=signature)

    def _legacy_call(self, call: wire.FunctionCall, index: int) -> ir.ToolCall:
        # It has no id. Histories only grow, so the place of the message is one that stays.
        self._legacy[call.name] = f"call_{index}"
        return ir.ToolCall(id=f"call_{index}", name=call.name, arguments=arguments(call.arguments))

    def _result(self, message: wire.Message, path: str) -> ir.ToolResult:
        if message.role == "tool":
            call_id, field = message.tool_call_id, "tool_call_id"
        else:
            name = message.name or ""
            call_id, field = self._legacy.pop(name, name), "name"
        if not call_id:
            raise InvalidRequest(f"{path}.{field}: required, but missing", param=f"{path}.{field}")
        return ir.ToolResult(id=call_id, name=message.name, parts=self._content(message, path), path=path)


def _misplaced(_: wire.Part, path: str) -> ir.Text:
    raise InvalidRequest(f"{path}.type: only a message of role assistant may hold thoughts", param=f"{path}.type")


_PARTS: Final[dict[type, Callable[[Any, str], _Given]]] = {
    wire.TextPart: text_part,
    wire.RefusalPart: refusal_part,
    wire.ImagePart: image_part,
    wire.AudioPart: audio_part,
    wire.FilePart: file_part,
    wire.VideoPart: video_part,
    wire.ThinkingPart: _misplaced,
    wire.SummaryPart: _misplaced,
}
