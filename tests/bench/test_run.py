"""What is left out of a run, and that it is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench import installing, run
from bench.pairs import PAIRS
from bench.peers import LITELLM, PEERS
from bench.scenarios import EVERY, OPEN, SCENARIOS


def test_peers_that_do_not_serve_a_pair_and_programs_not_there_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(installing, "MORE_PROGRAMS", str(tmp_path))
    monkeypatch.setattr(installing, "_run", made)
    left_out: dict[str, str] = {}
    found = run.installed(PEERS, PAIRS["chat-anthropic"], left_out)
    assert [peer.name for peer in found] == ["litellm", "llm-rosetta", "raw"]
    assert left_out == {
        "portkey": "there is no npm on this machine",
        "nginx": "there is no nginx on this machine",
        "seed-like": "it does not serve chat-anthropic, only chat-gemini",
    }


def made(command: Sequence[str]) -> None:
    if "venv" in command:
        Path(command[-1]).mkdir(parents=True, exist_ok=True)


def test_what_a_peer_cannot_do_is_left_out_of_that_peer_alone() -> None:
    left_out: dict[str, str] = {}
    unfit = replace(LITELLM, unfit={"whole-16": "it has no time"})
    assert run.possible(SCENARIOS, [unfit], left_out) == list(SCENARIOS)
    assert left_out == {"litellm, whole, 16 at once": "it has no time"}


def few_files(wanted: int) -> int:
    return wanted // 4


def test_a_thousand_streams_need_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "allow_files", few_files)
    left_out: dict[str, str] = {}
    possible = run.possible([*EVERY.values()], [], left_out)
    assert possible == [one for one in EVERY.values() if one is not OPEN]
    assert left_out == {OPEN.name: "a process may have 1024 open files here, and needs 4096"}
