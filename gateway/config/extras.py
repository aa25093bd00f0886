"""Parts that the plain install leaves out: what asks for them, and how to get them."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Final, NamedTuple

from gateway.config.load import Loaded
from gateway.config.problems import Problem
from gateway.config.sources import KeyPath

__all__ = ["is_installed", "missing_extras"]


class _Extra(NamedTuple):
    name: str
    module: str  # that it brings
    key: KeyPath
    begins: str = ""  # the values that need it


_EXTRAS: Final = (
    _Extra("redis", "hiredis", ("store", "redis")),
    _Extra("postgres", "psycopg", ("store", "database"), "postgres"),
    _Extra("otel", "opentelemetry.exporter.otlp.proto.http", ("metrics", "otlp")),
)


def is_installed(module: str) -> bool:
    """Tell whether a module could be imported."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # nor is its parent
        return False


def missing_extras(loaded: Loaded, installed: Callable[[str], bool] = is_installed) -> Iterator[Problem]:
    """Say which configured keys need a part that is not installed."""
    config = loaded.config
    values = {
        "redis": config.store.redis.reveal(),
        "postgres": config.store.database.reveal(),
        "otel": config.metrics.otlp,
    }
    for extra in _EXTRAS:
        value = values[extra.name]
        if value and value.startswith(extra.begins) and not installed(extra.module):
            install = f"pip install 'asgi-llm-gateway[{extra.name}]'"
            yield loaded.problem(extra.key, f"needs the extra {extra.name}: {install}")
