"""The work of `gateway credentials`, through the pools of the configured upstreams, as a running gateway does it."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import click
from msgspec.structs import replace

from gateway.adapters.taking_in import NOT_ENABLED
from gateway.cli.credentials_store import look, see_changed
from gateway.cli.options import quiet
from gateway.clock import System
from gateway.config import ConfigError, Loaded, Problem
from gateway.fit import check as check_config
from gateway.parts import adapters_of
from gateway.store.known import StoredCredential
from gateway.store.stored import StoreFailed
from gateway.transport import Transport
from gateway.upstream import BY_HAND, CredentialView, Pooling

__all__ = ["asked", "check", "disable", "enable", "is_off", "is_paused", "opened", "remove", "serves", "views"]

_WAIT_S: Final = 60.0
_SERVING: Final = frozenset({"active", "cooling"})
_SILENT: Final = f"no response within {_WAIT_S:.0f} s"

_Act = Callable[[Pooling, CredentialView], Awaitable[CredentialView]]


def views(loaded: Loaded, upstream: str | None, *, whole: bool) -> Sequence[CredentialView]:
    """Show what is known of the credentials; raise ConfigError, `whole`: also for a store that cannot be read."""

    async def read() -> Sequence[CredentialView]:
        async with opened(loaded, upstream, whole=whole) as pools:
            return _all(pools)

    return asyncio.run(read())


def check(loaded: Loaded, upstream: str | None, ids: Sequence[str]) -> Sequence[CredentialView]:
    """Ask the upstreams about these credentials, () = about all; raise ConfigError."""

    async def ask() -> Sequence[CredentialView]:
        async with opened(loaded, upstream, started=True) as pools:
            return await asked(pools, _chosen(pools, ids) if ids else _all(pools))

    return asyncio.run(ask())


def enable(loaded: Loaded, upstream: str | None, ids: Sequence[str]) -> Sequence[CredentialView]:
    """Take credentials into use; raise ConfigError."""
    done = asyncio.run(_each(loaded, upstream, ids, lambda pool, view: pool.enable(view.id)))
    see_changed(loaded, done, _same_use)
    return done


def disable(loaded: Loaded, upstream: str | None, ids: Sequence[str]) -> Sequence[CredentialView]:
    """Take credentials out of use; raise ConfigError."""
    done = asyncio.run(_each(loaded, upstream, ids, lambda pool, view: pool.disable(view.id, BY_HAND)))
    see_changed(loaded, done, _same_use)
    return done


def remove(loaded: Loaded, upstream: str | None, ids: Sequence[str]) -> Sequence[CredentialView]:
    """Forget credentials; raise ConfigError, also for one that gateway.toml gives."""

    async def forget(pool: Pooling, view: CredentialView) -> CredentialView:
        try:
            await pool.remove(view.id)
        except ValueError as error:
            raise ConfigError([Problem(view.id[:8], None, str(error))]) from None
        except StoreFailed as failed:
            raise ConfigError([Problem(view.id[:8], None, f"was not removed: {failed}")]) from None
        return view

    done = asyncio.run(_each(loaded, upstream, ids, forget))
    see_changed(loaded, done, _gone)
    return done


def serves(view: CredentialView) -> bool:
    """Tell whether a credential that was asked has passed: it can serve, now or when it has cooled down.

    One that rests for a reason, and not for a model, got no answer to what it needs first.
    """
    return view.state in _SERVING and not is_paused(view) and view.last_error != _SILENT


def is_off(view: CredentialView) -> bool:
    """Tell whether an operator took a credential out of use, here or in the file that it came from."""
    return not view.enabled and view.reason in (BY_HAND, NOT_ENABLED)


def is_paused(view: CredentialView) -> bool:
    """Tell whether a credential rests for every model, as it has no access token or no project."""
    return view.state == "cooling" and bool(view.reason)


@asynccontextmanager
async def opened(
    loaded: Loaded, upstream: str | None, *, started: bool = False, whole: bool = False
) -> AsyncGenerator[Mapping[str, Pooling]]:
    """Make the pools, of one upstream or of all; what they have learnt is written at the end. Raise ConfigError.

    `started`: they may ask the network; `whole`: it is an error when the store cannot be read.
    """
    check_config(loaded)
    look(loaded, whole=whole)
    made = adapters_of(quiet(loaded), System())
    pools = {name: adapter for name, adapter in made.items() if isinstance(adapter, Pooling)}
    if upstream is not None and upstream not in pools:
        raise _unknown(loaded, upstream, pools)
    pools = {name: pool for name, pool in pools.items() if upstream in (None, name)}
    transport = Transport(connect_s=loaded.config.timeouts.connect)
    try:
        if started:
            for pool in pools.values():
                await pool.start(transport)
        yield pools
    finally:
        for pool in pools.values():
            await pool.stop()
        await transport.close()


async def asked(pools: Mapping[str, Pooling], of: Sequence[CredentialView]) -> Sequence[CredentialView]:
    """Ask the upstreams about credentials, all at once; a terminal sees whom."""
    if of and sys.stderr.isatty():
        click.echo(
            f"checking {', '.join(dict.fromkeys(view.upstream for view in of))}, {len(of)} credentials …", err=True
        )
    return await asyncio.gather(*(_asked(pools[view.upstream], view) for view in of))


async def _asked(pool: Pooling, view: CredentialView) -> CredentialView:
    try:
        async with asyncio.timeout(_WAIT_S):
            return await pool.check(view.id)
    except TimeoutError:
        return replace(view, last_error=_SILENT)


async def _each(loaded: Loaded, upstream: str | None, ids: Sequence[str], act: _Act) -> Sequence[CredentialView]:
    async with opened(loaded, upstream) as pools:
        chosen = _chosen(pools, ids)
        return [await act(pools[view.upstream], view) for view in chosen]


def _same_use(view: CredentialView, row: StoredCredential) -> bool:
    return view.enabled == (row.state != "disabled")


def _gone(_: CredentialView, row: StoredCredential) -> bool:
    return row.removed


def _all(pools: Mapping[str, Pooling]) -> list[CredentialView]:
    return [view for pool in pools.values() for view in pool.views()]


def _chosen(pools: Mapping[str, Pooling], words: Sequence[str]) -> list[CredentialView]:
    """Find a credential for each word, before anything is done; raise ConfigError with every word that fails."""
    known = _all(pools)
    found = {word: [view for view in known if _fits(view, word)] for word in words}
    problems = [Problem(word, None, _why(views)) for word, views in found.items() if len(views) != 1]
    if problems:
        raise ConfigError(problems)
    return list({(view.upstream, view.id): view for views in found.values() for view in views}.values())


def _fits(view: CredentialView, word: str) -> bool:
    return bool(word) and (view.id.startswith(word.lower()) or (view.account or "").casefold() == word.casefold())


def _why(found: Sequence[CredentialView]) -> str:
    if not found:
        return "no credential has this e-mail address, or an ID that starts so; `gateway credentials list` shows them"
    several = ", ".join(f"{view.id[:12]} of {view.upstream}" for view in found)
    return f"may be {several}: give more of the ID, or --upstream"


def _unknown(loaded: Loaded, upstream: str, pools: Mapping[str, Pooling]) -> ConfigError:
    there = "has no credentials of its own" if upstream in loaded.config.upstream else "is not configured"
    known = f"; these have: {', '.join(pools)}" if pools else ""
    return ConfigError([Problem("--upstream", None, f"{upstream} {there}{known}")])
