"""The settings of the replaced systems as keys of gateway.toml: config.json, tokens.json and .env, one by one.

Every old setting has a fate: the keys that it became, or the reason why there is none.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast

from msgspec import Struct

from gateway.config.convert import convert
from gateway.config.overlay import apply_variables
from gateway.config.problems import ConfigError, Problem, did_you_mean
from gateway.config.references import resolve_references
from gateway.config.schema import Config
from gateway.config.seeds import SEEDS, apply_seeds
from gateway.config.shape import fields_of
from gateway.config.sources import Draft, KeyPath, Source, Text, Tree, as_list, as_tree, dotted
from gateway.config.variables import Variables
from gateway.redact import Secret

__all__ = ["ANTIGRAVITY", "NESTED", "Fate", "Replaced", "read_dotenv", "read_settings", "value_at"]

ANTIGRAVITY: Final = ("upstream", "antigravity")
NESTED: Final = frozenset({"server", "auth_keys"})  # settings of that proxy's config.json, and of no other's

_POOL: Final = (*ANTIGRAVITY, "pool")
_OAUTH: Final = (*ANTIGRAVITY, "oauth")
_AUTH_KEYS: Final = ("auth", "keys")
_PORT: Final = ("server", "port")
_NESTED_PORT: Final = 8889  # what that proxy listens on unless told otherwise
_SETTINGS: Final[Mapping[str, KeyPath]] = {
    "antigravity_host": ("server", "host"),
    "antigravity_port": _PORT,
    "host": ("server", "host"),
    "port": _PORT,
    "server.host": ("server", "host"),
    "server.port": _PORT,
    "public_url": ("server", "public_url"),
    "log_level": ("log", "level"),
    "oauth_config.client_id": (*_OAUTH, "client_id"),
    "oauth_config.client_secret": (*_OAUTH, "client_secret"),
    "oauth_config.token_url": (*_OAUTH, "token_url"),
    "min_credentials": (*_POOL, "min_credentials"),
    "project_id_map": (*_POOL, "project_ids"),
    "request_timeouts.connect": ("timeouts", "connect"),
    "request_timeouts.read": ("timeouts", "idle"),
    "usage_logging.enabled": ("usage", "enabled"),
    "usage_logging.interval_sec": ("usage", "log_every"),
    "admin_username": ("admin", "username"),
    "admin_password": ("admin", "password"),
}
_SECTIONS: Final = frozenset(name.partition(".")[0] for name in _SETTINGS if "." in name)
_KEYS: Final = ("antigravity_api_key", "local_api_key", "auth_keys")
_NULL: Final = "is null: the default applies"
_LONELY: Final = "has no antigravity_refresh_token with it"
_TAKEN_ELSEWHERE: Final = ("projects", "credentials_file", "antigravity_refresh_token", "antigravity_project_id")
_LOGIN: Final = "GOOGLE_APPLICATION_CREDENTIALS"
_NEEDS: Final[Mapping[str, str]] = {**SEEDS, _LOGIN: "USE_VERTEX_AUTH"}
_UNUSED: Final[Mapping[str, str]] = {
    "BIG_MODEL": "no upstream for these names: with PREFERRED_PROVIDER=anthropic, or without one, none is mapped",
    "SMALL_MODEL": "no upstream for these names: with PREFERRED_PROVIDER=anthropic, or without one, none is mapped",
    "USE_VERTEX_AUTH": "false is the default",
    "GEMINI_API_KEY": "USE_VERTEX_AUTH replaces it",
    "API_KEYS": "holds no key",
    "GATEWAY_CONFIG": "names a gateway.toml, which only the environment may do, not .env",
    "OAUTH_CLIENT_ID": "no upstream of type v1internal here; import its credentials together with this file",
    "OAUTH_CLIENT_SECRET": "no upstream of type v1internal here; import its credentials together with this file",
}


class Fate(Struct, frozen=True, kw_only=True):
    """What became of an old setting: `paths` of gateway.toml; a `word` on how or what else happened or why nothing did.

    `stays`: the value of a variable that stays one, since others than the gateway read it.
    """

    old: str
    paths: tuple[KeyPath, ...] = ()
    word: str = ""
    stays: str = ""


class Replaced(Struct, frozen=True):
    """The keys that a file gives, typed, secrets as `Secret`; `names`: the variables that they came from."""

    values: Mapping[KeyPath, object]
    fates: tuple[Fate, ...]
    names: Mapping[KeyPath, str] = {}


def read_dotenv(variables: Mapping[str, str], label: str) -> Replaced:
    """Read the variables of a .env file; raise ConfigError for what cannot be used."""
    given = Variables(variables, frozenset(variables))
    draft = Draft({}, label, {})
    apply_seeds(draft, given)
    apply_variables(draft, given)
    resolve_references(draft, given, Path(label).absolute().parent)
    values = _values(draft, label)
    fates = [_fate_of_variable(name, draft, given, Path(label).absolute().parent) for name in variables]
    names = {path: source.name for path, source in draft.sources.items()}
    return Replaced(values, tuple(fates), names)


def read_settings(settings: Tree, label: str) -> Replaced:
    """Read a config.json or the settings of a tokens.json; raise ConfigError for what cannot be used."""
    draft = Draft({}, label, {})
    reader = _Reader(draft, label)
    for old, value in _flat(settings):
        reader.take(old, value, settings)
    reader.put_keys()
    if not NESTED.isdisjoint(settings):
        reader.keep(_PORT, _NESTED_PORT)
    return Replaced(_values(draft, label), tuple(reader.fates))


def value_at(config: Config, path: KeyPath) -> object:
    """Give a value of a configuration by its key path, None when there is none."""
    found: object = config
    for step in path:
        table = as_tree(found)
        if table is not None:
            found = table.get(str(step))
        elif isinstance(found, tuple) and isinstance(step, int):
            items = cast(tuple[object, ...], found)  # tuple[Unknown, ...] after isinstance
            found = items[step] if step < len(items) else None
        elif isinstance(found, Struct):
            field = fields_of(type(found)).get(str(step))
            found = getattr(found, field[0] if field else str(step), None)
        else:
            return None
    return found


# .env


def _fate_of_variable(name: str, draft: Draft, variables: Variables, folder: Path) -> Fate:
    paths = tuple(path for path, source in draft.sources.items() if source.name == name)
    if paths:
        wholes = [path for path in paths if path != _AUTH_KEYS]
        return Fate(old=name, paths=tuple(path for path in wholes if path[-1] != "type") or tuple(wholes))
    if not variables.get(name):
        return Fate(old=name, word="is empty, which counts as not set")
    needed = _NEEDS.get(name, "")
    if needed and all(source.name != needed for source in draft.sources.values()):
        return Fate(old=name, word=f"has no effect without {needed}")
    if name == _LOGIN:
        return Fate(old=name, stays=str(folder / variables.get(name)))
    unknown = f"unknown{did_you_mean(name, _NEEDS)}"
    return Fate(old=name, word=_UNUSED.get(name) or ("another variable sets it" if name in SEEDS else unknown))


# config.json


class _Reader:
    """Puts one setting after the other into a draft."""

    def __init__(self, draft: Draft, label: str) -> None:
        self.fates: list[Fate] = []
        self._draft = draft
        self._label = label
        self._auth: list[tuple[str, object]] = []
        self._said: dict[KeyPath, str] = {}

    def take(self, old: str, value: object, settings: Tree) -> None:
        if value is None:
            self.fates.append(Fate(old=old, word=_NULL))
        elif old in _KEYS:
            self._take_keys(old, value)
        elif old in _SETTINGS:
            self._put(old, _SETTINGS[old], value)
        elif old not in _TAKEN_ELSEWHERE:
            hint = did_you_mean(old, (*_SETTINGS, *_KEYS, *_TAKEN_ELSEWHERE))
            self.fates.append(Fate(old=old, word=f"unknown{hint}"))
        elif old == "antigravity_refresh_token" and not value:
            self.fates.append(Fate(old=old, word="is empty, so there is no account"))
        elif old == "antigravity_project_id":
            word = "the project of that account" if settings.get("antigravity_refresh_token") else _LONELY
            self.fates.append(Fate(old=old, word=word if value else "is empty: the project is discovered"))

    def put_keys(self) -> None:
        """Add the keys of every place together."""
        keys = dict[object, str]()
        for old, key in self._auth:
            keys.setdefault(key, old)
        if keys:
            self._draft.put(_AUTH_KEYS, list(keys), self._source(_KEYS[0]))
            for index, old in enumerate(keys.values()):
                self._draft.sources[*_AUTH_KEYS, index] = self._source(old)
                self.fates.append(Fate(old=old, paths=((*_AUTH_KEYS, index),)))

    def keep(self, path: KeyPath, default: object) -> None:
        """Go on with that proxy's own default where no setting says otherwise."""
        if path not in self._said:
            name = dotted(path)
            self.fates = [fate for fate in self.fates if fate.old != name]
            self._draft.put(path, default, self._source(name))
            self.fates.append(Fate(old=name, paths=(path,), word="not given: the default there"))

    def _take_keys(self, old: str, value: object) -> None:
        items = as_list(value)
        keys = [value] if items is None else items
        self._auth += [(old, key) for key in keys if isinstance(key, str) and key.strip()]
        if any(not isinstance(key, str) for key in keys):
            self._draft.problems.append(Problem(f"{self._label}: {old}", None, "expected a string or a list of them"))
        elif not any(str(key).strip() for key in keys):
            self.fates.append(Fate(old=old, word="holds no key"))

    def _put(self, old: str, path: KeyPath, value: object) -> None:
        if path in self._said:
            self.fates.append(Fate(old=old, word=f"{self._said[path]} says it"))
            return
        if value in ("", {}):
            self.fates.append(Fate(old=old, word="is empty: the default applies"))
            return
        self._said[path] = old
        source = self._source(old)
        if path[:2] == ANTIGRAVITY:
            self._draft.put((*ANTIGRAVITY, "type"), "v1internal", source)
        self._draft.put(path, Text(value) if isinstance(value, str) else value, source)
        table = as_tree(value)
        self.fates.append(Fate(old=old, paths=(path,) if table is None else tuple((*path, name) for name in table)))

    def _source(self, old: str) -> Source:
        return Source("file", f"{self._label}: {old}")


