"""What is mended in a conversation that an Anthropic caller sends to Anthropic: each mend is one edit of the table."""

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.edits import DAMAGED, FOREIGN_THOUGHTS, UNREADABLE
from gateway.dialects.gemini.history import SHOWN, SHOWN_BACK, reminder
from gateway.dialects.raw import FIELDS, MANY, NO_TEXT, NULL, TEXT, Fields, name_of, read
from gateway.dialects.shown import OPENING, without_pictures

from .edits_sketch import sketch_of
from .edits_walk import (
    Conversed,
    blocks_of,
    given_in,
    kind_of,
    mend_blocks,
    mend_messages,
    role_of,
    said_in,
)
from .outbound_parts import image
from .outbound_target import NO_THOUGHT, UNLED

__all__ = ["even", "filled", "headed", "led", "shown", "thoughtful", "unmarked", "unsealed"]


_encode: Final = msgspec.json.Encoder().encode

_USER: Final = Raw(b'"user"')
_MARK: Final = "cache_control"
_DRAWN: Final = OPENING.encode()
_CONFIG: Final = "output_config"
_BLANK: Final = re.compile(rb't"\s*:\s*(?:"(?:\s|\\[nrt])*"|\[\s*\])')  # `text` or `content`: blanks, or nothing
_BLANK_END: Final = re.compile(rb'(?:\s|\\[nrt])"\s*[,}]')
_END: Final = 300  # bytes of a conversation, in which its last words end
_THINKING: Final = "thinking"
_THOUGHTS: Final = {"thinking": "signature", "redacted_thinking": "data"}  # block: where it is signed
_FOUND: Final = "web_search_tool_result"
_SEARCHED: Final = "server_tool_use"
_UNSIGNED: Final = "it has no signature; Claude accepts signed thoughts only"
_NOT_MARKED: Final = "Anthropic rejects cache marks on thoughts"
_NOT_CITED: Final = "another upstream has cited it; Anthropic accepts only what its own search has found"
_MESSAGE: Final = frozenset({"role", "content"})
_NOT_SAID: Final = "instructions go into `system`, which takes text blocks only"
_NOT_SET: Final = "this upstream accepts it for the whole request only"
_AHEAD: Final = "this model takes instructions at the start only: moved there"
_BEHIND: Final = "an instruction cannot follow a response here: sent as a user message"
_NOT_SEARCHED: Final = "another upstream has searched; Anthropic accepts only what its own search has found"


def unsealed(words: Conversed) -> None:
    """Take signatures out of the envelope of this gateway; leave out thoughts of another family, and its searches.

    Without the thought that the current tool loop began with, Claude does not think by a budget (dialects.md §6).
    """
    refused = "signatures" in words.target.refused
    said = said_in(words)
    if not refused and (not (b'thinking"' in said or b'"encrypted_' in said) or sketch_of(words).is_plain):
        return
    own = _searches(words) if b'"encrypted_content"' in said else frozenset[str]()
    gone = False

    def mend(block: Fields, path: str) -> Fields | None:
        nonlocal gone
        kind = kind_of(block)
        if kind in _THOUGHTS:
            thought = _thought(block, _THOUGHTS[kind], path, words, refused=refused)
            gone = gone or thought is None
            return {**thought, kind: NO_TEXT} if thought and kind == _THINKING and kind not in thought else thought
        if kind in (_FOUND, _SEARCHED) and name_of(block, "tool_use_id" if kind == _FOUND else "id") in own:
            words.lose(path, _NOT_SEARCHED)
            return None
        return _uncited(block, path, words) if kind == "text" and "citations" in block else block

    mend_blocks(words, mend, roles=("assistant",))
    if gone and kind_of(words.get("thinking", FIELDS) or {}) == "enabled" and not _leads_with_thoughts(words):
        words.drop("thinking")
        words.lose("thinking", UNLED, "change")


def _leads_with_thoughts(words: Conversed) -> bool:
    """Tell whether what the model says in the current tool loop begins with a thought."""
    loop: list[str] = []
    for message in words.many("messages"):
        kinds = [kind_of(block) for block in blocks_of(message)[:1]]
        if role_of(message) == "assistant":
            loop += kinds
        elif kinds != ["tool_result"]:
            loop = []
    return not loop or loop[0] in _THOUGHTS


