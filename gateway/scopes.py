"""What servers hand over in more than one form: offers to speak WebSocket, and paths with a host before them.

And what they get back: an address that they can log.

`gateway run` reads a request that offers WebSocket without the offer; other servers ask the app. What is asked here is
asked over HTTP, so that the offer is refused: with what a GET of that path would be told, where the server can say it.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from starlette.types import Message, Scope, Send

from gateway.context import new_id, route_path
from gateway.errors import NotFound
from gateway.refusal import written
from gateway.routes import match

__all__ = ["decline", "discreet", "in_origin_form", "keyless"]

_SAYABLE: Final = "websocket.http.response"  # the extension of ASGI; without it the server makes it a 403
_SCHEMES: Final = frozenset({"http", "https"})


async def decline(scope: Scope, send: Send) -> None:
    """Refuse a WebSocket before it begins."""
    extensions: Mapping[str, Any] = scope.get("extensions") or {}
    if _SAYABLE not in extensions:
        await send({"type": "websocket.close"})
        return
    path = route_path(scope)
    route = match("GET", path, dict(scope["headers"]), scope.get("query_string", b""))
    error = route.error or NotFound(f"{path[:200]} is not a WebSocket; use HTTP")
    status, headers, body = written(error, route, request_id := f"req_{new_id()}")
    headers += [(name, request_id.encode()) for name in (b"x-request-id", b"request-id")]
    await send({"type": f"{_SAYABLE}.start", "status": status, "headers": headers})
    await send({"type": f"{_SAYABLE}.body", "body": body})


def in_origin_form(scope: Scope) -> Scope:
    """Take scheme and host from before a path, where clients of proxies write them (RFC 9112, 3.2.2).

    Some servers hand on what follows `GET` as it is; the same scope for `*`, which is no path.
    """
    scheme, _, rest = scope["path"].partition("://")
    if scheme.lower() not in _SCHEMES:
        return scope
    raw: bytes = scope.get("raw_path") or b""
    found: dict[str, str | bytes] = {"path": f"/{rest.partition('/')[2]}"}
    if raw:
        found["raw_path"] = b"/" + raw.partition(b"://")[2].partition(b"/")[2]
    return {**scope, **found}


def keyless(query: bytes) -> bytes:
    """Take every key from a query."""
    return b"&".join(pair for pair in query.split(b"&") if unquote_to_bytes(pair.partition(b"=")[0]) != b"key")


def discreet(scope: Scope, send: Send) -> Send:
    """Take a key from the address as soon as the answer begins, which is when uvicorn logs it; else the same `send`."""
    query = scope["query_string"]
    if b"key" not in query and b"%" not in query:
        return send
    bare = keyless(query)
    if bare == query:
        return send

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            scope["query_string"] = bare
        await send(message)

    return sending
