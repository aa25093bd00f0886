"""`gateway run`: start, say what is there, serve until a signal."""

import errno
import socket
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import click

from gateway.cli.itself import calls_to_itself
from gateway.cli.options import configuration, loaded
from gateway.cli.unfit import refused_bind, unfit
from gateway.config import Config, ConfigError, Loaded, dotted, host_and_port, of_keys, refuses_bind
from gateway.config.values import LEVELS, OLD_LEVELS
from gateway.lively import UNREAD_S, asking
from gateway.memory import begin

if TYPE_CHECKING:
    from gateway.store.stored_keys import StoredKey

__all__ = ["run"]

_LEVELS = click.Choice([*LEVELS, *OLD_LEVELS], case_sensitive=False)


@click.command
@configuration
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=int, help="The port to listen on.")
@click.option("--api-key", "api_keys", multiple=True, metavar="KEY", help="Accept this key; repeatable.")
@click.option("--refresh-token", metavar="TOKEN", help="A Google refresh token for the v1internal upstream.")
@click.option("--log-level", type=_LEVELS, help="How much to log.")
@click.option("--workers", type=click.IntRange(min=1), default=1, help="The number of worker processes.")
@click.option("--reload", is_flag=True, help="Restart when the configuration, .env or a Python file changes.")
def run(
    config: str | None,
    no_config: bool,
    no_dotenv: bool,
    host: str | None,
    port: int | None,
    api_keys: tuple[str, ...],
    refresh_token: str | None,
    log_level: str | None,
    workers: int,
    reload: bool,
) -> None:
    """Start the gateway. Without any configuration it serves the demo upstream on loopback."""
    flags: dict[str, object] = {
        "server.host": host,
        "server.port": port,
        "auth.keys": list(api_keys) or None,
        "upstream.*.pool.refresh_tokens": [refresh_token] if refresh_token is not None else None,
        "log.level": log_level,
    }
    given = {key: value for key, value in flags.items() if value is not None}
    found = loaded(config, no_config=no_config, no_dotenv=no_dotenv, flags=given)
    problems = [*map(str, [*unfit(found), *refused_bind(found, _refuses_bind(found, found.config))])]
    refusal = _refuses_workers(found.config, workers, _stored(found, workers))
    if problems or refusal:
        click.echo("\n".join([*problems, *([refusal] if refusal else [])]), err=True)
        raise SystemExit(2)
    if reload:
        _listen(found).close()  # what it starts later may wait for a port, not the first start
        import_module("gateway.cli.reload").run_again(found)
    else:
        _serve(found, workers)


def _refuses(workers: int, found: Loaded, config: Config) -> str | None:
    """Say why `gateway run` cannot work with a configuration that is read while it runs."""
    itself = "; ".join(f"{dotted(path)}: {message}" for path, message in calls_to_itself(config))
    return itself or _refuses_bind(found, config) or _refuses_workers(config, workers)


def _refuses_bind(found: Loaded, config: Config) -> str | None:
    """Say why it may not listen there; a key that was made at run time is one, too. `found`: says where these are."""
    refusal = refuses_bind(config)
    if refusal is None:
        return None
    try:
        stored = bool(import_module("gateway.cli.keys_work").stored(found))
    except ConfigError as error:
        return f"{refusal}; {error}"
    return refuses_bind(config, stored_keys=stored)


def _refuses_workers(config: Config, workers: int, stored: "Sequence[StoredKey]" = ()) -> str | None:
    """Say why several processes would not do what is configured, or what keys that were made at run time ask for."""
    limited = [key.name for key in config.key if key.limits] + [key.name for key in stored if key.limits]
    if workers == 1 or not (config.limits or limited) or config.store.redis.reveal():
        return None
    why = "workers cannot count together without store.redis, so limits allow one worker only"
    return f"--workers {workers}: {why}{of_keys(limited)}"


def _stored(found: Loaded, workers: int) -> "Sequence[StoredKey]":
    """Give the keys that were made at run time, where their limits matter; a store that fails stops no start."""
    if workers == 1 or found.config.store.redis.reveal():
        return ()
    try:
        keys: Sequence[StoredKey] = import_module("gateway.cli.keys_work").stored(found)
    except ConfigError:
        return ()
    return keys


def _serve(config: Loaded, workers: int) -> None:
    begin()
    serve, refuses = import_module("gateway.cli.serve").serve, partial(_refuses, workers, config)
    newest = import_module("gateway.cli.newest").NewestConfig(config, refuses)

    def work(first: bool = True, leash: int | None = None) -> None:
        serve(newest.loaded, listener, workers if first else 0, leash, refuses)

    with _listen(config) as listener:
        if workers == 1:
            work()
        else:
            raise SystemExit(import_module("gateway.cli.workers").supervise(workers, listener, work, newest))


def _listen(config: Loaded) -> socket.socket:
    """Bind before anything else starts, so that a port in use is said in one line."""
    host, port = config.config.server.host, config.config.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener: socket.socket | None = None
    # asyncio sets TCP_NODELAY only on connections of a listener that names its protocol; else each answer waits 40 ms
    try:
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        asking(listener, UNREAD_S)
        listener.bind((host.strip("[]"), port))
        listener.listen()
    except OSError as error:
        if listener is not None:
            listener.close()
        used = error.errno == errno.EADDRINUSE
        reason = "another program is listening there; stop it, or use another --port" if used else error.strerror
        click.echo(f"cannot listen on {host_and_port(host, port)}: {reason}", err=True)
        raise SystemExit(4 if used else 2) from None
    return listener
