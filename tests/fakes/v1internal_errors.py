"""How the service says no: `google.rpc.Status` bodies, some with an Anthropic error as a string inside.

`Refusal` carries one status and one JSON body. `recorded` takes a body from the recordings, the other functions
write new ones in the words of the real service.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).parents[1] / "fixtures" / "v1internal"
RECORDED_PROJECT = "fake-project-000"
LEARN_MORE = "Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"

# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Refusal(Exception):
    """One HTTP error: its status and its JSON body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status} {json.dumps(body)}")
        self.status = status
        self.body = body


def google(code: int, message: str, **extra: Any) -> Refusal:
    """Write a `google.rpc.Status`; `extra` goes beside the message, or instead of the usual status name."""
    error = {"code": code, "message": message, "status": STATUS_NAMES.get(code, "UNKNOWN"), **extra}
    return Refusal(code, {"error": error})


def invalid(message: str) -> Refusal:
    """Write the 400 of a request that was understood and refused."""
    return google(400, message)


def undecodable(violations: list[tuple[str, str]]) -> Refusal:
    """Write the 400 of proto JSON decoding: every violation in one message, a violation at the root has no field."""
    details = [{"field": field, "description": text} if field else {"description": text} for field, text in violations]
    bad_request = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": details}
    return google(400, "\n".join(text for _, text in violations), details=[bad_request])


def claude(message: str) -> Refusal:
    """Write Anthropic's 400: its JSON error is a string inside Google's `message`."""
    inner = {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": message},
        "request_id": "req_vrtx_011FakeFakeFakeFakeFake",
    }
    return invalid(json.dumps(inner, separators=(",", ":")))


def recorded(name: str, project: str = RECORDED_PROJECT) -> Refusal:
    """Take `errors/NAME.json`; its status is the number its name begins with."""
    path = RECORDINGS / "errors" / f"{name}.json"
    if not path.is_file():
        return invalid(f"fake: no recorded error is called {name!r}")
    text = path.read_text("utf-8").replace(RECORDED_PROJECT, project)
    return Refusal(int(name.partition("_")[0]), json.loads(text))


def plain(status: int) -> Refusal:
    """Write an error without details, in the words of the HTTP status."""
    known = status in {one.value for one in HTTPStatus}
    return google(status, HTTPStatus(status).phrase if known else "Error")


def named(name: str) -> Refusal:
    """Take a recorded error by name, or a bare one by its number."""
    return plain(int(name)) if name.isdigit() else recorded(name)
