"""Credential files of other programs: read and never written; what is exported goes into a new one.

{"oauth_config": {"client_id", "client_secret", "token_url"}, "projects": [{"refresh_token", "project_id", …}]}
{"refresh_token", …}      one account: authorized_user, or as several command line tools keep it
{"antigravity_refresh_token", "antigravity_project_id", …}      one account among settings
{"credentials_file", …}      settings that name the file beside them
{"server", "auth_keys", …}      the same settings: without a name they mean credentials1.json
{"user@example.com": {"refresh_token", …}, …}      accounts by e-mail
[{"refresh_token", …}, …]
{"accounts": [{"refreshToken", "projectId", "managedProjectId", …}]}      the token may be packed: token|project|managed
{"token": {"refresh_token", …}, …}      one account whose tokens stand together

Each of them may be one Fernet token, as a whole.
"""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeGuard, cast

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from msgspec import Struct
from msgspec.structs import asdict

from gateway.config.replaced import NESTED
from gateway.redact import MASK

__all__ = [
    "SHORT_LIVED",
    "Imported",
    "ImportedCredential",
    "decrypted",
    "file_of",
    "load_credentials",
    "read_credentials",
    "write_credentials",
]

SHORT_LIVED: Final = frozenset(
    {"access_token", "token", "id_token", "expires_at", "expires_in", "expiry", "expiry_date", "expired"}
)
_CAMEL: Final = {"refreshToken": "refresh_token", "projectId": "project_id", "managedProjectId": "managed"}
_ENCRYPTED: Final = b"gAAAA"  # how every Fernet token begins


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
    """What a file holds: accounts, and the OAuth client that they belong to, where it says.

    `others`: what stands among the accounts and is none, by its place, with the reason.
    """

    credentials: tuple[ImportedCredential, ...]
    others: Mapping[str, str] = {}
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
_TOGETHER: Final = "token"
_SINGLE: Final = "antigravity_refresh_token"
_SINGLES_PROJECT: Final = "antigravity_project_id"
_DEFAULT_FILE: Final = "credentials1.json"
_READ: Final = frozenset((*_Account.__struct_fields__, *_Client.__struct_fields__))
_LISTS: Final = ("projects", "accounts")
_CLIENT: Final = "oauth_config"
_ABOUT_CLIENT: Final = frozenset((_CLIENT, *_Client.__struct_fields__))


