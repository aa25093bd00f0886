"""The credential store: what goes in comes out, encrypted with keys, refused with wrong ones."""

import os
import sqlite3
import stat
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from msgspec.structs import replace

from gateway.store.credentials import (
    CredentialStore,
    KeyProblem,
    StoredAccount,
    StoredCredential,
    StoredModels,
    StoreFailed,
)

ROW = StoredCredential(
    id="ab12",
    state="disabled",
    reason="invalid_grant: gone",
    project_id="p",
    project_source="discovered",
    refresh_token="1//rotated",
    cooling={"gemini-3-flash": 1_800_000_000.5},
    updated_at=1.5,
)


def opened(folder: Path, *keys: str) -> CredentialStore:
    store = CredentialStore(folder / "data" / "gateway.db", keys)
    store.open()
    return store


def save_one(folder: Path, number: int) -> None:
    """Open and write; in a process of its own."""
    opened(folder).save("google", StoredCredential(id=f"id-{number}"))


def key() -> str:
    return Fernet.generate_key().decode()


def content(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in (folder / "data").iterdir())


def test_a_credential_comes_back_as_it_was(tmp_path: Path) -> None:
    opened(tmp_path).save("google", ROW)
    assert opened(tmp_path).load("google") == {"ab12": ROW}


def test_a_credential_is_replaced(tmp_path: Path) -> None:
    store = opened(tmp_path)
    newer = StoredCredential(
        id="ab12", state="disabled", reason="x", project_id="q", project_source="config", refresh_token="1//newer"
    )
    store.save("google", ROW)
    store.save("google", newer)
    assert store.load("google") == {"ab12": newer}


def test_one_who_does_not_know_better_undoes_nothing(tmp_path: Path) -> None:
    opened(tmp_path).save("google", ROW)
    opened(tmp_path).save("google", StoredCredential(id="ab12", cooling={"m": 2.0}))
    kept = opened(tmp_path).load("google")["ab12"]
    assert kept == replace(ROW, cooling={"m": 2.0}, updated_at=0.0)


