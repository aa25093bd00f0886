"""Change one leaf of a request, and see whether its upstream body or its losses tell.

    request ─► every leaf changed or taken away, every object joined by a key that nobody knows ─► silent?

A change that is refused is not silent: the caller reads why.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from gateway.dialects.gemini.inbound_wire import camel
from gateway.routes import DialectName
from tests.translating import Sent, Upstreams

from .exempt import ABSENT, is_none

__all__ = ["Change", "alternatives", "is_told", "silent", "spelt", "walk"]

Json = Any
Path = tuple[str | int, ...]

_UNKNOWN: Final = "xNeverHeardOf"
_BARE: Final = ("tools", "web_search_options")
_TOO_WIDE: Final = ("messages", "contents")  # a loss there names no leaf

# What to write in the place of a value, by the name of its field; the first that is accepted counts.
_OTHERS: Final[dict[str, tuple[Json, ...]]] = {
    "data": ("QUJDRA==",),
    "file_data": ("data:application/pdf;base64,QUJDRA==",),
    "url": ("data:image/png;base64,QUJDRA==",),
    "mimeType": ("image/gif", "audio/wav", "text/plain"),
    "media_type": ("image/gif", "text/plain"),
    "format": ("mp3",),
    "thinkingLevel": ("MEDIUM",),
    "thinking_level": ("MEDIUM",),
    "role": ("user", "assistant", "model"),
}
_WORDS: Final = ("low", "high", "auto", "none", "text", "any", "disabled", "LOW", "HIGH", "ANY", "NONE", "text/plain")


class Change(NamedTuple):
    """Another value in one place; ABSENT takes it away."""

    path: Path
    value: Json

    def apply(self, request: Json) -> Json:
        """Give the changed request."""
        changed = place = copy.copy(request)
        *way, last = self.path
        for step in way:
            place[step] = copy.copy(place[step])
            place = place[step]
        if self.value is ABSENT:
            del place[last]
        else:
            place[last] = self.value
        return changed

    def before(self, request: Json) -> Json:
        """Give what stood there."""
        for step in self.path:
            request = request.get(step, ABSENT) if isinstance(request, dict) else request[step]
        return request


def walk(request: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Give every value, with its path."""
    yield path, request
    inner = request.items() if isinstance(request, dict) else enumerate(request) if isinstance(request, list) else ()
    for key, value in inner:
        yield from walk(value, (*path, key))


def alternatives(path: Path, value: Json) -> Iterator[list[Change]]:
    """Give the changes of one place; of each list the first that is accepted counts."""
    if isinstance(value, dict):
        yield [Change((*path, _UNKNOWN), 1)]
    elif not isinstance(value, list):
        yield [Change(path, other) for other in _others(path, value)]
    if path and isinstance(path[-1], str) and _says(path, value):
        yield [Change(path, ABSENT)]


def _says(path: Path, value: Json) -> bool:
    """Tell whether there is anything in it: to be there says something of tools only."""
    if isinstance(value, dict | list):
        return any(not isinstance(one, dict | list) for _, one in walk(value)) or (value == {} and path[0] in _BARE)
    return value is not None


def _others(path: Path, value: Json) -> Iterator[Json]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value - 1, value / 2)
    elif isinstance(value, str):
        known = _OTHERS.get(str(path[-1]), ())
        yield from (other for other in (*known, f"{value}x", *_WORDS) if other != value)


def silent(upstreams: Upstreams, dialect: DialectName, target: str, request: Json, paths: Iterable[Path]) -> list[str]:
    """Name the changes in these places of which nothing tells."""
    before = upstreams.send(dialect, target, request)
    assert isinstance(before, Sent), before
    values = dict(walk(request))
    found = []
    for path in paths:
        for changes in alternatives(path, values[path]):
            sent = ((change, upstreams.send(dialect, target, change.apply(request))) for change in changes)
            change, after = next((one for one in sent if isinstance(one[1], Sent)), (None, None))
            if (
                change is not None
                and isinstance(after, Sent)
                and not _tells((dialect, target), request, change, before, after)
            ):
                found.append(_described(dialect, change))
    return found


def _tells(pair: tuple[DialectName, str], request: Json, change: Change, before: Sent, after: Sent) -> bool:
    if (after.body, after.answer) != (before.body, before.answer):
        return True
    path = spelt(pair[0], change.path)
    return is_none(pair[0], path, change.before(request), change.value) or any(
        is_told(loss.path, path, whole=change.value is ABSENT) for loss in before.losses + after.losses
    )


def is_told(loss: str, path: str, *, whole: bool) -> bool:
    """Tell whether a loss is of this path, of what it is a part of, or, of the `whole`, of a part."""
    return loss not in _TOO_WIDE and (_within(path, loss) or (whole and _within(loss, path)))


def _within(path: str, other: str) -> bool:
    return path == other or path.startswith((f"{other}.", f"{other}["))


def spelt(dialect: DialectName, path: Path) -> str:
    """Write a path as losses do: proto JSON is named in camelCase."""
    text = ""
    for step in path:
        name = camel(step) if dialect == "gemini" and isinstance(step, str) else step
        text += f"[{name}]" if isinstance(name, int) else f".{name}" if text else name
    return text


def _described(dialect: DialectName, change: Change) -> str:
    how = "taken away" if change.value is ABSENT else f"→ {json.dumps(change.value)[:60]}"
    return f"{spelt(dialect, change.path)} {how}"
