"""Whether the clients on this machine that `gateway connect` knows lead to this gateway."""

from collections.abc import Iterator, Mapping
from typing import Final, cast
from urllib.parse import urlsplit

from msgspec import Struct

from gateway.cli.connect_clients import CLIENTS, Client, Homeless, Place
from gateway.cli.connect_files import Settings, backup_of, now
from gateway.cli.doctor_finding import Finding, ok, warning
from gateway.cli.doctor_local import stored_keys
from gateway.cli.itself import address_of, is_own, local_address
from gateway.config import ConfigError, Loaded
from gateway.keys import digest_of, keys_of

__all__ = ["clients"]

_OWN_FOLDER: Final = "openai"  # its file is that of any program in the folder where one happens to be
_URL: Final = "http://gateway.invalid"
_KEY: Final = "the-key"
_PLACE: Final = Place(url=_URL, key=_KEY, model="m", small="m", models={}, chosen=True)
_Path = tuple[str, ...]


class _Said(Struct):
    """What a client's files say: where it goes, without a path behind it, and the key that it sends."""

    url: str = ""
    key: str = ""


def clients(loaded: Loaded) -> Iterator[Finding]:
    """Look into the files of every client that is set up."""
    for name, client in CLIENTS.items():
        if name == _OWN_FOLDER:
            continue
        try:
            yield from _client(loaded, name, client)
        except Homeless:  # who has no folder has no client
            continue
        except ConfigError as error:
            yield warning(f"client {name}", str(error), "mend that file")


def _client(loaded: Loaded, name: str, client: Client) -> Iterator[Finding]:
    said, check, fix = _Said(), f"client {name}", f"gateway connect {name} --apply"
    files = client.settings(_PLACE)
    for settings in files:
        _read(settings, said)
    connected = any(backup_of(settings).exists() for settings in files)
    if not said.url:
        return
    if not _is_ours(loaded, said.url):
        words = f"{client.title} uses {said.url}, not {address_of(loaded)}"
        yield warning(check, words, fix) if connected else ok(check, words)
    elif not _is_accepted(loaded, said.key):
        yield warning(check, f"{client.title} uses this gateway with a key that is not accepted", fix)
    else:
        yield ok(check, f"{client.title} comes here")


def _is_ours(loaded: Loaded, url: str) -> bool:
    """Tell an address of this gateway by any name of this machine, with the path that it is mounted at."""
    try:
        mounts = {urlsplit(own).path for own in (address_of(loaded), local_address(loaded))}
        return urlsplit(url).path in mounts and is_own(loaded, url)
    except ValueError:  # no URL
        return False


def _read(settings: Settings, said: _Said) -> None:
    found = dict(_leaves(now(settings), ()))
    for path, meant in _leaves(settings.values, ()):
        value = found.get(path, "")
        if meant.startswith(_URL) and value:
            said.url = value.rstrip("/").removesuffix(meant.removeprefix(_URL))
        elif meant == _KEY and value:
            said.key = value


def _leaves(value: object, path: _Path) -> Iterator[tuple[_Path, str]]:
    """Walk to the texts of a table; the places of values are paths themselves."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for step, item in cast(Mapping[str | _Path, object], value).items():  # Mapping[Unknown, Unknown]
            yield from _leaves(item, (*path, *((step,) if isinstance(step, str) else step)))


def _is_accepted(loaded: Loaded, key: str) -> bool:
    keys = {*keys_of(loaded.config), *(one.sha256 for one in stored_keys(loaded))}
    return not keys or digest_of(key) in keys
