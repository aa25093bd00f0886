"""What a shell is told when somebody presses Tab."""

import pytest

from tests.gateway.cli.conftest import Run


@pytest.fixture
def offered(run: Run, monkeypatch: pytest.MonkeyPatch) -> "Offered":
    return Offered(run, monkeypatch)


class Offered:
    """Asks what could stand in the place of the last word."""

    def __init__(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        self._run = run
        self._patch = monkeypatch
        monkeypatch.setenv("_GATEWAY_COMPLETE", "bash_complete")

    def __call__(self, *words: str) -> list[str]:
        self._patch.setenv("COMP_WORDS", " ".join(("gateway", *words)))
        self._patch.setenv("COMP_CWORD", str(len(words)))
        return self._run().out.split()


def test_commands_are_offered(offered: Offered) -> None:
    assert {"plain,run", "plain,credentials", "plain,version"} <= {*offered("")}
    assert offered("cred") == ["plain,credentials"]


def test_flags_without_a_command_are_those_of_run(offered: Offered) -> None:
    assert offered("--po") == ["plain,--port"]
    assert offered("--vers") == ["plain,--version"]
    assert offered("--help") == ["plain,--help"]
    assert offered("--no-config", "--po") == ["plain,--port"]


@pytest.mark.parametrize(
    "words",
    [
        ("-c", ""),
        ("check", "-c", ""),
        ("import", ""),
        ("init", "-c", ""),
        ("explain", "--request", ""),
        ("credentials", "import", ""),
        ("replay", ""),
    ],
)
def test_files_are_offered(offered: Offered, words: tuple[str, ...]) -> None:
    assert offered(*words) == ["file,"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(run: Run, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    monkeypatch.setenv("_GATEWAY_COMPLETE", f"{shell}_source")
    done = run()
    assert done.code == 0
    assert f"_GATEWAY_COMPLETE={shell}_complete" in done.out
