"""Try a field on an upstream: what goes up, what the caller hears, and what is told with it and without it."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from gateway import ir
from gateway.errors import CallerError
from gateway.routes import DialectName
from tests.properties.leaves.changes import is_told, spelt
from tests.translating import Sent, Upstreams

from .probing import Json, Probe

__all__ = ["COLUMNS", "Verdict", "judge"]

Fate = Literal["own", "carried", "changed", "reported", "refused", "gateway", "idle", "silent"]

# the column of the page: the target that stands for it
COLUMNS: Final = {
    "v1internal Gemini": "v1internal Gemini 3",
    "v1internal Claude": "v1internal Claude",
    "gemini": "gemini Gemini 3",
    "vertex Gemini": "vertex Gemini 3",
    "vertex Claude": "vertex Claude",
    "openai chat": "openai chat, thinking",
    "openai responses": "openai responses",
    "azure": "azure",
    "anthropic": "anthropic",
}

_SEVERITIES: Final[tuple[ir.Severity, ...]] = ("hint", "change", "content")
_PLACE: Final = re.compile(r"^[\w.\[\]]+: ")


class Verdict(NamedTuple):
    """What becomes of a field: with a loss its severity, and why."""

    fate: Fate
    severity: ir.Severity | None = None
    reasons: tuple[str, ...] = ()


def judge(upstreams: Upstreams, dialect: DialectName, column: str, probe: Probe) -> Verdict:
    """Try it."""
    target = COLUMNS[column]
    there = upstreams.send(dialect, target, probe.request)
    if isinstance(there, CallerError):
        return Verdict("refused", None, (_PLACE.sub("", there.message),))
    found = Verdict("silent")
    for change in probe.changes():
        changed = change.apply(probe.request)
        other = upstreams.send(dialect, target, changed)
        if isinstance(other, Sent):
            if there.passed != other.passed:  # two languages cannot be compared
                there, other = (_translated(upstreams, dialect, target, one) for one in (probe.request, changed))
            found = _compared(there, other, spelt(dialect, probe.place))
            if found.fate != "silent":
                return found
    return Verdict("idle", None, (probe.idle,)) if probe.idle else found


def _translated(upstreams: Upstreams, dialect: DialectName, target: str, request: Json) -> Sent:
    sent = upstreams.send(dialect, target, request, own=False)
    assert isinstance(sent, Sent), sent
    return sent


def _compared(there: Sent, other: Sent, path: str) -> Verdict:
    told = [loss for loss in there.losses if loss not in other.losses or is_told(loss.path, path, whole=True)]
    edited = tuple(f"edit `{name}`" for name in there.edits if name not in other.edits)
    if told:
        severity = max((loss.severity for loss in told), key=_SEVERITIES.index)
        reasons = tuple(dict.fromkeys(loss.reason for loss in told))
        return Verdict("reported" if there.body == other.body else "changed", severity, reasons)
    if there.body != other.body:
        return Verdict("own", None, edited) if there.passed else Verdict("carried")
    return Verdict("gateway" if there.answer != other.answer else "silent", None, edited)
