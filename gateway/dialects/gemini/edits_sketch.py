"""What of a Gemini caller's conversation tells whether its edits have to look at the parts.

It is read once for all of them, with less than a tenth of what they take together. A short one they see through sooner.
"""

from collections.abc import Collection, Sequence
from typing import Final, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.dialects.raw import NO_TEXT, read

from .inbound_signatures import opened

__all__ = ["is_usual"]

_LONG: Final = 8192


class _Call(Struct, gc=False, forbid_unknown_fields=True):
    id: str | UnsetType = UNSET
    name: Raw | UnsetType = UNSET
    args: Raw | UnsetType = UNSET


class _Result(Struct, gc=False, forbid_unknown_fields=True):
    id: str | UnsetType = UNSET
    name: Raw | UnsetType = UNSET
    response: Raw | UnsetType = UNSET


class _Part(Struct, forbid_unknown_fields=True, rename="camel"):
    text: Raw | UnsetType = UNSET
    thought: Raw | UnsetType = UNSET
    inline_data: Raw | UnsetType = UNSET
    file_data: Raw | UnsetType = UNSET
    thought_signature: str = ""
    function_call: _Call | UnsetType = UNSET
    function_response: _Result | UnsetType = UNSET


class _Content(Struct, forbid_unknown_fields=True):
    role: Literal["user", "model"]
    parts: list[_Part]


class _Request(Struct):
    contents: list[_Content]


_REQUEST: Final = msgspec.json.Decoder(_Request)


def is_usual(body: Raw, refused: Collection[str]) -> bool:
    """Tell whether a conversation is as Google's clients write it, and has nothing of this gateway's.

    The model speaks once in a row, each result has the place of its call and nothing stands beside them, no text is
    empty, and signatures are bare.
    """
    if len(body) <= _LONG or refused:
        return False
    sketch = read(body, _REQUEST)
    if sketch is None or not all(_is_plain(content.parts) for content in sketch.contents):
        return False
    calls: list[str | UnsetType] = []
    last = ""
    for content in sketch.contents:
        results = [part.function_response.id for part in content.parts if part.function_response is not UNSET]
        if content.role == last == "model" or (results and (results != calls or len(results) < len(content.parts))):
            return False
        last = content.role
        calls = [part.function_call.id for part in content.parts if part.function_call is not UNSET]
    return True


def _is_plain(parts: Sequence[_Part]) -> bool:
    return bool(parts) and not any(part.text == NO_TEXT or _is_sealed(part.thought_signature) for part in parts)


def _is_sealed(signature: str) -> bool:
    return bool(signature) and opened(signature) is not None
