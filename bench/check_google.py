"""Is an answer of the Gemini API, or of v1internal, the script's?"""

from collections.abc import Callable

import msgspec

from bench.checking import WrongAnswer, decoded, events, expect
from bench.script import Script

__all__ = ["check_google_stream", "check_google_whole", "read_gemini", "read_v1internal"]


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


_bare = msgspec.json.Decoder(_Response)
_envelope = msgspec.json.Decoder(_Envelope)


def check_google_stream(read: Read, script: Script, body: bytes) -> None:
    """Each piece in a chunk of its own, one STOP; lines may end with CR and LF, and a text may be empty."""
    candidates = [one for event in events(body.replace(b"\r\n", b"\n")) for one in read(event)]
    texts = [text for one in candidates if (text := one.content.parts[0].text)]
    expect(script, texts, [one.finish_reason for one in candidates], "STOP")


def check_google_whole(read: Read, script: Script, body: bytes) -> None:
    """One candidate with the whole text."""
    if [one.content.parts[0].text for one in read(body)] != [script.text]:
        raise WrongAnswer("another text")


def read_gemini(data: bytes) -> list[_Candidate]:
    """Read a GenerateContentResponse."""
    return decoded(_bare, data).candidates


def read_v1internal(data: bytes) -> list[_Candidate]:
    """Read one in the envelope of v1internal."""
    return decoded(_envelope, data).response.candidates
