"""What `gateway check` shows: every effective value, who gave it, and whether it has an effect yet."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, cast

from msgspec import Struct

from gateway.config.effect import NOT_IN_EFFECT, why_not
from gateway.config.limits import Limit
from gateway.config.load import Loaded
from gateway.config.shape import fields_of, tag_of
from gateway.config.sources import KeyPath, as_tree, dotted
from gateway.config.values import ModelRule
from gateway.redact import MASK, Secret, redact

__all__ = ["Row", "report"]

_OF_ACCOUNTS: Final = frozenset({"refresh_tokens", "import", "refresh_before", "project_ids", "project_fallback"})


class Row(Struct, frozen=True):
    """One value. `reason` says why it has no effect yet, "" when it has."""

    key: str
    value: str
    source: str
    reason: str

    @property
    def in_effect(self) -> bool:
        """Whether something asks for the value."""
        return not self.reason


def report(loaded: Loaded, not_in_effect: Mapping[str, str] = NOT_IN_EFFECT) -> list[Row]:
    """List every value of a configuration in the order of the schema; secrets are masked."""
    return [
        Row(
            dotted(path),
            text := _masked(pattern, value),
            str(loaded.source(path)),
            _unserved(loaded, path, not_in_effect) or why_not(pattern, text.strip('"'), not_in_effect),
        )
        for path, pattern, value in _leaves(loaded.config, (), "")
    ]


def _unserved(loaded: Loaded, path: KeyPath, not_in_effect: Mapping[str, str]) -> str:
    """Say why nothing of an upstream has an effect: its type; nor of a middleware: nobody names it."""
    if path[0] == "middleware":
        return "" if path[1] in loaded.config.pipeline.order else "not in pipeline.order"
    if path[0] != "upstream":
        return ""
    kind = loaded.config.upstream[str(path[1])].type
    if kind != "v1internal" and path[2] == "pool" and path[3] in _OF_ACCOUNTS:
        return "an API key has none"
    return why_not("upstream.*.type", kind, not_in_effect)


def _leaves(value: object, path: KeyPath, pattern: str) -> Iterator[tuple[KeyPath, str, object]]:
    """Walk to the values that one key holds; `pattern` is the path with `*` for chosen names."""
    if isinstance(value, Struct) and not isinstance(value, ModelRule):
        if value.__struct_config__.tag_field:
            yield (*path, "type"), f"{pattern}.type", tag_of(type(value))
        for key, (name, _) in fields_of(type(value)).items():
            yield from _leaves(getattr(value, name), (*path, key), f"{pattern}.{key}".lstrip("."))
    elif isinstance(value, dict) and path[-1] != "options":
        for name, item in cast(dict[str, object], value).items():  # dict[Unknown, Unknown] after isinstance
            yield from _leaves(item, (*path, name), f"{pattern}.*")
    elif isinstance(value, tuple) and _repeats(path):
        yield from _repeated(cast(tuple[object, ...], value), path, pattern)  # tuple[Unknown, ...] likewise
    else:
        yield path, pattern, value


def _repeats(path: KeyPath) -> bool:
    return path == ("key",) or path[-1] == "limits"


def _repeated(items: tuple[object, ...], path: KeyPath, pattern: str) -> Iterator[tuple[KeyPath, str, object]]:
    for index, item in enumerate(items):
        if isinstance(item, Limit):
            key = f"{item.resource}_per_{item.window}" if item.window else item.resource
            yield (*path, key), f"{pattern}.{key}", item.amount
        else:
            yield from _leaves(item, (*path, index), f"{pattern}.*")


def _masked(pattern: str, value: object) -> str:
    """Write a value as gateway.toml would; headers and options may hold secrets of any shape."""
    if pattern == "upstream.*.headers.*":
        return MASK
    if pattern == "middleware.*.options":
        return ", ".join(f"{name} = {MASK}" for name in as_tree(value) or {})
    return _written(value)


def _written(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, Secret):
        return repr(value) if value else '""'
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, ModelRule):
        return _rule(value)
    if isinstance(value, tuple):
        items = cast(tuple[object, ...], value)  # tuple[Unknown, ...] after isinstance
        return f"[{', '.join(map(_written, items))}]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(redact(value) if isinstance(value, str) else value, ensure_ascii=False)


def _rule(rule: ModelRule) -> str:
    if rule.weights:
        pairs = zip(rule.targets, rule.weights, strict=True)
        return f"{{ {', '.join(f'{_written(name)} = {_written(weight)}' for name, weight in pairs)} }}"
    return _written(rule.targets if rule.targets[1:] else rule.targets[0])
