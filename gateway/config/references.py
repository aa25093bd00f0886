"""`env:NAME` and `file:PATH`: values that stand in a variable or in a file.

An unset variable means that the key is not given, so its default holds; where a missing secret would open or
break something (`_STRICT`) it stops the start. A variable or file that is there but empty always does.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.config.problems import unread
from gateway.config.sources import DEFAULT, Draft, KeyPath, Text, as_list, as_tree
from gateway.config.upstreams import v1internal_names
from gateway.config.variables import Variables

__all__ = ["resolve_references"]

_STRICT: Final = (
    ("auth", "keys"),
    ("key", "*", "secret"),
    ("upstream", "*", "api_key"),
    ("upstream", "*", "oauth"),
)
_NO_SECRETS: Final = re.compile(r"\[\s*\]")  # as JSON, in the place of
_LISTS: Final = (("auth", "keys"), ("store", "encryption_key"), ("upstream", "*", "api_key"))
_DEFAULTS: Final[Mapping[KeyPath, str]] = {
    ("store", "encryption_key"): "GATEWAY_ENCRYPTION_KEY",
    ("admin", "password"): "GATEWAY_ADMIN_PASSWORD",
}
_OAUTH_DEFAULTS: Final = {"client_id": "OAUTH_CLIENT_ID", "client_secret": "OAUTH_CLIENT_SECRET"}

_UNSET: Final = object()


def resolve_references(draft: Draft, variables: Variables, folder: Path) -> None:
    """Put the values in place of their references; report those that cannot be."""
    _Resolver(draft, variables, folder).table(draft.tree, ())
    defaults = dict(_DEFAULTS)
    for name in _without_client(draft):
        defaults |= {("upstream", name, "oauth", key): variable for key, variable in _OAUTH_DEFAULTS.items()}
    for path, name in defaults.items():
        value = variables.values.get(name)
        if draft.get(path) is not None or path in draft.unset or value is None:
            continue
        if _is_empty(value, path):
            draft.sources[path] = variables.source(name)
            draft.report(path, "is set but empty")
        else:
            draft.put(path, _ended(value), variables.source(name))


def _without_client(draft: Draft) -> list[str]:
    """Name the v1internal upstreams that say nothing of an OAuth client."""
    oauths = {name: as_tree(draft.get(("upstream", name, "oauth"))) for name in v1internal_names(draft.tree)}
    return [name for name, oauth in oauths.items() if not (oauth or {}).keys() & _OAUTH_DEFAULTS.keys()]


class _Resolver:
    def __init__(self, draft: Draft, variables: Variables, folder: Path) -> None:
        self.draft = draft
        self.variables = variables
        self.folder = folder

    def table(self, table: dict[str, object], path: KeyPath) -> None:
        for key, value in list(table.items()):
            resolved = self.value(value, (*path, key))
            if resolved is _UNSET:
                del table[key]
            else:
                table[key] = resolved

    def value(self, value: object, path: KeyPath) -> object:
        table, items = as_tree(value), as_list(value)
        if table is not None:
            self.table(table, path)
        elif items is not None:
            return self.items(items, path)
        elif isinstance(value, str):
            return self.text(value, path)
        return value

    def items(self, items: list[object], path: KeyPath) -> object:
        resolved = [self.value(item, (*path, index)) for index, item in enumerate(items)]
        kept = [item for item in resolved if item is not _UNSET]
        if kept or not items:
            return kept
        self.draft.sources[path] = DEFAULT
        return _UNSET

    def text(self, value: str, path: KeyPath) -> object:
        scheme, colon, name = value.partition(":")
        if not colon or scheme not in ("env", "file"):
            return _ended(value) if isinstance(value, Text) else value
        return self.variable(name, path) if scheme == "env" else self.file(name, path)

    def variable(self, name: str, path: KeyPath) -> object:
        if not name:
            self.draft.report(path, 'names no variable behind "env:"')
            return _UNSET
        self.draft.named.add(name)
        value = self.variables.values.get(name)
        if value is None:
            self.draft.unset[path] = f"environment variable {name} is not set"
            if _strict(path):
                self.draft.report(path, self.draft.unset[path])
            else:
                self.draft.sources[path] = DEFAULT
            return _UNSET
        return self.filled(value, path, f"environment variable {name} is set but empty")

    def file(self, name: str, path: KeyPath) -> object:
        file = self.folder / name
        try:
            file = self.folder / Path(name).expanduser()
            value = file.read_text("utf-8-sig")
        except (OSError, ValueError, RuntimeError) as error:
            self.draft.report(path, f"file {file} cannot be read: {unread(error)}")
            return _UNSET
        return self.filled(value, path, f"file {file} is empty")

    def filled(self, value: str, path: KeyPath, otherwise: str) -> object:
        if _is_empty(value, path):
            self.draft.report(path, otherwise)
            return _UNSET
        return _ended(value)


def _is_empty(value: str, path: KeyPath) -> bool:
    """Tell whether there is nothing in it; a list of no secrets is as good as none."""
    text = value.strip()
    listed = any(len(path) == len(pattern) and _meets(path, pattern) for pattern in _LISTS)
    return not text or (listed and _NO_SECRETS.fullmatch(text) is not None)


def _ended(value: str) -> Text:
    """Leave out the end of a line, which belongs to no value; who pastes or echoes one brings it along."""
    return Text(value.rstrip("\r\n"))


def _strict(path: KeyPath) -> bool:
    return any(len(path) >= len(pattern) and _meets(path, pattern) for pattern in _STRICT)


def _meets(path: KeyPath, pattern: KeyPath) -> bool:
    return all(a in (b, "*") for a, b in zip(pattern, path, strict=False))
