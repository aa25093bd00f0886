"""opencode works through the installed gateway, with each package of the AI SDK that its page names."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.fixtures import WHEEL
from tests.packaging.served import KEY, Google
from tests.packaging.wheel import ROOT
from tests.patience import patient
from tests.processes import Program, environment

pytestmark = [pytest.mark.clients, WHEEL]

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ENDS_S = 90
# a name that tells the packages nothing of the model
ALIAS = '[models.alias]\n"fast" = "gemini-3-flash"'
# package: where its baseURL ends
PACKAGES = {
    "@ai-sdk/openai-compatible": "/v1",
    "@ai-sdk/openai": "/v1",
    "@ai-sdk/anthropic": "/v1",
    "@ai-sdk/google": "/v1beta",
}
PAGE = (ROOT / "docs" / "clients" / "opencode.md").read_text("utf-8").partition("```json\n")[2].partition("```")[0]
QUIET = {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"}
TASK = """!think a note is a file
!tool bash {"command": "printf 'written by a tool' > note.txt", "description": "Write the note"}
!then
!think now it can be read
!say I look
!tool read {"filePath": "WORK/note.txt"}
!tool bash {"command": "wc -c < note.txt", "description": "Count"}
!then
!tool read {"filePath": "WORK/dot.png"}
!then
!say all tools are done"""


@pytest.fixture(scope="module")
def more() -> str:
    return ALIAS


def run(gateway: Program, node_modules: Path, folder: Path, package: str) -> list[dict[str, Any]]:
    """Give the events that it prints of the task, set up as its page has it."""
    page = PAGE.replace("claude-sonnet-4-5", "fast").replace("sk-…", KEY).replace("@ai-sdk/openai-compatible", package)
    home, work = folder / "home", folder / "work"
    (home / ".config" / "opencode").mkdir(parents=True)
    work.mkdir()
    settings = page.replace("http://127.0.0.1:8045/v1", gateway.url + PACKAGES[package])
    (home / ".config" / "opencode" / "opencode.json").write_text(settings)
    (work / "dot.png").write_bytes(base64.b64decode(PIXEL))
    done = subprocess.run(
        [str(node_modules / ".bin/opencode"), "run", "--format", "json"],
        cwd=work,
        env={**environment(home), **QUIET, "PATH": f"{node_modules / 'node/bin'}:/usr/bin:/bin"},
        input=TASK.replace("WORK", str(work)),
        capture_output=True,
        text=True,
        timeout=patient(ENDS_S),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + gateway.output
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("package", PACKAGES)
def test_task_with_tools_and_a_picture_is_finished(
    gateway: Program, node_modules: Path, tmp_path: Path, fake: Google, package: str
) -> None:
    fake.reset()
    events = run(gateway, node_modules, tmp_path, package)
    assert [event for event in events if event["type"] == "error"] == []
    used = [event["part"]["state"] for event in events if event["type"] == "tool_use"]
    assert [state["status"] for state in used] == ["completed"] * 4
    assert (tmp_path / "work" / "note.txt").read_text() == "written by a tool"
    assert any(PIXEL in str(request["contents"][-1]) for request in fake.generated)
    assert not fake.refused
