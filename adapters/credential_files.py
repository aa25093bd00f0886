"""Credential files of other programs, read once at start and never written.

{"oauth_config": {"client_id", "client_secret", "token_url"}, "projects": [{"refresh_token", "project_id", …}]}
{"refresh_token", …}      one account: authorized_user, or as several command line tools keep it
{"user@example.com": {"refresh_token", …}, …}      accounts by e-mail
[{"refresh_token", …}, …]
"""

from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

__all__ = ["Imported", "ImportedCredential", "read_credentials"]


class ImportedCredential(Struct, frozen=True, kw_only=True):
    """One account of a file. `place`: where it stands there; `other`: its fields that nothing here reads."""

    refresh_token: str
    project_id: str | None = None
    email: str | None = None
    enabled: bool | None = None
    disabled_reason: str | None = None
    client_id: str | None = None
    place: str = ""
    other: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"ImportedCredential(enabled={self.enabled})"


class Imported(Struct, frozen=True, kw_only=True):
    """What a file holds: accounts, and the OAuth client that they belong to, where it says."""

    credentials: tuple[ImportedCredential, ...]
    client_id: str = ""
    client_secret: str = ""
    token_url: str = ""

    def __repr__(self) -> str:
        return f"Imported({len(self.credentials)} credentials)"


class _Account(Struct):
    refresh_token: str
    project_id: str | None = None
    email: str | None = None
    enabled: bool | None = None
    disabled_reason: str | None = None
    client_id: str | None = None


class _Client(Struct):
    client_id: str | None = None
    client_secret: str | None = None
    token_url: str | None = None
    token_uri: str | None = None


_DECODER: Final = msgspec.json.Decoder()
_READ: Final = frozenset((*_Account.__struct_fields__, *_Client.__struct_fields__))


def read_credentials(data: bytes) -> Imported:
    """Read a file of any known shape; ValueError says what is wrong, without what is secret."""
    try:
        content = _DECODER.decode(data)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    entries = list(_entries(content))
    found = [_credential(entry, where) for entry, where in entries]
    if not found:
        raise ValueError("holds no refresh_token")
    client = _client(content, [entry for entry, _ in entries])
    return Imported(
        credentials=tuple(found),
        client_id=client.client_id or "",
        client_secret=client.client_secret or "",
        token_url=client.token_url or client.token_uri or "",
    )


def _entries(content: object) -> Iterator[tuple[dict[str, Any], str]]:
    """Find the accounts and their places."""
    if isinstance(content, list):
        yield from _listed(cast(list[object], content), "")
    elif isinstance(content, dict):
        table = cast(dict[str, Any], content)
        if isinstance(table.get("projects"), list):
            yield from _listed(table["projects"], "projects")
        elif "refresh_token" in table:
            yield table, ""
        else:
            for name, entry in table.items():
                if isinstance(entry, dict) and "refresh_token" in entry:
                    yield {"email": name, **cast(dict[str, Any], entry)}, name


def _listed(entries: list[object], where: str) -> Iterator[tuple[dict[str, Any], str]]:
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise ValueError(f"{where}[{place}] is not an object")  # noqa: TRY004 - a reader has one error
        yield cast(dict[str, Any], entry), f"{where}[{place}]"


def _credential(entry: dict[str, Any], where: str) -> ImportedCredential:
    try:
        found = msgspec.convert(entry, _Account)
    except msgspec.ValidationError as error:
        raise ValueError(f"{where or 'the account'}: {error}") from None
    if not found.refresh_token.strip():
        raise ValueError(f"{where or 'the account'}: refresh_token is empty")
    other = {name: value for name, value in entry.items() if name not in _READ}
    return ImportedCredential(**asdict(found), place=where, other=other)


def _client(content: object, entries: list[dict[str, Any]]) -> _Client:
    """Read the OAuth client: of the file, else of the first account that names one."""
    table = cast(dict[str, Any], content) if isinstance(content, dict) else {}
    given = table.get("oauth_config") or next((one for one in (table, *entries) if one.get("client_id")), table)
    try:
        return msgspec.convert(given, _Client)
    except msgspec.ValidationError as error:
        raise ValueError(f"oauth_config: {error}") from None
