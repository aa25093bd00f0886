"""Responses that callers may go on from, in the database: bounded by age and by the sum of their bytes.

Blocking: call it from a worker thread. A caller sees its own responses only. With keys, what was said is encrypted. Of
one that is deleted or dropped the id stays, nobody's, as if it were written then: an upstream may keep it still.
"""

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from heapq import heapify, heapreplace
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    QueuePool,
    RowMapping,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from gateway.store.database import Database
from gateway.store.driven import driven
from gateway.store.rows import storable
from gateway.store.stored import ChainBroken, ChainTooLong, KeyProblem, StoredResponse, StoreFailed
from gateway.store.tables import responses, responses_size

__all__ = ["ResponseStore"]

_BATCH: Final = 256
_SPARE: Final = 100  # a hundredth goes besides, so that not every one that is kept adds up what each caller has
_AT_A_TIME: Final = 8  # all of them are in memory
_DAY_S: Final = 86_400
_JSON: Final = msgspec.json.Decoder(msgspec.Raw)
_ID_BYTES: Final = 64  # what an id counts that is all that is left
_PRAGMAS: Final = (
    "synchronous = NORMAL",  # after a power cut the last responses may be gone, the file is whole
    "cache_size = -256",  # kB; SQLite would keep 2 MB for each thread that has ever asked
)

# made once: to make them takes longer than to run them
_KEEP: Final = insert(responses)
_GROW: Final = update(responses_size).values(bytes=responses_size.c.bytes + bindparam("by"))
_STATE: Final = select(responses_size.c.bytes, select(func.min(responses.c.created_at)).scalar_subquery())
_OLDEST: Final = (
    select(responses.c.id, responses.c.bytes, responses.c.created_at, responses.c.principal)
    .order_by(responses.c.created_at, responses.c.principal)
    .limit(_BATCH)
)
_OLDEST_OF: Final = _OLDEST.where(responses.c.principal == bindparam("of"))
_HELD: Final = (
    select(func.sum(responses.c.bytes), responses.c.principal).group_by(responses.c.principal).having(func.count() > 1)
)


class _Row(NamedTuple):
    """A row of the table, its values in the order of the columns."""

    id: str
    principal: str
    previous: str | None
    created_at: float
    size: int
    key: str
    items: bytes
    response: bytes
    upstream: str


class _Held(NamedTuple):
    """What may go: the beginning of a row."""

    id: str
    size: int
    created_at: float
    principal: str


