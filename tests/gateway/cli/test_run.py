"""`gateway run` as a process: what it says when it starts, and what its flags and variables change."""

import json
import os
import shlex
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from gateway.middleware.auth import PLACES
from tests.gateway.cli.test_workers import wait_until
from tests.patience import patient
from tests.ports import free_port
from tests.processes import PROGRAMS, Program, environment, gateway, running

ROOT = Path(__file__).parents[3]
OAUTH = {"OAUTH_CLIENT_ID": "a-client", "OAUTH_CLIENT_SECRET": "its-secret"}


def ask(program: Program, **headers: str) -> httpx.Response:
    body = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
    return httpx.post(f"{program.url}/v1/chat/completions", json=body, headers=headers, timeout=20)


def serves(port: int) -> bool:
    with suppress(httpx.ConnectError):
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=20).status_code == 200
    return False


def request_line(program: Program) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(program.says('"event":"request"'))
    return line


def curl_line(program: Program) -> str:
    return program.says("curl ").strip()


def test_without_any_configuration_the_demo_is_served_on_loopback(folder: Path) -> None:
    with gateway(folder) as program:
        address = program.url
        said = [line.strip() for line in (program.says("curl http") and program.lines)]
    assert said[0].startswith("gateway ")
    assert said[0].endswith(f"on {address} (httptools, uvloop)")
    assert said[1:4] == [
        "configuration: none, built-in defaults",
        "upstream demo: usable, no account needed",
        "keys: 0, anonymous access: loopback",
    ]


def test_the_curl_line_is_answered(folder: Path) -> None:
    with gateway(folder) as program:
        curl, url, _, header, _, body = shlex.split(curl_line(program))
        name, _, value = header.partition(": ")
        answer = httpx.post(url, content=body, headers={name: value}, timeout=20)
    assert (curl, answer.status_code) == ("curl", 200)
    assert answer.json()["choices"][0]["message"]["content"] == "Hello"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no /dev/full")
def test_a_banner_that_cannot_be_printed_makes_no_failure_of_the_end(folder: Path) -> None:
    port = free_port()
    variables = environment(folder) | {"PYTHONUNBUFFERED": ""}  # so that something waits to be printed
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(
            [PROGRAMS / "gateway", "run", "--port", str(port)],
            cwd=folder,
            env=variables,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    wait_until(lambda: serves(port))
    process.terminate()
    _, said = process.communicate(timeout=patient(20))
    assert (process.returncode, "Exception" in said) == (0, False)


@pytest.mark.skipif(shutil.which("curl") is None and "CI" not in os.environ, reason="this machine has no curl")
def test_the_curl_line_works_in_a_shell(folder: Path) -> None:
    with gateway(folder) as program:
        done = subprocess.run(
            ["/bin/sh", "-c", curl_line(program)], capture_output=True, check=True, timeout=patient(20)
        )
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "Hello"


def test_the_banner_counts_keys_and_credentials(folder: Path) -> None:
    toml = """
        [auth]
        keys = ["sk-1", "sk-2"]
        [[key]]
        name = "alice"
        secret = "sk-3"
        [upstream.antigravity]
        models = ["gemini-3-flash"]
        [upstream.antigravity.pool]
        refresh_tokens = ["1//a", "1//b"]
        [upstream.demo]
    """
    with gateway(folder, toml=toml, **OAUTH) as program:
        assert program.says("configuration:").strip() == f"configuration: {folder / 'gateway.toml'}"
        antigravity = "upstream antigravity: usable: 2 of 2 credentials, from OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET"
        assert program.says("upstream antigravity").strip() == antigravity
        assert program.says("upstream demo").strip() == "upstream demo: usable, no account needed"
        assert program.says("keys:").strip() == "keys: 3"
        assert "credentials are stored unencrypted" in program.says("warning:")
        assert "Bearer YOUR_KEY" in curl_line(program)
    assert "sk-1" not in program.output


@pytest.mark.skipif(shutil.which("curl") is None and "CI" not in os.environ, reason="this machine has no curl")
@pytest.mark.parametrize("place", PLACES)
def test_the_key_of_the_curl_line_stands_where_it_is_looked_for(folder: Path, place: str) -> None:
    toml = f'[auth]\nkeys = ["sk-mine"]\naccept = ["{place}"]\n[upstream.demo]\n'
    with gateway(folder, toml=toml) as program:
        line = curl_line(program).replace("YOUR_KEY", "sk-mine")
        done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True, timeout=patient(20))
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "Hello"


