"""What is no HTTP request goes through every middleware as it came: the same scope, the same ways in and out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.middleware import (
    AccessLog,
    Auth,
    BodyLimit,
    Metrics,
    ModelMap,
    Protocol,
    RateLimit,
    RequestId,
    Usage,
)

pytestmark = pytest.mark.anyio

EACH: list[Callable[[ASGIApp], ASGIApp]] = [
    RequestId,
    AccessLog,
    Metrics,
    BodyLimit,
    Auth,
    RateLimit,
    Protocol,
    ModelMap,
    Usage,
]


@pytest.mark.parametrize("make", EACH, ids=lambda made: made.__name__)
async def test_a_websocket_goes_through_as_it_came(make: Callable[[ASGIApp], ASGIApp]) -> None:
    came: list[tuple[Scope, Receive, Send]] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        came.append((scope, receive, send))

    async def receive() -> Message:
        raise AssertionError("nobody reads here")

    async def send(message: Message) -> None:
        raise AssertionError("nobody answers here")

    scope: Scope = {"type": "websocket", "path": "/v1/chat/completions", "headers": []}
    await make(inner)(scope, receive, send)
    assert came == [({"type": "websocket", "path": "/v1/chat/completions", "headers": []}, receive, send)]
