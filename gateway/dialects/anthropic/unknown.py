"""Fields that a server with Anthropic's API does not know: older ones, and those of other vendors.

    tools.3.custom.input_examples: Extra inputs are not permitted

The path is pydantic's: with an index for each list, and a tag such as `custom` for the kind of what stands there.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from gateway import ir
from gateway.dialects.gemini.schema_facets import is_list, is_object

__all__ = ["Path", "lost", "unknown_field", "without_field"]

Path: TypeAlias = tuple[str, ...]  # names and tags, without indexes

_SAID: Final = re.compile(r"(?i)(?<![\w.])([a-z_]\w{0,63}(?:\.\w{1,64}){0,15}): extra inputs")
# what clients say by themselves, and an answer can do without; all else is the caller's to leave out
_OPTIONAL: Final = frozenset(
    {"cache_control", "scope", "ttl", "context_management", "display", "caller"}
    | {"block_binding", "prefix_mismatch_behavior", "fallbacks", "clear_at", "diagnostics"}
    | {"input_examples", "eager_input_streaming", "defer_loading", "allowed_callers"}
)
_OPEN: Final = frozenset({"input_schema", "input", "schema"})  # where callers choose the names
_REASON: Final = "this upstream does not know the field"


def unknown_field(said: str) -> Path | None:
    """Give the path that a refusal names; None when it names none that can be left out."""
    found = _SAID.search(said)
    path = () if found is None else tuple(name for name in found[1].split(".") if not name.isdigit())
    path = path[1:] if path[:1] == ("body",) else path
    return path if path and path[-1] in _OPTIONAL and _OPEN.isdisjoint(path) else None


def without_field(value: object, path: Path, at: str, places: list[str]) -> object:
    """Leave a field out wherever it stands in what is at `at`; `places` takes where that was."""
    if is_list(value):
        return [without_field(one, path, f"{at}[{index}]", places) for index, one in enumerate(value)]
    if not is_object(value):
        return value
    name, rest = path[0], path[1:]
    if rest and at and _is_tag(name, value):
        return without_field(value, rest, at, places)
    if name not in value:
        return value
    if rest:
        return {**value, name: without_field(value[name], rest, f"{at}.{name}".lstrip("."), places)}
    places.append(f"{at}.{name}".lstrip("."))
    return {key: one for key, one in value.items() if key != name}


def _is_tag(name: str, value: Mapping[str, object]) -> bool:
    """Tell whether a path names the kind of what stands here: by its type, or as a server calls it in its own code."""
    if "type" in value and name.islower():
        return value["type"] == name
    return name not in value


def lost(places: list[str]) -> Iterator[ir.Loss]:
    """Tell what was left out."""
    for place in places:
        yield ir.Loss(place, _REASON, "hint")
