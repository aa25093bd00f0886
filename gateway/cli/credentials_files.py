"""`gateway credentials import` and `export`: accounts between the store and a credentials file."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.adapters.credential import credential_id
from gateway.adapters.credential_files import Imported, ImportedCredential, load_credentials, write_credentials
from gateway.adapters.google_oauth import GOOGLE_TOKEN_URL
from gateway.adapters.taking_in import ids_given, take_in
from gateway.cli.credentials_store import stored
from gateway.cli.credentials_work import opened
from gateway.cli.hiding import hider
from gateway.config import ConfigError, Loaded, Problem, V1InternalConfig
from gateway.config.replaced import Fate
from gateway.redact import MASK
from gateway.store.known import StoredCredential

__all__ = ["Taken", "export", "import_"]

_OTHER: Final = msgspec.json.Decoder(dict[str, Any])


class Taken(Struct, frozen=True, kw_only=True):
    """What became of the accounts of a file. `others`: what was not taken, with why. `notes`: what to know besides."""

    upstream: str
    fates: Sequence[Fate]
    others: Mapping[str, str]
    notes: Sequence[str]


def import_(loaded: Loaded, upstream: str | None, file: Path) -> Taken:
    """Take the accounts of a file into the store; raise ConfigError."""
    name, config = _accounts_of(loaded, upstream)
    imported = _read(file, loaded)
    with stored(loaded) as store:
        fates = take_in(store, name, imported.credentials, configured=ids_given(config), by_hand=True)
    return Taken(upstream=name, fates=fates, others=imported.others, notes=[*_notes(name, config, imported)])


def export(loaded: Loaded, upstream: str | None, secrets: bool) -> bytes:
    """Write the accounts of an upstream as a tokens.json; raise ConfigError. Without `secrets` they are masked."""
    name, config = _accounts_of(loaded, upstream)
    asyncio.run(_settle(loaded, name))
    with stored(loaded) as store:
        accounts = [_account(row) for row in _in_use(config, store.load(name))]
    client = _client(loaded, config)
    return write_credentials(
        Imported(
            credentials=tuple(accounts if secrets else _masked(accounts, hider(loaded))),
            client_id=client.client_id,
            client_secret=client.client_secret if secrets else MASK,
            token_url=client.token_url or GOOGLE_TOKEN_URL,
        )
    )


async def _settle(loaded: Loaded, upstream: str) -> None:
    """Let the upstream take in the file that pool.import names, as at a start."""
    async with opened(loaded, upstream):
        return


def _accounts_of(loaded: Loaded, upstream: str | None) -> tuple[str, V1InternalConfig]:
    """Find the upstream whose credentials are accounts; raise ConfigError."""
    found = {name: one for name, one in loaded.config.upstream.items() if isinstance(one, V1InternalConfig)}
    if upstream is None and len(found) == 1:
        return next(iter(found.items()))
    if upstream in found:
        return upstream, found[upstream]
    if upstream is not None:
        message = f"{upstream} is not an upstream with accounts"
    else:
        message = "say which one" if found else "no upstream has accounts: add one of type v1internal"
    known = f"; there are {', '.join(found)}" if found else ""
    raise ConfigError([Problem("--upstream", None, message + known)])


def _read(file: Path, loaded: Loaded) -> Imported:
    try:
        return load_credentials(file, [key.reveal() for key in loaded.config.store.encryption_key])
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except ValueError as error:
        reason = str(error)
    raise ConfigError([Problem(str(file), None, reason)])


def _notes(name: str, config: V1InternalConfig, imported: Imported) -> Iterator[str]:
    if not config.oauth.client_id:
        yield (
            f"warning: upstream.{name}.oauth has no client: put the one that the accounts logged in with into .env, "
            "as OAUTH_CLIENT_ID and OAUTH_CLIENT_SECRET"
        )
    for one in imported.credentials:
        theirs = one.client_id or imported.client_id
        if theirs and config.oauth.client_id and theirs != config.oauth.client_id:
            yield f"warning: {one.place or 'the account'} has a different OAuth client than upstream.{name}.oauth"


# what is exported


def _in_use(config: V1InternalConfig, rows: Mapping[str, StoredCredential]) -> Iterator[StoredCredential]:
    """Give every account with the token that holds now: of gateway.toml, then of the store."""
    configured = {credential_id(token): token.reveal() for token in config.pool.refresh_tokens}
    for id_, token in configured.items():
        row = rows.get(id_)
        if row is None or row.removed:
            row = StoredCredential(id=id_)
        yield replace(row, refresh_token=row.refresh_token or token)
    kept = [row for id_, row in rows.items() if id_ not in configured and row.source != "config" and not row.removed]
    yield from sorted(kept, key=lambda row: row.added_at)


def _client(loaded: Loaded, config: V1InternalConfig) -> Imported:
    """Find the OAuth client: the configured one, else that of the file that pool.import names."""
    oauth = config.oauth
    if not oauth.client_id and config.pool.import_:
        return _read(loaded.resolve(config.pool.import_), loaded)
    return Imported(
        credentials=(),
        client_id=oauth.client_id,
        client_secret=oauth.client_secret.reveal(),
        token_url=oauth.token_url,
    )


def _account(row: StoredCredential) -> ImportedCredential:
    off = row.state == "disabled"
    return ImportedCredential(
        refresh_token=row.refresh_token,
        project_id=row.project_id,
        email=row.email,
        enabled=not off,
        disabled_reason=row.reason if off else None,
        other=_OTHER.decode(row.other),
    )


def _masked(accounts: Iterable[ImportedCredential], hide: Callable[[str], str]) -> Iterator[ImportedCredential]:
    """Hide the tokens, and what nobody knows not to be a secret."""
    for one in accounts:
        yield replace(
            one,
            refresh_token=MASK,
            disabled_reason=one.disabled_reason and hide(one.disabled_reason),
            other={name: _hidden(value) for name, value in one.other.items()},
        )


def _hidden(value: object) -> object:
    if isinstance(value, dict):
        return {name: _hidden(inner) for name, inner in cast(dict[str, object], value).items()}
    if isinstance(value, list):
        return [_hidden(inner) for inner in cast(list[object], value)]
    return MASK if isinstance(value, str) else value
