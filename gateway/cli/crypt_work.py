"""The work of `gateway encrypt` and `gateway decrypt`: credentials, logins, settings and kept responses."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from gateway.adapters.keeping import store_of
from gateway.cli.credentials_store import told
from gateway.config import ConfigError, Loaded, Problem
from gateway.store import FILE, sealing
from gateway.store.credentials import CredentialStore
from gateway.store.in_use import in_use
from gateway.store.responses import ResponseStore

__all__ = ["decrypt", "encrypt", "ready"]

_KEY: Final = ("store", "encryption_key")
_GOES_ON: Final = "it would keep encrypting"


def encrypt(loaded: Loaded) -> str:
    """Encrypt everything with the newest key, and say so; raise ConfigError."""
    keys = loaded.config.store.encryption_key
    if not keys:
        raise ConfigError([loaded.problem(_KEY, "is not set: `gateway generate-key` prints a new key")])
    store = store_of(loaded)
    with told(loaded, store):
        if not _is_settled(store):
            _alone(loaded, store, "it may not know the key")
        while store.renew_some():
            pass
        with _responses(loaded):
            pass  # who opens them encrypts them
        store.database.forget()
    older = "; the older keys are no longer needed" if keys[1:] else ""
    return f"{store.place} is encrypted with the newest key{older}"


def ready(loaded: Loaded) -> str:
    """Name the store that is to be written in clear; raise ConfigError where that cannot be."""
    store = store_of(loaded)
    with told(loaded, store):
        _is_settled(store)  # before anything is touched
        _alone(loaded, store, _GOES_ON)
    return store.place


def decrypt(loaded: Loaded) -> str:
    """Write everything in clear, and say so; raise ConfigError."""
    store = store_of(loaded)
    with told(loaded, store):
        _alone(loaded, store, _GOES_ON)
        with _responses(loaded) as responses:
            responses.decrypt_all()
        store.decrypt_all()  # last: whoever opens the database with a key encrypts them
    again = "; remove store.encryption_key, or the next start encrypts it again" if store.encrypts else ""
    return f"{store.place} is now unencrypted{again}"


def _is_settled(store: CredentialStore) -> bool:
    """Tell whether those who use the store know the newest key; nothing is changed. Raise KeyProblem."""
    seen = store.as_it_stands()
    try:
        with seen.database.reading() as connection:
            return sealing.is_settled(connection, seen.database.cipher)
    finally:
        seen.close()


def _alone(loaded: Loaded, store: CredentialStore, why: str) -> None:
    if in_use(store.file, loaded.config.store.database.reveal()):
        raise ConfigError([Problem(store.place, None, f"a gateway uses it, and {why}: stop it first")])


@contextmanager
def _responses(loaded: Loaded) -> Generator[ResponseStore]:
    store, kept = loaded.config.store, loaded.config.responses
    keys = [key.reveal() for key in store.encryption_key]
    file = loaded.resolve(loaded.config.server.data_dir) / FILE
    opened = ResponseStore(file, keys, url=store.database.reveal(), keep_days=kept.keep_days, max_bytes=kept.max)
    opened.open(time.time())
    try:
        yield opened
    finally:
        opened.close()
