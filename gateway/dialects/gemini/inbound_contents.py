"""Read `contents` and `systemInstruction` of a Gemini caller.

    content ─► turn    part ─► text, thought, media, call, result; what only Gemini knows stays whole

Calls and results may come without ids: a call is then named by its place, and a result finds the first call of its
name that has none yet, or the call at its own place where no call has its name.
"""

import re
from collections import deque
from collections.abc import Iterable
from typing import Final, Literal

import msgspec
from msgspec import UNSET, Raw, Struct
from msgspec.structs import replace

from gateway import ir
from gateway.dialects.content import arguments, limit_depth, media
from gateway.dialects.place import ANY, Place
from gateway.dialects.raw import NOTHING, TEXT, Fields

from . import inbound_wire as wire
from .addresses import FILM
from .inbound_signatures import read_signature
from .schema_facets import is_object

__all__ = ["Conversation", "read_system"]


_Role = Literal["user", "assistant"]

_ROLES: Final[dict[str, _Role]] = {
    "": "user",
    "user": "user",
    "function": "user",
    "tool": "user",
    "model": "assistant",
}
_OF_THOUGHTS: Final = ("claude", "openai")  # who signs nothing else, wherever it stands: Gemini signs words and calls
_Words = ir.Text | ir.Thinking
_Signed = ir.Text | ir.Media | ir.ToolCall
_OTHERS_SAY: Final[dict[_Role, type[ir.ToolCall | ir.ToolResult]]] = {"user": ir.ToolCall, "assistant": ir.ToolResult}
_READ: Final = ("text", "inlineData", "fileData", "functionCall", "functionResponse")
_OPAQUE: Final = ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")
_DATA: Final = _READ + _OPAQUE
# What may stand beside the data of a part, and how much it matters.
_BESIDE: Final[dict[str, ir.Severity]] = {
    "videoMetadata": "change",
    "audioMetadata": "change",
    "documentMetadata": "change",
    "spreadsheetMetadata": "change",
    "mediaProcessing": "change",
    "speechMetadata": "change",
    "audioTranscription": "change",
    "partMetadata": "hint",
}
_CARRIED: Final = frozenset({"thought", "thoughtSignature", "mediaResolution"})
_DETAILS: Final = {
    "MEDIA_RESOLUTION_LOW": "low",
    "MEDIA_RESOLUTION_HIGH": "high",
    "MEDIA_RESOLUTION_ULTRA_HIGH": "high",
}
# What stands at an address that nobody else gets anything at.
_AT_GOOGLE: Final = (
    (
        re.compile(r"(?:https?://[^/]+/v1(?:beta|alpha)/)?files/[\w-]+"),
        "only the account that owns a file at Google can read it",
    ),
    (FILM, "only Gemini models read videos from there"),
)
_INDEX: Final = re.compile(r"\[(\d+)\]")
_encode: Final = msgspec.json.Encoder().encode
_PLAIN: Final = frozenset({"output", "error"})  # under which SDKs put a result that is plain text


class _Waiting(Struct):
    """A call of the model. `ours`: its id is its place here, for it came without one."""

    id: str
    name: str
    ours: bool
    answered: bool = False


class _Calls:
    """The calls of the model's last turn that wait for their results."""

    def __init__(self) -> None:
        self._made: list[_Waiting] = []  # in their order
        self._taken = 0
        self._named: dict[tuple[str, str | None], deque[_Waiting]] | None = None  # by what a result may call it
        self._model = False

    def turn(self, *, model: bool) -> None:
        """Begin a turn: what an earlier one of the model left waiting has got no result."""
        if model and not self._model:
            self._made.clear()
            self._taken = 0
            self._named = None
        self._model = model

    def add(self, call_id: str, name: str, *, ours: bool) -> None:
        """Note a call."""
        call = _Waiting(call_id, name, ours)
        self._made.append(call)
        if self._named is not None:
            _note(self._named, call)

    def take(self, call_id: str | None, name: str | None) -> str | None:
        """Give the id of the call that a result belongs to: by its id, else by its name, a call without one first.

        Semantic Kernel writes a name otherwise in results than in calls; without ids their order tells.
        """
        beside = self._made[self._taken] if self._taken < len(self._made) else None
        self._taken += 1
        if self._named is None and beside is not None and _is(beside, call_id, name):  # as nearly all come, in order
            beside.answered = True
            return beside.id
        if self._named is None:
            self._named = {}
            for call in self._made:
                _note(self._named, call)
        for key in (("id", call_id), ("without id", name), ("named", name))[: 2 if call_id else 3]:
            calls = self._named.get(key)
            while calls:
                call = calls.popleft()
                if not call.answered:
                    call.answered = True
                    return call.id
        if call_id or not name or ("named", name) in self._named or beside is None:
            return None
        if not beside.ours or beside.answered:
            return None
        beside.answered = True
        return beside.id


