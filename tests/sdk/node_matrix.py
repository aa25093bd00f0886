"""The conformance matrix for the SDKs of Node: one program of a dialect runs its cells before an installed gateway."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from shutil import copytree
from typing import Any

from tests.automata import Call, Heard
from tests.conformance.matrix.apart import CHAT_UPSTREAMS, Apart, cell_of, differing
from tests.conformance.matrix.cells import CELLS, ONE, Cell, Turn
from tests.conformance.matrix.site import CLAUDE, settings
from tests.conformance.matrix.upstreams import KINDS, UPSTREAMS, Upstream
from tests.conformance.matrix.wishes import BODIES, PDF
from tests.packaging.served import KEY
from tests.packaging.wheel import ROOT
from tests.patience import patient
from tests.processes import Program, environment, running

__all__ = ["BROKEN", "CALLERS", "MODES", "NodeMatrix", "cell_for", "standing", "words_of"]

Json = dict[str, Any]

PROGRAMS = Path(__file__).with_name("node")
MODES = {"stream": True, "whole": False}
ENDS_S = 150
_AI = "matrix_ai.mjs"
# caller -> its program, and its dialect
CALLERS = {
    "openai chat": ("matrix_openai.mjs", "openai-chat"),
    "openai responses": ("matrix_openai.mjs", "openai-responses"),
    "anthropic": ("matrix_anthropic.mjs", "anthropic"),
    "genai": ("matrix_genai.mjs", "gemini"),
    "ai chat": (_AI, "openai-chat"),
    "ai compatible": (_AI, "openai-chat"),
    "ai responses": (_AI, "openai-responses"),
    "ai anthropic": (_AI, "anthropic"),
    "ai google": (_AI, "gemini"),
}
# the status of the exception that a stream raises which breaks; the package ai makes one up, or not
BROKEN = {"genai": {502}} | {name: {None, 500, 502} for name, (program, _) in CALLERS.items() if program == _AI}
_CALLED = Turn("", [ONE], "calls")
# what the package ai does by itself
_APART = (
    Apart(
        cell="tool result with image",
        why="it writes the picture as text where the dialect has no place for one",
        dialects={"ai chat", "ai compatible"},
        upstreams=CHAT_UPSTREAMS,
        differs={"hears": [_CALLED, Turn("seen")]},
    ),
    Apart(
        cell="tool result with image",
        why="it puts the picture beside the result, with words that direct the fake, for models it does not know",
        dialects={"ai google"},
        upstreams=frozenset(UPSTREAMS) - {"v1internal-gemini", "gemini", "vertex-gemini"},
        differs={"hears": [_CALLED, Turn("Tool executed successfully and returned this image as a response")]},
    ),
    Apart(
        cell="thinking",
        why="it reads no thoughts in a completion",
        dialects={"ai chat"},
        upstreams=frozenset(UPSTREAMS) - CHAT_UPSTREAMS,
        differs={"hears": [_CALLED, Turn("done")]},
    ),
    Apart(
        cell="stop",
        why="it does not ask for what Responses has not",
        dialects={"ai responses"},
        upstreams={"openai-responses"},
        differs={"hears": [Turn("one")]},
    ),
)


@dataclass
class NodeMatrix:
    """A gateway before all fakes, and what each program has heard: by caller, upstream, cell and mode."""

    gateway: Program
    urls: Mapping[str, str]
    node: Path
    folder: Path
    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def heard(self, caller: str, cell: str) -> list[Heard]:
        """Give what was heard in a cell."""
        program, _ = CALLERS[caller]
        if program not in self.outcomes:
            self.outcomes[program] = self._run(program)
        return [_read(one) for one in self.outcomes[program][cell]]

    def _run(self, program: str) -> dict[str, Any]:
        file = self.folder / f"{program}.json"
        file.write_text(json.dumps(list(self._cells(program))))
        done = subprocess.run(
            [str(self.node), str(self.folder / program), self.gateway.url, KEY, str(file)],
            env=environment(self.folder),
            capture_output=True,
            text=True,
            timeout=patient(ENDS_S),
            check=False,
        )
        assert done.returncode == 0, done.stderr + self.gateway.output
        said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"cell"')]
        return {one["cell"]: one["heard"] for one in said}

    def _cells(self, program: str) -> Generator[Json, None, None]:
        callers = [caller for caller, (its, _) in CALLERS.items() if its == program]
        for caller, upstream, name, mode in product(callers, KINDS, CELLS, MODES):
            to, stream = UPSTREAMS[upstream], MODES[mode]
            cell = cell_for(caller, upstream, name)
            wish = cell.asks(to, stream=stream)
            yield {
                "id": f"{caller}-{upstream}-{name}-{mode}",
                "caller": caller,
                "stream": stream,
                "leaves": cell.leaves,
                "wish": asdict(wish),
                "body": BODIES[CALLERS[caller][1]](wish),
                "document": PDF,
                "admin": self.admin(to),
                "begins": to.opening,
            }

    def admin(self, upstream: Upstream) -> str:
        """Say where the fake of an upstream is set and read."""
        url = self.urls[upstream.table]
        return f"{url}{CLAUDE}" if upstream.table == "vertex" and upstream.is_claude else url


def cell_for(caller: str, upstream: str, cell: str) -> Cell:
    """Give a cell as it is for this caller."""
    return differing(cell_of(CALLERS[caller][1], upstream, cell), _APART, caller, upstream, cell)


def words_of(caller: str) -> str:
    """Say in whose words a caller tells how an answer ended."""
    program, dialect = CALLERS[caller]
    return "ai" if program == _AI else dialect


def _read(said: Json) -> Heard:
    assert "broke" not in said, said["broke"]
    calls = tuple(Call(one["id"], one["name"], one["arguments"]) for one in said["calls"])
    return Heard(said["text"], said["thoughts"], calls, (), said["finish"], said["usage"], said["error"])


@contextmanager
def standing(programs: Path, node_modules: Path, folder: Path) -> Generator[NodeMatrix, None, None]:
    """Run it."""
    scripts = copytree(PROGRAMS, folder / "node")
    (scripts / "node_modules").symlink_to(node_modules)
    home = folder / "gateway"
    home.mkdir()
    with running([sys.executable, "-m", "tests.conformance.matrix"], ROOT) as fakes:
        said = json.loads(fakes.says('{"urls"', within_s=30))
        login = home / "service_account.json"
        login.write_text(json.dumps(said["login"]))
        config = settings(said["urls"], home / "data") | {"auth": {"keys": [KEY]}}
        (home / "gateway.toml").write_text("".join(f"{name} = {_toml(value)}\n" for name, value in config.items()))
        variables = environment(home) | {"GOOGLE_APPLICATION_CREDENTIALS": str(login)}
        with running([programs / "gateway", "--port", "0"], home, variables) as gateway:
            yield NodeMatrix(gateway, said["urls"], node_modules / "node/bin/node", scripts)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {_toml(one)}" for name, one in value.items()) + "}"
    return json.dumps(value)
