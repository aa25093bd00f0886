"""A folder to load from, and a loader that sees nothing of this machine."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.config import ConfigError, Loaded, load

Load = Callable[..., Loaded]
Problems = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[[str], Path]:
    """Write gateway.toml."""

    def write(text: str) -> Path:
        file = folder / "gateway.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.fixture
def read(write: Callable[[str], Path]) -> Load:
    """Load a text as ./gateway.toml with just these variables."""

    def read(text: str, environ: Mapping[str, str] | None = None, **options: object) -> Loaded:
        write(text)
        return load(environ=environ or {}, **options)  # type: ignore[arg-type]  # passed on as they are

    return read


@pytest.fixture
def problems(read: Load) -> Problems:
    """Give the lines that loading a text fails with."""

    def problems(text: str, environ: Mapping[str, str] | None = None, **options: object) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(text, environ, **options)
        return [str(problem) for problem in caught.value.problems]

    return problems
