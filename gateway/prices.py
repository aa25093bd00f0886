"""What tokens cost: the prices of [usage.price], and the list prices that are shipped.

A model that is reached through an account instead of an API key is not billed by the token. Its list price is what its
use would have cost, and what people want to see.
"""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway import ir
from gateway.clock import Clock, System
from gateway.config import PriceConfig
from gateway.store.reports import USD_DECIMALS

__all__ = ["Price", "Prices"]

_MILLION: Final = 1_000_000
_SIZE: Final = 4096  # names that are remembered; callers choose them where models.unknown is "pass"


class Price(Struct, frozen=True):
    """USD per million tokens.

    `written`: into the cache, None = as `input`; `written_long`: to stay there for longer, None = as `written`.
    `long`: all tokens of a request whose prompt has more of them than `above`. `tiers`: by `ir.Usage.tier`.
    `later`: what takes its place at the moment `until`, in Unix seconds.
    """

    input: float
    cached: float
    output: float
    written: float | None = None
    written_long: float | None = None
    long: "Price | None" = None
    above: int = 0
    tiers: Mapping[ir.Tier, "Price"] = {}
    later: "Price | None" = None
    until: float = 0.0

    def usd(self, usage: ir.Usage) -> float:
        """Give what this use costs; input includes cached and written, output includes reasoning."""
        if usage.tier and usage.tier in self.tiers:
            return self.tiers[usage.tier].usd(usage)
        if self.long is not None and usage.input > self.above:
            return self.long.usd(usage)
        cached = min(usage.cache_read, usage.input)
        fresh = usage.input - cached
        cost = fresh * self.input + cached * self.cached + usage.output * self.output
        if usage.cache_write:
            cost += self._more(min(usage.cache_write, fresh), usage.cache_write_long)
        return round(cost / _MILLION, USD_DECIMALS)

    def at(self, moment: float) -> "Price":
        """Give the price of a moment."""
        return self if self.later is None or moment < self.until else self.later.at(moment)

    def times(self, factor: float) -> "Price":
        """Give a price that is so many times as high."""
        return Price(
            self.input * factor,
            self.cached * factor,
            self.output * factor,
            None if self.written is None else self.written * factor,
            None if self.written_long is None else self.written_long * factor,
            None if self.long is None else self.long.times(factor),
            self.above,
            {tier: price.times(factor) for tier, price in self.tiers.items()},
        )

    def _more(self, written: int, long: int) -> float:
        """Give how much more than input it costs to write this into the cache."""
        long, short_price = min(long, written), self.input if self.written is None else self.written
        long_price = short_price if self.written_long is None else self.written_long
        return (written - long) * (short_price - self.input) + long * (long_price - self.input)


class Prices:
    """Finds prices by upstream and model. Keys of [usage.price] are globs of `model` or of `upstream/model`."""

    def __init__(self, prices: Mapping[str, Price], clock: Clock | None = None) -> None:
        self._clock = clock or System()
        self._prices = tuple(prices.items())
        self._found = lru_cache(maxsize=_SIZE)(self._find)

    @classmethod
    def of(cls, configured: Mapping[str, PriceConfig], clock: Clock | None = None) -> Self:
        """Put an operator's prices before those that are shipped."""
        own = {glob: _price(one) for glob, one in configured.items()}
        return cls(own | {glob: price for glob, price in _shipped().items() if glob not in own}, clock)

    def find(self, upstream: str, model: str) -> Price | None:
        """Give today's price of an upstream's model, None where none is known."""
        price = self._found(upstream, model)
        return price if price is None or price.later is None else price.at(self._clock.time())

    def usd(self, upstream: str, model: str, usage: ir.Usage) -> float | None:
        """Give what this use costs, None where no price is known; other models' shares of it cost what theirs do."""
        price = self._found(upstream, model)
        if price is None:
            return None
        if price.later is not None:
            price = price.at(self._clock.time())
        return self._shared(price, upstream, usage) if usage.shares else price.usd(usage)

    def _shared(self, price: Price, upstream: str, usage: ir.Usage) -> float:
        others = sum((self.find(upstream, share.model) or price).usd(share.usage) for share in usage.shares)
        return price.usd(usage.without_shares()) + others

    def _find(self, upstream: str, model: str) -> Price | None:
        full = f"{upstream}/{model}"
        fitting = (price for glob, price in self._prices if fnmatchcase(model, glob) or fnmatchcase(full, glob))
        return next(fitting, None)


class _Listed(PriceConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list price."""

    written: float | None = None
    written_long: float | None = None

    def price(self) -> Price:
        """Give what it says of prompts that are not long."""
        return replace(_price(self), written=self.written, written_long=self.written_long)


class _Long(Struct, forbid_unknown_fields=True):
    """How many times as much the tokens of a long prompt cost, and those of its answer."""

    above: int
    input: float
    output: float

    def of(self, price: Price) -> Price:
        """Give a price with that of long prompts."""
        written, longer = price.written, price.written_long
        long = Price(
            price.input * self.input,
            price.cached * self.input,
            price.output * self.output,
            None if written is None else written * self.input,
            None if longer is None else longer * self.input,
        )
        return replace(price, long=long, above=self.above)


class _Later(Struct, forbid_unknown_fields=True):
    """From which day on, in UTC, all of a model costs how many times as much."""

    since: date
    times: float

    def of(self, price: Price) -> Price:
        """Give a price with the one that follows it."""
        begins = datetime(self.since.year, self.since.month, self.since.day, tzinfo=UTC)
        return replace(price, later=price.times(self.times), until=begins.timestamp())


class _List(Struct):
    price: dict[str, _Listed]
    long: dict[str, _Long]
    tier: dict[ir.Tier, dict[str, _Listed]]
    later: dict[str, _Later]

    def all(self) -> Iterator[tuple[str, Price]]:
        """Give the price of each glob."""
        for glob, one in self.price.items():
            tiers = {tier: self._whole(glob, rows[glob]) for tier, rows in self.tier.items() if glob in rows}
            price = replace(self._whole(glob, one), tiers=tiers)
            yield glob, self.later[glob].of(price) if glob in self.later else price

    def _whole(self, glob: str, one: _Listed) -> Price:
        price = one.price()
        return self.long[glob].of(price) if glob in self.long else price


@cache
def _shipped() -> Mapping[str, Price]:
    with files("gateway").joinpath("prices.toml").open("rb") as file:
        return dict(msgspec.convert(tomllib.load(file), _List).all())


def _price(one: PriceConfig) -> Price:
    return Price(one.input, one.input if one.cached is None else one.cached, one.output)
