"""The part of `gateway run` that needs the server: the app, uvicorn, the banner."""

import asyncio
import logging
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.util import find_spec
from typing import Literal

import click
import uvicorn

from gateway import __version__
from gateway.app import Gateway, create_app
from gateway.cli.curl import curl
from gateway.cli.exposed import closing, is_exposed, secret_files
from gateway.cli.files import leave_output
from gateway.cli.itself import is_own
from gateway.cli.ready import tell_systemd
from gateway.cli.unread import unread
from gateway.config import ConfigError, Loaded, Problem, Refuses, Source, host_and_port
from gateway.fit import unwritable
from gateway.generations import Generations
from gateway.limiter import NotAlone
from gateway.logs import Forward
from gateway.memory import settle, tidy
from gateway.server import Server
from gateway.upstream import Reaching

__all__ = ["banner", "serve"]

_BACKLOG = 4096
_KEEPALIVE_S = 620  # longer than any proxy keeps idle connections, of which Google's balancers have theirs for 600
_FILES = 65_536  # that the process may have open, if the machine lets it
_WAITING = 4096  # connections that have not said all they want


def serve(loaded: Loaded, listener: socket.socket, workers: int, leash: int | None, refuses: Refuses) -> None:
    """Serve until a signal; raise ConfigError for what `create_app` refuses, and for limits that cannot be counted.

    `workers`: how many the banner names, 0 = another process prints it. `leash`: see `gateway.server`. `refuses`: says
    why a configuration cannot be taken later.
    """
    app = create_app(loaded)
    gateway: Gateway = app.state.gateway
    gateway.refuses = refuses
    gateway.shares = workers != 1
    gateway.claims = leash is None  # a worker in the place of one that was killed must not end all for a newer key
    generations: Generations[Gateway] = app.state.generations
    generations.settle, generations.tidy = settle, tidy
    generations.watches = generations.warns = leash is None  # else the parent does
    logging.getLogger().addHandler(Forward(gateway.newest.bound))
    loop = "uvloop" if find_spec("uvloop") else "asyncio"
    http = "httptools" if find_spec("httptools") else "h11"
    config = uvicorn.Config(
        app,
        loop=loop,
        http=_connections(http),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        proxy_headers=False,  # gateway.proxies reads them under every server
        timeout_keep_alive=_KEEPALIVE_S,
        timeout_graceful_shutdown=1,
    )
    host, port = listener.getsockname()[:2]
    address = f"http://{host_and_port(host, port)}"
    engine = f"{http}, {loop}, {workers} workers" if workers > 1 else f"{http}, {loop}"

    async def announce() -> None:
        if workers:
            link = await gateway.administration.link(address, shared=gateway.shares)
            _print(banner(gateway, address, engine, link))
        tell_systemd()

    try:
        Server(config, generations, announce, leash).run([listener])
    except SystemExit:  # uvicorn's 3 for a failed start means something else here
        raise SystemExit(1) from None
    except NotAlone as error:
        data = loaded.resolve(loaded.config.server.data_dir)
        raise ConfigError([Problem(str(data), None, str(error))]) from None


def _print(text: str) -> None:
    try:
        click.echo(text)
    except OSError:  # it serves also where nobody can read that
        leave_output()


