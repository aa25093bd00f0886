"""Claude Code, Codex and Gemini CLI work with `translate.lossy = "strict"`, on every family of upstreams."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.clients import claude_code as claude
from tests.clients import test_codex as codex
from tests.clients import test_gemini_cli as gemini
from tests.clients.test_claude_code import TWO_ROUNDS
from tests.packaging import served
from tests.packaging.fixtures import WHEEL
from tests.packaging.served import KEY, Google
from tests.packaging.wheel import ROOT
from tests.processes import Program, running

pytestmark = [pytest.mark.clients, WHEEL]

# upstream: its table, and the fake behind it
UPSTREAMS = {
    "gemini": ('type = "gemini"', "gemini_api"),
    "openai": ('type = "openai"', "openai_api"),
    "responses": ('type = "openai"\napi = "responses"', "openai_api"),
    "anthropic": ('type = "anthropic"', "anthropic_api"),
}
BELOW = {"openai_api": "/v1"}  # of a fake's address, where a base_url ends
GEMINI = ("google/gemini-3-flash", "gemini/gemini-3-flash-preview")
CLAUDE = ("google/claude-sonnet-4-6", "anthropic/claude-sonnet-4-6")
GPT = ("openai/gpt-5.2", "responses/gpt-5.2")
SEARCH = ("gemini/gemini-3-flash-preview", "anthropic/claude-sonnet-4-6", "responses/gpt-5.2")  # beside functions
NO_SEARCH = ("google/gemini-3-flash", "google/claude-sonnet-4-6", "openai/gpt-5.2")
# what users of such models write down to be served in strict mode, as docs/reference.md has it
WITHOUT_SEARCH = ("-c", 'web_search="disabled"')
WITHOUT_DRAWING = {
    "modelConfigs": {
        "customAliases": {
            "chat-base": {"modelConfig": {"generateContentConfig": {"thinkingConfig": {"includeThoughts": True}}}}
        }
    }
}
Fakes = dict[str, Google]


@pytest.fixture(scope="module")
def fakes() -> Iterator[Fakes]:
    with ExitStack() as stack:
        found = {"google": stack.enter_context(served.google())}
        for module in dict.fromkeys(fake for _, fake in UPSTREAMS.values()):
            command = [sys.executable, "-m", f"tests.fakes.{module}", "--port", "0"]
            found[module] = Google(stack.enter_context(running(command, ROOT)).url)
        yield found


@pytest.fixture(scope="module")
def gateway(programs: Path, tmp_path_factory: pytest.TempPathFactory, fakes: Fakes) -> Iterator[Program]:
    more = ['[translate]\nlossy = "strict"']
    for name, (table, fake) in UPSTREAMS.items():
        more.append(
            f'[upstream.{name}]\n{table}\nbase_url = "{fakes[fake].url}{BELOW.get(fake, "")}"\napi_key = "key-1"'
        )
    with served.gateway(programs, tmp_path_factory.mktemp("gateway"), fakes["google"], "\n".join(more)) as program:
        yield program


@pytest.fixture
def accepting(fakes: Fakes) -> Iterator[Fakes]:
    """Demand that the services accept whatever the gateway sends during the test."""
    for fake in fakes.values():
        fake.reset()
    yield fakes
    assert [call for fake in fakes.values() for call in fake.refused] == []


def asked(fakes: Fakes, model: str) -> int:
    """Count the answers that a model has given."""
    upstream, _, name = model.partition("/")
    fake = fakes["google"] if upstream == "google" else fakes[UPSTREAMS[upstream][1]]
    return sum(name in str(call.get("model") or call) for call in fake.requests)


def settled(gateway: Program, node_modules: Path, folder: Path, **settings: Any) -> gemini.GeminiCLI:
    """Give a Gemini CLI with these settings."""
    client = gemini.GeminiCLI(gateway, node_modules, folder)
    (client.home / ".gemini" / "settings.json").write_text(json.dumps(gemini.SETTINGS | settings))
    return client


@pytest.mark.parametrize("model", [*GEMINI, *CLAUDE, *GPT])
def test_claude_code_finishes_a_task_of_two_rounds(
    gateway: Program, node_modules: Path, tmp_path: Path, accepting: Fakes, model: str
) -> None:
    variables = {"ANTHROPIC_AUTH_TOKEN": KEY, "ANTHROPIC_MODEL": model, "ANTHROPIC_SMALL_FAST_MODEL": model}
    client = claude.ClaudeCode(gateway, node_modules, tmp_path, variables)
    events = client.run(TWO_ROUNDS)
    assert (client.work / "note.txt").read_text() == "written by a tool"
    assert [bool(result.get("is_error")) for result in claude.tool_results(events)] == [False] * 3
    assert (events[-1]["subtype"], events[-1]["result"]) == ("success", "all tools are done")
    assert asked(accepting, model) >= 3


@pytest.mark.parametrize("model", [*SEARCH, *NO_SEARCH])
def test_codex_finishes_a_task_of_two_rounds(
    gateway: Program, node_modules: Path, tmp_path: Path, accepting: Fakes, model: str
) -> None:
    client = codex.Codex(gateway, node_modules, tmp_path)
    events = client.run(model, codex.TWO_ROUNDS, *(WITHOUT_SEARCH if model in NO_SEARCH else ()))
    assert (client.work / "note.txt").read_text() == "written by a tool"
    assert codex.said(events)[-1] == "all tools are done"
    assert asked(accepting, model) >= 3


@pytest.mark.parametrize("model", NO_SEARCH)
def test_codex_is_told_that_it_cannot_search_there(
    gateway: Program, node_modules: Path, tmp_path: Path, accepting: Fakes, model: str
) -> None:
    done = codex.Codex(gateway, node_modules, tmp_path).ask(model, "!say hi")
    assert done.returncode != 0
    assert re.search(r"cannot carry: tools\[\d+\]: [\w ]*web_search[\w ]* \(change\)\\", done.stdout)
    assert asked(accepting, model) == 0


@pytest.mark.parametrize("model", [*GEMINI, *CLAUDE, *GPT])
def test_gemini_cli_finishes_a_task_of_two_rounds(
    gateway: Program, node_modules: Path, tmp_path: Path, accepting: Fakes, model: str
) -> None:
    client = settled(gateway, node_modules, tmp_path, **({} if model in GEMINI else WITHOUT_DRAWING))
    events = client.run(model, gemini.TWO_ROUNDS)
    assert (client.work / "note.txt").read_text() == "written by a tool"
    results = [event for event in events if event["type"] == "tool_result"]
    assert [event["status"] for event in results] == ["success"] * 3
    assert gemini.spoken(events).endswith("all tools are done")
    assert asked(accepting, model) >= 3


@pytest.mark.parametrize("model", [*CLAUDE, *GPT])
def test_gemini_cli_is_told_what_of_its_sampling_is_not_there(
    gateway: Program, node_modules: Path, tmp_path: Path, accepting: Fakes, model: str
) -> None:
    done = settled(gateway, node_modules, tmp_path).ask(model, "!say hi")
    assert done.returncode != 0
    named = re.findall(r"(generationConfig\.\w+): [^()]* \((\w+)\)", done.stdout)
    assert set(named) <= {("generationConfig.topK", "change"), ("generationConfig.topP", "change")}
    assert named
    assert asked(accepting, model) == 0
