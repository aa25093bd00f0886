"""`gateway encrypt` and `decrypt`: the whole store from one key to the next, and into the clear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.store.credentials import CredentialStore
from gateway.store.known import StoredCredential
from gateway.store.responses import ResponseStore
from gateway.store.stored import KeyProblem, StoredResponse
from tests.gateway.cli.conftest import Run
from tests.processes import PROGRAMS, environment, gateway
from tests.terminal import terminal

Write = Callable[[str], Path]

TOML = """\
[upstream.google]
type = "v1internal"
models = ["gemini-3-flash"]
base_urls = ["http://127.0.0.1:9"]
oauth = { client_id = "a", client_secret = "b" }
"""
SECRETS = (b"1//refresh-token", b"ya29.access-token", b"what-a-file-said", b"what-was-said", b"what-was-answered")
RESPONSE = StoredResponse(
    id="resp_1", principal="p", items=b'["what-was-said"]', response=b'{"a":"what-was-answered"}', created_at=9e9
)
ROW = StoredCredential(
    id="a" * 64,
    source="login",
    refresh_token="1//refresh-token",
    access_token="ya29.access-token",
    other='{"x":"what-a-file-said"}',
)


class Kept:
    """A store with an account and a response, and what can be read in its file."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.file = folder / "data" / "gateway.db"
        self.url = url

    def fill(self, *keys: str) -> None:
        store = CredentialStore(self.file, keys, url=self.url)
        store.add("google", ROW)
        store.close()
        responses = self.responses(*keys)
        responses.save(RESPONSE)
        responses.close()

    def responses(self, *keys: str) -> ResponseStore:
        opened = ResponseStore(self.file, keys, url=self.url, keep_days=30, max_bytes=2**20)
        opened.open(9e9)
        return opened

    @property
    def in_clear(self) -> list[bytes]:
        """Give the secrets that stand in the file, or beside it."""
        whole = b"".join(file.read_bytes() for file in self.file.parent.iterdir() if file.is_file())
        return [secret for secret in SECRETS if secret in whole]

    def opens(self, *keys: str) -> bool:
        """Tell whether these keys read everything."""
        store = CredentialStore(self.file, keys, url=self.url).as_it_stands()
        responses = self.responses(*keys)
        try:
            rows = store.load("google")
            return rows[ROW.id].refresh_token == ROW.refresh_token and responses.load("p", "resp_1", 9e9) == RESPONSE
        finally:
            store.close()
            responses.close()


@pytest.fixture
def kept(write: Write, folder: Path) -> Kept:
    write(TOML)
    return Kept(folder)


@pytest.fixture
def keys(run: Run) -> list[str]:
    return [run("generate-key").out.strip() for _ in range(2)]


def test_what_is_in_clear_is_encrypted(run: Run, kept: Kept, keys: list[str]) -> None:
    kept.fill()
    assert kept.in_clear == list(SECRETS)
    done = run("encrypt", GATEWAY_ENCRYPTION_KEY=keys[0])
    assert (done.code, done.out, done.err) == (0, f"{kept.file} is encrypted with the newest key\n", "")
    assert kept.in_clear == []
    assert kept.opens(keys[0])


def test_the_older_key_is_not_needed_any_more(run: Run, kept: Kept, keys: list[str], folder: Path) -> None:
    kept.fill(keys[0])
    (folder / "gateway.toml").write_text(f'{TOML}[store]\nencryption_key = ["env:NEW", "env:OLD"]\n')
    done = run("encrypt", OLD=keys[0], NEW=keys[1])
    assert done.out.endswith("; the older keys are no longer needed\n")
    assert kept.opens(keys[1])
    with pytest.raises(KeyProblem):
        kept.opens(keys[0])


@pytest.mark.parametrize("way", ["-ek", "--encryption-key", "--encryption-key-file", ".env"])
def test_the_key_comes_as_it_does_to_run(run: Run, kept: Kept, keys: list[str], folder: Path, way: str) -> None:
    kept.fill()
    (folder / "key").write_text(keys[0])
    if way == ".env":
        (folder / ".env").write_text(f"GATEWAY_ENCRYPTION_KEY={keys[0]}\n")
    words = {".env": []}.get(way, [way, "key" if way.endswith("file") else keys[0]])
    done = run("encrypt", *words)
    assert done.code == 0
    assert ("visible in `ps`" in done.err) == (way in ("-ek", "--encryption-key"))
    assert kept.opens(keys[0])


def test_without_a_key_it_says_where_one_comes_from(run: Run, kept: Kept) -> None:
    kept.fill()
    done = run("encrypt")
    assert (done.code, done.out) == (2, "")
    assert "store.encryption_key: is not set: `gateway generate-key` prints a new key" in done.err


