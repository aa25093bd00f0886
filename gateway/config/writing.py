"""Write key paths and their values as gateway.toml says them."""

import json
from collections.abc import Mapping
from typing import Final, cast

import tomlkit

from gateway.config.schema import Config
from gateway.config.shape import fields_of
from gateway.config.sources import KeyPath, Tree, as_list, as_tree
from gateway.redact import redact

__all__ = ["shown", "toml_of", "tree_of"]

_LONG: Final = 100  # what stands in one line
_ORDER: Final = {name: place for place, name in enumerate(fields_of(Config))}


def toml_of(values: Mapping[KeyPath, object]) -> str:
    """Write a document, its tables in the order of the annotated gateway.toml."""
    return tomlkit.dumps(_spread(tree_of(values)))


def _spread(tree: Tree) -> Tree:
    """Give each item of a long list a line of its own."""
    return {name: _item(value) for name, value in tree.items()}


def _item(value: object) -> object:
    table, items = as_tree(value), as_list(value)
    if table is not None:
        return _spread(table)
    if items is None:
        return value
    if any(as_tree(one) is not None for one in items):
        return [_item(one) for one in items]
    array = tomlkit.item(items)
    return array.multiline(multiline=len(array.as_string()) > _LONG)


def tree_of(values: Mapping[KeyPath, object]) -> Tree:
    """Nest the values, as TOML reads them."""
    tree: Tree = {}
    for path in sorted(values, key=lambda path: _ORDER[str(path[0])]):
        table = tree
        for step in path[:-1]:
            table = cast(Tree, table.setdefault(str(step), {}))  # paths of one schema never meet a leaf
        table[str(path[-1])] = values[path]
    return tree


def shown(value: object) -> str:
    """Write one value for a person, without what looks like a secret."""
    return redact(json.dumps(value, ensure_ascii=False))
