"""Output that is not UTF-8: a locale of old, or a pipe on Windows; and a folder whose name is not."""

import os
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.disk import full_disk
from tests.gateway.cli.conftest import COMMAND_S, Run
from tests.patience import patient
from tests.processes import PROGRAMS, environment, gateway


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


WORD = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize("words", [("explain", WORD), ("connect", "codex", "--key", WORD, "--apply")])
def test_a_word_that_is_no_text_is_bad_usage(command: Run, folder: Path, words: tuple[str, ...]) -> None:
    done = command(*words, HOME=str(folder))
    assert (done.code, done.err) == (2, "caf\\udce9: is not UTF-8 text\n")


def test_a_name_that_is_no_text_names_no_key(command: Run) -> None:
    made = command("keys", "new", "caf\N{REPLACEMENT CHARACTER}")
    done = command("keys", "revoke", WORD)
    assert (made.code, done.code, done.err) == (2, 2, 'keys: no key is named "caf\\udce9"\n')


def test_a_key_that_is_no_text_names_its_variable(command: Run) -> None:
    done = command("run", GATEWAY_AUTH__KEYS='["env:A_KEY"]', A_KEY=WORD)
    assert (done.code, done.err) == (2, "environment: GATEWAY_AUTH__KEYS: auth.keys[0]: is not UTF-8 text\n")


@pytest.mark.parametrize("words", [("check",), ("usage", "--json"), ("explain", "demo"), ("version",)])
def test_a_disk_without_room_for_the_output_is_one_line(folder: Path, words: tuple[str, ...]) -> None:
    with (folder / "output").open("wb") as output, full_disk():
        done = subprocess.run(
            [PROGRAMS / "gateway", *words],
            cwd=folder,
            env=environment(folder),
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=patient(COMMAND_S),
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "standard output cannot be written: File too large\n")


@pytest.fixture
def latin(tmp_path: Path) -> Path:
    """Make a folder as a system of old named it."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    return folder


def test_a_folder_whose_name_is_not_utf_8_serves_and_keeps(latin: Path, command: Run) -> None:
    toml = '[record]\ndir = "rec"\n[[key]]\nname = "ann"\nsecret = "sk-of-ann-123456"\nscopes = ["chat", "admin"]\n'
    key = {"authorization": "Bearer sk-of-ann-123456"}
    with gateway(latin, toml=toml) as program, httpx.Client(base_url=program.url, headers=key, timeout=20) as http:
        kept = http.post("/v1/responses", json={"model": "demo", "input": "Hello"}).json()["id"]
        assert http.get(f"/v1/responses/{kept}").status_code == 200
        for accept in ("text/html", "application/json"):
            page = http.get("/admin/configuration", headers={"accept": accept})
            assert (page.status_code, "caf" in page.text) == (200, True)
    config = ("-c", latin / "gateway.toml")
    for words in (("usage",), ("explain", "demo"), ("doctor",)):
        for more in ((), ("--json",)):
            done = command(*words, *more, *config)
            assert (done.code, done.err) == (0, ""), words
    listed = command("keys", "list", *config)
    assert "ann" in listed.out
