"""What a caller says becomes no header of its own, neither in its answer nor towards an upstream."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from gateway.app import create_app, lifespan
from tests.middleware.asgi import scope_of
from tests.processes import Program, gateway
from tests.security.wires import Upstream, exchange, listening

PLAIN = re.compile(rb"[\t -~]*")
NAME = re.compile(rb"[a-z0-9-]+")
# all that an upstream hears besides the caller's own opt-ins
SENT = {
    *("host", "accept", "accept-encoding", "content-type", "content-length", "user-agent"),
    *("authorization", "api-key", "x-api-key", "x-goog-api-key", "anthropic-version", "anthropic-beta", "openai-beta"),
    *("traceparent", "tracestate", "x-claude-code-session-id", "session_id", "connection"),
}
HEADERS = (
    *("x-request-id", "anthropic-beta", "openai-beta", "user-agent", "traceparent", "tracestate", "session_id"),
    *("x-session-id", "x-api-key", "authorization", "x-goog-upload-protocol", "accept", "content-type", "host"),
    *("anthropic-version", "x-forwarded-for", "forwarded", "origin"),
)
UPSTREAMS: Any = {
    "openai": {"type": "openai", "base_url": "{}/v1"},
    "azure": {"type": "azure", "endpoint": "{}", "api_version": "2024-10-01"},
    "anthropic": {"type": "anthropic", "base_url": "{}"},
    "gemini": {"type": "gemini", "base_url": "{}"},
}
SAYS: Mapping[str, Mapping[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hi"}]},
    "/v1/messages": {"max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]},
    "/v1/responses": {"input": "hi", "store": False},
    "/v1/embeddings": {"input": "hi"},
}
STEERING = '\r\n\0\t \x0b\x0c\x7f\x85\u2028é世\\"%:;,=/?#&.@\ud800'
TEXTS = st.text(
    st.one_of(st.sampled_from([one for one in STEERING if one != "\ud800"]), st.characters(codec="utf-8")), max_size=40
)
INJECTED = "a\r\nx-injected: yes\r\n\r\nGET / HTTP/1.1\r\n"


async def ask(app: Starlette, path: str, body: bytes, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Ask as a server would that lets every byte through; give the headers of the answer as they stand."""
    said: list[tuple[bytes, bytes]] = []
    scope = scope_of(path)
    scope["headers"] = [*((name, value) for name, value in scope["headers"] if name not in dict(headers)), *headers]
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if not waiting:
            await anyio.sleep_forever()
        return waiting.pop()

    async def send(message: Any) -> None:
        said.extend(message.get("headers", ()))

    await app(scope, receive, send)
    return said


def check(said: list[tuple[bytes, bytes]], upstream: Upstream, since: int) -> None:
    assert said
    assert [header for header in said if not (NAME.fullmatch(header[0]) and PLAIN.fullmatch(header[1]))] == []
    for request in upstream.requests[since:]:
        lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
        assert [line for line in lines if not PLAIN.fullmatch(line)] == []
        assert {line.partition(b":")[0].decode().lower() for line in lines[1:]} <= SENT


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """Hear what goes on."""
    with listening() as one:
        yield one


@pytest.fixture
def app(upstream: Upstream, tmp_path: Path) -> Starlette:
    """Make a gateway before four kinds of upstreams."""
    tables = {
        name: {"api_key": "k", "models": ["m"]} | {key: value.format(upstream.url) for key, value in table.items()}
        for name, table in UPSTREAMS.items()
    }
    config = {"server": {"data_dir": str(tmp_path)}, "log": {"level": "critical"}, "retry": {"attempts": 1}}
    return create_app({**config, "upstream": tables})


FUZZ = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.mark.parametrize("of", UPSTREAMS)
@FUZZ
@given(name=TEXTS, path=st.sampled_from(list(SAYS)))
@example(name=INJECTED, path="/v1/chat/completions")
@example(name="..", path="/v1/chat/completions")
def test_a_model_name_is_no_header(app: Starlette, upstream: Upstream, of: str, name: str, path: str) -> None:
    async def run() -> None:
        async with lifespan(app):
            body = msgspec.json.encode({"model": f"{of}/{name}", **SAYS[path]})
            since = len(upstream.requests)
            check(await ask(app, path, body, []), upstream, since)

    anyio.run(run)


@pytest.mark.parametrize("of", UPSTREAMS)
@FUZZ
@given(header=st.sampled_from(HEADERS), text=TEXTS, path=st.sampled_from(list(SAYS)))
@example(header="x-request-id", text=INJECTED, path="/v1/chat/completions")
@example(header="anthropic-beta", text=INJECTED, path="/v1/messages")
@example(header="anthropic-beta", text="0\x1f0", path="/v1/messages")
@example(header="openai-beta", text=INJECTED, path="/v1/chat/completions")
@example(header="openai-beta", text="a\x80\x0b", path="/v1/chat/completions")
@example(header="tracestate", text=INJECTED, path="/v1/messages")
def test_a_header_is_no_other_header(
    app: Starlette, upstream: Upstream, of: str, header: str, text: str, path: str
) -> None:
    async def run() -> None:
        async with lifespan(app):
            body = msgspec.json.encode({"model": f"{of}/m", **SAYS[path]})
            since = len(upstream.requests)
            headers = [(header.encode(), text.encode("utf-8"))]
            check(await ask(app, path, body, headers), upstream, since)

    anyio.run(run)


@FUZZ
@given(text=TEXTS, path=st.sampled_from(["/v1/models/", "/v1beta/models/", "/v1/responses/", "/v1/", "/admin/keys/"]))
@example(text=INJECTED, path="/v1/models/")
def test_a_path_is_no_header(app: Starlette, upstream: Upstream, text: str, path: str) -> None:
    async def run() -> None:
        async with lifespan(app):
            check(await ask(app, path + text, b"", []), upstream, len(upstream.requests))

    anyio.run(run)


# through a real server, which refuses such bytes before anybody reads them


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Program]:
    """Run `gateway run`."""
    toml = f'[upstream.up]\ntype = "openai"\nbase_url = "{upstream.url}/v1"\nmodels = ["m"]\n'
    with gateway(tmp_path_factory.mktemp("gateway"), toml=toml) as one:
        yield one


@pytest.mark.parametrize(
    "name", ["authorization", "x-api-key", "x-goog-api-key", "api-key", "x-request-id", "session_id"]
)
@pytest.mark.parametrize(
    "value",
    [b"a\rb", b"a\nb", b"a\x00b", b"a\r\n b", b"a\r\n\tb"],
    ids=["cr", "lf", "nul", "folded", "folded by a tab"],
)
def test_what_would_split_a_header_is_400(program: Program, upstream: Upstream, name: str, value: bytes) -> None:
    before = len(upstream.requests)
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
    sent = head + b"content-length: %d\r\n%b: %b\r\n\r\n" % (len(body), name.encode(), value) + body
    assert exchange(program.url, sent).startswith(b"HTTP/1.1 400 ")
    assert len(upstream.requests) == before
