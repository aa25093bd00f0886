"""Write the page: a table for each dialect, its rows those fields of a group that fare alike everywhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from gateway.routes import DialectName
from tests.translating import TARGETS, Upstreams

from .chat import CHAT
from .contents import CONTENTS
from .judging import COLUMNS, Verdict, judge
from .messages import MESSAGES
from .probing import Group, Probe
from .responses import RESPONSES

__all__ = ["DIALECTS", "Row", "judged", "written"]

DIALECTS: Final[dict[DialectName, tuple[str, tuple[Group, ...]]]] = {
    "openai-chat": ("OpenAI Chat Completions", CHAT),
    "openai-responses": ("OpenAI Responses", RESPONSES),
    "anthropic": ("Anthropic Messages", MESSAGES),
    "gemini": ("Gemini generateContent", CONTENTS),
}

_SIGNS: Final = {
    "own": "=",
    "carried": "✓",
    "changed": "◐",
    "reported": "○",
    "refused": "✗",
    "gateway": "gw",
    "idle": "·",
    "silent": "?",
}
_INTRO: Final = """\
# What is carried

What becomes of each field of each dialect on each kind of upstream. Written by `python -m tests.compatibility`, which
translates requests with the field and without it; CI fails when this page is stale. Defaults of gateway.toml; newer
and older models may take more or less. `gateway explain --request FILE` says the same of a request of yours.

| sign | |
|---|---|
| = | both ends speak this dialect: the field passes as it came |
| ✓ | carried: the upstream is told |
| ◐ | carried otherwise, or in part: told as a loss of the severity beside it |
| ○ | not carried: told as a loss of the severity beside it |
| ✗ | refused with 400 |
| gw | done by the gateway: it shows in the answer only |
| · | nothing to carry: the note says why |

*hint*: the answer stays valid. *change*: it may differ. *content*: something that was said is gone. `x-gateway-lossy`
counts changes and contents; `translate.lossy = "strict"` refuses them with 400. `[]` is an element of a list, `[image]`
one of that type, role or name; `….x` stands beside the field before it. Numbers in the notes are those of the columns:
"""
_MOST_NAMED: Final = 3  # of the fields that a note is about
_ELSEWHERE: Final = re.compile(r"; '\w+' needs a translation$")
_NAMES: Final = re.compile(r"'[^']*'|\b[a-z]\w*(?:_|[A-Z])\w*")


class Row(NamedTuple):
    """Fields of one group, and their verdicts by column."""

    probes: list[Probe]
    verdicts: list[dict[str, Verdict]]


def judged(upstreams: Upstreams, dialect: DialectName, group: Group) -> Iterator[tuple[Probe, dict[str, Verdict]]]:
    """Try the fields of a group on every upstream."""
    for probe in group.probes:
        yield probe, {column: judge(upstreams, dialect, column, probe) for column in COLUMNS}


def written(upstreams: Upstreams) -> str:
    """Give the page."""
    numbered = (f"{i} {column} (`{TARGETS[target][1]}`)" for i, (column, target) in enumerate(COLUMNS.items(), 1))
    parts = [_INTRO + ", ".join(numbered) + ".\n"]
    for dialect, (title, groups) in DIALECTS.items():
        parts.append(f"\n## {title}\n")
        for group in groups:
            parts += [f"\n### {group.title}\n\n", _head(group), *_lines(judged(upstreams, dialect, group))]
    return "".join(parts)


def _head(group: Group) -> str:
    columns = [f"{i} {column}" for i, column in enumerate(COLUMNS, 1)]
    return f"| {' | '.join(['field', *columns, 'notes'])} |\n|{'---|' * (len(columns) + 2)}\n"


def _lines(tried: Iterable[tuple[Probe, dict[str, Verdict]]]) -> Iterator[str]:
    rows: dict[tuple[str, ...], Row] = {}
    for probe, verdicts in tried:
        row = rows.setdefault(tuple(map(_cell, verdicts.values())), Row([], []))
        row.probes.append(probe)
        row.verdicts.append(verdicts)
    for cells, row in rows.items():
        yield f"| {' | '.join([_fields(row.probes), *cells, _notes(row)])} |\n"


def _cell(verdict: Verdict) -> str:
    sign = _SIGNS[verdict.fate]
    return f"{sign} {verdict.severity}" if verdict.severity else sign


def _fields(probes: Iterable[Probe]) -> str:
    """Name the fields; what stands beside the one before is named by its last step."""
    found, before = list[str](), ""
    for probe in probes:
        path, _, which = probe.path.partition(" ")
        place, _, name = path.rpartition(".")
        shown = f"`….{name}`" if place and place == before else f"`{path}`"
        found.append(f"{shown} {which}".rstrip())
        before = place
    return ", ".join(found)


def _notes(row: Row) -> str:
    """Give the reasons, each with the fields and the columns that it holds for, unless these are all that have one."""
    held: dict[str, set[tuple[int, int]]] = {}
    for field, verdicts in enumerate(row.verdicts):
        for column, verdict in enumerate(verdicts.values(), 1):
            for reason in verdict.reasons:
                held.setdefault(_ELSEWHERE.sub("", reason), set()).add((field, column))
    alike = Counter(map(_nameless, held))
    notes: dict[str, set[tuple[int, int]]] = {}
    for reason, where in held.items():
        notes.setdefault(_nameless(reason) if alike[_nameless(reason)] > 1 else reason, set()).update(where)
    everywhere = set[tuple[int, int]]().union(*notes.values())
    return "; ".join(f"{_where(row, where, everywhere)}{reason}" for reason, where in notes.items())


def _where(row: Row, where: set[tuple[int, int]], everywhere: set[tuple[int, int]]) -> str:
    fields, columns = ({place[axis] for place in where} for axis in (0, 1))
    all_fields, all_columns = ({place[axis] for place in everywhere} for axis in (0, 1))
    of = [_last(row.probes[one]) for one in sorted(fields)] if fields != all_fields else []
    at = [str(one) for one in sorted(columns)] if columns != all_columns else []
    named = ", ".join(dict.fromkeys(of)) if len(of) <= _MOST_NAMED else "the others"
    said = " ".join((named, *at)).strip()
    return f"{said}: " if said else ""


def _last(probe: Probe) -> str:
    path, _, which = probe.path.partition(" ")
    return f"`{path.rpartition('.')[2]}` {which}".rstrip()


def _nameless(reason: str) -> str:
    return _NAMES.sub("…", reason)
