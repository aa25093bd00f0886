"""`gateway init`: a gateway.toml of ten lines that `gateway check` accepts, and a key that works."""

import re
import shlex
from pathlib import Path

import httpx
import pytest

from tests.disk import full_disk
from tests.gateway.cli.conftest import Run
from tests.processes import gateway

NEEDS = {
    "antigravity": ["OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET"],
    "gemini": ["GEMINI_API_KEY"],
    "openai": ["OPENAI_API_KEY"],
    "azure": ["AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"],
    "vertex": ["VERTEX_PROJECT"],
    "anthropic": ["ANTHROPIC_API_KEY"],
}
SERVED = ("antigravity", "gemini", "openai", "azure", "vertex", "anthropic")
GEMINI = """\
# Keys that are not here have their defaults: `gateway check` shows them all.
[server]
port = 8045

[auth]
keys = ["env:GATEWAY_KEY"]    # what your clients send; .env holds it

[upstream.gemini]
type = "gemini"
api_key = "env:GEMINI_API_KEY"
"""


def key_in(folder: Path) -> str:
    found = re.search(r"^GATEWAY_KEY=(sk-[\w-]{43})$", (folder / ".env").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_file_is_as_short_as_this(run: Run, folder: Path) -> None:
    assert run("init", "--for", "gemini").code == 0
    assert (folder / "gateway.toml").read_text() == GEMINI


@pytest.mark.parametrize("kind", NEEDS)
def test_every_kind_has_ten_lines_that_check_accepts(
    run: Run, folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("init", "--for", kind).code == 0
    assert len((folder / "gateway.toml").read_text().splitlines()) == 10
    for name in NEEDS[kind]:
        monkeypatch.setenv(name, "https://example.invalid" if "ENDPOINT" in name else "x")
    done = run("check")
    assert (done.code, done.err) == (0, "")
    assert f"upstream.{kind}.type" in done.out


@pytest.mark.parametrize("kind", NEEDS)
def test_every_variable_that_it_needs_is_named(run: Run, kind: str) -> None:
    done = run("init", "--for", kind)
    assert re.findall(r"put into \.env:  (\w+)=…", done.out) == NEEDS[kind]


def test_accounts_are_logged_in_before_the_start(run: Run) -> None:
    steps = re.findall(r"^  \d\. (gateway .*)$", run("init", "--for", "antigravity", "-c", "my.toml").out, re.MULTILINE)
    assert steps == ["gateway login -c my.toml", "gateway run -c my.toml"]


def test_a_variable_that_is_set_is_not_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "AIza")
    assert "GEMINI_API_KEY" not in run("init", "--for", "gemini").out


@pytest.mark.parametrize("kind", NEEDS)
def test_what_cannot_be_served_yet_is_said(run: Run, kind: str) -> None:
    said = "this version does not support upstreams of type" in run("init", "--for", kind).out
    assert said is (kind not in SERVED)


def test_the_key_is_for_the_owners_eyes(run: Run, folder: Path) -> None:
    assert "readable only by you" in run("init").out
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600
    assert key_in(folder) not in (folder / "gateway.toml").read_text()


def test_the_curl_line_is_answered(run: Run, folder: Path) -> None:
    line = next(line for line in run("init").out.splitlines() if "curl" in line)
    _, _, url, _, bearer, _, kind, _, body = shlex.split(line)
    headers = dict(header.split(": ", 1) for header in (bearer, kind))
    with gateway(folder) as program:
        address = url.replace("http://127.0.0.1:8045", program.url)
        answer = httpx.post(address, content=body, headers=headers, timeout=20)
        stranger = httpx.post(address, content=body, headers={"content-type": "application/json"}, timeout=20)
    assert (answer.status_code, stranger.status_code) == (200, 401)
    assert answer.json()["choices"][0]["message"]["content"] == "Hello"


def test_a_gateway_toml_that_is_there_is_not_changed(run: Run, folder: Path) -> None:
    (folder / "gateway.toml").write_text("mine")
    done = run("init")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("gateway.toml: already exists and was not changed: give another name with -c")
    assert (folder / "gateway.toml").read_text() == "mine"
    assert not (folder / ".env").exists()


def test_another_name_is_taken_along(run: Run, folder: Path) -> None:
    done = run("init", "-c", "other.toml")
    assert "1. gateway run -c other.toml" in done.out
    assert (folder / "other.toml").exists()


def test_gateway_config_names_the_file(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CONFIG", "named.toml")
    assert run("init").code == 0
    assert (folder / "named.toml").exists()


def test_a_dotenv_that_is_there_gets_a_line_more(run: Run, folder: Path) -> None:
    (folder / ".env").write_text("PORT=8000")
    (folder / ".env").chmod(0o644)
    done = run("init")
    assert (folder / ".env").read_text() == f"PORT=8000\nGATEWAY_KEY={key_in(folder)}\n"
    assert "other users can read: chmod 600 .env" in done.out


def test_a_key_that_is_set_stays(run: Run, folder: Path) -> None:
    (folder / ".env").write_text("GATEWAY_KEY=sk-mine\n")
    done = run("init")
    assert (folder / ".env").read_text() == "GATEWAY_KEY=sk-mine\n"
    assert "authorization: Bearer sk-mine" in done.out


def test_an_empty_line_is_followed_by_one_that_counts(run: Run, folder: Path) -> None:
    (folder / ".env").write_text("GATEWAY_KEY=\n")
    assert run("init").code == 0
    assert (folder / ".env").read_text() == f"GATEWAY_KEY=\nGATEWAY_KEY={key_in(folder)}\n"
    assert run("check").code == 0


def test_an_empty_variable_of_the_environment_is_left_alone(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "")
    assert "wrote GATEWAY_KEY_2 to .env" in run("init").out
    assert run("check").code == 0


@pytest.mark.parametrize("name", ["PORT", "GATEWAY_SERVER__PORT"])
def test_the_curl_line_heeds_the_port_that_counts(run: Run, folder: Path, name: str) -> None:
    (folder / ".env").write_text(f"{name}=9876\n")
    assert "curl http://127.0.0.1:9876/v1/" in run("init").out


def test_the_curl_line_can_be_pasted_whatever_the_key_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "it's $mine")
    line = next(line for line in run("init").out.splitlines() if "curl" in line)
    assert "authorization: Bearer it's $mine" in shlex.split(line)


def test_the_next_command_can_be_pasted(run: Run) -> None:
    assert "1. gateway run -c 'my gateway.toml'\n" in run("init", "-c", "my gateway.toml").out


def test_nothing_stays_where_the_key_cannot_be_written(run: Run, folder: Path) -> None:
    (folder / ".env").mkdir()
    assert run("init").err == ".env: cannot be written: Is a directory\n"
    assert not (folder / "gateway.toml").exists()


def test_nothing_stays_where_there_is_no_room(command: Run, folder: Path) -> None:
    with full_disk():
        done = command("init")
    assert (done.code, done.err) == (2, "gateway.toml: cannot be written: File too large\n")
    assert not (folder / "gateway.toml").exists()
    assert command("init").code == 0


def test_a_folder_that_is_none_is_said(run: Run, folder: Path) -> None:
    (folder / "file").touch()
    done = run("init", "-c", "file/gateway.toml")
    assert (done.code, done.err) == (2, "file/gateway.toml: cannot be written: Not a directory\n")


def test_a_folder_that_is_not_there_is_said(run: Run) -> None:
    done = run("init", "-c", "nowhere/gateway.toml")
    assert (done.code, done.err) == (2, "nowhere/gateway.toml: cannot be written: No such file or directory\n")
