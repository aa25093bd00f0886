"""Thoughts and signatures in the messages of an assistant: other servers added fields for them, each its own.

    thinking_blocks, reasoning_details, what this gateway kept, reasoning_content, reasoning, parts of the content

The first of them that says anything holds. A signature stands with the thoughts, a call, or the whole message.
"""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import structs
from msgspec.json import Decoder

from gateway import ir
from gateway.dialects.known import understood
from gateway.dialects.place import Place

from . import wire
from .outbound_content import read_thought

__all__ = ["THOUGHTS", "among", "call_signature", "is_thought", "lifted", "read_thoughts", "sign"]

Places = tuple[str, ...]  # where thoughts, a signature, or both stood
_Said = tuple[ir.Thinking, str, int]  # thoughts, where they stood, and how many calls stand before them

_SIGNATURE: Final = "extra_content.google.thought_signature"
_EXTRA: Final = "extra_content"
_ASIDE: Final = "provider_specific_fields"
_ASIDES: Final = Decoder(wire.SpecificFields)
_AMONG: Final[dict[type, str]] = {wire.ThinkingPart: "thinking", wire.SummaryPart: "summary"}
# the fields of a message that hold them
THOUGHTS: Final = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks", _EXTRA, _ASIDE)


def lifted(message: wire.Message, path: str, losses: list[ir.Loss]) -> tuple[wire.Message, str]:
    """Give the message with the `extra_content` that LiteLLM has put aside, and before it where that stood."""
    if not wire.given(message.provider_specific_fields):
        return message, ""
    place = Place(f"{path}.{_ASIDE}", losses)
    aside = understood(message.provider_specific_fields, _ASIDES, place)
    if aside is None or aside.extra_content is None:
        return message, ""
    if message.extra_content is not None:
        place.lose(_EXTRA, f"{_EXTRA} already says it")
        return message, ""
    return structs.replace(message, extra_content=aside.extra_content), f"{_ASIDE}."


def is_thought(part: wire.Part) -> bool:
    """Tell whether a part of an answer's content is none of its words."""
    return type(part) in _AMONG


def among(message: wire.Message) -> bool:
    """Tell whether there are some among the words."""
    return isinstance(message.content, list) and any(map(is_thought, message.content))


def read_thoughts(message: wire.Message, path: str, losses: list[ir.Loss], within: str = "") -> list[_Said]:
    """Read the thoughts of a message, each with where it stood, and how many calls stand before it."""
    fields = ((f"{within}{field}" if field.startswith(_EXTRA) else field, read) for field, read in _SPELLINGS.items())
    given = [(field, said) for field, read in fields if (said := list(read(message, f"{path}.{field}", losses)))]
    losses += [ir.Loss(f"{path}.{field}", f"{given[0][0]} already says it", "hint") for field, _ in given[1:]]
    losses += _unused(message, path)
    return given[0][1] if given else []


def _blocks(message: wire.Message, path: str, losses: list[ir.Loss]) -> Iterator[_Said]:
    for i, block in enumerate(message.thinking_blocks or ()):
        sealed = block.type == "redacted_thinking"
        place = f"{path}[{i}]"
        said = ir.Thinking(text="", redacted=block.data)
        yield said if sealed else _thinking(block.thinking, block.signature, place, losses), place, 0


def _details(message: wire.Message, path: str, losses: list[ir.Loss]) -> Iterator[_Said]:
    for i, detail in enumerate(message.reasoning_details or ()):
        if detail.text or detail.summary:
            place = f"{path}[{i}]"
            yield _thinking(detail.text or detail.summary or "", detail.signature, place, losses), place, 0


def _kept_blocks(message: wire.Message, path: str, losses: list[ir.Loss]) -> Iterator[_Said]:
    """Give several blocks of thoughts as they were signed."""
    extra = message.extra_content
    for i, block in enumerate((extra and extra.gateway and extra.gateway.blocks) or ()):
        place = f"{path}[{i}]"
        yield _thinking(block.thinking, block.signature, place, losses), place, block.calls


def _kept(message: wire.Message, path: str, _: list[ir.Loss]) -> Iterator[_Said]:
    """Give the thoughts as they were signed: of a stream, some clients keep only the last piece."""
    extra = message.extra_content
    if extra is not None and extra.gateway is not None and extra.gateway.thoughts:
        yield ir.Thinking(text=extra.gateway.thoughts), path, 0


def _content(message: wire.Message, path: str, _: list[ir.Loss]) -> Iterator[_Said]:
    if message.reasoning_content:
        yield ir.Thinking(text=message.reasoning_content), path, 0