def test_processes_that_start_together_make_one_file(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        for number, _ in enumerate(processes.map(save_one, [tmp_path] * 8, range(8))):
            assert number < 8
    assert opened(tmp_path).load("google").keys() == {f"id-{number}" for number in range(8)}


def test_upstreams_do_not_mix(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.save("one", ROW)
    assert store.load("two") == {}


def test_models_come_back(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert store.load_models("google") is None
    store.save_models("google", StoredModels("{}", 1.0))
    store.save_models("google", StoredModels("[]", 2.0))
    assert opened(tmp_path).load_models("google") == StoredModels("[]", 2.0)


def test_the_folder_and_the_files_are_the_owners_only(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        store = opened(tmp_path)
        connection = sqlite3.connect(store.file)  # keeps the journal's files from being removed
        store.save("google", ROW)
        modes = {stat.S_IMODE(file.stat().st_mode) for file in store.file.parent.iterdir()}
        connection.close()
    finally:
        os.umask(mask)
    assert modes == {0o600}
    assert stat.S_IMODE(store.file.parent.stat().st_mode) == 0o700


def test_without_a_key_a_refresh_token_is_in_clear(tmp_path: Path) -> None:
    opened(tmp_path).save("google", ROW)
    assert b"1//rotated" in content(tmp_path)


def test_with_a_key_it_is_not(tmp_path: Path) -> None:
    first = key()
    opened(tmp_path, first).save("google", ROW)
    assert b"1//rotated" not in content(tmp_path)
    assert opened(tmp_path, first).load("google") == {"ab12": ROW}


def test_the_first_key_encrypts_what_was_in_clear(tmp_path: Path) -> None:
    opened(tmp_path).save("google", ROW)
    first = key()
    assert opened(tmp_path, first).load("google") == {"ab12": ROW}
    with closing(sqlite3.connect(tmp_path / "data" / "gateway.db")) as connection:
        rows = connection.execute("select refresh_token from credentials").fetchall()
    assert "1//rotated" not in str(rows)


def test_keys_are_rotated(tmp_path: Path) -> None:
    old, new = key(), key()
    opened(tmp_path, old).save("google", ROW)
    assert opened(tmp_path, new, old).load("google") == {"ab12": ROW}
    assert opened(tmp_path, new).load("google") == {"ab12": ROW}
    with pytest.raises(KeyProblem):
        opened(tmp_path, old)


@pytest.mark.parametrize("rows", [(), (ROW,)])
def test_a_wrong_key_is_refused_and_changes_nothing(tmp_path: Path, rows: tuple[StoredCredential, ...]) -> None:
    store = opened(tmp_path, key())
    for row in rows:
        store.save("google", row)
    before = content(tmp_path)
    with pytest.raises(KeyProblem, match=r"does not open .*gateway\.db; the file was left as it is"):
        opened(tmp_path, key())
    assert content(tmp_path) == before


def test_a_missing_key_is_refused(tmp_path: Path) -> None:
    opened(tmp_path, key())
    with pytest.raises(KeyProblem, match=r"is not set, but .*gateway\.db is encrypted"):
        opened(tmp_path)


@pytest.mark.parametrize("text", ["", "secret", "é"])
def test_a_text_that_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeyProblem, match="is not a key"):
        CredentialStore(tmp_path / "gateway.db", [text])


def test_a_file_that_is_no_database_fails(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gateway.db").write_bytes(b"something else entirely" * 100)
    with pytest.raises(StoreFailed, match="file is not a database"):
        opened(tmp_path)


def test_a_folder_that_cannot_be_made_fails(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(StoreFailed):
        opened(tmp_path)


def test_a_full_disk_fails_and_leaves_what_was_there(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.save("google", ROW)
    full = sqlite3.connect(store.file)
    full.execute("create trigger full before insert on credentials begin select raise(abort, 'disk is full'); end")
    full.close()
    with pytest.raises(StoreFailed, match="disk is full") as caught:
        store.save("google", StoredCredential(id="cd34", refresh_token="1//another"))
    assert "1//another" not in str(caught.value)
    assert store.load("google") == {"ab12": ROW}


def test_rows_do_not_show_their_tokens() -> None:
    assert "rotated" not in repr(ROW)


# accounts that were taken in

ACCOUNT = StoredAccount(
    id="cd34", refresh_token="1//account", email="a@example.org", project_id="p", other='{"n":1}', added_at=1.5
)


def test_an_account_comes_back_as_it_was(tmp_path: Path) -> None:
    opened(tmp_path).take_in("google", ACCOUNT)
    assert opened(tmp_path).accounts("google") == [ACCOUNT]
    assert opened(tmp_path).accounts("another") == []


def test_an_account_that_is_there_stays(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.take_in("google", ACCOUNT)
    store.take_in("google", replace(ACCOUNT, email="b@example.org"))
    assert store.accounts("google") == [ACCOUNT]


def test_an_account_takes_the_place_of_another(tmp_path: Path) -> None:
    store, newer = opened(tmp_path), replace(ACCOUNT, id="ef56", refresh_token="1//newer")
    store.take_in("google", ACCOUNT)
    store.save("google", StoredCredential(id=ACCOUNT.id, state="disabled"))
    store.take_in("google", newer, instead_of=ACCOUNT.id)
    assert (store.accounts("google"), store.load("google")) == ([newer], {})


def test_accounts_are_encrypted_from_the_first_start_with_a_key(tmp_path: Path) -> None:
    opened(tmp_path).take_in("google", ACCOUNT)
    assert b"1//account" in content(tmp_path)
    new = key()
    assert opened(tmp_path, new).accounts("google") == [ACCOUNT]
    opened(tmp_path, new).take_in("google", replace(ACCOUNT, id="ef56", refresh_token="1//second"))
    with closing(sqlite3.connect(tmp_path / "data" / "gateway.db")) as connection:
        rows = connection.execute("SELECT refresh_token, other FROM accounts").fetchall()
    assert all(value.startswith("gAAAA") for row in rows for value in row)


def test_a_file_of_an_older_version_is_read_without_accounts(tmp_path: Path) -> None:
    opened(tmp_path)
    file = tmp_path / "data" / "gateway.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE accounts")
    assert CredentialStore(file, read_only=True).accounts("google") == []
    assert CredentialStore(tmp_path / "none.db", read_only=True).accounts("google") == []
