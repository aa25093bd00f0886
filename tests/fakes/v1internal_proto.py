"""Proto JSON decoding, as strict as the service: unknown names and wrong kinds are a 400 that names the place.

A message is a table from field to kind. A kind is a scalar, `enum Name`, another message, `[]kind` or `{}kind`
(a map). Names are understood in camelCase and snake_case and come out in camelCase; the error paths are snake_case,
and a map entry is `properties[N].value`. All violations of one body are reported together.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from tests.fakes.v1internal_errors import undecodable
from tests.fakes.v1internal_messages import ENUMS, MESSAGES, PACKAGE

Violations = list[tuple[str, str]]

_WHOLE = re.compile(r"-?[0-9]+")


def decode(message: str, body: Any) -> dict[str, Any]:
    """Decode one body, or raise the 400 that lists everything wrong with it."""
    violations: Violations = []
    value = _message(message, body, "", violations)
    if violations:
        raise undecodable(violations)
    return dict(value)


def camel(name: str) -> str:
    """Turn `any_of` into `anyOf`."""
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def snake(name: str) -> str:
    """Turn `anyOf` into `any_of`."""
    return re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), name)


def _message(message: str, body: Any, path: str, violations: Violations) -> dict[str, Any]:
    if not isinstance(body, dict):
        violations.append(_wrong(path, f"{PACKAGE}.{message}", body))
        return {}
    fields = MESSAGES[message]
    value: dict[str, Any] = {}
    for given, content in body.items():
        name = camel(given)
        if name not in fields or given not in {name, snake(name)}:
            violations.append(_unknown(given, path, "Cannot find field."))
        elif content is not None:
            value[name] = _field(fields[name], content, _below(path, given), violations)
    return value


def _field(kind: str, content: Any, path: str, violations: Violations) -> Any:
    if kind.startswith("[]"):
        return _list(kind[2:], content, path, violations)
    if kind.startswith("{}"):
        return _map(kind[2:], content, path, violations)
    if isinstance(content, list) and kind != "value":
        parent, _, name = path.rpartition(".")
        violations.append(_unknown(name, parent, "Proto field is not repeating, cannot start list."))
        return None
    if kind in MESSAGES:
        return _message(kind, content, path, violations)
    if kind.startswith("enum "):
        return _enum(kind[5:], content, path, violations)
    return _scalar(kind, content, path, violations)


def _list(kind: str, content: Any, path: str, violations: Violations) -> list[Any]:
    if not isinstance(content, list):  # a single value is taken as a list of one, and its path has no index
        return [_field(kind, content, path, violations)]
    return [_field(kind, item, f"{path}[{index}]", violations) for index, item in enumerate(content)]


def _map(kind: str, content: Any, path: str, violations: Violations) -> dict[str, Any]:
    if not isinstance(content, dict):
        violations.append(_wrong(path, "Map", content))
        return {}
    return {
        key: _field(kind, item, f"{path}[{index}].value", violations)
        for index, (key, item) in enumerate(content.items())
    }


def _enum(name: str, content: Any, path: str, violations: Violations) -> str:
    text = str(content).upper()
    if text not in ENUMS[name]:
        violations.append(_wrong(path, f"{PACKAGE}.{name}", content))
    return text


def _scalar(kind: str, content: Any, path: str, violations: Violations) -> Any:
    understood, read = _SCALARS[kind]
    if not understood(content):
        violations.append(_wrong(path, _TYPE_NAMES[kind], content))
        return None
    return read(content)


def _is_whole(content: Any) -> bool:
    if isinstance(content, float):
        return content.is_integer()
    return _is_number(content) or (isinstance(content, str) and _WHOLE.fullmatch(content) is not None)


def _is_number(content: Any) -> bool:
    return isinstance(content, int | float) and not isinstance(content, bool) and math.isfinite(content)


_SCALARS: dict[str, tuple[Callable[[Any], bool], Callable[[Any], Any]]] = {
    "string": (lambda content: isinstance(content, str), str),
    "bool": (lambda content: isinstance(content, bool), bool),
    "int": (_is_whole, int),
    "float": (_is_number, float),
    "struct": (lambda content: isinstance(content, dict), dict),
    "value": (lambda _: True, lambda content: content),
}
_TYPE_NAMES = {
    "string": "TYPE_STRING",
    "bool": "TYPE_BOOL",
    "int": "TYPE_INT32",
    "float": "TYPE_FLOAT",
    "struct": "type.googleapis.com/google.protobuf.Struct",
}


def _below(path: str, name: str) -> str:
    return f"{path}.{snake(name)}" if path else snake(name)


def _unknown(name: str, path: str, reason: str) -> tuple[str, str]:
    where = f" at '{path}'" if path else ""
    return path, f'Invalid JSON payload received. Unknown name "{name}"{where}: {reason}'


def _wrong(path: str, kind: str, content: Any) -> tuple[str, str]:
    return path, f"Invalid value at '{path}' ({kind}), {json.dumps(content, ensure_ascii=False)[:200]}"
