"""A credential and its row in the database: secrets encrypted, tables of models as JSON."""

from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import asdict
from sqlalchemy import RowMapping

from gateway.store.cipher import Cipher
from gateway.store.known import Quota, StoredCredential
from gateway.store.stored import StoreFailed

__all__ = ["read_row", "storable", "write_row"]

_SECRETS: Final = ("refresh_token", "access_token", "other", "link")
_TEXTS: Final = ("source", "email", "reason", "project_id", "project_source", "last_error", *_SECRETS)
_FIELDS: Final = StoredCredential.__struct_fields__
_EMPTY: Final = "{}"  # of `other`; nothing to encrypt
_COOLING: Final = msgspec.json.Decoder(dict[str, float])
_QUOTA: Final = msgspec.json.Decoder(dict[str, Quota])


class _Row(Protocol):
    """What rows of SQLAlchemy and of sqlite3 have in common."""

    def __getitem__(self, name: str, /) -> Any: ...


def read_row(row: _Row, cipher: Cipher) -> StoredCredential:
    """Read a row; raise KeyProblem, or StoreFailed for one that is damaged."""
    fields: dict[str, Any] = {name: row[name] for name in _FIELDS}
    for name in _SECRETS:
        fields[name] = cipher.decrypt_text(fields[name])
    fields["other"] = fields["other"] or _EMPTY
    try:
        fields["cooling"] = _COOLING.decode(row["cooling"])
        fields["quota"] = _QUOTA.decode(row["quota"])
    except msgspec.DecodeError as error:
        raise StoreFailed(f"the row of credential {fields['id'][:8]} is damaged: {error}") from None
    fields["removed"] = bool(row["removed"])  # SQLite knows numbers only
    return StoredCredential(**fields)


def write_row(upstream: str, new: StoredCredential, cipher: Cipher, old: RowMapping | None = None) -> dict[str, object]:
    """Write a row. Secrets that the row `old` has already stay as they are written there."""
    fields: dict[str, object] = asdict(new)
    texts = {name: storable(getattr(new, name)) for name in _TEXTS}
    texts["other"] = "" if new.other == _EMPTY else texts["other"]
    for name in _SECRETS:
        same = old is not None and old["key"] == cipher.key and cipher.decrypt_text(old[name]) == texts[name]
        texts[name] = old[name] if old is not None and same else cipher.encrypt_text(texts[name])
    fields |= texts
    fields["cooling"] = storable(msgspec.json.encode(new.cooling).decode())
    fields["quota"] = storable(msgspec.json.encode(new.quota).decode())
    return fields | {"upstream": upstream, "key": cipher.key}


def storable(text: str) -> str:
    """Replace what a database cannot hold: no text of PostgreSQL has NUL, none of any has half a character."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
