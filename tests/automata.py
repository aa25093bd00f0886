"""What a caller hears in an answer, whichever the dialect: the automata of `gateway.testing`, and the writers' letter.

What the writers of this gateway send is held to more than the rules: it is as plain as it can be.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.testing.grammar import Call, Heard
from gateway.testing.grammar_chat import chat_stream, chat_whole
from gateway.testing.grammar_messages import messages_stream, messages_whole
from gateway.testing.grammar_responses import responses_stream, responses_whole
from tests.gateway.dialects.anthropic import reader
from tests.gateway.dialects.openai_chat.chat import Stream as ChatStream
from tests.gateway.dialects.openai_responses.responses import Stream as ResponsesStream

__all__ = [
    "STREAMS",
    "WHOLES",
    "Call",
    "Heard",
    "chat_stream",
    "chat_whole",
    "messages_stream",
    "messages_whole",
    "responses_stream",
    "responses_whole",
]


def _chat(data: bytes) -> Heard:
    ChatStream(data)
    return chat_stream(data)


def _responses(data: bytes) -> Heard:
    ResponsesStream(data)
    return responses_stream(data)


def _messages(data: bytes) -> Heard:
    reader.check(reader.parse(data))
    return messages_stream(data)


STREAMS: dict[str, Callable[[bytes], Heard]] = {
    "openai-chat": _chat,
    "openai-responses": _responses,
    "anthropic": _messages,
}
WHOLES: dict[str, Callable[[bytes], Heard]] = {
    "openai-chat": chat_whole,
    "openai-responses": responses_whole,
    "anthropic": messages_whole,
}
