"""Proto JSON decoding with the messages of v1internal."""

from __future__ import annotations

from typing import Any

from tests.fakes.proto import Proto
from tests.fakes.v1internal_messages import ENUMS, MESSAGES, PACKAGE

__all__ = ["decode"]

_PROTO = Proto(MESSAGES, ENUMS, PACKAGE)


def decode(message: str, body: Any) -> dict[str, Any]:
    """Decode one body, or raise the 400 that lists everything wrong with it."""
    return _PROTO.decode(message, body)
