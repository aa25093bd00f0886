"""What an earlier run has written down is read, and nothing is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from msgspec.json import decode

from gateway.adapters.credential import credential_id
from gateway.config import ConfigError
from gateway.redact import Secret
from gateway.store.credentials import CredentialStore, StoredCredential
from tests.gateway.explained import GOOGLE, about, only, settled

pytestmark = pytest.mark.anyio

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write gateway.toml of these lines."""
    return partial(settled, tmp_path)


def files(folder: Path) -> Mapping[Path, tuple[bytes, float]]:
    found = [file for file in folder.rglob("*") if file.is_file()]
    return {file: (file.read_bytes(), file.stat().st_mtime) for file in found}


async def test_nothing_is_made_in_data_dir(write: Write, tmp_path: Path) -> None:
    file = write(GOOGLE, 'pool = { refresh_tokens = ["rt-1"] }')
    assert only(await about(file, "gemini-2.5-flash")).state == "usable: 1 of 1 credentials"
    assert list(files(tmp_path)) == [file]


async def test_a_store_is_read_and_left_as_it_is(write: Write, tmp_path: Path) -> None:
    file = write(GOOGLE, 'pool = { refresh_tokens = ["rt-1"] }')
    store = CredentialStore(tmp_path / "data" / "gateway.db")
    store.open()
    store.add("google", StoredCredential(id=credential_id(Secret("rt-1")), project_id="proj-9"))
    before = files(tmp_path)
    member = only(await about(file, "gemini-2.5-flash"))
    assert decode(member.body or b"")["project"] == "proj-9"
    assert files(tmp_path) == before


async def test_a_project_that_gateway_toml_gives_by_e_mail_is_shown(
    write: Write, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pool = 'pool = { refresh_tokens = ["rt-1"], project_ids = { "Ann@example.org" = "proj-1" } }'
    file = write(GOOGLE, pool)
    store = CredentialStore(tmp_path / "data" / "gateway.db")
    store.open()
    row = StoredCredential(id=credential_id(Secret("rt-1")), email="ann@example.org", project_id="proj-9")
    store.add("google", row)
    before = files(tmp_path)
    member = only(await about(file, "gemini-2.5-flash"))
    assert decode(member.body or b"")["project"] == "proj-1"
    assert "project" not in member.varies
    assert files(tmp_path) == before
    assert not capfd.readouterr().err


async def test_what_the_store_says_of_a_credential_is_shown(write: Write, tmp_path: Path) -> None:
    file = write(GOOGLE, 'pool = { refresh_tokens = ["rt-1"] }')
    store = CredentialStore(tmp_path / "data" / "gateway.db")
    store.open()
    store.add("google", StoredCredential(id=credential_id(Secret("rt-1")), state="disabled", reason="gone"))
    assert only(await about(file, "gemini-2.5-flash")).state == "no credential: 1 disabled: gone"


async def test_a_store_that_a_running_gateway_has_open_is_read_as_it_is_now(write: Write, tmp_path: Path) -> None:
    file = write(GOOGLE, 'pool = { refresh_tokens = ["rt-1"] }')
    store = CredentialStore(tmp_path / "data" / "gateway.db")
    store.open()
    with closing(sqlite3.connect(store.file)) as running:
        running.execute("SELECT * FROM settings").fetchall()
        store.add("google", StoredCredential(id=credential_id(Secret("rt-1")), project_id="proj-9"))
        assert (tmp_path / "data" / "gateway.db-wal").stat().st_size
        member = only(await about(file, "gemini-2.5-flash"))
    assert decode(member.body or b"")["project"] == "proj-9"


async def test_keys_are_not_rotated(write: Write, tmp_path: Path) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    keys = f'[store]\nencryption_key = ["{new}", "{old}"]'
    file = write(GOOGLE, 'pool = { refresh_tokens = ["rt-1"] }', keys)
    store = CredentialStore(tmp_path / "data" / "gateway.db", [old])
    store.open()
    store.add("google", StoredCredential(id=credential_id(Secret("rt-1")), refresh_token="rt-2", project_id="proj-9"))
    before = files(tmp_path)
    assert decode(only(await about(file, "gemini-2.5-flash")).body or b"")["project"] == "proj-9"
    assert files(tmp_path) == before


async def test_a_store_that_no_key_opens_is_a_configuration_error(write: Write, tmp_path: Path) -> None:
    CredentialStore(tmp_path / "data" / "gateway.db", [Fernet.generate_key().decode()]).open()
    file = write(GOOGLE, f'[store]\nencryption_key = "{Fernet.generate_key().decode()}"')
    with pytest.raises(ConfigError, match=r"store\.encryption_key: does not open"):
        await about(file, "gemini-2.5-flash")
