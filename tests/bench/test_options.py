"""The command line of a run."""

from __future__ import annotations

import pytest

from bench.run import read_options


@pytest.mark.parametrize(
    ("words", "upstream"),
    [
        ([], "v1internal"),
        (["--upstream", "gemini"], "gemini"),
        (["--peers", "litellm"], "gemini"),
        (["--peers", "litellm", "--upstream", "gemini"], "gemini"),
    ],
)
def test_upstream_speaks_what_a_peer_can_read(words: list[str], upstream: str) -> None:
    assert read_options(words).upstream == upstream


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--peers", "litellm", "--upstream", "v1internal"], "a gemini upstream only"),
        (["--peers", "nobody"], "invalid choice"),
    ],
)
def test_what_cannot_be_compared_is_refused(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options(words)
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


def test_three_rounds_are_run_unless_told_otherwise() -> None:
    assert read_options([]).rounds == 3
