"""Gather an upstream's credentials at start: from gateway.toml, from a file that it names, and from the store."""

import asyncio
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from gateway.adapters.account import Account
from gateway.adapters.credential_files import Imported, ImportedCredential, read_credentials
from gateway.adapters.keeping import Kept, reopen
from gateway.adapters.pool import Pool
from gateway.clock import Clock
from gateway.config import ConfigError, Loaded, OAuthConfig, V1InternalConfig
from gateway.redact import Secret

__all__ = ["set_up"]


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
    given = [
        *(ImportedCredential(refresh_token=token.reveal()) for token in config.pool.refresh_tokens),
        *imported.credentials,
    ]
    kept = reopen(name, loaded, logger)
    stored = [
        ImportedCredential(refresh_token=one.refresh_token, email=one.email, project_id=one.project_id)
        for one in kept.accounts
    ]
    projects = config.pool.project_ids
    accounts = {account.id: account for account in _accounts(given, projects, clock, tasks)}
    for account in _accounts(stored, projects, clock, tasks):
        accounts.setdefault(account.id, account)
    kept.tell(accounts)
    pool = Pool(
        name,
        list(accounts.values()),
        config=config.pool,
        oauth=_oauth(config.oauth, imported),
        clock=clock,
        keeper=kept.keeper,
        logger=logger,
    )
    return pool, kept


def _imported(name: str, config: V1InternalConfig, loaded: Loaded) -> Imported:
    if not config.pool.import_:
        return Imported(credentials=())
    file = loaded.resolve(config.pool.import_)
    try:
        return read_credentials(file.read_bytes())
    except OSError as error:
        reason = f"{file} cannot be read: {error.strerror}"
    except ValueError as error:
        reason = f"{file}: {error}"
    raise ConfigError([loaded.problem(("upstream", name, "pool", "import"), reason)])


def _accounts(
    given: Iterable[ImportedCredential], project_ids: dict[str, str], clock: Clock, tasks: set[asyncio.Task[Any]]
) -> Iterable[Account]:
    for entry in given:
        email = entry.email or ""
        project = entry.project_id or project_ids.get(email, "")
        account = Account(Secret(entry.refresh_token), clock, tasks, email=email, project=project)
        if entry.enabled is False:
            account.disable(entry.disabled_reason or "not enabled in the imported file", lasting=False)
        yield account


def _oauth(configured: OAuthConfig, imported: Imported) -> OAuthConfig:
    """Fill in from the imported file what the configuration leaves empty; a client stays with its own secret."""
    same = configured.client_id in ("", imported.client_id)
    return replace(
        configured,
        client_id=configured.client_id or imported.client_id,
        client_secret=configured.client_secret or Secret(imported.client_secret if same else ""),
        token_url=configured.token_url or imported.token_url,
    )
