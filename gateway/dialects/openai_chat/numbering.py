"""Number the pieces of calls where an upstream does not, or numbers all alike: Gemini's own OpenAI API is one.

SDKs put the pieces of a call together by `index`, and fail on one without it; ids and names that several say they put
together, too. A call without an id, as NVIDIA's and vLLM's may be, gets one: the AI SDK fails on that. A list of no
calls, which vLLM writes into each piece of its words, is left out: to JavaScript it is something.
"""

from functools import partial
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.dialects import Answering
from gateway.dialects.edits import mended
from gateway.dialects.raw import FIELDS, NULL, RAWS, TEXT, Fields, read

from .choices import each_choice, index_of
from .outbound_blocks import Blocks
from .outbound_wire import Call, arguments_of

__all__ = ["PIECES", "Numbers", "tells_of_calls"]

_CALLS: Final = "tool_calls"
PIECES: Final = b'"tool_calls"'


class _Named(Struct):
    name: str | None = None


class _Piece(Struct):
    index: int | None = None
    id: str | None = None
    function: _Named | None = None


class _Called(Struct):
    tool_calls: list[_Piece] | None = None


_CALL: Final = msgspec.json.Decoder(Call)
_CALLED: Final = msgspec.json.Decoder(_Called)
_encode: Final = msgspec.json.Encoder().encode

_KINDS: Final = frozenset({"function", "custom"})


def tells_of_calls(delta: Raw) -> bool:
    """Tell whether there is more in it to number calls by than the next piece of one that is numbered, or none."""
    if PIECES not in bytes(delta):
        return False
    said = read(delta, _CALLED)
    return said is not None and (said.tool_calls == [] or any(map(_begins, said.tool_calls or ())))


def _begins(piece: _Piece) -> bool:
    return piece.index is None or bool(piece.id or (piece.function and piece.function.name))


class Numbers:
    """Says of each piece of one answer's calls which call it is of, as the reader of answers has it.

    `moved`: a call has another number than its upstream gave it, so that each piece to come is to be looked at.
    """

    def __init__(self) -> None:
        self.moved = False
        self._choices: dict[int, Blocks] = {}

    def __call__(self, fields: Fields, answering: Answering) -> Fields:
        """Number the pieces in one chunk."""
        return each_choice(fields, partial(self._choice, answering))

    def _choice(self, answering: Answering, choice: Fields) -> Fields:
        delta = choice.get("delta", NULL)
        if not (PIECES in bytes(delta) if self.moved else tells_of_calls(delta)):
            return choice
        blocks = self._blocks(answering, index_of(choice))
        said = read(delta, FIELDS) or {}
        given = read(said.get(_CALLS, NULL), RAWS)  # words may be spelt so, too
        if given == []:
            return {**choice, "delta": Raw(_encode({name: one for name, one in said.items() if name != _CALLS}))}
        pieces = mended(given or [], lambda _, one: self._piece(one, blocks))
        return choice if pieces is None else {**choice, "delta": Raw(_encode({**said, _CALLS: pieces}))}

    def _blocks(self, answering: Answering, choice: int) -> Blocks:
        if choice not in self._choices:
            self._choices[choice] = Blocks(f"{answering.id}/{choice}", answering.request.turns)
        return self._choices[choice]

    def _piece(self, raw: Raw, blocks: Blocks) -> Raw:
        piece, given = read(raw, _CALL), read(raw, FIELDS)
        if piece is None or given is None:
            return raw
        named = piece.function or piece.custom
        of = piece.index, piece.id or "", (named and named.name) or ""
        before = blocks.known(*of)
        said = ("", "") if before is None else (before.given or before.id, before.called)
        call = blocks.call(*of)
        if piece.function is not None:
            call.argue(arguments_of(piece.function.arguments))
        fields = _once(given, *said)
        if before is None and not piece.id:
            call.id = blocks.new_id()
            fields = {**fields, "id": Raw(_encode(call.id))}
        if call.number != piece.index:
            self.moved = True
            fields = {**fields, "index": Raw(_encode(call.number))}
        return raw if fields is given else Raw(_encode(fields))


def _once(fields: Fields, given: str, called: str) -> Fields:
    """Leave out of a piece what an earlier one of its call has said: SDKs would hang an id or a name on itself."""
    again = {"id", "type"} if given and read(fields.get("id", NULL), TEXT) else set[str]()
    kept: Fields = {key: value for key, value in fields.items() if key not in again}
    for kind in _KINDS & kept.keys():
        inner = read(kept[kind], FIELDS) or {}
        if called and read(inner.get("name", NULL), TEXT) == called:
            kept[kind] = Raw(_encode({key: value for key, value in inner.items() if key != "name"}))
            again.add("name")
    return kept if again else fields
