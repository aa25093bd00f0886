"""The mutants of a copy: their names, what mutmut says of each, and what is changed in it."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.properties.examples import COUNT

__all__ = ["judged", "named", "noticed", "sample", "shown", "verdicts"]

_VERDICT: Final = re.compile(r"^\s+(\S+__mutmut_\d+): (.+)$", re.MULTILINE)


def named(folder: Path) -> list[str]:
    """Name every mutant that mutmut makes in a copy."""
    return _run(folder, sys.executable, "-m", "tests.mutation.naming").split()


def sample(names: Sequence[str], most: int, seed: int) -> list[str]:
    """Draw so many of them, or take all where `most` is 0; the same seed draws the same."""
    return sorted(random.Random(seed).sample(sorted(names), min(most or len(names), len(names))))


def judged(folder: Path, names: Sequence[str], *, examples: int) -> dict[str, str]:
    """Run the tests for each of these mutants; give what mutmut says of each."""
    _mutmut(folder, "run", "--max-children", "1", *names, environ={COUNT: str(examples)})
    said = verdicts(_mutmut(folder, "results", "--all", "true"))
    return {name: said.get(name, "not checked") for name in names}


def verdicts(printed: str) -> dict[str, str]:
    """Read what mutmut prints of its results."""
    return dict(_VERDICT.findall(printed))


def noticed(verdict: str) -> bool:
    """Say whether the tests told a mutant from the code; one that never ends is told, too."""
    return verdict in ("killed", "timeout", "segfault")


def shown(folder: Path, name: str) -> str:
    """Show what is changed in a mutant."""
    return _mutmut(folder, "show", name)


def _mutmut(folder: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> str:
    return _run(folder, str(Path(sys.executable).with_name("mutmut")), *arguments, environ=environ)


def _run(folder: Path, *command: str, environ: Mapping[str, str] | None = None) -> str:
    ran = subprocess.run(
        command, cwd=folder, env=os.environ | dict(environ or {}), capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise SystemExit(f"{' '.join(command[:3])} failed:\n{ran.stdout[-4000:]}{ran.stderr[-4000:]}")
    return ran.stdout
