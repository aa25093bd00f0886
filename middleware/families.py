"""The metrics: their names, kinds, labels and meanings. A histogram has the bounds of `BOUNDS_S`, in seconds."""

from typing import Final, Literal, TypeAlias

from msgspec import Struct

__all__ = ["BOUNDS_S", "FAMILIES", "TOKENS", "VALUES", "Family", "Name"]

Kind = Literal["counter", "histogram", "gauge"]
Name: TypeAlias = Literal[
    "requests", "request_ends", "request_seconds", "first_byte_seconds", "tokens", "losses", "retries", "open_streams"
]

BOUNDS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
VALUES: Final = len(BOUNDS_S) + 2  # values of a histogram: one a bound, one above all, the sum
TOKENS: Final = ("input", "cached", "cache_write", "output", "reasoning")


class Family(Struct, frozen=True):
    """A metric. `name` without the prefix `gateway_` and, of a counter, without `_total`."""

    name: Name
    kind: Kind
    labels: tuple[str, ...]
    help: str


FAMILIES: Final = (
    Family("requests", "counter", ("dialect", "upstream", "model", "status"), "Requests, refused ones too."),
    Family(
        "request_ends",
        "counter",
        ("dialect", "upstream", "end"),
        "How requests ended: done, error, client_closed, cancelled.",
    ),
    Family("request_seconds", "histogram", ("upstream", "model"), "From the request to the end of its answer."),
    Family("first_byte_seconds", "histogram", ("upstream", "model"), "From the request to the first byte of content."),
    Family(
        "tokens",
        "counter",
        ("kind", "upstream", "model"),
        "Tokens; cached and cache_write are parts of input, reasoning of output.",
    ),
    Family(
        "losses", "counter", ("dialect", "upstream", "severity"), "Parts of requests that the upstream could not carry."
    ),
    Family("retries", "counter", ("upstream", "reason"), "Upstream calls that failed and were followed by another."),
    Family("open_streams", "gauge", (), "Answers that are being streamed now."),
)
