"""Gather an upstream's credentials at start: from gateway.toml, from an imported file, and what the store knows."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from gateway.adapters.credential import Credential
from gateway.adapters.credential_files import Imported, ImportedCredential, read_credentials
from gateway.adapters.pool import Pool
from gateway.clock import Clock
from gateway.config import ConfigError, KeyPath, Loaded, OAuthConfig, Problem, V1InternalConfig
from gateway.redact import Secret
from gateway.store.credentials import CredentialStore, KeyProblem, StoredModels
from gateway.store.keeper import Keeper

__all__ = ["Setup", "set_up"]

_FILE: Final = "gateway.db"


class Setup(Struct, frozen=True):
    """What an upstream begins with. `fetched`: the model list of an earlier run."""

    pool: Pool
    keeper: Keeper
    fetched: StoredModels | None


def set_up(
    name: str,
    config: V1InternalConfig,
    loaded: Loaded,
    clock: Clock,
    logger: FilteringBoundLogger,
    tasks: set[asyncio.Task[Any]],
) -> Setup:
    """Read what there is; raise ConfigError for a file or a key that cannot be used."""
    imported = _imported(name, config, loaded)
    given = [
        *(ImportedCredential(refresh_token=token.reveal()) for token in config.pool.refresh_tokens),
        *imported.credentials,
    ]
    credentials = {
        credential.id: credential for credential in _credentials(given, config.pool.project_ids, clock, tasks)
    }
    keeper = Keeper(_store(loaded), name, logger)
    try:
        rows, fetched = keeper.load()
    except KeyProblem as problem:
        raise ConfigError([_problem(loaded, ("store", "encryption_key"), str(problem))]) from None
    for known in credentials.keys() & rows.keys():
        credentials[known].restore(rows[known])
    pool = Pool(
        name,
        list(credentials.values()),
        config=config.pool,
        oauth=_oauth(config.oauth, imported),
        clock=clock,
        keeper=keeper,
        logger=logger,
    )
    return Setup(pool, keeper, fetched)


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
    raise ConfigError([_problem(loaded, ("upstream", name, "pool", "import"), reason)])


def _credentials(
    given: Iterable[ImportedCredential], project_ids: dict[str, str], clock: Clock, tasks: set[asyncio.Task[Any]]
) -> Iterable[Credential]:
    for entry in given:
        email = entry.email or ""
        project = entry.project_id or project_ids.get(email, "")
        credential = Credential(Secret(entry.refresh_token), clock, tasks, email=email, project=project)
        if entry.enabled is False:
            credential.disable(entry.disabled_reason or "not enabled in the imported file", lasting=False)
        yield credential


def _oauth(configured: OAuthConfig, imported: Imported) -> OAuthConfig:
    """Fill in from the imported file what the configuration leaves empty; a client stays with its own secret."""
    same = configured.client_id in ("", imported.client_id)
    return replace(
        configured,
        client_id=configured.client_id or imported.client_id,
        client_secret=configured.client_secret or Secret(imported.client_secret if same else ""),
        token_url=configured.token_url or imported.token_url,
    )


def _store(loaded: Loaded) -> CredentialStore:
    keys = [key.reveal() for key in loaded.config.store.encryption_key]
    try:
        return CredentialStore(loaded.resolve(loaded.config.server.data_dir) / _FILE, keys)
    except KeyProblem as problem:
        raise ConfigError([_problem(loaded, ("store", "encryption_key"), str(problem))]) from None


def _problem(loaded: Loaded, path: KeyPath, message: str) -> Problem:
    source = loaded.source(path)
    return Problem(source.name or "configuration", source.line, f"{'.'.join(map(str, path))}: {message}")
