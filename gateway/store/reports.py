"""What is asked of the ledger, and what it answers: known without loading what reads the database."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

from msgspec import Struct

__all__ = ["BY", "USD_DECIMALS", "By", "Grouping", "Only", "Point", "Report", "Sums", "rounded", "spent", "total"]

USD_DECIMALS: Final = 12  # a token of the cheapest model is 1,000 of the last; what floats add is below

By = Literal["key", "credential", "model", "upstream", "day"]
Grouping = Literal[By, "key_id"]  # by which a page tells keys apart that had the same name
BY: Final[tuple[By, ...]] = get_args(By)
Only = Mapping[Literal["key", "model", "upstream"], str]  # the requests that are meant: those with these names


class Sums(Struct, frozen=True, kw_only=True):
    """What requests came to. `name`: of what they have in common, None = unknown; a day is one of UTC.

    `errors`: those that failed or were killed. Input includes cached tokens, output includes reasoning. `usd` None: no
    price is known of any of them. `estimated`: requests whose tokens no upstream has counted. `unpriced`: those whose
    cost is not in `usd`.
    """

    name: str | None = None
    requests: int = 0
    errors: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    usd: float | None = None
    estimated: int = 0
    unpriced: int = 0


class Point(Struct, frozen=True, kw_only=True):
    """What the requests came to that began in one step of time, `at` (Unix seconds) and after it.

    `usd`, `unpriced`: as those of `Sums`. `first_byte_s`, `total_s`: means; None where nothing is known.
    """

    at: float
    requests: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = None
    unpriced: int = 0
    first_byte_s: float | None = None
    total_s: float | None = None


class Report(Struct, frozen=True, kw_only=True):
    """Requests that began at or after `since` and before `until`, Unix seconds, None = without that bound."""

    by: Grouping
    since: float | None
    until: float | None
    rows: list[Sums]
    total: Sums


def rounded(usd: float | None) -> float | None:
    """Give a sum of money without what floats add to it."""
    return usd if usd is None else round(usd, USD_DECIMALS)


def spent(costs: Iterable[float | None]) -> float | None:
    """Add up what is known of costs; None where nothing is."""
    known = [usd for usd in costs if usd is not None]
    return rounded(sum(known)) if known else None


def total(rows: Iterable[Sums]) -> Sums:
    """Add them up."""
    listed = list(rows)
    return Sums(
        requests=sum(row.requests for row in listed),
        errors=sum(row.errors for row in listed),
        input_tokens=sum(row.input_tokens for row in listed),
        cached_tokens=sum(row.cached_tokens for row in listed),
        output_tokens=sum(row.output_tokens for row in listed),
        reasoning_tokens=sum(row.reasoning_tokens for row in listed),
        usd=spent(row.usd for row in listed),
        estimated=sum(row.estimated for row in listed),
        unpriced=sum(row.unpriced for row in listed),
    )
