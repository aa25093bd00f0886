"""What a request asks of the fake upstream: read from its path and its body."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from bench.script import Script, Wire, read_script

__all__ = ["Asked", "read_asked"]

STREAMED = b":streamGenerateContent"
METHODS = (STREAMED, b":generateContent")
PATHS: Mapping[bytes, Wire] = {b"/v1/chat/completions": "chat", b"/v1/messages": "anthropic"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One answer; `counted`: a stream of Chat Completions tells its usage to those who ask for it."""

    wire: Wire
    script: Script
    stream: bool
    counted: bool = False


class _Part(msgspec.Struct):
    text: str = ""


class _Content(msgspec.Struct):
    parts: list[_Part] = []
    role: str = "user"


class _Generate(msgspec.Struct):
    contents: list[_Content]


class _Envelope(msgspec.Struct):
    request: _Generate


class _Message(msgspec.Struct):
    content: str | list[_Part]


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _Messages(msgspec.Struct):
    messages: list[_Message]
    stream: bool = False
    stream_options: _StreamOptions | None = None


_bare = msgspec.json.Decoder(_Generate)
_envelope = msgspec.json.Decoder(_Envelope)
_messages = msgspec.json.Decoder(_Messages)


def read_asked(path: bytes, body: bytes) -> Asked | None:
    """Read the last user text and the form of the answer; None: another call.

    Raise what a body without text makes, or one that has lost what came with the text.
    """
    wire = _wire(path)
    if wire is None:
        return None
    asked = _google(wire, path, body) if path.endswith(METHODS) else _by_messages(wire, body)
    if len(body) < asked.script.weight:
        raise ValueError(f"{len(body)} bytes of {asked.script.weight}")
    return asked


def _wire(path: bytes) -> Wire | None:
    if path.endswith(METHODS):
        return "v1internal" if path.startswith(b"/v1internal:") else "gemini"
    return PATHS.get(path)


def _google(wire: Wire, path: bytes, body: bytes) -> Asked:
    request = _envelope.decode(body).request if wire == "v1internal" else _bare.decode(body)
    return Asked(wire, read_script(request.contents[-1].parts[-1].text), path.endswith(STREAMED))


def _by_messages(wire: Wire, body: bytes) -> Asked:
    request = _messages.decode(body)
    content = request.messages[-1].content
    prompt = content if isinstance(content, str) else content[-1].text
    counted = request.stream_options is not None and request.stream_options.include_usage
    return Asked(wire, read_script(prompt), request.stream, counted)
