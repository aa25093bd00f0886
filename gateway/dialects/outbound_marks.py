"""Marks for the prompt cache on their way to an upstream, each on a block that is not empty.

Anthropic     cache_control             four, the longer ones first; an hour at most
OpenAI        prompt_cache_breakpoint   on what a model is told, since GPT-5.6; 30 minutes or 12 hours
OpenRouter    cache_control             Claude's as Anthropic has them; of others there is no lifetime
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import dropwhile
from typing import Final

from msgspec import Struct

from gateway import ir

__all__ = ["ANTHROPIC", "CONTROL", "OPENAI", "TOO_MANY", "Form", "Marks"]

JSON = dict[str, object]

_MOST: Final = 4
TOO_MANY: Final = (
    f"Anthropic takes {_MOST} cache marks per request: the last ones were kept, which include what comes before them"
)
_NOWHERE: Final = "the block that it marked is not sent as a block of its own"
_NONE: Final[Mapping[str, str | None]] = {}
_LONG: Final = "1h"
_TOO_LATE: Final = "Anthropic cannot cache for an hour after a mark of five minutes: shortened to five minutes"


class Form(Struct, frozen=True, kw_only=True):
    """How an upstream has marks written.

    `most`: how many it takes, None = any number. `lifetimes`: how it says how long something is kept; `shorter`: what
    it keeps for a shorter time than is asked for, and for how long.
    """

    name: str
    value: Mapping[str, str]
    most: int | None = None
    lifetimes: Mapping[str, str] = {}
    shorter: Mapping[str, str] = {}
    nowhere: str = _NOWHERE


ANTHROPIC: Final = Form(
    name="cache_control",
    value={"type": "ephemeral"},
    most=_MOST,
    lifetimes={"5m": "5m", "30m": _LONG, "1h": _LONG, "12h": _LONG},
    shorter={"12h": "this upstream caches for an hour at most"},
)
CONTROL: Final = Form(
    name="cache_control",
    value={"type": "ephemeral"},
    most=_MOST,
    shorter=dict.fromkeys(("30m", "1h", "12h"), "this model is not told how long to cache"),
)
OPENAI: Final = Form(
    name="prompt_cache_breakpoint",
    value={"mode": "explicit"},
    lifetimes={"30m": "30m", "12h": "12h"},
    shorter={"1h": "this upstream caches for 30 minutes, or for 12 hours: left at 30 minutes"},
    nowhere="only words, pictures and files that a model is told can be marked here",
)


class Marks:
    """The marks of one request, and which of them have been written."""

    def __init__(self, request: ir.Request, form: Form) -> None:
        self._form = form
        self._given = request.marks
        self._written: set[str] = set()
        self._lives: Mapping[str, str | None] = _NONE  # of those that go on
        self._late: Collection[str] = ()
        if request.marks:
            taken = request.marks if form.most is None else request.marks[-form.most :]
            self._lives = lives = {mark.path: form.lifetimes.get(mark.ttl or "") for mark in taken}
            late = dropwhile(lambda mark: lives[mark.path] == _LONG, taken)
            self._late = {mark.path for mark in late if lives[mark.path] == _LONG}

    def on(self, block: JSON, mark: ir.Mark | None) -> JSON:
        """Put a mark on a block, if there is one and it is among those that go on."""
        if mark is None or mark.path not in self._lives:
            return block
        self._written.add(mark.path)
        life = None if mark.path in self._late else self._lives[mark.path]
        return block | {self._form.name: {**self._form.value, **({"ttl": life} if life else {})}}

    def lost(self) -> Iterator[ir.Loss]:
        """Tell which did not go on."""
        form = self._form
        for mark in self._given:
            if mark.path not in self._written:
                yield ir.Loss(mark.path, form.nowhere if mark.path in self._lives else TOO_MANY, "hint")
            elif mark.path in self._late:
                yield ir.Loss(f"{mark.path}.ttl", _TOO_LATE, "hint")
            elif mark.ttl is not None and mark.ttl in form.shorter:
                yield ir.Loss(f"{mark.path}.ttl", form.shorter[mark.ttl], "hint")
