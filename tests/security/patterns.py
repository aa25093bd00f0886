"""Every regular expression of the product, with the ways it is used, and texts that would make a bad one slow."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final

__all__ = ["Used", "attacks", "in_sources", "used"]

ROOT: Final = Path(__file__).parents[2]
WAYS: Final = ("search", "match", "fullmatch", "sub", "subn", "findall", "finditer", "split")
_PARSER: Final[Any] = importlib.import_module("re._parser")  # what re itself reads patterns with
_UNBOUNDED: Final = 256  # repeats that may be longer than this are tried
# run by Alembic, run as programs, what makes an app of the configuration here, and what is for tests of others
_ASIDE: Final = ("gateway.store.migrations.env", "gateway.__main__", "gateway.asgi", "gateway.testing")


@dataclass
class Used:
    """One pattern. `at`: the module and name; `ways`: the methods that are called on it."""

    at: str
    pattern: re.Pattern[Any]
    ways: set[str] = field(default_factory=set)


def used() -> list[Used]:
    """Collect the patterns of all modules: those that names hold, alone or in tables, and those written in place."""
    named: dict[int, Used] = {}  # by the pattern, which its name keeps: the id of what is gone is given to another
    in_place: list[Used] = []
    for module in _modules():
        tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
        for name, value in vars(module).items():
            for pattern in _inside(value):
                one = named.setdefault(id(pattern), Used(f"{module.__name__}.{name}", pattern))
                one.ways |= _called(tree, name)
        for node in _written(tree):
            pattern = re.compile(ast.literal_eval(node.args[0]))
            way = node.func.attr if isinstance(node.func, ast.Attribute) else "search"
            in_place.append(Used(f"{module.__name__}:{node.lineno}", pattern, {way}))
    return [*named.values(), *in_place]


def in_sources() -> Iterator[tuple[str, ast.Call]]:
    """Give each call of `re` that is made while the product runs with a pattern that does not stand there."""
    for module in _modules():
        tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
        for node in _calls(tree):
            if not _is_text(node):
                yield module.__name__, node


def _modules() -> Iterator[ModuleType]:
    """Give those of the wheel: two of its folders stand elsewhere, as links."""
    for folder, package in (("gateway", ""), ("middleware", ".middleware"), ("adapters", ".adapters")):
        for file in sorted((ROOT / folder).rglob("*.py")):
            steps = file.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join((f"gateway{package}", *steps)).removesuffix(".__init__")
            if not name.startswith(_ASIDE) and (package or steps[0] not in ("middleware", "adapters")):
                yield importlib.import_module(name)


def _inside(value: object, depth: int = 3) -> Iterator[re.Pattern[Any]]:
    """Give the patterns that a module's table holds."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, Mapping):
        yield from (one for item in (*value, *value.values()) for one in _inside(item, depth - 1))
    elif depth and isinstance(value, tuple | list | set | frozenset):
        yield from (one for item in value for one in _inside(item, depth - 1))


def _called(tree: ast.Module, name: str) -> set[str]:
    """Give the methods that a module calls on a name; a search for what stands in a table."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in WAYS]
    return {node.attr for node in calls if isinstance(node.value, ast.Name) and node.value.id == name}


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Give the calls of functions of `re`, those inside of functions only: a module's own are its names' values."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    owner = node.func.value
                    if isinstance(owner, ast.Name) and owner.id == "re" and node.func.attr in (*WAYS, "compile"):
                        yield node


def _is_text(node: ast.Call) -> bool:
    return isinstance(node.args[0], ast.Constant)


def _written(tree: ast.Module) -> list[ast.Call]:
    return list({id(node): node for node in _calls(tree) if _is_text(node)}.values())


# texts


def attacks(pattern: re.Pattern[Any]) -> Iterator[tuple[str, str, str]]:
    """Give beginnings, parts to repeat, and ends that do not fit."""
    source = pattern.pattern
    text = source.decode("latin-1") if isinstance(source, bytes) else str(source)
    pumps = {
        ("", one) for one in (" ", "a", "0", "/", ":", "\n", ",", '"', "{", "<", "-", ".", "a ", "a/", "a.", "aA0")
    }
    pumps |= set(_repeats(_PARSER.parse(text, pattern.flags & ~re.UNICODE), "", ""))
    for start, pump in sorted(pumps):
        for end in ("", "\n", "\x00", "!"):
            yield start, pump, end


def _repeats(parsed: Any, before: str, since: str) -> Iterator[tuple[str, str]]:
    """Give what stands before each long repeat, and what it repeats, at any depth.

    `since`: what stands before it since the last one, which may be what is found again and again.
    """
    for kind, value in parsed:
        name = str(kind)
        text = _one(name, value)
        if name.endswith("REPEAT"):
            inner = value[2]
            sample = _sample(inner) or "a"
            if value[1] > _UNBOUNDED:
                for start in {before, ""}:
                    yield from ((start, pump) for pump in {sample, since + sample})
                since = text = sample
            yield from _repeats(inner, before, since)
        for branch in value[1] if name == "BRANCH" else ():
            yield from _repeats(branch, before, since)
        if name in ("SUBPATTERN", "ATOMIC_GROUP"):
            yield from _repeats(value[-1] if name == "SUBPATTERN" else value, before, since)
        before, since = before + text, "" if _repeats_inside(name, value) else since + text


def _repeats_inside(name: str, value: Any) -> bool:
    return name == "SUBPATTERN" and next(_repeats(value[-1], "", ""), None) is not None


def _sample(parsed: Iterable[Any]) -> str:
    """Give a text that fits."""
    return "".join(_one(str(kind), value) for kind, value in parsed)


def _one(name: str, value: Any) -> str:
    if name == "LITERAL":
        return chr(value)
    if name in ("NOT_LITERAL", "ANY"):
        return "a" if value != ord("a") else "b"
    if name == "IN":
        return _of_class(value)
    if name.endswith("REPEAT"):
        times: int = max(1, min(value[0], 8))
        return _sample(value[2]) * times
    if name == "BRANCH":
        return _sample(value[1][0])
    if name == "SUBPATTERN":
        return _sample(value[-1])
    return _sample(value) if name == "ATOMIC_GROUP" else ""


def _of_class(members: Any) -> str:
    """Give a character of a class."""
    negated = str(members[0][0]) == "NEGATE"
    fits = re.compile("".join(("[^" if negated else "[", *map(_written_again, members[negated:]), "]")))
    return next(
        one for one in 'aA0 _-./:\t\n\r,!"<{~=+éÿ世' + "".join(map(chr, range(1, 0x500))) if fits.fullmatch(one)
    )


def _written_again(member: Any) -> str:
    kind, value = str(member[0]), member[1]
    if kind == "RANGE":
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    if kind == "LITERAL":
        return re.escape(chr(value))
    words = {"DIGIT": r"\d", "NOT_DIGIT": r"\D", "SPACE": r"\s", "NOT_SPACE": r"\S", "WORD": r"\w", "NOT_WORD": r"\W"}
    return words[str(value).removeprefix("CATEGORY_")]
