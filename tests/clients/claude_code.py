"""Claude Code as a program, in a home and a working folder of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.patience import patient
from tests.processes import Program, environment

__all__ = ["ClaudeCode", "tool_results"]

ENDS_S = 60


class ClaudeCode:
    """Runs the command. `variables`: what leads it to the gateway, beside the gateway's address."""

    def __init__(self, gateway: Program, node_modules: Path, folder: Path, variables: Mapping[str, str]) -> None:
        self.gateway = gateway
        self.node_modules = node_modules
        self.home, self.work = folder / "home", folder / "work"
        self.home.mkdir()
        self.work.mkdir()
        self._variables = variables

    def run(self, prompt: str, *arguments: str, **variables: str) -> list[dict[str, Any]]:
        """Give the events that it prints."""
        command = [self.node_modules / ".bin/claude", "-p", prompt.replace("WORK", str(self.work))]
        command += ["--output-format", "stream-json", "--verbose", "--allowedTools", "Bash", "Read", *arguments]
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.work,
            env=self._environment() | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patient(ENDS_S),
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr + self.gateway.output
        return [json.loads(line) for line in done.stdout.splitlines()]

    def _environment(self) -> dict[str, str]:
        return {
            **environment(self.home),
            "PATH": f"{self.node_modules / 'node/bin'}:/usr/bin:/bin",
            "ANTHROPIC_BASE_URL": self.gateway.url,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
            **self._variables,
        }


def tool_results(events: list[dict[str, Any]]) -> list[Any]:
    """List what its tools have given, in the order of the calls: it prints first what was ready first."""
    calls = [block["id"] for block in _blocks(events, "assistant") if block["type"] == "tool_use"]
    results = [block for block in _blocks(events, "user") if block["type"] == "tool_result"]
    return sorted(results, key=lambda block: calls.index(block["tool_use_id"]))


def _blocks(events: list[dict[str, Any]], type_: str) -> list[Any]:
    return [block for event in events if event["type"] == type_ for block in event["message"]["content"]]