@pytest.mark.parametrize("words", [["encrypt"], ["decrypt", "--yes"]])
def test_a_key_that_does_not_fit_changes_nothing(run: Run, kept: Kept, keys: list[str], words: list[str]) -> None:
    kept.fill(keys[0])
    before = kept.file.read_bytes()
    done = run(*words, GATEWAY_ENCRYPTION_KEY=keys[1])
    assert done.code == 2
    assert f"store.encryption_key: does not open {kept.file}" in done.err
    assert kept.file.read_bytes() == before


# in clear again


def test_it_is_written_in_clear(run: Run, kept: Kept, keys: list[str]) -> None:
    kept.fill(keys[0])
    done = run("decrypt", "--yes", GATEWAY_ENCRYPTION_KEY=keys[0])
    assert done.code == 0, done.err
    assert (
        done.out
        == f"{kept.file} is now unencrypted; remove store.encryption_key, or the next start encrypts it again\n"
    )
    assert kept.opens()


@pytest.mark.parametrize(("typed", "code", "opens"), [("y\n", 0, True), ("n\n", 1, False), ("\n", 1, False)])
def test_it_asks_first(folder: Path, kept: Kept, keys: list[str], typed: str, code: int, opens: bool) -> None:
    kept.fill(keys[0])
    known = environment(folder) | {"GATEWAY_ENCRYPTION_KEY": keys[0]}
    with terminal([PROGRAMS / "gateway", "decrypt"], folder, known) as screen:
        screen.shows(r"will be unencrypted in [^?]+\? \[y/N\]")
        screen.types(typed)
        assert screen.ends() == code
    assert (kept.in_clear != []) == opens


def test_it_asks_no_script(run: Run, kept: Kept, keys: list[str]) -> None:
    kept.fill(keys[0])
    done = run("decrypt", typed="", GATEWAY_ENCRYPTION_KEY=keys[0])
    assert (done.code, done.err) == (0, "")
    assert kept.opens()


def test_decrypt_without_the_key_says_so(run: Run, kept: Kept, keys: list[str]) -> None:
    kept.fill(keys[0])
    done = run("decrypt", "--yes")
    assert done.code == 2
    assert "store.encryption_key: is not set, but " in done.err


@pytest.mark.parametrize("words", [("decrypt", "--yes"), ("encrypt",)])
def test_a_file_that_is_no_database_is_named(run: Run, kept: Kept, keys: list[str], words: tuple[str, ...]) -> None:
    kept.file.parent.mkdir(parents=True, exist_ok=True)
    kept.file.write_bytes(b"not one" * 1000)
    done = run(*words, GATEWAY_ENCRYPTION_KEY=keys[0])
    assert (done.code, done.err) == (2, f"{kept.file}: file is not a database\n")


# beside a gateway


def test_decrypt_waits_for_no_gateway(run: Run, kept: Kept, keys: list[str], folder: Path) -> None:
    kept.fill(keys[0])
    with gateway(folder, GATEWAY_ENCRYPTION_KEY=keys[0]) as running:
        assert running.url
        done = run("decrypt", "--yes", GATEWAY_ENCRYPTION_KEY=keys[0])
    assert done.code == 2
    assert done.err == f"{kept.file}: a gateway uses it, and it would keep encrypting: stop it first\n"
    assert kept.in_clear == []


def test_encrypt_waits_for_no_gateway_without_the_key(run: Run, kept: Kept, keys: list[str], folder: Path) -> None:
    kept.fill()
    with gateway(folder) as running:
        assert running.url
        done = run("encrypt", GATEWAY_ENCRYPTION_KEY=keys[0])
    assert (done.code, "a gateway uses it, and it may not know the key" in done.err) == (2, True)
    assert kept.opens()


def test_encrypt_goes_beside_a_gateway_with_the_key(run: Run, kept: Kept, keys: list[str], folder: Path) -> None:
    kept.fill()
    with gateway(folder, GATEWAY_ENCRYPTION_KEY=keys[0]) as running:
        assert running.url
        assert run("encrypt", GATEWAY_ENCRYPTION_KEY=keys[0]).code == 0
    assert kept.in_clear == []


# PostgreSQL


def test_postgresql_goes_both_ways(run: Run, write: Write, folder: Path, keys: list[str], postgres_url: str) -> None:
    write(f'{TOML}[store]\ndatabase = "{postgres_url}"\n')
    kept = Kept(folder, postgres_url)
    kept.fill()
    assert run("encrypt", GATEWAY_ENCRYPTION_KEY=keys[0]).code == 0
    with pytest.raises(KeyProblem):
        kept.opens()
    with gateway(folder, GATEWAY_ENCRYPTION_KEY=keys[0]) as running:
        assert running.url
        assert "a gateway uses it" in run("decrypt", "--yes", GATEWAY_ENCRYPTION_KEY=keys[0]).err
    assert run("decrypt", "--yes", GATEWAY_ENCRYPTION_KEY=keys[0]).code == 0
    assert kept.opens()
