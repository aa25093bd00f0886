"""Is an answer of Chat Completions, or of Responses, the script's?"""

import re
from collections.abc import Sequence

import msgspec

from bench.checking import WrongAnswer, decoded, events, expect, expect_whole, named_events
from bench.script import Script

__all__ = [
    "check_chat_stream",
    "check_chat_whole",
    "check_responses_stream",
    "check_responses_whole",
    "check_unended_stream",
    "check_unnumbered_stream",
]

NAME = re.compile(rb"^event: .*\n", re.MULTILINE)
FIRST, LAST, TEXT = "response.created", "response.completed", "response.output_text.delta"
# what comes once for one message with one text, in this order; `response.in_progress` and deltas apart
ONCE = (
    FIRST,
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    LAST,
)


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Message = msgspec.field(default_factory=_Message)
    message: _Message = msgspec.field(default_factory=_Message)
    finish_reason: str | None = None


class _Chat(msgspec.Struct):
    choices: list[_Choice]


class _Part(msgspec.Struct):
    text: str


class _Item(msgspec.Struct):
    content: list[_Part]


class _Response(msgspec.Struct):
    id: str
    status: str
    output: list[_Item]


class _Event(msgspec.Struct):
    type: str
    sequence_number: int | None = None
    delta: str = ""
    text: str | None = None
    response: _Response | None = None


_chat = msgspec.json.Decoder(_Chat)
_response = msgspec.json.Decoder(_Response)
_event = msgspec.json.Decoder(_Event)


def check_chat_stream(script: Script, body: bytes) -> None:
    """Each piece in a chunk of its own, one stop, `[DONE]` at the end and only there."""
    *data, last = events(body) or [b""]
    if last != b"[DONE]":
        raise WrongAnswer("no [DONE] at the end")
    _expect_chunks(script, data)


def check_unended_stream(script: Script, body: bytes) -> None:
    """The same without a `[DONE]` at the end, which may be there."""
    _expect_chunks(script, [event for event in events(body) if event != b"[DONE]"])


def _expect_chunks(script: Script, data: Sequence[bytes]) -> None:
    choices = [choice for event in data for choice in decoded(_chat, event).choices]
    texts = [choice.delta.content for choice in choices if choice.delta.content]
    expect(script, texts, [choice.finish_reason for choice in choices], "stop")


def check_chat_whole(script: Script, body: bytes) -> None:
    """One message with the whole text."""
    choices = decoded(_chat, body).choices
    finish = choices[0].finish_reason if choices else None
    expect_whole(script, [choice.message.content for choice in choices], finish, "stop")


def check_responses_stream(script: Script, body: bytes) -> None:
    """Each piece in a delta of its own, in the life of one message; no number left out; the whole text at the end."""
    found = [(kind, decoded(_event, data)) for kind, data in named_events(body)]
    if [event.sequence_number for _, event in found] != list(range(len(found))):
        raise WrongAnswer("sequence numbers with a gap")
    _expect_message(script, found)


def check_unnumbered_stream(script: Script, body: bytes) -> None:
    """The same without regard to names and numbers; after them may stand the `[DONE]` of Chat Completions."""
    read = [decoded(_event, data) for data in events(NAME.sub(b"", body)) if data != b"[DONE]"]
    _expect_message(script, [(event.type, event) for event in read])


def check_responses_whole(script: Script, body: bytes) -> None:
    """One message with the whole text."""
    response = decoded(_response, body)
    expect_whole(script, _texts(response), response.status, "completed")


def _expect_message(script: Script, found: Sequence[tuple[str, _Event]]) -> None:
    kinds = [kind for kind, _ in found]
    _expect_life(kinds)
    completed = _completed([event for _, event in found])
    expect(script, [event.delta for kind, event in found if kind == TEXT], [completed.status], "completed")
    expect_whole(script, [event.text for _, event in found if event.text is not None], completed.status, "completed")
    expect_whole(script, _texts(completed), completed.status, "completed")


def _expect_life(kinds: Sequence[str]) -> None:
    """Refuse events that do not tell one message from its start to its end."""
    if tuple(kind for kind in kinds if kind not in (TEXT, "response.in_progress")) != ONCE:
        raise WrongAnswer(f"events {', '.join(dict.fromkeys(kinds))}")
    places = [place for place, kind in enumerate(kinds) if kind == TEXT]
    if places and not kinds.index(ONCE[2]) < places[0] <= places[-1] < kinds.index(ONCE[3]):
        raise WrongAnswer("text outside of its part")


def _completed(read: Sequence[_Event]) -> _Response:
    """Return the response at the end; all of a stream speak of one."""
    responses = [event.response for event in read if event.response is not None]
    if not responses or len({response.id for response in responses}) > 1:
        raise WrongAnswer("not one response")
    return responses[-1]


def _texts(response: _Response) -> list[str]:
    return [part.text for item in response.output for part in item.content]
