"""What of a caller's own words, or of an upstream's, is written otherwise where both speak one dialect.

    request ─► fields, raw ─► each edit of the dialect's table in turn ─► the same bytes, or written anew once
    reply   ─► its events, as they are in the stream ─► the same ─► the same bytes, or one event written anew

What no edit is about is not looked at. An object that is written anew keeps its other values byte for byte, in their
order; of a name that stands in it twice the last value counts. Not every reader takes that one, so a request with
such a name is always written anew: what was checked here is what the upstream reads.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Generic, Literal, Protocol, TypeVar, cast

import msgspec
from msgspec import UNSET, Raw, Struct

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.content import too_deep
from gateway.dialects.place import is_null
from gateway.dialects.raw import FIELDS, MANY, NULL, TEXT, Fields, read
from gateway.upstream import Edit

__all__ = [
    "DAMAGED",
    "FOREIGN",
    "FOREIGN_THOUGHTS",
    "LINES",
    "ONCE",
    "UNREADABLE",
    "Applied",
    "Edit",
    "Edited",
    "ReplyEdit",
    "RequestEdit",
    "Words",
    "echoing",
    "edited",
    "mask_message",
    "masking",
    "mended",
    "renamed",
    "repeats",
    "table_of",
    "take_model",
]

_T = TypeVar("_T")
_R = TypeVar("_R")
_Target = TypeVar("_Target")
_Target_co = TypeVar("_Target_co", covariant=True)


_encode: Final = msgspec.json.Encoder().encode
_QUOTE: Final = b'"'

# why a signature does not go on
DAMAGED: Final = "the signature is corrupt"
FOREIGN: Final = "only the model family that made a signature can read it"
FOREIGN_THOUGHTS: Final = "thoughts are sent back only to the model family that had them"
UNREADABLE: Final = "the upstream can no longer read these thoughts"


class Words(Generic[_Target_co]):
    """A caller's own request while it is edited for one upstream.

    `fields`: its members, raw. `request`: the same as it was read, with what gateway.toml fills in.
    """

    def __init__(self, fields: Fields, request: ir.Request, target: _Target_co) -> None:
        self.fields = fields
        self.request = request
        self.target = target
        self.losses: list[ir.Loss] = []
        self.changed = False
        self._made: dict[tuple[str, object], tuple[Raw, object]] = {}

    def has(self, *names: str) -> bool:
        """Tell whether any of these is given; null is as good as absent."""
        return any(not is_null(self.fields.get(name, NULL)) for name in names)

    def get(self, name: str, decoder: msgspec.json.Decoder[_T]) -> _T | None:
        """Read a member; None when it is absent or something else."""
        return read(self.fields.get(name, UNSET), decoder)

    def many(self, name: str) -> list[Fields]:
        """Read a member that is a list of objects; [] when it is something else."""
        return self.made(name, _many)

    def made(self, name: str, make: Callable[[Raw], _T]) -> _T:
        """Give what is made of a member, which is made anew only once it has been written anew."""
        raw = self.fields.get(name, NULL)
        known = self._made.get((name, make))
        if known is None or known[0] is not raw:
            known = self._made[name, make] = (raw, make(raw))
        return cast("_T", known[1])

    def put(self, name: str, value: object) -> None:
        """Write a member anew."""
        self.fields[name] = value if isinstance(value, Raw) else Raw(_encode(value))
        self.changed = True

    def drop(self, *names: str) -> None:
        """Leave members out."""
        for name in names:
            self.changed |= self.fields.pop(name, None) is not None

    def rename(self, old: str, new: str) -> None:
        """Call a member otherwise; it stays where it stood."""
        self.fields = {new if name == old else name: value for name, value in self.fields.items()}
        self.changed = True

    def lose(self, path: str, reason: str, severity: ir.Severity = "hint") -> None:
        """Note what does not go on."""
        self.losses.append(ir.Loss(path, reason, severity))


def _many(raw: Raw) -> list[Fields]:
    return read(raw, MANY) or []


class RequestEdit(Edit, Generic[_Target], frozen=True, kw_only=True):
    """One edit of requests. `unusual`: it is about a conversation that clients of the dialect do not write so."""

    on: Literal["request", "reply"] = "request"
    apply: Callable[[Words[_Target]], None]
    unusual: bool = False


ONCE: Final = Edit(
    name="once",
    why="a name occurs twice: the last value was checked, but the upstream may read the first",
    on="request",
)

LINES: Final = Edit(
    name="lines",
    why="several clients read U+2028, U+2029 and U+0085 within an event as line ends, and drop a last event "
    "without a blank line",
    on="reply",
)

Applied = Callable[[Fields, Answering], Fields | None]


def _unchanged(fields: Fields, _: Answering) -> Fields:
    return fields


class ReplyEdit(Edit, frozen=True, kw_only=True):
    """One edit of replies.

    `apply` gives the members of an event, or of a whole answer: the same object where there is nothing to change, None
    where the event is left out; `begin` makes one for each answer that has to remember. `wanted`: whether it can have
    anything to do with an answer. `whole`: whether whole answers need it, too.
    """

    on: Literal["request", "reply"] = "reply"
    apply: Applied = _unchanged
    begin: Callable[[], Applied] | None = None
    wanted: Callable[[Answering], bool] = lambda _: True
    whole: bool = False


class Edited(Struct, frozen=True):
    """A request after its edits, those that changed it, and what it lost."""

    body: Raw
    edits: tuple[Edit, ...]
    losses: tuple[ir.Loss, ...]


def edited(request: ir.Request, body: Raw, target: _Target, table: Sequence[RequestEdit[_Target]]) -> Edited:
    """Take a caller's own words for one upstream; raise InvalidRequest where they are too deep."""
    try:
        words = Words(FIELDS.decode(body), request, target)
    except RecursionError:  # in a member whose name stands there again: only the last has been looked at
        raise too_deep() from None
    applied: list[Edit] = [ONCE] if repeats(body, words.fields) else []
    for edit in table:
        edit.apply(words)
        if words.changed:
            words.changed = False
            applied += table_of((edit,))
    return Edited(Raw(_encode(words.fields)) if applied else body, tuple(applied), tuple(words.losses))


