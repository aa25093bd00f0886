"""Items of an input with all members that OpenAI's types demand, for a server that takes none without them.

OpenAI itself fills in what a caller leaves out, as Codex and this gateway do; vLLM, OpenRouter and Meta do not. The IDs
are made here, by an item's place: they name nothing that is kept anywhere.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.edits import Words, mended
from gateway.dialects.outbound import WHOLE_ITEMS, OpenAITarget
from gateway.dialects.raw import FIELDS, MANY, NO_LIST, NULL, RAWS, TEXT, Fields, name_of, read

__all__ = ["complete", "whole"]

_INPUT: Final = "input"
_MESSAGE: Final = "message"
# What is the model's own, and how its IDs begin.
_IDS: Final = {
    _MESSAGE: "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "custom_tool_call": "ctc",
    "web_search_call": "ws",
    "local_shell_call": "lsh",
    "apply_patch_call": "apc",
}
_ASSISTANT: Final = "assistant"
_TYPE: Final = Raw(b'"message"')
_OUTPUT: Final = Raw(b'"output_text"')
_DONE: Final = Raw(b'"completed"')
# What a part of this type must have.
_PARTS: Final[Mapping[str, Fields]] = {
    "output_text": {"annotations": NO_LIST},
    "input_image": {"detail": Raw(b'"auto"')},
}
_encode: Final = msgspec.json.Encoder().encode


def whole(words: Words[OpenAITarget]) -> None:
    """Complete the items of a caller's own input."""
    items: list[Raw] = words.get(_INPUT, RAWS) or []
    after = mended(items, complete) if WHOLE_ITEMS in words.target.refused else None
    if after is not None:
        words.put(_INPUT, after)


def complete(place: int, item: Raw) -> Raw:
    """Fill in what an item at a place leaves out, and leave out what is null; what is no object stays as it is."""
    fields = read(item, FIELDS)
    if fields is None:
        return item
    given = {name: value for name, value in fields.items() if value != NULL}
    kind = name_of(given, "type") or (_MESSAGE if "role" in given else "")
    if kind == _MESSAGE:
        given = _message(given)
    if kind in _IDS and (kind != _MESSAGE or name_of(given, "role") == _ASSISTANT):
        given = {"id": Raw(_encode(f"{_IDS[kind]}_{place}")), "status": _DONE, **given}
    if kind == "reasoning":
        given = {"summary": NO_LIST, **given}
    return item if given == fields else Raw(_encode(given))


def _message(given: Fields) -> Fields:
    said, content = {"type": _TYPE, **given}, given.get("content", NULL)
    if name_of(given, "role") == _ASSISTANT and read(content, TEXT) is not None:
        return said | {"content": Raw(_encode([{"type": _OUTPUT, "text": content, **_PARTS["output_text"]}]))}
    parts = read(content, MANY) or []
    filled = [{**_PARTS.get(name_of(part, "type"), {}), **part} for part in parts]
    return said if filled == parts else said | {"content": Raw(_encode(filled))}