def _thought(block: Fields, place: str, path: str, words: Conversed, *, refused: bool) -> Fields | None:
    value = read(block.get(place, NULL), TEXT)
    if not value and not refused and ir.family_of(words.target.model) != "claude":
        return block  # nobody signs the thoughts of other models, and some want them back
    if refused or not value:
        words.lose(path, UNREADABLE if refused else _UNSIGNED)
        return None
    if not ir.is_sealed(value):
        return block
    signature = ir.unseal(value)
    if signature is not None and signature.issuer == "claude" and signature.value:
        return {**block, place: Raw(_encode(signature.value))}
    words.lose(path, _refusal(signature))
    return None


def _refusal(signature: ir.Signature | None) -> str:
    if signature is None:
        return DAMAGED
    return FOREIGN_THOUGHTS if signature.value else _UNSIGNED


def _searches(words: Conversed) -> frozenset[str]:
    """Find the searches that this gateway has told of: what was found has nothing sealed."""
    blocks = (block for message in words.many("messages") for block in blocks_of(message))
    found = (block for block in blocks if kind_of(block) == _FOUND)
    return frozenset(name_of(block, "tool_use_id") for block in found if _is_own(block))


def _is_own(block: Fields) -> bool:
    results = read(block.get("content", NULL), MANY)
    return bool(results) and all(one.get("encrypted_content") == NO_TEXT for one in results or ())


def _uncited(block: Fields, path: str, words: Conversed) -> Fields:
    cited = read(block["citations"], MANY) or []
    kept = [one for one in cited if one.get("encrypted_index") != NO_TEXT]
    if len(kept) == len(cited):
        return block
    words.lose(f"{path}.citations", _NOT_CITED)
    others = {name: value for name, value in block.items() if name != "citations"}
    return {**others, "citations": Raw(_encode(kept))} if kept else others


def thoughtful(words: Conversed) -> None:
    """Let each answer have a thought, a blank one where the caller has dropped it."""

    def mend(_: int, message: Fields) -> Fields:
        if role_of(message) != "assistant":
            return message
        said = blocks_of(message)
        kept: Sequence[object] = [*map(_filled_thought, said)]
        if not any(kind_of(block) == _THINKING for block in said):
            blank = {"type": _THINKING, _THINKING: NO_THOUGHT, "signature": ""}
            kept = [blank, *given_in(message)]
        return message if kept == said else {**message, "content": Raw(_encode(kept))}

    if kind_of(words.get(_THINKING, FIELDS) or {}) != "disabled":
        mend_messages(words, mend)


def _filled_thought(block: Fields) -> Fields:
    if kind_of(block) != _THINKING or name_of(block, _THINKING) or name_of(block, "signature"):
        return block
    return {**block, _THINKING: Raw(_encode(NO_THOUGHT))}


def unmarked(words: Conversed) -> None:
    """Take marks of the prompt cache off thoughts."""

    def mend(block: Fields, path: str) -> Fields:
        if _MARK not in block or kind_of(block) not in _THOUGHTS:
            return block
        words.lose(f"{path}.{_MARK}", _NOT_MARKED)
        return {name: value for name, value in block.items() if name != _MARK}

    said = said_in(words)
    if b'"cache_control"' in said and b'thinking"' in said and not sketch_of(words).is_plain:
        mend_blocks(words, mend)


def filled(words: Conversed) -> None:
    """Put blanks that the model said to the words before them, and leave out a message of nothing else.

    Other models say them apart, and an answer of theirs that is empty is one empty text here. An answer that the caller
    has begun loses the blanks that it ends with.
    """

    def mend(_: int, message: Fields) -> Fields | None:
        content = message.get("content", NULL)
        said = read(content, MANY)
        if role_of(message) != "assistant" or _CONFIG in message:
            return message
        if said is None:
            text = read(content, TEXT)
            return message if text is None or text.strip() else None
        kept = _filled(said)
        if not kept:
            return None
        return message if kept == said else {**message, "content": Raw(_encode(kept))}

    said = said_in(words)
    if _BLANK.search(said):
        mend_messages(words, mend)
    if _BLANK_END.search(said[-_END:]):
        _ended(words)


def _ended(words: Conversed) -> None:
    """Take the blanks off the end of the last message, which is the model's."""
    *others, last = words.many("messages") or [{}]
    blocks = blocks_of(last)
    if role_of(last) != "assistant" or (blocks and kind_of(blocks[-1]) != "text"):
        return
    text = name_of(blocks[-1], "text") if blocks else name_of(last, "content")
    if text == text.rstrip():
        return
    kept = Raw(_encode(text.rstrip()))
    content = Raw(_encode([*blocks[:-1], {**blocks[-1], "text": kept}])) if blocks else kept
    words.put("messages", [*others, {**last, "content": content}])


