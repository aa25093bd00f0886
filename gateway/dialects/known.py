"""Fields that no wire struct knows: reported by their path, and taken out.

Wire structs are `Closed`, so a body without such fields, as nearly all are, is decoded at full speed; the first one
makes the decoder stop, and only then is the body walked along its types. What remains keeps its bytes.
"""

from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, inspect
from msgspec.json import Decoder

from gateway import ir
from gateway.dialects.content import decode, limit_depth
from gateway.dialects.place import Place, is_null
from gateway.dialects.raw import FIELDS, RAWS
from gateway.errors import InvalidRequest

__all__ = ["Closed", "decode_known", "decode_open", "read_known", "read_outline", "understood"]

_T = TypeVar("_T")
_S = TypeVar("_S", bound=Struct)
_Members = Mapping[str, "_Plan | None"]

_STOPPED: Final = "contains unknown field"
_encode: Final = msgspec.json.Encoder().encode


class Closed(Struct, forbid_unknown_fields=True):
    """A wire struct whose other fields are reported."""


class _Plan(Struct, frozen=True):
    """What may stand in one place: objects, by their tag (None: without one), and the elements of a list."""

    objects: dict[str | None, tuple[_Members, bool]]
    items: "_Plan | None" = None


def decode_known(body: bytes, type: type[_T], place: Place, *, flat: bool = False) -> _T:  # noqa: A002 (as `decode` calls it)
    """Decode a whole body; lose what is not known within it. `flat`: see `decode`."""
    try:
        return decode(body, type, flat=flat)
    except InvalidRequest as error:
        if _STOPPED not in error.message:
            raise
    decode(body, dict[str, Raw])  # its depth
    return decode(bytes(_known(Raw(body.strip()), type, place)), type)


def decode_open(
    body: bytes,
    type: type[_S],  # noqa: A002 (as `decode` calls it)
    others: tuple[str, ...],
    place: Place,
    *,
    flat: bool = False,
) -> tuple[_S, dict[str, Raw]]:
    """Decode a whole body; give with it the members that its struct does not have, those of `others` at no cost.

    `flat`: see `decode`.
    """
    widened, given, absent = _widened(type, others)
    try:
        value = decode(body, widened, flat=flat)
    except InvalidRequest as error:
        if _STOPPED not in error.message:
            raise
    else:
        found = given(value)
        return value, {} if found == absent else _said(dict(zip(others, found, strict=True)))
    value = decode_known(body, type, place)
    return value, _said({name: raw for name, raw in FIELDS.decode(body).items() if name not in type.__struct_fields__})


def _said(members: Mapping[str, Raw | UnsetType]) -> dict[str, Raw]:
    return {name: raw for name, raw in members.items() if raw is not UNSET and not is_null(raw)}


@cache
def _widened(
    type_: Any, others: tuple[str, ...]
) -> tuple[Any, Callable[[Struct], tuple[Raw | UnsetType, ...]], object]:
    """Give the same struct with these members and no room for more, how to get them, and what that gives of none."""
    fields = [(name, Raw | UnsetType, UNSET) for name in others]
    widened = msgspec.defstruct(type_.__name__, fields, bases=(type_,), kw_only=True, forbid_unknown_fields=True)
    return widened, attrgetter(*others), (UNSET,) * len(others)


def read_outline(body: bytes, decoder: Decoder[_T], refusal: InvalidRequest) -> _T:
    """Read a few members of a body that a reader refuses; raise the refusal when the body is no sound object."""
    try:
        decode(body, dict[str, Raw])  # its depth and its encoding, too
        return decoder.decode(body)
    except (InvalidRequest, ValueError):
        raise refusal from None


def read_known(raw: Raw, decoder: Decoder[_T], place: Place) -> _T:
    """Read a part of a body; lose what is not known within it."""
    try:
        return place.read(raw, decoder)
    except InvalidRequest as error:
        if _STOPPED not in error.message:
            raise
    limit_depth(raw)
    return place.read(_known(raw, decoder.type, place), decoder)


def understood(raw: Raw, decoder: Decoder[_T], place: Place, severity: ir.Severity = "hint") -> _T | None:
    """Read an option that an answer can do without; None and a loss for one that is of no known form."""
    limit_depth(raw)
    try:
        return read_known(raw, decoder, place)
    except InvalidRequest:
        place.lose("", "it is not in a form known here", severity)
        return None


def _known(raw: Raw, type_: Any, place: Place) -> Raw:
    plan = _plan(type_)
    return raw if plan is None else _pruned(raw, plan, place)


def _pruned(raw: Raw, plan: _Plan, place: Place) -> Raw:
    start = bytes(raw)[:1]
    if start == b"{":
        return _pruned_object(raw, plan, place)
    if start != b"[" or plan.items is None:
        return raw
    given = RAWS.decode(raw)
    kept = [_pruned(one, plan.items, place.item(index)) for index, one in enumerate(given)]
    return _joined(raw, given, kept)


def _pruned_object(raw: Raw, plan: _Plan, place: Place) -> Raw:
    given = FIELDS.decode(raw)
    tag = None if None in plan.objects else _tag(given)
    if tag not in plan.objects:
        return raw
    members, closed = plan.objects[tag]
    kept: dict[str, Raw] = {}
    for name, value in given.items():
        inner = members.get(name)
        if inner is not None:
            kept[name] = _pruned(value, inner, place.at(name))
        elif name in members or not closed:
            kept[name] = value
        elif not is_null(value):
            place.lose(name, "not carried")
    return _joined(raw, given, kept)


def _tag(given: dict[str, Raw]) -> str | None:
    try:
        return msgspec.json.decode(given.get("type", b"null"), type=str)
    except msgspec.ValidationError:
        return None


def _joined(raw: Raw, given: object, kept: object) -> Raw:
    return raw if kept == given else Raw(_encode(kept))


@cache
def _plan(type_: Any) -> _Plan | None:
    return _planned(inspect.type_info(type_))


def _planned(type_: inspect.Type) -> _Plan | None:
    match type_:
        case inspect.StructType():
            config = type_.cls.__struct_config__
            members: dict[str, _Plan | None] = {one.encode_name: _planned(one.type) for one in type_.fields}
            if type_.tag_field is not None:
                members[type_.tag_field] = None
            tag = type_.tag if isinstance(type_.tag, str) else None
            return _Plan({tag: (members, config.forbid_unknown_fields)})
        case inspect.ListType():
            return _Plan({}, _planned(type_.item_type))
        case inspect.UnionType():
            return _united([plan for plan in map(_planned, type_.types) if plan is not None])
        case _:
            return None


def _united(plans: list[_Plan]) -> _Plan | None:
    if not plans:
        return None
    items = [plan.items for plan in plans if plan.items is not None]
    objects = {tag: one for plan in plans for tag, one in plan.objects.items()}
    return _Plan(objects, items[0] if items else None)