class ResponseStore:
    """The responses of every caller in a file, or in the database that `url` names; `keys` are Fernet's, newest first.

    `keep_days` and `max_bytes` bound what is there; 0 of either keeps nothing. `now` is Unix seconds everywhere.
    Everything raises StoreFailed.
    """

    def __init__(self, file: Path, keys: Sequence[str] = (), *, url: str = "", keep_days: int, max_bytes: int) -> None:
        self.file = file
        self._keep_s = keep_days * _DAY_S
        self._max_bytes = max_bytes if keep_days else 0
        self._database = Database(file, keys, url=url, pool=QueuePool, pragmas=_PRAGMAS)
        self._cipher = self._database.cipher

    def open(self, now: float) -> None:
        """Make the database if there is none, drop what is too old or too much, and encrypt with the newest key.

        Raises KeyProblem, too.
        """
        with ExitStack() as undo:
            undo.callback(self.close)
            self._database.open()
            self._tidy(now)
            undo.pop_all()

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        self._database.close()

    def save(self, one: StoredResponse) -> bool:
        """Keep a response, in the place of the oldest ones; False when it alone is more than all may be."""
        return self.save_all([one])[0]

    def save_all(self, ones: Sequence[StoredResponse], anew: Container[str] = ()) -> list[bool]:
        """Keep some in one transaction; those whose ids are in `anew` in the place of what they were before.

        So are those whose ids an upstream has given twice; False, too, for an id that another caller's response has.
        """
        rows = [self._row(one) for one in ones]
        kept = [row for row in rows if row.size <= self._max_bytes]
        old = [one for one in ones if one.id in anew or one.upstream]
        if kept or old:
            now = max(one.created_at for one in ones)
            with self._writing() as connection:
                for one in old:
                    _delete(connection, one)
                taken = _taken(connection, [row.id for row in kept if row.upstream])
                kept = [row for row in kept if row.id not in taken]
                if kept:
                    self._insert(connection, kept, now)
        return [row in kept for row in rows]

    def settle(self, before: StoredResponse, response: bytes, now: float) -> bool | None:
        """Keep what became of one, once: None where somebody has, or it is gone; False when it is more than may be."""
        row = self._row(replace(before, response=response))
        fits = row.size <= self._max_bytes
        with self._writing() as connection:
            there = self._load(connection, before.principal, before.id, now)
            if there is None or there.response != before.response:
                return None
            _delete(connection, before)
            if fits:
                self._insert(connection, [row], now)
        return fits

    def _insert(self, connection: Connection, rows: "Sequence[_Row]", now: float) -> None:
        keep, grow = _statements(connection.dialect.name)
        connection.exec_driver_sql(keep, [*rows])
        total, oldest = connection.exec_driver_sql(grow, (sum(row.size for row in rows),)).one()
        if self._are_too_many(total, oldest, now):
            while self._drop(connection, now):
                pass

    def load(self, principal: str, id_: str, now: float) -> StoredResponse | None:
        """Read a caller's response; None when it has none of that id."""
        with self._database.reading() as connection:
            return self._load(connection, principal, id_, now)

    def chain(self, principal: str, id_: str, now: float, *, depth: int, max_bytes: int) -> list[StoredResponse]:
        """Read a response and all that it goes on from, oldest first.

        Raises ChainBroken when one of them is not there, ChainTooLong beyond so many responses or bytes.
        """
        found: list[StoredResponse] = []
        wanted: str | None = id_
        with self._database.reading() as connection:
            while wanted is not None:
                one = self._load(connection, principal, wanted, now)
                if one is None:
                    there = select(responses.c.id).where(responses.c.id == storable(wanted))
                    raise ChainBroken(wanted, known=connection.scalar(there) is not None)
                max_bytes -= len(one.items) + len(one.response)
                if len(found) == depth or max_bytes < 0:
                    raise ChainTooLong
                found.append(one)
                wanted = one.previous
        return found[::-1]

    def search(self, principal: str, now: float, *, most: int, is_enough: Callable[[bytes], bool]) -> None:
        """Show a caller's responses that an upstream has made, newest first, until it is enough."""
        passed = (
            select(responses)
            .where(responses.c.principal == principal, responses.c.upstream != "")
            .where(responses.c.created_at > now - self._keep_s)
            .order_by(responses.c.created_at.desc(), responses.c.id)
        )
        for start in range(0, most, _AT_A_TIME):
            with self._database.reading() as connection:
                rows = connection.execute(passed.limit(min(_AT_A_TIME, most - start)).offset(start)).mappings().all()
            if any(is_enough(_whole(one).response) for row in rows if (one := self._read(row)) is not None) or not rows:
                return

    def delete(self, principal: str, id_: str, now: float) -> bool:
        """Forget a caller's response; False when it has none of that id."""
        mine = list(self._visible(principal, id_, now))
        with self._writing() as connection:
            size = connection.scalar(select(responses.c.bytes).where(*mine))
            if size is not None:
                connection.execute(update(responses).where(*mine).values(_left(now)))
                _grow(connection, _ID_BYTES - size)
        return size is not None

    def _row(self, one: StoredResponse) -> "_Row":
        items, response = self._cipher.encrypt(one.items), self._cipher.encrypt(one.response)
        return _Row(
            one.id,
            one.principal,
            one.previous,
            one.created_at,
            len(items) + len(response),
            self._cipher.key,
            items,
            response,
            one.upstream,
        )

    def _writing(self) -> AbstractContextManager[Connection]:
        return self._database.writing(responses_size)  # who has its one row is alone

    def _load(self, connection: Connection, principal: str, id_: str, now: float) -> StoredResponse | None:
        rows = connection.execute(select(responses).where(*self._visible(principal, id_, now))).mappings()
        return next((_whole(one) for row in rows if (one := self._read(row)) is not None), None)

    def _visible(self, principal: str, id_: str, now: float) -> Iterator[ColumnElement[bool]]:
        yield responses.c.id == storable(id_)
        yield responses.c.principal == principal
        yield responses.c.created_at > now - self._keep_s

    def _read(self, row: RowMapping) -> StoredResponse | None:
        try:
            return StoredResponse(
                id=row["id"],
                principal=row["principal"],
                items=self._cipher.decrypt(row["items"]),
                response=self._cipher.decrypt(row["response"]),
                created_at=row["created_at"],
                previous=row["previous"],
                upstream=row["upstream"],
            )
        except KeyProblem:  # a process with an older key has written it
            return None

    # bounds and keys

    def _tidy(self, now: float) -> None:
        """Bring the file in line with what is configured, in transactions for which others can wait."""
        more = True
        while more:
            with self._writing() as connection:
                more = self._drop(connection, now)
        last: str | None = ""
        while self._cipher.key and last is not None:
            with self._writing() as connection:
                last = self._renew(connection, last, self._cipher.key)

    def decrypt_all(self) -> None:
        """Write everything in clear, as far as the keys open it."""
        last: str | None = ""
        while last is not None:
            with self._writing() as connection:
                last = self._renew(connection, last, "")

    def _are_too_many(self, total: int, oldest: float | None, now: float) -> bool:
        return total > self._max_bytes or (oldest is not None and oldest <= now - self._keep_s)

    def _drop(self, connection: Connection, now: float) -> bool:
        """Drop some of what is too old or too much, to the id, and ids; tell whether there may be more."""
        total, oldest = connection.execute(_STATE).one()
        if not self._are_too_many(total, oldest, now):
            return False
        ended = now - self._keep_s
        if oldest is not None and oldest <= ended:
            rows = list(takewhile(lambda row: row.created_at <= ended, _rows(connection, _OLDEST)))
        else:
            rows = _largest(connection, total - self._max_bytes, self._max_bytes // _SPARE)
        dropped = [row.id for row in rows if row.principal and self._max_bytes]
        gone = [row.id for row in rows if not (row.principal and self._max_bytes)]
        if dropped:
            ids = update(responses).where(responses.c.id.in_(dropped))
            connection.execute(ids.values(_left(now)))
        if gone:
            connection.execute(delete(responses).where(responses.c.id.in_(gone)))
        _grow(connection, _ID_BYTES * len(dropped) - sum(row.size for row in rows))
        return bool(rows)

    def _renew(self, connection: Connection, after: str, key: str) -> str | None:
        """Bring some rows under a key, or in clear, in the order of their ids; give the last id, or None at the end."""
        write = self._cipher.encrypt if key else bytes
        others = select(responses).where(responses.c.key != key, responses.c.id > after, responses.c.principal != "")
        last: str | None = None
        for row in connection.execute(others.order_by(responses.c.id).limit(_AT_A_TIME)).mappings().all():
            last = row["id"]
            one = self._read(row)
            if one is not None:  # what no key opens stays until its time has come
                items, response = write(one.items), write(one.response)
                new = {"items": items, "response": response, "bytes": len(items) + len(response)}
                change = update(responses).where(responses.c.id == last)
                connection.execute(change.values(new | {"key": key}))
                _grow(connection, new["bytes"] - row["bytes"])
        return last


def _whole(one: StoredResponse) -> StoredResponse:
    """See that one is not damaged; raise StoreFailed."""
    try:
        for data in (one.items, one.response):
            _JSON.decode(data)
    except msgspec.DecodeError as error:
        raise StoreFailed(f"the row of response {one.id} is damaged: {error}") from None
    return one


def _rows(connection: Connection, which: Select[Any, Any, Any, Any], **values: str) -> list[_Held]:
    return [_Held._make(row) for row in connection.execute(which, values)]


def _largest(connection: Connection, excess: int, spare: int) -> list[_Held]:
    """Choose some of so many bytes: the oldest of who has most, again and again, and the newest of each caller last.

    Whoever keeps very much loses it before anybody else loses something.
    """
    held = [(-int(size), principal) for size, principal in connection.execute(_HELD)]
    if not held:
        return _as_many(_rows(connection, _OLDEST), excess)
    heapify(held)
    oldest, chosen = dict[str, deque[_Held]](), list[_Held]()
    excess += spare
    while excess > 0:
        size, principal = held[0]
        if principal not in oldest:
            oldest[principal] = deque(_rows(connection, _OLDEST_OF, of=principal)[:-1])
        if not oldest[principal]:
            break
        row = oldest[principal].popleft()
        chosen.append(row)
        heapreplace(held, (size + row.size, principal))
        excess -= _freed(row)
    return chosen


def _as_many(rows: Iterable[_Held], excess: int) -> list[_Held]:
    """Give the first ones, until they have so many bytes."""
    chosen = list[_Held]()
    for row in rows:
        if excess <= 0:
            break
        chosen.append(row)
        excess -= _freed(row)
    return chosen


def _freed(row: _Held) -> int:
    return row.size - (_ID_BYTES if row.principal else 0)


def _left(now: float) -> dict[str, object]:
    """Give what stays of a row beside its id."""
    nothing = {"previous": None, "key": "", "items": b"", "response": b"", "upstream": ""}
    return {**nothing, "principal": "", "created_at": now, "bytes": _ID_BYTES}


def _delete(connection: Connection, one: StoredResponse) -> None:
    """Make room for what takes the place of one, or of its id."""
    there = delete(responses).where(responses.c.id == one.id, responses.c.principal.in_((one.principal, "")))
    _grow(connection, -(connection.scalar(there.returning(responses.c.bytes)) or 0))


def _taken(connection: Connection, ids: Sequence[str]) -> Container[str]:
    """Find the ids that are there."""
    return set(connection.scalars(select(responses.c.id).where(responses.c.id.in_(ids)))) if ids else ()


def _grow(connection: Connection, size: int) -> None:
    connection.execute(_GROW, {"by": size})


@cache
def _statements(dialect: str) -> tuple[str, str]:
    """Give what keeps a row, and what adds to the sum and says what is there."""
    keep, names = driven(_KEEP, dialect)
    assert names == tuple(responses.c.keys()), "it takes all columns, in their order"
    grow, _ = driven(_GROW.returning(*_STATE.selected_columns), dialect)
    return keep, grow
