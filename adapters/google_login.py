"""Application Default Credentials: what google-auth finds on this machine, and the access tokens that they give.

    GOOGLE_APPLICATION_CREDENTIALS ─┐
    the folder of gcloud ───────────┼─► google.auth.default() ─► refresh ─► Minted
    the metadata server ────────────┘

All of it blocks, so it runs in a thread. Credentials that only a person can mend are looked for anew the next time.
"""

import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Final, Protocol, cast

import google.auth
from google.auth import credentials as google_credentials
from google.auth import environment_vars
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError
from google.auth.exceptions import TransportError as GoogleTransportError
from google.auth.transport import Request
from msgspec import Struct

from gateway.adapters.google_request import LoopRequest
from gateway.adapters.tokens import RefreshFailed

__all__ = ["Login", "LoginNeeded", "Minted", "adopt", "has_file", "project_given"]

_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
# what google-auth reads; it has no name for the last one
_READ: Final = (
    *(str(value) for name, value in vars(environment_vars).items() if name.isupper()),
    "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
)
_UNKNOWN_LIFETIME_S: Final = 3600.0
_PASSING: Final = frozenset({408, 429})
_KINDS: Final[Mapping[str, str]] = {
    "google.oauth2.service_account": "a service account",
    "google.oauth2.credentials": "a user of gcloud",
    "google.oauth2.gdch_credentials": "a service account of Distributed Cloud",
    "google.auth.compute_engine.credentials": "the metadata server",
    "google.auth.identity_pool": "workload identity",
    "google.auth.aws": "workload identity of AWS",
    "google.auth.pluggable": "workload identity of a program",
    "google.auth.external_account_authorized_user": "a workforce user",
    "google.auth.impersonated_credentials": "an impersonated service account",
}
# what a program has printed, which may be a token
_PRINTED: Final = re.compile(r"(?s)^(Executable .*?)(?:\. Error|: code): .*")
# what google-auth lets through of a file that is not what it should be
_UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, OSError)


class LoginNeeded(RefreshFailed):
    """No credentials, or dead ones: a person must act."""


class Minted(Struct, frozen=True):
    """A token, and what is known of the credentials. `project`, `quota_project`: "" = they name none."""

    token: str
    lifetime_s: float
    kind: str
    project: str
    quota_project: str

    def __repr__(self) -> str:
        return f"Minted(kind={self.kind!r}, lifetime_s={self.lifetime_s})"


class _Credentials(Protocol):
    """What is used of google-auth's credentials, which have no types."""

    token: str | None
    expiry: datetime | None  # in UTC, without a zone
    quota_project_id: str | None

    def refresh(self, request: Request) -> None: ...


_Ask = Callable[..., str | None]

# google-auth has few types of its own
_default: Final = cast(
    "Callable[..., tuple[object, str | None]]",
    google.auth.default,  # pyright: ignore[reportUnknownMemberType]
)
_with_scopes: Final = cast(
    "Callable[[object, tuple[str, ...]], _Credentials]",
    google_credentials.with_scopes_if_required,  # pyright: ignore[reportUnknownMemberType]
)
_is_retryable: Final = cast("Callable[[RefreshError], bool]", attrgetter("retryable"))


class Login:
    """The credentials of one upstream; one thread at a time uses them. `project`: the configured one."""

    def __init__(self, project: str) -> None:
        self._asks_project = not project
        self._project = ""
        self._credentials: _Credentials | None = None

    def mint(self, request: LoopRequest) -> Minted:
        """Give a new access token; raise RefreshFailed, or LoginNeeded."""
        request.status = 0
        try:
            credentials = self._credentials = self._credentials or self._find(request)
            credentials.refresh(request)
        except (GoogleAuthError, *_UNREADABLE) as error:
            failed = _failed(error, request.status)
            if isinstance(failed, LoginNeeded):
                self._credentials = None
            raise failed from None
        except TimeoutExpired:
            raise RefreshFailed("the credential program took too long") from None
        expiry, now = credentials.expiry, datetime.now(UTC).replace(tzinfo=None)
        return Minted(
            token=credentials.token or "",
            lifetime_s=_UNKNOWN_LIFETIME_S if expiry is None else (expiry - now).total_seconds(),
            kind=_KINDS.get(type(credentials).__module__, "default credentials"),
            project=self._project,
            quota_project=credentials.quota_project_id or "",
        )

    def _find(self, request: Request) -> _Credentials:
        # without scopes workload identity asks nobody for its project
        found, project = _default(request=request)
        scoped = _with_scopes(found, _SCOPES)
        if not project and self._asks_project:
            ask: _Ask | None = getattr(scoped, "get_project_id", None)
            project = ask(request=request) if ask is not None else None
        self._project = project or ""
        return scoped


def adopt(given: Mapping[str, str]) -> list[str]:
    """Put variables of a `.env` where google-auth looks for its own; name those that the environment has otherwise.

    It takes them from the environment of the process only, so that is where they go.
    """
    known = {name: given[name] for name in _READ if name in given}
    for name, value in known.items():
        os.environ.setdefault(name, value)
    return [name for name, value in known.items() if os.environ[name] != value]


def has_file() -> bool:
    """Tell whether the environment or gcloud name credentials; else only the metadata server can have some."""
    named = os.environ.get(environment_vars.CREDENTIALS)
    try:
        return bool(named) or (_gcloud_folder() / "application_default_credentials.json").is_file()
    except (RuntimeError, PermissionError):  # nobody knows this user's home folder, or it is another user's
        return False


def project_given() -> str:
    """Give the project that the environment names, "" for none."""
    names = (environment_vars.PROJECT, environment_vars.LEGACY_PROJECT)
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _gcloud_folder() -> Path:
    given = os.environ.get(environment_vars.CLOUD_SDK_CONFIG_DIR)
    if given:
        return Path(given)
    roaming = os.environ.get("APPDATA") if os.name == "nt" else None
    return Path(roaming) / "gcloud" if roaming else Path.home() / ".config" / "gcloud"


def _failed(error: Exception, status: int) -> RefreshFailed:
    """Say whether asking again may help.

    Few of google-auth's errors say so themselves, so that the last answer's status does.
    """
    failed: type[RefreshFailed] = RefreshFailed
    if _passes(error, status):
        told = f"the token endpoint responded with {status}" if status else "the token endpoint cannot be reached"
    elif status and not isinstance(error, GoogleAuthError):  # a proxy's page, say: the credentials are not to blame
        told = f"the token endpoint's response ({status}) cannot be read"
    else:
        refused = isinstance(error, GoogleAuthError) and not isinstance(error, DefaultCredentialsError)
        failed, told = LoginNeeded, "the login has failed" if refused else "no default credentials are usable"
    return failed(f"{told}: {_words(error)}", told=told)


def _passes(error: Exception, status: int) -> bool:
    if isinstance(error, GoogleTransportError) or isinstance(error.__cause__, GoogleTransportError):
        return True
    return status in _PASSING or status >= 500 or (isinstance(error, RefreshError) and _is_retryable(error))


def _words(error: Exception) -> str:
    """Give what an error says; some hold a whole answer besides, and some another error in the place of words."""
    said = error.args[0] if error.args else ""
    if isinstance(said, Exception):
        return _words(said)
    if not isinstance(error, GoogleAuthError):
        return f"{type(error).__name__}: {said}"
    return _PRINTED.sub(r"\1", str(said)).partition(" To set up")[0].rstrip(".")
