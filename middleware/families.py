"""The metrics: their names, kinds, labels and meanings. A histogram has the bounds of `BOUNDS_S`, in seconds."""

from typing import Final, Literal, TypeAlias

from msgspec import Struct

__all__ = ["FAMILIES", "STALL_S", "TOKENS", "Family", "Name"]

Kind = Literal["counter", "histogram", "gauge"]
Name: TypeAlias = Literal[
    "requests",
    "request_ends",
    "request_seconds",
    "first_byte_seconds",
    "chunk_gap_seconds",
    "stalls",
    "finish_reasons",
    "errors",
    "tokens",
    "cost_usd",
    "losses",
    "retries",
    "requests_under_way",
    "requests_waiting",
    "open_streams",
    "limit_refusals",
    "limits_shared",
    "cooldowns_begun",
    "store_failures",
]

STALL_S: Final = 5.0  # one of the bounds
TOKENS: Final = ("input", "cached", "cache_write", "output", "reasoning")


class Family(Struct, frozen=True):
    """A metric. `name` without the prefix `gateway_` and, of a counter, without `_total`."""

    name: Name
    kind: Kind
    labels: tuple[str, ...]
    help: str


FAMILIES: Final = (
    Family(
        "requests",
        "counter",
        ("dialect", "upstream", "model", "status"),
        "Requests that have ended, including rejected ones.",
    ),
    Family(
        "request_ends",
        "counter",
        ("dialect", "upstream", "end"),
        "How requests ended: done, error, client_closed, cancelled.",
    ),
    Family("errors", "counter", ("dialect", "upstream", "reason"), "Failed requests; without upstream: rejected here."),
    Family("request_seconds", "histogram", ("upstream", "model"), "From the request to the end of its response."),
    Family("first_byte_seconds", "histogram", ("upstream", "model"), "From the request to the first byte of content."),
    Family(
        "chunk_gap_seconds",
        "histogram",
        ("upstream", "model"),
        "Waits for the next piece of a response that has begun.",
    ),
    Family(
        "stalls", "counter", ("upstream", "model", "outcome"), "Waits above 5 seconds for the next piece of a response."
    ),
    Family("finish_reasons", "counter", ("upstream", "model", "reason"), "Why models ended their responses."),
    Family(
        "tokens",
        "counter",
        ("kind", "upstream", "model"),
        "Tokens; cached and cache_write are parts of input, reasoning of output.",
    ),
    Family("cost_usd", "counter", ("upstream", "model"), "Cost of the tokens, for models with a known price."),
    Family(
        "losses", "counter", ("dialect", "upstream", "severity"), "Parts of requests that the upstream could not carry."
    ),
    Family("retries", "counter", ("upstream", "reason"), "Failed upstream calls that were followed by another."),
    Family("limit_refusals", "counter", ("limit",), "Requests rejected by a limit of the caller."),
    Family(
        "limits_shared",
        "gauge",
        (),
        "Processes whose limits Redis counts; 0 without store.redis and while it is away.",
    ),
    Family("cooldowns_begun", "counter", ("upstream",), "Times that a credential began to cool down for a model."),
    Family("store_failures", "counter", ("part",), "Times that a part of the store began to fail."),
    Family("requests_under_way", "gauge", (), "Requests in progress."),
    Family("requests_waiting", "gauge", (), "Requests in progress for which no upstream has sent anything yet."),
    Family("open_streams", "gauge", (), "Responses being streamed."),
)
