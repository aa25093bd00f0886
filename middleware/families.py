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
    Family("requests", "counter", ("dialect", "upstream", "model", "status"), "Requests, refused ones too."),
    Family(
        "request_ends",
        "counter",
        ("dialect", "upstream", "end"),
        "How requests ended: done, error, client_closed, cancelled.",
    ),
    Family(
        "errors", "counter", ("dialect", "upstream", "reason"), "Requests that failed; without upstream: refused here."
    ),
    Family("request_seconds", "histogram", ("upstream", "model"), "From the request to the end of its answer."),
    Family("first_byte_seconds", "histogram", ("upstream", "model"), "From the request to the first byte of content."),
    Family(
        "chunk_gap_seconds", "histogram", ("upstream", "model"), "Waits for the next piece of an answer that has begun."
    ),
    Family(
        "stalls", "counter", ("upstream", "model", "outcome"), "Waits above 5 seconds for the next piece of an answer."
    ),
    Family("finish_reasons", "counter", ("upstream", "model", "reason"), "Why models ended their answers."),
    Family(
        "tokens",
        "counter",
        ("kind", "upstream", "model"),
        "Tokens; cached and cache_write are parts of input, reasoning of output.",
    ),
    Family("cost_usd", "counter", ("upstream", "model"), "What the tokens cost by the prices that are known."),
    Family(
        "losses", "counter", ("dialect", "upstream", "severity"), "Parts of requests that the upstream could not carry."
    ),
    Family("retries", "counter", ("upstream", "reason"), "Upstream calls that failed and were followed by another."),
    Family("limit_refusals", "counter", ("limit",), "Requests refused by a limit of the caller."),
    Family(
        "limits_shared",
        "gauge",
        (),
        "Processes whose limits Redis counts; 0 without store.redis and while it is away.",
    ),
    Family("cooldowns_begun", "counter", ("upstream",), "Times that a credential began to rest for a model."),
    Family("store_failures", "counter", ("part",), "Times that a part of the store began to fail."),
    Family("requests_under_way", "gauge", (), "Requests that are being worked on now."),
    Family("requests_waiting", "gauge", (), "Those of them to which no upstream has said a word yet."),
    Family("open_streams", "gauge", (), "Answers that are being streamed now."),
)
