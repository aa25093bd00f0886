"""Turn the raw tables into `Config`, field by field, so that one run reports everything that is wrong.

msgspec converts what stands at the leaves; it would stop at the first error of a whole table.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Final, Literal, TypeAlias, TypeVar, cast, get_args, get_origin

import msgspec
from msgspec import Struct, ValidationError

from gateway.config.problems import did_you_mean
from gateway.config.schema import VARIANTS, Config
from gateway.config.shape import (
    Kind,
    fields_of,
    inner_kind,
    reader_of,
    required_keys,
    schema_keys,
    structs_of,
    tag_of,
)
from gateway.config.sources import Draft, KeyPath, Text, Tree, as_list, as_tree, dotted
from gateway.config.upstreams import TYPE_OF_NAME, other
from gateway.config.values import Reader, kind_of, read_choice, text_of
from gateway.registry import names

__all__ = ["convert", "read_table"]

_S = TypeVar("_S", bound=Struct)

_FAILED: Final = object()  # reported; the field keeps its default so that the rest can be read
_NAMES: Final[Mapping[object, str]] = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "a string",
}

_Form: TypeAlias = Callable[[Kind, object, KeyPath, Draft], object]


def convert(draft: Draft) -> Config:
    """Read the draft's tables; what is wrong goes to its problems."""
    if draft.tree.get("upstream", ()) in (None, {}):
        del draft.tree["upstream"]  # an empty table configures none, so the demo stays
    _complete_variants(draft)
    config = _table(Config, draft.tree, (), draft)
    return config if isinstance(config, Config) else Config()


def _complete_variants(draft: Draft) -> None:
    """Let the keys of a built-in variant that are not written keep their defaults, as those of any other table."""
    tables = as_tree(draft.get(("models", "variant"))) or {}
    for suffix, built_in in VARIANTS.items():
        written = as_tree(tables.get(suffix))
        if written is not None:
            defaults = msgspec.json.decode(msgspec.json.encode(built_in), type=dict[str, object])
            tables[suffix] = {**{key: value for key, value in defaults.items() if value}, **written}


def read_table(struct: type[_S], table: Tree) -> tuple[_S | None, list[str]]:
    """Read one table that is in no file; give all that is wrong, too. None: a key that it must have is."""
    draft = Draft({}, "", {})
    made = _table(struct, table, (), draft)
    return made if isinstance(made, struct) else None, [problem.message for problem in draft.problems]


def _value(kind: Kind, value: object, path: KeyPath, draft: Draft) -> object:
    reader = reader_of(kind)
    if reader is not None:
        return _read(reader, value, path, draft)
    if structs_of(kind):
        return _table(kind, value, path, draft)
    return _FORMS.get(get_origin(kind), _plain)(kind, value, path, draft)


def _table(kind: Kind, value: object, path: KeyPath, draft: Draft) -> object:
    table = as_tree(value)
    if table is None:
        return _fail(draft, path, f"expected a table, got {kind_of(value)}")
    members = structs_of(kind)
    struct = members[0] if len(members) == 1 else _member(members, table, path, draft)
    if struct is None:
        return _FAILED
    fields = fields_of(struct)
    known = {*fields, "type"} if len(members) > 1 else fields.keys()
    for key in [key for key in table if key not in known]:
        draft.report((*path, key), _unknown(key, known))
    values = {
        name: _value(inner, table[key], (*path, key), draft) for key, (name, inner) in fields.items() if key in table
    }
    missing = [key for key in required_keys(struct) if key not in table]
    for key in [key for key in missing if (*path, key) not in draft.told]:
        unset = draft.unset.get((*path, key))
        draft.report(path, f"{key} is required" + (f", but {unset}" if unset else ""))
    given = {name: item for name, item in values.items() if item is not _FAILED}
    complete = not missing and all(fields[key][0] in given for key in required_keys(struct))
    return struct(**given) if complete else _FAILED


