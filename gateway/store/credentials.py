"""What is learnt about credentials and models, in SQLite, so that a restart knows it.

Blocking: call it at start, or from a worker thread. The refresh tokens of accounts that were taken in live here; of one
that the configuration gives, only the newer token is kept that the upstream gave in its place.
With keys it is encrypted, and so is a proof of the key: a file that none of the keys opens is refused unchanged.
"""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from msgspec import Struct
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Executable,
    RowMapping,
    case,
    create_engine,
    delete,
    event,
    inspect,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from gateway.store.tables import accounts, credentials, metadata, models, settings

__all__ = ["CredentialStore", "KeyProblem", "StoreFailed", "StoredAccount", "StoredCredential", "StoredModels"]

_BUSY_MS: Final = 5000
_ENCRYPTED: Final = "gAAAA"  # how every Fernet token begins
_PROOF: Final = "encryption"
_COOLING: Final = msgspec.json.Decoder(dict[str, float])


class KeyProblem(Exception):
    """The encryption keys and the file do not fit together."""


class StoreFailed(Exception):
    """The file cannot be opened, read or written."""


class StoredCredential(Struct, frozen=True, kw_only=True):
    """One row. `refresh_token` "": the one it was given with; `cooling`: model → Unix seconds.

    A writer that does not know yet what another one wrote cannot undo it: once disabled, a credential stays so, and
    a refresh token or project is only replaced by another one.
    """

    id: str
    state: str = "active"
    reason: str = ""
    project_id: str = ""
    project_source: str = ""
    refresh_token: str = ""
    cooling: Mapping[str, float] = {}
    updated_at: float = 0.0

    def __repr__(self) -> str:
        return f"StoredCredential({self.id[:8]}, {self.state})"


class StoredAccount(Struct, frozen=True, kw_only=True):
    """An account that was taken in; `other` is JSON, kept for who asks for it."""

    id: str
    refresh_token: str
    email: str = ""
    project_id: str = ""
    other: str = "{}"
    added_at: float = 0.0

    def __repr__(self) -> str:
        return f"StoredAccount({self.id[:8]})"


class StoredModels(Struct, frozen=True):
    """A fetched model list and its time in Unix seconds."""

    json: str
    fetched_at: float


