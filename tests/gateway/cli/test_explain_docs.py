"""The example of docs/explain.md is what the command prints."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import __version__
from tests.gateway.cli.conftest import Run

TEXT = (Path(__file__).parents[3] / "docs" / "explain.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^```(toml|json|text)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
RANDOM = re.compile(r"agent-[0-9a-f-]{36}")


def test_the_example_is_printed(
    run: Run, write: Callable[[str], Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "REFRESH_TOKEN"):
        monkeypatch.setenv(name, "any")
    write(BLOCKS["toml"])
    (folder / "body.json").write_text(BLOCKS["json"])
    printed = run("explain", "--request", "body.json").out
    printed = printed.replace(f"  {folder}/", "  /etc/gateway/", 1).replace(f"{folder}/", "")
    expected = BLOCKS["text"].replace("asgi-llm-gateway/0.1.0", f"asgi-llm-gateway/{__version__}")
    assert RANDOM.sub("*", printed) == RANDOM.sub("*", expected)


@pytest.mark.parametrize("kind", ["Explanation", "Member", "Way", "Step", "Refusal", "Change", "Edit"])
def test_every_field_of_the_json_is_described(kind: str) -> None:
    from gateway import explain

    described = set(re.findall(r"`(\w+)`", TEXT.split("## For programs")[1]))
    assert set(getattr(explain, kind).__struct_fields__) <= described
