"""Run the programs below `node/`, each once for all of its scenarios, and read what they say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from tests.packaging import served
from tests.packaging.fixtures import WHEEL
from tests.packaging.served import KEY, Google, signer
from tests.packaging.wheel import ROOT
from tests.patience import patient
from tests.processes import Program, environment, running

__all__ = [
    "CLAUDE",
    "GEMINI",
    "LONG",
    "MODELS",
    "NODE",
    "PIXEL",
    "PUBLIC",
    "Node",
    "asked",
    "both",
    "each",
    "refused",
    "replayed",
    "standing",
]

Json = dict[str, Any]

# one worker runs them all: the programs before them are started once
NODE = [pytest.mark.clients, WHEEL, pytest.mark.xdist_group("node-sdks")]
GEMINI, CLAUDE, PUBLIC = "gemini-3-flash", "claude-sonnet-4-6", "public/gemini-3-flash-preview"
MODELS = (GEMINI, CLAUDE, PUBLIC)
LONG = "a long answer that comes in more than one piece"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PROGRAMS = Path(__file__).with_name("node")
ENDS_S = 90
MORE = """
    [retry]
    attempts = 1
    max_wait = 0
    [upstream.public]
    type = "gemini"
    base_url = "{url}"
    api_key = "key-1"
    models = ["gemini-3-flash-preview", "gemini-embedding-001"]
    [upstream.demo]
    type = "demo"
"""


@dataclass
class Node:
    """A gateway before Code Assist and the public Gemini API, and the programs that talk to it.

    The folder of the programs holds them and a link to the installed packages, as a user's own would.
    """

    gateway: Program
    code_assist: Google
    public: Google
    node: Path
    folder: Path
    outcomes: dict[str, Json] = field(default_factory=dict)

    def run(self, program: str) -> Json:
        """Give the outcome of every scenario of a program, with the calls that each upstream received."""
        if program not in self.outcomes:
            self.outcomes[program] = self._run(program)
        return self.outcomes[program]

    def _run(self, program: str) -> Json:
        for google in (self.code_assist, self.public):
            google.reset()
        done = subprocess.run(
            [str(self.node), str(self.folder / program), self.gateway.url, KEY],
            env=environment(self.folder),
            capture_output=True,
            text=True,
            timeout=patient(ENDS_S),
            check=False,
        )
        assert done.returncode == 0, done.stderr + self.gateway.output
        said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"scenario"')]
        found = {one["scenario"]: one["outcome"] for one in said}
        return found | {"calls": [*self.code_assist.calls, *self.public.calls]}


@contextmanager
def standing(programs: Path, node_modules: Path, folder: Path) -> Generator[Node, None, None]:
    """Run it."""
    scripts = copytree(PROGRAMS, folder / "node")
    (scripts / "node_modules").symlink_to(node_modules)
    home = folder / "gateway"
    home.mkdir()
    with both(programs, home) as (gateway, code_assist, public):
        yield Node(gateway, code_assist, public, node_modules / "node/bin/node", scripts)


@contextmanager
def both(programs: Path, folder: Path) -> Generator[tuple[Program, Google, Google], None, None]:
    """Run a gateway that does not try again before Code Assist and the public Gemini API."""
    fake = [sys.executable, "-m", "tests.fakes.gemini_api", "--port", "0"]
    with served.google() as code_assist, running(fake, ROOT) as public:
        more = MORE.format(url=public.url)
        with served.gateway(programs, folder, code_assist, more) as gateway:
            yield gateway, code_assist, Google(public.url)


def each(models: Sequence[str], outcome: Any) -> Json:
    """Expect the same of each of these models."""
    return dict.fromkeys(models, outcome)


def asked(outcomes: Json, words: str) -> list[Json]:
    """Find the generating requests, out of their envelopes, that hold these words."""
    bodies = [call["body"] for call in outcomes["calls"]]
    return [body.get("request", body) for body in bodies if words in json.dumps(body)]


def signers(request: Json) -> list[str]:
    """Name the families of the signatures in a request; "" is no real one."""
    parts = [part for turn in request["contents"] for part in turn["parts"]]
    return [signer(part["thoughtSignature"]) for part in parts if "thoughtSignature" in part]


def replayed(outcomes: Json, words: str) -> list[list[str]]:
    """Name the signers in each second turn of a tool loop."""
    return [signers(request) for request in asked(outcomes, words) if "functionResponse" in json.dumps(request)]


def refused(outcomes: Json) -> set[str]:
    """Name the directives of the calls that an upstream did not accept."""
    requests = [call["body"].get("request", call["body"]) for call in outcomes["calls"] if call["status"] != 200]
    return {request["contents"][-1]["parts"][-1]["text"].partition(" ")[0] for request in requests}
