"""How likely the tokens of an answer were: who asks for it, and how OpenAI writes it in both of its dialects."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from gateway import ir

__all__ = ["INCLUDE", "asked", "read_logprobs", "write_logprobs"]

INCLUDE: Final = "message.output_text.logprobs"  # as Responses asks for it

_JSON = dict[str, object]


class _Token(Struct):
    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top_logprobs: "tuple[_Token, ...] | None" = None


def asked(sampling: ir.Sampling) -> Sequence[str]:
    """Name what a request says of it, for those who do not take it."""
    wanted = sampling.logprobs
    return () if wanted is None else ("logprobs", "top_logprobs") if wanted else ("logprobs",)


def read_logprobs(given: object) -> tuple[ir.Logprob, ...]:
    """Read the tokens of an answer; none where a server spells them otherwise."""
    try:
        found = msgspec.convert(given or (), tuple[_Token, ...], strict=False)
    except msgspec.ValidationError:
        return ()
    return tuple(map(_neutral, found))


def write_logprobs(tokens: Iterable[ir.Logprob]) -> list[_JSON]:
    """Write them."""
    return [{**_written(one), "top_logprobs": [_written(other) for other in one.top]} for one in tokens]


def _neutral(one: _Token) -> ir.Logprob:
    return ir.Logprob(one.token, one.logprob, one.bytes, tuple(map(_neutral, one.top_logprobs or ())))


def _written(one: ir.Logprob) -> _JSON:
    data = one.token.encode("utf-8", "replace") if one.utf8 is None else one.utf8
    return {"token": one.token, "logprob": one.logprob, "bytes": list(data)}
