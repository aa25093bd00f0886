"""Peers: installed once, outside the repository, and started with one worker and a key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.pairs import PAIRS
from bench.peers import PEERS, cache_folder, install, start_command
from bench.process import ROOT

LITELLM = PEERS["litellm"]


def test_environments_are_kept_in_the_users_cache(tmp_path: Path) -> None:
    assert tmp_path in cache_folder({"XDG_CACHE_HOME": str(tmp_path)}).parents
    assert Path.home() in cache_folder({}).parents
    assert ROOT not in cache_folder({}).parents


class Runs:
    """Notes each command; makes the folder of an environment; fails at pip if told so."""

    def __init__(self, *, offline: bool = False) -> None:
        self.offline = offline
        self.commands: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str]) -> None:
        self.commands.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True, exist_ok=True)
        elif self.offline:
            raise OSError("no network")


def test_it_is_installed_by_the_pip_of_its_own_environment(tmp_path: Path) -> None:
    runs = Runs()
    programs = install(LITELLM, tmp_path, runs)
    assert tmp_path in programs.parents
    made, installed = runs.commands
    assert made[-1] == str(programs.parent)
    assert installed[0] == str(programs / "python")
    assert installed[-1] == "litellm[proxy]==1.106.2"


def test_an_environment_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    programs = install(LITELLM, tmp_path, Runs())
    again = Runs()
    assert install(LITELLM, tmp_path, again) == programs
    assert not again.commands


def test_an_installation_that_failed_is_made_again(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no network"):
        install(LITELLM, tmp_path, Runs(offline=True))
    again = Runs()
    install(LITELLM, tmp_path, again)
    assert len(again.commands) == 2


def test_litellm_starts_with_one_worker_on_the_port_given() -> None:
    command = start_command(LITELLM, Path("/programs"), config="/c.yaml", port="4000")
    assert command[0] == "/programs/litellm"
    assert command[command.index("--num_workers") + 1] == "1"
    assert command[command.index("--port") + 1] == "4000"
    assert command[command.index("--config") + 1] == "/c.yaml"


def test_litellm_is_given_a_master_key_and_the_fakes_address() -> None:
    values = {"key": "sk-key", "model": "some-model", "provider": "gemini", "base": "http://127.0.0.1:1/v1beta"}
    settings = LITELLM.settings.format(**values)
    assert "master_key: sk-key" in settings
    assert "model: gemini/some-model" in settings
    assert "api_base: http://127.0.0.1:1/v1beta" in settings


def test_litellm_has_a_route_for_each_upstream_it_knows() -> None:
    assert set(PAIRS) - set(LITELLM.routes) == {"chat-v1internal"}
    providers = {(PAIRS[name].upstream, route.provider.partition("/")[0]) for name, route in LITELLM.routes.items()}
    assert providers == {("gemini", "gemini"), ("chat", "openai"), ("anthropic", "anthropic")}
