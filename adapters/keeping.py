"""Begin with what an earlier run has learnt: the credential store of one upstream."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from gateway.adapters.credential import Credential
from gateway.config import ConfigError, Loaded
from gateway.store import FILE
from gateway.store.credentials import CredentialStore, KeyProblem, StoredAccount, StoredCredential, StoredModels
from gateway.store.keeper import Keeper

__all__ = ["Kept", "reopen", "restore", "store_of"]


class Kept(Struct, frozen=True):
    """The way to the store, and what an earlier run or an import left there."""

    keeper: Keeper
    fetched: StoredModels | None
    accounts: Sequence[StoredAccount]
    rows: Mapping[str, StoredCredential]

    def tell(self, credentials: Mapping[str, Credential]) -> None:
        """Tell the credentials, by id, what is known of them."""
        for known in credentials.keys() & self.rows.keys():
            credentials[known].restore(self.rows[known])


def restore(name: str, loaded: Loaded, credentials: Mapping[str, Credential], logger: FilteringBoundLogger) -> Kept:
    """Tell the credentials, by id, what is known of them; raise ConfigError for a store that cannot be opened."""
    kept = reopen(name, loaded, logger)
    kept.tell(credentials)
    return kept


def reopen(name: str, loaded: Loaded, logger: FilteringBoundLogger) -> Kept:
    """Read what is known of an upstream; raise ConfigError for a store that cannot be opened."""
    keeper = Keeper(store_of(loaded), name, logger)
    try:
        rows, fetched = keeper.load()
        return Kept(keeper, fetched, keeper.accounts(), rows)
    except KeyProblem as problem:
        raise _refused(loaded, problem) from None


def store_of(loaded: Loaded) -> CredentialStore:
    """Give the store of a configuration, not opened yet; raise ConfigError for a key that is none."""
    keys = [key.reveal() for key in loaded.config.store.encryption_key]
    file = loaded.resolve(loaded.config.server.data_dir) / FILE
    try:
        return CredentialStore(file, keys, read_only=loaded.read_only)
    except KeyProblem as problem:
        raise _refused(loaded, problem) from None


def _refused(loaded: Loaded, problem: KeyProblem) -> ConfigError:
    return ConfigError([loaded.problem(("store", "encryption_key"), str(problem))])
