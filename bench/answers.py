"""Is an answer right? One check for each wire and form; each raises WrongAnswer with the reason."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import msgspec

from bench.script import Script, Wire

__all__ = ["CHECKS", "Check", "WrongAnswer"]

T = TypeVar("T")
Check = Callable[[Script, bytes], None]


class WrongAnswer(Exception):
    """The answer is not the one that the script describes."""


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


class _Content(msgspec.Struct):
    parts: list[_Part]


class _Candidate(msgspec.Struct):
    content: _Content
    finish_reason: str | None = msgspec.field(default=None, name="finishReason")


Read = Callable[[bytes], list[_Candidate]]


class _Response(msgspec.Struct):
    candidates: list[_Candidate]


class _Envelope(msgspec.Struct):
    response: _Response


_chat = msgspec.json.Decoder(_Chat)
_bare = msgspec.json.Decoder(_Response)
_envelope = msgspec.json.Decoder(_Envelope)


def _decoded(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as problem:
        raise WrongAnswer(f"{problem}: {data[:120]!r}") from problem


def _events(body: bytes) -> list[bytes]:
    *events, rest = body.split(b"\n\n")
    if rest:
        raise WrongAnswer("last event unterminated")
    return [event.removeprefix(b"data: ") for event in events if not event.startswith(b":")]


def _expect(script: Script, texts: list[str], finishes: list[str | None], finish: str) -> None:
    if texts != script.pieces:
        raise WrongAnswer(f"{len(texts)} chunks of text for {script.chunks}, or another text")
    if [reason for reason in finishes if reason] != [finish]:
        raise WrongAnswer(f"finish reasons {set(finishes)}")


def check_chat_stream(script: Script, body: bytes) -> None:
    """Each piece in a chunk of its own, one stop, `[DONE]` at the end and only there."""
    *events, last = _events(body) or [b""]
    if last != b"[DONE]":
        raise WrongAnswer("no [DONE] at the end")
    choices = [choice for event in events for choice in _decoded(_chat, event).choices]
    texts = [choice.delta.content for choice in choices if choice.delta.content]
    _expect(script, texts, [choice.finish_reason for choice in choices], "stop")


def check_chat_whole(script: Script, body: bytes) -> None:
    """One message with the whole text."""
    choices = _decoded(_chat, body).choices
    texts = [choice.message.content for choice in choices]
    if texts != [script.text] or choices[0].finish_reason != "stop":
        raise WrongAnswer(f"message {texts}, finish reason {choices[0].finish_reason if choices else None}")


def check_google_stream(read: Read, script: Script, body: bytes) -> None:
    """Each piece in a chunk of its own, one STOP."""
    candidates = [one for event in _events(body) for one in read(event)]
    texts = [one.content.parts[0].text for one in candidates]
    _expect(script, texts, [one.finish_reason for one in candidates], "STOP")


def check_google_whole(read: Read, script: Script, body: bytes) -> None:
    """One candidate with the whole text."""
    if [one.content.parts[0].text for one in read(body)] != [script.text]:
        raise WrongAnswer("another text")


def read_gemini(data: bytes) -> list[_Candidate]:
    """Read a GenerateContentResponse."""
    return _decoded(_bare, data).candidates


def read_v1internal(data: bytes) -> list[_Candidate]:
    """Read one in the envelope of v1internal."""
    return _decoded(_envelope, data).response.candidates


CHECKS: dict[tuple[Wire, bool], Check] = {  # by wire and "is it a stream"
    ("chat", True): check_chat_stream,
    ("chat", False): check_chat_whole,
    ("gemini", True): partial(check_google_stream, read_gemini),
    ("gemini", False): partial(check_google_whole, read_gemini),
    ("v1internal", True): partial(check_google_stream, read_v1internal),
    ("v1internal", False): partial(check_google_whole, read_v1internal),
}
