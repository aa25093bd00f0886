"""Limits: `{requests_per_minute = 60, usd_per_month = 50.0, concurrent = 4}`, in order."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Struct

from gateway.config.problems import did_you_mean
from gateway.config.sources import Tree, as_tree
from gateway.config.values import Reader, kind_of, number

__all__ = ["LIMIT_KEYS", "Limit", "Limits", "of_keys", "parse_limits", "write_limits"]

Resource: TypeAlias = Literal["requests", "tokens", "usd", "concurrent"]
Window: TypeAlias = Literal["second", "minute", "hour", "day", "month"]

_RESOURCES: Final[tuple[Resource, ...]] = ("requests", "tokens", "usd")
_WINDOWS: Final[tuple[Window, ...]] = ("second", "minute", "hour", "day", "month")
_GRAMMAR: Final[dict[str, tuple[Resource, Window | None]]] = {
    **{f"{resource}_per_{window}": (resource, window) for resource in _RESOURCES for window in _WINDOWS},
    "concurrent": ("concurrent", None),
}

LIMIT_KEYS: Final = tuple(_GRAMMAR)


class Limit(Struct, frozen=True):
    """At most `amount` of a resource in a window; `concurrent` has none. Only usd has fractions."""

    resource: Resource
    amount: float
    window: Window | None

    @property
    def key(self) -> str:
        """Name it as the table does: `requests_per_minute`."""
        return f"{self.resource}_per_{self.window}" if self.window else self.resource


def parse_limits(value: object) -> tuple[Limit, ...]:
    """Read a table of limits; raise ValueError with what is wrong, and with which of them."""
    limits: list[Limit] = []
    for key, amount in _table(value).items():
        try:
            limits.append(_limit(key, amount))
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    return tuple(limits)


def write_limits(limits: Iterable[Limit]) -> dict[str, float]:
    """Write the table that `parse_limits` reads."""
    return {limit.key: limit.amount for limit in limits}


def of_keys(names: Sequence[str]) -> str:
    """Name the keys that have limits, at the end of what says why these cannot be counted."""
    return f"; keys that have limits: {', '.join(names)} (`gateway keys list` lists them)" if names else ""


def _unnamed(value: object) -> tuple[Limit, ...]:
    """Read it as `parse_limits`, for who says with which of them it is."""
    return tuple(_limit(key, amount) for key, amount in _table(value).items())


def _table(value: object) -> Tree:
    table = as_tree(value)
    if table is None:
        raise ValueError(f"expected a table such as {{ requests_per_minute = 60 }}, got {kind_of(value)}")
    return table


def _limit(key: str, value: object) -> Limit:
    if key not in _GRAMMAR:
        raise ValueError(f"unknown limit{did_you_mean(key, _GRAMMAR)}")
    amount = number(value)
    if amount < 0:
        raise ValueError("is negative")
    resource, window = _GRAMMAR[key]
    if resource == "usd":
        return Limit(resource, amount, window)
    if not amount.is_integer():
        raise ValueError("is not a whole number")
    return Limit(resource, int(amount), window)


Limits: TypeAlias = Annotated[tuple[Limit, ...], Reader(_unnamed, table=True)]
