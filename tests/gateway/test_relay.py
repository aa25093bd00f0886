"""An answer on its way to its caller, over real sockets."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Message

from gateway import ir
from gateway.app import Gateway
from gateway.errors import UpstreamUnavailable
from gateway.transport import Broken, ConnectFailed, FirstByteTimeout, TooLarge, TransportError
from gateway.upstream import Call
from tests.middleware.asgi import scope_of
from tests.patience import patient
from tests.scripted import Play, Scripted, app_of, say
from tests.serving import serve

pytestmark = pytest.mark.anyio

PATHS = {"openai-chat": "/v1/chat/completions", "anthropic": "/v1/messages"}
KEEPALIVES = {"openai-chat": ": keep-alive", "anthropic": "event: ping"}
ENDS = {"openai-chat": "data: [DONE]", "anthropic": "event: message_stop"}
ERRORS = {"openai-chat": 'data: {"error":', "anthropic": "event: error"}
DIALECTS = pytest.mark.parametrize("dialect", list(PATHS))


def body(*, stream: bool = True) -> dict[str, Any]:
    return {"model": "demo", "max_tokens": 50, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=10) as client:
        yield client


async def lines(client: httpx.AsyncClient, dialect: str) -> tuple[int, list[str]]:
    async with client.stream("POST", PATHS[dialect], json=body()) as response:
        return response.status_code, [line async for line in response.aiter_lines() if line]


def gateway_of(app: Starlette) -> Gateway:
    gateway: Gateway = app.state.gateway
    return gateway


def pause() -> float:
    """Give how long an upstream pauses until even a busy machine has sent signs of life."""
    return max(0.2, patient(0.05))


@DIALECTS
async def test_keepalives_go_out_before_the_first_event(dialect: str) -> None:
    app = app_of(Scripted([pause(), *say("Hello")]), config={"timeouts": {"keepalive": 0.03}})
    async with running(app) as client:
        status, got = await lines(client, dialect)
    assert (status, got[0]) == (200, KEEPALIVES[dialect])
    assert got.count(KEEPALIVES[dialect]) >= 2
    assert ENDS[dialect] in got


@DIALECTS
async def test_keepalives_go_out_between_events(dialect: str) -> None:
    first, *rest = say("Hello", "world")
    app = app_of(Scripted([first, pause(), *rest]), config={"timeouts": {"keepalive": 0.03}})
    async with running(app) as client:
        _, got = await lines(client, dialect)
    assert KEEPALIVES[dialect] in got


@DIALECTS
async def test_keepalive_zero_is_off(dialect: str) -> None:
    app = app_of(Scripted([0.2, *say("Hello")]), config={"timeouts": {"keepalive": 0}})
    async with running(app) as client:
        _, got = await lines(client, dialect)
    assert KEEPALIVES[dialect] not in got


@DIALECTS
async def test_a_whole_answer_has_no_sign_of_life_and_a_late_failure_is_its_status(dialect: str) -> None:
    config = {"timeouts": {"keepalive": 0.03}}
    async with running(app_of(Scripted([0.2, *say("Hello")]), config=config)) as client:
        whole = await client.post(PATHS[dialect], json=body(stream=False))
    async with running(app_of(Scripted([0.2, UpstreamUnavailable("gone")]), config=config)) as client:
        failed = await client.post(PATHS[dialect], json=body(stream=False))
    assert (whole.status_code, whole.content[:1], "Hello" in str(whole.json())) == (200, b"{", True)
    assert (failed.status_code, failed.json()["error"]["message"]) == (502, "gone")


@DIALECTS
async def test_a_stream_is_neither_kept_nor_buffered_on_its_way(dialect: str) -> None:
    async with running(app_of(Scripted(say("Hello")))) as client:
        headers = (await client.post(PATHS[dialect], json=body())).headers
    names = ("content-type", "cache-control", "x-accel-buffering")
    assert [headers[name] for name in names] == ["text/event-stream; charset=utf-8", "no-cache", "no"]


@DIALECTS
async def test_a_failure_after_keepalives_is_an_error_in_the_stream(dialect: str) -> None:
    app = app_of(Scripted([pause(), UpstreamUnavailable("gone")]), config={"timeouts": {"keepalive": 0.03}})
    async with running(app) as client:
        status, got = await lines(client, dialect)
    assert status == 200
    assert any(line.startswith(ERRORS[dialect]) for line in got)
    assert ENDS[dialect] not in got


@DIALECTS
async def test_a_break_after_content_ends_in_an_error(dialect: str) -> None:
    upstream = Scripted([*say("Hello")[:2], UpstreamUnavailable("reset by peer")])
    async with running(app_of(upstream)) as client:
        _, got = await lines(client, dialect)
    assert any(line.startswith(ERRORS[dialect]) for line in got)
    assert (ENDS[dialect] in got, len(upstream.calls), upstream.closed) == (False, 1, 1)


async def fall() -> None:
    raise RuntimeError("a defect of an adapter")


class Forgetful(Scripted):
    """Fails when it hears that an answer has ended."""

    def open(self, call: Call) -> Any:
        def done(_: ir.Usage | None) -> None:
            raise RuntimeError("a defect of an adapter")

        journey = super().open(call)
        journey.done = done  # type: ignore[assignment,method-assign]
        return journey


@DIALECTS
@pytest.mark.parametrize("begun", [True, False])
async def test_a_defect_behind_the_first_byte_is_an_error_in_the_stream_and_told_in_the_log(
    dialect: str, begun: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    play: Play = [*say("Hello")[:2], fall] if begun else [pause(), fall]
    app = app_of(Scripted(play), config={"timeouts": {"keepalive": 0.03}, "log": {"level": "info"}})
    async with running(app) as client:
        status, got = await lines(client, dialect)
    (said,) = [line for line in got if "the gateway failed; its log says more" in line]
    assert (status, ENDS[dialect] in got, "a defect" in said) == (200, False, False)
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["exception"].count("RuntimeError: a defect") for line in logged if line["event"] == "defect"] == [1]
    ends = [(line["end"], line["error"]) for line in logged if line["event"] == "request"]
    assert ends == [("error", "InternalError")]


@DIALECTS
async def test_a_defect_behind_the_end_of_an_answer_leaves_it_whole(dialect: str) -> None:
    async with running(app_of(Forgetful(say("Hello")))) as client:
        _, got = await lines(client, dialect)
    assert any("Hello" in line for line in got)
    assert ENDS[dialect] in got


@DIALECTS
async def test_a_defect_before_the_first_byte_is_a_status(dialect: str) -> None:
    async with running(app_of(Scripted([*say("Hello")[:1], fall]))) as client:
        answer = await client.post(PATHS[dialect], json=body())
    assert (answer.status_code, "its log says more" in answer.text) == (500, True)


@DIALECTS
async def test_an_adapter_that_forgets_the_end_has_failed_for_the_log_too(
    capsys: pytest.CaptureFixture[str], dialect: str
) -> None:
    app = app_of(Scripted(say("Hello")[:2]), config={"log": {"level": "info"}})
    async with running(app) as client:
        answers = [await client.post(PATHS[dialect], json=body(stream=stream)) for stream in (True, False)]
    assert [answer.status_code for answer in answers] == [200, 502]
    assert all("ended before it was complete" in answer.text for answer in answers)
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["error"] for line in told if line["event"] == "request"] == ["StreamBroken"] * 2


@DIALECTS
async def test_silence_between_events_ends_in_an_error(dialect: str) -> None:
    app = app_of(Scripted([*say("Hello")[:2], 5.0]), config={"timeouts": {"idle": 0.05}})
    async with running(app) as client:
        _, got = await lines(client, dialect)
    assert any("timeouts.idle" in line for line in got)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_cancels_the_upstream_call(stream: bool) -> None:
    silent = anyio.Event()

    async def falls_silent() -> None:
        silent.set()
        await anyio.sleep_forever()

    upstream = Scripted([*say("Hello")[:2], falls_silent])
    app = app_of(upstream)

    async def ask() -> None:
        async with client.stream("POST", PATHS["anthropic"], json=body(stream=stream)) as response:
            async for _ in response.aiter_lines():
                pass

    async with running(app) as client:
        async with anyio.create_task_group() as asking:
            asking.start_soon(ask)
            await silent.wait()
            asking.cancel_scope.cancel()
        with anyio.fail_after(patient(1)):
            while gateway_of(app).relay.open_requests:  # noqa: ASYNC110 - the socket tells nobody else
                await anyio.sleep(0.001)
    assert (upstream.closed, upstream.lent) == (1, 0)


@DIALECTS
async def test_shutdown_ends_open_streams_with_an_error(dialect: str) -> None:
    app = app_of(Scripted([*say("Hello")[:2], 30.0]))
    async with running(app) as client, client.stream("POST", PATHS[dialect], json=body()) as response:
        got: list[str] = []
        async for line in response.aiter_lines():
            if "Hello" in line:
                gateway_of(app).relay.abort()
            got.append(line)
    assert any(line.startswith(ERRORS[dialect]) and "shutting down" in line for line in got) or (
        dialect == "anthropic" and any("shutting down" in line for line in got)
    )


async def test_a_draining_gateway_refuses_new_work() -> None:
    app = app_of(Scripted(say("Hello")))
    async with running(app) as client:
        gateway_of(app).drain()
        refused = await client.post(PATHS["openai-chat"], json=body())
        ready = await client.get("/health/ready")
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert (ready.status_code, ready.json()) == (503, {"status": "draining"})


async def test_what_a_draining_gateway_refuses_is_named_logged_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    app = app_of(Scripted(say("Hello")), config={"log": {"level": "info"}})
    async with running(app) as client:
        gateway_of(app).drain()
        refused = await client.post(PATHS["openai-chat"], json=body(), headers={"x-request-id": "mine"})
        metrics = (await client.get("/metrics")).text
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [refused.headers[name] for name in ("x-request-id", "request-id")] == ["mine", "mine"]
    lines = [(line["request_id"], line["error"]) for line in logged if line["event"] == "request"]
    assert lines == [("mine", "Draining")]
    assert 'status="503"' in metrics


async def test_a_pipeline_that_names_and_counts_nothing_is_drained_too() -> None:
    order = ["auth", "protocol", "model_map"]
    app = app_of(Scripted(say("Hello")), config={"pipeline": {"order": order}})
    async with running(app) as client:
        gateway_of(app).drain()
        refused = await client.post(PATHS["openai-chat"], json=body())
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")


async def test_a_draining_gateway_takes_the_body_in_before_it_refuses() -> None:
    app = app_of(Scripted(say("Hello")))
    pieces = [b"ab", b"cd"]

    async def receive() -> Message:
        return {"type": "http.request", "body": pieces.pop(), "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        assert not pieces, message

    async with running(app):
        gateway_of(app).drain()
        await app(scope_of(headers={"content-length": "4"}), receive, send)
    assert not pieces


@DIALECTS
async def test_whole_and_stream_say_the_same(dialect: str) -> None:
    async with running(app_of(Scripted(say("Hel", "lo")))) as client:
        whole = (await client.post(PATHS[dialect], json=body(stream=False))).text
        _, got = await lines(client, dialect)
    assert "Hello" in whole
    assert [part for part in ("Hel", "lo") if any(f'"{part}"' in line for line in got)] == ["Hel", "lo"]


class Gated(Scripted):
    """Gives each batch of the play only when `gate` has been opened for it."""

    gate = 0

    async def wait(self, number: int) -> None:
        while self.gate < number:  # noqa: ASYNC110 - the client opens it from another task
            await anyio.sleep(0.001)


async def test_each_chunk_arrives_before_the_next_is_made() -> None:
    words = ["one", "two", "three"]
    first, *rest = say(*words)
    upstream = Gated([])
    gated = [step for number, batch in enumerate(rest) for step in (partial(upstream.wait, number), batch)]
    upstream.plays = [[first, *gated]]
    heard: list[str] = []
    async with (
        running(app_of(upstream)) as client,
        client.stream("POST", PATHS["anthropic"], json=body()) as response,
    ):
        with anyio.fail_after(patient(5)):
            async for line in response.aiter_lines():
                for word in words:
                    if f'"{word}"' in line:
                        heard.append(word)
                        upstream.gate += 1
    assert heard == words


async def test_fifty_clients_of_which_many_leave_hold_nothing_afterwards() -> None:
    words: Play = [*say(*"abcdefghij")]
    upstream = Scripted([item for batch in words for item in (batch, 0.01)])
    app = app_of(upstream)
    dice = random.Random(7)

    async def visit(client: httpx.AsyncClient, patience_s: float) -> None:
        with anyio.move_on_after(patience_s):
            await lines(client, dice.choice(list(PATHS)))

    async with running(app) as client:
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(visit, client, dice.choice([0.02, 0.05, 0.1, 5]))
        with anyio.fail_after(patient(2)):
            while gateway_of(app).relay.open_requests:  # noqa: ASYNC110 - the sockets tell nobody else
                await anyio.sleep(0.001)
    assert upstream.lent == 0
    assert upstream.closed == len(upstream.calls)


async def test_what_a_caller_drops_of_signatures_is_remembered_for_its_own_key() -> None:
    signature = ir.Signature("gemini", "R0VN", "f")
    start = ir.BlockStarted(kind="tool_call", id="call_1", name="f")
    calls: list[ir.Event] = [
        ir.Started(),
        start,
        ir.SignatureDelta(signature),
        ir.ArgumentsDelta("{}"),
        ir.BlockEnded(),
    ]
    upstream = Scripted([calls, [ir.Finished(reason="tool_calls")]], models=["gemini-3-pro"])
    keys = [{"name": name, "secret": f"sk-{name}"} for name in ("alice", "bob")]
    called = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "call_1", "content": "done"},
    ]
    found = list[ir.Signature | None]()
    async with running(app_of(upstream, config={"key": keys})) as client:
        for who, said in (("alice", turns[:1]), ("alice", turns), ("bob", turns)):
            asked = {"model": "gemini-3-pro", "messages": said}
            answer = await client.post(PATHS["openai-chat"], json=asked, headers={"x-api-key": f"sk-{who}"})
            assert answer.status_code == 200, answer.text
            sent = [part for turn in upstream.calls[-1].request.turns for part in turn.parts]
            found += [part.signature for part in sent if isinstance(part, ir.ToolCall)]
    assert found == [signature, None]


UNTRANSLATED = pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConnectFailed("nobody is there"), 502),
        (FirstByteTimeout("nothing came"), 504),
        (Broken("reset", before_response=True), 502),
        (Broken("reset"), 502),
        (TooLarge("no end"), 502),
    ],
    ids=str,
)


@DIALECTS
@UNTRANSLATED
async def test_an_adapter_may_leave_an_error_of_its_transport_as_it_is(
    dialect: str, error: TransportError, status: int
) -> None:
    upstream = Scripted([error])
    async with running(app_of(upstream)) as client:
        answer = await client.post(PATHS[dialect], json=body(stream=False))
    assert (answer.status_code, str(error) in answer.text, upstream.lent) == (status, True, 0), answer.text


@DIALECTS
async def test_an_error_of_the_transport_behind_the_first_text_ends_the_stream_as_a_broken_one(dialect: str) -> None:
    upstream = Scripted([*say("Hello")[:2], Broken("reset")])
    async with running(app_of(upstream)) as client:
        status, got = await lines(client, dialect)
    assert (status, any(line.startswith(ERRORS[dialect]) for line in got)) == (200, True)
    assert any("the upstream's response broke off: reset" in line for line in got)


class Uncounted(Scripted):
    async def count(self, call: Call) -> int | None:
        raise ConnectFailed("nobody is there")


async def test_a_count_that_cannot_be_asked_for_is_estimated() -> None:
    async with running(app_of(Uncounted(say("Hello")))) as client:
        answer = await client.post("/v1/messages/count_tokens", json=body())
    assert (answer.status_code, answer.headers.get("x-gateway-token-count")) == (200, "estimate")
