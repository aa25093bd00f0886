"""The bytes of every answer of the fake upstream, built once for each script.

An SSE event is one HTTP chunk, with usage on each and STOP on the last; v1internal puts it in an envelope
`{"response": …, "traceId": …}`, the Gemini API sends it bare.
"""

import msgspec

from bench.script import Script, Wire

__all__ = ["Answers", "plain"]

PROJECT = "bench-project"
MODEL = "gemini-3-flash"
CONTROL: dict[str, object] = {
    "/token": {"access_token": "bench-access-token", "expires_in": 3599, "token_type": "Bearer"},
    "/userinfo": {"id": "1", "email": "bench@example.com", "verified_email": True, "name": "Bench"},
    "/v1internal:loadCodeAssist": {
        "currentTier": {"id": "standard-tier", "name": "Bench", "hasAcceptedTos": True},
        "allowedTiers": [{"id": "standard-tier", "isDefault": True}],
        "cloudaicompanionProject": PROJECT,
    },
    "/v1internal:onboardUser": {
        "name": "operations/bench",
        "done": True,
        "response": {"cloudaicompanionProject": {"id": PROJECT, "name": PROJECT}},
    },
    "/v1internal:fetchAvailableModels": {
        "models": {MODEL: {"displayName": "Bench", "maxOutputTokens": 65536, "quotaInfo": {"remainingFraction": 1}}}
    },
    "/v1internal:countTokens": {"totalTokens": 12},
}
NOT_FOUND = {"error": {"code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND"}}


class Answers:
    """Every answer as bytes, built when first asked for."""

    def __init__(self) -> None:
        self.control = {path.encode(): plain("200 OK", value) for path, value in CONTROL.items()}
        self.not_found = plain("404 Not Found", NOT_FOUND)
        self._streams: dict[tuple[Wire, Script], list[bytes]] = {}
        self._wholes: dict[tuple[Wire, Script], bytes] = {}

    def stream(self, wire: Wire, script: Script) -> list[bytes]:
        """Return the writes of a streamed answer."""
        if (wire, script) not in self._streams:
            self._streams[wire, script] = _frames(wire, script)
        return self._streams[wire, script]

    def whole(self, wire: Wire, script: Script) -> bytes:
        """Return a `generateContent` answer."""
        if (wire, script) not in self._wholes:
            answer = _answer(wire, script.text, script.chunks, last=True)
            self._wholes[wire, script] = plain("200 OK", answer)
        return self._wholes[wire, script]


def plain(status: str, value: object) -> bytes:
    """Write a JSON answer, head and body."""
    body = msgspec.json.encode(value)
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _frames(wire: Wire, script: Script) -> list[bytes]:
    """One HTTP chunk an event; the first carries the head, the last the end of the body."""
    frames: list[bytes] = []
    for number, piece in enumerate(script.pieces, 1):
        answer = _answer(wire, piece, number, last=number == script.chunks)
        event = b"data: " + msgspec.json.encode(answer) + b"\n\n"
        frames.append(b"%x\r\n%b\r\n" % (len(event), event))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    frames[0] = head + frames[0]
    frames[-1] += b"0\r\n\r\n"
    return frames


def _answer(wire: Wire, text: str, tokens: int, *, last: bool) -> object:
    candidate: dict[str, object] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    usage = {"promptTokenCount": 12, "candidatesTokenCount": tokens, "totalTokenCount": 12 + tokens}
    response = {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": MODEL,
        "responseId": "bench",
    }
    return {"response": response, "traceId": "184a257032f8d8c6"} if wire == "v1internal" else response
