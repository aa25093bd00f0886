"""The command line of a run."""

from __future__ import annotations

import pytest

from bench.options import FULL, read_options, scenarios_of
from bench.pairs import PAIRS
from bench.peers import PEERS
from bench.scenarios import EVERY, SCENARIOS

SERVED = [name for name in PAIRS if name != "chat-v1internal"]


@pytest.mark.parametrize(
    ("words", "pairs"),
    [
        ([], ["chat-v1internal"]),
        (["--peers", "litellm"], ["chat-gemini"]),
        (["--peers", "nginx", "raw"], ["chat-v1internal"]),
        (["--peers", "all"], ["chat-gemini"]),
        (["--pairs", "responses-chat", "chat-chat"], ["responses-chat", "chat-chat"]),
        (["--pairs", "chat-chat", "chat-chat"], ["chat-chat"]),
        (["--pairs", "all"], list(PAIRS)),
        (["--pairs", "all", "--peers", "litellm"], SERVED),
        (["--pairs", "all", "--peers", "seed-like"], ["chat-gemini"]),
        (["--pairs", "all", "--peers", "seed-like", "litellm"], SERVED),
        (["--pairs", "chat-v1internal", "--peers", "litellm"], ["chat-v1internal"]),
        (["--full"], list(FULL)),
        (["--full", "--pairs", "chat-chat"], ["chat-chat"]),
    ],
)
def test_pairs_are_those_that_a_peer_serves_too(words: list[str], pairs: list[str]) -> None:
    assert read_options(words).pairs == pairs


@pytest.mark.parametrize(
    "words", [["--peers", "nobody"], ["--pairs", "chat-nothing"], ["--scenarios", "nothing"]], ids="".join
)
def test_what_is_not_known_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options(words)
    assert ended.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


def test_three_rounds_without_peers_or_index_are_run_unless_told_otherwise() -> None:
    options = read_options([])
    assert (options.rounds, options.peers, options.install_size) == (3, [], False)


@pytest.mark.parametrize(
    ("words", "first", "second"),
    [
        ([], [one.key for one in SCENARIOS], [one.key for one in SCENARIOS]),
        (["--scenarios", "image-1", "whole-1", "image-1"], ["image-1", "whole-1"], ["image-1", "whole-1"]),
        (["--scenarios", "all"], list(EVERY), list(EVERY)),
        (["--full"], list(EVERY), [one.key for one in SCENARIOS]),
        (["--full", "--scenarios", "pace-8"], ["pace-8"], ["pace-8"]),
    ],
)
def test_scenarios_are_chosen_by_their_keys(words: list[str], first: list[str], second: list[str]) -> None:
    options = read_options(words)
    assert [[one.key for one in scenarios_of(options, number)] for number in (0, 1)] == [first, second]


def test_a_full_run_has_every_peer() -> None:
    assert read_options(["--full"]).peers == list(PEERS)
    assert read_options(["--full", "--peers", "nginx"]).peers == ["nginx"]


def test_a_quick_run_asks_less() -> None:
    whole, quick = (sum(one.units for one in scenarios_of(read_options(words), 0)) for words in ([], ["--quick"]))
    assert quick < whole / 5
