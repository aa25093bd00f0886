"""Find middlewares, adapters and dialects by name: the entry points of this and other distributions."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Literal

__all__ = ["Group", "import_path", "load", "names", "path_of"]

Group = Literal["gateway.middleware", "gateway.adapters", "gateway.dialects"]


@cache
def _paths(group: Group) -> Mapping[str, str]:
    return {point.name: point.value for point in entry_points(group=group)}


def names(group: Group) -> tuple[str, ...]:
    """List what is registered, ours and others'."""
    return tuple(_paths(group))


def path_of(group: Group, name: str) -> str:
    """Give `package.module:Name` of what is registered under a name; KeyError when nothing is."""
    return _paths(group)[name]


def load(group: Group, name: str) -> object:
    """Import what is registered under a name; KeyError when nothing is."""
    return import_path(path_of(group, name))


def import_path(path: str) -> object:
    """Import `package.module:Name`; ImportError or AttributeError say what is missing."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
