"""The content blocks of Anthropic Messages: each wire struct knows what it is in the neutral form.

Which kinds may stand where is a table; server tool blocks stay whole, as `ir.Opaque`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from msgspec import Raw, ValidationError
from msgspec.json import Decoder, Encoder
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.content import arguments, limit_depth, media
from gateway.dialects.known import Closed, read_known
from gateway.dialects.marks import CONTROL, marked, read_control
from gateway.dialects.place import Place, is_null
from gateway.dialects.raw import NO_FIELDS, NULL, TEXT
from gateway.dialects.shown import read_shown

from .wire import Content

__all__ = ["read_system", "read_turn"]

_Carried = tuple[ir.Signature, Place] | None

_PDF: Final = "application/pdf"
_TEXT: Final = "text/plain"
# the fields that say something, by the type of a source
_SAYING: Final = {"base64": ("media_type", "data"), "text": ("data",), "content": ("content",), "url": ("url",)}


class Text(Closed, tag="text"):
    text: str

    def parts(self, _: Place) -> Iterator[ir.Part]:
        if self.text:
            yield ir.Text(text=self.text)


class Source(Closed):
    """What an image or document consists of, by `type`."""

    type: Literal["base64", "text", "content", "url", "file"]
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    content: Content = None

    def lose_unread(self, place: Place) -> None:
        """Note what this type of source does not read."""
        for field in ("media_type", "data", "url", "content"):
            value = getattr(self, field)
            if value and field not in _SAYING.get(self.type, ()) and value != _TEXT:
                place.lose(field, f"ignored in a source of type {self.type}")


class Image(Closed, tag="image"):
    source: Source

    def parts(self, place: Place) -> Iterator[ir.Part]:
        at = place.at("source")
        self.source.lose_unread(at)
        yield _media(self.source, at)


class Document(Closed, tag="document"):
    source: Source
    title: str | None = None
    context: str | None = None

    def parts(self, place: Place) -> Iterator[ir.Part]:
        source, at = self.source, place.at("source")
        source.lose_unread(at)
        yield from _words("\n".join(filter(None, (self.title, self.context))))  # the model reads them, too
        if source.type == "text":
            yield from _words(source.data)
        elif source.type == "content":
            yield from _read(source.content, at.at("content"), _DOCUMENT)
        else:
            yield _media(source, at, _PDF)


class SearchResult(Closed, tag="search_result"):
    source: str
    title: str
    content: list[Raw]

    def parts(self, place: Place) -> Iterator[ir.Part]:
        inner = _read(self.content, place.at("content"), _SYSTEM)
        yield ir.Text(text="\n".join((self.title, self.source, *(p.text for p in inner if isinstance(p, ir.Text)))))


class Thinking(Closed, tag="thinking"):
    thinking: str = ""  # LangChain leaves an empty one out
    signature: str | None = None

    def parts(self, place: Place) -> Iterator[ir.Part]:
        signature, unseen = ir.unseal_thought(self.signature or "")
        if self.signature and signature is None:
            place.lose("signature", "the signature is corrupt")
        if signature is not None and not signature.value:
            signature = None  # it was given out as one that nobody signed
        if self.thinking or signature is not None:
            yield ir.Thinking(text=self.thinking or unseen, signature=signature)


class RedactedThinking(Closed, tag="redacted_thinking"):
    data: str

    def parts(self, _: Place) -> Iterator[ir.Part]:
        yield ir.Thinking(text="", redacted=self.data)


class ToolUse(Closed, tag="tool_use"):
    id: str
    name: str
    input: Raw = NO_FIELDS

    def parts(self, _: Place) -> Iterator[ir.Part]:
        limit_depth(self.input)
        yield ir.ToolCall(id=self.id, name=self.name, arguments=arguments(bytes(self.input)))


class ToolResult(Closed, tag="tool_result"):
    tool_use_id: str
    content: Content = None
    is_error: bool | None = None

    def parts(self, place: Place) -> Iterator[ir.Part]:
        inner = _read(self.content, place.at("content"), _RESULT)
        yield ir.ToolResult(
            id=self.tool_use_id,
            parts=tuple(part for part in inner if isinstance(part, ir.Text | ir.Media)),
            is_error=bool(self.is_error),
            path=place.path,
        )


class ToolReference(Closed, tag="tool_reference"):
    tool_name: str

    def parts(self, _: Place) -> Iterator[ir.Part]:
        yield ir.Text(text=self.tool_name)


_Block = Text | Image | Document | SearchResult | Thinking | RedactedThinking | ToolUse | ToolResult | ToolReference
_BLOCK: Final = Decoder(_Block)
_MARKED: Final = frozenset(kind.__struct_config__.tag for kind in _Block.__args__) - {"thinking", "redacted_thinking"}
_encode: Final = Encoder().encode

# What Anthropic's own servers put into an answer, and want back in the next request
_SERVER: Final = frozenset(
    {
        "advisor_tool_result",
        "bash_code_execution_tool_result",
        "code_execution_tool_result",
        "container_upload",
        "fallback",
        "mcp_tool_listing",
        "mcp_tool_result",
        "mcp_tool_use",
        "server_tool_use",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
        "web_fetch_tool_result",
        "web_search_tool_result",
    }
)
_SYSTEM: Final = frozenset({"text"})
_DOCUMENT: Final = frozenset({"text", "image"})
_SHOWN: Final = frozenset({"text", "image", "document", "search_result"})
_RESULT: Final = _SHOWN | {"tool_reference"}
_TURN: Final = {
    "user": _SHOWN | _SERVER | {"tool_result"},
    "assistant": _SHOWN | _SERVER | {"thinking", "redacted_thinking", "tool_use"},
    "system": _SYSTEM,
}


def read_system(content: Content, place: Place) -> tuple[ir.Text, ...]:
    """Read words that may only be text."""
    return tuple([part for part in _read(content, place, _SYSTEM) if isinstance(part, ir.Text)])


def read_turn(role: Literal["user", "assistant", "system"], content: Content, place: Place) -> ir.Turn:
    """Read one message."""
    if role == "assistant":
        return _read_assistant(content, place)
    return ir.Turn(role=role, parts=tuple(_read(content, place, _TURN[role])))


def _read_assistant(content: Content, place: Place) -> ir.Turn:
    """Read what the model said; a call gets the signature that an empty thinking block before it carries."""
    parts: list[ir.Part] = []
    places: list[tuple[str, ...]] = []
    carried: _Carried = None
    for at, part in _placed(content, place, _TURN["assistant"]):
        match part:
            case ir.Thinking(text="", signature=ir.Signature(kind="f") as signature):
                carried = _handed(carried, (signature, at))
            case ir.ToolCall() if carried is not None:
                parts.append(replace(part, signature=carried[0]))
                places.append((carried[1].path,))
                carried = None
            case ir.Text():
                shown = read_shown(part, at.path)
                parts += shown
                places += [()] * len(shown)
            case _:
                parts.append(part)
                places.append((at.path,) if isinstance(part, ir.Thinking) else ())
    _handed(carried, None)
    return ir.Turn(role="assistant", parts=tuple(parts), places=tuple(places) if any(places) else ())


def _handed(before: _Carried, after: _Carried) -> _Carried:
    """Take the next signature; one that no call has taken until then is lost."""
    if before is not None:
        before[1].lose("signature", "no call follows that it could belong to")
    return after


def _read(content: Content, place: Place, allowed: frozenset[str]) -> Iterable[ir.Part]:
    if isinstance(content, list):
        return [part for _, part in _placed(content, place, allowed)]
    return _words(content)


def _placed(content: Content, place: Place, allowed: frozenset[str]) -> Iterator[tuple[Place, ir.Part]]:
    """Give the parts, each with the place of its block."""
    if isinstance(content, list):
        for index, raw in enumerate(content):
            at = place.item(index)
            for part in _read_block(raw, at, allowed):
                yield at, part
    else:
        for part in _words(content):
            yield place, part


def _words(text: str | None) -> tuple[ir.Part, ...]:
    return (ir.Text(text=text),) if text else ()


def _read_block(raw: Raw, place: Place, allowed: frozenset[str]) -> Iterator[ir.Part]:
    try:
        block = _BLOCK.decode(raw)
    except ValidationError:
        return iter(_read_other(raw, place, allowed))
    _allow(block.__struct_config__.tag, place, allowed)
    return block.parts(place)


def _read_other(raw: Raw, place: Place, allowed: frozenset[str]) -> Sequence[ir.Part]:
    """Read a block with more to it than words and calls have, or none."""
    fields = place.fields(raw)
    if "type" not in fields:
        raise place.refuse("required, but missing", "type")
    kind = place.read(fields["type"], TEXT, "type")
    _allow(kind, place, allowed)
    if kind in _SERVER:
        return (ir.Opaque(dialect="anthropic", kind=kind, value=raw, path=place.path),)
    mark = fields.pop(CONTROL, NULL) if kind in _MARKED else NULL
    given = raw if is_null(mark) else Raw(_encode(fields))
    parts = (*read_known(given, _BLOCK, place).parts(place),)
    return parts if is_null(mark) else marked(parts, read_control(mark, place.at(CONTROL)), place.losses)


def _allow(kind: object, place: Place, allowed: frozenset[str]) -> None:
    if kind not in allowed:
        raise place.refuse(f"block type {kind!r} is not allowed here", "type")


def _media(source: Source, place: Place, media_type: str | None = None) -> ir.Media:
    if source.type == "url":
        return media(media_type, url=source.url, path=place.path)
    if source.type == "base64":
        return media(source.media_type, data=source.data or "", path=place.path)
    if source.type == "file":
        raise place.refuse("a file id belongs to one Anthropic account; send the data itself", "file_id")
    raise place.refuse(f"source type {source.type!r} is not supported here", "type")
