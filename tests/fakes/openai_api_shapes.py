"""Shapes of JSON, and OpenAI's words for what does not have them.

A shape is a function of a value and its path that raises: `obj({"name": text(64)})(value, "tools[0].function")`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.openai_api_errors import bad, listing

__all__ = [
    "NAME",
    "Shape",
    "anything",
    "array",
    "boolean",
    "either",
    "integer",
    "joined",
    "missing",
    "number",
    "obj",
    "optional",
    "tagged",
    "text",
    "word",
]

Shape = Callable[[Any, str], None]

NAME = "^[a-zA-Z0-9_-]+$"

_WORDS: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (str, "a string"),
    (int, "an integer"),
    (float, "a decimal"),
    (list, "an array"),
    (dict, "an object"),
)


def wrong_type(expected: str, value: Any, path: str) -> Exception:
    """Write the 400 of another type."""
    got = "null" if value is None else next(words for kind, words in _WORDS if isinstance(value, kind))
    return bad(
        f"Invalid type for '{path}': expected {expected}, but got {got} instead.", param=path, code="invalid_type"
    )


def _out(path: str, problem: str, expected: str, got: str, code: str) -> Exception:
    return bad(f"Invalid '{path}': {problem}. Expected {expected}, but got {got} instead.", param=path, code=code)


def text(longest: int | None = None, pattern: str | None = None, shortest: int = 0) -> Shape:
    """Take a string."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            raise wrong_type("a string", value, path)
        if len(value) < shortest:
            expected = f"a string with minimum length {shortest}"
            got = "an empty string" if not value else f"a string with length {len(value)}"
            raise _out(
                path, "empty string" if not value else "string too short", expected, got, "string_below_min_length"
            )
        if longest is not None and len(value) > longest:
            expected, got = f"a string with maximum length {longest}", f"a string with length {len(value)}"
            raise _out(path, "string too long", expected, got, "string_above_max_length")
        if pattern is not None and not re.search(pattern, value):
            raise bad(
                f"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern "
                f"'{pattern}'.",
                param=path,
                code="invalid_value",
            )

    return check


def word(*values: str) -> Shape:
    """Take one of some strings."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            raise wrong_type(f"one of {listing(list(values)).replace(', and', ', or')}", value, path)
        if value not in values:
            raise bad(
                f"Invalid value: '{value}'. Supported values are: {listing(list(values))}.",
                param=path,
                code="invalid_value",
            )

    return check


def _ranged(kind: str, low: float | None, high: float | None, value: Any, path: str) -> None:
    if low is not None and value < low:
        expected = f"a value >= {low}"
        raise _out(path, f"{kind} below minimum value", expected, str(value), f"{kind}_below_min_value")
    if high is not None and value > high:
        expected = f"a value <= {high}"
        raise _out(path, f"{kind} above maximum value", expected, str(value), f"{kind}_above_max_value")


def integer(low: int | None = None, high: int | None = None) -> Shape:
    """Take a whole number."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_type("an integer", value, path)
        _ranged("integer", low, high, value, path)

    return check


def number(low: float | None = None, high: float | None = None) -> Shape:
    """Take any number."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise wrong_type("a decimal", value, path)
        _ranged("decimal", low, high, value, path)

    return check


def boolean(value: Any, path: str) -> None:
    """Take true or false."""
    if not isinstance(value, bool):
        raise wrong_type("a boolean", value, path)


def anything(_: Any, __: str) -> None:
    """Take it as it is."""


def array(of: Shape, low: int = 0, high: int | None = None) -> Shape:
    """Take a list."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise wrong_type("an array", value, path)
        if len(value) < low:
            expected = f"an array with minimum length {low}"
            got = "an empty array" if not value else f"an array with length {len(value)}"
            raise _out(path, "empty array" if not value else "array too short", expected, got, "empty_array")
        if high is not None and len(value) > high:
            expected, got = f"an array with maximum length {high}", f"an array with length {len(value)}"
            raise _out(path, "array too long", expected, got, "array_above_max_length")
        for place, item in enumerate(value):
            of(item, f"{path}[{place}]")

    return check


def obj(needed: Mapping[str, Shape], also: Mapping[str, Shape] | None = None) -> Shape:
    """Take an object with these fields and no others; `also` are optional."""
    known = {**needed, **(also or {})}

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type("an object", value, path)
        for name in needed:
            if name not in value:
                raise missing(joined(path, name))
        for name, field in value.items():
            if name not in known:
                where = joined(path, name)
                raise bad(f"Unknown parameter: '{where}'.", param=where, code="unknown_parameter")
            known[name](field, joined(path, name))

    return check


def joined(path: str, name: str) -> str:
    """Name a field of an object."""
    return f"{path}.{name}" if path else name


def missing(path: str) -> Exception:
    """Write the 400 of a field that is not there."""
    return bad(f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")


def optional(of: Shape) -> Shape:
    """Take null, too."""

    def check(value: Any, path: str) -> None:
        if value is not None:
            of(value, path)

    return check


def either(expected: str, **kinds: Shape) -> Shape:
    """Take what one of these shapes takes, by the name of the JSON type."""
    types = {"string": str, "array": list, "object": dict}

    def check(value: Any, path: str) -> None:
        for kind, of in kinds.items():
            if isinstance(value, types[kind]):
                of(value, path)
                return
        raise wrong_type(expected, value, path)

    return check


def tagged(kinds: Mapping[str, Shape], field: str = "type", default: str = "") -> Shape:
    """Take the object whose field says which it is."""
    one_of = word(*kinds)

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type("an object", value, path)
        where = joined(path, field)
        if field not in value and not default:
            raise missing(where)
        kind = value.get(field, default)
        one_of(kind, where)
        kinds[kind](value, path)

    return check
