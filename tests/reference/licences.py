"""The licences of what an installation takes: each direct dependency, each extra, and the files that come along.

A version of a package may write its licence in several ways; the page has the SPDX name, which stays.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageMetadata, metadata, requires
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

from .tables import table

__all__ = ["VENDORED", "closure", "licence_of", "written"]

ROOT: Final = Path(__file__).parents[2]
VENDORED: Final = ROOT / "gateway" / "admin" / "static" / "vendor" / "LICENSES.txt"
_INTRO: Final = """\
# Licences

The gateway itself is under the MIT licence. The other files in its wheel and the packages installed
with it have these. Versions are left out: the bill of materials of a release (`bom.cdx.json`, CycloneDX), which
`python -m deploy.release` writes, has them, with all indirect dependencies.
"""
_SPDX: Final[Mapping[str, str]] = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "zero-clause bsd": "0BSD",
    "the mit license (mit)": "MIT",
}
_HEAD: Final = ("package", "licence")


def written() -> str:
    """Write the page."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    parts = [_INTRO, "## In the wheel\n", table(("file", "licence"), _vendored()) + "\n"]
    parts += ["## With every installation\n", table(_HEAD, _rows(project["dependencies"])) + "\n"]
    for extra, requirements in project["optional-dependencies"].items():
        parts += [f"## With the extra `{extra}`\n", table(_HEAD, _rows(requirements)) + "\n"]
    return "\n".join(parts)


def licence_of(package: str) -> str:
    """Give the SPDX expression of an installed package, "" where it says none."""
    said = metadata(package)
    if expression := _first(said, "License-Expression"):
        return expression
    classified = sorted({_spdx(one) for one in _classified(said)})
    text = _first(said, "License")
    return " OR ".join(classified) if len(classified) > 1 or not text or "\n" in text else _spdx(text)


def closure(package: str, extras: Sequence[str]) -> set[str]:
    """Give the names of all that an installation with these extras takes, here."""
    found: set[str] = set()
    waiting = [(package, frozenset(extras))]
    while waiting:
        name, wanted = waiting.pop()
        for line in requires(name) or ():
            one = Requirement(line)
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in (*wanted, "")):
                if one.name not in found or one.extras:
                    waiting.append((one.name, frozenset(one.extras)))
                found.add(one.name)
    return found


def _rows(requirements: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in sorted({Requirement(line).name for line in requirements}):
        yield f"`{name}`", licence_of(name)


def _vendored() -> Iterator[tuple[str, str]]:
    """Read the file beside them: the names, and the heading of each licence."""
    text = VENDORED.read_text("utf-8")
    for names, title in re.findall(r"^(\S.*\.(?:js|css)): .*\n+(.+)$", text, re.MULTILINE):
        yield ", ".join(f"`{name}`" for name in names.split(", ")), _spdx(title)


def _first(said: PackageMetadata, field: str) -> str:
    values: list[Any] = said.get_all(field) or [""]
    return str(values[0]).strip()


def _classified(said: PackageMetadata) -> list[str]:
    every: list[Any] = said.get_all("Classifier") or []
    return [str(one).rpartition(" :: ")[2] for one in every if str(one).startswith("License :: OSI Approved :: ")]


def _spdx(text: str) -> str:
    return _SPDX.get(text.strip().lower(), text.strip())
