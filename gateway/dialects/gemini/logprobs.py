"""How likely the tokens of an answer were, as Gemini writes it: `logprobsResult`, and `avgLogprobs` at the end."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway import ir
from gateway.dialects.raw import read

__all__ = ["average", "read_logprobs", "write_logprobs"]

_JSON = dict[str, object]


class _Token(Struct, rename="camel"):
    token: str = ""
    log_probability: float = 0.0


class _Tokens(Struct):
    candidates: list[_Token] | None = None


class _Result(Struct, rename="camel"):
    chosen_candidates: list[_Token] | None = None
    top_candidates: list[_Tokens] | None = None


_RESULT: Final = msgspec.json.Decoder(_Result, strict=False)


def read_logprobs(result: Raw) -> tuple[ir.Logprob, ...]:
    """Read the tokens that were chosen, and what was likeliest in their places; none where they are spelt otherwise."""
    found = read(result, _RESULT)
    if found is None:
        return ()
    places = [[_neutral(one) for one in place.candidates or ()] for place in found.top_candidates or ()]
    chosen = found.chosen_candidates or ()
    places += [[]] * (len(chosen) - len(places))
    return tuple(_neutral(one, top) for one, top in zip(chosen, places, strict=False))


def write_logprobs(tokens: Sequence[ir.Logprob]) -> _JSON:
    """Write what stands in a candidate for these tokens."""
    if not tokens:
        return {}
    result: _JSON = {"chosenCandidates": [_written(one) for one in tokens]}
    if any(one.top for one in tokens):
        result["topCandidates"] = [{"candidates": [_written(other) for other in one.top]} for one in tokens]
    return {"logprobsResult": result}


def average(tokens: Iterable[ir.Logprob]) -> _JSON:
    """Write what stands in the last candidate for all tokens of the answer."""
    values = [one.logprob for one in tokens]
    return {"avgLogprobs": sum(values) / len(values)} if values else {}


def _neutral(one: _Token, top: Iterable[ir.Logprob] = ()) -> ir.Logprob:
    return ir.Logprob(one.token, one.log_probability, top=tuple(top))


def _written(one: ir.Logprob) -> _JSON:
    return {"token": one.token, "logProbability": one.logprob}
