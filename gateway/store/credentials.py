"""Credentials and models of every upstream, and what the gateway's processes share beside them, in the database.

Blocking: call it at start, or from a worker thread. The refresh tokens of accounts that were taken in or have logged in
live here; of one that the configuration gives, only the newer token that the upstream gave in its place.

Whoever writes is alone, so that a row is read, changed and written with nothing between. Each row that is written gets
the next number, and who asks `since` a number misses none: numbers become visible in their order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update

from gateway.store import sealing
from gateway.store.database import Database, put
from gateway.store.known import Change, StoredCredential, changed
from gateway.store.rows import read_row, storable, write_row
from gateway.store.stored import KeyProblem, StoreFailed
from gateway.store.tables import credentials, leases, logins, models, numbers, settings

__all__ = ["Beginning", "CredentialStore", "KeyProblem", "StoreFailed", "StoredCredential", "StoredModels"]

_DAY_S: Final = 86_400
_REPLACED: Final = ""  # the source of a row that is only there so that the other processes drop it

# both for many rows at once
_ADD: Final = insert(credentials)
_CHANGE: Final = update(credentials).where(
    credentials.c.upstream == bindparam("where_upstream"), credentials.c.id == bindparam("where_id")
)


class StoredModels(Struct, frozen=True):
    """A fetched model list and its time in Unix seconds."""

    json: str
    fetched_at: float


class Beginning(Struct, frozen=True):
    """What there is of an upstream: the greatest number of any row, its credentials by id, its models."""

    number: int
    rows: dict[str, StoredCredential]
    models: StoredModels | None


class CredentialStore:
    """The store in a file, or in the database that `url` names; `keys` are Fernet's, newest first.

    Everything raises KeyProblem or StoreFailed. `read_only`: it is read as it stands, and none is made.
    """

    def __init__(self, file: Path, keys: Sequence[str] = (), *, url: str = "", read_only: bool = False) -> None:
        self.file = file
        self.read_only = read_only
        self._given = (tuple(keys), url)
        self.database = Database(file, keys, url=url, read_only=read_only)
        self._cipher = self.database.cipher

    @property
    def place(self) -> str:
        """Name the file or the database."""
        return self.database.place

    @property
    def encrypts(self) -> bool:
        """Whether there is a key."""
        return bool(self._cipher.key)

    def open(self) -> None:
        """Make the database if there is none, and see that the keys fit."""
        self.database.open()

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        self.database.close()

    def as_it_stands(self) -> "CredentialStore":
        """Give the same store for reading only, which may work where the store does not."""
        keys, url = self._given
        return CredentialStore(self.file, keys, url=url, read_only=True)

    # credentials

    def begin(self, upstream: str) -> Beginning:
        """Read what a process starts with."""
        with self.database.reading() as connection:
            number = connection.scalar(select(numbers.c.number)) or 0
            row = connection.execute(select(models).where(models.c.upstream == upstream)).mappings().first()
            fetched = StoredModels(row["json"], row["fetched_at"]) if row is not None else None
            return Beginning(number, self._load(connection, upstream), fetched)

    def load(self, upstream: str) -> dict[str, StoredCredential]:
        """Read an upstream's credentials by id, in the order in which they were added; also the removed ones."""
        with self.database.reading() as connection:
            return self._load(connection, upstream)

    def read(self, upstream: str, id_: str) -> StoredCredential | None:
        """Read one credential."""
        with self.database.reading() as connection:
            row = _row(connection, upstream, id_)
        return read_row(row, self._cipher) if row is not None else None

    def since(self, upstream: str, number: int) -> list[StoredCredential]:
        """Read what was written after a number, in that order; also what is removed."""
        query = select(credentials).where(credentials.c.upstream == upstream, credentials.c.number > number)
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(credentials.c.number)).mappings().all()
        return [read_row(row, self._cipher) for row in rows]

    def learn(self, upstream: str, changes: Sequence[Change], now: float) -> list[StoredCredential]:
        """Write what was learnt, all of it or nothing; give the rows as they are then."""
        ids = list(dict.fromkeys(change.id for change in changes))
        query = select(credentials).where(credentials.c.upstream == upstream, credentials.c.id.in_(ids))
        with self.database.writing() as connection:
            old = {row["id"]: row for row in connection.execute(query).mappings()}
            rows = {id_: read_row(row, self._cipher) for id_, row in old.items()}
            for change in changes:
                rows[change.id] = changed(rows.get(change.id, StoredCredential(id=change.id)), change, now)
            return self._write(connection, upstream, (rows[id_] for id_ in ids), old)

    def add(self, upstream: str, row: StoredCredential, *, instead_of: str = "") -> StoredCredential:
        """Write an account that was taken in or has logged in, also one that was removed; give it as it is then.

        Of one that is there, stays what was counted and learnt of it, and a newer refresh token unless it is void.
        `instead_of`: all of that one is forgotten.
        """
        with self.database.writing() as connection:
            ids = [row.id, *([instead_of] if instead_of not in ("", row.id) else [])]
            old = {id_: found for id_ in ids if (found := _row(connection, upstream, id_)) is not None}
            rows = [_joined(read_row(old[row.id], self._cipher), row) if row.id in old else row]
            rows += [_emptied(id_, _REPLACED, row.updated_at) for id_ in ids[1:] if id_ in old]
            return self._write(connection, upstream, rows, old)[0]

    def remove(self, upstream: str, id_: str, now: float) -> None:
        """Forget all of a credential but that it was removed, and under which e-mail."""
        with self.database.writing() as connection:
            old = _row(connection, upstream, id_)
            if old is not None and not old["removed"]:
                gone = replace(_emptied(id_, old["source"], now), email=old["email"], added_at=old["added_at"])
                self._write(connection, upstream, [gone], {id_: old})

    def _load(self, connection: Connection, upstream: str) -> dict[str, StoredCredential]:
        query = select(credentials).where(credentials.c.upstream == upstream, credentials.c.source != _REPLACED)
        rows = connection.execute(query.order_by(credentials.c.added_at, credentials.c.id)).mappings()
        return {row["id"]: read_row(row, self._cipher) for row in rows}

    def _write(
        self, connection: Connection, upstream: str, rows: Iterable[StoredCredential], old: Mapping[str, RowMapping]
    ) -> list[StoredCredential]:
        number = connection.scalar(select(numbers.c.number)) or 0
        written = [replace(row, number=place) for place, row in enumerate(rows, number + 1)]
        made = [write_row(upstream, row, self._cipher, old.get(row.id)) for row in written]
        there = [row | {"where_upstream": upstream, "where_id": row["id"]} for row in made if row["id"] in old]
        if there:
            connection.execute(_CHANGE, there)
        if len(there) < len(made):
            connection.execute(_ADD, [row for row in made if row["id"] not in old])
        connection.execute(update(numbers).values(number=number + len(written)))
        return written

    # models

    def save_models(self, upstream: str, fetched: StoredModels) -> None:
        """Write an upstream's model list."""
        with self.database.writing() as connection:
            put(
                connection,
                models,
                {"upstream": upstream, "json": storable(fetched.json), "fetched_at": fetched.fetched_at},
            )

    # what processes share

    def take_lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take, or keep for longer, what one owner at a time has; False when another one has it.

        One that ends later than this one would is of a clock that was set back since.
        """
        with self.database.writing() as connection:
            now = self.database.now(connection)
            held = connection.execute(select(leases.c.owner, leases.c.until).where(leases.c.name == name)).first()
            if held is not None and held.owner != owner and now < held.until <= now + seconds:
                return False
            put(connection, leases, {"name": name, "owner": owner, "until": now + seconds})
            return True

    def end_lease(self, name: str, owner: str) -> None:
        """Give it back, if one has it."""
        with self.database.writing() as connection:
            connection.execute(delete(leases).where(leases.c.name == name, leases.c.owner == owner))

    def setting(self, name: str, make: Callable[[], str]) -> str:
        """Give a secret that is made once for all processes."""
        query = select(settings.c.value).where(settings.c.name == name)
        with self.database.reading() as connection:
            found = connection.scalar(query)
        if found is None:
            with self.database.writing() as connection:
                found = connection.scalar(query)
                if found is None:
                    found = self._cipher.encrypt_text(make())
                    put(connection, settings, {"name": name, "value": found})
        return self._cipher.decrypt_text(found)

    def begin_login(self, hash_: str, words: str, until: float) -> None:
        """Keep the words of a login, encrypted, by the hash of its state; what has ended long before goes."""
        row: dict[str, object] = {"hash": hash_, "until": until, "key": self._cipher.key}
        with self.database.writing() as connection:
            connection.execute(delete(logins).where(logins.c.until < until - _DAY_S))
            put(connection, logins, row | {"words": self._cipher.encrypt_text(storable(words))})

    def has_login(self, hash_: str, now: float) -> bool:
        """Tell whether there is such a login, and its time is not over."""
        query = select(logins.c.until).where(logins.c.hash == hash_)
        with self.database.reading() as connection:
            until = connection.execute(query).scalar()
        return until is not None and until > now

    def take_login(self, hash_: str, now: float) -> str | None:
        """Give the words of a login, once; None when there is none, or its time is over."""
        taken = delete(logins).where(logins.c.hash == hash_).returning(logins.c.words, logins.c.until)
        with self.database.writing() as connection:
            row = connection.execute(taken).first()
        return self._cipher.decrypt_text(row.words) if row is not None and row.until > now else None

    # keys

    def renew_some(self) -> int:
        """Bring a few rows under the newest key; give how many, 0 = none is left."""
        with self.database.writing() as connection:
            return sealing.renew_some(connection, self._cipher)

    def decrypt_all(self) -> int:
        """Write everything in clear, so that no key is needed any more; give how many rows."""
        with self.database.writing() as connection:
            return sealing.open_all(connection, self._cipher)


def _row(connection: Connection, upstream: str, id_: str) -> RowMapping | None:
    query = select(credentials).where(credentials.c.upstream == upstream, credentials.c.id == id_)
    return connection.execute(query).mappings().first()


def _joined(old: StoredCredential, new: StoredCredential) -> StoredCredential:
    """Give an account as it was given again; one that was removed begins anew."""
    if old.removed:
        return new
    stays = bool(old.refresh_token) and old.state != "disabled" and old.refresh_at >= new.refresh_at
    newest = old if old.access_at > new.access_at and stays else new
    return replace(
        new,
        email=new.email or old.email,
        project_id=new.project_id or old.project_id,
        project_source=new.project_source if new.project_id else old.project_source,
        refresh_token=old.refresh_token if stays else new.refresh_token,
        refresh_at=old.refresh_at if stays else new.refresh_at,
        access_token=newest.access_token,
        access_until=newest.access_until,
        access_at=newest.access_at,
        cooling={**old.cooling, **new.cooling},
        quota={**old.quota, **new.quota},
        uses=max(old.uses, new.uses),
        last_used_at=max(old.last_used_at, new.last_used_at),
        added_at=old.added_at or new.added_at,
    )


def _emptied(id_: str, source: str, now: float) -> StoredCredential:
    return StoredCredential(id=id_, source=source, state="disabled", updated_at=now, removed=True)
