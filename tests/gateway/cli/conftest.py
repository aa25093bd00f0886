"""Run the commands inside the test's process, in an empty folder of a machine on which nothing is set up."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import Struct

from gateway import registry
from gateway.cli import main
from gateway.registry import Group

Run = Callable[..., "Done"]


class Done(Struct):
    """How a command ended and what it printed."""

    code: object
    out: str
    err: str


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, without this machine's variables."""
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - {"HOME", "PATH", "PYTEST_CURRENT_TEST"}:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `gateway` with these words to its end."""

    def run(*words: str) -> Done:
        with pytest.raises(SystemExit) as end:
            main(list(words))
        said = capfd.readouterr()
        return Done(end.value.code, said.out, said.err)

    return run


@pytest.fixture
def unserved(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a type of upstream whose adapter is not installed."""
    adapters = {name: f"nowhere:{name}" for name in registry.names("gateway.adapters") if name != "anthropic"}
    others: dict[Group, dict[str, str]] = {"gateway.adapters": adapters}
    paths = registry._paths
    monkeypatch.setattr(registry, "_paths", lambda group: others.get(group) or paths(group))
    return "anthropic"


@pytest.fixture
def write(folder: Path) -> Callable[[str], Path]:
    """Write gateway.toml."""

    def write(text: str) -> Path:
        file = folder / "gateway.toml"
        file.write_text(text, "utf-8")
        return file

    return write
