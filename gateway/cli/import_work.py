"""The work of `gateway import`: old files into gateway.toml, .env and the store, and what became of each setting.

old files ─► keys and accounts ─► secrets become env:NAME ─┬─ no gateway.toml yet: it is written
                                                           └─ there is one: the lines that it lacks are named
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.adapters.taking_in import ids_given, take_in
from gateway.cli.credentials_store import stored
from gateway.cli.files import Dotenv, create, target_of
from gateway.cli.import_fit import AUTH_KEYS, Fitted, fit
from gateway.cli.import_read import Old, read_old
from gateway.config import ConfigError, KeyPath, Loaded, Problem, V1InternalConfig, dotted, load, report
from gateway.config.replaced import ANTIGRAVITY, Fate, value_at
from gateway.config.writing import shown, toml_of, tree_of
from gateway.redact import MASK
from gateway.registry import names
from gateway.store.credentials import CredentialStore

__all__ = ["Report", "Row", "take_over"]

_KEY: Final = "GATEWAY_ENCRYPTION_KEY"
_CLIENT: Final[KeyPath] = (*ANTIGRAVITY, "oauth", "client_id")
_OTHER_CLIENT: Final = " with a different OAuth client: Google will reject the accounts of this one here"


class Row(Struct, frozen=True, kw_only=True):
    """An old setting: what it became, or a word on why nothing, or both."""

    old: str
    became: str = ""
    word: str = ""


class Report(Struct, frozen=True, kw_only=True):
    """What was done. `lacking`: lines for a gateway.toml that was there before; `unserved`: upstream types."""

    config: str
    files: Mapping[str, Sequence[Row]]
    wrote: Sequence[str]
    lacking: str
    unserved: Sequence[str]


def take_over(files: Sequence[str], config: str | None, encryption_key: str) -> Report:
    """Import the files; raise ConfigError with nothing written for what cannot be used."""
    target = target_of(config)
    beside = target.parent / ".env"
    env = Dotenv(beside, os.environ, sealed=any(Path(name).resolve() == beside.resolve() for name in files))
    keys = [key for key in (encryption_key, env.variables.get(_KEY, "").strip()) if key]
    olds = [old for name in files for old in read_old(Path(name), name, keys)]
    flags = {"store.encryption_key": encryption_key} if encryption_key else {}
    if not any(old.replaced.values or old.credentials for old in olds):
        raise ConfigError([Problem(old.label, None, _nothing(old)) for old in olds])
    there = target.exists()
    fitted = fit(olds, env, fresh=not there)
    theirs = load(target, environ={**os.environ, **env.new}, overrides=flags) if there else None
    upstream = _upstream(theirs)
    plain = {_in(upstream, path): value for path, value in fitted.plain.items()}
    mine = load(tree_of(plain), environ=env.variables, dotenv=False, overrides=flags)
    lacking = _lacking(plain, mine, theirs) if theirs is not None else {}
    if any(fitted.hides(value) for value in lacking.values()):
        message = "has several secrets in one variable and was not changed: give each a variable of its own"
        raise ConfigError([Problem(str(beside), None, message)])
    loaded = theirs or replace(mine, file=target.absolute(), folder=target.absolute().parent)
    with stored(loaded) if any(old.credentials for old in olds) else nullcontext() as store:
        wrote = _write(target, "" if there else _document(files, plain), env, private=fitted.clear)
        rows = {
            old.label: [*_rows(old, fitted, loaded, upstream), *_accounts(store, old, loaded, upstream)] for old in olds
        }
    besides = [*_besides(fitted, loaded, upstream)] if store is not None or fitted.made_key else []
    return Report(
        config=str(target),
        files={**rows, "besides": besides} if besides else rows,
        wrote=wrote,
        lacking=toml_of(lacking) if lacking else "",
        unserved=_unserved(mine),
    )


def _nothing(old: Old) -> str:
    unused = ", ".join(f"{fate.old} {fate.word}" for fate in old.replaced.fates)
    return f"has nothing to import: {unused}" if unused else "has nothing to import"


def _upstream(theirs: Loaded | None) -> str:
    """Name the upstream of the accounts: the one that is there."""
    upstreams = theirs.config.upstream if theirs is not None else {}
    return next((name for name, one in upstreams.items() if isinstance(one, V1InternalConfig)), ANTIGRAVITY[1])


def _in(upstream: str, path: KeyPath) -> KeyPath:
    return ("upstream", upstream, *path[2:]) if path[:2] == ANTIGRAVITY else path


def _lacking(plain: Mapping[KeyPath, object], mine: Loaded, theirs: Loaded) -> dict[KeyPath, object]:
    """Choose what the gateway.toml that is there does not say in any way."""
    return {path: value for path, value in plain.items() if not _is_in_effect(path, mine, theirs)}


def _is_in_effect(path: KeyPath, mine: Loaded, theirs: Loaded) -> bool:
    if path == AUTH_KEYS:
        return all(key in theirs.config.auth.keys for key in mine.config.auth.keys)
    return value_at(mine.config, path) == value_at(theirs.config, path)


def _document(files: Sequence[str], plain: Mapping[KeyPath, object]) -> str:
    origin = ", ".join(Path(name).name for name in files)
    return f"# From {origin}, by `gateway import`. `gateway check` shows every value in effect.\n\n{toml_of(plain)}"


def _write(target: Path, document: str, env: Dotenv, *, private: bool) -> list[str]:
    env.write()
    wrote = [f"{', '.join(env.new)} to {env.file}, {env.privacy}"] if env.new else []
    if document:
        create(target, document, 0o600 if private else 0o644)
        wrote.append(f"{target}, which has secrets and is readable only by you" if private else str(target))
    return wrote


def _unserved(loaded: Loaded) -> list[str]:
    served = names("gateway.adapters")
    return sorted({one.type for one in loaded.config.upstream.values()} - set(served))


# what is said


def _besides(fitted: Fitted, loaded: Loaded, upstream: str) -> Iterator[Row]:
    """Say what no file says, and is needed."""
    if fitted.made_key:
        yield Row(old="auth.keys", word=fitted.made_key)
    config = loaded.config.upstream.get(upstream)
    if isinstance(config, V1InternalConfig) and not config.oauth.client_id:
        word = "not given: put the client of the accounts into .env, as OAUTH_CLIENT_ID and OAUTH_CLIENT_SECRET"
        yield Row(old=f"upstream.{upstream}.oauth", word=word)


def _accounts(store: CredentialStore | None, old: Old, loaded: Loaded, upstream: str) -> Iterator[Row]:
    if store is None:
        return
    config = loaded.config.upstream.get(upstream)
    given = ids_given(config) if config is not None else frozenset[str]()
    for fate in take_in(store, upstream, old.credentials, configured=given, by_hand=True):
        yield Row(old=fate.old, word=fate.word)


def _rows(old: Old, fitted: Fitted, loaded: Loaded, upstream: str) -> Iterator[Row]:
    idle = {row.key: row.reason for row in report(loaded) if row.reason}
    for fate in old.replaced.fates:
        if not fate.paths:
            yield Row(old=fate.old, word=fitted.stayed.get((old.label, fate.old), fate.word))
        for path in fate.paths:
            yield _row(fate, old, path, fitted, idle, upstream)


def _row(fate: Fate, old: Old, path: KeyPath, fitted: Fitted, idle: Mapping[str, str], upstream: str) -> Row:
    said = fitted.said[old.label, path]
    if str(said) in fitted.dropped:
        return Row(old=fate.old, word=fitted.dropped[str(said)])
    key = AUTH_KEYS if path[:2] == AUTH_KEYS else path
    if key == path and fitted.plain[path] != said:
        word = _OTHER_CLIENT if path == _CLIENT and old.credentials else ""
        return Row(old=fate.old, word=f"a later file overrides it{word}")
    name = dotted(_in(upstream, key))
    value = MASK if fitted.hides(said) else shown([said] if key == AUTH_KEYS else said)
    reason = idle.get(name, "")
    return Row(old=fate.old, became=f"{name} = {value}", word=f"not in effect: {reason}" if reason else fate.word)
