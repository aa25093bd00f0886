"""The credential store itself, for commands that must know whether it works: a pool goes on without it."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Final

import click

from gateway.adapters.keeping import store_of
from gateway.config import ConfigError, KeyPath, Loaded, Problem
from gateway.store.credentials import CredentialStore
from gateway.store.key_file import KeyFile
from gateway.store.keys import KeyStore
from gateway.store.known import StoredCredential
from gateway.store.stored import KeyProblem, StoreFailed
from gateway.upstream import CredentialView

__all__ = ["look", "see_changed", "stored", "told"]

_KEY: Final[KeyPath] = ("store", "encryption_key")


@contextmanager
def stored(loaded: Loaded) -> Generator[CredentialStore]:
    """Open the store for a while; raise ConfigError when it cannot be used."""
    store = store_of(loaded)
    with told(loaded, store):
        store.open()
        yield store


@contextmanager
def told(loaded: Loaded, store: CredentialStore | KeyStore | KeyFile) -> Generator[None]:
    """Say in a ConfigError why a store cannot be used, and close it in any case."""
    try:
        yield
    except KeyProblem as problem:
        raise ConfigError([loaded.problem(_KEY, str(problem))]) from None
    except StoreFailed as failed:
        raise ConfigError([Problem(store.place, None, str(failed))]) from None
    finally:
        store.close()


def look(loaded: Loaded, *, whole: bool = False) -> None:
    """Say it, when the store cannot be used; raise ConfigError for a key that does not fit.

    `whole`: raise ConfigError, too, when it cannot be read.
    """
    store = store_of(loaded)
    with told(loaded, store):
        try:
            _read_through(store, loaded)
        except StoreFailed as failed:
            if whole:
                _read_through(store if store.database.url else store.as_it_stands(), loaded)
            click.echo(f"warning: {store.place}: {failed}; credentials in the store may be missing", err=True)


def _read_through(store: CredentialStore, loaded: Loaded) -> None:
    """Read all that pools read, as it stands where a file cannot be written; raise StoreFailed, also for a bad row."""
    try:
        store.open()
        for upstream in loaded.config.upstream:
            store.load(upstream)
    finally:
        store.close()


def see_changed(
    loaded: Loaded, done: Sequence[CredentialView], fits: Callable[[CredentialView, StoredCredential], bool]
) -> None:
    """See that the store holds what was done; raise ConfigError."""
    with stored(loaded) as store:
        for view in done:
            row = store.read(view.upstream, view.id)
            if row is None or not fits(view, row):
                message = f"{view.id[:8]} was not changed: the store cannot be written"
                raise ConfigError([Problem(store.place, None, message)])
