"""The wheel, and programs run from it, as pytest fixtures; a plugin of the root `conftest.py`.

Mark what uses them with `WHEEL`: the first user waits for the build and the installation.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

import pytest

from tests.packaging.wheel import Built, build, install

__all__ = ["WHEEL", "built", "programs", "programs_with_fastapi", "programs_with_gunicorn"]

WHEEL = pytest.mark.timeout(600)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build the distributions."""
    return Built(once(tmp_path_factory, "built", build))


@pytest.fixture(scope="session")
def programs(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel and what it needs, nothing else; give the folder with `gateway` and `python`."""
    return once(tmp_path_factory, "installed", lambda folder: install(folder, built.wheel)) / "bin"


@pytest.fixture(scope="session")
def programs_with_fastapi(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install FastAPI in an environment that sees the one of the wheel."""
    return once(tmp_path_factory, "host", lambda folder: install(folder, "fastapi", beside=programs.parent)) / "bin"


@pytest.fixture(scope="session")
def programs_with_gunicorn(built: Built, programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the extra `gunicorn` in an environment that sees the one of the wheel."""
    extra = f"{built.wheel}[gunicorn]"
    return once(tmp_path_factory, "extra", lambda folder: install(folder, extra, beside=programs.parent)) / "bin"


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Make a folder once for all workers of a session; the others wait."""
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder, made = root / name, root / f"{name}.made"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            rmtree(folder, ignore_errors=True)  # what another worker could not finish
            make(folder)
            made.touch()
    return folder
