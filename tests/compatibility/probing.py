"""One field of a request: where it stands, and the request that has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from tests.properties.leaves.changes import Change, alternatives
from tests.properties.leaves.exempt import ABSENT

__all__ = ["Group", "Json", "Probe", "hold", "one"]

Json = Any
Place = tuple[str | int, ...]

_STEP: Final = re.compile(r"([A-Za-z_][\w-]*)|\[([\w.]*)\]")


class Probe(NamedTuple):
    """A field, as the caller writes it; `[]` is an element of a list, `[image]` one of that kind.

    `place`: where it stands in `request`. `others`: what may stand there, too. `idle`: why it makes no difference and
    yet nothing is lost.
    """

    path: str
    request: Json
    place: Place
    idle: str = ""
    others: tuple[Json, ...] = ()

    def changes(self) -> Iterator[Change]:
        """Give the requests to compare with: without it, or, where it must be there, with something else."""
        yield Change(self.place, ABSENT)
        yield from (Change(self.place, other) for other in self.others)
        value = Change(self.place, ABSENT).before(self.request)
        for changes in alternatives(self.place, value):
            yield from (one for one in changes if one.value is not ABSENT and isinstance(value, str | int | float))


class Group(NamedTuple):
    """Fields that belong together."""

    title: str
    probes: tuple[Probe, ...]


def one(path: str, request: Json, idle: str = "", others: tuple[Json, ...] = ()) -> Probe:
    """Make the probe of a field that stands in a request; what comes after a blank says which of its values."""
    steps = [(name, kind) for name, kind in _STEP.findall(path.partition(" ")[0])]
    place = next(_found(request, steps), None)
    assert place is not None, f"{path} stands nowhere in {request}"
    return Probe(path, request, place, idle, others)


def hold(request: Json, *paths: str, idle: str = "", others: tuple[Json, ...] = ()) -> list[Probe]:
    """Make the probes of several fields of one request."""
    return [one(path, request, idle, others) for path in paths]


def _found(value: Json, steps: list[tuple[str, str]]) -> Iterator[Place]:
    if not steps:
        yield ()
        return
    (name, kind), *rest = steps
    inner: list[tuple[str | int, Json]] = []
    if name:
        inner += [(name, value[name])] if isinstance(value, dict) and name in value else []
    elif isinstance(value, list):
        inner += [(i, item) for i, item in enumerate(value) if _is(item, kind)]
    for step, item in inner:
        yield from ((step, *place) for place in _found(item, rest))


def _is(item: Json, kind: str) -> bool:
    """Tell whether an element is of a kind: by its type, its role, its one field, or as the word that it is."""
    if not kind or item == kind:
        return True
    return isinstance(item, dict) and (kind in item or kind in (item.get("type"), item.get("role"), item.get("name")))
