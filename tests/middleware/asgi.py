"""Call one middleware directly: an inline app inside it, plain dicts around it."""

from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import msgspec
from msgspec import Struct, field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Inner", "Outcome", "call", "scope_of"]


class Outcome(Struct):
    """What came out of one call."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Inner:
    """The app inside: reads the body unless somebody else did, remembers what reached it, answers 200."""

    def __init__(self, *, reads: bool = True) -> None:
        self.reads = reads
        self.scopes: list[Scope] = []
        self.body = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        while self.reads and (message := await receive())["type"] == "http.request":
            self.body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.scopes[-1]["headers"])

    @property
    def context(self) -> Any:
        return self.scopes[-1]["state"]["gateway"]


def scope_of(
    path: str = "/v1/chat/completions",
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    query: str = "",
    client: str = "127.0.0.1",
) -> Scope:
    sent = {"host": "localhost:8045", **(headers or {})}
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
        "client": (client, 50_000),
    }


async def call(app: ASGIApp, scope: Scope, pieces: Sequence[bytes] = (b"{}",)) -> Outcome:
    """Send a request body in these pieces and stay, or leave at once when there are none; give what came back."""
    outcome, waiting = Outcome(), list(pieces)

    async def receive() -> Message:
        if not pieces:
            return {"type": "http.disconnect"}
        if not waiting:
            await anyio.sleep_forever()
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            outcome.status = message["status"]
            outcome.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            outcome.body += message.get("body", b"")

    await app(scope, receive, send)
    return outcome
