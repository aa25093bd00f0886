"""Every key of gateway.toml: what it may be, its default, and what the annotated file says of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
import tomlkit
from msgspec import NODEFAULT, Struct

from gateway.config import NEEDS_RESTART, Config, ModelRule, Secret
from gateway.config import values as kinds
from gateway.config.limits import Limits
from gateway.config.positions import positions
from gateway.config.shape import Kind, fields_of, inner_kind, reader_of, structs_of, tag_of
from gateway.config.upstreams import PoolConfig

from .tables import table

__all__ = ["ANNOTATED", "written"]

ANNOTATED: Final = Path(__file__).parents[2] / "docs" / "gateway.toml"
_INTRO: Final = """\
# Configuration

`gateway check` shows every value in effect and where it comes from, and reports mistakes with file and line. The whole
annotated file is [at the end](#the-whole-file). A running gateway applies changes by itself; exceptions are marked.

A variable can set any key with a single value or a list, and overrides the file: `GATEWAY_`, then the tables and the
key in capitals with two underscores between them, and `_` for each `-`. A list is written as JSON.

| variable | key |
| --- | --- |
| `GATEWAY_SERVER__PORT=8080` | `port` of `[server]` |
| `GATEWAY_AUTH__KEYS=["sk-one", "sk-two"]` | `keys` of `[auth]` |
| `GATEWAY_UPSTREAM__MY_BOX__API_KEY=sk-three` | `api_key` of `[upstream.my-box]`, which the file has |

In the file `"env:NAME"` reads a variable, and `"file:PATH"` a file. If the variable is not set, the key counts as left
out, except in `auth.keys`, `secret`, `api_key` and `oauth`, where the gateway does not start. Neither does it with a
variable that is set but empty.
"""
_WORDS: Final[dict[Kind, str]] = {
    kinds.Seconds: "seconds",
    kinds.Some: "seconds, above 0",
    kinds.Size: 'bytes, or a string such as `"32MB"`',
    kinds.Line: "string",
    **dict.fromkeys((kinds.Base, kinds.Root, kinds.Api, kinds.Url, kinds.Endpoint), "URL"),
    kinds.Path: "path",
    kinds.Level: ", ".join(f'`"{level}"`' for level in kinds.LEVELS),
    kinds.Words: "list of strings",
    kinds.Hidden: "secret",
    kinds.Key: "secret",
    kinds.Keys: "secret, or a list",
    kinds.Digest: "64 hexadecimal digits",
    kinds.Rule: "model, list of models, or table of weights",
    kinds.Expires: "date or time",
    kinds.Amount: "number from 0",
    kinds.Count: "integer from 0",
    kinds.Positive: "integer from 1",
    kinds.Fraction: "number from 0 to 1",
    bool: "`true`, `false`",
    int: "integer",
    float: "number",
    str: "string",
    object: "anything",
}
_RESTART: Final = "needs a restart"
_NAMED: Final = ("key", "middleware", "thinking", "variant", "price")
_HEAD: Final = ("key", "value", "default", "means")


def written() -> str:
    """Write the page."""
    text = ANNOTATED.read_text("utf-8")
    comments = _Comments(text)
    parts = [_INTRO]
    for name, (_, kind) in fields_of(Config).items():
        parts += _sections(name, kind, comments)
    parts.append(f"## The whole file\n\n```toml\n{text}```\n")
    return "\n".join(parts)


class _Comments:
    """What stands behind `#` on the line of a key."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._at = {_pattern(path): line for path, line in reversed(positions(text).items())}
        upstreams = tomllib.loads(text)["upstream"].items()
        self.example = {upstream["type"]: name for name, upstream in upstreams}  # one of each type

    def of(self, path: str) -> str:
        """Give the comment of a key; `*` stands for names and numbers. "" = there is none."""
        line = self._at.get(path)
        said = "" if line is None else _comment(self._lines[line - 1])
        before, _, key = path.rpartition(".")
        first = f"upstream.{next(iter(self.example.values()))}"  # which has what several types have
        return said or (self.of(f"{first}.{key}") if before.startswith("upstream.") and before != first else "")


def _pattern(path: tuple[str | int, ...]) -> str:
    """Write `*` for the names that operators choose, but for upstreams."""
    before = ("", *path)
    return ".".join("*" if isinstance(step, int) or before[at] in _NAMED else step for at, step in enumerate(path))


def _comment(line: str) -> str:
    found = re.match(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^"'#])*#\s*(.*)""", line)
    return "" if found is None else found[1].replace("(example) ", "").replace("(example)", "").strip()


def _sections(name: str, kind: Kind, comments: _Comments) -> Iterator[str]:
    if name == "upstream":
        yield from _upstreams(structs_of(inner_kind(kind)), comments)
        return
    repeated = get_origin(kind) in (dict, tuple) and structs_of(inner_kind(kind))
    title = f"[[{name}]]" if get_origin(kind) is tuple else f"[{name}.NAME]" if repeated else f"[{name}]"
    (struct,) = repeated or structs_of(kind) or (None,)
    path = f"{name}.*" if repeated else name
    yield f"## {title}\n"
    if struct is None:
        yield f"{comments.of(path).capitalize()}\n"
        return
    said = comments.of(name) or comments.of(path) or _first_line(struct)
    yield f"{said[0].upper()}{said[1:]}\n"
    yield table(_HEAD, _rows(struct, path, comments)) + "\n"


def _upstreams(structs: tuple[type[Struct], ...], comments: _Comments) -> Iterator[str]:
    for struct in structs:
        yield f'## [upstream.NAME] of type "{tag_of(struct)}"\n'
        yield f"{_first_line(struct)}\n"
        rows = list(_rows(struct, f"upstream.{comments.example[tag_of(struct)]}", comments, without=("pool",)))
        yield table(_HEAD, rows) + "\n" if rows else "It has no keys.\n"
    yield "## [upstream.NAME.pool]\n"
    yield f"{_first_line(PoolConfig)}\n"
    yield table(_HEAD, _rows(PoolConfig, f"upstream.{comments.example['v1internal']}.pool", comments)) + "\n"


def _rows(
    struct: type[Struct], path: str, comments: _Comments, *, without: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for key, (_, kind) in fields_of(struct).items():
        inner = structs_of(kind)
        if key in without:
            continue
        if inner:
            above = comments.of(f"{path}.{key}")
            for name, *row, said in _rows(inner[0], f"{path}.{key}", comments):
                yield f"`{key}.{name.strip('`')}`", *row, said or above
        else:
            notes = [comments.of(f"{path}.{key}"), _RESTART * ((path, key) in NEEDS_RESTART)]
            yield f"`{key}`", _values(kind), _default(fields[key]), "; ".join(filter(None, notes))


def _values(kind: Kind) -> str:
    if kind in _WORDS:
        return _WORDS[kind]
    reader = reader_of(kind)
    if reader is not None:
        return "table of limits"
    origin = get_origin(kind)
    if origin is Literal:
        return ", ".join(f"`{_toml(one)}`" for one in get_args(kind))
    if origin is tuple:
        return f"list of {_plural(_values(inner_kind(kind)))}"
    if origin is dict:
        inner = inner_kind(kind)
        return "table" if inner is object or structs_of(inner) else f"table of {_plural(_values(inner))}"
    return _WORDS[get_args(kind)[0]]  # Annotated with bounds that the value shows


def _plural(word: str) -> str:
    return word if " " in word or word.startswith("`") else f"{word}s"


def _default(field: Any) -> str:
    if field.default is not NODEFAULT:
        value = field.default
    elif field.default_factory is not NODEFAULT:
        value = field.default_factory()
    else:
        return "*required*"
    if field.type == kinds.Size:
        return f'`"{value // 2**30}GB"`' if value % 2**30 == 0 else f'`"{value // 2**20}MB"`'
    if value is None:
        return ""
    if field.type == Limits:
        return "`{}`"
    if isinstance(value, dict) and value:
        return "built in, see the file"
    return f"`{_toml(value)}`"


def _toml(value: object) -> str:
    if isinstance(value, Secret):
        return '""'
    if isinstance(value, ModelRule):
        return _toml(value.targets[0])
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return tomlkit.item(value).as_string()


def _first_line(struct: type[Struct]) -> str:
    return (struct.__doc__ or "").strip().split("\n\n")[0]
