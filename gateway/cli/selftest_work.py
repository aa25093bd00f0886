"""The work of `gateway selftest`: serve the configured gateway if need be, check, and write what came of it."""

import asyncio
import contextlib
import secrets
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from msgspec.structs import replace
from starlette.applications import Starlette

from gateway.app import Gateway, create_app
from gateway.cli.models_ask import look
from gateway.cli.options import quiet
from gateway.config import ConfigError, Loaded, Problem
from gateway.legible import legible
from gateway.redact import Secret
from gateway.testing import Finding, Report
from gateway.testing import selftest as check

__all__ = ["check", "check_url", "line", "own", "summary"]

Wished = Callable[..., Coroutine[Any, Any, Report]]  # what is wished besides an address and a key


async def check_url(url: str, key: str, wished: Wished) -> Report:
    """Check any gateway."""
    return await wished(url, key=key)


async def own(loaded: Loaded, wished: Wished) -> Report | None:
    """Serve the configured gateway, and check it by a key of its own; None when it has no usable upstream."""
    key = f"sk-selftest-{secrets.token_urlsafe(24)}"
    app = create_app(_alone(loaded, key))
    gateway: Gateway = app.state.gateway
    async with _serving(app) as url:
        return await wished(url, key=key) if gateway.usable and (await look(gateway)).usable else None


def _alone(loaded: Loaded, key: str) -> Loaded:
    """Let one caller in, without limits, which another process may be counting."""
    config = quiet(loaded).config
    order = tuple(name for name in config.pipeline.order if name != "rate_limit")
    config = replace(
        config,
        auth=replace(config.auth, keys=(Secret(key),)),
        key=(),
        limits=(),
        pipeline=replace(config.pipeline, order=order),
    )
    return replace(loaded, config=config)


class _Server(uvicorn.Server):
    """A server that leaves the signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def _serving(app: Starlette) -> AsyncGenerator[str]:
    """Give the address of a running app; raise ConfigError when its start is refused."""
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY on these only
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    with listener, _as_it_was():
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve([listener]))
            while not server.started:  # uvicorn has no event for it
                if serving.done():
                    raise ConfigError([Problem("selftest", None, "the gateway does not start; `gateway run` says why")])
                await asyncio.sleep(0.005)
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True
                await asyncio.wait([serving])


@contextlib.contextmanager
def _as_it_was() -> Generator[None]:
    """Raise what failed without the group around it, such as an output that nobody reads any more."""
    try:
        yield
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


def line(finding: Finding) -> str:
    """Write one finding."""
    verdict = finding.verdict.upper() if finding.verdict == "failed" else finding.verdict
    words = finding.problem or finding.heard
    if finding.verdict == "failed" and finding.asked:
        words = f"{finding.asked}: {words}"
    return f"{verdict:<12} {finding.dialect:<17} {finding.check:<27} {legible(words)}".rstrip()


def summary(report: Report) -> str:
    """Write how it ended."""
    counts = Counter(finding.verdict for finding in report.findings)
    offered = ", ".join(report.offered) or "no dialect is offered"
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("ok", "failed", "not offered"))
    return f"{report.url}: model {legible(report.model) or 'not given'}; {offered}; {said}"
