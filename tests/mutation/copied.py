"""A copy of this project that mutmut can work in.

mutmut takes a module's name from its path: here the folders stand where the package has them, not behind links.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from .modules import ROOT, SLOW, Module

__all__ = ["copied"]

_PARTS: Final = ("gateway", "tests", "bench", "deploy", "docs")
_FILES: Final = ("pyproject.toml", "README.md", "gateway.toml", "tokens.json.example")
_SETTINGS: Final[dict[str, str | tuple[str, ...]]] = {
    "source_paths": ("gateway",),
    "also_copy": (*_PARTS[2:], *_FILES),
    "timeout_multiplier": "5",  # times what the tests of a mutant take
    "process_isolation": "forkserver",  # a cache that one run has filled would hide a mutant from the next
    "pytest_add_cli_args": (
        *("-p", "tests.properties.profiles", "--hypothesis-profile=mutation", "-p", "no:cacheprovider"),
        *(f"--ignore-glob={name}" for name in SLOW),
    ),
}


def copied(folder: Path, module: Module) -> Path:
    """Copy what the tests need, and say in setup.cfg what mutmut mutates and runs; give the folder."""
    folder.mkdir(parents=True)
    for part in _PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for file in _FILES:
        shutil.copy2(ROOT / file, folder / file)
    (folder / "setup.cfg").write_text(_written(module))
    return folder


def _written(module: Module) -> str:
    settings = _SETTINGS | {"only_mutate": module.files, "pytest_add_cli_args_test_selection": module.tests}
    lines = [f"{key} = {_value(value)}" for key, value in settings.items()]
    return "\n".join(["[mutmut]", *lines, ""])


def _value(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else "".join(f"\n    {one}" for one in value)
