"""What tokens cost: the prices of [usage.price], and the list prices that are shipped.

A model that is reached through an account instead of an API key is not billed by the token. Its list price is what its
use would have cost, and what people want to see.
"""

import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, Self

import msgspec
from msgspec import Struct

from gateway import ir
from gateway.config import PriceConfig
from gateway.store.reports import USD_DECIMALS

__all__ = ["Price", "Prices"]

_MILLION: Final = 1_000_000
_SIZE: Final = 4096  # names that are remembered; callers choose them where models.unknown is "pass"


class Price(Struct, frozen=True):
    """USD per million tokens."""

    input: float
    cached: float
    output: float

    def usd(self, usage: ir.Usage) -> float:
        """Give what this use costs; input includes cached, output includes reasoning."""
        cached = min(usage.cache_read, usage.input)
        fresh = usage.input - cached
        cost = (fresh * self.input + cached * self.cached + usage.output * self.output) / _MILLION
        return round(cost, USD_DECIMALS)


class Prices:
    """Finds prices by upstream and model. Keys of [usage.price] are globs of `model` or of `upstream/model`."""

    def __init__(self, prices: Mapping[str, Price]) -> None:
        self._prices = tuple(prices.items())
        self._found = lru_cache(maxsize=_SIZE)(self._find)

    @classmethod
    def of(cls, configured: Mapping[str, PriceConfig]) -> Self:
        """Put an operator's prices before those that are shipped."""
        own = {glob: _price(one) for glob, one in configured.items()}
        return cls(own | {glob: price for glob, price in _shipped().items() if glob not in own})

    def find(self, upstream: str, model: str) -> Price | None:
        """Give the price of an upstream's model, None where none is known."""
        return self._found(upstream, model)

    def _find(self, upstream: str, model: str) -> Price | None:
        full = f"{upstream}/{model}"
        fitting = (price for glob, price in self._prices if fnmatchcase(model, glob) or fnmatchcase(full, glob))
        return next(fitting, None)


class _List(Struct):
    price: dict[str, PriceConfig]


@cache
def _shipped() -> Mapping[str, Price]:
    with files("gateway").joinpath("prices.toml").open("rb") as file:
        shipped = msgspec.convert(tomllib.load(file), _List)
    return {glob: _price(one) for glob, one in shipped.price.items()}


def _price(one: PriceConfig) -> Price:
    return Price(one.input, one.input if one.cached is None else one.cached, one.output)
