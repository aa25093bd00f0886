"""Claude Code works with nothing but the `.env` of the replaced proxy and the settings that its docs name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import claude_code as claude
from tests.packaging.fixtures import WHEEL
from tests.packaging.replaced import ANTHROPIC, EVERY, GOOGLE, OPENAI, TOKEN, VERTEX, Provider, Proxies, Proxy, answers

pytestmark = [pytest.mark.clients, WHEEL]

TASK = """Write a note, then read it.
!tool Bash {"command": "printf 'written by a tool' > note.txt", "description": "Write the note"}
!then
!tool Read {"file_path": "WORK/note.txt"}
!then
!say all tools are done"""
SMALLER = "--model", "haiku"


@pytest.fixture(scope="module")
def proxies(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxies]:
    with Proxies(programs, lambda: tmp_path_factory.mktemp("proxy")) as one:
        yield one


class ClaudeCode(claude.ClaudeCode):
    """Claude Code as the replaced proxy's docs set it up, by two files."""

    def __init__(self, proxy: Proxy, node_modules: Path, folder: Path) -> None:
        super().__init__(proxy.program, node_modules, folder, {})
        settings = self.home / ".claude" / "settings.json"
        settings.parent.mkdir()
        env = {
            "ANTHROPIC_AUTH_TOKEN": TOKEN,
            "ANTHROPIC_BASE_URL": proxy.program.url,
            "API_TIMEOUT_MS": "3000000",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        settings.write_text(json.dumps({"env": env}))
        (self.home / ".claude.json").write_text('{"hasCompletedOnboarding": true}')


@pytest.mark.parametrize("provider", EVERY.values(), ids=EVERY)
def test_a_task_with_tools_is_finished(
    provider: Provider, proxies: Proxies, node_modules: Path, tmp_path: Path
) -> None:
    proxy = proxies.before(provider)
    claude_code = ClaudeCode(proxy, node_modules, tmp_path)
    events = claude_code.run(TASK)
    assert [bool(result.get("is_error")) for result in claude.tool_results(events)] == [False, False]
    assert (events[-1]["result"], events[-1]["is_error"]) == ("all tools are done", False)
    assert (claude_code.work / "note.txt").read_text() == "written by a tool"
    refused = [call.request["max_tokens"] for call in proxy.calls if call.status == 400]
    assert len(refused) <= 1
    assert all(limit > 32_000 for limit in refused)  # longer than the model can: cut from then on
    if provider is not ANTHROPIC:
        assert set(proxy.asked) == {provider.leads["claude-sonnet-4-5"]}


@pytest.mark.parametrize("provider", EVERY.values(), ids=EVERY)
def test_its_small_model_leads_to_the_small_one(
    provider: Provider, proxies: Proxies, node_modules: Path, tmp_path: Path
) -> None:
    proxy = proxies.before(provider)
    assert ClaudeCode(proxy, node_modules, tmp_path).run("!say hi", *SMALLER)[-1]["result"] == "hi"
    (model,) = set(proxy.asked)
    if provider is ANTHROPIC:
        assert model.startswith("claude-haiku-")  # the one that this release of the client means
    else:
        assert model == provider.leads["claude-haiku-4-5"]


@pytest.mark.parametrize(("provider", "fallback"), [(GOOGLE, OPENAI), (VERTEX, OPENAI)], ids=["google", "vertex"])
def test_a_task_is_finished_by_the_other_provider(
    provider: Provider, fallback: Provider, proxies: Proxies, node_modules: Path, tmp_path: Path
) -> None:
    proxy = proxies.before(provider, fallback)
    proxy.fake.fail(503, times=999)
    assert ClaudeCode(proxy, node_modules, tmp_path).run(TASK)[-1]["result"] == "all tools are done"
    assert proxy.fallback is not None
    assert {call.model for call in answers(proxy.fallback)} == {"gpt-4.1"}
