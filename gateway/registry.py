"""Find middlewares, adapters and dialects by name: the entry points of this and other distributions."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Literal

__all__ = ["Group", "import_path", "load", "names", "namesakes", "path_of"]

Group = Literal["gateway.middleware", "gateway.adapters", "gateway.dialects"]


@cache
def _paths(group: Group) -> Mapping[str, tuple[str, ...]]:
    """Give what is registered under each name: ours before others', of which the first counts."""
    paths: dict[str, tuple[str, ...]] = {}
    for point in sorted(entry_points(group=group), key=_is_foreign):
        paths[point.name] = (*paths.get(point.name, ()), point.value)
    return paths


def _is_foreign(point: EntryPoint) -> bool:
    return not point.value.startswith(f"{__package__}.")


def names(group: Group) -> tuple[str, ...]:
    """List what is registered, ours and others'."""
    return tuple(_paths(group))


def path_of(group: Group, name: str) -> str:
    """Give `package.module:Name` of what is registered under a name; KeyError when nothing is."""
    return _paths(group)[name][0]


def namesakes(group: Group, name: str) -> tuple[str, ...]:
    """List what else is registered under a name, and cannot be had by it."""
    return _paths(group).get(name, ())[1:]


def load(group: Group, name: str) -> object:
    """Import what is registered under a name; KeyError when nothing is."""
    return import_path(path_of(group, name))


def import_path(path: str) -> object:
    """Import `package.module:Name`; ImportError or AttributeError say what is missing."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
