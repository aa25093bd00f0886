"""`gateway doctor`: one line and one remedy for each thing that is wrong, and nothing that is secret."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.doctor_accounts import credentials as examine_credentials
from gateway.cli.doctor_local import folder as examine_folder
from gateway.cli.doctor_local import python, settings
from gateway.cli.exposed import secret_files
from gateway.config import load
from tests.fakes.v1internal import FakeV1Internal
from tests.gateway.admin.accounts import Accounts, account
from tests.gateway.cli.conftest import Run, antigravity
from tests.ports import free_port
from tests.postgres_server import PostgresServer
from tests.processes import gateway
from tests.redis_server import READ_ONLY, RedisServer

TRIES = 5  # a busy machine answers late

pytestmark = pytest.mark.anyio

Write = Callable[[str], Path]
Said = list[dict[str, Any]]


@pytest.fixture
def examine(run: Run) -> Callable[..., Said]:
    """Run it to its end; give the findings. Its exit code says whether a problem is among them, and of what kind."""

    def examine(*words: str, **variables: str) -> Said:
        done = run("doctor", "--json", *words, **variables)
        assert done.err == ""
        findings: Said = json.loads(done.out)["findings"]
        problems = [one["check"] for one in findings if one["level"] == "problem"]
        assert done.code == (2 if "configuration" in problems else int(bool(problems)))
        assert all(bool(one["fix"]) == (one["level"] != "ok") for one in findings)
        return findings

    return examine


def of(findings: Said, check: str) -> list[tuple[str, str]]:
    """Give the level and message of what one check found."""
    return [(one["level"], one["message"]) for one in findings if one["check"] == check]


# this machine


def test_where_nothing_is_set_up_all_is_well(run: Run, folder: Path) -> None:
    port = free_port()
    done = run("doctor", GATEWAY_SERVER__PORT=str(port))
    assert (done.code, done.err) == (0, "")
    assert f"ok       port: 127.0.0.1:{port} is free\n" in done.out
    assert "ok       upstream demo: usable, no account needed\n" in done.out
    assert done.out.endswith("0 problems, 0 warnings, 6 ok\n")
    assert list(folder.iterdir()) == []


def test_a_configuration_that_cannot_be_read_is_a_problem(examine: Any, write: Write) -> None:
    write("[server]\nprot = 1\n")
    assert of(examine(), "configuration") == [
        ("problem", 'gateway.toml:2: server.prot: unknown key; did you mean "port"?')
    ]


def test_keys_without_effect_are_named(write: Write) -> None:
    found = list(settings(load(write('[middleware.mine]\nuse = "mine:Mine"\n'))))
    assert ("warning", "without effect: middleware.mine.use") in [(one.level, one.message) for one in found]


def test_an_old_python_is_a_problem() -> None:
    (finding,) = python((3, 10, 4))
    assert (finding.level, finding.message) == ("problem", "CPython 3.10.4 is too old")


def test_a_missing_extra_is_a_problem(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    file = write('[metrics]\notlp = "http://127.0.0.1:4318"\n')
    (finding,) = [one for one in settings(load(file)) if one.check == "extras"]
    assert (finding.level, finding.message) == ("problem", f"{file}:2: metrics.otlp: needs the extra otel")
    assert finding.fix == "pip install 'asgi-llm-gateway[otel]'"


# files and the disk


@pytest.mark.parametrize("name", [".env", "gateway.toml", "key.txt", "tokens.json"])
def test_a_file_with_secrets_that_others_can_read_is_named(examine: Any, write: Write, folder: Path, name: str) -> None:
    (folder / ".env").write_text("GATEWAY_KEY=sk-from-a-variable\n")
    (folder / "key.txt").write_text("sk-from-a-file")
    (folder / "tokens.json").write_text('{"refresh_token": "1//imported"}')
    write(
        '[auth]\nkeys = ["sk-in-the-clear-here", "env:GATEWAY_KEY", "file:key.txt"]\n'
        '[upstream.google]\ntype = "v1internal"\nbase_urls = ["http://127.0.0.1:9"]\npool.import = "tokens.json"\n'
    )
    for file in folder.iterdir():
        file.chmod(0o644 if file.name == name else 0o600)
    warnings = [one for one in examine() if one["check"] == "files" and one["level"] == "warning"]
    assert [one["fix"] for one in warnings] == [f"chmod 600 {folder / name}"]
    assert "other users can read it: mode 0644" in warnings[0]["message"]


def test_a_file_without_secrets_may_be_read(examine: Any, write: Write) -> None:
    write('[auth]\nkeys = ["env:GATEWAY_KEY"]\n').chmod(0o644)
    assert of(examine(GATEWAY_KEY="sk-from-a-variable"), "files") == []


def test_a_folder_that_cannot_be_written_is_a_problem(examine: Any, write: Write, folder: Path) -> None:
    write('[server]\ndata_dir = "data"\n')
    (folder / "data").write_text("a file")
    assert of(examine(), "data_dir") == [("problem", f"{folder / 'data'} cannot be written: Not a directory")]


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """Put a small disk at a folder; it needs the rights of an administrator."""
    folder.mkdir(0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=64k,mode=700,{options}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize(("options", "reason"), [("rw", "No space left on device"), ("ro", "Read-only file system")])
def test_a_full_or_read_only_disk_is_a_problem(examine: Any, folder: Path, options: str, reason: str) -> None:
    with mounted(folder / "data", options):
        if options == "rw":
            with pytest.raises(OSError, match="No space"):
                (folder / "data" / "ballast").write_bytes(b"\0" * 2**17)
        assert of(examine(), "data_dir") == [("problem", f"{folder / 'data'} cannot be written: {reason}")]


def test_little_room_is_a_warning(folder: Path) -> None:
    first, *_ = examine_folder(load({}), lambda _: 3 * 2**20)
    assert (first.level, first.message) == ("warning", f"3 MB are left on the disk of {folder / 'data'}")


def test_a_folder_that_others_can_look_into_is_named(examine: Any, folder: Path) -> None:
    (folder / "data").mkdir(0o755)
    assert of(examine(), "data_dir") == [("warning", f"other users can read {folder / 'data'}: mode 0755")]


def test_a_log_file_that_cannot_be_written_is_a_problem(examine: Any, write: Write) -> None:
    write('[log]\nfile = "/proc/nowhere/x.log"\n')
    (found,) = of(examine(), "log")
    assert found[0] == "problem"
    assert "gateway.toml:2: log.file: cannot be opened: " in found[1]


def test_recordings_that_cannot_be_written_are_a_problem(examine: Any, write: Write, tmp_path: Path) -> None:
    write('[record]\ndir = "/proc/nowhere"\n')
    ((level, said),) = of(examine(), "record")
    assert (level, said.startswith("nothing can be recorded: /proc: ")) == ("problem", True)
    write(f'[record]\ndir = "{tmp_path / "new"}"\n')
    assert of(examine(), "record") == []


# who may come in


def test_an_open_address_without_a_key_is_a_problem(examine: Any, write: Write) -> None:
    write('[server]\nhost = "0.0.0.0"\n')
    assert of(examine(), "bind") == [("problem", "server.host 0.0.0.0 is open to the network without a key")]


def test_to_let_everybody_in_is_a_warning(examine: Any, write: Write) -> None:
    write('[server]\nhost = "0.0.0.0"\n[auth]\nallow_anonymous = "always"\n')
    assert of(examine(), "bind") == [("warning", "anyone who can reach 0.0.0.0 may use the accounts")]


def test_a_sample_key_and_one_that_is_over_are_warnings(examine: Any, write: Write) -> None:
    write('[auth]\nkeys = ["123456"]\n[[key]]\nname = "alice"\nsecret = "sk-alice"\nexpires = 2020-01-01\n')
    assert of(examine(), "keys") == [
        ("warning", "a published sample key is accepted"),
        ("warning", "over: alice"),
        ("ok", "2 keys"),
    ]


def test_that_the_last_key_was_revoked_is_a_warning(run: Run, examine: Any) -> None:
    run("keys", "new", "alice")
    run("keys", "revoke", "alice")
    assert of(examine(), "keys") == [("warning", "none is valid: the last one was revoked")]


# the port


def test_another_program_on_the_port_is_a_problem(examine: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.settimeout(0)
        said = of(examine(GATEWAY_SERVER__PORT=str(port)), "port")
    assert said == [("problem", f"another program is listening on 127.0.0.1:{port}")]


@pytest.mark.parametrize("proxy", ["", "http://127.0.0.1:1"])
def test_a_gateway_on_the_port_is_well(examine: Any, folder: Path, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with gateway(folder) as running:
        monkeypatch.setenv("http_proxy", proxy)
        port = running.url.rpartition(":")[2]
        said = of(examine(GATEWAY_SERVER__PORT=port), "port")
    assert said == [("ok", f"a gateway is listening on 127.0.0.1:{port}, and is ready")]


def test_an_address_of_another_machine_is_a_problem(examine: Any, write: Write) -> None:
    write('[server]\nhost = "192.0.2.1"\n[auth]\nkeys = ["sk-some-key"]\n')
    assert of(examine(), "port") == [
        ("problem", "cannot listen on 192.0.2.1:8045: Cannot assign requested address"),
    ]


# the network


def openai(url: str) -> str:
    return f'[upstream.mine]\ntype = "openai"\napi_key = "sk-mine-is-secret"\nmodels = ["m"]\nbase_url = "{url}"\n'


class Server:
    """A server with a clock of its own, that has seen what it was asked."""

    def __init__(self, ahead: timedelta) -> None:
        self.ahead = ahead
        self.asked = b""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += await reader.readuntil(b"\r\n\r\n")
        date = format_datetime(datetime.now(UTC) + self.ahead, usegmt=True)
        writer.write(f"HTTP/1.1 404 Not Found\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@pytest.mark.parametrize(
    ("ahead", "level", "message"),
    [
        (timedelta(0), "ok", "right within 1 s"),
        (timedelta(minutes=2), "warning", "this machine is 120 s behind the servers"),
        (timedelta(hours=-1), "problem", "this machine is 3600 s ahead of the servers"),
    ],
)
async def test_the_clock_is_compared_with_the_servers(
    examine: Any, write: Write, ahead: timedelta, level: str, message: str
) -> None:
    """To the second, where the answer does not take long."""
    async with await asyncio.start_server(server := Server(ahead), "127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        write(openai(url))
        for _ in range(TRIES):
            findings = await asyncio.to_thread(examine)
            ((found, said),) = of(findings, "clock")
            if said[:24] == message[:24]:
                break
    assert (found, said[:24]) == (level, message[:24])
    assert any(said.startswith(f"{url} responds in ") for _, said in of(findings, "upstream mine"))
    plain = next(asked for asked in server.asked.split(b"\r\n\r\n") if asked.startswith(b"GET / "))
    assert b"sk-mine" not in plain


@pytest.mark.parametrize(
    ("url", "reason", "fix"),
    [
        ("http://127.0.0.1:9", "Connection refused", "start the server there"),
        ("http://upstream.invalid", "no connection to upstream.invalid:80: ", "check the spelling of the URL"),
    ],
)
def test_a_server_that_does_not_answer_is_a_problem(
    examine: Any, write: Write, url: str, reason: str, fix: str
) -> None:
    write(openai(url))
    (finding,) = [one for one in examine() if one["check"] == "upstream mine"]
    assert finding["level"] == "problem"
    assert reason in finding["message"]
    assert finding["fix"].startswith(fix)


async def test_a_certificate_that_nobody_vouches_for_is_a_problem(
    examine: Any, write: Write, certificates: tuple[Path, Path]
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificates)
    asyncio.get_running_loop().set_debug(False)  # in which a failed handshake is an error of the server
    async with await asyncio.start_server(Server(timedelta(0)), "127.0.0.1", 0, ssl=context) as listening:
        write(openai(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"))
        findings = await asyncio.to_thread(examine)
    (finding,) = [one for one in findings if one["check"] == "upstream mine"]
    assert finding["fix"].startswith("let this machine trust the certificate")


@pytest.mark.parametrize(
    ("scheme", "reason"),
    [("http", "its response is not HTTP"), ("https", "WRONG_VERSION_NUMBER")],
)
async def test_a_port_where_something_else_listens_is_named_as_such(
    examine: Any, write: Write, scheme: str, reason: str
) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"SSH-2.0-OpenSSH_9\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as listening:
        write(openai(f"{scheme}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"))
        findings = await asyncio.to_thread(examine)
    (finding,) = [one for one in findings if one["check"] == "upstream mine"]
    assert reason in finding["message"]
    assert finding["fix"].startswith("check the port of the URL")


def test_an_upstream_that_is_the_gateway_itself_is_a_problem(examine: Any, write: Write) -> None:
    write(openai("http://localhost:8045/v1"))
    (finding,) = [one for one in examine() if one["check"] == "upstream mine"]
    assert finding["level"] == "problem"
    assert finding["message"] == "http://localhost:8045/v1 is this gateway, which would call itself"


async def test_one_of_several_servers_away_is_a_warning(
    examine: Any, write: Write, fake_v1internal: FakeV1Internal
) -> None:
    bases = f'base_urls = ["http://127.0.0.1:9", "{fake_v1internal.base("a")}"]'
    write(antigravity(fake_v1internal).replace(f'base_urls = ["{fake_v1internal.base("a")}"]', bases))
    levels = [level for level, _ in of(await asyncio.to_thread(examine), "upstream google")]
    assert levels == ["warning", "ok"]


# what workers and hosts share


def test_a_store_that_is_no_database_is_a_problem_without_credentials_too(
    examine: Any, write: Write, folder: Path
) -> None:
    write("[upstream.demo]\n")
    data = folder / "data"
    data.mkdir(0o700)
    (data / "gateway.db").write_text("no database")
    (finding,) = [one for one in examine() if one["check"] == "store"]
    assert (finding["level"], finding["message"]) == ("problem", "it cannot be used: file is not a database")
    assert finding["fix"] == "restore a copy of gateway.db, or move it away"


def test_redis_tells_its_version(examine: Any, write: Write, redis: RedisServer) -> None:
    write(f'[store]\nredis = "{redis.url}"\n')
    ((level, said),) = of(examine(), "redis")
    assert (level, said.startswith("store.redis responds: version ")) == ("ok", True)


@pytest.mark.parametrize(("falls_ill", "recovers"), READ_ONLY)
def test_a_redis_that_can_only_be_read_is_a_problem(
    examine: Any, write: Write, redis: RedisServer, falls_ill: Sequence[str], recovers: Sequence[str]
) -> None:
    write(f'[store]\nredis = "{redis.url}"\n')
    redis.do(*falls_ill)
    ((level, said),) = of(examine(), "redis")
    assert (level, said.startswith("store.redis cannot be used: ")) == ("problem", True)
    redis.do(*recovers)
    assert [level for level, _ in of(examine(), "redis")] == ["ok"]


@pytest.mark.parametrize(
    ("rights", "level"),
    [
        (("~gateway:*", "+@all", "-@scripting"), "problem"),
        (("~others:*", "+@all"), "problem"),
        (("~gateway:*", "+@all", "-info"), "ok"),
    ],
)
def test_what_a_user_of_redis_may_do_is_tried(
    examine: Any, write: Write, redis: RedisServer, rights: Sequence[str], level: str
) -> None:
    redis.do("ACL", "SETUSER", "gw", "on", ">a-password", *rights)
    write(f'[store]\nredis = "{redis.url.replace("redis://", "redis://gw:a-password@")}"\n')
    assert [found for found, _ in of(examine(), "redis")] == [level]


def test_redis_away_is_a_problem(examine: Any, write: Write) -> None:
    write('[store]\nredis = "redis://:a-password@127.0.0.1:9/0"\n')
    findings = examine()
    ((level, said),) = of(findings, "redis")
    assert (level, "does not respond" in said) == ("problem", True)
    assert "a-password" not in json.dumps(findings)


def test_postgresql_tells_its_version(examine: Any, write: Write, postgres_url: str) -> None:
    write(f'[store]\ndatabase = "{postgres_url}"\n')
    ((level, said),) = of(examine(), "postgres")
    assert (level, said.startswith("store.database responds: version ")) == ("ok", True)


def test_a_postgresql_that_can_only_be_read_is_a_problem(
    examine: Any, write: Write, postgres_url: str, postgres_server: PostgresServer
) -> None:
    name = postgres_url.rpartition("/")[2]
    postgres_server.do(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    write(f'[store]\ndatabase = "{postgres_url}"\n')
    assert of(examine(), "postgres") == [("problem", "store.database cannot be used: it is read-only")]


def test_a_database_without_rights_to_make_tables_is_a_problem(
    examine: Any, write: Write, postgres_url: str, postgres_server: PostgresServer
) -> None:
    """The gateway would start, and let nobody in, for there may be keys in it."""
    postgres_server.do(b"REVOKE CREATE ON SCHEMA public FROM PUBLIC", postgres_url.rpartition("/")[2])
    postgres_server.do(b"CREATE ROLE poor LOGIN")
    try:
        write(f'[store]\ndatabase = "{postgres_url.replace("postgres@", "poor@")}"\n')
        findings = examine()
    finally:
        postgres_server.do(b"DROP ROLE poor")
    assert [level for level, _ in of(findings, "postgres")] == ["ok"]
    ((level, said),) = of(findings, "store")
    assert (level, said) == ("problem", "it cannot be used: permission denied for schema public")


def test_tables_of_a_newer_version_are_a_problem(
    examine: Any, write: Write, postgres_url: str, postgres_server: PostgresServer
) -> None:
    write(f'[store]\ndatabase = "{postgres_url}"\n')
    assert [level for level, _ in of(examine(), "store")] == ["ok"]
    postgres_server.do(b"UPDATE alembic_version SET version_num = '9999'", postgres_url.rpartition("/")[2])
    (finding,) = [one for one in examine() if one["check"] == "store"]
    assert (finding["level"], "newer version" in finding["message"]) == ("problem", True)
    assert finding["fix"].startswith("install the version that it was last used with")


def test_postgresql_away_is_a_problem(
    examine: Any, write: Write, postgres_url: str, postgres_server: PostgresServer
) -> None:
    write(f'[store]\ndatabase = "{postgres_url.replace("postgres@", "postgres:a-password@")}"\n')
    postgres_server.stop()
    findings = examine()
    ((level, said),) = of(findings, "postgres")
    assert (level, "does not respond" in said) == ("problem", True)
    assert "a-password" not in json.dumps(findings)


# clients


@pytest.mark.parametrize("client", ["claude-code", "codex", "gemini-cli", "opencode"])
def test_a_client_that_comes_here_is_well(run: Run, examine: Any, write: Write, client: str) -> None:
    write('[auth]\nkeys = ["sk-of-the-gateway"]\n')
    assert run("connect", client, "--apply").code == 0
    ((level, said),) = of(examine(), f"client {client}")
    assert (level, said.endswith(" comes here")) == ("ok", True)


@pytest.mark.parametrize("client", ["claude-code", "codex", "gemini-cli", "opencode"])
def test_a_client_that_was_led_elsewhere_is_named(run: Run, examine: Any, client: str) -> None:
    run("connect", client, "--apply", "--url", "http://127.0.0.1:9999")
    ((level, said),) = of(examine(), f"client {client}")
    assert level == "warning"
    assert said.endswith(" uses http://127.0.0.1:9999, not http://127.0.0.1:8045")


@pytest.mark.parametrize("client", ["claude-code", "codex", "gemini-cli", "opencode"])
def test_a_client_with_a_key_of_yesterday_is_named(run: Run, examine: Any, write: Write, client: str) -> None:
    run("connect", client, "--apply", "--key", "sk-of-yesterday")
    write('[auth]\nkeys = ["sk-of-today"]\n')
    findings = examine()
    ((level, said),) = of(findings, f"client {client}")
    assert (level, said.endswith("with a key that is not accepted")) == ("warning", True)
    assert "yesterday" not in json.dumps(findings)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://localhost:8045", "Claude Code comes here"),
        ("http://LOCALHOST:8045/", "Claude Code comes here"),
        ("http://localhost:8045/v1", "Claude Code uses http://localhost:8045/v1, not http://127.0.0.1:8045"),
        ("http://[::1", "Claude Code uses http://[::1, not http://127.0.0.1:8045"),
    ],
)
def test_a_client_comes_here_by_any_name_of_this_machine(examine: Any, folder: Path, url: str, said: str) -> None:
    (folder / ".claude").mkdir()
    (folder / ".claude" / "settings.json").write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": url}}))
    assert of(examine(), "client claude-code") == [("ok", said)]


def test_a_client_that_was_never_led_here_is_left_alone(examine: Any, folder: Path) -> None:
    (folder / ".claude").mkdir()
    (folder / ".claude" / "settings.json").write_text('{"env": {"ANTHROPIC_BASE_URL": "https://api.example.org"}}')
    said = "Claude Code uses https://api.example.org, not http://127.0.0.1:8045"
    assert of(examine(), "client claude-code") == [("ok", said)]


# credentials


async def test_credentials_are_asked_for(examine: Any, write: Write, fake_v1internal: FakeV1Internal) -> None:
    write(antigravity(fake_v1internal, '["rt-1", "rt-2"]'))
    findings = await asyncio.to_thread(examine)
    assert of(findings, "credentials google") == [("ok", "2 of 2 are usable")]
    assert of(findings, "store") == [("warning", "refresh tokens are stored unencrypted")]
    assert {call.body["refresh_token"] for call in fake_v1internal.calls("token")} == {"rt-1", "rt-2"}


async def test_a_revoked_one_is_to_log_in_again(examine: Any, write: Write, fake_v1internal: FakeV1Internal) -> None:
    write(antigravity(fake_v1internal, '["rt-1", "rt-2"]', "pool.min_credentials = 2\n"))
    fake_v1internal.oauth.fail("invalid_grant", token="rt-2", times=9)
    findings = await asyncio.to_thread(examine)
    (few, revoked) = [one for one in findings if one["check"] == "credentials google"]
    assert (few["level"], few["message"]) == ("warning", "1 of 2 are usable, fewer than min_credentials (2)")
    assert (revoked["level"], " is disabled: invalid_grant" in revoked["message"]) == ("warning", True)
    assert revoked["fix"] == "log the account in again: gateway login --upstream google"


def resting() -> Accounts:
    """Make a pool of two, of which one rests."""
    of: dict[str, Any] = {"upstream": "mine", "account": None}
    return Accounts(account(1, **of), account(2, state="cooling", cooling={"m": 1e10}, **of))


@pytest.mark.parametrize(
    ("table", "more"),
    [
        ({"type": "openai", "api_key": ["k-1", "k-2"]}, "add a key to upstream.mine.api_key"),
        ({"type": "v1internal"}, "add accounts: `gateway login`"),
    ],
)
async def test_a_pool_is_made_larger_as_it_was_made(table: dict[str, object], more: str) -> None:
    loaded = load({"upstream": {"mine": {**table, "pool": {"min_credentials": 3}}}}, environ={}, dotenv=False)
    found = await examine_credentials(loaded, {"mine": resting()})
    assert [one.fix for one in found] == [
        f"{more}; or lower upstream.mine.pool.min_credentials",
        f"wait until then, or {more}",
    ]


async def test_one_that_is_alone_is_waited_for() -> None:
    loaded = load({"upstream": {"mine": {"type": "vertex"}}}, environ={}, dotenv=False)
    found = await examine_credentials(loaded, {"mine": resting()})
    assert [one.fix for one in found] == ["", "wait until then"]


async def test_an_oauth_client_that_google_does_not_know_is_a_problem(
    examine: Any, write: Write, fake_v1internal: FakeV1Internal
) -> None:
    write(antigravity(fake_v1internal))
    fake_v1internal.oauth.fail("invalid_client", times=9)
    findings = await asyncio.to_thread(examine)
    (none, paused) = [one for one in findings if one["check"] == "credentials google"]
    assert (none["level"], none["message"]) == ("problem", "0 of 1 are usable")
    assert (paused["level"], paused["fix"]) == ("warning", "fix that; it is retried automatically")


async def test_none_that_can_be_used_is_a_problem(examine: Any, write: Write, fake_v1internal: FakeV1Internal) -> None:
    write(antigravity(fake_v1internal))
    fake_v1internal.oauth.fail("invalid_grant", times=9)
    findings = await asyncio.to_thread(examine)
    assert ("problem", "0 of 1 are usable") in of(findings, "credentials google")


async def test_no_oauth_client_is_a_problem(examine: Any, write: Write, fake_v1internal: FakeV1Internal) -> None:
    write(antigravity(fake_v1internal).replace('client_secret = "b-secret", ', ""))
    findings = await asyncio.to_thread(examine)
    assert of(findings, "oauth") == [("problem", "upstream.google.oauth lacks client_secret")]


async def test_a_key_that_does_not_fit_is_a_problem(
    run: Run, examine: Any, write: Write, fake_v1internal: FakeV1Internal
) -> None:
    write(antigravity(fake_v1internal))
    first, second = (run("generate-key").out.strip() for _ in range(2))
    await asyncio.to_thread(run, "credentials", "list", GATEWAY_ENCRYPTION_KEY=first)
    findings = await asyncio.to_thread(examine, GATEWAY_ENCRYPTION_KEY=second)
    ((level, said),) = of(findings, "start")
    assert (level, "store.encryption_key: does not open " in said) == ("problem", True)


def test_a_configuration_that_is_broken_meanwhile_stops_no_start(write: Write) -> None:
    """Its file is read once more, for secrets that others can read."""
    loaded = load(write('[auth]\nkeys = ["sk-in-clear"]\n'), environ={})
    assert [what for _, what in secret_files(loaded)] == ["secrets in clear"]
    write("[auth")
    assert list(secret_files(loaded)) == []
