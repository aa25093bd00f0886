"""Proto JSON decoding, as strict as Google's services: unknown names and wrong kinds are a 400 that names the place.

A message is a table from field to kind. A kind is a scalar, `enum Name`, another message, `[]kind` or `{}kind`
(a map). Names are understood in camelCase and snake_case and come out in camelCase; the error paths are snake_case,
and a map entry is `properties[N].value`. All violations of one body are reported together.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.v1internal_errors import undecodable

__all__ = ["Proto", "camel", "snake"]

_WHOLE = re.compile(r"-?[0-9]+")


@dataclass(frozen=True)
class Proto:
    """The messages and enums of one package, whose type names begin with `package`."""

    messages: Mapping[str, Mapping[str, str]]
    enums: Mapping[str, frozenset[str]]
    package: str

    def decode(self, message: str, body: Any) -> dict[str, Any]:
        """Decode one body, or raise the 400 that lists everything wrong with it."""
        decoding = _Decoding(self)
        value = decoding.message(message, body, "")
        if decoding.violations:
            raise undecodable(decoding.violations)
        return dict(value)


def camel(name: str) -> str:
    """Turn `any_of` into `anyOf`."""
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def snake(name: str) -> str:
    """Turn `anyOf` into `any_of`."""
    return re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), name)


@dataclass
class _Decoding:
    """One body under way."""

    proto: Proto
    violations: list[tuple[str, str]] = field(default_factory=list)

    def message(self, name: str, body: Any, path: str) -> dict[str, Any]:
        if not isinstance(body, dict):
            self._wrong(path, f"{self.proto.package}.{name}", body)
            return {}
        fields = self.proto.messages[name]
        value: dict[str, Any] = {}
        for given, content in body.items():
            known = camel(given)
            if known not in fields or given not in {known, snake(known)}:
                self._unknown(given, path, "Cannot find field.")
            elif content is not None:
                value[known] = self._field(fields[known], content, _below(path, given))
        return value

    def _field(self, kind: str, content: Any, path: str) -> Any:
        if kind.startswith("[]"):
            return self._list(kind[2:], content, path)
        if kind.startswith("{}"):
            return self._map(kind[2:], content, path)
        if isinstance(content, list) and kind != "value":
            parent, _, name = path.rpartition(".")
            self._unknown(name, parent, "Proto field is not repeating, cannot start list.")
            return None
        if kind in self.proto.messages:
            return self.message(kind, content, path)
        if kind.startswith("enum "):
            return self._enum(kind[5:], content, path)
        return self._scalar(kind, content, path)

    def _list(self, kind: str, content: Any, path: str) -> list[Any]:
        if not isinstance(content, list):  # a single value is taken as a list of one, and its path has no index
            return [self._field(kind, content, path)]
        return [self._field(kind, item, f"{path}[{index}]") for index, item in enumerate(content)]

    def _map(self, kind: str, content: Any, path: str) -> dict[str, Any]:
        if not isinstance(content, dict):
            self._wrong(path, "Map", content)
            return {}
        return {
            key: self._field(kind, item, f"{path}[{index}].value") for index, (key, item) in enumerate(content.items())
        }

    def _enum(self, name: str, content: Any, path: str) -> str:
        text = str(content).upper()
        if text not in self.proto.enums[name]:
            self._wrong(path, f"{self.proto.package}.{name}", content)
        return text

    def _scalar(self, kind: str, content: Any, path: str) -> Any:
        understood, read = _SCALARS[kind]
        if not understood(content):
            self._wrong(path, _TYPE_NAMES[kind], content)
            return None
        return read(content)

    def _unknown(self, name: str, path: str, reason: str) -> None:
        where = f" at '{path}'" if path else ""
        text = f'Invalid JSON payload received. Unknown name "{name}"{where}: {reason}'
        self.violations.append((path, text))

    def _wrong(self, path: str, kind: str, content: Any) -> None:
        shown = json.dumps(content, ensure_ascii=False)[:200]
        self.violations.append((path, f"Invalid value at '{path}' ({kind}), {shown}"))


def _is_whole(content: Any) -> bool:
    if isinstance(content, float):
        return content.is_integer()
    return _is_number(content) or (isinstance(content, str) and _WHOLE.fullmatch(content) is not None)


def _is_int32(content: Any) -> bool:
    return _is_whole(content) and -(2**31) <= int(content) < 2**31


def _is_number(content: Any) -> bool:
    return isinstance(content, int | float) and not isinstance(content, bool) and math.isfinite(content)


def _below(path: str, name: str) -> str:
    return f"{path}.{snake(name)}" if path else snake(name)


_SCALARS: dict[str, tuple[Callable[[Any], bool], Callable[[Any], Any]]] = {
    "string": (lambda content: isinstance(content, str), str),
    "bool": (lambda content: isinstance(content, bool), bool),
    "int": (_is_whole, int),
    "int32": (_is_int32, int),
    "float": (_is_number, float),
    "struct": (lambda content: isinstance(content, dict), dict),
    "value": (lambda _: True, lambda content: content),
}
_TYPE_NAMES = {
    "string": "TYPE_STRING",
    "bool": "TYPE_BOOL",
    "int": "TYPE_INT32",
    "int32": "TYPE_INT32",
    "float": "TYPE_FLOAT",
    "struct": "type.googleapis.com/google.protobuf.Struct",
}
