"""Messages of Chat Completions → system texts and turns.

Leading system and developer messages become the system prompt; tool messages in a row become one user turn.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, structs

from gateway import ir
from gateway.dialects.content import arguments, media
from gateway.errors import InvalidRequest

from . import wire

__all__ = ["read_messages"]

_SYSTEM: Final = ("system", "developer")
_RESULTS: Final = ("tool", "function")
_MARKS: Final = ("cache_control", "prompt_cache_breakpoint")
_NO_MARKS: Final = "marks for the prompt cache are not carried"
_AUDIO: Final = {"wav": "audio/wav", "mp3": "audio/mp3"}

_Given = ir.Text | ir.Media


def read_messages(
    messages: Sequence[wire.Message], losses: list[ir.Loss]
) -> tuple[tuple[ir.Text, ...], tuple[ir.Turn, ...]]:
    """Read all messages; add to `losses` what has no place in the neutral form."""
    reader = _Messages(losses)
    for index, message in enumerate(messages):
        reader.read(message, index)
    return tuple(reader.system), tuple(reader.turns())


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
        _note_marks(message, path, self._losses)
        role = message.role
        if role in _RESULTS:
            self._results.append(self._result(message, path))
            return
        self._end_results()
        if message.name is not None:
            self._losses.append(ir.Loss(f"{path}.name", "names of speakers are not carried", "hint"))
        if role == "user":
            self._turns.append(ir.Turn(role="user", parts=tuple(self._content(message, path))))
        elif role == "assistant":
            self._turns.append(ir.Turn(role="assistant", parts=tuple(self._assistant(message, path, index))))
        elif self._turns:
            self._turns.append(ir.Turn(role="system", parts=tuple(self._texts(message, path))))
        else:
            self.system += self._texts(message, path)

    def turns(self) -> list[ir.Turn]:
        """Give all turns."""
        self._end_results()
        return self._turns

    def _end_results(self) -> None:
        if self._results:
            self._turns.append(ir.Turn(role="user", parts=tuple(self._results)))
            self._results = []

    def _content(self, message: wire.Message, path: str) -> list[_Given]:
        content = message.content
        if not content:
            return []
        if isinstance(content, str):
            return [ir.Text(text=content)]
        parts = [self._part(part, f"{path}.content[{i}]") for i, part in enumerate(content)]
        return [part for part in parts if not isinstance(part, ir.Text) or part.text]

    def _part(self, part: wire.Part, path: str) -> _Given:
        _note_marks(part, path, self._losses)
        return _PARTS[type(part)](part, path)

    def _texts(self, message: wire.Message, path: str) -> list[ir.Text]:
        texts: list[ir.Text] = []
        for part in self._content(message, path):
            if not isinstance(part, ir.Text):
                raise InvalidRequest(f"{part.path}: a {message.role} message holds text only", param=part.path)
            texts.append(part)
        return texts

    def _assistant(self, message: wire.Message, path: str, index: int) -> list[ir.Part]:
        if message.audio is not UNSET and bytes(message.audio) != b"null":
            self._losses.append(ir.Loss(f"{path}.audio", "sound of an earlier answer is not kept", "content"))
        parts: list[ir.Part] = [*_thoughts(message), *self._content(message, path)]
        if message.refusal:
            parts.append(ir.Text(text=message.refusal))
        signature = self._signature(message.extra_content, path)
        if signature is not None:
            _sign(parts, signature)
        return parts + self._calls(message, path, index)

    def _calls(self, message: wire.Message, path: str, index: int) -> list[ir.ToolCall]:
        calls = [
            self._call(call, f"{path}.tool_calls[{i}]", message) for i, call in enumerate(message.tool_calls or ())
        ]
        legacy = message.function_call
        if legacy is not None:
            # It has no id. Histories only grow, so the place of the message is one that stays.
            self._legacy[legacy.name] = f"call_{index}"
            made = ir.ToolCall(id=f"call_{index}", name=legacy.name, arguments=arguments(legacy.arguments))
            calls.append(made)
        return calls

    def _call(self, call: wire.ToolCall, path: str, message: wire.Message) -> ir.ToolCall:
        if call.function is not None:
            name, given = call.function.name, arguments(call.function.arguments)
        elif call.custom is not None:
            name, given = call.custom.name, Raw(msgspec.json.encode({"input": call.custom.input or ""}))
        else:
            raise InvalidRequest(f"{path}.function: required, but missing", param=f"{path}.function")
        signature = self._signature(call.extra_content, path) or _detail_signature(message, call.id)
        if signature is not None and signature.issuer is None:
            signature = ir.Signature(None, signature.value, "f")
        return ir.ToolCall(id=call.id, name=name, arguments=given, signature=signature)

    def _signature(self, extra: wire.ExtraContent | None, path: str) -> ir.Signature | None:
        if extra is None or extra.google is None or not extra.google.thought_signature:
            return None
        signature = ir.unseal(extra.google.thought_signature)
        if signature is None:
            place = f"{path}.extra_content.google.thought_signature"
            self._losses.append(ir.Loss(place, "the signature is damaged", "hint"))
        return signature

    def _result(self, message: wire.Message, path: str) -> ir.ToolResult:
        if message.role == "tool":
            call_id, field = message.tool_call_id, "tool_call_id"
        else:
            name = message.name or ""
            call_id, field = self._legacy.pop(name, name), "name"
        if not call_id:
            raise InvalidRequest(f"{path}.{field}: required, but missing", param=f"{path}.{field}")
        parts = tuple(self._content(message, path))
        return ir.ToolResult(id=call_id, name=message.name, parts=parts, path=path)


def _thoughts(message: wire.Message) -> Iterable[ir.Thinking]:
    if message.thinking_blocks:
        return [_block(block) for block in message.thinking_blocks]
    words = message.reasoning_content or message.reasoning
    if message.reasoning_details:
        details = [d for d in message.reasoning_details if d.text or d.summary]
        if details:
            return [_thinking(d.text or d.summary or "", d.signature) for d in details]
    return [ir.Thinking(text=words)] if words else []


def _block(block: wire.ThinkingBlock) -> ir.Thinking:
    if block.type == "redacted_thinking":
        return ir.Thinking(text="", redacted=block.data)
    return _thinking(block.thinking, block.signature)


def _thinking(text: str, signature: str | None) -> ir.Thinking:
    return ir.Thinking(text=text, signature=ir.unseal(signature) if signature else None)


def _detail_signature(message: wire.Message, call_id: str) -> ir.Signature | None:
    for detail in message.reasoning_details or ():
        if detail.id == call_id and detail.data:
            return ir.unseal(detail.data)
    return None


def _sign(parts: list[ir.Part], signature: ir.Signature) -> None:
    """Give the message's signature to what it signs: Claude and OpenAI sign thoughts, Gemini its last text."""
    thoughts = signature.issuer in ("claude", "openai")
    for i in reversed(range(len(parts))):
        part = parts[i]
        if isinstance(part, ir.Thinking if thoughts else ir.Text):
            if part.signature is None:
                parts[i] = structs.replace(part, signature=signature)
            return
    if thoughts:
        parts.insert(0, ir.Thinking(text="", signature=signature))
    else:
        parts.append(ir.Text(text="", signature=signature))


