"""Twelve secrets of no known shape, planted wherever one may stand, are in nothing that a command says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.adapters.credential import credential_id
from gateway.config import Secret
from gateway.store.credentials import CredentialStore
from gateway.store.known import Change, Happening, StoredCredential
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_oauth import oauth_error
from tests.gateway.cli.conftest import Done, Run
from tests.ports import free_port

pytestmark = pytest.mark.anyio

NAMES = (
    "auth-key",
    "named-key",
    "api-key",
    "header",
    "client-secret",
    "admin-password",
    "redis-password",
    "config-token",
    "stored-token",
    "access-token",
    "file-field",
    "client-key",
)
CANARIES = {name: f"canary{place:02}{name.replace('-', '')}" for place, name in enumerate(NAMES)}
SENT = " ".join(canary for name, canary in CANARIES.items() if name not in ("file-field", "client-key"))

TOML = """\
[log]
level = "debug"
[server]
port = {port}
[auth]
keys = ["{auth-key}"]
[[key]]
name = "alice"
secret = "env:ALICE_KEY"
[store]
redis = "redis://:{redis-password}@127.0.0.1:9/0"
[admin]
password = "{admin-password}"
[upstream.google]
type = "v1internal"
models = ["gemini-3-flash"]
base_urls = ["{base}"]
headers = {{ x-own = "{header}" }}
oauth = {{ client_id = "a", client_secret = "{client-secret}", token_url = "{token_url}" }}
pool.refresh_tokens = ["{config-token}"]
[upstream.mine]
type = "openai"
base_url = "{echo}"
api_key = ["{api-key}"]
"""
COMMANDS = (
    ("doctor",),
    ("doctor", "--json"),
    ("credentials", "list"),
    ("credentials", "list", "--json"),
    ("credentials", "check"),
    ("credentials", "check", "--json"),
    ("credentials", "disable", "s@example.org"),
    ("credentials", "export"),
    ("explain", "google/gemini-3-flash"),
    ("explain", "google/gemini-3-flash", "--json"),
    ("explain", "mine/m"),
    ("check",),
    ("models",),
)


async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Refuse, in words that repeat all that was sent, and all that the gateway has ever sent."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    body = json.dumps({"error": {"message": f"no {head} and {SENT}", "code": "invalid_api_key"}})
    writer.write(f"HTTP/1.1 401 No\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
    await writer.drain()
    writer.close()


@pytest.fixture
async def planted(folder: Path, write: Callable[[str], Path], fake_v1internal: FakeV1Internal) -> AsyncIterator[None]:
    """Plant them in the configuration, in .env, in the store, in a client's file, and in what servers say."""
    fake = fake_v1internal
    fake.oauth.faults += [(None, oauth_error("invalid_grant", f"void: {SENT}"))] * 99
    (folder / ".env").write_text(f"ALICE_KEY={CANARIES['named-key']}\n")
    (folder / ".claude").mkdir()
    settings = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1", "ANTHROPIC_AUTH_TOKEN": CANARIES["client-key"]}
    (folder / ".claude" / "settings.json").write_text(json.dumps({"env": settings}))
    store = CredentialStore(folder / "data" / "gateway.db")
    store.add("google", stored())
    failed = Happening("revoked", f"invalid_grant: {CANARIES['stored-token']}")
    config_id = credential_id(Secret(CANARIES["config-token"]))
    store.learn("google", [Change(id=config_id, events=(failed,))], 1.0)
    store.close()
    async with await asyncio.start_server(repeat, "127.0.0.1", 0) as echo:
        said = {"base": fake.base("a"), "token_url": fake.token_url, "port": free_port()}
        said["echo"] = f"http://127.0.0.1:{echo.sockets[0].getsockname()[1]}"
        write(TOML.format(**said, **CANARIES))
        yield


def stored() -> StoredCredential:
    return StoredCredential(
        id=credential_id(Secret(CANARIES["stored-token"])),
        source="import",
        email="s@example.org",
        refresh_token=CANARIES["stored-token"],
        access_token=CANARIES["access-token"],
        access_until=9e9,
        access_at=1.0,
        other=json.dumps({"x": {"y": [CANARIES["file-field"]]}}),
        last_error=f"401: {CANARIES['access-token']}",
        last_error_at=1.0,
    )


def silent(done: Done, *allowed: str) -> bool:
    said = f"{done.out}{done.err}"
    found = {name for name, canary in CANARIES.items() if canary in said}
    assert not found - set(allowed), said
    return bool(said)


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
async def test_no_command_says_one(command: Run, words: tuple[str, ...]) -> None:
    done = await asyncio.to_thread(command, *words)
    assert "Traceback" not in done.err
    assert silent(done)


BROKEN = """\
class Defect(BaseException):
    pass


class Broken:
    def __init__(self, app):
        raise Defect(app)

    async def __call__(self, scope, receive, send):
        pass
"""


@pytest.mark.usefixtures("planted")
async def test_no_traceback_says_one(command: Run, folder: Path) -> None:
    (folder / "broken.py").write_text(BROKEN)
    toml = folder / "gateway.toml"
    order = '["broken", "auth", "protocol", "model_map"]'
    toml.write_text(f'[middleware.broken]\nuse = "broken:Broken"\n[pipeline]\norder = {order}\n{toml.read_text()}')
    done = await asyncio.to_thread(command, "models")
    assert "Traceback" in done.err
    assert silent(done)


@pytest.mark.usefixtures("planted")
async def test_only_an_export_with_secrets_says_them(command: Run) -> None:
    done = await asyncio.to_thread(command, "credentials", "export", "--secrets")
    assert silent(done, "config-token", "stored-token", "client-secret", "file-field")
    assert CANARIES["stored-token"] in done.out
