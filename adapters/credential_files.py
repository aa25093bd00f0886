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

__all__ = ["Imported", "ImportedCredential", "read_credentials"]


class ImportedCredential(Struct, frozen=True, kw_only=True):
    """One account of a file."""

    refresh_token: str
    project_id: str | None = None
    email: str | None = None
    enabled: bool | None = None
    disabled_reason: str | None = None

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


class _Client(Struct):
    client_id: str | None = None
    client_secret: str | None = None
    token_url: str | None = None
    token_uri: str | None = None


_DECODER: Final = msgspec.json.Decoder()


def read_credentials(data: bytes) -> Imported:
    """Read a file of any known shape; ValueError says what is wrong, without what is secret."""
    try:
        content = _DECODER.decode(data)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    found = [_credential(entry, where) for entry, where in _entries(content)]
    if not found:
        raise ValueError("holds no refresh_token")
    client = _client(content)
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
        found = msgspec.convert(entry, ImportedCredential)
    except msgspec.ValidationError as error:
        raise ValueError(f"{where or 'the account'}: {error}") from None
    if not found.refresh_token.strip():
        raise ValueError(f"{where or 'the account'}: refresh_token is empty")
    return found


def _client(content: object) -> _Client:
    if not isinstance(content, dict):
        return _Client()
    table = cast(dict[str, Any], content)
    given = table.get("oauth_config", table)
    try:
        return msgspec.convert(given, _Client)
    except msgspec.ValidationError as error:
        raise ValueError(f"oauth_config: {error}") from None
