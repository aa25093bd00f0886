"""Take accounts into the store, from files of other programs. What the store knows is newer and stays.

An account is known by the hash of its refresh token, the first one or a later one, then by its e-mail. Importing again
changes nothing, but that an account whose token was revoked takes the new one. One that an operator has removed comes
back only by his own word.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace

from gateway.adapters.credential import credential_id
from gateway.adapters.credential_files import SHORT_LIVED, ImportedCredential
from gateway.config import UpstreamConfig, V1InternalConfig
from gateway.config.replaced import Fate
from gateway.redact import Secret
from gateway.store.known import StoredCredential

__all__ = ["NOT_ENABLED", "Accounts", "ids_given", "take_in"]

NOT_ENABLED: Final = "not enabled in the imported file"
_REVOKED: Final = "invalid_grant"  # the refresh token is of no use any more, so another one is news


class Accounts(Protocol):
    """What is asked of a store."""

    def load(self, upstream: str, /) -> Mapping[str, StoredCredential]:
        """Read an upstream's credentials by id, also the removed ones."""
        ...

    def add(self, upstream: str, row: StoredCredential, /, *, instead_of: str = "") -> StoredCredential:
        """Write a credential, in the place of another one."""
        ...


def take_in(
    store: Accounts,
    upstream: str,
    given: Iterable[ImportedCredential],
    *,
    configured: Collection[str] = (),
    by_hand: bool = False,
) -> list[Fate]:
    """Write the accounts that are new, and say of each what happened; raise StoreFailed.

    `configured`: the ids of those that gateway.toml gives, which need no place in the store. `by_hand`: a person asks
    for it, so that also those come back that were removed.
    """
    known = _Known(store, upstream, dict(store.load(upstream)), configured, by_hand=by_hand)
    return [Fate(old=one.place or "the account", word=known.take(one)) for one in given]


def ids_given(config: UpstreamConfig) -> frozenset[str]:
    """Give the ids of the accounts that gateway.toml gives."""
    tokens = config.pool.refresh_tokens if isinstance(config, V1InternalConfig) else ()
    return frozenset(credential_id(token) for token in tokens)


class _Known:
    """What the store knows of an upstream's accounts."""

    def __init__(
        self,
        store: Accounts,
        upstream: str,
        rows: dict[str, StoredCredential],
        configured: Collection[str],
        *,
        by_hand: bool,
    ) -> None:
        self._store = store
        self._upstream = upstream
        self._rows = rows
        self._configured = configured
        self._by_hand = by_hand

    def take(self, one: ImportedCredential) -> str:
        id_ = _hash(one.refresh_token)
        if id_ in self._configured:
            return f"already in gateway.toml: credential {id_[:8]}"
        same = self._rows.get(id_) or next((row for row in self._rows.values() if _has(row, id_)), None)
        if same is None:
            return self._take_by_email(one, id_)
        if same.removed:
            return self._write(_row(one, same.id)) if self._by_hand else _left_out(same)
        if not self._is_idle(same):
            return _as_it_is(same)
        token = same.refresh_token or one.refresh_token
        return self._write(replace(same, source="import", refresh_token=token))

    def _take_by_email(self, one: ImportedCredential, id_: str) -> str:
        """Take an account whose token is not known; one that is in use under its e-mail stays."""
        namesakes = [row for row in self._rows.values() if one.email and row.email.casefold() == one.email.casefold()]
        known = min(namesakes, key=_rank, default=None)
        if known is None:
            return self._write(_row(one, id_))
        if known.removed and not self._by_hand:
            return _left_out(known)
        if not (known.removed or _is_revoked(known) or self._is_idle(known)):
            return _as_it_is(known)
        return self._write(_row(one, id_), instead_of=known.id)

    def _write(self, row: StoredCredential, *, instead_of: str = "") -> str:
        self._rows.pop(instead_of, None)
        self._rows[row.id] = self._store.add(self._upstream, row, instead_of=instead_of)
        said = f"added to the store: credential {row.id[:8]} of upstream {self._upstream}"
        return f"{said}, disabled: {row.reason}" if row.state == "disabled" else said

    def _is_idle(self, row: StoredCredential) -> bool:
        """Tell whether gateway.toml gave an account, and no longer does."""
        return row.source == "config" and row.id not in self._configured


def _as_it_is(row: StoredCredential) -> str:
    return f"already in the store, unchanged: credential {row.id[:8]}"


def _left_out(row: StoredCredential) -> str:
    return f"was removed: credential {row.id[:8]}; `gateway credentials import` adds it again"


def _hash(refresh_token: str) -> str:
    return credential_id(Secret(refresh_token))


def _has(row: StoredCredential, id_: str) -> bool:
    return bool(row.refresh_token) and _hash(row.refresh_token) == id_


def _rank(row: StoredCredential) -> tuple[bool, bool]:
    return row.removed, _is_revoked(row)


def _is_revoked(row: StoredCredential) -> bool:
    return row.state == "disabled" and row.reason.startswith(_REVOKED)


def _row(one: ImportedCredential, id_: str) -> StoredCredential:
    now = time.time()
    off = one.enabled is False
    return StoredCredential(
        id=id_,
        source="import",
        email=one.email or "",
        state="disabled" if off else "active",
        reason=(one.disabled_reason or NOT_ENABLED) if off else "",
        project_id=one.project_id or "",
        project_source="import" if one.project_id else "",
        refresh_token=one.refresh_token,
        other=msgspec.json.encode(dict(_lasting(one))).decode(),
        added_at=now,
        updated_at=now,
    )


def _lasting(one: ImportedCredential) -> Iterator[tuple[str, object]]:
    return ((name, value) for name, value in one.other.items() if name not in SHORT_LIVED)
