"""The bytes of every answer of the fake upstream, built once for each script.

Each write of a stream is one HTTP chunk.
"""

import msgspec

from bench.asked import Asked
from bench.pairs import MODELS
from bench.replies import STREAMS, WHOLES

__all__ = ["Answers", "plain"]

PROJECT = "bench-project"
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
        "models": {
            MODELS["v1internal"]: {
                "displayName": "Bench",
                "maxOutputTokens": 65536,
                "quotaInfo": {"remainingFraction": 1},
            }
        }
    },
    "/v1internal:countTokens": {"totalTokens": 12},
}
NOT_FOUND = {"error": {"code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND"}}


class Answers:
    """Every answer as bytes, built when first asked for."""

    def __init__(self) -> None:
        self.control = {path.encode(): plain("200 OK", value) for path, value in CONTROL.items()}
        self.not_found = plain("404 Not Found", NOT_FOUND)
        self._writes: dict[Asked, list[bytes]] = {}

    def writes(self, asked: Asked) -> list[bytes]:
        """Return the writes of an answer: one for each chunk of a stream."""
        if asked not in self._writes:
            self._writes[asked] = _chunked(STREAMS[asked.wire](asked)) if asked.stream else [_whole(asked)]
        return self._writes[asked]


def plain(status: str, value: object) -> bytes:
    """Write a JSON answer, head and body."""
    body = msgspec.json.encode(value)
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _whole(asked: Asked) -> bytes:
    return plain("200 OK", WHOLES[asked.wire](asked))


def _chunked(events: list[bytes]) -> list[bytes]:
    """One HTTP chunk a write; the first carries the head, the last the end of the body."""
    frames = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    frames[0] = head + frames[0]
    frames[-1] += b"0\r\n\r\n"
    return frames
