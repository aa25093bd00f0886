"""Of an upstream's headers a caller sees those of a list: none of the connection, no cookie, nothing of the account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from tests.security.wires import WHOLE, Upstream, listening
from tests.serving import serve

pytestmark = pytest.mark.anyio

HOP_BY_HOP = (  # RFC 9110 7.6.1, and what older software sends
    "connection: close, x-listed",
    "keep-alive: timeout=5",
    "proxy-authenticate: Basic realm=planted",
    "proxy-authentication-info: planted",
    "proxy-connection: planted",
    "te: planted",
    "trailer: planted",
    "upgrade: planted",
    "x-listed: planted",
)
OTHERS = (
    "set-cookie: session=planted; Path=/",
    "set-cookie2: planted",
    "server: planted/1.0",
    "via: 1.1 planted",
    "alt-svc: planted",
    "location: https://planted.example/",
    "strict-transport-security: max-age=1; planted",
    "access-control-allow-origin: planted",
    "www-authenticate: Bearer realm=planted",
    "content-security-policy: planted",
    "x-frame-options: planted",
    "x-request-id: planted",
    "request-id: planted",
    "openai-organization: planted",
    "openai-project: planted",
    "anthropic-organization-id: planted",
    "x-ratelimit-remaining-requests: planted",
    "x-ms-region: planted",
    "x-goog-request-params: planted",
    "x-account-email: planted@example.invalid",
)
# what this gateway says, and what its server adds
SAID = {
    *("content-type", "content-length", "transfer-encoding", "date", "server", "cache-control", "x-accel-buffering"),
    *("x-request-id", "request-id", "x-gateway-upstream", "x-gateway-lossy", "x-gateway-token-count"),
    *("retry-after", "x-should-retry"),
}
MESSAGE = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"ok"}],'
    b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}'
)
RESPONSE = (
    b'{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":[{"type":"message",'
    b'"id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"ok",'
    b'"annotations":[]}]}],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}'
)
CONTENT = (
    b'{"candidates":[{"content":{"role":"model","parts":[{"text":"ok"}]},"finishReason":"STOP"}],'
    b'"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2}}'
)
VECTORS = b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"model":"m","usage":{}}'
STREAMED = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
    b'{"role":"assistant","content":"ok"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
ASKED = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
INPUT = {"model": "m", "input": "hi"}
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
GENERATE = "/v1beta/models/m:generateContent"
UPSTREAMS: Mapping[str, Mapping[str, Any]] = {
    "chat": {"type": "openai", "base_url": "{}/v1"},
    "responses": {"type": "openai", "base_url": "{}/v1", "api": "responses"},
    "azure": {"type": "azure", "endpoint": "{}", "api_version": "2024-10-01"},
    "anthropic": {"type": "anthropic", "base_url": "{}"},
    "gemini": {"type": "gemini", "base_url": "{}"},
}
# the upstream, what is asked of the gateway, and what the upstream says: its own dialect, and another caller's
CASES: Mapping[str, tuple[str, str, Mapping[str, Any], bytes, str]] = {
    "chat passed": ("chat", CHAT, ASKED, WHOLE, "application/json"),
    "chat streamed": ("chat", CHAT, {**ASKED, "stream": True}, STREAMED, "text/event-stream"),
    "chat translated": ("chat", MESSAGES, ASKED, STREAMED, "text/event-stream"),
    "embeddings": ("chat", "/v1/embeddings", INPUT, VECTORS, "application/json"),
    "responses passed": ("responses", RESPONSES, INPUT, RESPONSE, "application/json"),
    "azure passed": ("azure", CHAT, ASKED, WHOLE, "application/json"),
    "anthropic passed": ("anthropic", MESSAGES, ASKED, MESSAGE, "application/json"),
    "gemini passed": ("gemini", GENERATE, CONTENTS, CONTENT, "application/json"),
    "gemini native": ("gemini", "/v1beta/models/m:embedContent", {"content": CONTENTS}, b"{}", "application/json"),
}
# of Google's own calls these come back besides
NATIVE = {"etag", "accept-ranges", "content-disposition", "content-range", "last-modified"}


@asynccontextmanager
async def before(kind: str, upstream: Upstream, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    table = {
        name: value.format(upstream.url) if isinstance(value, str) else value for name, value in UPSTREAMS[kind].items()
    }
    config = {
        "server": {"data_dir": str(folder)},
        "log": {"level": "error"},
        "retry": {"attempts": 1},
        "upstream": {"up": {**table, "api_key": "k", "models": ["m"]}},
    }
    async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
        yield http


def answer(status: str, kind: str, body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status}", *HOP_BY_HOP, *OTHERS, 'etag: "planted-not"', f"content-type: {kind}"]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


def check(response: httpx.Response, allowed: set[str]) -> None:
    assert set(response.headers) <= allowed
    told = [(name, value) for name, value in response.headers.items() if "planted" in value and name != "etag"]
    assert told == []


@pytest.mark.parametrize("case", CASES)
async def test_of_a_good_answer(case: str, tmp_path: Path) -> None:
    kind, path, asked, body, said = CASES[case]
    with listening(answer("200 OK", said, body)) as upstream:
        async with before(kind, upstream, tmp_path) as http:
            response = await http.post(path, json=asked)
    assert response.status_code == 200, response.text
    check(response, SAID | NATIVE if case == "gemini native" else SAID)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "status", ["302 Found", "400 Bad Request", "401 Unauthorized", "429 Too Many Requests", "500 X"]
)
async def test_of_a_refusal(case: str, status: str, tmp_path: Path) -> None:
    kind, path, asked, _, _ = CASES[case]
    with listening(answer(status, "application/json", b'{"error":{"message":"no"}}')) as upstream:
        async with before(kind, upstream, tmp_path) as http:
            response = await http.post(path, json=asked)
    assert response.status_code >= 400 or case == "gemini native"
    check(response, SAID | NATIVE if case == "gemini native" else SAID)


async def test_of_googles_own_calls_what_uploads_need_comes_back(tmp_path: Path) -> None:
    """The list is no wall: an upload cannot go on without these."""
    said = b"HTTP/1.1 200 OK\r\nconnection: close\r\nx-goog-upload-status: active\r\n"
    said += b"content-length: 2\r\netag: 1\r\nset-cookie: a=b\r\n\r\n{}"
    with listening(said) as upstream:
        async with before("gemini", upstream, tmp_path) as http:
            response = await http.get("/v1beta/files/a")
    assert (response.headers["x-goog-upload-status"], response.headers["etag"]) == ("active", "1")
    assert "set-cookie" not in response.headers