def _filled(blocks: Sequence[Fields]) -> list[Fields]:
    kept: list[Fields] = []
    blanks: list[str] = []  # behind the last one
    for block in blocks:
        text = read(block.get("text", NULL), TEXT) if kind_of(block) == "text" else None
        if text is None or text.strip():
            _put_behind(kept, blanks)
            kept.append(block)
        elif text and kept and kind_of(kept[-1]) == "text":
            blanks.append(text)
    _put_behind(kept, blanks)
    return kept


def _put_behind(kept: list[Fields], blanks: list[str]) -> None:
    if blanks:
        kept[-1] = {**kept[-1], "text": Raw(_encode("".join((name_of(kept[-1], "text"), *blanks))))}
        blanks.clear()


def shown(words: Conversed) -> None:
    """Let the user show the pictures among what the model said, as Claude shows none; words of base64 say nothing."""
    if _DRAWN not in said_in(words):
        return
    after: list[object] = []
    for place, message in enumerate(words.many("messages")):
        path = f"messages[{place}]"
        kept, pictures = _parted(message, path) if role_of(message) == "assistant" else ((), ())
        if not pictures:
            after.append(message)
            continue
        words.lose(path, SHOWN_BACK, "change")
        if kept:
            after.append({**message, "content": kept})
        images = [{"type": "image", "source": image(one)} for one in pictures]
        after.append({"role": "user", "content": [{"type": "text", "text": SHOWN.text}, *images]})
    if after != words.many("messages"):
        words.put("messages", after)


def _parted(message: Fields, path: str) -> tuple[list[object], list[ir.Media]]:
    """Part the blocks of a message from the pictures among its words."""
    kept: list[object] = []
    pictures: list[ir.Media] = []
    for block in read(Raw(_encode(given_in(message))), MANY) or ():
        said, found = without_pictures(name_of(block, "text"), path) if kind_of(block) == "text" else ("", [])
        pictures += found
        if not found:
            kept.append(block)
        elif said:
            kept.append({**block, "text": said})
    return kept, pictures


def even(words: Conversed) -> None:
    """Leave out what a message sets from its turn on, and a message that does nothing else."""

    def mend(place: int, message: Fields) -> Fields | None:
        if _CONFIG not in message:
            return message
        words.lose(f"messages[{place}].{_CONFIG}", _NOT_SET)
        return {name: value for name, value in message.items() if name != _CONFIG} if given_in(message) else None

    mend_messages(words, mend)


def led(words: Conversed) -> None:
    """Put instructions ahead of the conversation where Anthropic takes them: it refuses them as its first messages."""
    if b'"system"' not in said_in(words):
        return
    messages = words.many("messages")
    leading = list(takewhile(lambda one: role_of(one) == "system" and _CONFIG not in one, messages))
    if not leading or len(leading) == len(messages):
        return
    if rules := [block for one in leading for block in given_in(one)]:
        words.put("system", [*_system(words), *rules])
    words.put("messages", messages[len(leading) :])
    for place, message in enumerate(leading):
        for name in message.keys() - _MESSAGE:
            words.lose(f"messages[{place}].{name}", _NOT_SAID)


def headed(words: Conversed) -> None:
    """Put instructions within the conversation ahead of it; the user says those that follow an answer.

    What else stands there, such as a change of the tools, nothing else can say: the refusal is the caller's to know.
    """
    if b'"system"' not in said_in(words):
        return
    head: list[object] = []
    kept: list[Fields] = []
    for place, message in enumerate(words.many("messages")):
        rules = _rules(message)
        if rules is None:
            kept.append(message)
        elif kept and role_of(kept[-1]) == "assistant":
            rule = "\n".join(name_of(block, "text") for block in rules)
            kept.append({"role": _USER, "content": Raw(_encode(reminder(rule).text))})
            words.lose(f"messages[{place}]", _BEHIND)
        else:
            head += rules
            words.lose(f"messages[{place}]", _AHEAD)
    if head:
        words.put("system", [*_system(words), *head])
    if kept != words.many("messages"):
        words.put("messages", kept)


def _rules(message: Fields) -> Sequence[Fields] | None:
    """Give the blocks of instructions; None for a message that is none, or not words alone."""
    if role_of(message) != "system":
        return None
    blocks = read(Raw(_encode(given_in(message))), MANY) or []
    return None if any(kind_of(block) != "text" for block in blocks) else blocks


def _system(words: Conversed) -> Sequence[object]:
    return given_in({"content": words.fields.get("system", NULL)})
