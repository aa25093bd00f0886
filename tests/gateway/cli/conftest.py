"""Run the commands inside the test's process, in an empty folder of a machine on which nothing is set up."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import Struct

from gateway.cli import main

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
def write(folder: Path) -> Callable[[str], Path]:
    """Write gateway.toml."""

    def write(text: str) -> Path:
        file = folder / "gateway.toml"
        file.write_text(text, "utf-8")
        return file

    return write