def test_the_banner_asks_for_no_key_where_the_key_store_fails(folder: Path) -> None:
    """It may hold keys, and a new one could not be written there."""
    (folder / "data").mkdir(0o700)
    (folder / "data" / "gateway.db").write_text("no database at all, and long enough for it to be seen" * 99)
    with gateway(folder) as program:
        assert program.says("keys:").strip() == "keys: unknown: the key store fails"
        assert ask(program).status_code == 401


def test_the_banner_says_that_the_last_key_is_revoked(folder: Path) -> None:
    for words in (["new", "first"], ["revoke", "first"]):
        said = subprocess.run([PROGRAMS / "gateway", "keys", *words], cwd=folder, env=environment(folder), check=False)
        assert said.returncode == 0
    with gateway(folder) as program:
        assert program.says("keys:").strip() == "keys: none is valid; `gateway keys new NAME` makes one"
        assert ask(program).status_code == 401
    with gateway(folder, GATEWAY_AUTH__ALLOW_ANONYMOUS="always") as program:
        assert program.says("keys:").strip() == "keys: 0, anonymous access: always"
        assert ask(program).status_code == 200


def test_the_curl_line_invents_no_model(folder: Path) -> None:
    toml = '[upstream.local]\ntype = "openai"\nbase_url = "http://127.0.0.1:1/v1"\n'
    with gateway(folder, toml=toml) as program:
        assert '"model": "YOUR_MODEL"' in curl_line(program)


def test_the_curl_line_asks_for_a_model_that_can_be_answered_now(folder: Path) -> None:
    """The first upstream has no account yet, and the first model of the next one only embeds."""
    toml = """
        [upstream.antigravity]
        [upstream.openai]
        api_key = "sk-1"
        models = ["text-embedding-3-small", "gpt-4.1"]
    """
    with gateway(folder, toml=toml, **OAUTH) as program:
        assert '"model": "gpt-4.1"' in curl_line(program)


def test_the_banner_names_the_variable_that_gave_a_key(folder: Path) -> None:
    with gateway(folder, ANTHROPIC_AUTH_TOKEN="sk-a", API_KEYS="sk-b,sk-c") as program:
        assert program.says("keys:").strip() == "keys: 3, from API_KEYS, ANTHROPIC_AUTH_TOKEN"


def test_the_banner_names_the_variables_that_made_an_upstream(folder: Path) -> None:
    with gateway(folder, OPENAI_API_KEY="sk-a", OPENAI_BASE_URL="http://127.0.0.1:9/v1") as program:
        said = program.says("upstream openai:").strip()
    assert said == "upstream openai: usable: 1 of 1 credentials, from OPENAI_API_KEY, OPENAI_BASE_URL"


LOOP = """
[server]
public_url = "https://gateway.example"
[upstream.local]
type = "openai"
base_url = "http://127.0.0.1:1/v1"
models = ["one"]
[upstream.openai]
base_url = "https://gateway.example/v1"
models = ["two"]
api_key = "sk-two"
"""


def test_an_upstream_that_is_the_gateway_itself_is_told_at_the_start(folder: Path) -> None:
    """As one gets it from a client's OPENAI_BASE_URL."""
    with gateway(folder, toml=LOOP, PYTHONPATH=str(ROOT)) as program:
        warned = program.says("which would call itself")
        program.says("curl http")
    assert (
        warned.strip()
        == "warning: upstream openai is this gateway, which would call itself; set the URL of the service"
    )
    assert program.output.count("would call itself") == 1


def test_a_variable_that_may_be_meant_for_a_key_is_told(folder: Path) -> None:
    (folder / ".env").write_text("GATEWAY_LOG_LEVEL=debug\n")
    with gateway(folder) as program:
        said = program.says("is not read").strip()
    assert said == 'warning: .env: GATEWAY_LOG_LEVEL: is not read; did you mean "GATEWAY_LOG__LEVEL"?'


TOKENS = '{"oauth_config": {"client_id": "c"}, "projects": [{"refresh_token": "1//a"}]}'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", '\ufeff{"antigravity_api_key": "sk-1"}'),
        ("config.json", '{"server": {"port": 8888}, "auth_keys": []}'),
        ("tokens.json", TOKENS),
        ("data/tokens.json", TOKENS),
    ],
)
def test_a_file_of_a_replaced_system_that_nothing_reads_is_named(folder: Path, name: str, text: str) -> None:
    """Its program started from it without an argument: here the demo was served, and nothing said of the file."""
    (folder / "data").mkdir(0o700)
    (folder / name).write_text(text)
    with gateway(folder) as program:
        said = program.says("is not read").strip()
        program.says("curl http")
    assert said == f"warning: {name} is not read: `gateway import {name}` makes a gateway.toml from it"
    done = subprocess.run([PROGRAMS / "gateway", "import", name], cwd=folder, env=environment(folder), check=False)
    assert done.returncode == 0
    with gateway(folder) as program:
        program.says("page:")
        program.says("usable")
    assert "is not read" not in program.output


