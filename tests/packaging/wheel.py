"""Build the distributions from a copy of the sources, and install them where nothing else is."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns

from deploy.release import distributions

__all__ = ["EPOCH", "Built", "build", "install", "python_of"]

ROOT = Path(__file__).parents[2]
EPOCH = 1_700_000_000
NOT_SOURCES = (
    *(".[!e]*", ".env", "*.egg-info", "__pycache__"),
    *("bench", "build", "data", "dist", "docs", "node_modules", "tests"),
)


@dataclass
class Built:
    """A folder with the two distributions."""

    folder: Path

    @property
    def sdist(self) -> Path:
        """Give the source distribution."""
        return next(self.folder.glob("dist/*.tar.gz"))

    @property
    def wheel(self) -> Path:
        """Give the wheel."""
        return next(self.folder.glob("dist/*.whl"))


def build(folder: Path) -> None:
    """Build a source distribution, and the wheel from it."""
    # a copy: the build writes its egg-info beside the sources, and would read an old one
    sources = copytree(ROOT, folder / "sources", symlinks=True, ignore=ignore_patterns(*NOT_SOURCES))
    distributions(sources, folder / "dist", EPOCH)


def install(folder: Path, *requirements: str | Path, beside: Path | None = None) -> None:
    """Make a virtual environment, which sees what is installed `beside` it."""
    venv.EnvBuilder(symlinks=True).create(folder)
    if beside is not None:
        (_packages(folder) / "beside.pth").write_text(f"{_packages(beside)}\n")
    pip = (sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "--python", python_of(folder / "bin"))
    _run(*pip, "install", *requirements)


def python_of(programs: Path) -> Path:
    """Give the interpreter among the programs of an environment."""
    return programs / "python"


def _packages(environment: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)}))


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
