"""What is encrypted in the database, and how it comes from one key to the next.

    in clear ── open, the first time with a key ──► under the key
    under an older key ── a few rows at a time ──► under the newest

The value `encryption` in settings is the proof of the key; what no key opens is refused before anything is changed.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Table,
    and_,
    delete,
    insert,
    or_,
    select,
    update,
)

from gateway.store.cipher import Cipher
from gateway.store.tables import credentials, logins, settings

__all__ = ["SEALED", "check", "is_settled", "open_all", "renew_some", "settle"]

SEALED: Final[Mapping[Table, tuple[str, ...]]] = {
    credentials: ("refresh_token", "access_token", "other", "link"),
    logins: ("words",),
}
_PROOF: Final = "encryption"
_SOME: Final = 8


def check(connection: Connection, cipher: Cipher) -> Mapping[str, str]:
    """See that a key opens the settings, with the proof among them; give them as they stand. Raise KeyProblem."""
    values = _settings(connection)
    for value in values.values():
        cipher.decrypt_text(value)
    return values


def is_settled(connection: Connection, cipher: Cipher) -> bool:
    """Tell whether `settle` has nothing to do; raise KeyProblem."""
    values = check(connection, cipher)
    _known(connection, cipher)
    if any(cipher.renewed(value.encode()) is not None for value in values.values()):
        return False
    if not cipher.key:
        return True
    return _PROOF in values and not any(connection.execute(_in_clear(table).limit(1)).first() for table in SEALED)


def settle(connection: Connection, cipher: Cipher) -> bool:
    """Encrypt what is in clear, and leave a proof of the newest key; say whether anything was. Raise KeyProblem."""
    values = check(connection, cipher)
    _known(connection, cipher)
    sealed = _settle_settings(connection, cipher, values)
    for table in SEALED if cipher.key else ():
        for row in connection.execute(_in_clear(table)).mappings().all():
            _write(connection, cipher, table, row)
            sealed = True
    return sealed


def renew_some(connection: Connection, cipher: Cipher) -> int:
    """Bring a few rows under the newest key; give how many there were. Raise KeyProblem."""
    if not cipher.key:
        return 0
    for table in SEALED:
        rows = connection.execute(select(table).where(table.c.key != cipher.key).limit(_SOME)).mappings().all()
        for row in rows:
            _write(connection, cipher, table, row)
        if rows:
            return len(rows)
    return 0


def open_all(connection: Connection, cipher: Cipher) -> int:
    """Write everything in clear, without a proof; give how many rows. Raise KeyProblem."""
    count = 0
    for table, columns in SEALED.items():
        for row in connection.execute(select(table)).mappings().all():
            clear = {name: cipher.decrypt_text(row[name]) for name in columns}
            connection.execute(update(table).where(_same(table, row)).values({**clear, "key": ""}))
            count += 1
    connection.execute(delete(settings).where(settings.c.name == _PROOF))
    for name, value in _settings(connection).items():
        change = update(settings).where(settings.c.name == name)
        connection.execute(change.values(value=cipher.decrypt_text(value)))
    return count


def _known(connection: Connection, cipher: Cipher) -> None:
    """Refuse rows under a key that is not given."""
    for table in SEALED:
        strange = connection.scalar(select(table.c.key).where(table.c.key.not_in(("", *cipher.keys))).limit(1))
        if strange is not None:
            raise cipher.refused()


def _settings(connection: Connection) -> dict[str, str]:
    return {row.name: row.value for row in connection.execute(select(settings))}


def _settle_settings(connection: Connection, cipher: Cipher, values: Mapping[str, str]) -> bool:
    for name, value in values.items():
        renewed = cipher.renewed(value.encode())
        if renewed is not None:
            connection.execute(update(settings).where(settings.c.name == name).values(value=renewed.decode()))
    if cipher.key and _PROOF not in values:
        connection.execute(insert(settings).values(name=_PROOF, value=cipher.encrypt_text(_PROOF)))
    return bool(cipher.key) and bool(values.keys() - {_PROOF})


def _in_clear(table: Table) -> Select[Any]:
    return select(table).where(table.c.key == "", or_(*(table.c[name] != "" for name in SEALED[table])))


def _write(connection: Connection, cipher: Cipher, table: Table, row: RowMapping) -> None:
    sealed = {name: cipher.encrypt_text(cipher.decrypt_text(row[name])) for name in SEALED[table]}
    connection.execute(update(table).where(_same(table, row)).values({**sealed, "key": cipher.key}))


def _same(table: Table, row: RowMapping) -> ColumnElement[bool]:
    return and_(*(column == row[column.name] for column in table.primary_key))
