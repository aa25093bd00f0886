"""Token counts: the running reports of one answer, made into neutral usage."""

from gateway import ir
from gateway.dialects.outbound import tier_of
from gateway.ir import MOST_TOKENS

from .wire import UsageMetadata

__all__ = ["Tally"]


class Tally:
    """Keep the highest value of each counter: reports are cumulative, and some come without numbers.

    One that no answer can have says nothing.
    """

    __slots__ = ("_cached", "_candidates", "_counted", "_prompt", "_thoughts", "_tier", "_told", "_tool_use", "_total")

    def __init__(self) -> None:
        self._counted: ir.Usage | None = None  # until the next report
        self._tier: ir.Tier = ""
        self._told = False  # a number, which may be 0
        self._prompt = self._candidates = self._thoughts = self._cached = self._tool_use = self._total = 0

    def add(self, report: UsageMetadata) -> None:
        """Take the report of one chunk."""
        self._counted = None
        if not self._told:
            self._told = _counts(report)
        if (said := report.service_tier or report.traffic_type) is not None:
            self._tier = tier_of(said)
        if (count := report.prompt_token_count) and self._prompt < count <= MOST_TOKENS:
            self._prompt = count
        if (count := report.candidates_token_count) and self._candidates < count <= MOST_TOKENS:
            self._candidates = count
        if (count := report.total_token_count) and self._total < count <= MOST_TOKENS:
            self._total = count
        if (count := report.thoughts_token_count) and self._thoughts < count <= MOST_TOKENS:
            self._thoughts = count
        if (count := report.cached_content_token_count) and self._cached < count <= MOST_TOKENS:
            self._cached = count
        if (count := report.tool_use_prompt_token_count) and self._tool_use < count <= MOST_TOKENS:
            self._tool_use = count

    def usage(self) -> ir.Usage | None:
        """Give the counts, None before the first: input with cached and tool-use tokens, output with thoughts."""
        if self._counted is None and self._told:
            input_tokens = (self._prompt or self._unsaid()) + self._tool_use
            output = self._output(input_tokens)
            self._counted = ir.Usage(
                input=input_tokens,
                output=output,
                cache_read=min(self._cached, input_tokens) if self._cached else 0,
                reasoning=min(self._thoughts, output) if self._thoughts else 0,
                total=max(self._total, input_tokens + output) if self._total else None,
                tier=self._tier,
            )
        return self._counted

    def _unsaid(self) -> int:
        # the same sum tells the prompt: what is cached has a total alone
        return max(self._total - self._tool_use - self._candidates - self._thoughts, 0)

    def _output(self, input_tokens: int) -> int:
        # total = prompt + toolUsePrompt + candidates + thoughts; but some servers count the thoughts among the
        # candidates, and then the sum is right without them.
        if not self._candidates and self._total:
            return max(self._total - input_tokens, self._thoughts)
        if self._total == input_tokens + self._candidates:
            return self._candidates
        return self._candidates + self._thoughts


def _counts(report: UsageMetadata) -> bool:
    return (
        report.prompt_token_count is not None
        or report.total_token_count is not None
        or report.candidates_token_count is not None
        or report.thoughts_token_count is not None
        or report.cached_content_token_count is not None
        or report.tool_use_prompt_token_count is not None
    )
