"""The examples of the README run as they are printed."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.app import Gateway, create_app
from gateway.cli import main
from gateway.config import load
from tests.patience import patient
from tests.processes import PROGRAMS, environment, gateway

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8045"
VARIABLES = {
    "GATEWAY_KEY": "sk-mine",
    "ANTHROPIC_API_KEY": "sk-ant",
    "AZURE_OPENAI_API_KEY": "azure",
    "AZURE_OPENAI_ENDPOINT": "https://example.openai.azure.com",
    "GEMINI_API_KEY": "AIza",
    "OPENAI_API_KEY": "sk-openai",
    "OAUTH_CLIENT_ID": "a",
    "OAUTH_CLIENT_SECRET": "b",
    "REFRESH_TOKEN": "1//c",
}


def blocks(language: str) -> list[str]:
    return [text for word, text in BLOCKS if word == language]


def configurations(name: str) -> list[str]:
    """Give the TOML of a file of this name."""
    return [text for text in blocks("toml") if text.startswith(f"# {name}\n")]


def commands(program: str) -> list[str]:
    return [line for text in blocks("") for line in text.splitlines() if line.split()[:1] == [program]]


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_a_python_example_talks_to_the_demo(number: int, tmp_path: Path) -> None:
    example = blocks("python")[number]
    assert ADDRESS in example
    with gateway(tmp_path) as program:
        code = example.replace(ADDRESS, program.url)
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=environment(tmp_path),
            timeout=patient(25),
            check=False,
        )
    assert (done.returncode, done.stdout.strip()) == (0, "Hello"), done.stderr


def test_there_are_examples() -> None:
    assert blocks("python")
    assert configurations("gateway.toml") + configurations("~/.codex/config.toml") == blocks("toml")


@pytest.mark.parametrize("number", range(len(configurations("gateway.toml"))))
def test_a_configuration_is_accepted(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "credentials.json")  # what Vertex AI goes by
    file = tmp_path / "gateway.toml"
    file.write_text(configurations("gateway.toml")[number])
    made: Gateway = create_app(load(file, environ=VARIABLES)).state.gateway
    (state,) = {adapter.state() for adapter in made.adapters.values()}
    assert state in {"usable: 1 of 1 credentials", "usable: credentials from a file, not used yet"}


def test_the_example_gateway_toml_is_accepted() -> None:
    assert list(load(ROOT / "gateway.toml", environ={}, dotenv=False).config.upstream) == ["demo"]


def test_its_commented_lines_are_accepted_too(tmp_path: Path) -> None:
    text = (ROOT / "gateway.toml").read_text("utf-8")
    file = tmp_path / "gateway.toml"
    file.write_text(re.sub(r'^# (?=[\[\w"].*[\]=])', "", text, flags=re.MULTILINE))
    config = load(file, environ=VARIABLES, dotenv=False).config
    assert (list(config.upstream), len(config.models.alias)) == (["demo", "antigravity"], 1)


@pytest.mark.parametrize("line", commands("gateway"))
def test_a_command_line_is_understood(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*shlex.split(line)[1:], "--help"])
    assert end.value.code == 0
    assert "Usage: gateway" in capsys.readouterr().out


@pytest.mark.parametrize("line", [*commands("uvicorn"), *commands("gunicorn")])
def test_another_servers_command_line_is_understood(line: str, tmp_path: Path) -> None:
    program, *words = shlex.split(line)
    done = subprocess.run(
        [PROGRAMS / program, *words, "--help"],
        capture_output=True,
        env=environment(tmp_path),
        timeout=patient(25),
        check=False,
    )
    assert done.returncode == 0


def test_every_way_to_run_is_shown() -> None:
    ways = [commands("gateway"), commands("python"), commands("uvicorn"), commands("gunicorn")]
    assert all(ways)