def load_credentials(file: Path, keys: Sequence[str] = (), *, empty: bool = False) -> Imported:
    """Read a file, or the one that it names; raise OSError, or ValueError with what is wrong.

    `keys` open an encrypted one. `empty`: its list may hold nobody yet.
    """
    data = decrypted(file.read_bytes(), keys)
    named = _named(data, file.parent)
    if not named:
        return read_credentials(data, empty=empty)
    try:
        return read_credentials(decrypted((file.parent / named).read_bytes(), keys), empty=empty)
    except OSError as error:
        raise ValueError(f"its credentials_file, {named}, cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"its credentials_file, {named}: {error}") from None


def file_of(settings: Mapping[str, Any], folder: Path) -> str:
    """Name the file that holds the accounts of settings in a folder, "" for none."""
    named = settings.get("credentials_file")
    if named is None and not NESTED.isdisjoint(settings) and (folder / _DEFAULT_FILE).is_file():
        return _DEFAULT_FILE
    return named if isinstance(named, str) else ""


def decrypted(data: bytes, keys: Sequence[str]) -> bytes:
    """Open a file that is one Fernet token; raise ValueError with what is wrong with the keys."""
    data = data.strip().removeprefix(BOM_UTF8)
    if not data.startswith(_ENCRYPTED):
        return data
    if not keys:
        raise ValueError("is encrypted: give its key with --encryption-key-file")
    try:
        return MultiFernet([Fernet(key) for key in keys]).decrypt(data)
    except InvalidToken:
        raise ValueError("is encrypted, and the key does not open it") from None
    except ValueError:
        raise ValueError(
            "is encrypted, and the key given is not valid: it must be 32 bytes in URL-safe base64"
        ) from None


def read_credentials(data: bytes, *, empty: bool = False) -> Imported:
    """Read a file of any known shape; ValueError says why it holds no account at all, without what is secret."""
    try:
        content = _DECODER.decode(data)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    entries = list(_entries(content))
    found, wrong = list[ImportedCredential](), dict[str, str]()
    for entry, where in entries:
        try:
            found.append(_credential(entry, where))
        except ValueError as error:
            wrong[where or "the account"] = str(error)
    if not found:
        for where, why in wrong.items():
            raise ValueError(f"{where} {why}")
        if not (empty and _lists(content)):
            raise ValueError("holds no refresh_token")
    client = _client(content, [cast(dict[str, Any], entry) for entry, _ in entries if isinstance(entry, dict)])
    return Imported(
        credentials=tuple(found),
        others={**wrong, **_others(content)},
        client_id=client.client_id or "",
        client_secret=client.client_secret or "",
        token_url=client.token_url or client.token_uri or "",
    )


def _entries(content: object) -> Iterator[tuple[object, str]]:
    """Find the accounts and their places."""
    if isinstance(content, list):
        yield from _listed(cast(list[object], content), "")
    elif isinstance(content, dict):
        table = cast(dict[str, Any], content)
        if isinstance(table.get("projects"), list):
            yield from _listed(table["projects"], "projects")
        elif isinstance(table.get("accounts"), list):
            yield from _listed(table["accounts"], "accounts")
        elif "refresh_token" in table or _is_account(table.get(_TOGETHER)):
            yield table, ""
        elif table.get(_SINGLE):
            yield {"refresh_token": table[_SINGLE], "project_id": table.get(_SINGLES_PROJECT)}, _SINGLE
        else:
            for name, entry in table.items():
                if _is_account(entry):
                    yield {"email": name, **entry}, name


def _is_account(entry: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(entry, dict) and "refresh_token" in entry


def _others(content: object) -> dict[str, str]:
    """Say why what stands in a map of accounts is none, but for what is said of their client."""
    table = cast(dict[str, Any], content) if isinstance(content, dict) else {}
    single = "refresh_token" in table or _is_account(table.get(_TOGETHER)) or table.get(_SINGLE)
    if single or any(isinstance(table.get(name), list) for name in _LISTS):
        return {}  # no map
    return {
        name: "has no refresh_token" if isinstance(entry, dict) else "is no account"
        for name, entry in table.items()
        if not _is_account(entry) and name not in _ABOUT_CLIENT
    }


def _lists(content: object) -> bool:
    """Tell whether a file has a list of accounts."""
    return isinstance(content, list) or (isinstance(content, dict) and any(name in content for name in _LISTS))


def _listed(entries: list[object], where: str) -> Iterator[tuple[object, str]]:
    return ((entry, f"{where}[{place}]") for place, entry in enumerate(entries))


def _credential(entry: object, where: str) -> ImportedCredential:
    """Read an account; ValueError says what it has or is not."""
    if not isinstance(entry, dict):
        raise ValueError("is not an object")  # noqa: TRY004 - a reader has one error
    table = _unpacked(cast(dict[str, Any], entry))
    if table.get("refresh_token") is None:
        raise ValueError("has no refresh_token")
    try:
        found = msgspec.convert(table, _Account)
    except msgspec.ValidationError as error:
        raise ValueError(f"cannot be read: {error}") from None
    found.refresh_token = found.refresh_token.strip()
    if not found.refresh_token:
        raise ValueError("has an empty refresh_token")
    if found.refresh_token == MASK:
        raise ValueError("is masked: `gateway credentials export --secrets` writes what can be imported")
    other = {name: value for name, value in table.items() if name not in _READ}
    return ImportedCredential(**asdict(found), place=where, other=other)


def _unpacked(table: dict[str, Any]) -> dict[str, Any]:
    """Give an account in the words of most programs, from those of others."""
    together = table.get(_TOGETHER)
    if _is_account(together):
        lifted = {name: value for name, value in together.items() if name in _Account.__struct_fields__}
        return {**lifted, **{name: value for name, value in table.items() if name != _TOGETHER}}
    if "refreshToken" not in table:
        return table
    found = {_CAMEL.get(name, name): value for name, value in table.items()}
    managed = found.pop("managed", None)
    if isinstance(token := found["refresh_token"], str):
        found["refresh_token"], *packed = token.split("|")
        managed = next(filter(None, packed), None) or managed
    return {**found, "project_id": found.get("project_id") or managed}


def _client(content: object, entries: list[dict[str, Any]]) -> _Client:
    """Read the OAuth client: of the file, else of the first account that names one."""
    table = cast(dict[str, Any], content) if isinstance(content, dict) else {}
    given = table.get(_CLIENT) or next((one for one in (table, *entries) if one.get("client_id")), table)
    try:
        return msgspec.convert(given, _Client)
    except msgspec.ValidationError as error:
        raise ValueError(f"{_CLIENT}: {error}") from None


def _named(data: bytes, folder: Path) -> str:
    """Name the file that holds the accounts of settings without any, "" for none."""
    try:
        content = _DECODER.decode(data)
    except (ValueError, RecursionError):
        return ""
    table = cast(dict[str, Any], content) if isinstance(content, dict) else {}
    return "" if table.get("projects") or _SINGLE in table else file_of(table, folder)


# writing


def write_credentials(imported: Imported) -> bytes:
    """Write what a tokens.json of the same accounts says, with their other fields."""
    client = {
        "client_id": imported.client_id,
        "client_secret": imported.client_secret,
        "token_url": imported.token_url,
    }
    whole = {"oauth_config": client, "projects": [*_projects(imported.credentials)]}
    return msgspec.json.format(msgspec.json.encode(whole)) + b"\n"


def _projects(credentials: Iterable[ImportedCredential]) -> Iterator[dict[str, Any]]:
    for one in credentials:
        project = {
            "project_id": one.project_id or "",
            "refresh_token": one.refresh_token,
            "access_token": None,
            "expires_at": None,
            "enabled": one.enabled is not False,
            "disabled_reason": one.disabled_reason,
        }
        yield {**({"email": one.email} if one.email else {}), **project, **one.other}
