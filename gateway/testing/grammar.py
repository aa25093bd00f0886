"""What a caller hears in an answer, whichever the dialect and whether it streams; and how a broken rule is told.

    bytes ─► frames of SSE ─► the automaton of the dialect ─► Heard, or Broken with the rule that does not hold

The automata stand in `grammar_*`, one file a dialect. Nothing here asks the product.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec, TypeVar

__all__ = [
    "Broken",
    "Call",
    "Counts",
    "Heard",
    "Json",
    "arguments",
    "counts_of",
    "inner",
    "read_object",
    "rule",
    "walks",
]

Json = dict[str, Any]
Counts = tuple[int, int, int, int]
_P = ParamSpec("_P")
_T = TypeVar("_T")

_SHOWN = 200


class Broken(AssertionError):
    """A rule of a dialect does not hold; says which, and what was there."""


@dataclass(frozen=True)
class Call:
    """A tool call, its arguments parsed."""

    id: str
    name: str
    arguments: Any


@dataclass(frozen=True)
class Heard:
    """One answer. `usage` is in the dialect's own words; `error` stands in the place of `finish`.

    `finish` of Responses is the reason why it is incomplete, or its status. `signatures`: of thoughts and calls.
    """

    text: str = ""
    thoughts: str = ""
    calls: tuple[Call, ...] = ()
    images: tuple[str, ...] = ()
    finish: str | None = None
    usage: Json = field(default_factory=dict[str, Any])
    error: Json | None = None
    signatures: tuple[str, ...] = field(default=(), compare=False)


def rule(holds: object, words: str) -> None:
    """Raise Broken with `words` unless the rule holds."""
    if not holds:
        raise Broken(words)


def walks(walk: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let a walk tell what it does not find, or finds of another type, as a broken rule."""

    @wraps(walk)
    def told(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return walk(*args, **kwargs)
        except KeyError as error:
            raise Broken(f"the field {error} is missing") from error
        except (TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
            raise Broken(f"cannot be read: {error}") from error

    return told


def read_object(text: str | bytes, what: str) -> Json:
    """Read a JSON object."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:  # nested without end
        shown = text if isinstance(text, str) else text.decode("utf-8", "replace")
        raise Broken(f"{what} is not JSON ({error}): {shown[:_SHOWN]!r}") from None
    rule(isinstance(read, dict), f"{what} is not a JSON object: {str(read)[:_SHOWN]}")
    found: Json = read
    return found


def inner(of: Json, name: str) -> Json:
    """Give an object within another; null and absent are empty ones."""
    found: Json = of.get(name) or dict[str, Any]()
    return found


def arguments(text: str, error: Json | None) -> Any:
    """Parse a call's arguments; those of an answer that broke off may have broken off, too."""
    try:
        return json.loads(text)
    except ValueError:
        rule(error is not None, f"arguments that are not JSON: {text!r}")
        return text


def counts_of(whole: Json, kept: Json, said: Json, thought: Json) -> Counts:
    """Check counts, each a name and a number: none below zero, no part above its whole.

    What went in, what of it was kept; what came out, what of it was thought.
    """
    for name, count in (pair for counts in (whole, kept, said, thought) for pair in counts.items()):
        rule(type(count) is int and count >= 0, f"usage: {name} is {count!r}, not a count")
    sums = tuple(sum(counts.values()) for counts in (whole, kept, said, thought))
    rule(sums[1] <= sums[0], f"usage: {kept} of {whole}")
    rule(sums[3] <= sums[2], f"usage: {thought} of {said}")
    return sums[0], sums[1], sums[2], sums[3]
