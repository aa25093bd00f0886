"""Begin with what an earlier run has learnt: the credential store of one upstream."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from gateway.adapters.credential import Credential
from gateway.config import ConfigError, Loaded
from gateway.store.credentials import CredentialStore, KeyProblem, StoredModels
from gateway.store.keeper import Keeper

__all__ = ["Kept", "restore"]

_FILE: Final = "gateway.db"


class Kept(Struct, frozen=True):
    """The way to the store, and the model list of an earlier run."""

    keeper: Keeper
    fetched: StoredModels | None


def restore(name: str, loaded: Loaded, credentials: Mapping[str, Credential], logger: FilteringBoundLogger) -> Kept:
    """Tell the credentials, by id, what is known of them; raise ConfigError for a store that cannot be opened."""
    keys = [key.reveal() for key in loaded.config.store.encryption_key]
    try:
        keeper = Keeper(CredentialStore(loaded.resolve(loaded.config.server.data_dir) / _FILE, keys), name, logger)
        rows, fetched = keeper.load()
    except KeyProblem as problem:
        path = ("store", "encryption_key")
        raise ConfigError([loaded.problem(path, str(problem))]) from None
    for known in credentials.keys() & rows.keys():
        credentials[known].restore(rows[known])
    return Kept(keeper, fetched)
