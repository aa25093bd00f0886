"""The further edit on Code Assist and on Vertex AI, which do not know all that the Gemini API has in a part."""

from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.edits import RequestEdit, Words
from gateway.dialects.raw import FIELDS, NULL, Fields, read

from .edits import mend_parts
from .inbound_wire import camel
from .own import Own

__all__ = ["PARTS"]

_encode: Final = msgspec.json.Encoder().encode

_METADATA, _RESULT, _MORE = "partMetadata", "functionResponse", "willContinue"
_SERVED: Final = frozenset({"toolCall", "toolResponse"})  # what Google's services were asked beside functions, and said
_MARKS: Final = (
    *(b'"partMetadata"', b'"part_metadata"', b'"willContinue"', b'"will_continue"'),
    *(b'"toolCall"', b'"tool_call"', b'"toolResponse"', b'"tool_response"'),
)
_NOT_KNOWN: Final = "this upstream does not support it"


def _parts(words: Words[Own]) -> None:
    """Leave out of the conversation what the Gemini API alone knows."""
    said = bytes(words.fields.get("contents", NULL))
    if any(mark in said for mark in _MARKS):
        mend_parts(words, lambda part, path: _part(part, path, words))


def _part(part: Fields, path: str, words: Words[Own]) -> Fields | None:
    names = {camel(name): name for name in part}
    if _SERVED & names.keys():
        words.lose(path, _NOT_KNOWN, "content")
        return None
    if _METADATA in names:
        words.lose(f"{path}.{_METADATA}", _NOT_KNOWN)
        part = {name: value for name, value in part.items() if name != names[_METADATA]}
    result = read(part[names[_RESULT]], FIELDS) if _RESULT in names else None
    more = next((name for name in result or {} if camel(name) == _MORE), None)
    if result is None or more is None:
        return part
    words.lose(f"{path}.{_RESULT}.{_MORE}", _NOT_KNOWN)
    kept = {name: value for name, value in result.items() if name != more}
    return {**part, names[_RESULT]: Raw(_encode(kept))}


PARTS: Final[RequestEdit[Own]] = RequestEdit(
    name="parts",
    why="Code Assist and Vertex AI reject members of a part that only the Gemini API supports",
    apply=_parts,
    unusual=True,
)
