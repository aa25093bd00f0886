"""A conversation of an Anthropic caller, block by block."""

from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol

import msgspec
from msgspec import Raw

from gateway.dialects.edits import Words, mended
from gateway.dialects.raw import MANY, NULL, TEXT, Fields, name_of, read

__all__ = [
    "Conversed",
    "blocks_of",
    "given_in",
    "has_tools",
    "kind_of",
    "mend_blocks",
    "mend_messages",
    "role_of",
    "said_in",
]


class _Target(Protocol):
    @property
    def model(self) -> str: ...

    @property
    def refused(self) -> Collection[str]: ...


Conversed = Words[_Target]
_Mend = Callable[[Fields, str], Fields | None]  # of one block, with its path; None leaves it out

_encode: Final = msgspec.json.Encoder().encode


def mend_blocks(words: Conversed, mend: _Mend, roles: Collection[str] = ("assistant", "user")) -> None:
    """Mend each block of the messages of these roles."""

    def message(place: int, given: Fields) -> Fields | None:
        return _message(given, f"messages[{place}]", mend) if role_of(given) in roles else given

    mend_messages(words, message)


def mend_messages(words: Conversed, mend: Callable[[int, Fields], Fields | None]) -> None:
    """Mend each message, by its place; None leaves it out."""
    after = mended(words.many("messages"), mend)
    if after is not None:
        words.put("messages", [one for one in after if one is not None])


def _message(message: Fields, path: str, mend: _Mend) -> Fields | None:
    """Mend a message; None when nothing is left of it."""
    after = mended(blocks_of(message), lambda place, block: mend(block, f"{path}.content[{place}]"))
    if after is None:
        return message
    kept = [block for block in after if block is not None]
    return {**message, "content": Raw(_encode(kept))} if kept else None


def said_in(words: Conversed) -> bytes:
    """Give the conversation as it was written."""
    return bytes(words.fields.get("messages", NULL))


def has_tools(words: Conversed) -> bool:
    """Tell whether there may be calls or results."""
    said = said_in(words)
    return b'"tool_use"' in said or b'"tool_result"' in said


def blocks_of(message: Fields) -> list[Fields]:
    """Give the blocks of a message; [] where its content is words."""
    return read(message.get("content", NULL), MANY) or []


def role_of(message: Fields) -> str:
    """Give the role of a message."""
    return name_of(message, "role")


def kind_of(block: Fields) -> str:
    """Give the type of a block."""
    return name_of(block, "type")


def given_in(message: Fields) -> Sequence[object]:
    """Give the blocks of a message; words alone are one."""
    text = read(message.get("content", NULL), TEXT)
    return blocks_of(message) if text is None else [{"type": "text", "text": text}] if text else []
