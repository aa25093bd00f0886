"""What a caller sends in each wire format: as little as the dialect allows, and nothing that says how to answer."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from bench.script import WEIGHTS, Script, Wire

__all__ = ["WIRES", "Said", "write_request"]

SYSTEM = "You are helpful."
METHODS = {True: "streamGenerateContent?alt=sse", False: "generateContent"}
HEADERS: Mapping[Wire, str] = {"anthropic": "anthropic-version: 2023-06-01\r\n"}
TURNS = 32  # of a long talk, caller and model in turn
WORDS = "The quick brown fox jumps over the lazy dog, and then it sits down. "
PNG = b"\x89PNG\r\n\x1a\n"
PNG_TYPE = "image/png"


@dataclass(frozen=True, slots=True)
class Said:
    """The prompt, the turns before it and the picture beside it, in base64."""

    prompt: str
    earlier: Sequence[str] = ()
    picture: str = ""


def write_request(
    port: int, wire: Wire, model: str, script: Script, *, stream: bool, key: str, headers: str = ""
) -> bytes:
    """Return a request, head and body, as it goes over the wire; `headers`: more of them, each with its end of line."""
    path, data = _path_and_body(wire, model, script, stream)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        f"{HEADERS.get(wire, '')}{headers}content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


@cache  # a thousand connections ask the same
def _path_and_body(wire: Wire, model: str, script: Script, stream: bool) -> tuple[str, bytes]:
    path, body = WIRES[wire](model, _said(script), stream)
    return path, msgspec.json.encode(body)


def _said(script: Script) -> Said:
    """Say what the script wants with its prompt."""
    if script.kind == "picture":
        size = WEIGHTS["picture"] * 3 // 4  # base64 makes four of three
        picture = (PNG + bytes(range(256)) * (size // 256 + 1))[:size]
        return Said(script.prompt, picture=b64encode(picture).decode())
    if script.kind == "talk":
        size = WEIGHTS["talk"] // TURNS + 1
        return Said(script.prompt, earlier=[(WORDS * (size // len(WORDS) + 1))[:size]] * TURNS)
    return Said(script.prompt)


def _turns(said: Said, model: str) -> list[tuple[str, str]]:
    """Give the earlier turns, with whose they are."""
    return [(model if number % 2 else "user", text) for number, text in enumerate(said.earlier)]


def _chat(model: str, said: Said, stream: bool) -> tuple[str, object]:
    content: object = said.prompt
    if said.picture:
        image = {"type": "image_url", "image_url": {"url": _data_url(said.picture)}}
        content = [image, {"type": "text", "text": said.prompt}]
    turns = [{"role": role, "content": text} for role, text in _turns(said, "assistant")]
    messages = [{"role": "system", "content": SYSTEM}, *turns, {"role": "user", "content": content}]
    return "/v1/chat/completions", {"model": model, "messages": messages, "stream": stream}


def _responses(model: str, said: Said, stream: bool) -> tuple[str, object]:
    asked: object = said.prompt
    if said.picture:
        image = {"type": "input_image", "image_url": _data_url(said.picture), "detail": "auto"}
        asked = [{"role": "user", "content": [image, {"type": "input_text", "text": said.prompt}]}]
    elif said.earlier:
        turns = [{"role": role, "content": text} for role, text in _turns(said, "assistant")]
        asked = [*turns, {"role": "user", "content": said.prompt}]
    return "/v1/responses", {"model": model, "instructions": SYSTEM, "input": asked, "stream": stream}


def _anthropic(model: str, said: Said, stream: bool) -> tuple[str, object]:
    content: object = said.prompt
    if said.picture:
        source = {"type": "base64", "media_type": PNG_TYPE, "data": said.picture}
        content = [{"type": "image", "source": source}, {"type": "text", "text": said.prompt}]
    turns = [{"role": role, "content": text} for role, text in _turns(said, "assistant")]
    messages = [*turns, {"role": "user", "content": content}]
    body = {"model": model, "max_tokens": 4096, "system": SYSTEM, "messages": messages, "stream": stream}
    return "/v1/messages", body


def _gemini(model: str, said: Said, stream: bool) -> tuple[str, object]:
    return f"/v1beta/models/{model}:{METHODS[stream]}", _content(said)


def _v1internal(model: str, said: Said, stream: bool) -> tuple[str, object]:
    body = {"model": model, "project": "bench-project", "request": _content(said)}
    return f"/v1internal:{METHODS[stream]}", body


def _content(said: Said) -> object:
    image = [{"inlineData": {"mimeType": PNG_TYPE, "data": said.picture}}] if said.picture else []
    turns = [{"role": role, "parts": [{"text": text}]} for role, text in _turns(said, "model")]
    return {
        "contents": [*turns, {"role": "user", "parts": [*image, {"text": said.prompt}]}],
        "systemInstruction": {"role": "user", "parts": [{"text": SYSTEM}]},
    }


def _data_url(picture: str) -> str:
    return f"data:{PNG_TYPE};base64,{picture}"


WIRES: Mapping[Wire, Callable[[str, Said, bool], tuple[str, object]]] = {
    "chat": _chat,
    "responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "v1internal": _v1internal,
}
