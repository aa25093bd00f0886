"""The work of `gateway doctor`: every check, in an order in which each can rely on the ones before."""

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import click

from gateway.adapters.keeping import store_of
from gateway.cli.doctor_accounts import credentials, store
from gateway.cli.doctor_clients import clients
from gateway.cli.doctor_finding import Finding, hidden, ok, problem
from gateway.cli.doctor_local import folder, log, python, recordings, settings
from gateway.cli.doctor_network import network, shared
from gateway.cli.doctor_port import port
from gateway.cli.hiding import hider
from gateway.cli.options import quiet
from gateway.clock import System
from gateway.config import ConfigError, Loaded
from gateway.fit import check as check_config
from gateway.parts import adapters_of
from gateway.redact import redact
from gateway.store import FILE
from gateway.store.folder import is_there
from gateway.store.stored import KeyProblem, NewerTables, StoreFailed
from gateway.transport import Transport
from gateway.upstream import Adapter, Pooling

__all__ = ["examine", "unreadable"]

_DATABASE_FIX: Final = "start the database, let its user create tables, or set another store.database"
_DAMAGED: Final = ("not a database", "malformed", "missing or empty")  # the former in SQLite's own words
_NEWER_FIX: Final = "install the version that it was last used with, or restore an older copy"


def unreadable(error: ConfigError) -> Sequence[Finding]:
    """Say what can be said when the configuration cannot be read."""
    fix = "correct it; docs/gateway.toml explains every key"
    found = [*python(), *(problem("configuration", str(one), fix) for one in error.problems)]
    return [hidden(finding, redact) for finding in found]


def examine(loaded: Loaded, *, dotenv: bool) -> Sequence[Finding]:
    """Make every check."""
    if sys.stderr.isatty():
        click.echo("checking this machine, the network and every credential …", err=True)
    found = asyncio.run(_examine(loaded, dotenv=dotenv))
    hide = hider(loaded)
    return [hidden(finding, hide) for finding in found]


async def _examine(loaded: Loaded, *, dotenv: bool) -> list[Finding]:
    connect_s = loaded.config.timeouts.connect
    transport, direct = Transport(connect_s=connect_s), Transport(connect_s=connect_s, allows=lambda _: True)
    try:
        disk = (*folder(loaded), *log(loaded), *recordings(loaded))
        found = [*python(), *settings(loaded, dotenv=dotenv), *disk, *clients(loaded)]
        found += await port(loaded, direct)  # no proxy leads back to this machine
        found += (stores := await shared(loaded))
        away = _fails("postgres", stores)
        return [*found, *await _upstreams(loaded, transport, away=away)]
    finally:
        await asyncio.gather(transport.close(), direct.close())


async def _upstreams(loaded: Loaded, transport: Transport, *, away: bool) -> list[Finding]:
    """Make the upstreams as `gateway run` does, and let them say what they lack; `away` = no database."""
    try:
        check_config(loaded)
        adapters = adapters_of(quiet(loaded), System())
    except ConfigError as error:
        return [problem("start", str(one), "correct it: `gateway run` would not start") for one in error.problems]
    try:
        for adapter in adapters.values():
            await adapter.start(transport)
        pools = {name: adapter for name, adapter in adapters.items() if isinstance(adapter, Pooling)}
        others = _others(adapters, pools)
        reached = await network(loaded, adapters, transport)
        kept = [*_opened(loaded)] if not away and (pools or _is_kept(loaded)) else []
        if away or _fails("store", kept):
            pools = {name: pool for name, pool in pools.items() if pool.views()}  # of the others nothing is known
        return [*others, *kept, *reached, *await credentials(loaded, pools)]
    finally:
        for adapter in adapters.values():
            await adapter.stop()


def _fails(check: str, found: Sequence[Finding]) -> bool:
    return any(one.check == check and one.level == "problem" for one in found)


def _others(adapters: Mapping[str, Adapter], pools: Mapping[str, Pooling]) -> Iterator[Finding]:
    for name, adapter in adapters.items():
        if name not in pools:
            yield ok(f"upstream {name}", adapter.state())


def _is_kept(loaded: Loaded) -> bool:
    """Tell whether there is a store of keys and usage already, which needs no credentials."""
    return bool(loaded.config.store.database) or is_there(loaded.resolve(loaded.config.server.data_dir) / FILE)


def _opened(loaded: Loaded) -> Iterator[Finding]:
    """Open the store once more, for an upstream would go on without one that fails."""
    opened = store_of(loaded)
    try:
        opened.open()
    except KeyProblem as error:
        yield problem("store", f"store.encryption_key {error}", "give the key that it was encrypted with")
    except StoreFailed as error:
        fix = _DATABASE_FIX if loaded.config.store.database else f"make data_dir writable, and {FILE} in it"
        if any(words in str(error) for words in _DAMAGED):
            fix = f"restore a copy of {FILE}, or move it away"
        elif isinstance(error, NewerTables):
            fix = _NEWER_FIX
        yield problem("store", f"it cannot be used: {error}", fix)
    else:
        yield from store(loaded)
    finally:
        opened.close()
