"""Read from what Google's models block, where a caller of another dialect names it as clients of LiteLLM do."""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.dialects.known import understood
from gateway.dialects.place import Place

__all__ = ["SAFETY", "read_safety"]

SAFETY: Final = "safety_settings"


class _Setting(Struct, omit_defaults=True, forbid_unknown_fields=True):
    category: str
    threshold: str
    method: str | None = None


_SETTINGS: Final = msgspec.json.Decoder(list[_Setting])


def read_safety(given: Raw, place: Place) -> list[dict[str, object]]:
    """Give `safetySettings`; none, and a loss, for what is of no known form. `place`: where the caller says it."""
    settings = understood(given, _SETTINGS, place, "change")
    return [] if settings is None else [msgspec.to_builtins(one) for one in settings]
