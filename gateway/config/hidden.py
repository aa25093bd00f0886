"""Find every secret that a configuration holds, so that it can be masked wherever it turns up."""

from collections.abc import Iterator
from typing import TypeVar, cast
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from gateway.config.schema import Config
from gateway.redact import Secret

__all__ = ["secrets_of"]

_T = TypeVar("_T")


def secrets_of(config: Config) -> Iterator[str]:
    """Give every secret of a configuration: also what stands in its headers, and passwords in its addresses."""
    for secret in _found(config, Secret):
        yield secret.reveal()
        yield from _passwords(secret.reveal())
    for upstream in config.upstream.values():
        headers: dict[str, str] = getattr(upstream, "headers", {})
        yield from headers.values()
        for text in _found(upstream, str):
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
    elif isinstance(value, tuple):
        for item in cast(tuple[object, ...], value):  # tuple[Unknown, ...] likewise
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
