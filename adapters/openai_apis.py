"""The two APIs of OpenAI: where they are, and who writes for them and reads what they say."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Raw, Struct

from gateway import ir
from gateway.adapters.answer import Reader
from gateway.dialects.openai_chat import edits as chat_edits
from gateway.dialects.openai_chat import outbound_parts as chat_parts
from gateway.dialects.openai_chat import outbound_request as chat_request
from gateway.dialects.openai_chat import outbound_stream as chat_stream
from gateway.dialects.openai_responses import edits as responses_edits
from gateway.dialects.openai_responses import outbound_parts as responses_parts
from gateway.dialects.openai_responses import outbound_request as responses_request
from gateway.dialects.openai_responses import outbound_stream as responses_stream
from gateway.dialects.outbound import OpenAITarget, OpenAIWritten

__all__ = ["API", "APIS", "RESPONSES"]

_CHAT: Final = "chat"
RESPONSES: Final = "responses"


class API(Struct, frozen=True, kw_only=True):
    """One of them. `reader`: of an answer to what was written in this conversation; `salt` makes the ids that it lacks.

    `take`: takes the own words of a caller that speaks it, too. `fetches`: whether it takes a file's address. The
    readers of both see the `[DONE]` that ends a stream.
    """

    path: str
    write: Callable[[ir.Request, OpenAITarget], OpenAIWritten]
    take: Callable[[ir.Request, Raw, OpenAITarget], OpenAIWritten]
    reader: Callable[[OpenAIWritten, str, ir.Request], Reader]
    fetches: Callable[[ir.Media], bool]


def _chat(written: OpenAIWritten, salt: str, request: ir.Request) -> Reader:
    options = chat_stream.ReadOptions(
        names=written.names, salt=salt, turns=request.turns, dialect=request.dialect, choices=written.choices
    )
    return chat_stream.StreamReader(options)


def _responses(written: OpenAIWritten, salt: str, request: ir.Request) -> Reader:
    options = responses_stream.ReadOptions(
        names=written.names, salt=salt, turns=request.turns, dialect=request.dialect, namespaces=written.namespaces
    )
    return responses_stream.StreamReader(options)


APIS: Final[Mapping[str, API]] = {
    _CHAT: API(
        path="chat/completions",
        write=chat_request.write_request,
        take=chat_edits.pass_through,
        reader=_chat,
        fetches=chat_parts.fetched,
    ),
    RESPONSES: API(
        path="responses",
        write=responses_request.write_request,
        take=responses_edits.pass_through,
        reader=_responses,
        fetches=responses_parts.fetched,
    ),
}