def _text_part(part: wire.TextPart, path: str) -> ir.Text:  # noqa: ARG001 (the table's signature)
    return ir.Text(text=part.text)


def _refusal_part(part: wire.RefusalPart, path: str) -> ir.Text:  # noqa: ARG001 (the table's signature)
    return ir.Text(text=part.refusal)


def _image_part(part: wire.ImagePart, path: str) -> ir.Media:
    image = part.image_url
    if isinstance(image, str):
        return media(url=image, path=f"{path}.image_url")
    return media(url=image.url, detail=image.detail, path=f"{path}.image_url.url")


def _audio_part(part: wire.AudioPart, path: str) -> ir.Media:
    kind = part.input_audio.format.lower()
    return media(_AUDIO.get(kind, f"audio/{kind}"), data=part.input_audio.data, path=f"{path}.input_audio.data")


def _file_part(part: wire.FilePart, path: str) -> ir.Media:
    file = part.file
    if file.file_id is not None:
        place = f"{path}.file.file_id"
        raise InvalidRequest(f"{place}: files of another account cannot be read here; send file_data", param=place)
    return media(data=file.file_data, filename=file.filename, path=f"{path}.file.file_data")


_PARTS: Final[dict[type, Callable[[Any, str], _Given]]] = {
    wire.TextPart: _text_part,
    wire.RefusalPart: _refusal_part,
    wire.ImagePart: _image_part,
    wire.AudioPart: _audio_part,
    wire.FilePart: _file_part,
}


def _note_marks(item: wire.Marked, path: str, losses: list[ir.Loss]) -> None:
    losses += [ir.Loss(f"{path}.{mark}", _NO_MARKS, "hint") for mark in _MARKS if getattr(item, mark) is not UNSET]
