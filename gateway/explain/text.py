"""An explanation for a person at a terminal."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from gateway.explain.answer import Explanation, Member, Refusal, Step, Way
from gateway.explain.changes import Change
from gateway.legible import aligned

__all__ = ["written"]

_LONG: Final = re.compile(r'"((?:data:[^",]{1,100},)?[A-Za-z0-9+/_=-]{201,})"')
_KEPT: Final = 40
_MOST_CHANGES: Final = 60
_SHORT: Final = 60
_encode: Final = msgspec.json.Encoder().encode
_STEERING: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # a terminal, or its reader


def written(explanation: Explanation) -> str:
    """Write it: what was asked, then each way, each upstream of it, and the exact body that it would get."""
    return "\n".join(_lines(explanation))


def _lines(explanation: Explanation) -> Iterator[str]:
    yield from _table(_head(explanation), "")
    yield from (_plain(f"not known here: {note}") for note in explanation.notes)
    steps = explanation.decisions
    if explanation.error is not None:
        yield from ("", *_table(_steps(steps)), _refused(explanation.error))
        return
    for number, way in enumerate(explanation.ways, 1):
        yield ""
        if len(explanation.ways) > 1:
            share = f"{100 * way.share:.3g} % of the requests"
            yield f"way {number} of {len(explanation.ways)}, {share}"
        yield from _table(_steps((*way.decisions, *steps)))
        if way.error is not None:
            yield _refused(way.error)
        yield from _members(way)


def _head(explanation: Explanation) -> Iterator[Sequence[str]]:
    yield "model", explanation.model or "not given"
    yield "request", f"POST {explanation.path}"
    yield "dialect", f"{explanation.dialect}: {explanation.why}"
    yield "configuration", explanation.configuration or "none, built-in defaults"
    yield "middlewares", ", ".join(explanation.ran)


def _members(way: Way) -> Iterator[str]:
    for number, member in enumerate(way.members, 1):
        yield ""
        order = "never tried" if member.untried else "tried in order"
        place = f"{number} of {len(way.members)}, {order}: " if len(way.members) > 1 else ""
        yield _plain(f"{place}{member.upstream}/{member.model} ({member.state})")
        yield from _member(member)


def _member(member: Member) -> Iterator[str]:
    if member.untried:
        yield _plain(f"  {member.untried}")
    yield from _table(_steps(member.decisions))
    if member.losses:
        yield f"  lost, {len(member.losses)}:"
        yield from _table(((loss.severity, loss.path, loss.reason) for loss in member.losses), "    ")
    else:
        yield "  lost: nothing"
    if member.error is not None:
        yield _refused(member.error)
    if member.shortage is not None:
        yield f"{_refused(member.shortage, 'not sent now')}. Otherwise:"
    if member.url is not None:
        yield _plain(f"  {member.method} {member.url}")
        yield from _table(((f"{name}:", value) for name, value in (member.headers or {}).items()), "    ")
    if member.body is not None:
        words = ", as the caller sent it" if member.passed_on else ""
        yield f"  body, {len(bytes(member.body)):,} bytes{words}:"
        yield _body(bytes(member.body))
    yield from _difference(member) if member.passed_on else _changes(member.changes)
    for edit in member.edits:
        where = "edited" if edit.on == "request" else "the response may be edited"
        yield _plain(f"  {where}, {edit.name}: {edit.why}")
    for name, why in member.varies.items():
        yield _plain(f"  {name}: {why}")


def _difference(member: Member) -> Iterator[str]:
    """Show what is other in the caller's own words."""
    if member.difference:
        yield "  received and sent:"
        yield from (_plain(f"    {line}".rstrip()) for line in member.difference)
    elif member.body is not None:
        yield "  received and sent: the same"


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    """List what became of each value, but not what a dialect calls its parts."""
    told = [change for change in changes if not change.is_form]
    if not told:
        return
    yield "  received and sent:"
    yield from _table(map(_row, told[:_MOST_CHANGES]), "    ")
    if len(told) > _MOST_CHANGES:
        yield f"    … {len(told) - _MOST_CHANGES} more, which --json has"


def _row(change: Change) -> Sequence[str]:
    came = "" if change.came is None else f"{change.came or 'all of it'}{_short(change.before)}"
    goes = "" if change.goes is None else f"→ {change.goes or 'all of it'}{_short(change.after)}"
    return change.how, came, ", ".join(filter(None, (goes, change.why)))


def _short(value: object) -> str:
    if value is None:
        return ""
    text = _encode(value).decode()
    return f" {text}" if len(text) <= _SHORT else f" {text[:_SHORT]}…"


def _body(body: bytes) -> str:
    """Indent a body; long base64 is cut, and its length said."""
    text = _LONG.sub(_cut, msgspec.json.format(body, indent=2).decode())
    return "\n".join(map(_plain, text.split("\n")))


def _cut(found: re.Match[str]) -> str:
    return f'"{found[1][:_KEPT]}… {len(found[1]):,} characters"'


def _refused(error: Refusal, word: str = "refused") -> str:
    code = f" {error.code}" if error.code else ""
    return _plain(f"  {word}, {error.status}{code}: {error.message}")


def _steps(steps: Iterable[Step]) -> Iterator[Sequence[str]]:
    return ((step.name, f"→ {step.gives}", step.source, step.key) for step in steps)


def _table(rows: Iterable[Sequence[str]], indent: str = "  ") -> Iterator[str]:
    """Align the columns of some rows."""
    return (indent + line for line in aligned([[*map(_plain, row)] for row in rows]))


def _plain(text: str) -> str:
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
