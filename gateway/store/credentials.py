"""What is learnt about credentials and models, in SQLite, so that a restart knows it.

Blocking: call it at start, or from a worker thread. The refresh tokens of accounts that were taken in live here; of one
that the configuration gives, only the newer token is kept that the upstream gave in its place.
With keys it is encrypted, and so is a proof of the key: a file that none of the keys opens is refused unchanged.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Executable, RowMapping, case, delete, inspect, select, update
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.exc import SQLAlchemyError

from gateway.store.database import Cipher, engine, prepare, reader, reason
from gateway.store.stored import KeyProblem, StoreFailed
from gateway.store.tables import accounts, credentials, models, settings

__all__ = ["CredentialStore", "KeyProblem", "StoreFailed", "StoredAccount", "StoredCredential", "StoredModels"]

_COOLING: Final = msgspec.json.Decoder(dict[str, float])


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
        self._cipher = Cipher(keys, file)
        self._engine = reader(file) if read_only else engine(file)

    def open(self) -> None:
        """Make the file if there is none, and see that the keys fit; raise KeyProblem or StoreFailed."""
        if self._read_only:
            for proof in self._select(select(settings.c.value)):
                self._cipher.decrypt_text(proof["value"])
            return
        prepare(self._engine, self.file, self._cipher, self._encrypt_all)

    def load(self, upstream: str) -> dict[str, StoredCredential]:
        """Read an upstream's credentials by id."""
        rows = self._select(select(credentials).where(credentials.c.upstream == upstream))
        return {row["id"]: self._read(row) for row in rows}

    def save(self, upstream: str, credential: StoredCredential) -> None:
        """Write one credential."""
        row = msgspec.structs.asdict(credential) | {
            "upstream": upstream,
            "refresh_token": self._cipher.encrypt_text(credential.refresh_token),
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
            "refresh_token": self._cipher.encrypt_text(account.refresh_token),
            "other": self._cipher.encrypt_text(account.other),
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
            raise StoreFailed(reason(error)) from None

    def _execute(self, *statements: Executable) -> None:
        try:
            with self._engine.begin() as connection:
                for statement in statements:
                    connection.execute(statement)
        except SQLAlchemyError as error:
            raise StoreFailed(reason(error)) from None

    def _has_accounts(self) -> bool:
        try:
            return self.file.exists() and inspect(self._engine).has_table(accounts.name)
        except SQLAlchemyError as error:
            raise StoreFailed(reason(error)) from None

    def _read(self, row: RowMapping) -> StoredCredential:
        fields: dict[str, Any] = {name: row[name] for name in StoredCredential.__struct_fields__}
        fields["refresh_token"] = self._cipher.decrypt_text(row["refresh_token"])
        fields["cooling"] = _COOLING.decode(row["cooling"])
        return StoredCredential(**fields)

    def _read_account(self, row: RowMapping) -> StoredAccount:
        fields: dict[str, Any] = {name: row[name] for name in StoredAccount.__struct_fields__}
        fields |= {name: self._cipher.decrypt_text(row[name]) for name in ("refresh_token", "other")}
        return StoredAccount(**fields)

    def _encrypt_all(self, connection: Connection) -> None:
        """Bring what is in clear, or under an older key, under the newest one."""
        columns = (
            (credentials, credentials.c.refresh_token),
            (accounts, accounts.c.refresh_token),
            (accounts, accounts.c.other),
        )
        for table, column in columns:
            for value in connection.scalars(select(column)).all():
                renewed = self._cipher.renewed(value.encode())
                if renewed is not None:
                    connection.execute(update(table).where(column == value).values({column: renewed.decode()}))


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
