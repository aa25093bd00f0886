"""Native calls as the tests pass them on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from gateway.adapters.credential import Credential
from gateway.forwarding import NativeCall
from gateway.store.known import Change
from gateway.transport import TransportError
from tests.adapters.site import GeminiSite

__all__ = ["EMBED", "HERE", "MODEL", "PATH", "Heard", "Stub", "cool", "embed", "forward", "pieces", "reading", "upload"]

EMBED, MODEL = "gemini-embedding-001", "gemini-2.5-flash"
HERE = "http://gateway.invalid/ai"
PATH = "/upload/v1beta/files"


def cool(gemini: GeminiSite, key: Credential) -> None:
    """Let a key rest for what is about no model."""
    key.learn(Change(id=key.id, cooling={"": gemini.clock.time() + 60}))


class Heard:
    """A whole answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Stub:
    """A transport and its one answer."""

    status = 200

    def __init__(self, headers: dict[str, str], error: TransportError | None = None) -> None:
        self.headers = headers
        self._error = error

    async def send(self, *_: object, **__: object) -> Stub:
        return self

    async def read(self) -> bytes:
        if self._error is not None:
            raise self._error
        return b""

    async def read_all(self, limit: int) -> bytes:
        return await self.read()

    def close(self) -> None:
        """Nothing is open."""


async def forward(
    gemini: GeminiSite, method: str, path: str, body: Any = b"", *, model: str = "", query: str = "", **headers: str
) -> Heard:
    """Pass a call on; a body that is no bytes is written as JSON."""
    adapter = gemini.adapter
    assert adapter is not None
    content = body if isinstance(body, bytes) or hasattr(body, "__aiter__") else json.dumps(body).encode()
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    call = NativeCall(
        method=method, path=path, query=query, headers=given, body=content, model=model, principal="alice", origin=HERE
    )
    answer = await adapter.forward(call)
    pieces: list[bytes] = []
    try:
        while piece := await answer.read():
            pieces.append(piece)
    finally:
        answer.close()
    return Heard(answer.status, {n.decode(): v.decode() for n, v in answer.headers}, b"".join(pieces))


async def embed(gemini: GeminiSite, model: str = EMBED) -> Heard:
    body = {"content": {"parts": [{"text": "hi"}]}}
    return await forward(gemini, "POST", f"/v1beta/models/{model}:embedContent", body, model=EMBED)


async def upload(gemini: GeminiSite, data: bytes = b"words", name: str = "") -> Heard:
    """Upload a file in one piece, as google-genai does."""
    begun = await forward(
        gemini,
        "POST",
        "/upload/v1beta/files",
        {"file": {"name": name} if name else {}},
        x_goog_upload_protocol="resumable",
        x_goog_upload_command="start",
        x_goog_upload_header_content_type="text/plain",
    )
    address = urlsplit(begun.headers["x-goog-upload-url"])
    assert f"{address.scheme}://{address.netloc}" == "http://gateway.invalid"
    return await forward(
        gemini,
        "POST",
        address.path.removeprefix("/ai"),
        data,
        query=address.query,
        x_goog_upload_command="upload, finalize",
        x_goog_upload_offset="0",
    )


def reading(uri: str) -> Any:
    """Ask about a file."""
    return {"contents": [{"parts": [{"fileData": {"fileUri": uri, "mimeType": "text/plain"}}, {"text": "hi"}]}]}


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for one in data:
        yield one
