"""What comes along with the gateway: its licences, a bill of materials, and the same bytes from the same sources."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from shutil import copytree
from zipfile import ZipFile

import pytest

from deploy.release import distributions, listed, sums
from tests.packaging.fixtures import WHEEL
from tests.packaging.wheel import EPOCH, ROOT, Built, python_of
from tests.reference.licences import VENDORED, closure, licence_of

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NAME = PROJECT["name"]
# each of these may be used in a program under the MIT licence; the last two as packages of their own, which they are
LICENCES = {
    *(
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "MIT",
        "MIT-0",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
    ),
    *("MPL-2.0", "LGPL-3.0-only"),
}
ONLY_EXTRA = {"psycopg", "psycopg-binary"}


def plain(name: str) -> str:
    """Write a name as indexes compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def words(expression: str) -> set[str]:
    return set(re.split(r" (?:AND|OR) |[()]", expression)) - {""}


def test_every_package_says_a_licence_that_is_known() -> None:
    packages = closure(NAME, list(PROJECT["optional-dependencies"]))
    assert len(packages) > 30
    assert {name: licence_of(name) for name in packages if not words(licence_of(name)) <= LICENCES} == {}
    assert [name for name in packages if not words(licence_of(name))] == []


def test_an_installation_without_extras_takes_no_lgpl() -> None:
    lgpl = {name for name in closure(NAME, []) if "LGPL" in licence_of(name)}
    assert lgpl == set()
    assert {name for name in closure(NAME, ["postgres"]) if "LGPL" in licence_of(name)} <= ONLY_EXTRA


@WHEEL
def test_the_wheel_says_the_licences_of_all_that_is_in_it(built: Built) -> None:
    files = ZipFile(built.wheel)
    metadata = next(name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
    said = files.read(metadata).decode()
    assert "\nLicense-Expression: MIT AND 0BSD\n" in said
    texts = [files.read(name) for name in files.namelist() if ".dist-info/licenses/" in name]
    assert {(ROOT / "LICENSE").read_bytes(), VENDORED.read_bytes()} == set(texts)


@WHEEL
@pytest.mark.timeout(600)
def test_the_same_sources_give_the_same_bytes(built: Built, tmp_path: Path) -> None:
    """A second build, by somebody with another umask, of files with other times and rights, in another folder."""
    sources = copytree(built.folder / "sources", tmp_path / "the second", symlinks=True)
    for file in sources.rglob("*"):
        if file.is_file() and not file.is_symlink():
            file.chmod(0o664)
            os.utime(file, (EPOCH + 10_000, EPOCH + 10_000))
    umask = os.umask(0o077)
    try:
        distributions(sources, tmp_path / "dist", EPOCH)
    finally:
        os.umask(umask)
    hashes = sums(tmp_path / "dist")
    assert hashes == sums(built.folder / "dist")
    assert {Path(name).suffix for name in hashes} == {".gz", ".whl"}


@WHEEL
def test_the_bill_of_materials_has_every_package_with_its_version(programs: Path, tmp_path: Path) -> None:
    listed(python_of(programs), tmp_path / "bom.json", EPOCH)
    bill = json.loads((tmp_path / "bom.json").read_text("utf-8"))
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", NAME)
    parts = {plain(one["name"]): one["version"] for one in bill["components"]}
    assert {plain(name) for name in closure(NAME, [])} <= parts.keys()
    assert all(parts.values())


def test_there_is_no_workflow_with_actions_that_are_not_pinned() -> None:
    folder = ROOT / ".github" / "workflows"
    used = re.findall(r"^\s*-?\s*uses:\s*(\S+)", "\n".join(map(Path.read_text, folder.rglob("*.y*ml"))), re.MULTILINE)
    assert [one for one in used if not re.search(r"@[0-9a-f]{40}$", one)] == []
