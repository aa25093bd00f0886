"""Token counts of an upstream's answer, made into neutral usage."""

from typing import Final

import msgspec
from msgspec import Raw, UnsetType

from gateway import ir
from gateway.dialects.outbound import latest, tier_of
from gateway.dialects.raw import read

from .outbound_wire import Usage

__all__ = ["Tally"]

_USAGE: Final = msgspec.json.Decoder(Usage | None, strict=False)

_USUAL: Final = "default"


class Tally:
    """Keep the last value of each counter: some servers report with every chunk, and some of the reports are empty."""

    __slots__ = ("_cached", "_completion", "_prompt", "_reasoning", "_tier", "_told", "_total", "_written")

    def __init__(self) -> None:
        self._prompt = self._completion = self._total = self._cached = self._written = self._reasoning = 0
        self._tier: ir.Tier = ""
        self._told = False  # a number, which may be 0

    def add(self, raw: Raw | UnsetType, tier: object = None) -> bool:
        """Take a report, and the tier that is told beside it; tell whether there was one."""
        given = read(raw, _USAGE)
        if given is None:
            return False
        prompt, completion = given.prompt_tokens_details, given.completion_tokens_details
        cached = (prompt and prompt.cached_tokens) or given.prompt_cache_hit_tokens or given.cached_tokens
        reasoning = (completion and completion.reasoning_tokens) or given.reasoning_tokens
        counts = (given.prompt_tokens, given.completion_tokens, given.total_tokens)
        self._told = self._told or counts != (None, None, None)
        self._prompt = latest(given.prompt_tokens, self._prompt)
        self._completion = latest(given.completion_tokens, self._completion)
        self._total = latest(given.total_tokens, self._total)
        self._cached = latest(cached, self._cached)
        self._written = latest(prompt.cache_write_tokens if prompt else None, self._written)
        self._reasoning = latest(reasoning, self._reasoning)
        if tier is not None and tier != _USUAL:
            self._tier = tier_of(tier)
        return True

    def usage(self) -> ir.Usage | None:
        """Give the counts, None before the first: output with reasoning, which some have in the total only."""
        if not self._told:
            return None
        output = max(self._completion, self._total - self._prompt)
        cached = min(self._cached, self._prompt)
        return ir.Usage(
            input=self._prompt,
            output=output,
            cache_read=cached,
            cache_write=min(self._written, self._prompt - cached),
            reasoning=min(self._reasoning, output),
            total=max(self._total, self._prompt + output) if self._total else None,
            tier=self._tier,
        )
