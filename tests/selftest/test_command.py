"""`gateway selftest`: what it checks, what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.cli import main
from tests.patience import patient
from tests.ports import free_port
from tests.processes import PROGRAMS, environment, gateway

KEY = "sk-0123456789abcdef0123456789"
TOML = f"""
[auth]
keys = ["{KEY}"]
[limits]
requests_per_minute = 1
"""
UNREACHABLE = '[upstream.mine]\ntype = "openai"\napi_key = "k"\nbase_url = "http://127.0.0.1:9"\n'
NOBODY = '[upstream.google]\ntype = "v1internal"\noauth = { client_id = "a", client_secret = "b" }\n'


class Done(NamedTuple):
    code: object
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `gateway selftest` with these words to its end, in an empty folder, without this machine's variables."""
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - {"HOME", "PATH", "PYTEST_CURRENT_TEST"}:
        monkeypatch.delenv(name)

    def run(*words: str) -> Done:
        with pytest.raises(SystemExit) as end:
            main(["selftest", *words])
        return Done(end.value.code, *capfd.readouterr())

    return run


# without URL


def test_without_a_configuration_the_demo_passes_every_check(run: Run) -> None:
    done = run("--dialect", "anthropic", "--json")
    said = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert (said["ok"], said["model"], said["offered"]) == (True, "demo", ["anthropic"])
    verdicts = {one["check"]: one["verdict"] for one in said["findings"]}
    assert len(verdicts) >= 20
    assert verdicts["wrong key"] == verdicts["answer that breaks off"] == verdicts["callers who leave"] == "ok"


def test_the_configured_gateway_is_checked_without_its_limits_and_by_a_key_of_its_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(TOML)
    done = run("--simple")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].split() == ["ok", "openai-chat", "text", "32", "characters,", "stop"]
    assert lines[-1].endswith(
        ": model demo; openai-chat, openai-responses, anthropic, gemini; 8 ok, 0 failed, 0 not offered"
    )
    assert len(lines) == 9


def test_no_log_file_is_made(run: Run, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('[log]\nfile = "gateway.log"\n')
    assert run("--simple", "--dialect", "anthropic").code == 0
    assert not (tmp_path / "gateway.log").exists()


def test_what_runs_already_with_limits_is_no_hindrance(run: Run, tmp_path: Path) -> None:
    with gateway(tmp_path, toml=TOML) as program:
        assert program.url
        assert run("--simple", "--dialect", "gemini").code == 0


@pytest.mark.parametrize("toml", [NOBODY, UNREACHABLE])
@pytest.mark.parametrize("model", [(), ("--model", "m")])
def test_nothing_usable_is_exit_3(run: Run, tmp_path: Path, toml: str, model: tuple[str, ...]) -> None:
    (tmp_path / "gateway.toml").write_text(toml)
    done = run("--simple", *model)
    assert (done.code, done.out) == (3, "")
    assert "nothing usable" in done.err


def test_a_wrong_configuration_is_exit_2(run: Run, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("[server]\nportt = 1\n")
    done = run()
    assert (done.code, done.out) == (2, "")
    assert "gateway.toml:2:" in done.err


# with URL


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a gateway that wants a key."""
    with gateway(tmp_path_factory.mktemp("served"), toml=f'[auth]\nkeys = ["{KEY}"]\n') as program:
        yield program.url


def test_a_gateway_is_checked_with_the_key_of_the_environment(
    run: Run, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_API_KEY", KEY)
    done = run(url, "--tools", "--dialect", "openai-chat", "--dialect", "gemini")
    assert done.code == 0
    assert done.out.splitlines()[-1] == f"{url}: model demo; openai-chat, gemini; 8 ok, 0 failed, 0 not offered"


@pytest.mark.parametrize(
    ("toml", "port", "code"),
    [
        ('[auth]\nkeys = ["{key}"]\n[server]\nport = {port}\n', 0, 0),
        ('[[key]]\nname = "alice"\nsecret = "{key}"\n[server]\nport = {port}\n', 0, 0),
        ('[[key]]\nname = "alice"\nsecret = "{key}"\nscopes = ["admin"]\n[server]\nport = {port}\n', 0, 1),
        ('[auth]\nkeys = ["{key}"]\n[server]\nport = {port}\n', 1, 1),  # another program's address
        ("[server]\nport = {port}\n", 0, 1),
        ("[server]\nportt = {port}\n", 0, 1),
    ],
)
def test_the_configured_gateways_own_address_is_called_by_a_key_of_its_own(
    run: Run, url: str, tmp_path: Path, toml: str, port: int, code: int
) -> None:
    (tmp_path / "gateway.toml").write_text(toml.format(key=KEY, port=int(url.rpartition(":")[2]) - port))
    assert run(url, "--simple", "--dialect", "anthropic").code == code


def test_a_failed_check_is_exit_1_and_says_what_was_asked_and_heard(run: Run, url: str) -> None:
    done = run(url, "--no-streaming", "--dialect", "anthropic", "--model", "demo", "--key", f"{KEY}-other")
    assert done.code == 1
    assert (
        "FAILED       anthropic         text                        POST /v1/messages: it was rejected: 401" in done.out
    )
    assert KEY not in done.out


def test_headers_go_with_every_request(run: Run, url: str) -> None:
    words = (url, "--simple", "--dialect", "openai-responses", "--model", "demo")
    assert run(*words, "--header", f"x-api-key: {KEY}").code == 0
    assert run(*words, "--header", "x-other: 1").code == 1


def test_nobody_there_is_exit_1(run: Run) -> None:
    done = run(f"http://127.0.0.1:{free_port()}", "--simple")
    assert done.code == 1
    assert done.out.count("ConnectError") == 4
    assert "no dialect is offered" in done.out


def test_a_reader_who_leaves_gets_no_traceback(tmp_path: Path) -> None:
    with subprocess.Popen(
        [PROGRAMS / "gateway", "selftest", "--simple"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == ""
        assert program.wait(patient(30)) == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--simple", "--tools"), "choose one: --simple or --tools"),
        (("localhost:8045",), "is not a URL"),
        (("--header", "x-team"), "write NAME: VALUE"),
        (("--dialect", "cohere"), "'cohere' is not one of"),
        (("http://127.0.0.1:1/v1",), "without the version"),
        (("http://127.0.0.1:1/ai/v1beta/",), "without the version"),
    ],
    ids=lambda given: given if isinstance(given, str) else " ".join(given),
)
def test_what_cannot_be_meant_is_exit_2(run: Run, words: tuple[str, ...], reason: str) -> None:
    done = run(*words)
    assert (done.code, done.out) == (2, "")
    assert reason in done.err
