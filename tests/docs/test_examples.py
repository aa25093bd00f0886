"""The files that ship as examples: .env.example names every variable that is read, tokens.json.example is imported."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import copy

import httpx
import pytest

from gateway.adapters.credential_files import read_credentials
from gateway.cli import main
from gateway.config import load
from tests.processes import gateway

ROOT = Path(__file__).parents[2]
LINES = (ROOT / ".env.example").read_text("utf-8").splitlines()
GIVEN = re.compile(r"(?:# )?([A-Z][A-Z0-9_]*)=(.*)")
EXAMPLE = {found[1]: found[2] for line in LINES if (found := GIVEN.fullmatch(line))}
# so that the variables that others stand behind are read, too
FILLED = {
    **{name: value or "x" for name, value in EXAMPLE.items()},
    "GATEWAY_CONFIG": "",
    "OAUTH_CLIENT_ID": "a",
    "USE_VERTEX_AUTH": "false",
}


class Watched(Mapping[str, str]):
    """An environment that notes which names it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values_by_name = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


def asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Load without a gateway.toml, with and without Vertex AI, and give the names that were looked up."""
    monkeypatch.chdir(folder)
    environments = [Watched(FILLED), Watched(FILLED | {"USE_VERTEX_AUTH": "true", "PREFERRED_PROVIDER": "google"})]
    for environ in environments:
        load(environ=environ, dotenv=False)
    return {name for environ in environments for name in environ.asked}


def test_every_variable_that_is_read_is_in_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_for(tmp_path, monkeypatch) - set(EXAMPLE) == set()


def test_every_variable_of_the_example_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(EXAMPLE) - asked_for(tmp_path, monkeypatch) == set()


def test_each_has_one_line_and_one_that_explains_it() -> None:
    names = [found[1] for line in LINES if (found := GIVEN.fullmatch(line))]
    assert len(names) == len(set(names))
    for number, line in enumerate(LINES):
        if GIVEN.fullmatch(line):
            before = LINES[number - 1]
            assert before.startswith("# ")
            assert not GIVEN.fullmatch(before)


def test_no_value_carries_a_comment() -> None:
    """Docker's --env-file would take it for a part of the value."""
    assert [value for value in EXAMPLE.values() if "#" in value] == []


def test_a_copy_of_it_serves_the_demo(tmp_path: Path) -> None:
    copy(ROOT / ".env.example", tmp_path / ".env")
    with gateway(tmp_path) as program:
        body = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
        answer = httpx.post(f"{program.url}/v1/chat/completions", json=body, timeout=20)
        assert program.says("upstream demo:")
    assert answer.json()["choices"][0]["message"]["content"] == "Hello"


def test_all_of_it_makes_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"{name}={value}" for name, value in FILLED.items() if name != "GATEWAY_CONFIG"]
    (tmp_path / ".env").write_text("\n".join(lines))
    config = load(environ={}).config
    assert [key.reveal() for key in config.auth.keys] == ["sk-one", "sk-two"]
    assert list(config.upstream) == ["openai", "gemini", "azure", "anthropic", "antigravity"]


def test_tokens_json_example_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    copy(ROOT / "tokens.json.example", tmp_path / "tokens.json")
    with pytest.raises(SystemExit) as end:
        main(["import", "--json", "tokens.json"])
    said = json.loads(capsys.readouterr().out)
    assert end.value.code == 0
    assert sum("added to the store" in row["word"] for row in said["files"]["tokens.json"]) == 2


def test_its_values_are_clearly_none() -> None:
    imported = read_credentials((ROOT / "tokens.json.example").read_bytes())
    values = [imported.client_id, imported.client_secret, *(one.refresh_token for one in imported.credentials)]
    assert all("example" in value for value in values)
