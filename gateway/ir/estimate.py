"""Count a request's tokens without a tokenizer: deterministic, linear, the same on every machine.

    words               4 letters or digits a token, each run rounded up; punctuation alike, 3 a token
    CJK, Kana, Hangul   1 a character; what else is not ASCII: 3 UTF-8 bytes a token
    JSON                3 bytes a token, without white space
    images              by width and height, never by the length of their base64
    PDF, sound          by page, by second

Of a long text the first 2,048 characters are counted, and of what follows one in eight: 32 MB of words took a third of
a second, of which the loop's other callers had to wait. More words at the end of a text, more turns or tools never
lower the number. Signatures, sealed thoughts and cache marks count nothing. What no reader could read is counted by the
words, names and payloads in it.
"""

import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from math import ceil
from typing import Final, cast

import msgspec
from msgspec import Raw

from .measure import dimensions, pages, seconds
from .request import Media, Part, Request, Text, Thinking, Tool, ToolCall, ToolResult

__all__ = ["estimate", "estimate_body", "estimate_text"]

_COUNTED: Final = 2048  # characters of a text
_BLOCK: Final = 2048  # of the rest, by its first
_HEAD: Final = 256

_MESSAGE: Final = 4
_SYSTEM: Final = 4
_TOOL: Final = 8
_IMAGE: Final = 1500
_IMAGE_MAX: Final = 1600
_PIXELS_A_TOKEN: Final = 750
_PAGE: Final = 1500
_PAGES: Final = 2
_SECOND: Final = 32
_FILE: Final = 1500  # of a kind that nobody can measure

# of JSON that nobody could read: what says nothing to a model, names of what does, and base64
_SILENT: Final = frozenset(
    {
        "cache_control",
        "encrypted_content",
        "encrypted_index",
        "id",
        "model",
        "role",
        "signature",
        "thoughtSignature",
        "thought_signature",
        "tool_use_id",
        "type",
    }
)
_PLAIN: Final = frozenset({"content", "contents", "input", "messages", "parts", "system", "text", "tools"})
_PAYLOAD: Final = re.compile(r"(?:data:[^,]{0,200},)?([A-Za-z0-9+/_-]{256,}={0,2})")

_WIDE: Final = re.compile(
    "[\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_ASCII: Final = bytes(range(128))
_WORD: Final = bytes(0x61 if chr(byte).isalnum() else 0x20 for byte in range(128)).ljust(256)
_PUNCTUATION: Final = bytes(0x20 if chr(byte).isalnum() else 0x61 for byte in range(33, 127)).rjust(127).ljust(256)


def estimate(request: Request) -> int:
    """Give the tokens of a request's prompt; at least 1."""
    if request.counted:
        return request.counted
    if request.native is not None and request.native.refusal is not None:
        return estimate_body(request.native.body)
    total = _SYSTEM + sum(estimate_text(part.text) for part in request.system) if request.system else 0
    total += sum(_MESSAGE + _parts(turn.parts) for turn in request.turns)
    total += sum(map(_tool, request.tools))
    if request.output.schema is not None:
        total += _json(request.output.schema)
    return _whole(total)


def estimate_body(body: bytes | Raw) -> int:
    """Give the tokens of JSON of any form; raise ValueError where it is none."""
    return _whole(_found(_read(body)))


def _read(body: bytes | Raw) -> object:
    """Read JSON of any form; what a number says counts nothing, so one that no float can hold will do."""
    try:
        return msgspec.json.decode(body)
    except msgspec.ValidationError:  # such as 1e400, or 5,000 digits
        return json.loads(bytes(body).decode(), parse_float=len, parse_int=len)


def _whole(total: int) -> int:
    return max(1, -(-total * 21 // 20))  # 5 % for what surrounds it


def estimate_text(text: str) -> int:
    """Give the tokens of plain text."""
    if len(text) <= _COUNTED:
        return -(-_thirds(text) // 3)
    whole = len(text) - (len(text) - _COUNTED) % _BLOCK
    heads = " ".join([text[start : start + _HEAD] for start in range(_COUNTED, whole, _BLOCK)])
    total = _thirds(text[:_COUNTED]) + _thirds(heads) * (_BLOCK // _HEAD)
    if rest := len(text) - whole:
        total += _thirds(text[whole : whole + _HEAD]) * rest // min(rest, _HEAD)
    return -(-total // 3)


def _thirds(text: str) -> int:
    """Give three times the tokens of a text, which is a whole number."""
    if text.isascii():
        return _words(text.encode()) * 3
    data = text.encode("utf-8", "surrogatepass")
    wide = "".join(_WIDE.findall(text))
    other = len(data.translate(None, _ASCII)) - len(wide.encode())
    return (_words(data) + len(wide)) * 3 + other


def _words(data: bytes) -> int:
    return _runs(data.translate(_WORD), 4) + _runs(data.translate(_PUNCTUATION), 3)


def _runs(marked: bytes, size: int) -> int:
    """Sum ceil(length / size) over the runs of `a` between spaces, at the speed of bytes.replace."""
    rest = marked.replace(b"a" * size, b"")
    return (len(marked) - len(rest)) // size + (b" " + rest).count(b" a")


def _json(raw: Raw) -> int:
    data = bytes(raw)
    with suppress(msgspec.DecodeError):  # a call that broke off counts as it is
        data = msgspec.json.format(data, indent=-1)
    return -(-len(data) // 3)


def _tool(tool: Tool) -> int:
    total = _TOOL + estimate_text(tool.name) + estimate_text(tool.description or "")
    return total + (_json(tool.schema) if tool.schema is not None else 0)


def _parts(parts: Iterable[Part]) -> int:
    return sum(map(_part, parts))


def _part(part: Part) -> int:
    match part:
        case Text(text=text) | Thinking(text=text):
            return estimate_text(text)
        case ToolCall(name=name, arguments=arguments):
            return estimate_text(name) + _json(arguments)
        case ToolResult(parts=parts):
            return _parts(parts)
        case Media():
            return _media(part)
        case _:
            return 0  # known to its own dialect only; another one drops it


def _found(value: object) -> int:
    """Sum up what stands in JSON of any form."""
    if isinstance(value, str):
        payload = _PAYLOAD.fullmatch(value)
        return estimate_text(value) if payload is None else _payload(payload[1])
    if isinstance(value, list):
        return sum(map(_found, cast(list[object], value)))
    if isinstance(value, dict):
        members = cast(dict[str, object], value)
        words = sum(_name(name) + _found(member) for name, member in members.items() if name not in _SILENT)
        return words + (_MESSAGE if "role" in members else 0)
    return 0 if value is None else 1


def _name(name: str) -> int:
    return 0 if name in _PLAIN else estimate_text(name)


def _payload(data: str) -> int:
    return _image(data) if dimensions(data) else _PAGE * (pages(data) or 1)


def _media(media: Media) -> int:
    kind = media.media_type.partition("/")[0]
    measure = _MEASURES.get(media.media_type) or _MEASURES.get(kind)
    return measure(media.data or "") if measure else _FILE


def _image(data: str) -> int:
    size = dimensions(data)
    return min(_IMAGE_MAX, -(-size[0] * size[1] // _PIXELS_A_TOKEN)) if size else _IMAGE


def _pdf(data: str) -> int:
    return _PAGE * (pages(data) or _PAGES)


def _sound(data: str) -> int:
    return ceil(_SECOND * seconds(data))


_MEASURES: Final[dict[str, Callable[[str], int]]] = {
    "image": _image,
    "application/pdf": _pdf,
    "audio": _sound,
}
