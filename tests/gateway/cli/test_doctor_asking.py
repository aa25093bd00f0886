"""What `gateway doctor` learns of servers, stores, clients and credentials."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.doctor_accounts import credentials as examine_credentials
from gateway.cli.doctor_network import remedy
from gateway.cli.exposed import secret_files
from gateway.config import load
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal
from tests.gateway.admin.accounts import Accounts, account
from tests.gateway.cli.conftest import Run, antigravity
from tests.gateway.cli.doctoring import Write, of
from tests.postgres_server import PostgresServer
from tests.redis_server import READ_ONLY, RedisServer

TRIES = 5  # a busy machine answers late

pytestmark = pytest.mark.anyio


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
    ("said", "fix"),
    [
        ("Missing Authority Key Identifier (_ssl.c:1020)", "have these certificates made as RFC 5280 wants them"),
        ("Basic Constraints of CA cert not marked critical", "have these certificates made as RFC 5280 wants them"),
        ("unable to get local issuer certificate", "let this machine trust the certificate"),
        ("Hostname mismatch, certificate is not valid for 'h'. (_ssl.c:1006)", "write the name for which"),
        ("IP address mismatch, certificate is not valid for '127.0.0.1'.", "write the name for which"),
        ("certificate has expired (_ssl.c:1006)", "have the server's certificate renewed, or set this machine's clock"),
        ("certificate is not yet valid (_ssl.c:1006)", "set this machine's clock"),
    ],
)
def test_a_certificate_that_is_refused_for_another_reason_needs_another_remedy(said: str, fix: str) -> None:
    """Of which SSL_CERT_FILE is none. From 3.13 on Python is as strict as the standard."""
    assert remedy(f"no connection to h:443: [SSL: CERTIFICATE_VERIFY_FAILED] verify failed: {said}").startswith(fix)


@pytest.mark.parametrize(
    ("given", "fix"),
    [
        ({"SSL_CERT_FILE": "/gone/ca.pem"}, "SSL_CERT_FILE names /gone/ca.pem, which is no file here: correct it"),
        (
            {"REQUESTS_CA_BUNDLE": "/etc/ca.pem"},
            "set SSL_CERT_FILE to what REQUESTS_CA_BUNDLE names, which only other programs read",
        ),
        (
            {"NODE_EXTRA_CA_CERTS": "/etc/ca.pem", "SSL_CERT_FILE": __file__},
            "let this machine trust the certificate (SSL_CERT_FILE), or check what intercepts the connection",
        ),
    ],
)
def test_certificates_that_were_given_in_vain_are_named(
    monkeypatch: pytest.MonkeyPatch, given: Mapping[str, str], fix: str
) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    said = "[SSL: CERTIFICATE_VERIFY_FAILED] verify failed: unable to get local issuer certificate"
    assert remedy(f"no connection to h:443: {said}") == fix


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


def test_a_store_that_fails_is_no_reason_to_log_in(examine: Any, write: Write, folder: Path) -> None:
    write('[upstream.google]\ntype = "v1internal"\n')
    (folder / "data").mkdir(0o700)
    (folder / "data" / "gateway.db").write_text("no database")
    found = examine()
    assert [one["level"] for one in found if one["check"] == "store"] == ["problem"]
    assert not [one for one in found if one["check"].startswith("credentials")]


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


def test_a_redis_that_forgets_when_it_is_full_is_warned_of(examine: Any, write: Write, redis: RedisServer) -> None:
    write(f'[store]\nredis = "{redis.url}"\n')
    redis.do("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    assert [level for level, _ in of(examine(), "redis")] == ["ok"]  # it never is, without an end
    redis.do("CONFIG", "SET", "maxmemory", "1gb")
    found = of(examine(), "redis")
    redis.do("CONFIG", "SET", "maxmemory", "0")
    redis.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert [level for level, _ in found] == ["ok", "warning"]
    assert "its maxmemory-policy is volatile-lru" in found[1][1]


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
    assert not of(findings, "store")  # which would only wait for it once more
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


async def test_a_suspect_is_told_with_what_it_lacks_now(examine: Any, write: Write, fake_openai: FakeOpenAI) -> None:
    for base, lacks in (("http://127.0.0.1:9", "cannot be reached"), (fake_openai.url, "Incorrect API key")):
        write(f'[upstream.openai]\napi_key = "wrong"\nbase_url = "{base}/v1"\nmodels = ["gpt-4.1"]\n')
        findings = await asyncio.to_thread(examine)
        _, (level, message) = of(findings, "credentials openai")
        assert (level, " is suspected: " in message, lacks in message) == ("warning", True, True), message


async def test_an_address_without_its_version_is_to_be_corrected_and_not_only_watched(
    examine: Any, write: Write, fake_openai: FakeOpenAI
) -> None:
    """No request would be answered; but a server may have no list of models, and answer all."""
    write(f'[upstream.openai]\napi_key = "key-1"\nbase_url = "{fake_openai.url}"\n')
    findings = await asyncio.to_thread(examine)
    (found,) = [one for one in findings if one["check"] == "credentials openai" and one["level"] == "warning"]
    assert "its last error was: models: Invalid URL (GET /models)" in found["message"]
    assert found["fix"].startswith("if requests fail with this, too, correct it; ")


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


def test_a_secret_that_kubernetes_mounts_is_as_it_has_to_be(write: Write, tmp_path: Path) -> None:
    """Its mode is 0644, on a file system that is read-only; a pod has no other users."""
    (version := tmp_path / "keys" / "..2026_11_29_10_00_00.123").mkdir(parents=True)
    (version / "token").write_text("sk-in-clear\n")
    (tmp_path / "keys" / "..data").symlink_to(version.name)
    (tmp_path / "keys" / "token").symlink_to("..data/token")
    (tmp_path / "own").write_text("sk-another\n")
    loaded = load(write(f'[auth]\nkeys = ["file:{tmp_path}/keys/token", "file:{tmp_path}/own"]\n'), environ={})
    assert loaded.config.auth.keys[0].reveal() == "sk-in-clear"
    assert [file.name for file, what in secret_files(loaded) if what == "a secret"] == ["own"]
