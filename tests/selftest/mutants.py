"""This gateway with one planted fault: what its encoders have written is written otherwise on the way out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Answer", "Edit", "Mutant", "errors", "events", "objects", "streams", "wholes"]

Json = dict[str, Any]
EVENTS = b"text/event-stream"


@dataclass(frozen=True)
class Answer:
    """A whole answer of the gateway, and what was asked."""

    status: int
    kind: bytes
    body: bytes
    asked: bytes

    @property
    def streamed(self) -> bool:
        return self.kind.startswith(EVENTS)


Edit = Callable[[Answer], Answer]


class Mutant:
    """Answers as the app does, but for an edit of what it says below the paths of the dialects."""

    def __init__(self, app: ASGIApp, edit: Edit) -> None:
        self._app = app
        self._edit = edit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1"):
            await self._app(scope, receive, send)
            return
        asked: list[bytes] = []
        said: list[Message] = []

        async def hear() -> Message:
            message = await receive()
            asked.append(message.get("body", b""))
            return message

        async def keep(message: Message) -> None:
            said.append(message)

        await self._app(scope, hear, keep)
        if not said:
            return
        start, *pieces = said
        headers = [
            (name, value) for name, value in start["headers"] if name not in (b"content-type", b"content-length")
        ]
        kind = next((value for name, value in start["headers"] if name == b"content-type"), b"")
        body = b"".join(piece.get("body", b"") for piece in pieces)
        answer = self._edit(Answer(start["status"], kind, body, b"".join(asked)))
        headers.append((b"content-type", answer.kind))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def streams(edit: Callable[[list[bytes]], Sequence[bytes]]) -> Edit:
    """Edit the events of every stream; each ends with its blank line."""

    def edited(answer: Answer) -> Answer:
        if not answer.streamed:
            return answer
        found = re.findall(rb".*?(?:\r\n\r\n|\n\n)", answer.body, re.DOTALL)
        return replace(answer, body=b"".join(edit(found)))

    return edited


def objects(edit: Callable[[Json], Json | None], *, of: str = "") -> Edit:
    """Edit what stands in the events of every stream, or only in those that hold a text; None = it is left out."""

    def edit_all(found: list[bytes]) -> list[bytes]:
        edited: list[bytes] = []
        for event in found:
            head, _, data = event.partition(b"data: ")
            if not data.startswith(b"{") or of.encode() not in data:
                edited.append(event)
                continue
            changed = edit(json.loads(data))
            end = data[len(data.rstrip()) :]
            if changed is not None:
                edited.append(head + b"data: " + json.dumps(changed).encode() + end)
        return edited

    return streams(edit_all)


def wholes(edit: Callable[[Json], Json]) -> Edit:
    """Edit every whole answer."""

    def edited(answer: Answer) -> Answer:
        if answer.streamed or answer.status != 200 or not answer.asked:
            return answer
        return replace(answer, body=json.dumps(edit(json.loads(answer.body))).encode())

    return edited


def errors(edit: Callable[[Answer], Answer]) -> Edit:
    """Edit every refusal."""
    return lambda answer: edit(answer) if answer.status >= 400 else answer


def events(*names: str) -> Callable[[list[bytes]], list[bytes]]:
    """Leave the events out that hold one of these texts."""
    return lambda found: [event for event in found if not any(name.encode() in event for name in names)]