def _is(call: _Waiting, call_id: str | None, name: str | None) -> bool:
    """Tell whether a result belongs to a call, whatever others there are behind it."""
    return call.id == call_id if call_id else call.ours and call.name == name


def _note(named: dict[tuple[str, str | None], deque[_Waiting]], call: _Waiting) -> None:
    for key in (("id", call.id), ("named", call.name), ("without id", call.name))[: 3 if call.ours else 2]:
        named.setdefault(key, deque()).append(call)


class _Said:
    """The parts of one turn, and where thoughts and signatures among them stood."""

    def __init__(self, role: _Role) -> None:
        self.role: _Role = role
        self.parts: list[ir.Part] = []
        self._places: list[tuple[str, ...]] = []

    def add(self, part: ir.Part, place: Place) -> None:
        """Add a part; what a model streams comes back in pieces, and what signs them behind the last one."""
        if isinstance(part, _Signed) and part.signature is not None and part.signature.issuer in _OF_THOUGHTS:
            if isinstance(part, ir.ToolCall):
                part = self._unsigned(part, place)
            elif isinstance(part, ir.Text) and self.role == "assistant":
                part = self._told_apart(part, place)
        where = _marked(part, place)
        whole = self._continued(part) if self.role == "assistant" and self.parts else None
        if whole is None:
            self.parts.append(part)
            self._places.append(where)
        else:
            self.parts[-1] = whole
            self._places[-1] += where

    def _told_apart(self, words: ir.Text, place: Place) -> ir.Text | ir.Thinking:
        """Tell thoughts that litellm sends as text from text to which it moves what signs the thoughts before it."""
        thoughts = [one for one in self.parts if isinstance(one, ir.Thinking)]
        if words.text and any(one.signature == words.signature for one in thoughts):
            return ir.Text(text=words.text)
        last = self.parts[-1] if self.parts else None
        if not isinstance(last, ir.Thinking) or last.signature is not None:
            return ir.Thinking(text=words.text, signature=words.signature)
        if words.text in ("", last.text):  # said twice: unsigned, and signed
            return ir.Thinking(text="", signature=words.signature)
        self.parts[-1] = replace(last, signature=words.signature)
        self._places[-1] += (f"{place.path}.thoughtSignature",)
        return ir.Text(text=words.text)

    def _unsigned(self, call: ir.ToolCall, place: Place) -> ir.ToolCall:
        """Give a call without what signs the thought before it, which ADK for JavaScript moves to each call behind."""
        thoughts = {at: one for at, one in enumerate(self.parts) if isinstance(one, ir.Thinking)}
        if all(one.signature != call.signature for one in thoughts.values()):
            last = max(thoughts, default=None)
            if last is None or thoughts[last].signature is not None:
                return call
            self.parts[last] = replace(thoughts[last], signature=call.signature)
            self._places[last] += (f"{place.path}.thoughtSignature",)
        return replace(call, signature=None)

    def _continued(self, part: ir.Part) -> ir.Part | None:
        """Give the last part of the model's with what is a piece of it, too."""
        last = self.parts[-1]
        if not isinstance(last, _Words) or not isinstance(part, _Words) or type(last) is not type(part):
            return None
        return replace(part, text=last.text + part.text) if last.signature is None else None

    def turn(self) -> ir.Turn:
        """Give the turn."""
        if any(self._places):
            return ir.Turn(role=self.role, parts=tuple(self.parts), places=tuple(self._places))
        return ir.Turn(role=self.role, parts=tuple(self.parts))


def _marked(part: ir.Part, place: Place) -> tuple[str, ...]:
    """Tell where its thoughts or its signature stood."""
    if isinstance(part, _Signed):
        return (f"{place.path}.thoughtSignature",) if part.signature is not None else ()
    return (place.path,) if isinstance(part, ir.Thinking) else ()


