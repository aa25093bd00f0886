"""What an operator says of a key that is to be made, in the words of [[key]]."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeVar

from msgspec import Struct

from gateway.config.convert import read_table
from gateway.config.limits import Limits
from gateway.config.problems import did_you_mean
from gateway.config.values import Expires

__all__ = ["NO_MODEL", "NO_SCOPES", "NewKey", "numbered", "own_name", "read_new_key"]

NO_MODEL: Final = "matches no model"
NO_SCOPES: Final = "a key without scopes cannot do anything"

_T = TypeVar("_T")

_LONGEST: Final = 64
_NAME: Final = re.compile(r"\w(?:[\w .@+-]*[\w.@+-])?")  # it stands in paths, in logs and on pages
_ANY: Final = "any"  # in the place of a name
_OWN: Final = {"admin": "requests of operators through the page", "anonymous": "callers without a key"}


class NewKey(Struct, frozen=True, kw_only=True):
    """A key that is to be made. `models` are globs, `upstreams` names, () = all; `expires` None = never."""

    name: str
    models: tuple[str, ...] = ()
    upstreams: tuple[str, ...] = ()
    scopes: tuple[Literal["chat", "admin", "metrics"], ...] = ("chat",)
    expires: Expires | None = None
    limits: Limits = ()


def read_new_key(table: Mapping[str, object], upstreams: Collection[str], now: float) -> NewKey:
    """Read it; raise ValueError with all that is wrong. `upstreams`: those that are configured; `now`: Unix seconds."""
    given = {name: value for name, value in table.items() if value is not None}
    new, problems = read_table(NewKey, given)
    other = new or read_table(NewKey, {**given, "name": _ANY})[0]  # what else is wrong where the name is
    if other is not None:
        problems += _problems(
            other, upstreams, datetime.fromtimestamp(now, UTC), scoped=bool(given.get("scopes", True))
        )
    if new is None or problems:
        raise ValueError("; ".join(problems))
    return new


def numbered(keys: Sequence[_T]) -> dict[str, _T]:
    """Name keys that have none, as those of auth.keys."""
    return {f"key-{number}": key for number, key in enumerate(keys, 1)}


def own_name(name: object) -> str:
    """Say why a key cannot have this name, by which logs and the ledger know somebody else; "" when it can."""
    meant = _OWN.get(name) if isinstance(name, str) else None
    return f'"{name}" means {meant}; choose another name' if meant else ""


def _problems(new: NewKey, upstreams: Collection[str], now: datetime, *, scoped: bool) -> "list[str]":
    """Say what of it cannot be; `scoped`: scopes are given, if only such as there are not."""
    found: list[str] = []
    if len(new.name) > _LONGEST or not _NAME.fullmatch(new.name):
        found.append(
            f"name: up to {_LONGEST} letters, digits, _ . @ + - and inner spaces, starting with a letter, digit or _"
        )
    if taken := own_name(new.name):
        found.append(f"name: {taken}")
    if not scoped:
        found.append(f"scopes: {NO_SCOPES}")
    if new.expires is not None and new.expires <= now:
        found.append(f"expires: {new.expires:%Y-%m-%d %H:%M} UTC is in the past")
    found += [f"models: {glob!r} {NO_MODEL}" for glob in new.models if not glob or not glob.isprintable()]
    found += [
        f"upstreams: {name[:100]!r} is not configured{did_you_mean(name, upstreams)}"
        for name in new.upstreams
        if name not in upstreams
    ]
    return found
