"""Begin with what an earlier run has learnt: the credential store of one upstream."""

from collections.abc import Mapping

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from gateway.clock import Clock
from gateway.config import ConfigError, Loaded
from gateway.store import FILE
from gateway.store.credentials import CredentialStore, KeyProblem, StoredCredential, StoredModels
from gateway.store.keeper import Keeper

__all__ = ["Kept", "reopen", "store_of"]


class Kept(Struct, frozen=True):
    """The way to the store, and what an earlier run, a login or an import left there; `rows` by id."""

    keeper: Keeper
    fetched: StoredModels | None
    rows: Mapping[str, StoredCredential]


def reopen(name: str, loaded: Loaded, logger: FilteringBoundLogger, clock: Clock | None = None) -> Kept:
    """Read what is known of an upstream; raise ConfigError for a key that does not fit."""
    keeper = Keeper(store_of(loaded), name, logger, clock, redis=loaded.config.store.redis.reveal())
    try:
        rows, fetched = keeper.load()
    except KeyProblem as problem:
        raise _refused(loaded, problem) from None
    return Kept(keeper, fetched, rows)


def store_of(loaded: Loaded) -> CredentialStore:
    """Give the store of a configuration, not opened yet; raise ConfigError for a key that is none."""
    store = loaded.config.store
    keys = [key.reveal() for key in store.encryption_key]
    file = loaded.resolve(loaded.config.server.data_dir) / FILE
    try:
        return CredentialStore(file, keys, url=store.database.reveal(), read_only=loaded.read_only)
    except KeyProblem as problem:
        raise _refused(loaded, problem) from None


def _refused(loaded: Loaded, problem: KeyProblem) -> ConfigError:
    return ConfigError([loaded.problem(("store", "encryption_key"), str(problem))])
