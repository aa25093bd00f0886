"""The pages of docs/reference are what the code says, and leave nothing out."""

from __future__ import annotations

import re
import tomllib

import pytest

from gateway.cli import _gateway as group
from gateway.config import schema_keys
from tests.docs.examples import DOCS
from tests.reference.configuration import ANNOTATED
from tests.reference.pages import FOLDER, PAGES

ROOT = DOCS.parent
# tables whose names are chosen by operators, and the keys of limits, are told in words
TOLD = re.compile(r"(.*\.)?limits\.|.*alias\.|.*family\.|.*\*$|models\.variant\.|usage\.price\.|upstream\.\*\.type")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == PAGES[name](), "run python -m tests.reference"


def test_every_page_is_written() -> None:
    assert {file.name for file in FOLDER.iterdir()} == PAGES.keys()


def test_every_key_has_a_row() -> None:
    rows = set(re.findall(r"^\| `([\w.]+)` \|", (FOLDER / "configuration.md").read_text("utf-8"), re.MULTILINE))
    keys = [key for key in schema_keys() if not TOLD.fullmatch(key) and not TOLD.match(key)]
    ends = {key: [key.split(".", cut)[-1] for cut in range(1, key.count(".") + 1)] for key in keys}
    assert [key for key, shorter in ends.items() if not rows & {*shorter, key}] == []


def test_every_command_has_a_section() -> None:
    text = (FOLDER / "commands.md").read_text("utf-8")
    assert [name for name in group.commands if f"\n## gateway {name}" not in text] == []


def test_the_page_ends_with_the_whole_file() -> None:
    text = (FOLDER / "configuration.md").read_text("utf-8")
    shown = text.rpartition("```toml\n")[2].removesuffix("```\n")
    assert shown == ANNOTATED.read_text("utf-8")


# docs/architecture.md


def test_the_layers_are_those_that_are_held() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract, *_) = project["tool"]["importlinter"]["contracts"]
    place = {name.strip(): at for at, line in enumerate(contract["layers"]) for name in line.split("|")}
    section = (DOCS / "architecture.md").read_text("utf-8").partition("\n## Layers\n")[2]
    lines = section.partition("```text\n")[2].partition("```")[0].splitlines()
    shown = [[place[f"gateway.{name}"] for name in line.split(", ")] for line in lines]
    assert all(len(set(places)) == 1 for places in shown)
    assert [places[0] for places in shown] == sorted({places[0] for places in shown})
