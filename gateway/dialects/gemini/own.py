"""Whom a Gemini caller's own words are for, and how its repeated fields are read."""

from collections.abc import Collection

from msgspec import Raw, Struct

from gateway.dialects.raw import FIELDS, MANY, Fields, read

__all__ = ["Own", "several"]


class Own(Struct, frozen=True):
    """Whom the words are for: the upstream's name of the model.

    `refused`: the causes of refusals that have come. `limit`: of the model's tokens, where a request may be above it.
    """

    model: str
    refused: Collection[str] = frozenset()
    limit: int | None = None


def several(raw: Raw) -> list[Fields]:
    """Give the elements of a repeated field; a single one may stand without its brackets."""
    many = read(raw, MANY)
    if many is not None:
        return many
    one = read(raw, FIELDS)
    return [] if one is None else [one]
