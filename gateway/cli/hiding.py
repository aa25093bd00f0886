"""Mask what is secret in what a command says, whatever its shape: keys, tokens, and what a server repeats of them."""

from collections.abc import Callable, Iterator

from gateway.adapters.keeping import store_of
from gateway.config import ConfigError, Loaded, secrets_of
from gateway.redact import Hider
from gateway.store.stored import KeyProblem, StoreFailed

__all__ = ["hider"]


def hider(loaded: Loaded) -> Callable[[str], str]:
    """Make what masks the secrets of a configuration and of its store, and all that looks like a credential."""
    return Hider([*secrets_of(loaded.config), *_tokens(loaded)])


def _tokens(loaded: Loaded) -> Iterator[str]:
    """Give the tokens of the store, as far as it can be read."""
    try:
        seen = store_of(loaded).as_it_stands()
        for name in loaded.config.upstream:
            for row in seen.load(name).values():
                yield from (token for token in (row.refresh_token, row.access_token) if token)
        seen.close()
    except (ConfigError, KeyProblem, StoreFailed):
        return
