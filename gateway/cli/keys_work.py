"""The work of `gateway keys`, and what other commands want to know of the keys that were made at run time."""

import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from msgspec.structs import replace

from gateway.admin.keys import plain as plain_row
from gateway.cli.credentials_store import told
from gateway.config import ConfigError, KeyPath, Loaded, Problem, read_new_key
from gateway.config.problems import did_you_mean
from gateway.config.sources import Text
from gateway.key_rows import KeyRow, config_rows, minted, row_of
from gateway.keyring import file_of, store_of
from gateway.legible import aligned
from gateway.parts import apart
from gateway.store.keys import KeyStore
from gateway.store.stored import KeyProblem
from gateway.store.stored_keys import KeyExists, StoredKey

__all__ = ["ever_stored", "make", "plain", "revoke", "rows", "stored", "table", "unserved"]

_ENCRYPTION_KEY: Final[KeyPath] = ("store", "encryption_key")
_HEAD: Final = ("NAME", "KEY", "SCOPES", "EXPIRES (UTC)", "LAST USED (UTC)", "SOURCE")
_WIDEST: Final = 24
_SOURCES: Final[Mapping[str, str]] = {"config": "gateway.toml", "store": "store"}


def make(loaded: Loaded, said: Mapping[str, Any]) -> dict[str, object]:
    """Make a key as the flags say, and give it as JSON has it, with its text; raise ConfigError."""
    now = time.time()
    table = {**said, "limits": _limits(said["limits"])}
    for name in ("models", "upstreams", "scopes"):
        table[name] = [word for text in said[name] for word in re.split(r"[,\s]+", text) if word]
        if said[name] and not table[name]:  # a variable of the shell that is not set must not mean all
            raise _refused(f"--{name} is empty; give a value, or leave it out")
    if not table["scopes"]:
        del table["scopes"]
    try:
        new = read_new_key(table, loaded.config.upstream, now)
    except ValueError as error:
        raise _refused(str(error)) from None
    if any(row.name == new.name for row in config_rows(loaded)):
        raise _refused(f'gateway.toml has a key named "{new.name}"; choose another name')
    key, text = minted(new, now)
    with _opened(loaded) as store:
        try:
            store.add(key)
        except KeyExists:
            raise _refused(f'a key named "{new.name}" already exists; revoke it, or choose another name') from None
    return plain_row(row_of(key), text)


def unserved(loaded: Loaded, said: Mapping[str, Any]) -> str:
    """Say that no request of the key that was made will be served as things are, and what to do; "" = who knows."""
    running = apart(loaded) if said["limits"] else 0
    if not running:
        return ""
    return (
        f"warning: {running} processes run with this server.data_dir, and they cannot count limits together without "
        "store.redis, so they reject requests with this key; set store.redis, or run one process"
    )


def rows(loaded: Loaded) -> Sequence[KeyRow]:
    """List the keys, those of the configuration first; raise ConfigError."""
    made = (row_of(key) for key in stored(loaded))
    return [*config_rows(loaded), *sorted(made, key=lambda row: (row.created_at or 0.0, row.name))]


def revoke(loaded: Loaded, name: str) -> None:
    """Revoke a key; raise ConfigError when there is none, and for one that gateway.toml gives."""
    try:
        with _opened(loaded) as store:
            store.remove(name)
    except KeyError:
        if any(row.name == name for row in config_rows(loaded)):
            raise _refused(f'gateway.toml defines the key "{name}"; remove it there') from None
        others = [row.name for row in rows(loaded)]
        raise _refused(f'no key is named "{name}"{did_you_mean(name, others)}') from None


def stored(loaded: Loaded) -> Sequence[StoredKey]:
    """Read the keys that were made at run time and are not revoked; raise ConfigError. Nothing is made."""
    return [key for key in ever_stored(loaded) if not key.removed]


def ever_stored(loaded: Loaded) -> Sequence[StoredKey]:
    """Read the keys that were made at run time, revoked ones too; raise ConfigError. Nothing is made."""
    file = file_of(loaded)
    if file is None:
        with _opened(replace(loaded, read_only=True)) as store:
            return store.all()
    with told(loaded, file):
        return file.all()


def plain(listed: Sequence[KeyRow]) -> list[dict[str, object]]:
    """Give keys as JSON has them."""
    return [plain_row(row) for row in listed]


def table(listed: Sequence[KeyRow]) -> str:
    """Write keys for a person, with what they are held to below."""
    if not listed:
        return "no keys: `gateway keys new NAME` makes one"
    head, *lines = aligned([_HEAD, *map(_cells, listed)])
    return "\n".join([head, *("\n".join([line, *_held(row)]) for line, row in zip(lines, listed, strict=True))])


def _cells(row: KeyRow) -> tuple[str, ...]:
    name = row.name if len(row.name) <= _WIDEST else f"{row.name[: _WIDEST - 1]}…"
    key = f"{row.prefix}…" if row.prefix else "-"
    over = " over" if row.expires is not None and row.expires <= time.time() else ""
    return name, key, ",".join(row.scopes), _moment(row.expires) + over, _moment(row.last_used_at), _SOURCES[row.source]


def _held(row: KeyRow) -> Iterator[str]:
    for what, words in (("models", row.models), ("upstreams", row.upstreams)):
        if words:
            yield f"  {what}: {', '.join(words)}"
    if row.limits:
        yield f"  limits: {', '.join(f'{name} {amount:g}' for name, amount in row.limits.items())}"


def _moment(seconds: float | None) -> str:
    return "-" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def _limits(given: Sequence[str]) -> dict[str, object]:
    wrong = [text for text in given if "=" not in text]
    if wrong:
        raise _refused(f'limits: "{wrong[0]}" is not of the form requests_per_minute=60')
    limits: dict[str, object] = {}
    for name, _, amount in (text.partition("=") for text in given):
        if name.strip() in limits:
            raise _refused(f"limits: {name.strip()} is given twice")
        limits[name.strip()] = Text(amount.strip())
    return limits


@contextmanager
def _opened(loaded: Loaded) -> Generator[KeyStore]:
    """Open the store for a while, which is made where there is none; raise ConfigError."""
    try:
        store = store_of(loaded)
    except KeyProblem as problem:
        raise ConfigError([loaded.problem(_ENCRYPTION_KEY, str(problem))]) from None
    with told(loaded, store):
        store.open()
        yield store


def _refused(message: str) -> ConfigError:
    return ConfigError([Problem("keys", None, message)])