class Conversation:
    """Reads one conversation. `detail`: how closely to look at what does not say so itself.

    `only`: the first thing in it that no other dialect can carry. `detailed`: whether it took that detail for anything.
    """

    def __init__(self, detail: str | None = None, detail_path: str = "") -> None:
        self.only: ir.Loss | None = None
        self.detailed = False
        self._detail = (detail, detail_path if detail else "")
        self._calls = _Calls()

    def turns(self, contents: Raw, place: Place) -> tuple[ir.Turn, ...]:
        """Read all turns; those without parts are left out, but for the user's last word behind the model's."""
        said: list[_Said] = []
        last: _Role = "user"
        for at, role, parts in wire.contents_of(contents, place):
            last = self._content(role, parts, at, said)
        if not said:
            raise place.refuse("contains nothing that a model could read")
        if last == "user" and said[-1].role == "assistant":
            said.append(_Said(last))
        return tuple(one.turn() for one in said)

    def _content(
        self, named: str | None, said: Iterable[tuple[Place, Fields]], place: Place, turns: list[_Said]
    ) -> _Role:
        """Add what a content says, and tell whose it is; chats of SDKs keep each chunk of an answer as one."""
        role = _ROLES.get(named or "")
        if role is None:
            raise place.refuse(f"{named!r} is neither user nor model", "role")
        self._calls.turn(model=role == "assistant")
        other, misplaced = _OTHERS_SAY[role], False
        turn = turns[-1] if role == "assistant" and turns and turns[-1].role == role else None
        for at, fields in said:
            part = self._part(fields, at, role)
            if part is None:
                continue
            if turn is None:
                turn = _Said(role)
                turns.append(turn)
            misplaced = misplaced or isinstance(part, other)
            turn.add(part, at)
        if misplaced:
            place.lose("role", "calls belong to the model and results to the user, whatever the role")
        return role

    def _part(self, fields: Fields, place: Place, role: _Role) -> ir.Part | None:
        """Read a part; None where it says nothing."""
        if len(fields) == 1 and "text" in fields:  # most
            return _words(fields, place, None, thought=False)
        kind = self._kind(fields, place)
        if kind not in _READ:
            for given in fields.values():
                limit_depth(given)
            return ir.Opaque(dialect="gemini", kind=kind, value=Raw(_encode(fields)), path=place.path)
        _lose_beside(fields, kind, place)
        thought = "thought" in fields and place.read(fields["thought"], wire.FLAG, "thought")
        signature = _signature(fields, kind, place)
        if thought and (role == "user" or kind == "functionCall"):
            place.lose("thought", "only parts of the model can be thoughts")
        if kind == "text":
            return _words(fields, place, signature, thought=thought and role == "assistant")
        if kind == "functionCall":
            return self._call(fields[kind], place.at(kind), signature)
        if kind == "functionResponse":
            if signature is not None:
                place.lose("thoughtSignature", "results have no signatures")
            return self._result(fields[kind], place.at(kind))
        if thought:
            place.lose(kind, "a draft image that the model made while it thought")
            return None
        return replace(self._media(fields, place), signature=signature)

    def _kind(self, fields: Fields, place: Place) -> str:
        """Tell the data field of a part; there is one."""
        if len(fields) == 1 and (only := next(iter(fields))) in _DATA:
            return only
        given = [name for name in _DATA if name in fields]
        if len(given) > 1:
            raise place.refuse(f"is combined with {given[0]}, but a part has one kind of content only", given[1])
        if given:
            return given[0]
        unknown = next((name for name in fields if name not in _CARRIED and name not in _BESIDE), None)
        if unknown is not None:
            self.only = self.only or ir.Loss(
                f"{place.path}.{unknown}", "only Gemini upstreams may support such a part", "content"
            )
            return unknown
        if "thoughtSignature" not in fields:
            raise place.refuse(f"has none of {', '.join(_DATA)}")
        return "text"  # a signature may stand alone

    def _call(self, raw: Raw, place: Place, signature: ir.Signature | None) -> ir.ToolCall:
        call = wire.known(raw, wire.FUNCTION_CALL, place)
        call_id = call.id or _place_id(place)
        self._calls.add(call_id, call.name, ours=not call.id)
        if call.args is not UNSET:
            limit_depth(call.args)
        given = arguments(bytes(call.args) if call.args is not UNSET else None)
        return ir.ToolCall(id=call_id, name=call.name, arguments=given, signature=signature)

    def _result(self, raw: Raw, place: Place) -> ir.ToolResult:
        result = wire.known(raw, wire.FUNCTION_RESPONSE, place)
        call_id = self._calls.take(result.id, result.name) or result.id or _place_id(place)
        if result.id and result.id != call_id:
            place.lose("id", "the call that it belongs to has none")
        words, is_error = _said(result.response, place)
        parts: list[ir.Text | ir.Media] = [ir.Text(text=words)] if words else []
        if result.parts is not UNSET:
            given = wire.items(result.parts, place.at("parts"))
            parts += (self._given(wire.fields_of(one, at), at) for at, one in given)
        return ir.ToolResult(id=call_id, parts=tuple(parts), name=result.name, is_error=is_error, path=place.path)

    def _given(self, fields: Fields, place: Place) -> ir.Media:
        """Read a part of a result."""
        _lose_beside(fields, "inlineData" if "inlineData" in fields else "fileData", place)
        return self._media(fields, place)

    def _media(self, fields: Fields, place: Place) -> ir.Media:
        for kind, read in (("inlineData", _inline), ("fileData", _filed)):
            if kind in fields:
                detail, path = self._resolution(fields, place)
                found = read(fields[kind], place.at(kind))
                if found.url is not None and self.only is None:
                    self.only = _kept(found.url, found.path)
                return replace(found, detail=detail, detail_path=path)
        raise place.refuse("has neither inlineData nor fileData")

    def _resolution(self, fields: Fields, place: Place) -> tuple[str | None, str]:
        """Tell how closely to look at it, and where that stands."""
        if "mediaResolution" not in fields:
            self.detailed = True
            return self._detail
        at = place.at("mediaResolution")
        resolution = wire.known(fields["mediaResolution"], wire.RESOLUTION, at)
        level = resolution.level or ""
        if level not in _DETAILS:
            at.lose("level", "there is no equivalent")
            self.detailed = True
            return self._detail
        return _DETAILS[level], at.path


