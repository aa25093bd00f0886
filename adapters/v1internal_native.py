"""A Gemini caller's own request as the inner request of Code Assist: what it wrote goes up byte for byte.

Only what Google's own API takes and Code Assist refuses is mended; then the other members stay as they came.
"""

from collections.abc import Callable, Collection
from itertools import groupby
from typing import Final

import msgspec
from msgspec import Raw

from gateway import ir
from gateway.dialects.gemini.edits import pass_on, together, without_empty
from gateway.dialects.gemini.edits_format import FORMAT, LIMIT
from gateway.dialects.gemini.edits_parts import PARTS
from gateway.dialects.gemini.edits_services import SERVICES
from gateway.dialects.gemini.edits_sketch import is_usual
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.request import Written
from gateway.dialects.raw import FIELDS, MANY, NO_LIST, NULL, RAWS, Fields

__all__ = ["pass_through", "with_session"]

_Contents = list[Fields]

_encode: Final = msgspec.json.Encoder().encode

_SEARCH: Final = ("web_search",)
_SESSIONS: Final = ("sessionId", "session_id")
_NONE: Final = (NULL, NO_LIST)
_USER, _MODEL = Raw(b'"user"'), Raw(b'"model"')
# Code Assist has the model beside the request, one tier, and keeps no answers.
_UNKNOWN: Final = frozenset({"model", "serviceTier", "service_tier", "store"})


def _voiced(contents: _Contents) -> _Contents:
    """Give each content a role: it may be left out."""
    return [one if one.get("role") in (_USER, _MODEL) else {**one, "role": _USER} for one in contents]


def _filled(contents: _Contents) -> _Contents:
    """Leave out empty text, and what has no parts: streams end with it, and SDKs put it into their history."""
    return [one for one in map(without_empty, contents) if one.get("parts", NULL) not in _NONE] or contents


def _alternating(contents: _Contents) -> _Contents:
    """Join what the model said in a row: SDKs keep each chunk of a stream as a content of its own."""
    joined: _Contents = []
    for role, run in groupby(contents, lambda one: bytes(one["role"])):
        said = list(run)
        if role == bytes(_MODEL) and len(said) > 1:
            parts = [part for one in said for part in _parts(one.get("parts", NO_LIST))]
            said = [{name: value for one in said for name, value in one.items()} | {"parts": Raw(_encode(parts))}]
        joined += said
    return joined


_MENDS: Final[tuple[Callable[[_Contents], _Contents], ...]] = (_voiced, _filled, _alternating, together)


def pass_through(request: ir.Request, native: ir.Native, refused: Collection[str], limit: int | None = None) -> Written:
    """Take a caller's request as it is, but for the edits of its dialect."""
    usual = is_usual(native.body, refused)
    taken = pass_on(request, native.body, refused, SERVICES, FORMAT, LIMIT, PARTS, limit=limit, usual=usual)
    fields = FIELDS.decode(taken.body)
    kept = {name: value for name, value in fields.items() if name not in _UNKNOWN}
    kept["contents"] = fields["contents"] if usual else _mended(fields["contents"])
    same = len(kept) == len(fields) and kept["contents"] is fields["contents"]
    return Written(
        body=_searching(request),
        names=NameMap([]),
        native=taken.body if same else Raw(_encode(kept)),
        edits=taken.edits,
        losses=(
            *taken.losses,
            *(ir.Loss(name, "this upstream does not support it", "hint") for name in fields if name in _UNKNOWN),
        ),
        image_model="image" in request.model,
    )


def with_session(body: Raw, name: str, session: str) -> Raw:
    """Add the session of the conversation, unless the caller named its own."""
    if any(known in FIELDS.decode(body) for known in _SESSIONS):
        return body
    return Raw(b'%b,"%b":%b}' % (bytes(body)[:-1], name.encode(), _encode(session)))


def _mended(contents: Raw) -> Raw:
    given = said = MANY.decode(contents) if bytes(contents).startswith(b"[") else [FIELDS.decode(contents)]
    for mend in _MENDS:
        said = mend(said)
    return contents if said == given else Raw(_encode(said))


def _parts(parts: Raw) -> list[Raw]:
    return RAWS.decode(parts) if bytes(parts).startswith(b"[") else [parts]


def _searching(request: ir.Request) -> dict[str, object]:
    """Say in the words of a translation that the tools are a web search and nothing else."""
    tools = tuple(tool.builtin for tool in request.tools)
    return {"tools": [{"googleSearch": {}}]} if tools == _SEARCH else {}