def _reasoning(message: wire.Message, path: str, _: list[ir.Loss]) -> Iterator[_Said]:
    if message.reasoning:
        yield ir.Thinking(text=message.reasoning), path, 0


def _among(message: wire.Message, path: str, _: list[ir.Loss]) -> Iterator[_Said]:
    for i, part in enumerate(message.content or () if among(message) else ()):
        field = _AMONG.get(type(part))
        said = "".join(read_thought(getattr(part, field))) if field else ""
        if said:
            yield ir.Thinking(text=said), f"{path}[{i}].{field}", 0


_SPELLINGS: Final[dict[str, Callable[[wire.Message, str, list[ir.Loss]], Iterator[_Said]]]] = {
    "thinking_blocks": _blocks,
    "reasoning_details": _details,
    "extra_content.gateway.blocks": _kept_blocks,
    "extra_content.gateway.thoughts": _kept,
    "reasoning_content": _content,
    "reasoning": _reasoning,
    "content": _among,
}


def _thinking(text: str, signature: str | None, path: str, losses: list[ir.Loss]) -> ir.Thinking:
    opened = _unsealed(signature, f"{path}.signature", losses) if signature else None
    return ir.Thinking(text=text, signature=opened)


def _unused(message: wire.Message, path: str) -> Iterator[ir.Loss]:
    """Tell what of blocks and details goes nowhere: it is beside the words, or signs no call of this message."""
    for i, block in enumerate(message.thinking_blocks or ()):
        if block.data and block.type != "redacted_thinking":
            yield ir.Loss(f"{path}.thinking_blocks[{i}].data", "ignored beside thinking", "hint")
    calls = {call.id for call in message.tool_calls or ()}
    for i, detail in enumerate(message.reasoning_details or ()):
        place = f"{path}.reasoning_details[{i}]"
        if detail.text and detail.summary:
            yield ir.Loss(f"{place}.summary", "ignored beside text", "hint")
        if detail.data and detail.id not in calls:
            yield ir.Loss(f"{place}.data", "it belongs to no call of this message", "hint")
        if detail.id and (detail.id not in calls or not detail.data):
            yield ir.Loss(f"{place}.id", "it names no call of this message", "hint")


def call_signature(
    call: wire.ToolCall, path: str, message: wire.Message, losses: list[ir.Loss]
) -> tuple[ir.Signature | None, Places]:
    """Read what signs a call: its own field, or an encrypted detail of the message that names it."""
    place = f"{path}.{_SIGNATURE}"
    signature, places = _carried(call.extra_content, place, losses), (place,)
    for i, detail in enumerate(message.reasoning_details or ()):
        if detail.id != call.id or not detail.data:
            continue
        place = f"{path.rpartition('.')[0]}.reasoning_details[{i}]"
        if signature is not None:
            losses.append(ir.Loss(place, "the call already has a signature", "hint"))
        else:
            signature, places = _unsealed(detail.data, f"{place}.data", losses), (place,)
    return (None, ()) if signature is None else (_of_call(signature), places)


def _of_call(signature: ir.Signature) -> ir.Signature:
    return ir.Signature(None, signature.value, "f") if signature.issuer is None else signature


def _carried(extra: wire.ExtraContent | None, path: str, losses: list[ir.Loss]) -> ir.Signature | None:
    if extra is None or extra.google is None or not extra.google.thought_signature:
        return None
    return _unsealed(extra.google.thought_signature, path, losses)


def _unsealed(text: str, path: str, losses: list[ir.Loss]) -> ir.Signature | None:
    signature = ir.unseal(text)
    if signature is None:
        losses.append(ir.Loss(path, "the signature is corrupt", "hint"))
    return signature


def sign(message: wire.Message, place: str, parts: list[ir.Part], places: list[Places], losses: list[ir.Loss]) -> None:
    """Give the message's signature to what it signs: Claude and OpenAI sign thoughts, Gemini its last text."""
    place = f"{place}{_SIGNATURE}"
    signature = _carried(message.extra_content, place, losses)
    if signature is None:
        return
    thoughts = signature.issuer in ("claude", "openai")
    for i in reversed(range(len(parts))):
        part = parts[i]
        if isinstance(part, ir.Thinking if thoughts else ir.Text):
            if part.signature is None:
                parts[i] = structs.replace(part, signature=signature)
                places[i] += (place,)
            else:
                losses.append(ir.Loss(place, "the part that it signs already has one", "hint"))
            return
    at = 0 if thoughts else len(parts)
    parts.insert(at, ir.Thinking(text="", signature=signature) if thoughts else ir.Text(text="", signature=signature))
    places.insert(at, (place,))
