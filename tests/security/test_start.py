"""What `gateway run` does by itself: nothing is open that nobody asked for."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.processes import environment, gateway

PATHS = ("/", "/health", "/metrics", "/v1/models", "/v1/nothing", "/nothing", "/admin/login", "/docs", "/openapi.json")
KEYED = '[auth]\nkeys = ["sk-a"]\n'


def test_no_answer_names_the_server_or_allows_another_origin(tmp_path: Path) -> None:
    with gateway(tmp_path) as program, httpx.Client(base_url=program.url, timeout=30) as http:
        answers = [http.get(path, headers={"origin": program.url}) for path in PATHS]
        answers.append(http.post("/v1/messages", content=b"{", headers={"origin": program.url}))
    for answer in answers:
        assert "server" not in answer.headers
        assert "x-powered-by" not in answer.headers
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert {answer.status_code for answer in answers[-3:-1]} == {404}  # no page of the framework's own


@pytest.mark.parametrize("body", [b"{", b'{"model": 1}', b'{"model": "demo", "messages": [{"role": "user"}]}'])
def test_no_answer_shows_the_code(tmp_path: Path, body: bytes) -> None:
    with gateway(tmp_path) as program:
        said = httpx.post(f"{program.url}/v1/chat/completions", content=body, timeout=30).text
    assert not any(word in said for word in ("Traceback", ".py", "site-packages", "msgspec", "starlette"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
@pytest.mark.parametrize("toml", ["", '[auth]\nallow_anonymous = "loopback"\n', '[auth]\nallow_anonymous = "never"\n'])
def test_it_does_not_listen_for_others_without_a_key(tmp_path: Path, host: str, toml: str) -> None:
    with gateway(tmp_path, "--host", host, toml=toml) as program:
        assert program.ends(30) == 2
        assert "http://" not in program.output


def modes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.rglob("*") if file.is_file()}


def test_files_with_secrets_that_others_can_read_are_told_at_the_start(tmp_path: Path) -> None:
    files = [tmp_path / "gateway.toml", tmp_path / "key", tmp_path / ".env", tmp_path / "data" / "gateway.db"]
    (tmp_path / "data").mkdir()
    files[0].write_text(f'[auth]\nkeys = ["sk-a", "file:{files[1]}"]\n')
    files[1].write_text("sk-b")
    files[2].write_text("OTHER=1\n")
    files[3].touch()
    for open_to_all in (True, False):
        for file in files:
            file.chmod(0o644 if open_to_all else 0o600)
        with gateway(tmp_path, HOME=str(tmp_path)) as program:
            assert httpx.get(f"{program.url}/health", timeout=30).status_code == 200
            program.says("curl http")  # which ends what it says at the start
            told = [file.name for file in files if f"{file} holds" in program.output]
            assert program.output.count("other users can read it: chmod 600") == len(told)
        assert told == ([file.name for file in files] if open_to_all else [])


def test_what_it_writes_is_its_owners_only(tmp_path: Path) -> None:
    old = environment(tmp_path)
    with gateway(tmp_path, "--log-level", "debug", toml=f"{KEYED}[log]\nfile = 'logs/gateway.log'\n", **old) as program:
        said = {"model": "demo", "messages": [{"role": "user", "content": "hi"}], "input": "hi"}
        answer = httpx.post(f"{program.url}/v1/responses", json=said, headers={"x-api-key": "sk-a"}, timeout=30)
        assert answer.status_code == 200
    found = modes(tmp_path / "data") | modes(tmp_path / "logs")
    assert "gateway.db" in found
    assert {name: oct(mode) for name, mode in found.items() if mode & 0o077} == {}
