"""What the stores in gateway.db share: the connections, the file, and its encryption.

With keys a proof of the key is left in the file, so that one that none of the keys opens is refused unchanged.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import URL, Connection, Engine, Pool, create_engine, event, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from gateway.store.stored import KeyProblem, StoreFailed
from gateway.store.tables import metadata, settings

__all__ = ["Cipher", "engine", "prepare", "reader", "reason"]

_BUSY_MS: Final = 5000
_ENCRYPTED: Final = b"gAAAA"  # how every Fernet token begins
_PROOF: Final = "encryption"


class Cipher:
    """Fernet with the keys of `store.encryption_key`, newest first; without any, everything stays in clear.

    `key`: by what the newest key is known in the file, "" = there is none.
    """

    def __init__(self, keys: Sequence[str], file: Path) -> None:
        self._file = file
        try:
            self._newest = Fernet(keys[0]) if keys else None
            self.key = sha256(keys[0].encode()).hexdigest()[:8] if keys else ""
            self._all = MultiFernet([Fernet(key) for key in keys]) if keys else None
        except ValueError:
            raise KeyProblem("is not a key: 32 bytes in URL-safe base64") from None

    def encrypt(self, data: bytes) -> bytes:
        """Write under the newest key."""
        return self._newest.encrypt(data) if self._newest is not None and data else data

    def decrypt(self, data: bytes) -> bytes:
        """Read what any of the keys opens, or what is in clear; raise KeyProblem."""
        if not data.startswith(_ENCRYPTED):
            return data
        if self._all is None:
            raise KeyProblem(f"is not set, but {self._file} is encrypted")
        try:
            return self._all.decrypt(data)
        except InvalidToken:
            raise KeyProblem(f"does not open {self._file}; the file was left as it is") from None

    def renewed(self, data: bytes) -> bytes | None:
        """Write again what is in clear or under an older key; None = it need not be."""
        if self._newest is None or not data or _opens(self._newest, data):
            return None
        return self.encrypt(self.decrypt(data))

    def encrypt_text(self, text: str) -> str:
        """Write text."""
        return self.encrypt(text.encode()).decode()

    def decrypt_text(self, text: str) -> str:
        """Read text."""
        return self.decrypt(text.encode()).decode()


def engine(file: Path, *, pool: type[Pool] = NullPool, pragmas: Sequence[str] = ()) -> Engine:
    """Connect for reading and writing. Every transaction is one for writing, unless its options say `reading`."""

    def connected(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # sqlite3 itself would begin too late, and never before a CREATE
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        connection.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not wait for each other
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    made = create_engine(f"sqlite:///{file}", poolclass=pool, hide_parameters=True)
    event.listen(made, "connect", connected)
    event.listen(made, "begin", _begun)
    return made


def reader(file: Path) -> Engine:
    """Read without leaving a trace: a file that nobody has open gets no lock, and no files beside it."""
    mode = {"mode": "ro"} if Path(f"{file}-wal").exists() else {"immutable": "1"}
    url = URL.create("sqlite", database=f"file:{quote(str(file))}", query={**mode, "uri": "true"})
    return create_engine(url, poolclass=NullPool, hide_parameters=True)


def prepare(opened: Engine, file: Path, cipher: Cipher, then: Callable[[Connection], None]) -> None:
    """Make the file if there is none, and see that the keys fit; raise KeyProblem or StoreFailed."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        with opened.begin() as connection:
            metadata.create_all(connection)
            _prove(connection, cipher)
            then(connection)
    except (SQLAlchemyError, OSError) as error:
        raise StoreFailed(reason(error)) from None


def reason(error: Exception) -> str:
    """Say what failed without the statement and its values."""
    if isinstance(error, OSError):
        return os.strerror(error.errno or 0)
    return str(getattr(error, "orig", None) or type(error).__name__)


def _prove(connection: Connection, cipher: Cipher) -> None:
    """Open the proof that the first start with a key left behind, or leave one, under the newest key."""
    proof = connection.scalar(select(settings.c.value).where(settings.c.name == _PROOF))
    if proof is not None:
        cipher.decrypt_text(proof)
    renewed = cipher.renewed((proof or _PROOF).encode())
    if renewed is None:
        return
    if proof is None:
        connection.execute(insert(settings).values(name=_PROOF, value=renewed.decode()))
    else:
        connection.execute(update(settings).where(settings.c.name == _PROOF).values(value=renewed.decode()))


def _begun(connection: Connection) -> None:
    # of several processes that start, one makes the tables
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _opens(fernet: Fernet, data: bytes) -> bool:
    try:
        fernet.decrypt(data)
    except InvalidToken:
        return False
    return True
