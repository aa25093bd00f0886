"""What is mended in a conversation that an Anthropic caller sends to Anthropic: each mend is one edit of the table."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import compress, takewhile
from typing import Final, Protocol

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.edits import DAMAGED, FOREIGN_THOUGHTS, UNREADABLE, Words, mended
from gateway.dialects.gemini.history import ANSWERED_LATER, SHOWN, SHOWN_BACK, reminder
from gateway.dialects.gemini.names import map_id
from gateway.dialects.raw import FIELDS, MANY, TEXT, Fields, read
from gateway.dialects.shown import OPENING, without_pictures

from .outbound_parts import image
from .outbound_target import UNLED

__all__ = ["answered", "even", "filled", "headed", "led", "legal", "ordered", "shown", "unmarked", "unsealed"]


class _Target(Protocol):
    @property
    def refused(self) -> Collection[str]: ...


_Words = Words[_Target]
_Mend = Callable[[Fields, str], Fields | None]  # of one block, with its path; None leaves it out

_encode: Final = msgspec.json.Encoder().encode

_NULL: Final = Raw(b"null")
_EMPTY: Final = Raw(b'""')
_USER: Final = Raw(b'"user"')
_MARK: Final = "cache_control"
_DRAWN: Final = OPENING.encode()
_CONFIG: Final = "output_config"
_LEGAL: Final = re.compile(r"[A-Za-z0-9_-]+")
_BLANK: Final = re.compile(rb't"\s*:\s*(?:"(?:\s|\\[nrt])*"|\[\s*\])')  # `text` or `content`: blanks, or nothing
_BLANK_END: Final = re.compile(rb'(?:\s|\\[nrt])"\s*[,}]')
_END: Final = 300  # bytes of a conversation, in which its last words end
_THOUGHTS: Final = {"thinking": "signature", "redacted_thinking": "data"}  # block: where it is signed
_IDS: Final = {"tool_use": "id", "tool_result": "tool_use_id"}
_FOUND: Final = "web_search_tool_result"
_SEARCHED: Final = "server_tool_use"
_ANSWERED: Final = re.compile(rb'"tool_use_id"\s*:\s*("[^"]*")')
_INTERRUPTED: Final = "[no result: the tool call was interrupted]"
_UNSIGNED: Final = "it has no signature; Anthropic accepts signed thoughts only"
_NOT_MARKED: Final = "Anthropic rejects cache marks on thoughts"
_NOT_CITED: Final = "another upstream has cited it; Anthropic accepts only what its own search has found"
_MESSAGE: Final = frozenset({"role", "content"})
_NOT_SAID: Final = "instructions go into `system`, which takes text blocks only"
_NOT_SET: Final = "this upstream accepts it for the whole request only"
_AHEAD: Final = "this model takes instructions at the start only: moved there"
_BEHIND: Final = "an instruction cannot follow a response here: sent as a user message"
_NOT_SEARCHED: Final = "another upstream has searched; Anthropic accepts only what its own search has found"


def unsealed(words: _Words) -> None:
    """Take signatures out of the envelope of this gateway; leave out thoughts of another family, and its searches.

    Without the thought that the current tool loop began with, Claude does not think by a budget (dialects.md §6).
    """
    refused = "signatures" in words.target.refused
    said = _said(words)
    own = _searches(words) if b'"encrypted_content"' in said else frozenset[str]()
    gone = False

    def mend(block: Fields, path: str) -> Fields | None:
        nonlocal gone
        kind = _kind(block)
        if kind in _THOUGHTS:
            thought = _thought(block, _THOUGHTS[kind], path, words, refused=refused)
            gone = gone or thought is None
            return thought
        if kind in (_FOUND, _SEARCHED) and _name(block, "tool_use_id" if kind == _FOUND else "id") in own:
            words.lose(path, _NOT_SEARCHED)
            return None
        return _uncited(block, path, words) if kind == "text" and "citations" in block else block

    if refused or b'thinking"' in said or b'"encrypted_' in said:
        _mend_blocks(words, mend, roles=("assistant",))
    if gone and _kind(words.get("thinking", FIELDS) or {}) == "enabled" and not _leads_with_thoughts(words):
        words.drop("thinking")
        words.lose("thinking", UNLED, "change")


def _leads_with_thoughts(words: _Words) -> bool:
    """Tell whether what the model says in the current tool loop begins with a thought."""
    loop: list[str] = []
    for message in words.many("messages"):
        kinds = [_kind(block) for block in _blocks(message)[:1]]
        if _role(message) == "assistant":
            loop += kinds
        elif kinds != ["tool_result"]:
            loop = []
    return not loop or loop[0] in _THOUGHTS


def _thought(block: Fields, place: str, path: str, words: _Words, *, refused: bool) -> Fields | None:
    value = read(block.get(place, _NULL), TEXT)
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


def _searches(words: _Words) -> frozenset[str]:
    """Find the searches that this gateway has told of: what was found has nothing sealed."""
    blocks = (block for message in words.many("messages") for block in _blocks(message))
    found = (block for block in blocks if _kind(block) == _FOUND)
    return frozenset(_name(block, "tool_use_id") for block in found if _is_own(block))


def _is_own(block: Fields) -> bool:
    results = read(block.get("content", _NULL), MANY)
    return bool(results) and all(one.get("encrypted_content") == _EMPTY for one in results or ())


def _uncited(block: Fields, path: str, words: _Words) -> Fields:
    cited = read(block["citations"], MANY) or []
    kept = [one for one in cited if one.get("encrypted_index") != _EMPTY]
    if len(kept) == len(cited):
        return block
    words.lose(f"{path}.citations", _NOT_CITED)
    others = {name: value for name, value in block.items() if name != "citations"}
    return {**others, "citations": Raw(_encode(kept))} if kept else others


def unmarked(words: _Words) -> None:
    """Take marks of the prompt cache off thoughts."""

    def mend(block: Fields, path: str) -> Fields:
        if _MARK not in block or _kind(block) not in _THOUGHTS:
            return block
        words.lose(f"{path}.{_MARK}", _NOT_MARKED)
        return {name: value for name, value in block.items() if name != _MARK}

    if b'"cache_control"' in _said(words) and b'thinking"' in _said(words):
        _mend_blocks(words, mend)


def filled(words: _Words) -> None:
    """Put blanks that the model said to the words before them, and leave out a message of nothing else.

    Other models say them apart, and an answer of theirs that is empty is one empty text here. An answer that the caller
    has begun loses the blanks that it ends with.
    """

    def mend(_: int, message: Fields) -> Fields | None:
        content = message.get("content", _NULL)
        said = read(content, MANY)
        if _role(message) != "assistant" or _CONFIG in message:
            return message
        if said is None:
            text = read(content, TEXT)
            return message if text is None or text.strip() else None
        kept = _filled(said)
        if not kept:
            return None
        return message if kept == said else {**message, "content": Raw(_encode(kept))}

    said = _said(words)
    if _BLANK.search(said):
        _mend_messages(words, mend)
    if _BLANK_END.search(said[-_END:]):
        _ended(words)


def _ended(words: _Words) -> None:
    """Take the blanks off the end of the last message, which is the model's."""
    *others, last = words.many("messages") or [{}]
    blocks = _blocks(last)
    if _role(last) != "assistant" or (blocks and _kind(blocks[-1]) != "text"):
        return
    text = _name(blocks[-1], "text") if blocks else _name(last, "content")
    if text == text.rstrip():
        return
    kept = Raw(_encode(text.rstrip()))
    content = Raw(_encode([*blocks[:-1], {**blocks[-1], "text": kept}])) if blocks else kept
    words.put("messages", [*others, {**last, "content": content}])


