"""An adapter of another distribution that is faulty: it is said, and nothing else suffers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway import registry
from gateway.adapters.demo import Demo
from gateway.app import Gateway, assemble, create_app
from gateway.config import EVERY_S, ConfigError, load
from gateway.generations import Generations
from gateway.registry import Group
from gateway.transport import Transport
from tests.clocks import FakeClock
from tests.patience import patient
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


class Raising(Demo):
    """One that says no."""

    def __init__(self, *_: object) -> None:
        raise ValueError("key:\n  there is none")


class Narrow(Demo):
    """One that does not ask for what it is given."""

    def __init__(self, name: str) -> None:
        """Take the name alone."""


class Bare:
    """One that only has a name."""

    def __init__(self, name: str, *_: object) -> None:
        self.name = name


class Listless(Demo):
    """One without a list."""

    def models(self) -> Any:
        return None


class Listing(Demo):
    """One whose list is no mapping."""

    def models(self) -> Any:
        return ["loud"]


class Speechless(Demo):
    """One that fails to list."""

    def models(self) -> Any:
        raise RuntimeError("no list")


def nothing(*_: object) -> None:
    """Make nothing."""


NUMBER = 42


class Unending(Demo):
    """One that fails to end."""

    async def stop(self) -> None:
        raise RuntimeError("no end of it")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give the adapters that are registered besides ours, which are none yet."""
    paths, added = registry._paths, dict[str, str]()

    def registered(group: Group) -> Mapping[str, tuple[str, ...]]:
        more = added if group == "gateway.adapters" else {}
        return {**paths(group), **{name: (path,) for name, path in more.items()}}

    monkeypatch.setattr(registry, "_paths", registered)
    return added


FAULTS = {
    "Raising": "cannot be made: ValueError: key: there is none",
    "Narrow": "cannot be made: TypeError: Narrow.__init__() takes 2 positional arguments but 4 were given",
    "NUMBER": "cannot be made: TypeError: 'int' object is not callable",
    "Bare": "made a Bare, which has no count, models, open, start, state, stop, usable",
    "nothing": "made a NoneType, which has no count, models, name, open, start, state, stop, usable",
    "Listless": "lists its models as a NoneType, not as a mapping",
    "Listing": "lists its models as a list, not as a mapping",
    "Speechless": "cannot be made: RuntimeError: no list",
}


@pytest.mark.parametrize("models", ["", 'models = ["loud"]\n'])
def test_each_that_is_no_adapter_is_a_line_with_its_place(
    tmp_path: Path, installed: dict[str, str], models: str
) -> None:
    file, lines = tmp_path / "gateway.toml", list[str]()
    file.write_text(DEMO)
    for fault, text in FAULTS.items():
        installed[fault] = f"{__name__}:{fault}"
        line = len(file.read_text().splitlines()) + 2
        lines.append(f'{file}:{line}: upstream.{fault}.type: "{__name__}:{fault}" {text}')
        file.write_text(f'{file.read_text()}[upstream.{fault}]\ntype = "{fault}"\n{models}')
    with pytest.raises(ConfigError) as refused:
        create_app(load(file, environ={}))
    assert str(refused.value).splitlines() == lines


@pytest.mark.parametrize("fault", FAULTS)
async def test_it_is_refused_while_the_gateway_runs(
    tmp_path: Path, installed: dict[str, str], capfd: pytest.CaptureFixture[str], fault: str
) -> None:
    installed["acme"] = f"{__name__}:{fault}"
    file = tmp_path / "gateway.toml"
    file.write_text(DEMO)
    app = create_app(load(file, environ={}))
    async with serve(app):
        before = app.state.gateway
        file.write_text(DEMO + ACME)
        assert not await app.state.generations.reload()
        assert app.state.gateway is before
    said = capfd.readouterr().err
    assert "the configuration is invalid" in said
    assert "defect" not in said


async def test_edits_are_noticed_after_one_that_neither_begins_nor_ends(
    tmp_path: Path, installed: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    installed["acme"] = f"{__name__}:Unconnected"
    clock, file = FakeClock(), tmp_path / "gateway.toml"
    file.write_text(DEMO)
    app = assemble(Gateway(load(file, environ={}), clock=clock))
    generations: Generations[Gateway] = app.state.generations
    said = ""
    async with serve(app), asyncio.timeout(patient(20)):
        before = generations.current
        file.write_text(DEMO + ACME)
        while "the previous configuration stays in use" not in said or "no attribute 'session'" not in said:
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
