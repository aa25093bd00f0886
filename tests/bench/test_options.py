"""The command line of a run."""

from __future__ import annotations

import pytest

from bench.pairs import PAIRS
from bench.run import read_options


@pytest.mark.parametrize(
    ("words", "pairs"),
    [
        ([], ["chat-v1internal"]),
        (["--peers", "litellm"], ["chat-gemini"]),
        (["--pairs", "responses-chat", "chat-chat"], ["responses-chat", "chat-chat"]),
        (["--pairs", "chat-chat", "chat-chat"], ["chat-chat"]),
        (["--pairs", "all"], list(PAIRS)),
        (["--pairs", "all", "--peers", "litellm"], [name for name in PAIRS if name != "chat-v1internal"]),
    ],
)
def test_pairs_are_those_that_a_peer_serves_too(words: list[str], pairs: list[str]) -> None:
    assert read_options(words).pairs == pairs


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--peers", "litellm", "--pairs", "chat-gemini", "chat-v1internal"], "peers: chat-v1internal"),
        (["--peers", "nobody"], "invalid choice"),
        (["--pairs", "chat-nothing"], "invalid choice"),
    ],
)
def test_what_cannot_be_compared_is_refused(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options(words)
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


def test_three_rounds_are_run_unless_told_otherwise() -> None:
    assert read_options([]).rounds == 3
