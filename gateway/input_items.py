"""Show what a kept response was asked with, as a page of a list: `GET /v1/responses/{id}/input_items`.

The items go out as OpenAI shows them, in their long form: each with an id, a type and a list of contents.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.dialects.raw import FIELDS, RAWS, read
from gateway.errors import InvalidRequest

__all__ = ["item_of", "write_items"]

_PREFIXES: Final[Mapping[str, str]] = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "reasoning": "rs",
}
_WITHOUT_STATUS: Final = frozenset({"reasoning"})
_ORDERS: Final = ("asc", "desc")
_DEFAULT_LIMIT: Final = "20"
_MAX_LIMIT: Final = 100


class _Known(Struct):
    """What an item says of itself; a message may leave its type out."""

    type: str | None = None
    id: str | None = None
    role: str | None = None
    content: object = None


class _Shown(Struct):
    id: str
    raw: Raw
    item: object


class _Page(Struct, tag_field="object", tag="list"):
    data: list[object]
    first_id: str | None
    last_id: str | None
    has_more: bool


_KNOWN: Final = msgspec.json.Decoder(_Known)


def write_items(response_id: str, items: bytes, query: Mapping[str, Sequence[str]]) -> bytes:
    """Write the page that the caller's `limit`, `order`, `after` and `before` ask for; raise InvalidRequest."""
    limit = _limit(_last(query, "limit") or _DEFAULT_LIMIT)
    shown = list(_all(response_id, items))
    if _newest_first(_last(query, "order") or "desc"):
        shown.reverse()
    if after := _last(query, "after"):
        shown = shown[_place(shown, after, "after") + 1 :]
    if before := _last(query, "before"):
        shown = shown[: _place(shown, before, "before")]
    page = shown[:limit]
    first, last = (page[0].id, page[-1].id) if page else (None, None)
    return msgspec.json.encode(_Page([one.item for one in page], first, last, len(shown) > limit))


def item_of(response_id: str, items: bytes, id_: str) -> Raw | None:
    """Give the item that goes by this id in the list; None when there is none."""
    return next((one.raw for one in _all(response_id, items) if one.id == id_), None)


def _all(response_id: str, items: bytes) -> Iterator[_Shown]:
    stem = response_id.removeprefix("resp_")
    taken: set[str] = set()
    for place, item in enumerate(RAWS.decode(items)):
        one = _shown(item, f"{stem}{place:04d}", taken)
        taken.add(one.id)
        yield one


def _last(query: Mapping[str, Sequence[str]], name: str) -> str:
    return query.get(name, ("",))[-1]


def _limit(given: str) -> int:
    if not (given.isascii() and given.isdigit() and len(given) < 5 and 1 <= int(given) <= _MAX_LIMIT):
        raise InvalidRequest(f"limit: {given[:20]!r} is not a number from 1 to {_MAX_LIMIT}", param="limit")
    return int(given)


def _newest_first(order: str) -> bool:
    if order not in _ORDERS:
        raise InvalidRequest(f"order: {order[:20]!r} is neither asc nor desc", param="order")
    return order == "desc"


def _place(shown: Sequence[_Shown], id_: str, param: str) -> int:
    for place, one in enumerate(shown):
        if one.id == id_:
            return place
    raise InvalidRequest(f"{param}: the list has no item {id_[:100]!r}", param=param)


def _shown(raw: Raw, stem: str, taken: Collection[str]) -> _Shown:
    """Show an item. Without an id, or with an earlier one's, it goes by one made of its place: always the same.

    One of another form, which only an upstream has read, is shown as it came.
    """
    known = read(raw, _KNOWN)
    if known is None:
        return _Shown(f"item_{stem}", raw, raw)
    kind = known.type or "message"
    id_ = known.id if known.id and known.id not in taken else f"{_PREFIXES.get(kind, 'item')}_{stem}"
    fields: dict[str, object] = {**FIELDS.decode(raw), "id": id_, "type": kind}
    if kind == "message" and isinstance(known.content, str):
        fields["content"] = [_text(known.role, known.content)]
    if kind in _PREFIXES and kind not in _WITHOUT_STATUS:
        fields.setdefault("status", "completed")
    return _Shown(id_, raw, fields)


def _text(role: str | None, text: str) -> dict[str, object]:
    if role == "assistant":
        return {"type": "output_text", "text": text, "annotations": []}
    return {"type": "input_text", "text": text}
