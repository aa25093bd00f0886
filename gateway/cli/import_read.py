"""Read the files of the replaced systems: settings and accounts, JSON, .env or Fernet-encrypted. Nothing is written."""

import re
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.adapters.credential_files import (
    SHORT_LIVED,
    Imported,
    ImportedCredential,
    decrypted,
    file_of,
    read_credentials,
)
from gateway.adapters.google_oauth import GOOGLE_TOKEN_URL
from gateway.config import ConfigError, KeyPath, Problem, Secret
from gateway.config.problems import may_be_file
from gateway.config.replaced import ANTIGRAVITY, Fate, Replaced, read_dotenv, read_settings
from gateway.config.sources import Tree, as_list, as_tree
from gateway.config.variables import parse_dotenv

__all__ = ["Old", "read_old"]

_CLIENT_PATHS: Final[tuple[KeyPath, ...]] = tuple(
    (*ANTIGRAVITY, "oauth", name) for name in ("client_id", "client_secret", "token_url")
)


class Old(Struct, frozen=True, kw_only=True):
    """What one file gives."""

    label: str
    replaced: Replaced
    credentials: tuple[ImportedCredential, ...] = ()


def read_old(file: Path, label: str, keys: Sequence[str]) -> list[Old]:
    """Read a file and those that it names; `keys` open an encrypted one. Raise ConfigError."""
    text = _decrypted(_text(file, label), label, keys)
    if text.lstrip()[:1] not in ("{", "["):
        return [Old(label=label, replaced=_variables(text, label))]
    try:
        content: Any = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise _bad(label, f"is not JSON: {error}") from None
    table = as_tree(content)
    if table is None or _is_accounts(table):
        return [_accounts(text, label)]
    return list(_settings(file, text, table, label, keys))


def _text(file: Path, label: str) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _bad(label, f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise _bad(label, "cannot be read: it is not UTF-8 text") from None


def _decrypted(text: str, label: str, keys: Sequence[str]) -> str:
    try:
        return decrypted(text.encode(), keys).decode()
    except ValueError as error:
        raise _bad(label, str(error)) from None


def _variables(text: str, label: str) -> Replaced:
    variables = parse_dotenv(StringIO(text), label)
    if not variables:
        raise _bad(label, "is not a config.json, tokens.json or .env")
    return read_dotenv(variables, label)


# JSON


def _is_accounts(table: Tree) -> bool:
    """Tell accounts, one or a map by e-mail, from settings."""
    entries = [as_tree(value) for value in table.values()]
    if "refresh_token" in table or as_list(table.get("accounts")) is not None:
        return True
    return any(entry is not None and "refresh_token" in entry for entry in entries)


def _accounts(text: str, label: str) -> Old:
    imported = _read(text, label)
    values: dict[KeyPath, object] = {path: given for path, given in _client(imported) if given}
    fates = [Fate(old=str(path[-1]), paths=(path,)) for path in values]
    return Old(
        label=label,
        replaced=_without_default(Replaced(values, (*fates, *_beside(imported)))),
        credentials=imported.credentials,
    )


def _client(imported: Imported) -> Iterator[tuple[KeyPath, object]]:
    given = (imported.client_id, Secret(imported.client_secret), imported.token_url)
    return zip(_CLIENT_PATHS, given, strict=True)


def _settings(file: Path, text: str, table: Tree, label: str, keys: Sequence[str]) -> Iterator[Old]:
    """Read settings, the accounts among them, and the file that holds the others."""
    replaced = read_settings(table, label)
    imported = _read(text, label) if table.get("projects") else Imported(credentials=())
    fates = [*_beside(imported)]
    if as_list(table.get("projects")) == []:
        fates.append(Fate(old="projects", word="is empty"))
    named = file_of(table, file.parent)
    beside = file.parent / named if named else None
    if table.get("credentials_file") is not None:
        fates.append(Fate(old="credentials_file", word=_said_of(beside)))
    yield Old(
        label=label,
        replaced=_without_default(Replaced(replaced.values, (*replaced.fates, *fates))),
        credentials=(*imported.credentials, *_single(table, label)),
    )
    if beside is not None and may_be_file(beside):
        yield from read_old(beside, named, keys)


def _said_of(file: Path | None) -> str:
    if file is None:
        return "names no file"
    return "its accounts follow" if may_be_file(file) else f"{file} does not exist, so there are no accounts from it"


def _single(table: Tree, label: str) -> tuple[ImportedCredential, ...]:
    token, project = table.get("antigravity_refresh_token"), table.get("antigravity_project_id")
    if not token:
        return ()
    if not isinstance(token, str) or not isinstance(project, str | None):
        raise _bad(label, "antigravity_refresh_token and antigravity_project_id are strings")
    return (ImportedCredential(refresh_token=token, project_id=project, place="antigravity_refresh_token"),)


def _beside(imported: Imported) -> Iterable[Fate]:
    """Say what becomes of the accounts' other fields, and why an entry is no account."""
    yield from (Fate(old=name, word=f"not imported: it {why}") for name, why in imported.others.items())
    fields = dict.fromkeys((_field(one.place, name), name) for one in imported.credentials for name in one.other)
    for old, name in fields:
        if name in SHORT_LIVED:
            yield Fate(old=old, word="not needed: the gateway gets its own access tokens")
        else:
            yield Fate(old=old, word="stored with its account; nothing reads it")
    for one in imported.credentials:
        if one.client_id and one.client_id != imported.client_id:
            yield Fate(old=one.place, word="has a different OAuth client than the first: Google will reject it here")


def _field(place: str, name: str) -> str:
    table = re.sub(r"\[\d+\]$", "[]", place)
    return f"{table if table.endswith('[]') else '*'}.{name}" if place else name


def _without_default(replaced: Replaced) -> Replaced:
    """Leave out the token address when it is Google's, which holds anyhow."""
    path = _CLIENT_PATHS[-1]
    if replaced.values.get(path) != GOOGLE_TOKEN_URL:
        return replaced
    values = {known: value for known, value in replaced.values.items() if known != path}
    fates = tuple(
        Fate(old=fate.old, word="Google's own, the default") if fate.paths == (path,) else fate
        for fate in replaced.fates
    )
    return Replaced(values, fates, replaced.names)


def _read(text: str, label: str) -> Imported:
    try:
        return read_credentials(text.encode())
    except ValueError as error:
        raise _bad(label, str(error)) from None


def _bad(label: str, message: str) -> ConfigError:
    return ConfigError([Problem(label, None, message)])
