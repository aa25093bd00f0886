"""What the inbound codecs read alike: the body itself, media, and tool arguments."""

import re
from codecs import BOM_UTF8
from collections.abc import Iterable
from mimetypes import guess_type
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.raw import FIELDS, NO_FIELDS, RAWS
from gateway.errors import InvalidRequest
from gateway.sse import sound, sound_escapes

__all__ = [
    "DOCUMENT",
    "HALVES",
    "IMAGES",
    "MAX_DEPTH",
    "arguments",
    "decode",
    "is_address",
    "is_whole",
    "limit_depth",
    "media",
    "pictured",
    "too_deep",
    "without_halves",
    "wrapped",
]

MAX_DEPTH: Final = 200
IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})  # that every model is shown

_T = TypeVar("_T")

_LOOKS: Final = 8  # a text within the answer of a Gemini tool stands that deep
_SHORT: Final = 4096  # bytes; what is short has more brackets in it, such as a tool's schema
_RAW: Final = msgspec.json.Decoder(Raw)
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$\.?(?P<path>[^`]*)`)?$", re.DOTALL)
_FLOAT: Final = re.compile(r"Expected `int\b[^`]*`, got `float`")
_MISSING: Final = re.compile(r"^Object missing required field `(?P<field>[^`]*)`$")
_SHRINK: Final = bytes.maketrans(b"[]ntrbfu/", b"{}xxxxxxx")  # what may follow a backslash must not vanish
_IRRELEVANT: Final = bytes(set(range(256)) - set(b'{}[]"\\ntrbfu/'))

_SEEN: Final = IMAGES | {"image/heic", "image/heif"}  # and what phones take, which Gemini is shown
_UNSAID: Final = ("", "application/octet-stream", "binary/octet-stream")  # browsers say it of what they do not know

_SAME: Final = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "application/x-pdf": "application/pdf"}
_MAGIC: Final = (  # the first bytes of a file, as they look in base64
    ("/9j/", "image/jpeg"),
    ("iVBORw0KGgo", "image/png"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("JVBERi0", "application/pdf"),
)
HALVES: Final = ir.Loss("body", "half of a character is no JSON: it became U+FFFD", "hint")
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_STEP: Final = 1 << 16
_SPACE: Final = b" \t\r\n"
_SCHEMES: Final = ("https://", "http://", "gs://")
DOCUMENT: Final = "application/pdf"


def decode(body: bytes, type: type[_T], *, flat: bool = False) -> _T:  # noqa: A002 (the name that msgspec uses)
    """Decode a request body; raise InvalidRequest, with the field as `param`, for whatever is wrong with it.

    `flat`: whoever reads what stays `Raw` asks `limit_depth` of it, which spares another look at all the words.
    """
    try:
        try:
            value = msgspec.json.decode(body, type=type)
        except msgspec.ValidationError as error:
            value = _numbered(body, type, error)
        if not body.isascii():
            body.decode()  # what stays Raw is not checked by msgspec
        deep = not flat and _deeper(body, MAX_DEPTH)
    except msgspec.ValidationError as error:
        raise _invalid_field(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the request body is not valid JSON: {_fault(body, str(error))}") from None
    except RecursionError:
        raise too_deep() from None
    if deep:
        raise too_deep()
    return value


def _numbered(body: bytes, type: type[_T], error: msgspec.ValidationError) -> _T:  # noqa: A002 (as above)
    """Decode it again: a whole number may be written as `100.0`, or as `1e+05`, which is what R makes of 100000."""
    if _FLOAT.match(str(error)):
        return msgspec.json.decode(body, type=type, strict=False)  # with a fraction it is refused here, too
    raise error


def _invalid_field(text: str) -> InvalidRequest:
    found = _AT.match(text)
    what, path = (found["what"], found["path"] or "") if found else (text, "")
    missing = _MISSING.match(what)
    if missing:
        param = f"{path}.{missing['field']}" if path else missing["field"]
        return InvalidRequest(f"{param}: required, but missing", param=param)
    what = what[:1].lower() + what[1:]
    return InvalidRequest(f"{path or 'the request body'}: {what}", param=path or None)


def _fault(body: bytes, text: str) -> str:
    if not body.strip():
        return "it is empty"
    if body.startswith(BOM_UTF8):
        return "it starts with a byte order mark"
    if "codec can't decode" in text or "UTF-8" in text:  # Python's words; msgspec's, from 0.23 on
        return "it is not UTF-8"
    if "truncated" in text and _SURROGATE.search(body):  # msgspec calls a lone surrogate escape truncated input
        return "it is truncated, or has a lone surrogate escape"
    return text.removeprefix("JSON is malformed: ")


def too_deep() -> InvalidRequest:
    """Make the refusal of what is nested too deep, also for a reader that comes near the interpreter's own limit."""
    return InvalidRequest(f"the request body is nested deeper than {MAX_DEPTH} levels")


def limit_depth(raw: bytes | Raw) -> None:
    """Raise InvalidRequest for a part of a body that is too deep for one level more, the body itself."""
    if len(memoryview(raw)) > 2 * (MAX_DEPTH - 1) and _deeper(bytes(raw), MAX_DEPTH - 1):
        raise too_deep()


def _deeper(value: bytes, levels: int, looks: int = _LOOKS) -> bool:
    """Tell whether valid JSON is nested deeper than that.

    With few brackets it is not; with many it is taken apart, since most of them stand in texts, as code does.
    """
    if len(value) <= 2 * levels or not _has_brackets(value, levels):  # two bytes a level
        return False
    if not looks:
        return _nested_deeper(value, levels)
    start = value.lstrip()[:1]
    if start == b"{":
        inner: Iterable[Raw] = FIELDS.decode(value).values()
    elif start == b"[":
        inner = RAWS.decode(value)
    else:
        return False
    return any(_deeper(bytes(one), levels - 1, looks - 1) for one in inner)


def _has_brackets(value: bytes, more_than: int) -> bool:
    """Tell whether there are so many opening ones; find() skips what is none a word at a time, count() does not."""
    if len(value) < _SHORT:
        return value.count(b"{") + value.count(b"[") > more_than
    count = 0
    for bracket in (b"{", b"["):
        at = value.find(bracket)
        while at >= 0:
            count += 1
            if count > more_than:
                return True
            at = value.find(bracket, at + 1)
    return False


def _nested_deeper(value: bytes, levels: int) -> bool:
    """Tell it without a loop over the bytes, whatever they are."""
    short = value.translate(_SHRINK, _IRRELEVANT)
    outside = short.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    left = b"".join(outside).translate(None, b"x\\")
    for _ in range(levels):
        if not left:
            return False
        left = left.replace(b"{}", b"")
    return bool(left)


def without_halves(body: bytes) -> bytes:
    """Give a body with U+FFFD for halves of characters, as slices of a text end in: no JSON reader takes them."""
    if not _SURROGATE.search(body):
        return body
    try:
        return sound_escapes(body.decode()).encode()
    except UnicodeDecodeError:
        return body


def arguments(raw: str | bytes | dict[str, Raw] | None) -> Raw:
    """Give a call's arguments as one JSON object, byte for byte when they are the text of one.

    Nothing becomes `{}`, anything else goes under `input`: a dropped call would orphan its result. Half of a character
    becomes U+FFFD.
    """
    if isinstance(raw, dict):
        return Raw(msgspec.json.encode(raw))
    data = raw.encode("utf-8", "replace") if isinstance(raw, str) else (raw or b"")
    if data == b"{}" or not data.strip():
        return NO_FIELDS
    try:
        value = decode(data, object)
    except InvalidRequest:
        mended = sound(data)
        return wrapped(mended.decode()) if mended == data else arguments(mended)
    if isinstance(value, dict):
        return Raw(data)
    return NO_FIELDS if value is None else Raw(b'{"input":%b}' % data.strip())


def is_whole(raw: str | bytes) -> bool:
    """Tell whether the arguments of a call are all there: an answer that was cut may end within them."""
    try:
        _RAW.decode(raw or b"{}")
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def wrapped(text: str) -> Raw:
    """Give the arguments of a free-form tool: its text under `input`."""
    return Raw(msgspec.json.encode({"input": text}))


def media(
    media_type: str | None = None,
    *,
    data: str | None = None,
    url: str | None = None,
    filename: str | None = None,
    detail: str | None = None,
    path: str,
    any_type: bool = False,
    otherwise: str = DOCUMENT,
    unknown: str = "image/*",
) -> ir.Media:
    """Read base64 `data` (plain or a data URL) or a `url`; raise InvalidRequest naming `path`.

    A data URL's own type wins over `media_type`; without any, the first bytes, then the file's name tell, else it is
    what is given as `otherwise`. So it is with one that says nothing, but then it stays. What kind of picture it is
    its first bytes know best.
    A URL whose type nobody knows is of type `unknown`. `any_type`: where there is more than pictures, PDF and sound.
    """
    source = url if data is None else data
    if not source:
        raise InvalidRequest(f"{path}: has neither data nor a URL", param=path)
    if source[:5].lower() == "data:":
        inner_type, content = _data_url(source, path)
        media_type = inner_type or media_type
    elif data is None and is_address(source):
        named = guess_type(source.partition("?")[0])[0] or guess_type(filename or "")[0]
        kind = _normal(media_type or named or unknown)
        return ir.Media(media_type=kind, url=source, filename=filename, detail=detail, path=path)
    elif "://" in source[:16]:
        raise InvalidRequest(f"{path}: is neither a data URL nor an https address", param=path)
    else:
        content = source
    content = _base64(content, path)
    kind = _normal(media_type or "")
    if kind in _UNSAID:
        kind = _normal(_sniff(content, filename) or kind or otherwise)
    elif kind in IMAGES:
        kind = pictured(content) or kind
    if not any_type:
        _check(kind, path)
    return ir.Media(media_type=kind, data=content, filename=filename, detail=detail, path=path)


def is_address(text: str) -> bool:
    """Tell whether it says where a file is."""
    return text[:8].lower().startswith(_SCHEMES)


def _data_url(url: str, path: str) -> tuple[str, str]:
    comma = url.find(",")
    kind, *parameters = url[5 : max(comma, 5)].split(";")
    if "base64" not in (parameter.strip().lower() for parameter in parameters):
        raise InvalidRequest(f"{path}: is a data URL without ';base64,'", param=path)
    return kind, url[comma + 1 :]


def _base64(text: str, path: str) -> str:
    """Check alphabet and length; mend what decoders disagree on: white space, URL-safe letters, absent padding."""
    if _sound(text):
        return text
    digits = text.encode("ascii", "replace").translate(_URL_SAFE, _SPACE).rstrip(b"=")
    if digits.translate(None, _BASE64):
        raise InvalidRequest(f"{path}: is not valid base64", param=path)
    if not digits or len(digits) % 4 == 1:
        raise InvalidRequest(f"{path}: is base64 of an impossible length", param=path)
    return (digits + b"=" * (-len(digits) % 4)).decode()


def _sound(text: str) -> bool:
    """Tell whether it is base64 as it should be; in steps, since a copy of a large image costs more than the look."""
    end = len(text) - text.count("=", -2) if text.endswith("=") else len(text)
    steps = range(0, end, _STEP)
    letters = (text[i : min(i + _STEP, end)].encode("ascii", "replace").translate(None, _BASE64) for i in steps)
    return len(text) % 4 == 0 and end > 0 and not any(letters)


def pictured(content: str) -> str | None:
    """Give the type of a picture in base64; many programs name one and the same for all, and Claude refuses that."""
    kind = _begun(content)
    return kind if kind in IMAGES else None


def _sniff(content: str, filename: str | None) -> str | None:
    return _begun(content) or guess_type(filename or "")[0]


def _begun(content: str) -> str | None:
    return next((kind for start, kind in _MAGIC if content.startswith(start)), None)


def _normal(media_type: str) -> str:
    kind = media_type.partition(";")[0].strip().lower()
    return _SAME.get(kind, kind)


def _check(kind: str, path: str) -> None:
    if kind not in _SEEN and kind != "application/pdf" and not kind.startswith("audio/"):
        raise InvalidRequest(
            f"{path}: media type {kind or 'unknown'!r} is not supported; use JPEG, PNG, GIF, WebP, PDF or audio",
            param=path,
        )
