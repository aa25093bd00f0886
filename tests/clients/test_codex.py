"""Codex works through the installed gateway, on Gemini and on Claude, and under the name of a model that it knows."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
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
GEMINI = "gemini-3-flash"
MODELS = pytest.mark.parametrize("model", [GEMINI, "claude-sonnet-4-6"])
OWN = "gpt-6.1-sol"  # of OpenAI: Codex knows it, and gives it other tools
ALIAS = f'[models.alias]\n"{OWN}" = "{GEMINI}"'
ENDS_S = 60

# what the README has users write, and what a test needs besides
CONFIG = (ROOT / "README.md").read_text("utf-8").partition("# ~/.codex/config.toml\n")[2].partition("```")[0]
MORE = {
    "model_reasoning_effort": '"high"',
    "approval_policy": '"never"',
    "sandbox_mode": '"danger-full-access"',
    "model_providers.gateway.request_max_retries": "0",
    "model_providers.gateway.stream_max_retries": "0",
}
TWO_ROUNDS = """!think a note is a file
!tool exec_command {"cmd": "printf 'written by a tool' > note.txt"}
!then
!think now it can be read
!tool exec_command {"cmd": "cat note.txt"}
!tool exec_command {"cmd": "wc -c < note.txt"}
!then
!say all tools are done"""
SCRIPT = """const ran = await tools.exec_command({cmd: "printf 'by a script' > note.txt; cat note.txt"});
text(ran.output);"""
ANSWER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


class Codex:
    """Runs the command in a home and a working folder of its own."""

    def __init__(self, gateway: Program, node_modules: Path, folder: Path) -> None:
        self.gateway = gateway
        self.node_modules = node_modules
        self.home, self.work = folder / "home", folder / "work"
        (self.home / ".codex").mkdir(parents=True)
        self.work.mkdir()
        (self.home / ".codex" / "config.toml").write_text(CONFIG.replace("http://127.0.0.1:8045", gateway.url))

    def run(self, model: str, prompt: str, *arguments: str) -> list[dict[str, Any]]:
        """Give the events that it prints."""
        done = self.ask(model, prompt, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr + self.gateway.output
        return [json.loads(line) for line in done.stdout.splitlines()]

    def ask(self, model: str, prompt: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Let it work off one prompt."""
        command = [str(self.node_modules / ".bin/codex"), "exec", "--skip-git-repo-check", "--json"]
        command += [word for name, value in MORE.items() for word in ("-c", f"{name}={value}")]
        return subprocess.run(
            [*command, *arguments, "-m", model, prompt.replace("WORK", str(self.work))],
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
            "CODEX_HOME": str(self.home / ".codex"),
            "GATEWAY_KEY": KEY,
        }


@pytest.fixture(scope="module")
def more() -> str:
    return ALIAS


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
def codex(gateway: Program, node_modules: Path, tmp_path: Path) -> Codex:
    return Codex(gateway, node_modules, tmp_path)


