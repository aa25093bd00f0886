"""What a path of the administration does, by method."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from gateway.admin.visit import Handler

__all__ = ["READING", "Place", "reading"]

READING: Final = ("GET", "HEAD")


class Place(Struct, frozen=True):
    """`open`: for everybody; `secret`: its address is one; `form_bytes`: the most that its forms send."""

    methods: Mapping[str, Handler]
    open: bool = False
    secret: bool = False
    form_bytes: int = 16 * 1024


def reading(handler: Handler) -> dict[str, Handler]:
    """Let a handler be read only."""
    return dict.fromkeys(READING, handler)
