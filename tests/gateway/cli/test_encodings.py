"""Output that is not UTF-8: a locale of old, or a pipe on Windows."""

from pathlib import Path

import pytest

from tests.gateway.cli.conftest import Run


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("init", "--for", "gemini"), "gateway run"),
        (("import", "config.json"), r"port  \u2192 server.port = 8080"),
        (("explain", "demo"), r"\u2192 demo"),
        (("doctor", "-c", "open.toml"), r"\u2192 set auth.keys"),
    ],
)
def test_what_it_lacks_is_escaped(command: Run, folder: Path, words: tuple[str, ...], shown: str) -> None:
    (folder / "config.json").write_text('{"port": 8080}')
    (folder / "open.toml").write_text('[server]\nhost = "0.0.0.0"\n[auth]\nallow_anonymous = "always"\n')
    done = command(*words, PYTHONIOENCODING="latin-1")
    assert shown in done.out
    assert "Traceback" not in done.err