def _filled(blocks: Sequence[Fields]) -> list[Fields]:
    kept: list[Fields] = []
    blanks: list[str] = []  # behind the last one
    for block in blocks:
        text = read(block.get("text", _NULL), TEXT) if _kind(block) == "text" else None
        if text is None or text.strip():
            _put_behind(kept, blanks)
            kept.append(block)
        elif text and kept and _kind(kept[-1]) == "text":
            blanks.append(text)
    _put_behind(kept, blanks)
    return kept


def _put_behind(kept: list[Fields], blanks: list[str]) -> None:
    if blanks:
        kept[-1] = {**kept[-1], "text": Raw(_encode("".join((_name(kept[-1], "text"), *blanks))))}
        blanks.clear()


def shown(words: _Words) -> None:
    """Let the user show the pictures among what the model said, as Claude shows none; words of base64 say nothing."""
    if _DRAWN not in _said(words):
        return
    after: list[object] = []
    for place, message in enumerate(words.many("messages")):
        path = f"messages[{place}]"
        kept, pictures = _parted(message, path) if _role(message) == "assistant" else ((), ())
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
    for block in read(Raw(_encode(_given(message))), MANY) or ():
        said, found = without_pictures(_name(block, "text"), path) if _kind(block) == "text" else ("", [])
        pictures += found
        if not found:
            kept.append(block)
        elif said:
            kept.append({**block, "text": said})
    return kept, pictures


