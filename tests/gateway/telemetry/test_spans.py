"""The spans of real requests, as a receiver gets them over OTLP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as words
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes

from gateway import ir
from gateway.app import create_app, lifespan
from gateway.errors import StreamBroken, UpstreamUnavailable
from gateway.upstream import Step
from tests.conformance.openai_api import before
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.otlp import Receiver, attributes, receiver
from tests.gateway.config.asking import ask
from tests.middleware.asgi import call, scope_of
from tests.scripted import Scripted, app_of, say

pytestmark = pytest.mark.anyio

SECRET = "a prompt that is nobody else's business"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}


def server(sink: Receiver) -> Span:
    (found,) = [span for span in sink.spans if span.kind == Span.SPAN_KIND_SERVER]
    return found


def calls(sink: Receiver) -> list[Span]:
    found = [span for span in sink.spans if span.kind == Span.SPAN_KIND_CLIENT]
    return sorted(found, key=lambda span: span.start_time_unix_nano)


def config(sink: Receiver, folder: Path) -> dict[str, Any]:
    return {"server": {"data_dir": str(folder)}, "metrics": {"otlp": sink.url}}


async def asked(folder: Path, *upstreams: Scripted, path: str = "/v1/chat/completions", **fields: Any) -> Receiver:
    """Ask once, end the app, and give what has arrived."""
    chain = [f"{one.name}/demo" for one in upstreams]
    async with receiver() as sink:
        await ask(app_of(*upstreams, config=config(sink, folder) | {"models": {"alias": {"x": chain}}}), path, **fields)
    return sink


async def test_below_the_span_of_a_request_stands_that_of_its_upstream_call(
    fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    async with receiver() as sink, before(fake_openai, tmp_path, "chat", metrics={"otlp": sink.url}) as served:
        await served.ask("openai-chat", limit=50)
    (made,), above = calls(sink), server(sink)
    assert (made.trace_id, made.parent_span_id) == (above.trace_id, above.span_id)
    assert (above.name, made.name) == ("POST /v1/chat/completions", "chat gpt-4.1")
    assert above.status.code == made.status.code == Status.STATUS_CODE_UNSET
    said = attributes(made.attributes)
    usage = {said.pop(words.GEN_AI_USAGE_INPUT_TOKENS), said.pop(words.GEN_AI_USAGE_OUTPUT_TOKENS)}
    assert min(usage) > 0
    assert (
        said.items()
        >= {
            words.GEN_AI_OPERATION_NAME: "chat",
            words.GEN_AI_PROVIDER_NAME: "openai",
            words.GEN_AI_REQUEST_MODEL: "gpt-4.1",
            words.GEN_AI_REQUEST_MAX_TOKENS: 50,
            server_attributes.SERVER_ADDRESS: "127.0.0.1",
            server_attributes.SERVER_PORT: int(fake_openai.url.rpartition(":")[2]),
        }.items()
    )
    assert said[words.GEN_AI_RESPONSE_MODEL].startswith("gpt-4.1")
    assert said[words.GEN_AI_RESPONSE_FINISH_REASONS] == ["stop"]


async def test_the_span_of_a_request_says_what_came_of_it(tmp_path: Path) -> None:
    upstream = Scripted(say("Hello"))
    upstream.losses = (ir.Loss("seed", "no such thing", "change"),)
    sink = await asked(tmp_path, upstream, path="/v1/messages", max_tokens=9)
    said = attributes(server(sink).attributes)
    expected = {
        http_attributes.HTTP_REQUEST_METHOD: "POST",
        http_attributes.HTTP_ROUTE: "/v1/messages",
        http_attributes.HTTP_RESPONSE_STATUS_CODE: 200,
        words.GEN_AI_REQUEST_MODEL: "demo",
        words.GEN_AI_USAGE_INPUT_TOKENS: 3,
        words.GEN_AI_USAGE_OUTPUT_TOKENS: 2,
        "gateway.dialect": "anthropic",
        "gateway.upstream": "demo/demo",
        "gateway.key": "anonymous",
        "gateway.attempts": 1,
        "gateway.losses": 1,
        "gateway.end": "done",
    }
    assert {name: said.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1beta/models/demo:generateContent", "/v1beta/models/{id}:generateContent"),
        ("/v1/responses", "/v1/responses"),
        ("/made/up", None),
    ],
)
async def test_a_route_has_no_names_in_it(tmp_path: Path, path: str, route: str | None) -> None:
    sink = await asked(tmp_path, Scripted(say("Hello")), path=path)
    assert attributes(server(sink).attributes).get("http.route") == route
    assert server(sink).name == (f"POST {route}" if route else "POST")


async def test_each_call_has_a_span_and_those_in_vain_say_why(tmp_path: Path) -> None:
    down = UpstreamUnavailable("down")
    one = Scripted([down], [down], name="one", after=lambda error: Step() if len(one.calls) == 1 else error)
    sink = await asked(tmp_path, one, Scripted(say("Hello"), name="two"), model="x")
    made = [attributes(span.attributes) for span in calls(sink)]
    assert [said["gateway.upstream"] for said in made] == ["one", "one", "two"]
    assert [said.get(error_attributes.ERROR_TYPE) for said in made] == ["upstream_error", "upstream_error", None]
    assert [span.status.code for span in (*calls(sink), server(sink))] == [2, 2, 0, 0]


async def test_a_call_in_vain_has_the_reason_of_its_request(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    fake_openai.fail("429_quota", times=9)
    async with receiver() as sink, before(fake_openai, tmp_path, "chat", metrics={"otlp": sink.url}) as served:
        await served.ask("openai-chat")
    said = [attributes(span.attributes)[error_attributes.ERROR_TYPE] for span in (*calls(sink), server(sink))]
    assert set(said) == {"quota"}


async def test_the_span_of_a_request_names_who_was_asked_in_vain(tmp_path: Path) -> None:
    sink = await asked(tmp_path, Scripted([UpstreamUnavailable("down")], name="one"), model="x")
    said = attributes(server(sink).attributes)
    assert (said["gateway.upstream"], said["gateway.attempts"]) == ("one/demo", 1)


async def test_a_stream_that_breaks_is_an_error_of_both_spans(tmp_path: Path) -> None:
    sink = await asked(tmp_path, Scripted([*say("Hel")[:2], StreamBroken("gone")]), stream=True)
    for span in (server(sink), *calls(sink)):
        assert span.status.code == Status.STATUS_CODE_ERROR
        assert attributes(span.attributes)[error_attributes.ERROR_TYPE] == "upstream_truncated"
    assert attributes(server(sink).attributes)[http_attributes.HTTP_RESPONSE_STATUS_CODE] == 200


async def test_a_callers_own_mistake_is_no_error_of_the_server(tmp_path: Path) -> None:
    sink = await asked(tmp_path, Scripted(say("Hello")), messages="what?")
    assert (server(sink).status.code, calls(sink)) == (Status.STATUS_CODE_UNSET, [])
    assert attributes(server(sink).attributes)[http_attributes.HTTP_RESPONSE_STATUS_CODE] == 400


async def test_what_anybody_said_is_in_no_span(tmp_path: Path) -> None:
    broken = StreamBroken(f"the upstream said: {SECRET}")
    spoken = [{"role": "user", "content": SECRET}]
    sink = await asked(tmp_path, Scripted([*say(SECRET)[:2], broken]), stream=True, messages=spoken, user=SECRET)
    assert len(sink.spans) == 2
    assert not [body for body in sink.bodies if SECRET.encode() in body]


# whose trace it is


async def test_a_key_in_the_wrong_place_is_in_no_span(tmp_path: Path) -> None:
    key = "sk-a-key-of-somebody"
    async with receiver() as sink:
        app = app_of(Scripted(say("Hello")), config=config(sink, tmp_path) | {"models": {"unknown": "reject"}})
        async with lifespan(app):
            for path in ("/v1/chat/completions", f"/v1/{key}", f"/v1beta/models/{key}:generateContent"):
                body = f'{{"model": "{key}", "messages": [{{"role": "user", "content": "Hello"}}]}}'.encode()
                assert (await call(app, scope_of(path), [body])).status in (400, 404)
    assert len(sink.spans) == 3
    assert key not in str(sink.spans)


async def test_the_trace_of_the_caller_goes_on(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    async with receiver() as sink, before(fake_openai, tmp_path, "chat", metrics={"otlp": sink.url}) as served:
        served.http.headers.update(CALLER)
        await served.ask("openai-chat")
    (made,), above = calls(sink), server(sink)
    assert (above.trace_id.hex(), above.parent_span_id.hex()) == (TRACE, PARENT)
    sent = served.calls[0].headers
    assert sent["traceparent"] == f"00-{TRACE}-{made.span_id.hex()}-01"
    assert sent["tracestate"] == "vendor=1"


async def test_a_tracestate_that_is_none_is_left_out_without_a_word(
    fake_openai: FakeOpenAI, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with receiver() as sink, before(fake_openai, tmp_path, "chat", metrics={"otlp": sink.url}) as served:
        served.http.headers.update({**CALLER, "tracestate": "vendor=1,no state"})
        await served.ask("openai-chat")
    assert served.calls[0].headers["traceparent"].split("-")[1] == TRACE
    assert "tracestate" not in served.calls[0].headers
    assert "opentelemetry.trace.span" not in [record.name for record in caplog.records]


async def test_each_call_tells_the_upstream_its_own_span(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    async with receiver() as sink, before(fake_openai, tmp_path, "chat", metrics={"otlp": sink.url}) as served:
        fake_openai.fail("500")
        await served.ask("openai-chat")
    told = [record.headers["traceparent"].split("-")[2] for record in served.calls]
    assert (len(told), told) == (2, [span.span_id.hex() for span in calls(sink)])


async def test_a_trace_that_its_caller_does_not_record_is_not_recorded_here(tmp_path: Path) -> None:
    silent = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    assert (await asked(tmp_path, Scripted(say("Hello")), headers=silent)).spans == []


async def test_a_host_that_is_traced_itself_is_the_parent(tmp_path: Path) -> None:
    async with receiver() as sink:
        app = app_of(Scripted(say("Hello")), config=config(sink, tmp_path))
        tracer = TracerProvider(shutdown_on_exit=False).get_tracer("host")
        with tracer.start_as_current_span("host") as host:
            await ask(app, headers=CALLER)
    assert server(sink).parent_span_id.hex() == trace.format_span_id(host.get_span_context().span_id)


async def test_a_call_about_no_model_is_named_by_what_it_is(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    async with receiver() as sink:
        upstream = {"type": "gemini", "api_key": "k", "base_url": fake_gemini.url}
        app = create_app(config(sink, tmp_path) | {"upstream": {"google": upstream}})
        async with lifespan(app):
            await call(app, scope_of(method="GET", path="/v1beta/files"))
    (made,) = calls(sink)
    assert (made.name, words.GEN_AI_REQUEST_MODEL in attributes(made.attributes)) == ("native", False)


async def test_operators_endpoints_have_no_spans(tmp_path: Path) -> None:
    async with receiver() as sink:
        app = app_of(Scripted(say("Hello")), config=config(sink, tmp_path))
        async with lifespan(app):
            for path in ("/health", "/metrics"):
                assert (await call(app, scope_of(path, method="GET"))).status == 200
    assert sink.spans == []
