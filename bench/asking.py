"""What a caller sends in each wire format: as little as the dialect allows, and nothing that says how to answer."""

from collections.abc import Callable, Mapping

import msgspec

from bench.script import Wire

__all__ = ["WIRES", "write_request"]

SYSTEM = "You are helpful."
METHODS = {True: "streamGenerateContent?alt=sse", False: "generateContent"}
HEADERS: Mapping[Wire, str] = {"anthropic": "anthropic-version: 2023-06-01\r\n"}


def write_request(port: int, wire: Wire, model: str, prompt: str, *, stream: bool, key: str) -> bytes:
    """Return a request, head and body, as it goes over the wire."""
    path, body = WIRES[wire](model, prompt, stream)
    data = msgspec.json.encode(body)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n{HEADERS.get(wire, '')}"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def _chat(model: str, prompt: str, stream: bool) -> tuple[str, object]:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}]
    return "/v1/chat/completions", {"model": model, "messages": messages, "stream": stream}


def _responses(model: str, prompt: str, stream: bool) -> tuple[str, object]:
    return "/v1/responses", {"model": model, "instructions": SYSTEM, "input": prompt, "stream": stream}


def _anthropic(model: str, prompt: str, stream: bool) -> tuple[str, object]:
    messages = [{"role": "user", "content": prompt}]
    body = {"model": model, "max_tokens": 4096, "system": SYSTEM, "messages": messages, "stream": stream}
    return "/v1/messages", body


def _gemini(model: str, prompt: str, stream: bool) -> tuple[str, object]:
    return f"/v1beta/models/{model}:{METHODS[stream]}", _content(prompt)


def _v1internal(model: str, prompt: str, stream: bool) -> tuple[str, object]:
    body = {"model": model, "project": "bench-project", "request": _content(prompt)}
    return f"/v1internal:{METHODS[stream]}", body


def _content(prompt: str) -> object:
    return {
        "contents": [{"role": "user", "parts": [{"text": prompt}]}],
        "systemInstruction": {"role": "user", "parts": [{"text": SYSTEM}]},
    }


WIRES: Mapping[Wire, Callable[[str, str, bool], tuple[str, object]]] = {
    "chat": _chat,
    "responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "v1internal": _v1internal,
}