def even(words: _Words) -> None:
    """Leave out what a message sets from its turn on, and a message that does nothing else."""

    def mend(place: int, message: Fields) -> Fields | None:
        if _CONFIG not in message:
            return message
        words.lose(f"messages[{place}].{_CONFIG}", _NOT_SET)
        return {name: value for name, value in message.items() if name != _CONFIG} if _given(message) else None

    _mend_messages(words, mend)


def led(words: _Words) -> None:
    """Put instructions ahead of the conversation where Anthropic takes them: it refuses them as its first messages."""
    if b'"system"' not in _said(words):
        return
    messages = words.many("messages")
    leading = list(takewhile(lambda one: _role(one) == "system" and _CONFIG not in one, messages))
    if not leading or len(leading) == len(messages):
        return
    if rules := [block for one in leading for block in _given(one)]:
        words.put("system", [*_system(words), *rules])
    words.put("messages", messages[len(leading) :])
    for place, message in enumerate(leading):
        for name in message.keys() - _MESSAGE:
            words.lose(f"messages[{place}].{name}", _NOT_SAID)


def headed(words: _Words) -> None:
    """Put instructions within the conversation ahead of it; the user says those that follow an answer."""
    if b'"system"' not in _said(words):
        return
    head: list[object] = []
    kept: list[Fields] = []
    for place, message in enumerate(words.many("messages")):
        if _role(message) != "system":
            kept.append(message)
        elif kept and _role(kept[-1]) == "assistant":
            rule = "\n".join(_name(block, "text") for block in read(Raw(_encode(_given(message))), MANY) or ())
            kept.append({"role": _USER, "content": Raw(_encode(reminder(rule).text))})
            words.lose(f"messages[{place}]", _BEHIND)
        else:
            head += _given(message)
            words.lose(f"messages[{place}]", _AHEAD)
    if head:
        words.put("system", [*_system(words), *head])
    if kept != words.many("messages"):
        words.put("messages", kept)


def _system(words: _Words) -> Sequence[object]:
    return _given({"content": words.fields.get("system", _NULL)})


def legal(words: _Words) -> None:
    """Write ids of calls that Anthropic does not take otherwise, the same for the call and its result."""

    def mend(block: Fields, _: str) -> Fields:
        place = _IDS.get(_kind(block), "")
        value = _name(block, place) if place else ""
        return block if not value or _LEGAL.fullmatch(value) else {**block, place: Raw(_encode(map_id(value)))}

    if _has_tools(words):
        _mend_blocks(words, mend)


