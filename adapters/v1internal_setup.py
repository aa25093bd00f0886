"""Gather an upstream's accounts at start: from gateway.toml, from a file that it names, and from the store.

pool.refresh_tokens ──────────────────────────────────┐
pool.import ─► what is new of it goes into the store ─┴─► accounts ─► pool ◄── those that come while it runs
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from gateway.adapters.account import Account
from gateway.adapters.credential import credential_id
from gateway.adapters.credential_files import Imported, load_credentials
from gateway.adapters.google_oauth import refresh
from gateway.adapters.keeping import Kept, reopen, store_of
from gateway.adapters.pool import Pool
from gateway.adapters.taking_in import ids_given, take_in
from gateway.adapters.v1internal_projects import projects_by_email
from gateway.clock import Clock
from gateway.config import ConfigError, Loaded, OAuthConfig, V1InternalConfig
from gateway.redact import Secret
from gateway.store.known import StoredCredential
from gateway.store.stored import StoreFailed

__all__ = ["set_up"]


class _Rows:
    """The store as it will be: what is taken in is there, whether it can be written or not."""

    def __init__(self, rows: Mapping[str, StoredCredential]) -> None:
        self.rows = dict(rows)

    def load(self, upstream: str) -> Mapping[str, StoredCredential]:
        """Give the rows."""
        return self.rows

    def add(self, upstream: str, row: StoredCredential, *, instead_of: str = "") -> StoredCredential:
        """Note a row."""
        self.rows.pop(instead_of, None)
        self.rows[row.id] = row
        return row


def set_up(
    name: str,
    config: V1InternalConfig,
    loaded: Loaded,
    clock: Clock,
    logger: FilteringBoundLogger,
    tasks: set[asyncio.Task[Any]],
) -> tuple[Pool[Account], Kept]:
    """Read what there is; raise ConfigError for a file or a key that cannot be used."""
    imported = _imported(name, config, loaded)
    for entry, why in imported.others.items():
        logger.warning("not taken from pool.import", upstream=name, entry=entry, reason=f"it {why}")
    kept = reopen(name, loaded, logger, clock)
    rows = _taken_in(name, config, loaded, imported, kept.rows)
    make = partial(_account, clock=clock, tasks=tasks)
    projects = _projects(config, imported)
    given = [_given(token, rows) for token in config.pool.refresh_tokens]
    ids = {row.id for row in given}
    others = [row for row in rows.values() if row.source != "config" and not row.removed and row.id not in ids]
    pool = Pool(
        name,
        [
            *(make(row, project=projects.get(row.id, "")) for row in given),
            *map(make, sorted(others, key=lambda row: row.added_at)),
        ],
        config=config.pool,
        oauth=_oauth(config.oauth, imported),
        clock=clock,
        keeper=kept.keeper,
        logger=logger,
        admit=make,
        renew=refresh,
    )
    return pool, kept


def _imported(name: str, config: V1InternalConfig, loaded: Loaded) -> Imported:
    if not config.pool.import_:
        return Imported(credentials=())
    file = loaded.resolve(config.pool.import_)
    keys = [key.reveal() for key in loaded.config.store.encryption_key]
    try:
        return load_credentials(file, keys, empty=True)
    except OSError as error:
        reason = f"{file} cannot be read: {error.strerror}"
    except ValueError as error:
        reason = f"{file}: {error}"
    raise ConfigError([loaded.problem(("upstream", name, "pool", "import"), reason)])


def _taken_in(
    name: str,
    config: V1InternalConfig,
    loaded: Loaded,
    imported: Imported,
    known: Mapping[str, StoredCredential],
) -> Mapping[str, StoredCredential]:
    """Give the rows with what is new in the file; it is written, unless nothing may or can be."""
    memory, configured = _Rows(known), ids_given(config)
    take_in(memory, name, imported.credentials, configured=configured)
    if memory.rows == known or loaded.read_only:
        return memory.rows
    store = store_of(loaded)
    try:
        store.open()
        take_in(store, name, imported.credentials, configured=configured)
    except StoreFailed:
        pass  # the keeper has told of it, and writes what is learnt once it works again
    finally:
        store.close()
    return memory.rows


def _given(token: Secret, rows: Mapping[str, StoredCredential]) -> StoredCredential:
    """Give what is known of an account of gateway.toml; that it was removed once says no more."""
    id_ = credential_id(token)
    row = rows.get(id_)
    row = StoredCredential(id=id_) if row is None or row.removed else replace(row, source="config")
    return row if row.refresh_token else replace(row, refresh_token=token.reveal())


def _projects(config: V1InternalConfig, imported: Imported) -> Mapping[str, str]:
    """Give what the file says of accounts that gateway.toml gives, too, by their ids."""
    mapped = projects_by_email(config.pool)
    return {
        credential_id(Secret(one.refresh_token)): one.project_id or mapped.get((one.email or "").casefold(), "")
        for one in imported.credentials
    }


def _account(row: StoredCredential, clock: Clock, tasks: set[asyncio.Task[Any]], *, project: str = "") -> Account:
    return Account(Secret(row.refresh_token), clock, tasks, row, project=project)


def _oauth(configured: OAuthConfig, imported: Imported) -> OAuthConfig:
    """Fill in from the imported file what the configuration leaves empty; a client stays with its own secret."""
    same = configured.client_id in ("", imported.client_id)
    return replace(
        configured,
        client_id=configured.client_id or imported.client_id,
        client_secret=configured.client_secret or Secret(imported.client_secret if same else ""),
        token_url=configured.token_url or imported.token_url,
    )
