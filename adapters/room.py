"""What a refusal leaves for an answer: the prompt and the limit of its answer exceed the context, or what is paid for.

Callers ask for as much as a model could say (Claude Code: 32,000 tokens), and some upstreams refuse that where another
would end the answer at the end of its context.
"""

import re
from typing import Final

__all__ = ["room_of"]

_LEAST: Final = 1024  # less than that is no answer, but a prompt that is too long
_SAID: Final = tuple(
    re.compile(words.replace("ALL", r"(?P<all>\d{1,9})").replace("PROMPT", r"(?P<prompt>\d{1,9})"))
    for words in (
        # vLLM, DeepSeek, OpenAI's older models; OpenRouter, which counts "about"
        r"context length is {1,20}ALL tokens\. however, you requested (?:about )?\d{1,9} tokens \(PROMPT (?:in|of) ",
        r"context length is {1,20}ALL tokens and your request has PROMPT input tokens",  # vLLM
        r"passed PROMPT input tokens and requested \d{1,9} output tokens\. .{1,60}is only ALL tokens",  # vLLM
        r"context length of ALL tokens\. you requested a total of \d{1,9} tokens: PROMPT tokens from",  # SGLang
        r"must be <= ALL\. given: PROMPT .?inputs.? tokens",  # TGI, Together
        r"exceed context limit: PROMPT \+ \d{1,9} > ALL",  # Anthropic
        r"can only afford ALL(?P<prompt>)\b",  # OpenRouter
    )
)


def room_of(said: str) -> int | None:
    """Give how many tokens a refusal leaves for the answer; None where it leaves too few, or does not say."""
    said = said.lower()
    for words in _SAID:
        found = words.search(said)
        if found is not None:
            room = int(found["all"]) - int(found["prompt"] or 0)
            return room if room >= _LEAST else None
    return None
