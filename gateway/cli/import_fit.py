"""Fit what several old files give into one gateway.toml: a later file wins, keys are added together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

from msgspec import Struct

from gateway.cli.files import Dotenv, new_key
from gateway.cli.import_read import Old
from gateway.config import SAMPLE_KEYS, KeyPath, Secret, is_loopback
from gateway.config.replaced import ANTIGRAVITY

__all__ = ["AUTH_KEYS", "Fitted", "fit"]

AUTH_KEYS: Final[KeyPath] = ("auth", "keys")
_HOST: Final[KeyPath] = ("server", "host")
_KEY: Final = "GATEWAY_KEY"
_NAMES: Final = {
    "client_id": "OAUTH_CLIENT_ID",
    "client_secret": "OAUTH_CLIENT_SECRET",
    "encryption_key": "GATEWAY_ENCRYPTION_KEY",
    "password": "GATEWAY_ADMIN_PASSWORD",
}


class Fitted(Struct, kw_only=True):
    """The keys as gateway.toml says them, and how each file said them.

    `stayed`: what was said of each variable that stays one; `secrets`: what stands there in clear, since .env may not
    be changed; `dropped`: keys that were left out, with the reason; `made_key`: why a key was made.
    """

    plain: dict[KeyPath, object] = {}
    said: dict[tuple[str, KeyPath], object] = {}
    stayed: dict[tuple[str, str], str] = {}
    secrets: set[str] = set()
    dropped: dict[str, str] = {}
    made_key: str | None = None

    @property
    def clear(self) -> bool:
        """Whether a secret stands in gateway.toml itself."""
        return bool(self.secrets)

    def hides(self, said: object) -> bool:
        """Tell whether a value is a secret, or holds one."""
        items = cast(list[object], said) if isinstance(said, list) else [said]  # list[Unknown] after isinstance
        return any(str(item) in self.secrets for item in items)


def fit(olds: Sequence[Old], env: Dotenv, *, fresh: bool) -> Fitted:
    """Fit the files together; `fresh`: there is no gateway.toml yet, so one for an address open to all gets a key."""
    fitted = Fitted()
    for old in olds:
        for path, value in old.replaced.values.items():
            if path != AUTH_KEYS:
                said = _said(path, value, old.replaced.names.get(path, ""), env, fitted)
                fitted.said[old.label, path] = fitted.plain[path] = said
        for fate in old.replaced.fates:
            if fate.stays:
                fitted.stayed[old.label, fate.old] = _stayed(env.keep(fate.old, fate.stays), fate.stays, env)
    if any(old.credentials for old in olds):
        fitted.plain[*ANTIGRAVITY, "type"] = "v1internal"
    host = str(fitted.plain.get(_HOST, "127.0.0.1"))
    _fit_keys(olds, env, fitted, "" if is_loopback(host) else host, fresh=fresh)
    return fitted


def _stayed(there: str, value: str, env: Dotenv) -> str:
    """Say what became of a variable that Google's own library reads, a file's name."""
    if not there:
        return f"set it yourself, {env.file} may not be changed: Google's own library reads it"
    if env.file.absolute().parent / there != Path(value):
        return f"{env.file} has a different value, and was not changed: {there}"
    return f"remains an environment variable, which Google's own library reads: {there} in {env.file}"


def _fit_keys(olds: Sequence[Old], env: Dotenv, fitted: Fitted, open_host: str, *, fresh: bool) -> None:
    """Add the keys together; on an open address published ones are left out, and without any a new one is made."""
    refs: dict[str, None] = {}
    for old in olds:
        for index, key in enumerate(cast(Sequence[Secret], old.replaced.values.get(AUTH_KEYS, ()))):
            text = key.reveal()
            if open_host and text in SAMPLE_KEYS:
                said = text
                fitted.dropped[text] = f"is a published sample key, not allowed on {open_host}"
            else:
                said = _ref(text, _holder(old, index, text, env), env, fitted)
                refs[said] = None
            fitted.said[old.label, (*AUTH_KEYS, index)] = said
    if fresh and open_host and not refs:
        refs[_ref(env.variables.get(_KEY) or new_key(), _KEY, env, fitted)] = None
        fitted.made_key = f"{open_host} is open to the network and there was no key of your own: a new one was made"
    if refs:
        fitted.plain[AUTH_KEYS] = list(refs)


def _holder(old: Old, index: int, text: str, env: Dotenv) -> str:
    """Name the variable that holds a key already, else the usual one."""
    name = old.replaced.names.get((*AUTH_KEYS, index), "")
    return name if env.variables.get(name) == text else _KEY


def _said(path: KeyPath, value: object, variable: str, env: Dotenv, fitted: Fitted) -> object:
    """Say a value as TOML does, a secret by the variable that holds it."""
    if path[-1] == "client_id":
        value = Secret(str(value))
    wanted = variable if variable and "__" not in variable else _NAMES.get(str(path[-1]), _upper(path))
    if isinstance(value, Secret):
        return _ref(value.reveal(), wanted, env, fitted)
    if not isinstance(value, tuple):
        return value
    refs = [_ref(item.reveal(), wanted, env, fitted) for item in cast(tuple[Secret, ...], value)]  # of secrets only
    return refs if refs[1:] else refs[0]


def _upper(path: KeyPath) -> str:
    return "_".join(str(step) for step in path[-2:]).upper().replace("-", "_")


def _ref(text: str, wanted: str, env: Dotenv, fitted: Fitted) -> str:
    name = env.name_of(wanted, text)
    if name:
        return f"env:{name}"
    fitted.secrets.add(text)
    return text