def answered(words: _Words) -> None:
    """Put a result directly after each call that has none, unless the call is the last word; of two keep the last.

    Messages in a row are one where a result stands in another of them than the first behind its call. Instructions
    between the two come after the result.
    """
    if not _has_tools(words):
        return
    said: list[Fields] = []
    left = _answered_once(words)[::-1]  # the next one last
    behind = _Behind(left)
    while left:
        message = left.pop()
        missing = _missing(message, left[-1]) if left else []
        results: Mapping[str, int] = behind.results() if missing else {}
        known = [results[one] for one in missing if one in results]
        if known and _role(left[-1]) == "assistant":
            left.append(_joined([message, *_taken(left, behind.start)]))
            continue
        if known:
            left.append(_joined(_taken(left, behind.start - max(known) - 1)))
        if known or (missing and _role(left[-1]) == "system" and _brought(left, {*missing})):
            missing = _missing(message, left[-1])
        said.append(message)
        interrupted = [_interrupted(one) for one in missing]
        if interrupted and _role(left[-1]) == "user":
            left[-1] = {**left[-1], "content": Raw(_encode([*interrupted, *_given(left[-1])]))}
        elif interrupted:
            said.append({"role": _USER, "content": Raw(_encode(interrupted))})
    if said != words.many("messages"):
        words.put("messages", said)


class _Behind:
    """What the user says behind the model's messages in a row, of a conversation whose next message is the last here.

    `start`: how many messages are left from there on.
    """

    def __init__(self, left: Sequence[Fields]) -> None:
        self._left = left
        self.start = len(left) + 1
        self._results: dict[str, int] = {}

    def results(self) -> Mapping[str, int]:
        """Give in which of the user's messages the result of a call stands; all calls in a row look there."""
        left = self._left
        if self.start > len(left):
            self._results = {}
            self.start = end = _end(left, len(left), lambda role: role == "assistant")
            for at in reversed(range(_end(left, end, lambda role: role == "user"), end)):
                for block in _blocks(left[at]):
                    self._results.setdefault(_name(block, "tool_use_id"), end - 1 - at)
        return self._results


def _end(left: Sequence[Fields], at: int, goes_on: Callable[[str], bool]) -> int:
    """Give how many messages are left behind those in a row whose roles are such."""
    while at and goes_on(_role(left[at - 1])):
        at -= 1
    return at


def _taken(left: list[Fields], size: int) -> list[Fields]:
    """Take messages until so many are left."""
    taken = left[size:][::-1]
    del left[size:]
    return taken


def _answered_once(words: _Words) -> list[Fields]:
    """Give the messages without results that others follow for the same call, before the model speaks again."""
    messages = [*words.many("messages")]
    idents = _ANSWERED.findall(_said(words))
    if len(idents) == len(set(idents)):
        return messages
    kept: list[Fields] = []
    later: set[str] = set()
    for place in reversed(range(len(messages))):
        message = messages[place]
        if _role(message) == "assistant":
            later.clear()
        blocks = _blocks(message)
        stays = [_is_last(block, later) for block in reversed(blocks)][::-1]
        if all(stays):
            kept.append(message)
        elif any(stays):
            for number, stay in enumerate(stays):
                if not stay:
                    words.lose(f"messages[{place}].content[{number}]", ANSWERED_LATER, "change")
            kept.append({**message, "content": Raw(_encode([*compress(blocks, stays)]))})
        else:
            words.lose(f"messages[{place}]", ANSWERED_LATER, "change")
    return kept[::-1]


def _is_last(block: Fields, later: set[str]) -> bool:
    """Tell whether no later result is for the same call, and note this one."""
    ident = _name(block, "tool_use_id") if _kind(block) == "tool_result" else ""
    if ident in later:
        return False
    if ident:
        later.add(ident)
    return True


