"""What an Anthropic caller's conversation may be left with, once Anthropic has refused it: it was cut, or grew.

tool_result of no call ─► words         blank text ─► nowhere
assistant … ─► user, assistant …        cache_control, more than four ─► the last four
tool_reference ─► the tool's name       where a server does not know it
image of another type than it says ─► its type
… assistant ─► …, assistant, user       where a model does not go on with what the caller has begun
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.content import pictured
from gateway.dialects.gemini.history import CONTINUED, EMPTY, GO_ON, NO_CALL
from gateway.dialects.marks import CONTROL
from gateway.dialects.openai_chat.results import in_words
from gateway.dialects.outbound_marks import ANTHROPIC, TOO_MANY
from gateway.dialects.place import is_null
from gateway.dialects.raw import FIELDS, MANY, NO_TEXT, NULL, TEXT, Fields, name_of, read

from .edits_walk import Conversed, blocks_of, kind_of, mend_messages, role_of
from .outbound_messages import PREFILLED

__all__ = ["adrift", "continued", "crowded", "named", "seen", "worded"]

_Mend = Callable[[Fields, str], Fields]

_CONTENT: Final = "content"
_RESULT: Final = "tool_result"
_SOURCE, _MEDIA_TYPE = "source", "media_type"
_REFERENCE: Final = "tool_reference"
_NAMED: Final = "this upstream does not know references to tools: named in words"
_PROMPT: Final = ("tools", "system", "messages")  # in the order in which a prompt is cached
_encode: Final = msgspec.json.Encoder().encode


def adrift(words: Conversed) -> None:
    """Say in words what the result of a call says that the model has not made before it, and let the user begin."""
    calls: set[str] = set()
    last = ""

    def mend(place: int, message: Fields) -> Fields:
        nonlocal calls, last
        blocks, before, last = blocks_of(message), last, role_of(message)
        if last == "assistant":
            made = {name_of(block, "id") for block in blocks if kind_of(block) == "tool_use"}
            calls = calls | made if before == last else made
            return message
        said: list[object] = []
        for at, block in enumerate(blocks):
            if kind_of(block) != _RESULT or name_of(block, "tool_use_id") in calls:
                said.append(block)
            else:
                words.lose(f"messages[{place}].content[{at}]", NO_CALL, "change")
                said += _in_words(block)
        return message if said == blocks else {**message, _CONTENT: Raw(_encode(said))}

    mend_messages(words, mend)
    messages = words.many("messages")
    if messages and role_of(messages[0]) == "assistant":
        words.put("messages", [{"role": "user", "content": CONTINUED.text}, *messages])


def continued(words: Conversed) -> None:
    """Ask for what comes behind a response that the caller has begun; a service that was at work goes on by itself."""
    messages = words.many("messages")
    last = messages[-1] if messages else {}
    if role_of(last) == "assistant" and all(kind_of(block) == "text" for block in blocks_of(last)[-1:]):
        words.lose("messages", PREFILLED, "change")
        words.put("messages", [*messages, {"role": "user", "content": GO_ON.text}])


def _in_words(result: Fields) -> Sequence[object]:
    said = in_words(name_of(result, "tool_use_id"), result.get(_CONTENT, NULL), "text")
    return [{"type": "text", "text": said}] if isinstance(said, str) else said


def worded(words: Conversed) -> None:
    """Leave out blank texts of the user's, of results and of the system's; who has said nothing else says so."""
    system = words.get("system", MANY)
    if system is not None and (kept := _unblank(system)) != system:
        words.put("system", kept)
    mend_messages(words, lambda _, message: _worded(message) if role_of(message) == "user" else message)


def _worded(message: Fields) -> Fields:
    text = read(message.get(_CONTENT, NULL), TEXT)
    if text is not None:
        return message if text.strip() else {**message, _CONTENT: Raw(_encode(EMPTY.text))}
    blocks = blocks_of(message)
    kept = [_answering(block) if kind_of(block) == _RESULT else block for block in _unblank(blocks)]
    if kept == blocks and kept:
        return message
    return {**message, _CONTENT: Raw(_encode(kept or EMPTY.text))}


def _answering(result: Fields) -> Fields:
    """Leave blanks out of a result; an error may not be empty."""
    content = result.get(_CONTENT, NULL)
    blocks = read(content, MANY)
    kept = _unblank(blocks or [])
    if blocks and kept:
        return result if kept == blocks else {**result, _CONTENT: Raw(_encode(kept))}
    if (read(content, TEXT) or "").strip():
        return result
    others = {name: value for name, value in result.items() if name != _CONTENT}
    return {**others, _CONTENT: Raw(_encode(EMPTY.text))}


def _unblank(blocks: Sequence[Fields]) -> list[Fields]:
    return [block for block in blocks if kind_of(block) != "text" or name_of(block, "text").strip()]


def named(words: Conversed) -> None:
    """Name a tool that a result refers to, as Claude Code's search of tools does, in words."""

    def mend(block: Fields, path: str) -> Fields:
        if kind_of(block) != _REFERENCE:
            return block
        words.lose(path, _NAMED)
        return {"type": Raw(b'"text"'), "text": block.get("tool_name", NO_TEXT)}

    _walk(words, mend)


def seen(words: Conversed) -> None:
    """Say of each picture what it is: a program whose pictures all have one name has them refused for good."""

    def mend(block: Fields, _: str) -> Fields:
        source = read(block.get(_SOURCE, NULL), FIELDS) if kind_of(block) == "image" else None
        kind = pictured(name_of(source, "data")) if source else None
        if source is None or kind is None or kind == name_of(source, _MEDIA_TYPE):
            return block
        return {**block, _SOURCE: Raw(_encode({**source, _MEDIA_TYPE: kind}))}

    _walk(words, mend)


def crowded(words: Conversed) -> None:
    """Keep as many marks of the prompt cache as Anthropic takes: the last ones, which include what comes before."""
    marked: list[str] = []

    def note(block: Fields, path: str) -> Fields:
        if not is_null(block.get(CONTROL, NULL)):
            marked.append(path)
        return block

    def mend(block: Fields, path: str) -> Fields:
        if path not in early:
            return block
        words.lose(f"{path}.{CONTROL}", TOO_MANY)
        return {name: value for name, value in block.items() if name != CONTROL}

    _walk(words, note)
    most = (ANTHROPIC.most or 0) - words.has(CONTROL)
    early = {*marked[: max(0, len(marked) - most)]}
    _walk(words, mend)


def _walk(words: Conversed, mend: _Mend) -> None:
    """Mend every block that may be marked, in the order in which a prompt is cached."""
    for name in _PROMPT:
        given = words.get(name, MANY) or []
        if name == "messages":
            after = [_within(one, f"{name}[{place}]", mend) for place, one in enumerate(given)]
        else:
            after = [mend(one, f"{name}[{place}]") for place, one in enumerate(given)]
        if after != given:
            words.put(name, after)


def _within(holder: Fields, path: str, mend: _Mend) -> Fields:
    """Mend the blocks of a message or a result, and those within them."""
    blocks = blocks_of(holder)
    after = [
        _within(mend(one, at), at, mend) for at, one in ((f"{path}.content[{n}]", b) for n, b in enumerate(blocks))
    ]
    return holder if after == blocks else {**holder, _CONTENT: Raw(_encode(after))}