def read_system(raw: wire.Maybe, place: Place) -> tuple[ir.Text, ...]:
    """Read an instruction, which is text only."""
    if raw is UNSET:
        return ()
    content = wire.known(raw, wire.CONTENT, place)
    texts: list[ir.Text] = []
    for at, one in wire.items(content.parts, place.at("parts")):
        fields = wire.fields_of(one, at)
        if "text" not in fields:
            raise at.refuse("an instruction may contain text only")
        for name in fields:
            if name != "text":
                at.lose(name, "an instruction is text only", _BESIDE.get(name, "hint"))
        part = _words(fields, at, None, thought=False)
        if isinstance(part, ir.Text):
            texts.append(part)
    return tuple(texts)


def _words(fields: Fields, place: Place, signature: ir.Signature | None, *, thought: bool) -> _Words | None:
    text = place.read(fields["text"], TEXT, "text") if "text" in fields else ""
    if not text and signature is None:
        return None
    return ir.Thinking(text=text, signature=signature) if thought else ir.Text(text=text, signature=signature)


def _signature(fields: Fields, kind: str, place: Place) -> ir.Signature | None:
    if "thoughtSignature" not in fields:
        return None
    value = place.read(fields["thoughtSignature"], TEXT, "thoughtSignature")
    return read_signature(value, place, call=kind == "functionCall")


def _lose_beside(fields: Fields, kind: str, place: Place) -> None:
    if len(fields) == 1:
        return
    for name, value in fields.items():  # as they stand: a set has another order in each process
        if name != kind and name not in _CARRIED:
            limit_depth(value)
            place.lose(name, "not carried", "hint" if bytes(value) in NOTHING else _BESIDE.get(name, "hint"))


def _inline(raw: Raw, place: Place) -> ir.Media:
    blob = wire.known(raw, wire.BLOB, place)
    path = f"{place.path}.data"
    return media(blob.mime_type, data=blob.data or "", filename=blob.display_name, path=path, any_type=True)


def _filed(raw: Raw, place: Place) -> ir.Media:
    file = wire.known(raw, wire.FILE, place)
    media_type = (file.mime_type or "application/octet-stream").partition(";")[0].strip().lower()
    return ir.Media(media_type=media_type, url=file.file_uri, filename=file.display_name, path=f"{place.path}.fileUri")


def _kept(address: str, path: str) -> ir.Loss | None:
    """Tell what no other vendor gets at an address."""
    reasons = (reason for pattern, reason in _AT_GOOGLE if pattern.fullmatch(address))
    return next((ir.Loss(path, reason, "content") for reason in reasons), None)


def _said(response: wire.Maybe, place: Place) -> tuple[str, bool]:
    """Give a result's words, and whether they are those of a failure; what is no plain text stays JSON."""
    if response is UNSET:
        return "", False
    value = place.read(response, ANY, "response")
    if not is_object(value) or len(value) != 1 or not value.keys() <= _PLAIN:
        limit_depth(response)
        return bytes(response).decode(), False
    ((name, said),) = value.items()
    if not isinstance(said, str):
        limit_depth(response)
        said = msgspec.json.encode(said).decode()
    return said, name == "error"


def _place_id(place: Place) -> str:
    """Name a call by its place: a history only grows, so its calls keep their names."""
    return "call_" + "_".join(_INDEX.findall(place.path))
