"""Write key paths and their values as gateway.toml says them."""

import json
from collections.abc import Mapping
from typing import Final, cast

import tomli_w

from gateway.config.schema import Config
from gateway.config.shape import fields_of
from gateway.config.sources import KeyPath, Tree
from gateway.redact import redact

__all__ = ["shown", "toml_of", "tree_of"]

_ORDER: Final = {name: place for place, name in enumerate(fields_of(Config))}


def toml_of(values: Mapping[KeyPath, object]) -> str:
    """Write a document, its tables in the order of the annotated gateway.toml."""
    return tomli_w.dumps(tree_of(values))


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
