"""Run the commands inside the test's process, in an empty folder of a machine on which nothing is set up."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path

import pytest
from msgspec import Struct

from gateway import registry
from gateway.cli import main
from gateway.registry import Group
from tests.fakes.v1internal import FakeV1Internal
from tests.gateway.cli.doctoring import Said
from tests.patience import patient
from tests.processes import PROGRAMS, environment

Run = Callable[..., "Done"]
COMMAND_S = 60


class Done(Struct):
    """How a command ended and what it printed."""

    code: object
    out: str
    err: str


def antigravity(fake: FakeV1Internal, tokens: str = '["rt-1"]', pool: str = "") -> str:
    """Write an upstream whose accounts are known to a fake."""
    return (
        f'[upstream.google]\ntype = "v1internal"\nmodels = ["gemini-3-flash"]\nbase_urls = ["{fake.base("a")}"]\n'
        f'oauth = {{ client_id = "a", client_secret = "b-secret", token_url = "{fake.token_url}", '
        f'userinfo_url = "{fake.userinfo_url}" }}\npool.refresh_tokens = {tokens}\n{pool}'
    )


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, without this machine's variables."""
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - {"PATH", "PYTEST_CURRENT_TEST"}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `gateway` with these words to its end, with these variables besides."""

    def run(*words: str | Path, typed: str | None = None, **variables: str) -> Done:
        with monkeypatch.context() as given, pytest.raises(SystemExit) as end:
            if typed is not None:
                given.setattr("sys.stdin", StringIO(typed))
            for name, value in variables.items():
                given.setenv(name, value)
            main([str(word) for word in words])
        said = capfd.readouterr()
        return Done(end.value.code, said.out, said.err)

    return run


@pytest.fixture
def command(folder: Path) -> Run:
    """Run `gateway` with these words as a program of its own, on a machine on which nothing else is set."""

    def command(*words: str | Path, typed: str = "", **variables: str) -> Done:
        done = subprocess.run(
            [PROGRAMS / "gateway", *words],
            cwd=folder,
            env=environment(folder) | variables,
            input=typed,
            capture_output=True,
            text=True,
            timeout=patient(COMMAND_S),
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return command


@pytest.fixture
def unserved(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a type of upstream whose adapter is not installed."""
    adapters = {name: (f"nowhere:{name}",) for name in registry.names("gateway.adapters") if name != "anthropic"}
    others: dict[Group, Mapping[str, tuple[str, ...]]] = {"gateway.adapters": adapters}
    paths = registry._paths
    monkeypatch.setattr(registry, "_paths", lambda group: others.get(group) or paths(group))
    return "anthropic"


@pytest.fixture
def write(folder: Path) -> Callable[[str], Path]:
    """Write gateway.toml."""

    def write(text: str) -> Path:
        file = folder / "gateway.toml"
        file.write_text(text, "utf-8")
        return file

    return write


@pytest.fixture
def examine(run: Run) -> Callable[..., Said]:
    """Run it to its end; give the findings. Its exit code says whether a problem is among them, and of what kind."""

    def examine(*words: str, **variables: str) -> Said:
        done = run("doctor", "--json", *words, **variables)
        assert done.err == ""
        findings: Said = json.loads(done.out)["findings"]
        problems = [one["check"] for one in findings if one["level"] == "problem"]
        assert done.code == (2 if "configuration" in problems else int(bool(problems)))
        assert all(bool(one["fix"]) == (one["level"] != "ok") for one in findings)
        return findings

    return examine
