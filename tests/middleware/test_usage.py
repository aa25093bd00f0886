"""Usage alone in somebody else's app."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway import ir
from gateway.context import attach
from gateway.errors import UpstreamTimeout
from gateway.ledger import Ledger
from gateway.middleware import Usage
from gateway.store.journal import Ended
from tests.middleware.asgi import Inner, call, scope_of

pytestmark = pytest.mark.anyio

PRICES = {"gpt-*": {"input": 1.0, "output": 2.0}}


async def only(usage: Usage) -> Ended:
    assert isinstance(usage.ledger, Ledger)
    (row,) = await usage.ledger.rows(None, None, 10)
    return row


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    context, send = attach(scope, send)
    context.requested_model, context.upstream, context.credential = "gpt-4o", "openai/gpt-4o", "c1"
    context.usage = ir.Usage(input=1_000_000, cache_read=5, output=500_000, reasoning=7)
    await Inner()(scope, receive, send)


async def test_what_the_app_inside_tells_is_written_down_with_its_price(tmp_path: Path) -> None:
    usage = Usage(answering, tmp_path, PRICES)
    await call(usage, scope_of())
    row = await only(usage)
    assert (row.upstream, row.model, row.asked, row.credential) == ("openai", "gpt-4o", "gpt-4o", "c1")
    assert (row.input, row.cached, row.output, row.reasoning, row.usd) == (1_000_000, 5, 500_000, 7, 2.0)
    assert (row.end, row.status, row.key) == ("done", 200, "anonymous")


async def test_a_key_in_the_place_of_a_model_is_not_written_down(tmp_path: Path) -> None:
    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
        context, send = attach(scope, send)
        context.requested_model = "sk-a-key-of-somebody"
        await Inner()(scope, receive, send)

    usage = Usage(refusing, tmp_path)
    await call(usage, scope_of())
    assert (await only(usage)).asked == "sk-***"


async def test_an_app_that_fails_is_an_error(tmp_path: Path) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise UpstreamTimeout("it stayed silent")

    usage = Usage(failing, tmp_path)
    with pytest.raises(UpstreamTimeout):
        await call(usage, scope_of())
    row = await only(usage)
    assert (row.end, row.status) == ("error", 504)


async def test_a_request_that_is_cancelled_is_written_down_so(tmp_path: Path) -> None:
    async def leaving(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    usage = Usage(leaving, tmp_path)
    with pytest.raises(asyncio.CancelledError):
        await call(usage, scope_of())
    assert (await only(usage)).end == "cancelled"


async def test_other_pages_of_the_app_are_no_rows(tmp_path: Path) -> None:
    usage = Usage(Inner(), tmp_path / "data")
    await call(usage, scope_of("/about", method="GET"))
    assert not (tmp_path / "data").exists()


async def test_two_of_them_write_one_row(tmp_path: Path) -> None:
    usage = Usage(Usage(Inner(), tmp_path / "inner"), tmp_path / "outer")
    await call(usage, scope_of())
    await only(usage)
    assert not (tmp_path / "inner").exists()


async def test_it_lives_with_the_lifespan_of_the_app_inside(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await Inner()(scope, receive, send)
            return
        await call(usage, scope_of())
        await only(usage)
        seen.append([*(tmp_path / "journal").glob("*.jsonl")])

    usage = Usage(inner, tmp_path)

    async def nothing(*_: Any) -> Message:
        return {}

    await usage({"type": "lifespan"}, nothing, nothing)  # type: ignore[arg-type]  # nothing is sent
    assert [len(seen[0]), *(tmp_path / "journal").glob("*.jsonl")] == [1]


def test_it_makes_nothing_before_it_is_used(tmp_path: Path) -> None:
    Usage(Inner(), tmp_path / "data")
    assert not (tmp_path / "data").exists()
