"""What beats the file: `HOST`, `PORT` and `LOG_LEVEL`, then `GATEWAY_A__B__C`, then the flags."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, get_origin

import msgspec

from gateway.config.problems import Problem, nearest
from gateway.config.schema import VARIANTS, Config
from gateway.config.shape import Kind, fields_of, inner_kind, reader_of, structs_of
from gateway.config.sources import Draft, KeyPath, Source, Text, as_list, as_tree
from gateway.config.upstreams import v1internal_names
from gateway.config.variables import Variables

__all__ = ["apply_flags", "apply_variables", "misspelt"]

_PREFIX: Final = "GATEWAY_"
_NO_KEY: Final = "no such key"
_COMMON: Final[Mapping[str, KeyPath]] = {
    "HOST": ("server", "host"),
    "PORT": ("server", "port"),
    "LOG_LEVEL": ("log", "level"),
}
_CONDA: Final = "CONDA_TOOLCHAIN_HOST"  # its compilers put the same into HOST: "x86_64-conda-linux-gnu"
_BY_FILE: Final = "store.encryption_key"  # which has a flag for a file that holds it, too
_FLAGS: Final[Mapping[str, str]] = {
    "server.host": "--host",
    "server.port": "--port",
    "auth.keys": "--api-key",
    "log.level": "--log-level",
    "store.encryption_key": "--encryption-key",
    "upstream.antigravity.pool.refresh_tokens": "--refresh-token",
    "upstream.*.pool.refresh_tokens": "--refresh-token",
}


def apply_flags(draft: Draft, overrides: Mapping[str, object]) -> None:
    """Put the values of the command line over everything; None = not given.

    `upstream.*.KEY` means the first v1internal upstream, `antigravity` when there is none.
    """
    for key, value in overrides.items():
        if value is not None:
            flag = _FLAGS.get(key, f"--{key.replace('.', '-').replace('_', '-')}")
            by_file = key == _BY_FILE and str(value).startswith("file:")
            source = Source("flag", f"{flag}-file" if by_file else flag)
            path = tuple(_v1internal(draft) if word == "*" else word for word in key.split("."))
            draft.put(path, Text(value) if isinstance(value, str) else value, source)


def _v1internal(draft: Draft) -> str:
    return next(iter(v1internal_names(draft.tree)), "antigravity")


def apply_variables(draft: Draft, variables: Variables) -> None:
    """Put the environment over the file. An empty HOST, PORT or LOG_LEVEL counts as not set, and conda's own HOST."""
    for name, path in _COMMON.items():
        value = variables.get(name)
        if value and not ("-" in value and value == variables.get(_CONDA)):
            draft.put(path, Text(value), variables.source(name))
    for name in sorted(variables.values):
        if name.startswith(_PREFIX) and "__" in name[len(_PREFIX) :]:
            _apply(draft, name, variables)


def misspelt(draft: Draft, variables: Variables) -> Iterator[Problem]:
    """Give the variables that nobody reads and that spell a key with single underscores, with those that are meant.

    Kubernetes makes some for each service, as GATEWAY_SERVER_PORT for one called `gateway-server`.
    """
    read = draft.named.union(source.name for source in draft.sources.values())
    for name, value in sorted(variables.values.items()):
        if not name.startswith(_PREFIX) or name in read or value.startswith("tcp://"):
            continue
        rest = name.removeprefix(_PREFIX)
        words = _spelt(rest, Config, (), draft)
        if rest in _COMMON or words:
            meant = _named(words) if words else rest
            yield variables.source(name).problem(f'is not read; did you mean "{meant}"?')


def _spelt(rest: str, kind: Kind, path: KeyPath, draft: Draft) -> list[str]:
    """Find the words of the key that is spelt so, with one underscore in the place of two; [] = there is none."""
    for word, (key, inner) in _keys(kind, draft, path, rest).items():
        if word == rest and not _is_table(inner):
            return [word]
        if rest.startswith(f"{word}_") and (more := _spelt(rest[len(word) + 1 :], inner, (*path, key), draft)):
            return [word, *more]
    return []


def _apply(draft: Draft, name: str, variables: Variables) -> None:
    path, kind, message = _find(name[len(_PREFIX) :].split("__"), draft)
    source = variables.source(name)
    if message:
        place = ".env" if source.kind == ".env" else "environment"
        draft.problems.append(Problem(place, None, f"{name}: {message}"))
    elif path:
        draft.put(path, _read(kind, variables.values[name]), source)


def _find(words: list[str], draft: Draft) -> tuple[KeyPath, Kind, str]:
    """Follow the words of a variable's name through the schema. No path and no message: not for us."""
    kind: Kind = Config
    path: KeyPath = ()
    for word in words:
        keys = _keys(kind, draft, path, word)
        if word not in keys:
            return (), None, _missing(words, len(path), keys, draft) if path or nearest(word, keys) else ""
        key, kind = keys[word]
        path = (*path, key)
    if _is_table(kind):
        return (), None, "names a table; set its keys instead"
    return path, kind, ""


def _missing(words: list[str], place: int, keys: Iterable[str], draft: Draft) -> str:
    """Say that the word at this place is no key, and which variable may have been meant; that of a table sets none."""
    before, after = words[:place], words[place + 1 :]
    near = nearest(_named(words[: place + 1]), (_named([*before, key]) for key in keys))
    if not near:
        return _NO_KEY
    meant = [*near.removeprefix(_PREFIX).split("__"), *after]
    *_, message = _find(meant, draft)
    return message if message.startswith(_NO_KEY) else f'{_NO_KEY}; did you mean "{_named(meant)}"?'


def _named(words: list[str]) -> str:
    return _PREFIX + "__".join(words)


def _keys(kind: Kind, draft: Draft, path: KeyPath, word: str) -> dict[str, tuple[str, Kind]]:
    """Give the keys that may follow, as a variable spells them."""
    members = structs_of(kind)
    keys = {_shout(key): (key, inner) for member in members for key, (_, inner) in fields_of(member).items()}
    if len(members) > 1:
        keys["TYPE"] = ("type", str)
    reader = reader_of(kind)
    if get_origin(kind) is dict or (reader is not None and reader.table):
        inner = inner_kind(kind) if get_origin(kind) is dict else float
        keys = {word: (word.lower(), inner)}
        built_in = tuple(VARIANTS) if path == ("models", "variant") else ()
        keys |= {_shout(name): (name, inner) for name in (*built_in, *(as_tree(draft.get(path)) or ()))}
    return keys


def _is_table(kind: Kind) -> bool:
    return bool(structs_of(kind)) or get_origin(kind) is dict or _is_table_list(kind)


def _is_table_list(kind: Kind) -> bool:
    return get_origin(kind) is tuple and bool(structs_of(inner_kind(kind)))


def _shout(key: str) -> str:
    return key.upper().replace("-", "_")


def _read(kind: Kind, text: str) -> object:
    """Keep the text for its key to read; decode a JSON list, so that `env:` inside it is followed."""
    reader = reader_of(kind)
    if get_origin(kind) is tuple or (reader is not None and reader.json):
        try:
            found: object = msgspec.json.decode(text)
        except (ValueError, RecursionError):
            return Text(text)
        return Text(text) if as_tree(found) is None and as_list(found) is None else found
    return Text(text)
