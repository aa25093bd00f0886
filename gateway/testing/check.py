"""What a check of a self-test is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from gateway.testing.conversation import Caller

__all__ = ["Check", "NotOffered"]


class NotOffered(Exception):
    """The gateway, or its model, does not have this; says how that was seen."""


@dataclass(frozen=True)
class Check:
    """One thing that is asked of one dialect. `streams`: it needs streams; `group`: the selection that has it, too."""

    name: str
    run: Callable[[Caller], Awaitable[None]]
    streams: bool = False
    group: Literal["", "simple", "tools"] = ""