@pytest.mark.parametrize("text", ['{"server": {"port": 1}, "projects": []}', "[1]", "no JSON", '["auth_keys"]'])
def test_a_file_of_another_program_is_not(folder: Path, text: str) -> None:
    for name in ("config.json", "tokens.json"):
        (folder / name).write_text(text)
    with gateway(folder) as program:
        program.says("curl http")
    assert "is not read" not in program.output


def test_without_a_usable_credential_it_runs_and_refuses(folder: Path) -> None:
    with gateway(folder, toml="[upstream.antigravity]", **OAUTH) as program:
        url = program.url
        assert "no upstream is usable yet; requests get 503" in program.says("no upstream is usable")
        assert ask(program).status_code == 503
        ready = httpx.get(f"{url}/health/ready")
        alive = httpx.get(f"{url}/health")
    assert (ready.status_code, ready.json()) == (503, {"status": "unusable"})
    assert alive.status_code == 200


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_runs_without_a_standard_error(folder: Path, workers: str) -> None:
    """As `gateway 2>&-` and some starters of services have it."""
    command = ["/bin/sh", "-c", 'exec "$0" --port 0 --workers "$1" 2>&-', str(PROGRAMS / "gateway"), workers]
    with running(command, folder, environment(folder) | {"PYTHONPATH": str(ROOT)}) as program:
        assert ask(program).status_code == 200
        program.process.terminate()
        assert program.ends() == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["doctor", "explain demo"])
def test_a_command_ends_as_ever_where_a_stream_is_closed(folder: Path, command: str, closed: str) -> None:
    given = environment(folder) | {"PYTHONPATH": str(ROOT)}
    codes = [
        subprocess.run(
            ["/bin/sh", "-c", f'exec "$0" {command} {how}', str(PROGRAMS / "gateway")],
            cwd=folder,
            env=given,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patient(60),
            check=False,
        ).returncode
        for how in ("", closed)
    ]
    assert codes[0] == codes[1]


@pytest.mark.parametrize("place", ["file", "file/data"])
def test_a_data_dir_that_cannot_be_written_is_told_at_the_start(folder: Path, place: str) -> None:
    (folder / "file").touch()
    with gateway(folder, toml=f'[server]\ndata_dir = "{place}"') as program:
        assert ask(program).status_code == 200
        said = "server.data_dir cannot be written; data is kept in memory only"
        why = f"{folder / 'file'}: Not a directory"
        assert program.says(f"  warning: {said}: {why}")
        program.says(f'"{said}"')
        (line,) = (json.loads(line) for line in program.lines if line.startswith("{") and f'"{said}"' in line)
        assert (line["level"], line["reason"]) == ("warning", why)


def test_a_folder_of_recordings_that_cannot_be_written_is_told_at_the_start(folder: Path) -> None:
    (folder / "file").touch()
    with gateway(folder, toml='[record]\ndir = "file"') as program:
        assert program.says(f"  warning: record.dir cannot be written; nothing is recorded: {folder / 'file'}: ")
        assert program.says('"record.dir cannot be written; nothing is recorded"')
        assert ask(program).status_code == 200


