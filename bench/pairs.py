"""Which dialect comes in and which goes out: what can be measured."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.script import Wire

__all__ = ["MODELS", "PAIRS", "Pair"]

MODELS: Mapping[Wire, str] = {  # by what upstream speaks
    "chat": "gpt-4.1",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-3-flash",
    "v1internal": "gemini-3-flash",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """What the caller speaks, and what upstream speaks."""

    caller: Wire
    upstream: Wire

    @property
    def name(self) -> str:
        """How the command line calls it."""
        return f"{self.caller}-{self.upstream}"

    @property
    def model(self) -> str:
        """The model that is asked for."""
        return MODELS[self.upstream]


PAIRS: Mapping[str, Pair] = {
    pair.name: pair
    for pair in (
        Pair("chat", "v1internal"),
        Pair("chat", "gemini"),
        Pair("anthropic", "gemini"),
        Pair("responses", "chat"),
        Pair("chat", "anthropic"),
        Pair("anthropic", "anthropic"),
        Pair("chat", "chat"),
    )
}
