"""The part of `gateway run` that needs the server: the app, uvicorn, the banner."""

import gc
import logging
import socket
from importlib.util import find_spec

import click
import uvicorn

from gateway import __version__
from gateway.app import Gateway, create_app
from gateway.config import Loaded
from gateway.logs import Forward
from gateway.server import Server

__all__ = ["banner", "serve"]

_BACKLOG = 4096
_KEEPALIVE_S = 75


def serve(loaded: Loaded, listener: socket.socket) -> None:
    """Serve until a signal; raise ConfigError for what `create_app` refuses."""
    app = create_app(loaded)
    gateway: Gateway = app.state.gateway
    logging.getLogger().addHandler(Forward(gateway.logger))
    loop = "uvloop" if find_spec("uvloop") else "asyncio"
    http = "httptools" if find_spec("httptools") else "h11"
    config = uvicorn.Config(
        app,
        loop=loop,
        http=http,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        proxy_headers=True,
        forwarded_allow_ips=list(loaded.config.server.trusted_proxies),
        timeout_keep_alive=_KEEPALIVE_S,
        timeout_graceful_shutdown=1,
    )
    address = listener.getsockname()
    host = f"[{address[0]}]" if ":" in address[0] else address[0]

    def announce() -> None:
        click.echo(banner(gateway, f"http://{host}:{address[1]}", f"{http}, {loop}"))
        gc.collect()
        gc.freeze()  # what start-up made lives as long as the process

    try:
        Server(config, gateway, announce).run([listener])
    except SystemExit:  # uvicorn's 3 for a failed start means something else here
        raise SystemExit(1) from None


def banner(gateway: Gateway, address: str, engine: str) -> str:
    """Say what runs, from which file, on what, and how to try it."""
    loaded = gateway.loaded
    keyed = bool(loaded.config.auth.keys or loaded.config.key)
    lines = [
        f"gateway {__version__} on {address} ({engine})",
        f"  configuration: {loaded.file or 'none, built-in defaults'}",
        *(f"  upstream {name}: {adapter.state()}" for name, adapter in gateway.adapters.items()),
        f"  keys: {_keys(loaded)}",
    ]
    if gateway.usable:
        lines += ["", "Try it:", f"  {_curl(gateway, address, keyed=keyed)}"]
    else:
        lines.append("  warning: no upstream can serve yet; requests get 503")
    return "\n".join(lines)


def _keys(loaded: Loaded) -> str:
    """Count the keys; name the variables that gave some, for a client's own may have been meant."""
    count = len(loaded.config.auth.keys) + len(loaded.config.key)
    if not count:
        return f"0, anonymous access: {loaded.config.auth.allow_anonymous}"
    sources = [loaded.source(("auth", "keys", index)) for index in range(len(loaded.config.auth.keys))]
    variables = dict.fromkeys(source.name for source in sources if source.kind in ("env", ".env"))
    return f"{count}, from {', '.join(variables)}" if variables else str(count)


def _curl(gateway: Gateway, address: str, *, keyed: bool) -> str:
    model = next(iter(gateway.services.resolver.listing()), "demo")
    key = " -H 'authorization: Bearer YOUR_KEY'" if keyed else ""
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
    return f"curl {address}/v1/chat/completions{key} -H 'content-type: application/json' -d '{body}'"
