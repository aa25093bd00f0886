"""An adapter of another distribution that is faulty: it is said, and nothing else suffers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway import registry
from gateway.adapters.demo import Demo
from gateway.app import Gateway, assemble
from gateway.config import EVERY_S, load
from gateway.generations import Generations
from gateway.registry import Group
from gateway.transport import Transport
from tests.clocks import FakeClock
from tests.serving import serve

pytestmark = pytest.mark.anyio

DEMO = "[upstream.demo]\n"
ACME = '[upstream.acme]\ntype = "acme"\n'


class Unconnected(Demo):
    """One that fails to begin, and then to end what has not begun."""

    session: Transport

    async def start(self, transport: Transport) -> None:
        raise OSError("the service is away")

    async def stop(self) -> None:
        await self.session.close()


class Unending(Demo):
    """One that fails to end."""

    async def stop(self) -> None:
        raise RuntimeError("no end of it")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give the adapters that are registered, to which others may be added."""
    adapters = {name: registry.path_of("gateway.adapters", name) for name in registry.names("gateway.adapters")}
    others: dict[Group, dict[str, str]] = {"gateway.adapters": adapters}
    paths = registry._paths
    monkeypatch.setattr(registry, "_paths", lambda group: others.get(group) or paths(group))
    return adapters


async def test_edits_are_noticed_after_one_that_neither_begins_nor_ends(
    tmp_path: Path, installed: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    installed["acme"] = f"{__name__}:Unconnected"
    clock, file = FakeClock(), tmp_path / "gateway.toml"
    file.write_text(DEMO)
    app = assemble(Gateway(load(file, environ={}), clock=clock))
    generations: Generations[Gateway] = app.state.generations
    said = ""
    async with serve(app), asyncio.timeout(20):
        before = generations.current
        file.write_text(DEMO + ACME)
        while "the configuration before stays in use" not in said or "no attribute 'session'" not in said:
            await clock.advance(EVERY_S)
            await asyncio.sleep(0.01)  # a look is taken in a thread
            said += capfd.readouterr().err
        file.write_text(f"{DEMO}[retry]\nattempts = 2\n")
        while generations.current is before:
            await clock.advance(EVERY_S)
            await asyncio.sleep(0.01)
    assert generations.current.loaded.config.retry.attempts == 2
    assert "the service is away" in said


async def test_one_that_does_not_end_keeps_nothing_else_from_it(
    tmp_path: Path, installed: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    installed["acme"] = f"{__name__}:Unending"
    file, ended = tmp_path / "gateway.toml", list[str]()
    file.write_text(ACME + ACME.replace(".acme", ".other") + DEMO)
    app = assemble(Gateway(load(file, environ={})))
    gateway: Gateway = app.state.gateway
    async with serve(app):
        transport, demo = gateway.transport, gateway.adapters["demo"]
        assert transport is not None
        close, stop = transport.close, demo.stop

        async def closed() -> None:
            ended.append("transport")
            await close()

        async def stopped() -> None:
            ended.append("demo")
            await stop()

        transport.close, demo.stop = closed, stopped  # type: ignore[method-assign]  # to hear of it
    assert ended == ["demo", "transport"]
    assert capfd.readouterr().err.count("RuntimeError: no end of it") == 2
