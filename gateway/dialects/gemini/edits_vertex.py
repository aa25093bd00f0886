"""The further edits where Vertex AI serves a Gemini caller: what the Gemini API takes, and Vertex does not."""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.edits import Edited, RequestEdit, Words, edited, table_of
from gateway.dialects.raw import FIELDS, NO_LIST, NULL, TEXT, Fields, read

from .edits import REQUESTS, RESULTS, seldom, together, without_empty
from .edits_parts import PARTS
from .edits_services import SERVICES
from .edits_sketch import is_usual
from .history import EMPTY
from .inbound_wire import camel
from .own import Own, several
from .vertex import numbers

__all__ = ["TABLE", "pass_on"]

_CONTENTS: Final = "contents"
_STORE: Final = "store"
# a message of the request: what Vertex does not know of it
_UNKNOWN: Final[Mapping[str, str]] = {
    "generationConfig": "enableEnhancedCivicAnswers",
    "toolConfig": "includeServerSideToolInvocations",
}
_ID: Final = b'"id"'
_EMPTY: Final = b'""'
_CALL: Final = ("functionCall", "function_call")
_RESULT: Final = ("functionResponse", "function_response")
_CALLS: Final = (*_CALL, *_RESULT)
_USER, _MODEL = Raw(b'"user"'), Raw(b'"model"')
_NOT_KNOWN: Final = "this upstream does not support it"
_encode: Final = msgspec.json.Encoder().encode
_SAID_NOTHING: Final = Raw(_encode([{"text": EMPTY.text}]))

_Words = Words[Own]


def _path(words: _Words) -> None:
    """Leave the model to the path."""
    words.drop("model")


def _roles(words: _Words) -> None:
    """Say that what is nobody's is the user's."""
    given = several(words.fields.get(_CONTENTS, NULL))
    if any(read(one.get("role", NULL), TEXT) in (None, "") for one in given):
        said = [one if read(one.get("role", NULL), TEXT) else {**one, "role": _USER} for one in given]
        words.put(_CONTENTS, said)


def _filled(words: _Words) -> None:
    """Leave out empty text: streams end with it, and SDKs put it into their history.

    Where the user has the last word, and it is empty, the model is not to go on with its own.
    """
    raw = words.fields.get(_CONTENTS, NULL)
    if _EMPTY not in bytes(raw):
        return
    given = several(raw)
    kept = [(one, without_empty(one)) for one in given]
    left = [full for one, full in kept if full is one or full["parts"] != NO_LIST]
    if left and left[-1].get("role") == _MODEL != given[-1].get("role"):
        left.append({**given[-1], "parts": _SAID_NOTHING})
    if left and left != given:
        words.put(_CONTENTS, left)


def _order(words: _Words) -> None:
    """Give the results of one turn's calls the order of the calls."""
    raw = words.fields.get(_CONTENTS, NULL)
    if sum(map(bytes(raw).count, RESULTS)) < 2:
        return
    given = several(raw)
    placed = _placed(together(given))  # those that have their role by now, too
    if placed != given:
        words.put(_CONTENTS, placed)


def _ids(words: _Words) -> None:
    """Take the ids out of calls and of their results where these are not known."""
    raw = words.fields.get(_CONTENTS, NULL)
    if _ID not in bytes(raw) or (numbers(words.target.model) and "ids" not in words.target.refused):
        return
    given = several(raw)
    bare = [_content(one) for one in given]
    if bare != given:
        words.put(_CONTENTS, bare)


def _unknown(words: _Words) -> None:
    """Leave out what the Gemini API alone knows."""
    if _STORE in words.fields:
        words.lose(_STORE, _NOT_KNOWN)
        words.drop(_STORE)
    for name in [name for name in words.fields if camel(name) in _UNKNOWN]:
        given = words.get(name, FIELDS) or {}
        kept = {field: value for field, value in given.items() if camel(field) != _UNKNOWN[camel(name)]}
        if len(kept) < len(given):
            words.lose(f"{name}.{_UNKNOWN[camel(name)]}", _NOT_KNOWN)
            words.put(name, kept)


def _placed(contents: Sequence[Fields]) -> list[Fields]:
    """Give results the order of the calls before them; SDKs keep a step's chunks in a row."""
    placed: list[Fields] = []
    called: dict[str | None, int] = {}  # the places of calls, if their ids tell them apart
    for of_model, run in groupby(contents, lambda one: one.get("role") == _MODEL):
        said = list(run)
        if of_model:
            parts = [part for one in said for part in several(one.get("parts", NULL))]
            calls = [_id(part) for part in parts if _is(_CALL, part)]
            called = {ident: place for place, ident in enumerate(calls)}
            called = called if len(called) == len(calls) else {}
        placed += said if of_model else [_by_call(one, called) for one in said]
    return placed


def _by_call(content: Fields, called: Mapping[str | None, int]) -> Fields:
    """Sort the results of a content, if their ids tell which calls they are of."""
    parts = several(content.get("parts", NULL))
    results = [part for part in parts if _is(_RESULT, part)]
    if not {*map(_id, results)} <= called.keys():
        return content
    in_turn = iter(sorted(results, key=lambda part: called[_id(part)]))
    after = [next(in_turn) if _is(_RESULT, part) else part for part in parts]
    return content if after == parts else {**content, "parts": Raw(_encode(after))}


def _is(names: Collection[str], part: Fields) -> bool:
    return any(name in part for name in names)


def _id(part: Fields) -> str | None:
    """Give the id of a call or of a result."""
    raw = next(value for name, value in part.items() if name in _CALLS)
    return read((read(raw, FIELDS) or {}).get("id", NULL), TEXT)


def _content(content: Fields) -> Fields:
    parts = several(content.get("parts", NULL))
    bare = [_part(part) for part in parts]
    return content if bare == parts else {**content, "parts": Raw(_encode(bare))}


def _part(part: Mapping[str, Raw]) -> Fields:
    return {name: _without_id(value) if name in _CALLS else value for name, value in part.items()}


def _without_id(call: Raw) -> Raw:
    fields = read(call, FIELDS) or {}
    return Raw(_encode({name: value for name, value in fields.items() if name != "id"})) if "id" in fields else call


_VERTEX: Final[tuple[RequestEdit[Own], ...]] = (
    RequestEdit(name="path", why="Vertex AI takes the model from the path only", apply=_path),
    RequestEdit(name="roles", why="Vertex AI requires a role in each content", apply=_roles, unusual=True),
    RequestEdit(name="empty", why="Vertex AI rejects empty text", apply=_filled, unusual=True),
    RequestEdit(
        name="order",
        why="where Vertex AI has no IDs, it matches results to calls by their order",
        apply=_order,
        unusual=True,
    ),
    RequestEdit(name="ids", why="Vertex AI has no call IDs before Gemini 3, and rejects them", apply=_ids),
    SERVICES,
    RequestEdit(name="unknown", why="Vertex AI rejects what only the Gemini API supports", apply=_unknown),
)
TABLE: Final = table_of((PARTS, *_VERTEX))
# the model of the path is no matter of the body here
_REQUESTS: Final = (PARTS, *(edit for edit in REQUESTS if edit.name != "model"), *_VERTEX)


def pass_on(request: ir.Request, body: Raw, refused: Collection[str] = frozenset()) -> Edited:
    """Take a caller's own request for Vertex AI."""
    table = seldom(_REQUESTS) if is_usual(body, refused) else _REQUESTS
    return edited(request, body, Own(request.model, refused), table)