def _connections(http: str) -> type[asyncio.Protocol] | Literal["h11"]:
    """Give the class of the connections; at most half of the files that may be open are of some that only wait."""
    if http == "h11":
        return "h11"  # which has a bound of its own on heads
    from gateway.connection import connections

    return connections(min(_WAITING, _open_files() // 2))


def _open_files() -> int:
    """Raise how many files may be open as far as is useful, for each connection is one; give how many."""
    if sys.platform == "win32":
        return _FILES
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > _FILES:
        hard = _FILES
    if soft != resource.RLIM_INFINITY and soft < hard:
        with suppress(OSError, ValueError):  # some machines allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def banner(gateway: Gateway, address: str, engine: str, link: str = "") -> str:
    """Say what runs, from which file, on what, where its page is, and how to try it. `link`: opens the page once."""
    loaded = gateway.loaded
    keyed = bool(gateway.keyring)
    lines = [
        f"gateway {__version__} on {address} ({engine})",
        f"  configuration: {loaded.file or 'none, built-in defaults'}",
        *(f"  upstream {name}: {adapter.state()}{_given(loaded, name)}" for name, adapter in gateway.adapters.items()),
        f"  keys: {_keys(gateway)}",
        f"  page: {_page(loaded, address, link)}",
    ]
    if _in_clear(loaded):
        lines.append("  warning: credentials are stored unencrypted, file mode 0600; set store.encryption_key")
    for name, adapter in gateway.adapters.items():
        if isinstance(adapter, Reaching) and any(is_own(loaded, url, address) for url in adapter.servers()):
            lines.append(
                f"  warning: upstream {name} is this gateway, which would call itself; set the URL of the service"
            )
    for path, effect, why in unwritable(loaded):
        lines.append(f"  warning: {'.'.join(map(str, path))} cannot be written; {effect}: {why}")
    for file, what in secret_files(loaded):
        if is_exposed(file):
            lines.append(f"  warning: {file} holds {what}, and other users can read it: {closing(file)}")
    lines += [f"  warning: {problem}" for problem in loaded.misspelt]
    lines += [
        f"  warning: {name} is not read: `gateway import {name}` makes a gateway.toml from it"
        for name in unread(loaded, gateway.adapters.values())
    ]
    if gateway.usable:
        lines += ["", "Try it:", f"  {_curl(gateway, address, keyed=keyed)}"]
    else:
        lines.append("  warning: no upstream is usable yet; requests get 503")
    return "\n".join(lines)


def _page(loaded: Loaded, address: str, link: str) -> str:
    """Say where the page is, and how one gets in."""
    admin, public_url = loaded.config.admin, loaded.config.server.public_url
    if link:
        return f"{link} (once, within 10 minutes, on this machine)"
    if admin.password:
        return f"{public_url or address}/ (as {admin.username})"
    return f"{public_url or address}/ (with a key with the scope admin, or set admin.password)"


def _in_clear(loaded: Loaded) -> bool:
    stores = any(upstream.type == "v1internal" for upstream in loaded.config.upstream.values())
    return stores and not loaded.config.store.encryption_key


def _given(loaded: Loaded, upstream: str) -> str:
    """Name the variables that made an upstream: a client's own, such as OPENAI_API_KEY, may have been meant."""
    made = [source for path, source in loaded.sources.items() if path[:2] == ("upstream", upstream)]
    return _from(made)


def _keys(gateway: Gateway) -> str:
    """Count the keys; name the variables that gave some, for a client's own may have been meant."""
    loaded, count = gateway.loaded, len(gateway.keyring)
    anonymous = loaded.config.auth.allow_anonymous
    if not gateway.keyring or (not count and anonymous == "always"):
        return f"0, anonymous access: {anonymous}"
    if not count and gateway.keyring.problem:
        return "unknown: the key store fails"
    if not count:
        return "none is valid; `gateway keys new NAME` makes one"
    sources = [loaded.source(("auth", "keys", index)) for index in range(len(loaded.config.auth.keys))]
    return f"{count}{_from(sources)}"


def _from(sources: Iterable[Source]) -> str:
    variables = dict.fromkeys(source.name for source in sources if source.kind in ("env", ".env"))
    return f", from {', '.join(variables)}" if variables else ""


def _curl(gateway: Gateway, address: str, *, keyed: bool) -> str:
    serving = [name for name, adapter in gateway.adapters.items() if adapter.usable]
    resolver = gateway.services.resolver
    answering = (name for name, info in resolver.listing().items() if info.answers)
    model = next((name for name in answering if resolver.leads_to(name, serving)), "YOUR_MODEL")  # none is listed yet
    return curl(address, model, "YOUR_KEY" if keyed else "", gateway.loaded.config.auth.accept[0])
