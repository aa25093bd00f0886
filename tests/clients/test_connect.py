"""Every command-line client works with nothing but what `gateway connect --apply` has written."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.fixtures import WHEEL
from tests.patience import patient
from tests.processes import Program, environment, running

pytestmark = [pytest.mark.clients, WHEEL]

KEY = "sk-for-the-clients"
CONFIG = f"""
[auth]
keys = ["{KEY}"]
[models]
unknown = "reject"
[upstream.demo]
type = "demo"
"""
COMMANDS = {
    "claude-code": ["claude", "-p", "echo this"],
    "codex": ["codex", "exec", "--skip-git-repo-check", "echo this"],
    "gemini-cli": ["gemini", "--skip-trust", "-p", "echo this"],
    "opencode": ["opencode", "run", "echo this"],
}
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
}
ENDS_S = 90


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "gateway.toml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def gateway(programs: Path, folder: Path) -> Iterator[Program]:
    with running([programs / "gateway", "run", "--port", "0"], folder, environment(folder)) as program:
        yield program


@pytest.mark.parametrize("client", COMMANDS)
def test_connected_client_is_answered(
    programs: Path, folder: Path, gateway: Program, node_modules: Path, tmp_path: Path, client: str
) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    variables = {**environment(home), **QUIET, "PATH": f"{node_modules / 'node/bin'}:/usr/bin:/bin"}
    connect = [str(programs / "gateway"), "connect", client, "-c", str(folder / "gateway.toml"), "--url", gateway.url]
    subprocess.run(
        [*connect, "--apply"], cwd=work, env=variables, check=True, timeout=patient(ENDS_S), capture_output=True
    )
    name, *words = COMMANDS[client]
    done = subprocess.run(
        [str(node_modules / ".bin" / name), *words],
        cwd=work,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patient(ENDS_S),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + gateway.output
    assert "echo this" in done.stdout