def _member(members: tuple[type[Struct], ...], table: Tree, path: KeyPath, draft: Draft) -> type[Struct] | None:
    """Choose the struct that `type` names."""
    types = {tag_of(member): member for member in members}
    name = table.get("type", TYPE_OF_NAME.get(str(path[-1])))
    if name is None:
        if (*path, "type") not in draft.told:
            draft.report(path, f"type is required: one of {', '.join(types)}")
    elif not isinstance(name, str):
        draft.report((*path, "type"), f"expected a string, got {kind_of(name)}")
    elif name in types:
        return types[name]
    elif name in (registered := names("gateway.adapters")):
        return other(name)
    else:
        known = dict.fromkeys((*types, *registered))
        hint = did_you_mean(name, known)
        draft.report((*path, "type"), f'unknown upstream type "{name}", known are {", ".join(known)}{hint}')
    return None


def _unknown(key: str, known: Iterable[str]) -> str:
    hint = did_you_mean(key, known)
    if not hint:
        spelt = (path for path in schema_keys() if key in (path.rpartition(".")[2], path.replace(".", "_")))
        elsewhere = (path for path in spelt if "*" not in path)
        hint = next((f'; did you mean "{path}"?' for path in elsewhere), "")
    return f"unknown key{hint}"


def _read(reader: Reader, value: object, path: KeyPath, draft: Draft) -> object:
    if reader.json and isinstance(value, Text) and value.lstrip()[:1] in ("[", "{"):
        value = _from_json(value)
    table = as_tree(value) if reader.table else None
    try:
        if table is None:
            return reader.read(value)
    except ValueError as error:
        return _fail(draft, path, str(error))
    items: list[object] = []
    for key, item in table.items():
        read = _read(Reader(reader.read), {key: item}, (*path, key), draft)
        if read is not _FAILED:
            items.extend(cast(tuple[object, ...], read))  # a table's reader gives a tuple
    return tuple(items)


def _named(kind: Kind, value: object, path: KeyPath, draft: Draft) -> object:
    table = as_tree(value)
    if table is None:
        hint = f"; write [{dotted(path)}.NAME]" if structs_of(inner_kind(kind)) else ""
        return _fail(draft, path, f"expected a table, got {kind_of(value)}{hint}")
    items = {name: _value(inner_kind(kind), item, (*path, name), draft) for name, item in table.items()}
    return {name: item for name, item in items.items() if item is not _FAILED}


def _list(kind: Kind, value: object, path: KeyPath, draft: Draft) -> object:
    items = as_list(_from_json(value) if isinstance(value, Text) else value)
    if items is None:
        wanted = 'a JSON list such as ["a", "b"]' if isinstance(value, Text) else "a list"
        hint = f"; write [[{dotted(path)}]]" if structs_of(inner_kind(kind)) else ""
        return _fail(draft, path, f"expected {wanted}, got {kind_of(value)}{hint}")
    read = [_value(inner_kind(kind), item, (*path, index), draft) for index, item in enumerate(items)]
    return tuple(item for item in read if item is not _FAILED)


def _choice(kind: Kind, value: object, path: KeyPath, draft: Draft) -> object:
    if not isinstance(value, str):
        return _fail(draft, path, f"expected a string, got {kind_of(value)}")
    try:
        return read_choice(str(value), get_args(kind))
    except ValueError as error:
        return _fail(draft, path, str(error))


def _plain(kind: Kind, value: object, path: KeyPath, draft: Draft) -> object:
    """Read a string, number or boolean; text takes the type of its key."""
    base = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if base is object:
        return value
    try:
        if base is str and isinstance(value, str):
            return text_of(value)
        return msgspec.convert(value, kind, strict=not isinstance(value, Text))
    except ValidationError as error:
        return _fail(draft, path, _mismatch(base, value, str(error)))
    except ValueError as error:
        return _fail(draft, path, str(error))


_FORMS: Final[Mapping[object, _Form]] = {dict: _named, tuple: _list, Literal: _choice}


def _mismatch(base: object, value: object, message: str) -> str:
    _, bound, number = message.partition(" >= " if ">=" in message else " <= ")
    if bound:
        return f"must be{bound}{number}, got {value}"
    wanted = _NAMES.get(base, "another type")
    return f'"{value}" is not {wanted}' if isinstance(value, Text) else f"expected {wanted}, got {kind_of(value)}"


def _from_json(text: str) -> object:
    try:
        return msgspec.json.decode(str(text))
    except (ValueError, RecursionError):  # MsgspecError is a ValueError
        return text


def _fail(draft: Draft, path: KeyPath, message: str) -> object:
    draft.report(path, message)
    return _FAILED