def repeats(body: Raw, fields: Fields) -> bool:
    """Tell whether a name stands twice in an object that was decoded to these members, or holds a quotation mark.

    As little as can stand around members is two braces, and two quotation marks, a colon and a comma for each. Where
    there is more, it may be white space: then the quotation marks are counted.
    """
    if len(body) <= sum(map(len, (*fields, *fields.values())), 4 * len(fields) + 1):
        return False
    return bytes(body).count(_QUOTE) - b"".join(fields.values()).count(_QUOTE) > 2 * len(fields)


def table_of(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Give what edits are, without what they do."""
    return tuple(Edit(name=edit.name, why=edit.why, on=edit.on) for edit in edits)


class _Named(Protocol):
    @property
    def model(self) -> str: ...


def take_model(words: Words[_Named]) -> None:
    """Write the upstream's name of the model."""
    if words.get("model", TEXT) != words.target.model:
        words.put("model", words.target.model)


def renamed(answering: Answering) -> bool:
    """Tell whether the caller has another name for the model than the upstream, and reads its own."""
    return answering.model != answering.request.model


def mended(items: Sequence[_T], mend: Callable[[int, _T], _R]) -> list[_R] | None:
    """Mend each of several, with its place; None where every one is left as the very object that it was."""
    after = [mend(place, item) for place, item in enumerate(items)]
    return after if any(new is not old for new, old in zip(after, items, strict=True)) else None


def echoing(name: str, within: str = "") -> ReplyEdit:
    """Make the edit that writes the caller's name of the model into this member, or into one below `within`."""

    def whole(fields: Fields, answering: Answering) -> Fields:
        return {**fields, name: Raw(_encode(answering.model))} if name in fields else fields

    def echo(fields: Fields, answering: Answering) -> Fields:
        if within not in fields:
            return whole(fields, answering)
        members = read(fields[within], FIELDS)
        if members is None or name not in members:
            return fields
        return {**fields, within: Raw(_encode(whole(members, answering)))}

    return ReplyEdit(
        name="echo",
        why="models.echo: the caller sees the name that it asked for",
        apply=echo if within else whole,
        wanted=renamed,
        whole=True,
    )


def masking(apply: Callable[[Fields, Answering], Fields]) -> ReplyEdit:
    """Make the edit that hides what an error names, of a function that does so in one event."""
    return ReplyEdit(name="masked", why="accounts and keys of the operator are hidden from callers", apply=apply)


def mask_message(hide: Callable[[str], str], *within: str) -> Callable[[Fields, Answering], Fields]:
    """Make the edit that hides what names an account or a key in an error's `message`, which is in these members."""

    def masked(fields: Fields, names: tuple[str, ...]) -> Fields:
        name = names[0] if names else "message"
        if name not in fields:
            return fields
        if names:
            members = read(fields[name], FIELDS)
            inner = None if members is None else masked(members, names[1:])
            return fields if inner is members or inner is None else {**fields, name: Raw(_encode(inner))}
        text = read(fields[name], TEXT)
        told = None if text is None else hide(text)
        return fields if told is None or told == text else {**fields, name: Raw(_encode(told))}

    return lambda fields, _: masked(fields, within)