def _brought(left: list[Fields], missing: Collection[str]) -> bool:
    """Bring results in front of the instructions that stand before them; tell whether there were any."""
    found: list[Fields] = []
    others: list[Fields] = []
    end = _end(left, len(left), lambda role: role != "assistant")
    for message in reversed(left[end:]):
        blocks = _blocks(message)
        results = [_kind(block) == "tool_result" and _name(block, "tool_use_id") in missing for block in blocks]
        found += compress(blocks, results)
        if not any(results):
            others.append(message)
        elif not all(results):
            kept = [block for block, result in zip(blocks, results, strict=True) if not result]
            others.append({**message, "content": Raw(_encode(kept))})
    if found:
        left[end:] = [*reversed(others), {"role": _USER, "content": Raw(_encode(found))}]
    return bool(found)


def _joined(messages: Sequence[Fields]) -> Fields:
    given = [block for message in messages for block in _given(message)]
    return {**messages[0], "content": Raw(_encode(given))}


def _missing(message: Fields, following: Fields) -> list[str]:
    """Name the calls of a message that the one after it has no result for."""
    if _role(message) != "assistant":
        return []
    calls = [_name(one, "id") for one in _blocks(message) if _kind(one) == "tool_use"]
    given = {_name(one, "tool_use_id") for one in _blocks(following)} if calls and _role(following) == "user" else ()
    return [one for one in calls if one not in given]


def _interrupted(identifier: str) -> dict[str, object]:
    return {"type": "tool_result", "tool_use_id": identifier, "content": _INTERRUPTED, "is_error": True}


def _given(message: Fields) -> Sequence[object]:
    text = read(message.get("content", _NULL), TEXT)
    return _blocks(message) if text is None else [{"type": "text", "text": text}] if text else []


def ordered(words: _Words) -> None:
    """Put results before all else of a message."""
    if b'"tool_result"' not in _said(words):
        return
    _mend_messages(words, lambda _, one: _ordered(one) if _role(one) == "user" else one)


def _ordered(message: Fields) -> Fields:
    blocks = _blocks(message)
    results = [_kind(block) == "tool_result" for block in blocks]
    if sorted(results, reverse=True) == results:
        return message
    first = [block for block, is_result in zip(blocks, results, strict=True) if is_result]
    others = [block for block, is_result in zip(blocks, results, strict=True) if not is_result]
    return {**message, "content": Raw(_encode([*first, *others]))}


# a conversation, block by block


def _mend_blocks(words: _Words, mend: _Mend, roles: Collection[str] = ("assistant", "user")) -> None:
    def message(place: int, given: Fields) -> Fields | None:
        return _message(given, f"messages[{place}]", mend) if _role(given) in roles else given

    _mend_messages(words, message)


def _mend_messages(words: _Words, mend: Callable[[int, Fields], Fields | None]) -> None:
    """Mend each message, by its place; None leaves it out."""
    after = mended(words.many("messages"), mend)
    if after is not None:
        words.put("messages", [one for one in after if one is not None])


def _message(message: Fields, path: str, mend: _Mend) -> Fields | None:
    """Mend a message; None when nothing is left of it."""
    after = mended(_blocks(message), lambda place, block: mend(block, f"{path}.content[{place}]"))
    if after is None:
        return message
    kept = [block for block in after if block is not None]
    return {**message, "content": Raw(_encode(kept))} if kept else None


def _said(words: _Words) -> bytes:
    return bytes(words.fields.get("messages", _NULL))


def _has_tools(words: _Words) -> bool:
    said = _said(words)
    return b'"tool_use"' in said or b'"tool_result"' in said


def _blocks(message: Fields) -> list[Fields]:
    return read(message.get("content", _NULL), MANY) or []


def _role(message: Fields) -> str:
    return _name(message, "role")


def _kind(block: Fields) -> str:
    return _name(block, "type")


def _name(fields: Fields, name: str) -> str:
    return read(fields.get(name, _NULL), TEXT) or ""
