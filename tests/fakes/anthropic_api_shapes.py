"""Shapes of JSON, and Anthropic's words for what does not have them.

A shape is a function of a value, its path, and the betas that the caller asked for; it raises:
`obj({"name": text()})(value, "tools.0.custom", betas)`. The tag of a union is a step of the path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from tests.fakes.anthropic_api_errors import bad, listing

__all__ = [
    "Betas",
    "Shape",
    "anything",
    "array",
    "boolean",
    "either",
    "gated",
    "integer",
    "joined",
    "mapping",
    "number",
    "obj",
    "optional",
    "tagged",
    "text",
    "word",
]

Betas = Collection[str]
Shape = Callable[[Any, str, Betas], None]

EXTRA = "Extra inputs are not permitted"


def joined(path: str, step: str | int) -> str:
    """Name what is inside."""
    return f"{path}.{step}" if path else str(step)


def text(pattern: str = "", shortest: int = 0, longest: int | None = None) -> Shape:
    """Take a string."""

    def check(value: Any, path: str, _: Betas) -> None:
        if not isinstance(value, str):
            raise bad(path, "Input should be a valid string")
        if len(value) < shortest:
            raise bad(path, f"String should have at least {shortest} character{'s' * (shortest > 1)}")
        if longest is not None and len(value) > longest:
            raise bad(path, f"String should have at most {longest} characters")
        if pattern and not re.search(pattern, value):
            raise bad(path, f"String should match pattern '{pattern}'")

    return check


def word(*values: str) -> Shape:
    """Take one of some strings."""

    def check(value: Any, path: str, _: Betas) -> None:
        if value not in values or not isinstance(value, str):
            raise bad(path, f"Input should be {listing(list(values))}")

    return check


def _ranged(low: float | None, high: float | None, value: float, path: str) -> None:
    if low is not None and value < low:
        raise bad(path, f"Input should be greater than or equal to {low}")
    if high is not None and value > high:
        raise bad(path, f"Input should be less than or equal to {high}")


def integer(low: int | None = None, high: int | None = None) -> Shape:
    """Take a whole number."""

    def check(value: Any, path: str, _: Betas) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise bad(path, "Input should be a valid integer")
        _ranged(low, high, value, path)

    return check


def number(low: float | None = None, high: float | None = None) -> Shape:
    """Take any number."""

    def check(value: Any, path: str, _: Betas) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise bad(path, "Input should be a valid number")
        _ranged(low, high, value, path)

    return check


def boolean(value: Any, path: str, _: Betas) -> None:
    """Take true or false."""
    if not isinstance(value, bool):
        raise bad(path, "Input should be a valid boolean")


def anything(_: Any, __: str, ___: Betas) -> None:
    """Take it as it is."""


def mapping(value: Any, path: str, _: Betas) -> None:
    """Take an object whose fields are the caller's own."""
    if not isinstance(value, dict):
        raise bad(path, "Input should be a valid dictionary")


def array(of: Shape, low: int = 0) -> Shape:
    """Take a list."""

    def check(value: Any, path: str, betas: Betas) -> None:
        if not isinstance(value, list):
            raise bad(path, "Input should be a valid list")
        if len(value) < low:
            raise bad(path, f"List should have at least {low} item after validation, not {len(value)}")
        for place, item in enumerate(value):
            of(item, joined(path, place), betas)

    return check


def obj(needed: Mapping[str, Shape], also: Mapping[str, Shape] | None = None) -> Shape:
    """Take an object with these fields and no others; `also` are optional."""
    known = {**needed, **(also or {})}

    def check(value: Any, path: str, betas: Betas) -> None:
        if not isinstance(value, dict):
            raise bad(path, "Input should be an object")
        for name in needed:
            if name not in value:
                raise bad(joined(path, name), "Field required")
        for name, field in value.items():
            if name not in known:
                raise bad(joined(path, name), EXTRA)
            known[name](field, joined(path, name), betas)

    return check


def optional(of: Shape) -> Shape:
    """Take null, too."""

    def check(value: Any, path: str, betas: Betas) -> None:
        if value is not None:
            of(value, path, betas)

    return check


def gated(of: Shape, *names: str) -> Shape:
    """Take it from those who asked for one of these betas; others have no such field."""

    def check(value: Any, path: str, betas: Betas) -> None:
        if not set(names) & set(betas):
            raise bad(path, EXTRA)
        of(value, path, betas)

    return check


def either(string: Shape, other: Shape) -> Shape:
    """Take a string of the one shape, or anything of the other."""

    def check(value: Any, path: str, betas: Betas) -> None:
        (string if isinstance(value, str) else other)(value, path, betas)

    return check


def tagged(
    kinds: Mapping[str, Shape],
    field: str = "type",
    *,
    default: str = "",
    stepped: bool = True,
    needed: Mapping[str, Collection[str]] | None = None,
) -> Shape:
    """Take the object whose field says which it is; `needed` are the betas without which a tag is not there."""

    def check(value: Any, path: str, betas: Betas) -> None:
        if not isinstance(value, dict):
            raise bad(path, "Input should be an object")
        kind = value.get(field) or default
        if not kind:
            raise bad(joined(path, field), "Field required")
        known = [one for one in kinds if not (needed or {}).get(one) or set((needed or {})[one]) & set(betas)]
        if kind not in known:
            tags = ", ".join(f"'{one}'" for one in known)
            problem = f"Input tag '{kind}' found using '{field}' does not match any of the expected tags: {tags}"
            raise bad(path, problem)
        kinds[kind](value, joined(path, kind) if stepped else path, betas)

    return check
