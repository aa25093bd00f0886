"""The files of others that come along: which versions they are, unchanged, and under which licences."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "gateway/admin/static/vendor"
# the package of the npm registry, its version, and the file's SHA-256
FILES = {
    "htmx.min.js": ("htmx.org 2.0.11", "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"),
    "uPlot.iife.min.js": ("uplot 1.6.32", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"),
    "uPlot.min.css": ("uplot 1.6.32", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
}


def test_these_and_no_others_come_along() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {*FILES, "LICENSES.txt"}


@pytest.mark.parametrize("name", FILES)
def test_each_is_as_it_was_published(name: str) -> None:
    version, digest = FILES[name]
    assert sha256((FOLDER / name).read_bytes()).hexdigest() == digest
    text = (FOLDER / name).read_text("utf-8")
    number = version.split()[1]
    assert number in text or name.endswith(".css")


def test_the_licences_name_each_file_and_its_version() -> None:
    text = (FOLDER / "LICENSES.txt").read_text("utf-8")
    for name, (version, _) in FILES.items():
        assert name in text
        assert version in text
    assert "Zero-Clause BSD" in text
    assert "The MIT License" in text


@pytest.mark.parametrize("name", FILES)
def test_none_asks_another_host(name: str) -> None:
    text = (FOLDER / name).read_text("utf-8")
    assert "@import" not in text
    assert "url(" not in text
