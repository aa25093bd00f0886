"""Gemini CLI works through the installed gateway, in the mode in which it talks to the Gemini API."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.packaging import served
from tests.packaging.fixtures import WHEEL
from tests.packaging.served import KEY, Google
from tests.packaging.wheel import ROOT
from tests.patience import patient
from tests.processes import Program, environment

pytestmark = [pytest.mark.clients, WHEEL]

MODELS = pytest.mark.parametrize("model", ["gemini-3-flash-preview", "gemini-2.5-flash"])
ENDS_S = 90
SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
    "general": {"enableAutoUpdate": False},
}
TWO_ROUNDS = """!think a note is a file
!tool run_shell_command {"command": "printf 'written by a tool' > note.txt", "description": "Write the note"}
!then
!think now once more
!tool run_shell_command {"command": "cat note.txt", "description": "Read the note"}
!tool list_directory {"dir_path": "."}
!then
!say all tools are done"""

# what the page of this client has users write for models that it does not know
PAGE = ROOT / "docs" / "clients" / "gemini-cli.md"
ALIAS = PAGE.read_text("utf-8").partition("# gateway.toml\n")[2].partition("\n\n")[0].replace("anthropic/", "google/")


class GeminiCLI:
    """Runs the command in a home and a working folder of its own."""

    def __init__(self, gateway: Program, node_modules: Path, folder: Path) -> None:
        self.gateway = gateway
        self.node_modules = node_modules
        self.home, self.work = folder / "home", folder / "work"
        (self.home / ".gemini").mkdir(parents=True)
        self.work.mkdir()
        (self.home / ".gemini" / "settings.json").write_text(json.dumps(SETTINGS))

    def run(self, model: str, prompt: str) -> list[dict[str, Any]]:
        """Give the events that it prints."""
        done = self.ask(model, prompt)
        assert done.returncode == 0, done.stdout + done.stderr + self.gateway.output
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def ask(self, model: str, prompt: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Let it work off one prompt."""
        command: list[str | Path] = [self.node_modules / "node/bin/node"]
        command += [self.node_modules / "@google/gemini-cli/bundle/gemini.js"]
        command += ["-m", model, "--approval-mode", "yolo", "--skip-trust", "--output-format", "stream-json"]
        return subprocess.run(
            [*map(str, command), *arguments, "-p", prompt],
            cwd=self.work,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patient(ENDS_S),
            check=False,
        )

    def _variables(self) -> dict[str, str]:
        return {
            **environment(self.home),
            "PATH": f"{self.node_modules / 'node/bin'}:/usr/bin:/bin",
            "GEMINI_API_KEY": KEY,
            "GOOGLE_GEMINI_BASE_URL": self.gateway.url,
        }


@pytest.fixture
def google(fake: Google) -> Google:
    fake.reset()
    return fake


@pytest.fixture
def accepting(google: Google) -> Iterator[Google]:
    """Demand that the service accepts whatever the gateway sends during the test."""
    yield google
    assert google.calls
    assert not google.refused


@pytest.fixture
def gemini_cli(gateway: Program, node_modules: Path, tmp_path: Path) -> GeminiCLI:
    return GeminiCLI(gateway, node_modules, tmp_path)


def spoken(events: list[dict[str, Any]]) -> str:
    return "".join(event["content"] for event in events if event.get("role") == "assistant")


@MODELS
def test_task_of_two_rounds_of_tools_is_finished(gemini_cli: GeminiCLI, accepting: Google, model: str) -> None:
    events = gemini_cli.run(model, TWO_ROUNDS)
    assert (gemini_cli.work / "note.txt").read_text() == "written by a tool"
    results = [event for event in events if event["type"] == "tool_result"]
    assert [event["status"] for event in results] == ["success"] * 3
    assert results[1]["output"] == "written by a tool"
    assert spoken(events).endswith("all tools are done")
    assert events[-1]["status"] == "success"
    assert len(accepting.calls) == 3


@MODELS
def test_its_request_goes_up_with_all_that_it_says(gemini_cli: GeminiCLI, accepting: Google, model: str) -> None:
    gemini_cli.run(model, "!say hi")
    (call,) = accepting.calls
    request = call["body"]["request"]
    (tool,) = request["tools"]
    assert call["body"]["model"] == model
    assert len(tool["functionDeclarations"]) > 10
    assert all("parametersJsonSchema" in one for one in tool["functionDeclarations"])
    assert request["generationConfig"]["thinkingConfig"]["includeThoughts"] is True
    assert "Gemini CLI" in str(request["systemInstruction"])


def test_the_signature_of_a_call_comes_back(gemini_cli: GeminiCLI, accepting: Google) -> None:
    gemini_cli.run("gemini-3-flash-preview", TWO_ROUNDS)
    assert accepting.signers == ["gemini", "gemini"]


def test_a_refusal_of_the_upstream_is_shown(gemini_cli: GeminiCLI, google: Google) -> None:
    done = gemini_cli.ask("gemini-2.5-flash", "!error 400_invalid_argument_schema")
    assert done.returncode != 0
    assert "Cannot find field" in done.stdout + done.stderr


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "google/claude-sonnet-4-6"])
def test_an_answer_that_breaks_off_is_asked_for_once_more(gemini_cli: GeminiCLI, google: Google, model: str) -> None:
    """Its SDK fails on what stands behind the events, not on the event of an error: half of the answer was all."""
    call = '!tool run_shell_command {"command": "echo hi", "description": "Greet"}'
    answers = [call, "!say one two three four\n!cut 1", "!say all of it"]
    httpx.post(f"{google.url}/_push", json={"texts": answers}).raise_for_status()
    events = gemini_cli.run(model, "Greet.")
    assert spoken(events).endswith("all of it")
    assert events[-1]["status"] == "success"
    assert len(google.calls) == 3


def test_an_answer_that_always_breaks_off_is_a_failure(gemini_cli: GeminiCLI, google: Google) -> None:
    done = gemini_cli.ask("gemini-2.5-flash", "!fixture 26_cut_no_finish")
    assert done.returncode != 0
    assert '"status":"error"' in done.stdout


def test_a_conversation_with_a_model_it_does_not_know_is_shortened(
    programs: Path, node_modules: Path, tmp_path: Path, accepting: Google
) -> None:
    model = "google/claude-sonnet-4-6"
    (tmp_path / "gateway").mkdir()
    with served.gateway(programs, tmp_path / "gateway", accepting, ALIAS) as program:
        client = GeminiCLI(program, node_modules, tmp_path)
        shortening = {"model": {"compressionThreshold": 0.0005}}
        (client.home / ".gemini" / "settings.json").write_text(json.dumps(SETTINGS | shortening))
        client.run(model, "word " * 3000 + "\n!say one")
        accepting.reset()
        done = client.ask(model, "!say two", "--resume", "latest")
    assert done.returncode == 0, done.stdout + done.stderr + program.output
    asked = [str(call["body"]["request"]) for call in accepting.calls]
    assert "state_snapshot" in asked[0]
    assert "word word" in asked[0]
    assert "word word" not in asked[-1]
