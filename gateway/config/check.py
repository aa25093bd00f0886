"""What `gateway check` shows: every effective value, who gave it, and whether it has an effect yet."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Final, cast

from msgspec import Struct

from gateway.config.limits import Limit
from gateway.config.load import Loaded
from gateway.config.schema import Config
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

    def plain(self) -> dict[str, object]:
        """Give it as JSON has it."""
        return {
            "key": self.key,
            "value": self.value,
            "source": self.source,
            "in_effect": self.in_effect,
            "reason": self.reason or None,
        }


def report(loaded: Loaded) -> list[Row]:
    """List every value of a configuration in the order of the schema; secrets are masked."""
    return [
        Row(dotted(path), _masked(path, value), str(loaded.source(path)), _why_not(loaded.config, path))
        for path, value in _leaves(loaded.config, ())
    ]


def _why_not(config: Config, path: KeyPath) -> str:
    """Say why a key has no effect; "" when it has."""
    match path:
        case ("middleware", name, *_) if name not in config.pipeline.order:
            return "not in pipeline.order"
        case ("upstream", name, "pool", key) if key in _OF_ACCOUNTS and config.upstream[str(name)].type != "v1internal":
            return "an API key has none"
        case _:
            missing = _missing(config, path)
            return f"{missing} is not in pipeline.order" if missing else ""


def _missing(config: Config, path: KeyPath) -> str:
    """Name the built-in middleware that alone asks for a key and that the pipeline lacks; "" when there is none."""
    match path:
        case ("limits", *_) | ("key", _, "limits", *_):
            asks = "rate_limit"
        case ("server", "max_body"):
            asks = "body_limit"
        case ("usage", key, *_) if key != "price":  # limits of money want to know it, too
            asks = "usage"
        case _:
            return ""
    return "" if asks in config.pipeline.order else asks


def _leaves(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """Walk to the values that one key holds."""
    if isinstance(value, Struct) and not isinstance(value, ModelRule):
        if value.__struct_config__.tag_field:
            yield (*path, "type"), tag_of(type(value))
        for key, (name, _) in fields_of(type(value)).items():
            yield from _leaves(getattr(value, name), (*path, key))
    elif isinstance(value, dict) and path[-1] != "options":
        for name, item in cast(dict[str, object], value).items():  # dict[Unknown, Unknown] after isinstance
            yield from _leaves(item, (*path, name))
    elif isinstance(value, tuple) and _repeats(path):
        yield from _repeated(cast(tuple[object, ...], value), path)  # tuple[Unknown, ...] likewise
    else:
        yield path, value


def _repeats(path: KeyPath) -> bool:
    return path == ("key",) or path[-1] == "limits"


def _repeated(items: tuple[object, ...], path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    for index, item in enumerate(items):
        if isinstance(item, Limit):
            yield (*path, item.key), item.amount
        else:
            yield from _leaves(item, (*path, index))


def _masked(path: KeyPath, value: object) -> str:
    """Write a value as gateway.toml would; headers and options may hold secrets of any shape."""
    match path:
        case ("upstream", _, "headers", _):
            return MASK
        case ("middleware", _, "options"):
            return ", ".join(f"{name} = {MASK}" for name in as_tree(value) or {})
        case _:
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
