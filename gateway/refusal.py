"""Write an error as the answer, in the dialect of the path. Every layer refuses through here.

At a path of no dialect, such as one of an app that a middleware of ours stands in, it is plain JSON.
"""

import asyncio
import math
from contextlib import suppress
from functools import cache
from typing import Final, cast

import msgspec
from starlette.types import Receive, Send

from gateway.context import RequestContext
from gateway.dialects import Dialect
from gateway.errors import GatewayError, Unauthenticated
from gateway.registry import load
from gateway.routes import Route

__all__ = ["codec", "dialect_of", "refuse", "written"]

_REST_S: Final = 1.0
_LONG_WAIT_S = 60  # clients sleep as long as they are told: beyond this they are also told not to retry


def dialect_of(context: RequestContext) -> Dialect:
    """Give the codec of the request's dialect."""
    return codec(context.route.dialect)


@cache
def codec(name: str) -> Dialect:
    """Give the codec of a dialect."""
    codec = cast(type[Dialect], load("gateway.dialects", name))  # what an entry point names is not typed
    return codec()


async def refuse(context: RequestContext, send: Send, error: GatewayError) -> None:
    """Answer with an error; the context keeps it for the log."""
    context.ends_with(error)
    if context.rest is not None:
        rest, context.rest = context.rest, None
        await _take(rest)
    status, headers, body = written(error, context.route, context.request_id)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _take(rest: Receive) -> None:
    """Take in what is left of a body: some servers close a connection over it, and a proxy then loses the answer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_REST_S):
            while (message := await rest())["type"] == "http.request" and message.get("more_body", False):
                pass


def written(error: GatewayError, route: Route, request_id: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Write the answer to a request of this route: status, headers and body."""
    if route.foreign:
        status, body = error.status, msgspec.json.encode({"error": {"code": error.code, "message": error.message}})
    else:
        status, body = codec(route.dialect).write_error(error, request_id, route=route)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *((name.encode(), value.encode()) for name, value in error.headers.items()),
    ]
    in_vain = isinstance(error, Unauthenticated)  # Claude Code tries a key that is refused for three minutes
    if error.retry_after is not None:
        wait = max(1, math.ceil(error.retry_after))
        headers.append((b"retry-after", str(wait).encode()))
        in_vain = in_vain or wait > _LONG_WAIT_S
    if in_vain and "x-should-retry" not in error.headers:
        headers.append((b"x-should-retry", b"false"))
    return status, headers, body
