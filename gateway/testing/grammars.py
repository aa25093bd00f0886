"""The grammars of the four dialects, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.testing.grammar import Counts, Heard, Json
from gateway.testing.grammar_chat import chat_counts, chat_error, chat_stream, chat_whole
from gateway.testing.grammar_gemini import gemini_counts, gemini_error, gemini_stream, gemini_whole
from gateway.testing.grammar_messages import messages_counts, messages_error, messages_stream, messages_whole
from gateway.testing.grammar_responses import responses_counts, responses_stream, responses_whole

__all__ = ["GRAMMARS", "Grammar"]


@dataclass(frozen=True)
class Grammar:
    """What answers of one dialect must be. Each raises Broken with the rule that does not hold.

    `stream` and `whole`: read a body. `error`: of a status and its body. `counts`: of `Heard.usage`, what went in, what
    of it was kept, what came out, what of it was thought.
    """

    name: str
    stream: Callable[[bytes], Heard]
    whole: Callable[[bytes], Heard]
    error: Callable[[int, bytes], Json]
    counts: Callable[[Json], Counts]


GRAMMARS: Final[dict[str, Grammar]] = {
    one.name: one
    for one in (
        Grammar("openai-chat", chat_stream, chat_whole, chat_error, chat_counts),
        Grammar("openai-responses", responses_stream, responses_whole, chat_error, responses_counts),
        Grammar("anthropic", messages_stream, messages_whole, messages_error, messages_counts),
        Grammar("gemini", gemini_stream, gemini_whole, gemini_error, gemini_counts),
    )
}
