"""An answer on its way to a Gemini caller: events or an array, whose only sign of life are the headers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gateway.app import Gateway
from gateway.errors import UpstreamUnavailable
from tests.gateway.dialects.gemini.caller import array, heard, sse
from tests.scripted import Scripted, app_of, say
from tests.serving import serve

pytestmark = pytest.mark.anyio

PATHS = {
    "sse": "/v1beta/models/demo:streamGenerateContent?alt=sse",
    "array": "/v1beta/models/demo:streamGenerateContent",
}
READERS = {"sse": sse, "array": array}
FORM = pytest.mark.parametrize("form", list(PATHS))
BODY: Any = {"contents": [{"parts": [{"text": "hi"}]}]}


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=10) as client:
        yield client


async def answer(app: Starlette, form: str) -> Any:
    async with running(app) as client:
        response = await client.post(PATHS[form], json=BODY)
    assert response.status_code == 200
    return heard(READERS[form](response.content))


@FORM
async def test_headers_go_out_before_the_first_event(form: str) -> None:
    app = app_of(Scripted([30.0]), config={"timeouts": {"keepalive": 0.03}})
    async with running(app) as client, client.stream("POST", PATHS[form], json=BODY) as response:
        assert response.status_code == 200


@pytest.mark.parametrize(("form", "kind"), [("sse", "text/event-stream; charset=utf-8"), ("array", "application/json")])
async def test_the_headers_say_which_form_it_is(form: str, kind: str) -> None:
    async with running(app_of(Scripted(say("Hello")))) as client:
        assert (await client.post(PATHS[form], json=BODY)).headers["content-type"] == kind


@FORM
async def test_nothing_stands_between_the_chunks(form: str) -> None:
    first, *rest = say("Hello", " world")
    app = app_of(Scripted([0.1, first, 0.1, *rest]), config={"timeouts": {"keepalive": 0.02}})
    assert (await answer(app, form)).text == "Hello world"


@FORM
async def test_a_failure_after_the_headers_is_an_error_in_the_stream(form: str) -> None:
    app = app_of(Scripted([0.5, UpstreamUnavailable("gone")]), config={"timeouts": {"keepalive": 0.02}})
    error = (await answer(app, form)).error
    assert (error["code"], error["message"]) == (502, "gone")


@FORM
async def test_silence_between_chunks_ends_in_an_error(form: str) -> None:
    app = app_of(Scripted([*say("Hello")[:2], 5.0]), config={"timeouts": {"idle": 0.05}})
    got = await answer(app, form)
    assert (got.text, "timeouts.idle" in got.error["message"]) == ("Hello", True)


@FORM
async def test_shutdown_ends_open_streams_with_an_error(form: str) -> None:
    app = app_of(Scripted([*say("Hello")[:2], 30.0]))
    gateway: Gateway = app.state.gateway
    got = b""
    async with running(app) as client, client.stream("POST", PATHS[form], json=BODY) as response:
        async for piece in response.aiter_bytes():
            got += piece
            if b"Hello" in piece:
                gateway.relay.abort()
    error = heard(READERS[form](got)).error
    assert error is not None
    assert (error["status"], "shutting down" in error["message"]) == ("UNAVAILABLE", True)


async def test_a_draining_gateway_refuses_in_this_dialect() -> None:
    app = app_of(Scripted(say("Hello")))
    gateway: Gateway = app.state.gateway
    async with running(app) as client:
        gateway.drain()
        response = await client.post(PATHS["array"], json=BODY)
    (error,) = response.json()
    assert (response.status_code, error["error"]["status"]) == (503, "UNAVAILABLE")


@pytest.mark.parametrize("path", ["/v1beta/models/demo:generateContent", "/v1/models/demo:generateContent"])
async def test_a_whole_answer(path: str) -> None:
    async with running(app_of(Scripted(say("Hello", " world")))) as client:
        response = await client.post(path, json=BODY)
    assert json.loads(response.content)["candidates"][0]["content"]["parts"] == [{"text": "Hello world"}]
    assert response.headers["x-gateway-upstream"] == "demo/demo"
