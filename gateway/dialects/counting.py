"""A request whose tokens are to be counted, though it could not be answered: an estimate needs its words only."""

from collections.abc import Mapping
from typing import Final

from msgspec import Raw

from gateway import ir
from gateway.dialects.raw import NULL, TEXT, read
from gateway.errors import InvalidRequest
from gateway.routes import Route

from .content import decode

__all__ = ["read_uncertain"]

_WITHIN: Final = ("generateContentRequest", "generate_content_request")  # Gemini's: the request stands in it
# by what a body is known to be one of a dialect's
_SAID: Final[Mapping[str, frozenset[str]]] = {
    "anthropic": frozenset({"messages"}),
    "openai-responses": frozenset({"input", "instructions", "tools", "previous_response_id"}),
    "gemini": frozenset({"contents", *_WITHIN}),
}
_NOTHING: Final[frozenset[str]] = frozenset()


def read_uncertain(body: bytes, route: Route, refusal: InvalidRequest) -> ir.Request:
    """Give a request that holds its own words only; raise the refusal where these are none of its dialect."""
    fields = decode(body, dict[str, Raw])
    if _SAID.get(route.dialect, _NOTHING).isdisjoint(fields):
        raise refusal
    return ir.Request(
        model=route.model or read(fields.get("model", NULL), TEXT) or "",
        turns=(),
        dialect=route.dialect,
        native=ir.Native(dialect=route.dialect, body=_within(fields) or Raw(body.strip()), refusal=refusal),
    )


def _within(fields: Mapping[str, Raw]) -> Raw | None:
    """Give the request that a Gemini caller has put into the one to count."""
    found = (fields[name] for name in _WITHIN if name in fields)
    return next((one for one in found if bytes(one).startswith(b"{")), None)
