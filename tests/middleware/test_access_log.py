from datetime import date
from typing import Any

import pytest
import structlog
from starlette.types import Receive, Scope, Send
from structlog.testing import CapturingLogger

from gateway import ir
from gateway.context import Principal, attach
from gateway.errors import UpstreamTimeout
from gateway.keys import Key, Keys, digest_of
from gateway.middleware import AccessLog, Auth, RequestId
from gateway.refusal import refuse
from gateway.upstream import Target
from tests.clocks import FakeClock
from tests.middleware.asgi import Inner, call, scope_of
from tests.scripted import Scripted

pytestmark = pytest.mark.anyio


def log_of(capture: CapturingLogger) -> Any:
    return structlog.wrap_logger(capture, processors=[lambda _, __, event: ((), dict(event))])


async def line_of(inner: Any, scope: Scope | None = None) -> dict[str, Any]:
    capture = CapturingLogger()
    await call(RequestId(AccessLog(inner, log_of(capture))), scope or scope_of())
    (logged,) = capture.calls
    fields: dict[str, Any] = logged.kwargs
    return fields


async def test_one_line_says_who_asked_what_and_how_it_ended() -> None:
    line = await line_of(Inner())
    wanted = {"method": "POST", "path": "/v1/chat/completions", "key": "anonymous", "status": 200, "end": "done"}
    assert wanted.items() <= line.items()
    assert line["ms"] >= line["first_byte_ms"] >= 0
    assert line["request_id"].startswith("req_")


@pytest.mark.parametrize(
    ("key", "status", "name"), [("gone", 401, "gone"), ("other", 403, "other"), ("sk-unknown", 401, "anonymous")]
)
async def test_it_names_the_key_that_is_refused(key: str, status: int, name: str) -> None:
    known: dict[str, Key] = {
        digest_of("gone"): (Principal(name="gone", id="g"), date(2020, 1, 1)),
        digest_of("other"): (Principal(name="other", id="o", scopes=frozenset({"metrics"})), None),
    }
    keys = Keys(known)
    line = await line_of(Auth(Inner(), keys), scope_of(headers={"x-api-key": key}))
    assert (line["status"], line["key"], line["end"], keys.used) == (status, name, "error", set())


async def test_it_says_from_where_and_in_which_dialect_was_asked() -> None:
    line = await line_of(Inner(), scope_of("/v1/messages", client="192.0.2.7"))
    assert (line["client"], line["dialect"]) == ("192.0.2.7", "anthropic")


async def test_a_path_of_no_dialect_has_no_dialect() -> None:
    assert (await line_of(Inner(), scope_of("/own/page")))["dialect"] is None


async def test_a_request_from_a_socket_without_an_address_has_none() -> None:
    assert (await line_of(Inner(), {**scope_of(), "client": None}))["client"] == ""


async def test_time_is_in_tenths_of_milliseconds() -> None:
    clock, capture = FakeClock(), CapturingLogger()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await clock.advance(0.25)
        await Inner()(scope, receive, send)
        await clock.advance(1.03125)

    await call(AccessLog(slow, log_of(capture), clock), scope_of())
    line = capture.calls[0].kwargs
    assert (line["first_byte_ms"], line["ms"]) == (250.0, 1281.2)


async def test_it_says_where_the_answer_came_from_and_what_it_used() -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        context, _ = attach(scope, send)
        context.requested_model, context.upstream, context.attempts = "gpt-4o", "antigravity/claude", 2
        context.usage = ir.Usage(input=10, cache_read=4, output=7)
        context.losses = (ir.Loss("seed", "no such thing", "change"),)

    line = await line_of(inner)
    wanted = {"model": "gpt-4o", "upstream": "antigravity/claude", "attempts": 2, "losses": 1}
    assert (wanted | {"input_tokens": 10, "cached_tokens": 4, "output_tokens": 7}).items() <= line.items()


async def test_what_a_caller_calls_a_model_makes_no_line_long() -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        context, send = attach(scope, send)
        context.requested_model = "m" * 10_000
        await refuse(context, send, UpstreamTimeout("s" * 10_000))

    line = await line_of(inner)
    assert (line["model"], line["message"]) == ("m" * 200, "s" * 300)


async def test_it_says_who_was_asked_in_vain() -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        context, send = attach(scope, send)
        context.tries(Target(Scripted(name="up"), "m"), None)
        await refuse(context, send, UpstreamTimeout("it stayed silent"))

    line = await line_of(inner)
    assert {"upstream": "up/m", "attempts": 1, "end": "error"}.items() <= line.items()


async def test_an_error_is_named() -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        context, send = attach(scope, send)
        await refuse(context, send, UpstreamTimeout("it stayed silent"))

    line = await line_of(inner)
    assert {
        "status": 504,
        "end": "error",
        "error": "UpstreamTimeout",
        "message": "it stayed silent",
    }.items() <= line.items()


async def test_a_defect_inside_is_logged_too() -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    capture = CapturingLogger()
    with pytest.raises(RuntimeError):
        await call(AccessLog(inner, log_of(capture)), scope_of())
    assert [(logged.kwargs["path"], logged.kwargs["end"]) for logged in capture.calls] == [
        ("/v1/chat/completions", "error")
    ]


async def test_no_secret_of_the_request_is_in_the_line() -> None:
    headers = {"authorization": "Bearer sk-canary", "cookie": "sk-canary", "x-api-key": "sk-canary"}
    line = await line_of(Inner(), scope_of(headers=headers, query="key=sk-canary"))
    assert "sk-canary" not in str(line)
