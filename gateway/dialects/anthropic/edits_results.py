"""What is mended of the results of calls in a conversation that an Anthropic caller sends to Anthropic."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import compress
from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.gemini.history import ANSWERED_LATER, INTERRUPTED
from gateway.dialects.raw import NULL, Fields, name_of

from .edits_sketch import sketch_of
from .edits_walk import Conversed, blocks_of, given_in, has_tools, kind_of, mend_messages, role_of, said_in

__all__ = ["answered", "ordered"]

_encode: Final = msgspec.json.Encoder().encode

_USER: Final = Raw(b'"user"')
_ANSWERED: Final = re.compile(rb'"tool_use_id"\s*:\s*("[^"]*")')


def answered(words: Conversed) -> None:
    """Put a result directly after each call that has none, unless the call is the last word; of two keep the last.

    Messages in a row are one where a result stands in another of them than the first behind its call. Instructions
    between the two come after the result.
    """
    if not has_tools(words) or sketch_of(words).is_paired:
        return
    said: list[Fields] = []
    left = _answered_once(words)[::-1]  # the next one last
    behind = _Behind(left)
    while left:
        message = left.pop()
        missing = _missing(message, left[-1]) if left else []
        results: Mapping[str, int] = behind.results() if missing else {}
        known = [results[one] for one in missing if one in results]
        if known and role_of(left[-1]) == "assistant":
            left.append(_joined([message, *_taken(left, behind.start)]))
            continue
        if known:
            left.append(_joined(_taken(left, behind.start - max(known) - 1)))
        if known or (missing and role_of(left[-1]) == "system" and _brought(left, {*missing})):
            missing = _missing(message, left[-1])
        said.append(message)
        interrupted = [_interrupted(one) for one in missing]
        if interrupted and role_of(left[-1]) == "user":
            left[-1] = {**left[-1], "content": Raw(_encode([*interrupted, *given_in(left[-1])]))}
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
                for block in blocks_of(left[at]):
                    self._results.setdefault(name_of(block, "tool_use_id"), end - 1 - at)
        return self._results


def _end(left: Sequence[Fields], at: int, goes_on: Callable[[str], bool]) -> int:
    """Give how many messages are left behind those in a row whose roles are such."""
    while at and goes_on(role_of(left[at - 1])):
        at -= 1
    return at


def _taken(left: list[Fields], size: int) -> list[Fields]:
    """Take messages until so many are left."""
    taken = left[size:][::-1]
    del left[size:]
    return taken


def _answered_once(words: Conversed) -> list[Fields]:
    """Give the messages without results that others follow for the same call, before the model speaks again."""
    messages = [*words.many("messages")]
    idents = _ANSWERED.findall(said_in(words))
    if len(idents) == len(set(idents)):
        return messages
    kept: list[Fields] = []
    later: dict[str, Fields] = {}
    for place in reversed(range(len(messages))):
        message = messages[place]
        if role_of(message) == "assistant":
            later.clear()
        blocks = blocks_of(message)
        stays = [_is_last(block, later) for block in reversed(blocks)][::-1]
        if all(stays):
            kept.append(message)
        elif any(stays):
            for number, stay in enumerate(stays):
                if not stay:
                    words.lose(f"messages[{place}].content[{number}]", ANSWERED_LATER, _lost([blocks[number]], later))
            kept.append({**message, "content": Raw(_encode([*compress(blocks, stays)]))})
        else:
            words.lose(f"messages[{place}]", ANSWERED_LATER, _lost(blocks, later))
    return kept[::-1]


def _is_last(block: Fields, later: dict[str, Fields]) -> bool:
    """Tell whether no later result is for the same call, and note this one."""
    ident = name_of(block, "tool_use_id") if kind_of(block) == "tool_result" else ""
    if ident in later:
        return False
    if ident:
        later[ident] = block
    return True


def _lost(results: Sequence[Fields], later: Mapping[str, Fields]) -> ir.Severity:
    """Say how much is lost with results that others follow: nothing where these say the same."""
    others = [later[name_of(result, "tool_use_id")] for result in results]
    same = all(_told(result) == _told(other) for result, other in zip(results, others, strict=True))
    return "hint" if same else "change"


def _told(result: Fields) -> list[bytes]:
    return [bytes(result.get(name, NULL)) for name in ("content", "is_error")]


def _brought(left: list[Fields], missing: Collection[str]) -> bool:
    """Bring results in front of the instructions that stand before them; tell whether there were any."""
    found: list[Fields] = []
    others: list[Fields] = []
    end = _end(left, len(left), lambda role: role != "assistant")
    for message in reversed(left[end:]):
        blocks = blocks_of(message)
        results = [kind_of(block) == "tool_result" and name_of(block, "tool_use_id") in missing for block in blocks]
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
    given = [block for message in messages for block in given_in(message)]
    return {**messages[0], "content": Raw(_encode(given))}


def _missing(message: Fields, following: Fields) -> list[str]:
    """Name the calls of a message that the one after it has no result for."""
    if role_of(message) != "assistant":
        return []
    calls = [name_of(one, "id") for one in blocks_of(message) if kind_of(one) == "tool_use"]
    given = (
        {name_of(one, "tool_use_id") for one in blocks_of(following)} if calls and role_of(following) == "user" else ()
    )
    return [one for one in calls if one not in given]


def _interrupted(identifier: str) -> dict[str, object]:
    return {"type": "tool_result", "tool_use_id": identifier, "content": INTERRUPTED.text, "is_error": True}


def ordered(words: Conversed) -> None:
    """Put results before all else of a message."""
    if b'"tool_result"' not in said_in(words) or sketch_of(words).is_paired:
        return
    mend_messages(words, lambda _, one: _ordered(one) if role_of(one) == "user" else one)


def _ordered(message: Fields) -> Fields:
    blocks = blocks_of(message)
    results = [kind_of(block) == "tool_result" for block in blocks]
    if sorted(results, reverse=True) == results:
        return message
    first = [block for block, is_result in zip(blocks, results, strict=True) if is_result]
    others = [block for block, is_result in zip(blocks, results, strict=True) if not is_result]
    return {**message, "content": Raw(_encode([*first, *others]))}
