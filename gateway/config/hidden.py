"""Find every secret that a configuration holds, so that it can be masked wherever it turns up."""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar, cast
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from gateway.config.schema import Config
from gateway.config.sources import Text
from gateway.redact import Secret

__all__ = ["secrets_of"]

_T = TypeVar("_T")
_LEAST: Final = 8  # a shorter option is rather a word, such as true, that stands in other texts as well


def secrets_of(config: Config) -> Iterator[str]:
    """Give every secret of a configuration: also what stands in its headers, and passwords in its addresses.

    Of a middleware's options nobody here knows what they are: what it is given from a variable or a file may be one.
    """
    for secret in _found(config, Secret):
        yield secret.reveal()
        yield from _passwords(secret.reveal())
    for upstream in config.upstream.values():
        headers: dict[str, str] = getattr(upstream, "headers", {})
        yield from headers.values()
        for text in _found(upstream, str):
            yield from _passwords(text)
    for middleware in config.middleware.values():
        for text in _found(middleware.options, str):
            if isinstance(text, Text) and len(text) >= _LEAST:
                yield text
            yield from _passwords(text)


def _found(value: object, kind: type[_T]) -> Iterator[_T]:
    if isinstance(value, kind):
        yield value
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from _found(getattr(value, name), kind)
    elif isinstance(value, dict):
        for item in cast(dict[str, object], value).values():  # dict[Unknown, Unknown] after isinstance
            yield from _found(item, kind)
    elif isinstance(value, tuple | list):
        for item in cast(Iterable[object], value):  # tuple[Unknown, ...] likewise
            yield from _found(item, kind)


def _passwords(address: str) -> Iterator[str]:
    """Give the password of an address, if it is one that has one."""
    if "://" not in address:
        return
    try:
        password = urlsplit(address).password
    except ValueError:
        return
    if password:
        yield from {password, unquote(password)}
