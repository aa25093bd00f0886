"""Peers: installed once, outside the repository, and started with one worker and a key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import installing
from bench.installing import Missing, cache_folder, filled, install, installed_mb
from bench.pairs import PAIRS
from bench.peers import LITELLM, NGINX, PEERS, PORTKEY, RAW, ROSETTA, SEED_LIKE, Peer
from bench.process import ROOT
from bench.scenarios import EVERY

GATEWAYS = [peer for peer in PEERS.values() if not peer.floor]
PLACES = {"provider": "some-provider", "base": "http://127.0.0.1:1", "address": "127.0.0.1:1", "port": "4000"}
VALUES = PLACES | {"folder": "/f", "user": "", "key": "sk-key", "model": "some-model", "config": "/c.yaml"}


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


@pytest.mark.parametrize("peer", [LITELLM, ROSETTA, SEED_LIKE], ids=lambda peer: peer.name)
def test_it_is_installed_by_the_pip_of_its_own_environment(tmp_path: Path, peer: Peer) -> None:
    runs = Runs()
    programs = install(peer, tmp_path, runs)
    assert tmp_path in programs.parents
    made, installed = runs.commands
    assert made[-1] == str(programs.parent)
    assert installed[0] == str(programs / "python")
    assert tuple(installed[-len(peer.requirements) :]) == peer.requirements
    assert all("==" in requirement for requirement in peer.requirements)


def test_portkey_is_installed_by_npm_with_a_node_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(program(tmp_path, "npm").parent))
    runs = Runs()
    programs = install(PORTKEY, tmp_path, runs)
    [[npm, *words]] = runs.commands
    assert npm == str(tmp_path / "npm")
    assert Path(words[words.index("--prefix") + 1]) in programs.parents
    assert words[-2:] == ["@portkey-ai/gateway@1.15.2", "node@22"]


def program(folder: Path, name: str) -> Path:
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


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


@pytest.mark.parametrize(("peer", "needs"), [(NGINX, "nginx"), (PORTKEY, "npm")], ids=["nginx", "npm"])
def test_a_program_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peer: Peer, needs: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(installing, "MORE_PROGRAMS", str(tmp_path))
    runs = Runs()
    with pytest.raises(Missing, match=f"no {needs} on this machine"):
        install(peer, tmp_path, runs)
    assert not runs.commands


def test_nginx_is_that_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(program(tmp_path, "nginx").parent))
    runs = Runs()
    assert install(NGINX, tmp_path / "caches", runs) == tmp_path
    assert not runs.commands


def command_of(peer: Peer) -> tuple[list[str], dict[str, str]]:
    return filled(peer, Path("/programs"), **VALUES)


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_nothing_of_a_command_is_left_open(peer: Peer) -> None:
    command, variables = command_of(peer)
    settings = peer.settings.format(**VALUES)
    assert command[0] == f"/programs/{peer.command[0]}"
    assert "4000" in " ".join(command) + settings
    assert "http://127.0.0.1:1" in " ".join([settings, *variables.values(), peer.headers.format(**VALUES)]) or (
        peer is NGINX and "server 127.0.0.1:1;" in settings
    )


def test_litellm_starts_with_one_worker_and_a_master_key() -> None:
    command, variables = command_of(LITELLM)
    assert command[command.index("--num_workers") + 1] == "1"
    assert command[command.index("--config") + 1] == "/c.yaml"
    assert variables["LITELLM_MODE"] == "PRODUCTION"
    settings = LITELLM.settings.format(**VALUES)
    assert "master_key: sk-key" in settings
    assert "model: some-provider/some-model" in settings


def test_portkey_is_told_in_each_request_where_to_go() -> None:
    command, _ = command_of(PORTKEY)
    assert command[1:3] == ["--import", "/c.yaml"]
    headers = PORTKEY.headers.format(**VALUES)
    assert headers == "x-portkey-provider: some-provider\r\nx-portkey-custom-host: http://127.0.0.1:1\r\n"


def test_each_knows_the_upstreams_of_its_pairs() -> None:
    known = {"gemini": {"gemini", "google", ""}, "chat": {"openai", "openai_chat"}, "anthropic": {"anthropic"}}
    for peer in GATEWAYS:
        for name, route in peer.routes.items():
            assert route.provider.partition("/")[0] in known[PAIRS[name].upstream], (peer.name, name)


def test_all_serve_one_pair_and_each_says_which_it_does_not() -> None:
    assert all(not peer.why_not("chat-gemini") for peer in PEERS.values())
    assert {peer.name for peer in PEERS.values() if not peer.why_not("chat-v1internal")} == {NGINX.name, RAW.name}
    assert SEED_LIKE.why_not("chat-chat") == "it does not serve chat-chat, only chat-gemini"


def test_what_a_peer_cannot_do_is_a_scenario_with_a_reason() -> None:
    assert all(key in EVERY and reason for peer in PEERS.values() for key, reason in peer.unfit.items())


@pytest.mark.parametrize(
    ("name", "version"), [("litellm", "1.106.2"), ("portkey", "1.15.2"), ("llm-rosetta", "0.13.0"), ("raw", "")]
)
def test_a_peer_has_a_version(name: str, version: str) -> None:
    assert PEERS[name].version == version


def test_the_size_is_that_of_what_pip_installs_of_a_copy_without_extras() -> None:
    commands: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> None:
        commands.append(command)
        sources, target = Path(command[-1]), Path(command[command.index("--target") + 1])
        assert sources != ROOT
        assert (sources / "gateway" / "middleware").is_symlink()
        assert (sources / "pyproject.toml").read_bytes() == (ROOT / "pyproject.toml").read_bytes()
        (target / "package").mkdir(parents=True)
        (target / "package" / "a").write_bytes(bytes(2_000_000))
        (target / "b").write_bytes(bytes(1_000_000))

    assert installed_mb(run) == 3
    assert len(commands) == 1
