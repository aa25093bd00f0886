"""Native calls inside the gateway: how bodies go on, how answers come back, and how both end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest
from starlette.types import Message

from gateway import native
from gateway.adapters.gemini import GeminiAPI
from gateway.app import create_app, lifespan
from gateway.errors import StreamBroken, UpstreamRateLimited
from gateway.forwarding import NativeAnswer, NativeCall
from tests.gateway.wire import Answer, ending, saying, silence
from tests.gateway.wire import upstream as wire
from tests.middleware.asgi import scope_of
from tests.patience import patient
from tests.ports import free_port
from tests.scripted import Scripted, app_of, say
from tests.serving import serve

pytestmark = pytest.mark.anyio

PATH = "/v1beta/files"
Pieces = Sequence[bytes | Exception | asyncio.Event]


class Speaking(Scripted):
    """An upstream that speaks Gemini and answers each native call with the same pieces."""

    def __init__(self, *pieces: bytes | Exception | asyncio.Event, status: int = 200, wait: bytes = b"") -> None:
        super().__init__([])
        self.pieces: Pieces = pieces
        self.status = status
        self.wait = wait
        self.asked: list[NativeCall] = []
        self.bodies: list[bytes] = []
        self.ended = asyncio.Event()
        self.error: Exception | None = None
        self.silent = False

    async def forward(self, call: NativeCall) -> NativeAnswer:
        self.asked.append(call)
        if self.error is not None:
            raise self.error
        if self.silent:
            await asyncio.Event().wait()
        body = call.body
        if isinstance(body, AsyncIterable):
            body = b"".join([piece async for piece in body])
        self.bodies.append(body)
        return _Answer(self)

    def vouched(self, path: str, query: bytes) -> str:
        return ""


class _Answer:
    def __init__(self, upstream: Speaking) -> None:
        self.status = upstream.status
        self.headers = [(b"content-type", b"text/plain"), (b"x-goog-upload-status", b"final")]
        self.headers += [(b"retry-after", upstream.wait)] if upstream.wait else []
        self._pieces = iter(upstream.pieces)
        self._upstream = upstream

    async def read(self) -> bytes:
        piece = next(self._pieces, b"")
        if isinstance(piece, asyncio.Event):
            await piece.wait()
            return await self.read()
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self._upstream.ended.set()


def running(upstream: Speaking, config: Mapping[str, object] | None = None) -> Any:
    return serve(app_of(upstream, config=config))


async def test_status_headers_and_body_come_back() -> None:
    upstream = Speaking(b"a", b"b", status=206)
    async with running(upstream) as url, httpx.AsyncClient(base_url=url) as http:
        response = await http.get(PATH)
    assert (response.status_code, response.content) == (206, b"ab")
    assert (response.headers["content-type"], response.headers["x-goog-upload-status"]) == ("text/plain", "final")
    assert response.headers["x-gateway-upstream"] == "demo"
    assert upstream.ended.is_set()


@pytest.mark.parametrize(
    ("model", "named"), [("m", "demo/m"), ("a b", "demo/a%20b"), ("通义", "demo/%E9%80%9A%E4%B9%89"), ("m[1m]+x", None)]
)
async def test_who_answered_is_told_of_a_name_with_any_letters(model: str, named: str | None) -> None:
    upstream = Speaking(b"{}")
    upstream.plays = [say("Hello")]
    body = {"model": f"demo/{model}", "messages": [{"role": "user", "content": "Hello"}]}
    async with running(upstream) as url, httpx.AsyncClient(base_url=url) as http:
        translated = await http.post("/v1/chat/completions", json=body)
        passed = await http.post(f"/v1beta/models/demo/{quote(model)}:fooBar", json={})
    assert (translated.status_code, passed.status_code) == (200, 200)
    assert {translated.headers["x-gateway-upstream"], passed.headers["x-gateway-upstream"]} == {
        named or f"demo/{model}"
    }


async def test_each_piece_comes_as_soon_as_it_is_there() -> None:
    gate = asyncio.Event()
    upstream = Speaking(b"one", gate, b"two")
    async with (
        running(upstream) as url,
        httpx.AsyncClient(base_url=url) as http,
        http.stream("GET", PATH) as response,
    ):
        pieces = response.aiter_raw()
        assert await anext(pieces) == b"one"
        gate.set()
        assert await anext(pieces) == b"two"


async def test_a_call_carries_what_the_upstream_must_know() -> None:
    upstream = Speaking()
    async with running(upstream) as url, httpx.AsyncClient(base_url=url) as http:
        await http.post("/v1beta/files%2Fx?a=%2F&b=", content=b"{}", headers={"x-goog-upload-offset": "0"})
    (call,) = upstream.asked
    assert (call.method, call.path, call.query) == ("POST", "/v1beta/files%2Fx", "a=%2F&b=")
    assert (call.model, call.principal, call.origin) == ("", "anonymous", url)
    assert call.headers[b"x-goog-upload-offset"] == b"0"


async def test_a_caller_who_names_no_host_is_led_to_where_it_asked() -> None:
    upstream = Speaking()
    async with running(upstream, {"auth": {"allow_anonymous": "always"}}) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET /v1beta/files HTTP/1.0\r\n\r\n")
        await reader.read()
        writer.close()
    assert [call.origin for call in upstream.asked] == [url]


async def test_a_models_name_is_decoded_once() -> None:
    upstream = Speaking()
    async with running(upstream) as url, httpx.AsyncClient(base_url=url) as http:
        await http.post("/v1beta/models/demo%252Fb%2Fc:embedContent", content=b"{}")
    assert [call.model for call in upstream.asked] == ["demo%2Fb/c"]


@pytest.mark.parametrize("colon", ["%3A", "%3a"])
async def test_a_colon_that_a_client_has_escaped_is_one(colon: str) -> None:
    upstream = Speaking(b"{}")
    async with running(upstream) as url, httpx.AsyncClient(base_url=url) as http:
        await http.post(f"/v1beta/models/demo{colon}computeTokens", json={})
    assert [call.path for call in upstream.asked] == ["/v1beta/models/demo:computeTokens"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1beta/files", b"", 200),
        ("POST", "/upload/v1beta/files", b"{}", 200),
        ("POST", "/v1beta/models/demo:embedContent", b"{}", 200),
        ("POST", "/v1beta/models/other:embedContent", b"{}", 403),
        ("POST", "/v1beta/cachedContents", b'{"model": "models/demo"}', 200),
        ("POST", "/v1beta/cachedContents", b'{"model": "models/other"}', 403),
        ("GET", "/v1beta/cachedContents", b"", 403),
        ("GET", "/v1beta/filesystem", b"", 403),
    ],
)
async def test_a_key_is_held_to_its_models_but_for_files(method: str, path: str, body: bytes, status: int) -> None:
    upstream = Speaking(b"{}")
    config = {"key": [{"name": "a", "secret": "sk-a", "models": ["demo"]}]}
    headers = {"x-goog-api-key": "sk-a"}
    async with running(upstream, config) as url, httpx.AsyncClient(base_url=url, headers=headers) as http:
        response = await http.request(method, path, content=body)
    assert (response.status_code, len(upstream.asked)) == (status, int(status == 200))


@pytest.mark.usefixtures("stopped")
async def test_the_words_of_a_call_on_a_model_count_as_tokens() -> None:
    upstream, words = Speaking(b"{}"), b'{"content": {"parts": [{"text": "%s"}]}}' % (b"word " * 400)
    async with running(upstream, {"limits": {"tokens_per_day": 300}}) as url, httpx.AsyncClient(base_url=url) as http:
        asked = [await http.post("/v1beta/models/demo:embedContent", content=words) for _ in range(2)]
        listed = await http.get(PATH)
    assert [response.status_code for response in (*asked, listed)] == [200, 429, 429]
    assert len(upstream.asked) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1beta/interactions/i", b""),
        ("GET", "/v1/interactions/i?stream=true&key=k", b""),
        ("POST", "/v1beta/interactions/i/cancel", b""),
        ("DELETE", "/v1beta/interactions/i", b""),
        ("PATCH", "/v1beta/cachedContents/c", b'{"model": "models/demo", "ttl": "300s"}'),
        ("POST", "/upload/v1beta/files", b'{"model": "demo", "request": {"model": "other"}}'),
    ],
)
async def test_what_asks_no_model_takes_nothing(method: str, path: str, body: bytes) -> None:
    upstream = Speaking(b'{"usage": {"total_input_tokens": 9}, "usageMetadata": {"promptTokenCount": 9}}')
    async with running(upstream, {"limits": {"tokens_per_day": 5}}) as url, httpx.AsyncClient(base_url=url) as http:
        answers = [await http.request(method, path, content=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert upstream.bodies == [body, body]


async def test_a_small_body_is_read_first_and_a_large_one_sent_as_it_comes() -> None:
    upstream = Speaking()
    large = bytes(3_000_000)
    async with running(upstream) as url, httpx.AsyncClient(base_url=url) as http:
        await http.post(PATH, content=b"small")
        await http.post(PATH, content=large)
    assert [isinstance(call.body, bytes) for call in upstream.asked] == [True, False]
    assert upstream.bodies == [b"small", large]


@pytest.mark.parametrize(
    ("path", "kind", "is_kept"),
    [
        ("/v1beta/cachedContents", "application/json", True),
        ("/v1beta/cachedContents", "application/json; charset=UTF-8", True),
        ("/v1beta/cachedContents", "text/plain", False),
        ("/upload/v1beta/files", "application/json", False),
    ],
)
@pytest.mark.parametrize("announced", [True, False], ids=["length", "chunks"])
async def test_json_is_read_first_whatever_its_size_unless_it_is_a_file(
    path: str, kind: str, *, is_kept: bool, announced: bool
) -> None:
    upstream, body = Speaking(), b'{"ttl": "%s"}' % bytes(b"9" * 2_000_000)

    async def pieces() -> AsyncIterator[bytes]:
        yield body[:9]
        yield body[9:]

    async with running(upstream) as url, httpx.AsyncClient(base_url=url) as http:
        content = body if announced else pieces()
        answer = await http.post(path, content=content, headers={"content-type": kind})
    assert answer.status_code == 200
    assert [isinstance(call.body, bytes) for call in upstream.asked] == [is_kept]
    assert upstream.bodies == [body]


async def test_an_error_before_the_answer_is_in_the_callers_form() -> None:
    upstream = Speaking()
    upstream.error = UpstreamRateLimited("slowly", retry_after=7)
    async with running(upstream) as url, httpx.AsyncClient(base_url=url) as http:
        response = await http.get(PATH)
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert response.json()["error"]["status"] == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("status", "body", "word", "said"),
    [
        (404, b"<!DOCTYPE html><title>Error 404</title>", "NOT_FOUND", "Error 404"),
        (400, b"Upload has already been terminated.", "INVALID_ARGUMENT", "Upload has already been terminated."),
        (403, b"<title>Error 403 (Forbidden)</title>", "PERMISSION_DENIED", "Error 403 (Forbidden)"),
        (409, b"no", "ABORTED", "no"),
        (429, b"429", "RESOURCE_EXHAUSTED", "429"),
        (500, b"\xff\x00", "INTERNAL", ""),
        (503, b"", "UNAVAILABLE", "nothing"),
        (502, b"x" * 3_000_000, "INTERNAL", "x" * 200),
    ],
)
async def test_a_refusal_that_is_no_json_becomes_one(
    method: str, status: int, body: bytes, word: str, said: str
) -> None:
    upstream = Speaking(body, status=status, wait=b"7")
    async with running(upstream) as url, httpx.AsyncClient(base_url=url) as http:
        response = await http.request(method, "/v1beta/nosuch", headers={"x-request-id": "req_own"})
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["status"]) == (status, status, word)
    assert error["message"].startswith(f"the upstream responded with status {status}: {said}")
    assert response.headers["content-type"] == "application/json"
    assert (response.headers["retry-after"], response.headers["x-request-id"]) == ("7", "req_own")
    assert (response.headers["x-goog-upload-status"], response.headers["x-gateway-upstream"]) == ("final", "demo")
    assert upstream.ended.is_set()


@pytest.mark.parametrize("body", [b'{"error": {"message":  "no"}}', b'[{"error": {}}]\n'])
async def test_a_refusal_that_is_json_comes_back_as_it_is(body: bytes) -> None:
    upstream = Speaking(body[:9], body[9:], status=418)
    async with running(upstream) as url, httpx.AsyncClient(base_url=url) as http:
        response = await http.get(PATH)
    assert (response.status_code, response.content) == (418, body)
    assert (response.headers["content-type"], response.headers["x-goog-upload-status"]) == ("text/plain", "final")


@pytest.mark.parametrize(("status", "end"), [(200, "done"), (400, "error")])
async def test_a_refusal_that_comes_back_as_it_is_has_failed_in_every_book(status: int, end: str) -> None:
    async with running(Speaking(b"{}", status=status)) as url, httpx.AsyncClient(base_url=url) as http:
        await http.get(PATH)
        metrics = (await http.get("/metrics")).text
    assert f'gateway_request_ends_total{{dialect="gemini",end="{end}",upstream="demo"}} 1.0' in metrics


async def test_a_refusal_that_falls_silent_is_504() -> None:
    upstream = Speaking(b"<html>", asyncio.Event(), status=500)
    async with running(upstream, {"timeouts": {"idle": 0.05}}) as url, httpx.AsyncClient(base_url=url) as http:
        assert (await http.get(PATH)).json()["error"]["status"] == "DEADLINE_EXCEEDED"
    assert upstream.ended.is_set()


async def test_a_refusal_that_breaks_off_has_its_status() -> None:
    upstream = Speaking(b'{"error": {"mess', StreamBroken("cut"), status=403)
    async with running(upstream) as url, httpx.AsyncClient(base_url=url) as http:
        error = (await http.get(PATH)).json()["error"]
    assert (error["code"], error["status"]) == (403, "PERMISSION_DENIED")
    assert upstream.ended.is_set()


async def test_an_answer_that_breaks_off_is_not_completed() -> None:
    upstream = Speaking(b"one", StreamBroken("cut"))
    async with running(upstream) as url, httpx.AsyncClient(base_url=url) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(PATH)
    assert upstream.ended.is_set()


async def test_silence_ends_the_answer() -> None:
    upstream = Speaking(b"one", asyncio.Event())
    async with running(upstream, {"timeouts": {"idle": 0.05}}) as url, httpx.AsyncClient(base_url=url) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(PATH)
    assert upstream.ended.is_set()


async def test_silence_before_the_answer_is_504() -> None:
    upstream = Speaking()
    upstream.silent = True
    async with running(upstream, {"timeouts": {"first_byte": 0.05}}) as url, httpx.AsyncClient(base_url=url) as http:
        answers = [await http.get(PATH), await http.post(PATH, content=bytes(native._SMALL_BYTES + 1))]
    assert [answer.status_code for answer in answers] == [504, 504]
    assert "timeouts.first_byte" in answers[0].json()["error"]["message"]


async def test_a_refusal_that_google_does_not_end_is_504(tmp_path: Path) -> None:
    begun = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"
    async with wire(saying(begun)) as server:
        table = {"type": "gemini", "api_key": "key-1", "base_url": server.url, "models": ["gemini-3-flash"]}
        config = {
            "server": {"data_dir": str(tmp_path)},
            "timeouts": {"first_byte": 0.05},
            "upstream": {"gemini": table},
        }
        app = create_app(config)
        async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=patient(5)) as http:
            response = await http.post("/v1beta/models/gemini-3-flash:other", json={})
            assert response.status_code == 504
            assert cast(GeminiAPI, app.state.gateway.adapters["gemini"]).leases == 0
            assert app.state.gateway.transport.open_responses == 0


def refusing(status: int) -> Answer:
    return saying(b"HTTP/1.1 %d No\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}" % status)


@pytest.mark.parametrize("verb", ["predictLongRunning", "batchGenerateContent", "asyncBatchEmbedContent", "predict"])
@pytest.mark.parametrize(
    ("first", "status"),
    [
        (refusing(500), 500),
        (refusing(504), 504),
        (ending(b""), 502),
        (silence, 504),
        (refusing(429), 0),
        (refusing(503), 0),
        (refusing(404), 0),
        (None, 0),
    ],
)
async def test_a_job_that_may_have_begun_is_not_begun_at_the_next_member(
    tmp_path: Path, verb: str, first: Answer | None, status: int
) -> None:
    async with wire(first or silence) as one, wire(refusing(200)) as two:
        urls = {"one": one.url if first is not None else f"http://127.0.0.1:{free_port()}", "two": two.url}
        tables = {
            name: {"type": "gemini", "api_key": "k", "base_url": url, "models": ["m"]} for name, url in urls.items()
        }
        config = {
            "server": {"data_dir": str(tmp_path)},
            "timeouts": {"first_byte": patient(0.2)},
            "models": {"alias": {"best": ["one/m", "two/m"]}},
            "upstream": tables,
        }
        async with serve(create_app(config)) as url, httpx.AsyncClient(base_url=url, timeout=patient(5)) as http:
            response = await http.post(f"/v1beta/models/best:{verb}", json={})
    expected = (status, "one/m") if status and verb != "predict" else (200, "two/m")
    assert (response.status_code, response.headers["x-gateway-upstream"]) == expected
    assert len(two.requests) == (expected[0] == 200)


async def test_a_caller_whose_body_comes_slowly_is_no_silence_of_the_upstream() -> None:
    first_byte_s = patient(0.1)

    async def slowly() -> AsyncIterator[bytes]:
        yield bytes(native._SMALL_BYTES)
        await asyncio.sleep(2 * first_byte_s)
        yield b"."

    upstream, timeouts = Speaking(b"heard"), {"timeouts": {"first_byte": first_byte_s}}
    async with running(upstream, timeouts) as url, httpx.AsyncClient(base_url=url, timeout=patient(5)) as http:
        response = await http.post(PATH, content=slowly())
    assert (response.status_code, response.text) == (200, "heard")


async def test_a_caller_that_leaves_ends_the_call() -> None:
    upstream = Speaking(b"one", asyncio.Event())
    async with running(upstream) as url, httpx.AsyncClient(base_url=url) as http:
        async with http.stream("GET", PATH) as response:
            assert await anext(response.aiter_raw()) == b"one"
        async with asyncio.timeout(patient(5)):
            await upstream.ended.wait()


@pytest.mark.parametrize("length", ["9", "9999999"], ids=["small", "large"])
async def test_a_body_that_falls_silent_is_408(monkeypatch: pytest.MonkeyPatch, length: str) -> None:
    monkeypatch.setattr(native, "_SILENCE_S", 0.05)
    async with running(Speaking()) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{{".encode())
        status = await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert status.split()[1] == b"408"


@pytest.mark.parametrize("length", [b"9", b"9999999"], ids=["small", "large"])
async def test_a_caller_that_leaves_within_its_body_is_no_defect(
    length: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    said: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        said.append(message)

    app = app_of(Speaking())
    async with lifespan(app):
        await app(scope_of(PATH, headers={"content-length": length.decode()}), receive, send)
    assert [message.get("status") for message in said] == [499, None]
    assert "defect" not in capsys.readouterr().err
