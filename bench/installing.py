"""How a peer comes to this machine: by pip or npm into a folder of its own, below the user's cache, once."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from shutil import copytree, ignore_patterns

from bench.peers import Peer
from bench.process import ROOT

__all__ = ["Missing", "cache_folder", "filled", "install", "installed_mb"]

Run = Callable[[Sequence[str]], object]
NOT_SOURCES = (
    ".*",
    "*.egg-info",
    "__pycache__",
    "bench",
    "build",
    "data",
    "dist",
    "docs",
    "node_modules",
    "site",
    "tests",
)
MORE_PROGRAMS = "/usr/sbin"  # where nginx is, and many have no path to


class Missing(Exception):
    """A program that a peer needs is not on this machine."""


def install(peer: Peer, caches: Path, run: Run | None = None) -> Path:
    """Return the folder of a peer's programs; make it with `run` if there is none yet. Raise Missing."""
    if peer.kit == "ours":
        return Path(sys.executable).parent
    if peer.kit == "machine":
        return Path(_program(peer.command[0])).parent
    folder = caches / _folder_name(peer)
    programs = folder / ("bin" if peer.kit == "pip" else "node_modules/.bin")
    done = folder / "installed"
    if not done.exists():
        print(f"installing {' '.join(peer.requirements)} into {folder}, once", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        for command in _steps(peer, folder, programs):
            (run or _run)(command)
        done.touch()
    return programs


def _steps(peer: Peer, folder: Path, programs: Path) -> Iterator[Sequence[str]]:
    if peer.kit == "npm":
        quiet = ("--no-audit", "--no-fund", "--loglevel=error")
        yield [_program("npm"), "install", "--prefix", str(folder), *quiet, *peer.requirements]
    else:
        yield [sys.executable, "-m", "venv", "--clear", str(folder)]
        yield [str(programs / "python"), "-m", "pip", "install", "--quiet", *peer.requirements]


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return where environments are kept."""
    caches = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "asgi-llm-gateway-bench"


def filled(peer: Peer, programs: Path, **values: str) -> tuple[list[str], dict[str, str]]:
    """Return the command that starts it, and its variables; `values` fill the placeholders."""
    values |= {"programs": str(programs), "root": str(ROOT)}
    program, *arguments = (word.format(**values) for word in peer.command)
    return [str(programs / program), *arguments], {name: one.format(**values) for name, one in peer.environment.items()}


def installed_mb(run: Run | None = None) -> float:
    """Return the size of the gateway and all it needs, without extras, as pip puts them into an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        sources, target = Path(folder) / "sources", Path(folder) / "target"
        copytree(ROOT, sources, symlinks=True, ignore=ignore_patterns(*NOT_SOURCES))  # a build writes beside them
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-warn-conflicts", "--ignore-installed"]
        (run or _run)([*pip, "--target", str(target), str(sources)])
        return sum(file.lstat().st_size for file in target.rglob("*") if file.is_file()) / 1e6


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{MORE_PROGRAMS}")
    if found is None:
        raise Missing(f"there is no {name} on this machine")
    return found


def _run(command: Sequence[str]) -> object:
    # a PYTHONPATH of the caller's would let pip find there what the peer needs
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(command, env=clean, check=True)


def _folder_name(peer: Peer) -> str:
    python = f"py{sys.version_info.major}.{sys.version_info.minor}"
    return "-".join([*(re.sub(r"[^\w.]+", "-", one).strip("-") for one in peer.requirements), python])