def completed(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Give the finished items of one kind."""
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    return [item for item in items if item["type"] == kind]


def said(events: list[dict[str, Any]]) -> list[str]:
    return [item["text"] for item in completed(events, "agent_message")]


@MODELS
def test_task_of_two_rounds_of_tools_is_finished(codex: Codex, accepting: Google, model: str) -> None:
    events = codex.run(model, TWO_ROUNDS)
    assert (codex.work / "note.txt").read_text() == "written by a tool"
    ran = completed(events, "command_execution")
    assert [item["exit_code"] for item in ran] == [0] * 3
    assert {item["aggregated_output"].strip() for item in ran[1:]} == {"written by a tool", "17"}  # run side by side
    assert said(events) == ["all tools are done"]
    assert events[-1]["type"] == "turn.completed"
    assert len(accepting.calls) == 3


@MODELS
def test_signatures_come_back_to_the_model_that_made_them(codex: Codex, accepting: Google, model: str) -> None:
    codex.run(model, TWO_ROUNDS)
    assert accepting.signers == [model.partition("-")[0]] * 2


@MODELS
def test_thoughts_are_shown(codex: Codex, accepting: Google, model: str) -> None:
    events = codex.run(model, TWO_ROUNDS)
    thoughts = [item["text"] for item in completed(events, "reasoning")]
    assert thoughts == ["a note is a file", "now it can be read"]


@MODELS
def test_results_of_parallel_calls_stand_behind_them(codex: Codex, accepting: Google, model: str) -> None:
    codex.run(model, TWO_ROUNDS)
    *_, calls, results = accepting.generated[-1]["contents"]
    called = [part["functionCall"]["args"]["cmd"] for part in calls["parts"] if "functionCall" in part]
    answered = [part["functionResponse"]["response"]["output"] for part in results["parts"]]
    assert called == ["cat note.txt", "wc -c < note.txt"]
    assert ["written by a tool" in answered[0], answered[1].endswith("17\n")] == [True, True]


@MODELS
def test_picture_that_a_tool_read_reaches_the_model(codex: Codex, accepting: Google, model: str) -> None:
    (codex.work / "dot.png").write_bytes(base64.b64decode(PIXEL))
    events = codex.run(model, '!tool view_image {"path": "WORK/dot.png"}\n!then\n!say a dot')
    assert said(events) == ["a dot"]
    assert PIXEL in str(accepting.generated[-1]["contents"][-1])


@MODELS
def test_failure_of_a_tool_reaches_the_model(codex: Codex, accepting: Google, model: str) -> None:
    events = codex.run(model, '!tool exec_command {"cmd": "exit 7"}\n!then\n!say it failed')
    assert [item["exit_code"] for item in completed(events, "command_execution")] == [7]
    assert said(events) == ["it failed"]
    assert "exited with code 7" in str(accepting.generated[-1]["contents"][-1])


@MODELS
def test_answer_of_a_schema(codex: Codex, accepting: Google, model: str) -> None:
    (codex.work / "answer.json").write_text(json.dumps(ANSWER))
    events = codex.run(model, '!say {"city": "Oslo"}', "--output-schema", str(codex.work / "answer.json"))
    assert [json.loads(text) for text in said(events)] == [{"city": "Oslo"}]
    told = json.dumps(accepting.generated[-1] | {"contents": []})  # as a field, or to Claude in words
    assert '"city":' in told.replace("\\", "").replace(" ", "")


@MODELS
def test_conversation_goes_on_in_another_run(codex: Codex, accepting: Google, model: str) -> None:
    codex.run(model, TWO_ROUNDS)
    assert said(codex.run(model, "!say once more", "resume", "--last")) == ["once more"]
    assert "all tools are done" in str(accepting.generated[-1]["contents"])
    assert accepting.signers == [model.partition("-")[0]] * 2


def test_scripts_in_a_namespace_of_tools_are_run_for_a_model_that_codex_knows(codex: Codex, accepting: Google) -> None:
    """Its tools come as an item of the input, and the one for scripts is free-form."""
    prompt = f"!tool functions__exec {json.dumps({'input': SCRIPT})}\n!then\n!say done"
    events = codex.run(OWN, prompt)
    assert (codex.work / "note.txt").read_text() == "by a script"
    assert said(events) == ["done"]
    assert "by a script" in str(accepting.generated[-1]["contents"][-1])
    assert accepting.signers == ["gemini"]


def test_its_tools_go_up_under_names_of_their_own(codex: Codex, accepting: Google) -> None:
    codex.run(GEMINI, "!say hi")
    (tool,) = accepting.generated[-1]["tools"]
    names = [one["name"] for one in tool["functionDeclarations"]]
    assert {"exec_command", "write_stdin", "view_image", "multi_agent_v1__spawn_agent"} <= set(names)
    assert len(names) == len(set(names))


def test_what_it_says_of_itself_is_the_instruction(codex: Codex, accepting: Google) -> None:
    codex.run(GEMINI, "!say hi")
    (call,) = accepting.calls
    request = call["body"]["request"]
    assert call["body"]["model"] == GEMINI
    assert "Codex CLI" in request["systemInstruction"]["parts"][0]["text"]
    assert request["generationConfig"]["thinkingConfig"]["includeThoughts"] is True
    assert request["contents"][-1]["parts"][-1] == {"text": "!say hi"}


def test_a_refusal_of_the_upstream_is_shown(codex: Codex, google: Google) -> None:
    done = codex.ask(GEMINI, "!error 400_invalid_argument_schema")
    assert done.returncode != 0
    assert "Cannot find field" in done.stdout
    assert len(google.calls) == 1


def test_an_answer_that_breaks_off_is_a_failure(codex: Codex, google: Google) -> None:
    done = codex.ask(GEMINI, "!fixture 26_cut_no_finish")
    assert done.returncode != 0
    assert json.loads(done.stdout.splitlines()[-1])["type"] == "turn.failed"


def test_the_list_of_models_is_understood(codex: Codex, google: Google) -> None:
    """BerriAI/litellm#36854: Codex asks for it where a command gives the key, and tells an error at each start."""
    config = codex.home / ".codex" / "config.toml"
    command = f'[model_providers.gateway.auth]\ncommand = "echo"\nargs = ["{KEY}"]\n'
    config.write_text(re.sub(r"env_key = .*\n", "", config.read_text()) + command)
    done = codex.ask(GEMINI, "!say hi")
    assert done.returncode == 0, done.stdout + done.stderr
    assert google.calls
    assert "failed to refresh available models" not in done.stderr
