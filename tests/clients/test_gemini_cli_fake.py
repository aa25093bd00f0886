"""Gemini CLI, which speaks v1internal itself, judges the fake: it must finish a tool loop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.fakes.v1internal import STREAM, FakeV1Internal

pytestmark = pytest.mark.clients

ACCESS_TOKEN = "static-1"
SETTINGS = {
    "security": {"auth": {"selectedType": "oauth-personal"}},
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
    "general": {"enableAutoUpdate": False},
}
PROMPT = """!tool run_shell_command {"command": "echo first-result", "description": "say it"}
!then
!think now once more
!tool run_shell_command {"command": "echo second-result", "description": "say it"}
!tool list_directory {"dir_path": "."}
!then
!say all tools are done"""


async def run_cli(fake: FakeV1Internal, node_modules: Path, folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run the command-line client in a home of its own; give the events that it prints."""
    home, work = folder / "home", folder / "work"
    (home / ".gemini").mkdir(parents=True)
    work.mkdir()
    (home / ".gemini" / "settings.json").write_text(json.dumps(SETTINGS))
    command = [str(node_modules / "node/bin/node"), str(node_modules / "@google/gemini-cli/bundle/gemini.js")]
    command += ["--approval-mode", "yolo", "--skip-trust", "--output-format", "stream-json", *arguments]
    environment = {
        "HOME": str(home),
        "PATH": f"{node_modules / 'node/bin'}:/usr/bin:/bin",
        "GOOGLE_GENAI_USE_GCA": "true",
        "GOOGLE_CLOUD_ACCESS_TOKEN": ACCESS_TOKEN,
        "CODE_ASSIST_ENDPOINT": fake.url,
    }
    done = await anyio.run_process(command, input=b"", cwd=work, env=environment, check=False)
    assert done.returncode == 0, done.stderr.decode()
    lines = [line for line in done.stdout.decode().splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3-flash-preview"])
async def test_gemini_cli_finishes_a_tool_loop(
    fake_v1internal: FakeV1Internal, node_modules: Path, tmp_path: Path, model: str
) -> None:
    events = await run_cli(fake_v1internal, node_modules, tmp_path, "-m", model, "-p", PROMPT)
    results = [event for event in events if event["type"] == "tool_result"]
    assert [(event["status"], event["output"]) for event in results[:2]] == [
        ("success", "first-result"),
        ("success", "second-result"),
    ]
    said = "".join(event["content"] for event in events if event.get("role") == "assistant")
    assert said.endswith("all tools are done")
    assert {record.status for record in fake_v1internal.requests} == {200}
    assert len(fake_v1internal.calls(STREAM)) == 3
