"""docs/replaced.md names every variable of the replaced systems, with keys and commands that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.config import Config
from gateway.config.seeds import SEEDS

TEXT = (Path(__file__).parents[2] / "docs" / "replaced.md").read_text("utf-8")
TABLE = TEXT.split("\n## Every variable and setting\n")[1]
ROWS = [row.strip("| ").split(" | ") for row in TABLE.splitlines() if row.startswith("| ")][1:]
KEYS = sorted({key for _, becomes in ROWS for key in re.findall(r"`(\w+\.\w+)`", becomes)})
COMMANDS = sorted({line for line in re.findall(r"(?:^|`)(gateway [^\n`]+)", TEXT, re.MULTILINE) if "…" not in line})


def test_every_variable_is_named() -> None:
    named = {name for given, _ in ROWS for name in re.findall(r"`([A-Z_]+)`", given)}
    assert set(SEEDS) | {"HOST", "PORT", "LOG_LEVEL"} == named


@pytest.mark.parametrize("key", [key for key in KEYS if key.partition(".")[0] not in ("pool", "upstream")])
def test_what_a_variable_becomes_is_a_key(key: str) -> None:
    section, _, name = key.partition(".")
    assert hasattr(getattr(Config(), section), name)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_line_is_understood(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*shlex.split(line)[1:], "--help"])
    assert end.value.code == 0
    assert "Usage: gateway" in capsys.readouterr().out


def test_there_are_rows_keys_and_commands() -> None:
    assert len(ROWS) > len(SEEDS) / 2
    assert {"auth.keys", "log.file", "models.alias"} <= set(KEYS)
    assert "gateway --no-config --port 8082" in COMMANDS