def _flat(settings: Tree) -> Iterator[tuple[str, object]]:
    """Give each setting with its dotted name."""
    for name, value in settings.items():
        table = as_tree(value)
        if name in _SECTIONS and table is not None:
            yield from ((f"{name}.{key}", item) for key, item in table.items())
        else:
            yield name, value


# values


def _values(draft: Draft, label: str) -> dict[KeyPath, object]:
    """Give the draft's leaves with the types of their keys."""
    config = convert(draft)
    if draft.problems:
        problems = [Problem(label, None, one.message) if one.file == ".env" else one for one in draft.problems]
        raise ConfigError(problems)
    return {path: _typed(value, value_at(config, path)) for path, value in _leaves(draft.tree, ())}


def _leaves(tree: Tree, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    for name, value in tree.items():
        table = as_tree(value)
        if table is None:
            yield (*path, name), value
        else:
            yield from _leaves(table, (*path, name))


def _typed(raw: object, found: object) -> object:
    """Choose the form in which TOML says it: text that came from a variable takes the type of its key."""
    if isinstance(found, Secret):
        return found
    items = cast(tuple[object, ...], found) if isinstance(found, tuple) else ()  # tuple[Unknown, ...] likewise
    if items and all(isinstance(item, Secret) for item in items):
        return items
    if not isinstance(raw, Text):
        return raw
    if isinstance(found, float) and found.is_integer():
        return int(found)
    return found if isinstance(found, bool | int | float | str) else str(raw)