@pytest.mark.parametrize("more", [(), ("--reload",)])
def test_a_port_in_use_is_exit_4_and_one_line(folder: Path, more: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with gateway(folder, "--port", str(port), *more) as program:
            assert program.ends() == 4
    reason = "another program is listening there; stop it, or use another --port"
    assert program.lines == [f"cannot listen on 127.0.0.1:{port}: {reason}\n"]


def test_an_empty_refresh_token_stops_the_start(folder: Path) -> None:
    """As of a variable that is not set; the demo would be served in the place of the account."""
    with gateway(folder, "--refresh-token", "") as program:
        assert program.ends() == 2
    assert program.lines == ["command line: --refresh-token: upstream.antigravity.pool.refresh_tokens: is empty\n"]


def test_a_flag_beats_the_environment_which_beats_the_file(folder: Path) -> None:
    (folder / "gateway.toml").write_text('[server]\nport = 1\n[auth]\nkeys = ["sk-file"]\n[log]\nlevel = "error"')
    variables = {"PORT": "0", "GATEWAY_AUTH__KEYS": '["sk-environment"]'}
    with running([PROGRAMS / "gateway", "--api-key", "sk-flag"], folder, environment(folder) | variables) as program:
        statuses = [ask(program, **{"x-api-key": f"sk-{who}"}).status_code for who in ("flag", "environment", "file")]
    assert statuses == [200, 401, 401]


def test_host_port_and_log_level_are_read(folder: Path) -> None:
    variables = {"HOST": "127.0.0.2", "PORT": "0", "LOG_LEVEL": "error"}
    with running([PROGRAMS / "gateway"], folder, environment(folder) | variables) as program:
        assert program.url.startswith("http://127.0.0.2:")
        assert ask(program, host="localhost").status_code == 200
        program.process.terminate()
        program.ends()
    assert '"event":"request"' not in program.output


def test_the_configured_host_is_the_only_address(folder: Path) -> None:
    with gateway(folder, toml='[server]\nhost = "127.0.0.2"') as program:
        url = httpx.URL(program.url)
        assert url.host == "127.0.0.2"
        assert url.port is not None
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", url.port))


def test_api_key_can_be_repeated(folder: Path) -> None:
    with gateway(folder, "--api-key", "sk-one", "--api-key", "sk-two") as program:
        statuses = [ask(program, authorization=f"Bearer sk-{key}").status_code for key in ("one", "two", "three")]
    assert statuses == [200, 200, 401]


def test_a_refresh_token_makes_the_antigravity_upstream(folder: Path) -> None:
    with gateway(folder, "--refresh-token", "1//token", **OAUTH) as program:
        assert "usable: 1 of 1 credentials" in program.says("upstream antigravity")
        assert "1//token" not in program.output


@pytest.mark.parametrize(
    ("flag", "warned"), [("-ek", True), ("--encryption-key", True), ("--encryption-key-file", False)]
)
def test_an_encryption_key_is_taken(folder: Path, flag: str, warned: bool) -> None:
    key = Fernet.generate_key().decode()
    (folder / "key").write_text(key + "\n")
    value = str(folder / "key") if flag.endswith("file") else key
    with gateway(folder, "--refresh-token", "1//token", flag, value, **OAUTH) as program:
        assert program.url
    assert ("is visible in `ps`" in program.output) == warned
    assert "stored unencrypted" not in program.output
    with gateway(folder, "--refresh-token", "1//token", **OAUTH) as program:
        assert program.ends() == 2
    assert "store.encryption_key: is not set, but" in program.output


@pytest.mark.parametrize("level", ["WARNING", "WARN"])
def test_log_level_silences_the_request_line(folder: Path, level: str) -> None:
    with gateway(folder, "--log-level", level) as program:
        assert ask(program).status_code == 200
        program.process.terminate()
        assert program.ends() == 0
    assert '"event":"request"' not in program.output


def test_no_dotenv_leaves_the_file_alone(folder: Path) -> None:
    (folder / ".env").write_text("GATEWAY_AUTH__KEYS='[\"sk-dotenv\"]'")
    with gateway(folder) as program:
        assert program.says("keys:").strip() == "keys: 1, from GATEWAY_AUTH__KEYS"
    with gateway(folder, "--no-dotenv") as program:
        assert program.says("keys:").strip() == "keys: 0, anonymous access: loopback"


def test_no_config_leaves_gateway_toml_alone(folder: Path) -> None:
    with gateway(folder, "--no-config", toml="this is no TOML", API_KEYS="sk-a") as program:
        assert program.says("configuration:").strip() == "configuration: none, built-in defaults"
        assert program.says("keys:").strip() == "keys: 1, from API_KEYS"


@pytest.mark.parametrize(("trusted", "client"), [('["127.0.0.1"]', "198.51.100.7"), ("[]", "127.0.0.1")])
def test_only_a_trusted_proxy_says_who_the_client_is(folder: Path, trusted: str, client: str) -> None:
    toml = f'[server]\ntrusted_proxies = {trusted}\n[auth]\nkeys = ["sk-a"]'
    with gateway(folder, toml=toml) as program:
        assert ask(program, **{"x-api-key": "sk-a", "x-forwarded-for": "198.51.100.7"}).status_code == 200
        assert request_line(program)["client"] == client


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"this is not a well-formed HTTP\r\n\r\n", ""),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", ": it is TLS: this port speaks http://, not https://"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", ": it is the PROXY protocol, which a balancer can leave out"),
        (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11", ": it is the PROXY protocol, which a balancer can leave out"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ": it is HTTP/2, and this port speaks HTTP/1.1"),
    ],
    ids=["nothing known", "tls", "proxy", "proxy 2", "http2"],
)
def test_what_the_server_logs_is_a_line_of_the_same_form(folder: Path, sent: bytes, said: str) -> None:
    with gateway(folder) as program:
        url = httpx.URL(program.url)
        assert url.port is not None
        with socket.create_connection((url.host, url.port)) as connection:
            connection.sendall(sent)
            line = json.loads(program.says('"event":"library"'))
    assert (line["level"], line["logger"]) == ("warning", "uvicorn.error")
    assert line["message"] == f"Invalid HTTP request received from 127.0.0.1{said}"
