"""Every fenced block of docs/ runs or is checked: none is of a kind that nobody looks at."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from gateway.cli import main
from gateway.config import load
from tests.docs.examples import BLOCKS, DOCS, Block, commands
from tests.docs.test_readme import VARIABLES
from tests.patience import patient
from tests.processes import PROGRAMS, Program, environment, gateway

ROOT = DOCS.parent
ADDRESS = "http://127.0.0.1:8045"
ELSEWHERE = {"pipeline.md", "extending.md"}  # tests/test_hosting_docs.py and test_extending.py run their Python
LANGUAGES = {"", "sh", "python", "toml", "json", "yaml", "text", "diff"}
KEYED = '[auth]\nkeys = ["sk-mine"]\n'
EVERY_NAME = '[models.alias]\n"*" = "demo/demo"\n'
MORE = {
    "GEMINI_API_KEY_2": "AIza2",
    "OPENAI_API_KEY_2": "sk-2",
    "VERTEX_PROJECT": "project",
    "DATABASE_URL": "postgresql://a:b@localhost/c",
    "OPENROUTER_API_KEY": "a-key",
    "BEDROCK_API_KEY": "a-key",
    "REDIS_URL": "redis://localhost:6379/0",
    "GATEWAY_ENCRYPTION_KEY": "6Jd2dIDZk1hNJPc0xIjOyT6ZMpKQiI1jAnKBbDlkBvw=",
    "GATEWAY_ADMIN_PASSWORD": "long enough",
}
# programs that are not run; what their lines name is looked at below
FOREIGN = {
    "cd",
    "cp",
    "docker",
    "mkdir",
    "kubectl",
    "systemctl",
    "systemd-run",
    "journalctl",
    "claude",
    "codex",
    "gemini",
    "python3",
}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Serve the demo under every name, to those with a key."""
    with gateway(tmp_path_factory.mktemp("keyed"), toml=KEYED + EVERY_NAME) as program:
        yield program


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Serve it without any configuration."""
    with gateway(tmp_path_factory.mktemp("keyless")) as program:
        yield program


def moved(text: str, keyed: Program, keyless: Program) -> str:
    """Lead an example to the gateway that it is for."""
    return text.replace(ADDRESS, (keyed if "GATEWAY_KEY" in text else keyless).url)


def blocks(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


def beginning(program: str) -> list[tuple[str, str]]:
    return [(page, line) for page, line in commands() if line.split()[0] == program]


def test_every_block_is_of_a_kind_that_is_looked_at() -> None:
    assert {block.language for block in BLOCKS} <= LANGUAGES


def test_every_command_is_of_a_program_that_is_looked_at() -> None:
    known = {"gateway", "uvicorn", "gunicorn", "curl", "export", ".venv/bin/gateway", ".venv/bin/pip", *FOREIGN}
    assert {line.split()[0] for _, line in commands()} <= known


PYTHON = [block for block in blocks("python") if block.page not in ELSEWHERE]


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.page)
def test_python_runs(block: Block, keyed: Program, keyless: Program, tmp_path: Path) -> None:
    assert ADDRESS in block.text
    done = subprocess.run(
        [sys.executable, "-c", moved(block.text, keyed, keyless)],
        capture_output=True,
        text=True,
        env=environment(tmp_path) | {"GATEWAY_KEY": "sk-mine"},
        timeout=patient(25),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


SDKS = {
    "OpenAI": "import openai; openai.OpenAI().models.list()",
    "Anthropic": "import anthropic; anthropic.Anthropic().models.list()",
    "Google": "from google import genai; client = genai.Client(); client.models.list()",
    "Azure": "import openai; m = {'role': 'user', 'content': 'hi'}\n"
    "openai.AzureOpenAI().chat.completions.create(model='m', messages=[m])",
}


@pytest.mark.parametrize("sdk", SDKS)
def test_the_variables_named_for_an_sdk_are_all_that_it_wants(sdk: str, keyed: Program, tmp_path: Path) -> None:
    page = (DOCS / "clients" / "sdks.md").read_text("utf-8")
    _, _, address, key, _ = next(line for line in page.splitlines() if line.startswith(f"| {sdk}")).split("|")
    given = dict(re.findall(r"`(\w+)=(\S+?)`", address.replace(ADDRESS, keyed.url)))
    name = re.findall(r"`(\w+)`", key)[0]
    env = environment(tmp_path) | given | {name: "sk-mine"}
    done = subprocess.run([sys.executable, "-c", SDKS[sdk]], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", blocks("toml"), ids=lambda block: block.page)
def test_toml_is_a_configuration(block: Block, tmp_path: Path) -> None:
    if block.file not in ("", "gateway.toml"):  # what of it is ours is tried elsewhere
        assert tomllib.loads(block.text)
        return
    secret = tmp_path / "secret"
    secret.write_text(MORE["GATEWAY_ENCRYPTION_KEY"])
    file = tmp_path / "gateway.toml"
    file.write_text(re.sub(r"file:/run/\S+(?=\")", f"file:{secret}", block.text), "utf-8")
    load(file, environ=VARIABLES | MORE, dotenv=False)


@pytest.mark.parametrize("block", blocks("json"), ids=lambda block: block.page)
def test_json_is_json(block: Block) -> None:
    assert json.loads(block.text)


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.page)
def test_yaml_is_yaml(block: Block) -> None:
    assert yaml.safe_load(block.text)


def test_a_name_behind_a_fence_is_that_of_its_language() -> None:
    kinds = {".py": "python", ".toml": "toml", ".yml": "yaml"}
    named = [block for block in BLOCKS if block.file]
    assert [block.file for block in named if kinds[Path(block.file).suffix] != block.language] == []


# commands


INNER = re.compile(r"(?:\| |\$\()(gateway [^)|]+)")
GATEWAY = [line for program in ("gateway", ".venv/bin/gateway") for _, line in beginning(program)]
WITHIN = [found for _, line in commands() for found in INNER.findall(line)]


@pytest.mark.parametrize("line", dict.fromkeys([*GATEWAY, *WITHIN]))
def test_a_command_of_the_gateway_is_understood(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert understood(shlex.split(line, comments=True)[1:])
    assert "Usage: gateway" in capsys.readouterr().out


def understood(words: list[str]) -> bool:
    with pytest.raises(SystemExit) as end:
        main([*words, "--help"])
    return end.value.code == 0


@pytest.mark.parametrize("line", [line for name in ("uvicorn", "gunicorn") for _, line in beginning(name)])
def test_a_command_of_a_server_is_understood(line: str, tmp_path: Path) -> None:
    program, *words = shlex.split(line)
    command: list[str | Path] = [PROGRAMS / program, *words, "--help"]
    done = subprocess.run(
        command, capture_output=True, env=environment(tmp_path), cwd=ROOT, timeout=patient(25), check=False
    )
    assert done.returncode == 0


CURL = [line for _, line in beginning("curl") if ADDRESS in line]


@pytest.mark.parametrize("line", CURL)
def test_curl_gets_an_answer(line: str, keyed: Program, keyless: Program, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{moved(line, keyed, keyless)} -w '\\n%{{http_code}}'"],
        capture_output=True,
        text=True,
        env=environment(tmp_path) | {"GATEWAY_KEY": "sk-mine", "PATH": os.environ["PATH"]},
        timeout=patient(25),
        check=False,
    )
    asked = re.search(r"!error (\d+)", line)
    assert done.stdout.splitlines()[-1] == (asked[1] if asked else "200"), done.stdout


@pytest.mark.parametrize("line", [line for _, line in beginning("docker") if line.startswith("docker run")])
def test_a_container_runs_a_command_that_there_is(line: str) -> None:
    """What it mounts is a volume or has a whole path: Docker before 23 takes no other."""
    words = shlex.split(line)
    mounted = [after for word, after in pairwise(words) if word == "-v"]
    assert [name for name in mounted if not re.match(r"(\$PWD/)?[\w.-]+:/", name)] == []
    # data_dir is beside the file, and the volume at /app/data is not used otherwise
    assert ("GATEWAY_CONFIG=" in line) <= ("GATEWAY_SERVER__DATA_DIR=/app/data" in words)
    rest = words[words.index("gateway") + 1 :]  # behind the name of the image
    assert understood(rest or ["run"])


@pytest.mark.parametrize(
    "name", sorted({name for block in BLOCKS for name in re.findall(r"deploy/[\w./-]+", block.text)})
)
def test_what_a_command_names_of_deploy_is_there(name: str) -> None:
    assert (ROOT / name).exists() or name == "deploy/.env"


def test_what_the_text_names_of_the_repository_is_there() -> None:
    text = "\n".join(file.read_text("utf-8") for file in DOCS.rglob("*.md"))
    named = set(re.findall(r"`((?:gateway|middleware|adapters|tests|deploy|bench|docs)/[\w./-]*)`", text))
    named -= {name for name in named if "NAME" in name}
    gone = sorted(name for name in named if not (ROOT / name).exists())
    assert gone == ["deploy/.env"]


# what the pages of the clients say is what `gateway connect` writes


def shape(value: object) -> object:
    """Give the keys of a document, without its values."""
    return {key: shape(inner) for key, inner in value.items()} if isinstance(value, dict) else None


@pytest.mark.parametrize("client", ["claude-code", "codex", "gemini-cli", "opencode"])
def test_a_client_is_set_up_as_connect_does_it(
    client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.toml").write_text(KEYED, "utf-8")
    with pytest.raises(SystemExit):
        main(["connect", client, "--model", "demo", "--json"])
    written = json.loads(capsys.readouterr().out)["files"]
    reads = {"json": json.loads, "toml": tomllib.loads}
    page = [block for block in BLOCKS if block.page == f"clients/{client}.md" and "models.family" not in block.text]
    for one in (one for one in written if one["form"] in reads):
        read = reads[one["form"]]
        shown = [block.text.replace("claude-sonnet-4-5", "demo") for block in page if block.language == one["form"]]
        assert shape(read(one["text"])) in [shape(read(text)) for text in shown]
    variables = {line.partition("=")[0] for one in written if one["form"] == "env" for line in one["text"].splitlines()}
    text = (DOCS / "clients" / f"{client}.md").read_text("utf-8")
    assert [name for name in variables if name not in text and not name.endswith("_MODEL")] == []