class CredentialStore:
    """The credentials and models of every upstream in one file; `keys` are Fernet's, newest first.

    `read_only`: a file is read as it stands, and none is made.
    """

    def __init__(self, file: Path, keys: Sequence[str] = (), *, read_only: bool = False) -> None:
        self.file = file
        self._read_only = read_only
        try:
            self._newest = Fernet(keys[0]) if keys else None
            self._fernet = MultiFernet([Fernet(key) for key in keys]) if keys else None
        except ValueError:
            raise KeyProblem("is not a key: 32 bytes in URL-safe base64") from None
        self._engine = _reader(file) if read_only else _engine(file)

    def open(self) -> None:
        """Make the file if there is none, and see that the keys fit; raise KeyProblem or StoreFailed."""
        if self._read_only:
            for proof in self._select(select(settings.c.value).where(settings.c.name == _PROOF)):
                self._decrypted(proof["value"])
            return
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600))
            with self._engine.begin() as connection:
                metadata.create_all(connection)
                self._prove(connection)
                self._encrypt_all(connection)
        except (SQLAlchemyError, OSError) as error:
            raise StoreFailed(_reason(error)) from None

    def load(self, upstream: str) -> dict[str, StoredCredential]:
        """Read an upstream's credentials by id."""
        rows = self._select(select(credentials).where(credentials.c.upstream == upstream))
        return {row["id"]: self._read(row) for row in rows}

    def save(self, upstream: str, credential: StoredCredential) -> None:
        """Write one credential."""
        row = msgspec.structs.asdict(credential) | {
            "upstream": upstream,
            "refresh_token": self._encrypted(credential.refresh_token),
            "cooling": msgspec.json.encode(credential.cooling).decode(),
        }
        statement = insert(credentials).values(row)
        self._execute(
            statement.on_conflict_do_update(index_elements=["upstream", "id"], set_=row | _lasting(statement))
        )

    def accounts(self, upstream: str) -> list[StoredAccount]:
        """Read the accounts that were taken in, in that order."""
        if self._read_only and not self._has_accounts():
            return []  # an older version made the file
        order = (accounts.c.added_at, accounts.c.id)
        rows = self._select(select(accounts).where(accounts.c.upstream == upstream).order_by(*order))
        return [self._read_account(row) for row in rows]

    def take_in(self, upstream: str, account: StoredAccount, *, instead_of: str = "") -> None:
        """Write an account, in the place of another one, of which all is forgotten."""
        row = msgspec.structs.asdict(account) | {
            "upstream": upstream,
            "refresh_token": self._encrypted(account.refresh_token),
            "other": self._encrypted(account.other),
        }
        forgotten = (
            delete(table).where(table.c.upstream == upstream, table.c.id == instead_of)
            for table in (accounts, credentials)
            if instead_of
        )
        self._execute(*forgotten, insert(accounts).values(row).on_conflict_do_nothing())

    def load_models(self, upstream: str) -> StoredModels | None:
        """Read an upstream's model list."""
        for row in self._select(select(models).where(models.c.upstream == upstream)):
            return StoredModels(row["json"], row["fetched_at"])
        return None

    def save_models(self, upstream: str, fetched: StoredModels) -> None:
        """Write an upstream's model list."""
        row: dict[str, object] = {"upstream": upstream, "json": fetched.json, "fetched_at": fetched.fetched_at}
        self._execute(insert(models).values(row).on_conflict_do_update(index_elements=["upstream"], set_=row))

    def _select(self, query: Executable) -> Sequence[RowMapping]:
        if self._read_only and not self.file.exists():
            return ()
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).mappings().all()
        except SQLAlchemyError as error:
            raise StoreFailed(_reason(error)) from None

    def _execute(self, *statements: Executable) -> None:
        try:
            with self._engine.begin() as connection:
                for statement in statements:
                    connection.execute(statement)
        except SQLAlchemyError as error:
            raise StoreFailed(_reason(error)) from None

    def _has_accounts(self) -> bool:
        try:
            return self.file.exists() and inspect(self._engine).has_table(accounts.name)
        except SQLAlchemyError as error:
            raise StoreFailed(_reason(error)) from None

    def _read(self, row: RowMapping) -> StoredCredential:
        fields: dict[str, Any] = {name: row[name] for name in StoredCredential.__struct_fields__}
        fields["refresh_token"] = self._decrypted(row["refresh_token"])
        fields["cooling"] = _COOLING.decode(row["cooling"])
        return StoredCredential(**fields)

    def _read_account(self, row: RowMapping) -> StoredAccount:
        fields: dict[str, Any] = {name: row[name] for name in StoredAccount.__struct_fields__}
        fields |= {name: self._decrypted(row[name]) for name in ("refresh_token", "other")}
        return StoredAccount(**fields)

    # encryption

    def _prove(self, connection: Connection) -> None:
        """Open the proof that the first start with a key left behind, or leave one."""
        proof = connection.scalar(select(settings.c.value).where(settings.c.name == _PROOF))
        if proof is not None:
            self._decrypted(proof)
        elif self._fernet is not None:
            connection.execute(insert(settings).values(name=_PROOF, value=self._encrypted(_PROOF)))

    def _encrypt_all(self, connection: Connection) -> None:
        """Bring what is in clear, or under an older key, under the newest one."""
        if self._newest is None:
            return
        columns = (
            (credentials, credentials.c.refresh_token),
            (accounts, accounts.c.refresh_token),
            (accounts, accounts.c.other),
            (settings, settings.c.value),
        )
        for table, column in columns:
            for value in connection.scalars(select(column)).all():
                if value and not _opens(self._newest, value):
                    renewed = self._encrypted(self._decrypted(value))
                    connection.execute(update(table).where(column == value).values({column: renewed}))

    def _encrypted(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode() if self._fernet is not None and text else text

    def _decrypted(self, text: str) -> str:
        if not text.startswith(_ENCRYPTED):
            return text
        if self._fernet is None:
            raise KeyProblem(f"is not set, but {self.file} is encrypted")
        try:
            return self._fernet.decrypt(text).decode()
        except InvalidToken:
            raise KeyProblem(f"does not open {self.file}; the file was left as it is") from None


def _lasting(statement: Insert) -> dict[str, object]:
    """Give the columns in which the row that is there may win."""
    old, new = credentials.c, statement.excluded
    disabled = (old.state == "disabled") & (new.state != "disabled")
    return {
        "state": case((disabled, old.state), else_=new.state),
        "reason": case((disabled, old.reason), else_=new.reason),
        "refresh_token": case((new.refresh_token == "", old.refresh_token), else_=new.refresh_token),
        "project_id": case((new.project_id == "", old.project_id), else_=new.project_id),
        "project_source": case((new.project_id == "", old.project_source), else_=new.project_source),
    }


def _engine(file: Path) -> Engine:
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool, hide_parameters=True)
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    return engine


def _reader(file: Path) -> Engine:
    """Read without leaving a trace: a file that nobody has open gets no lock, and no files beside it."""
    mode = {"mode": "ro"} if Path(f"{file}-wal").exists() else {"immutable": "1"}
    url = URL.create("sqlite", database=f"file:{quote(str(file))}", query={**mode, "uri": "true"})
    return create_engine(url, poolclass=NullPool, hide_parameters=True)


def _connected(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # sqlite3 itself would begin too late, and never before a CREATE
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    connection.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not wait for each other


def _begun(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # of several processes that start, one makes the tables


def _opens(fernet: Fernet, value: str) -> bool:
    try:
        fernet.decrypt(value)
    except InvalidToken:
        return False
    return True


def _reason(error: Exception) -> str:
    """Say what failed without the statement and its values."""
    if isinstance(error, OSError):
        return os.strerror(error.errno or 0)
    return str(getattr(error, "orig", None) or type(error).__name__)
