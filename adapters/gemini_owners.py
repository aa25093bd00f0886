"""Which API key a file, a cache or another resource belongs to: its own; another key does not learn that it exists.

So what a key has made here is remembered, and calls that name it go to that key.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from gateway.adapters.credential import Credential
from gateway.dialects.raw import read

__all__ = ["Owners", "made_by", "named_in", "referred_to", "refers"]

_MOST: Final = 10_000
# A collection, and the id that Google or the caller gave; "\/" is how some write a slash in JSON.
_NAMED: Final = re.compile(rb"\b(files|cachedContents|fileSearchStores)\\?/([A-Za-z0-9_-]{1,64})")
# What is referred to stands for itself in a string; words that speak of a path are none of these.
_REFERRED: Final = re.compile(
    rb'"(?:https?:[^"\s]*/(files)|(cachedContents|fileSearchStores))\\?/([A-Za-z0-9_-]{1,64})"'
)
# The fields that refer to something; words that quote one have its quotation marks escaped.
_REFERRING: Final = re.compile(
    rb'"(?:file(?:Uri|_uri)|cached(?:Content|_content)|file(?:SearchStoreNames|_search_store_names))"\s*+:\s*+["[]'
)


class _Named(Struct):
    name: str = ""


class _Made(_Named):
    """The answer to what makes something: the resource itself, or a file in an envelope."""

    file: _Named | None = None


_MADE: Final = msgspec.json.Decoder(_Made)


class Owners:
    """What has been made here, the last so many, by name."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._owners: dict[str, Credential] = {}

    def __bool__(self) -> bool:
        return bool(self._owners)

    def note(self, name: str, owner: Credential) -> None:
        """Remember a resource."""
        self._owners.pop(name, None)
        self._owners[name] = owner
        if len(self._owners) > self._most:
            del self._owners[next(iter(self._owners))]

    def of(self, names: Iterable[str]) -> Credential | None:
        """Give the owner of the first of these that is known."""
        return next((self._owners[name] for name in names if name in self._owners), None)


def named_in(body: bytes) -> Iterable[str]:
    """Name the files, caches and stores that a JSON body speaks of."""
    return (f"{found[1].decode()}/{found[2].decode()}" for found in _NAMED.finditer(body))


def referred_to(body: bytes) -> Iterable[str]:
    """Name the files, caches and stores that a JSON body asks a model to read."""
    return (f"{(found[1] or found[2]).decode()}/{found[3].decode()}" for found in _REFERRED.finditer(body))


def refers(body: bytes) -> bool:
    """Tell whether a JSON body asks a model to read anything that may be somebody's, wherever it stands."""
    return _REFERRING.search(body) is not None


def made_by(answer: bytes) -> str:
    """Name what an answer says was made; "" for nothing."""
    made = read(answer, _MADE)
    if made is None:
        return ""
    return made.file.name if made.file is not None else made.name
