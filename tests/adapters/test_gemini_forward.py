"""Native calls: what goes on and comes back unchanged, whose key they go with, and where an upload continues."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from gateway.adapters.credential import FAILING, Credential
from gateway.adapters.gemini_owners import Owners, made_by, referred_to
from gateway.adapters.gemini_uploads import Ticket, Uploads, bare
from gateway.dialects.gemini.resource_names import resources
from gateway.errors import (
    GatewayError,
    NoCredential,
    NotFound,
    StreamBroken,
    UpstreamCredential,
    UpstreamRateLimited,
    UpstreamUnavailable,
)
from gateway.forwarding import NativeCall
from gateway.redact import Secret
from gateway.store.known import Change
from gateway.streaming import ClientGone
from gateway.transport import Broken, TransportError
from tests.adapters.site import GeminiSite
from tests.clocks import FakeClock
from tests.gateway.wire import Answer, ending, resetting, saying, upstream

pytestmark = pytest.mark.anyio

EMBED, MODEL = "gemini-embedding-001", "gemini-2.5-flash"
HERE = "http://gateway.invalid/ai"


def cool(gemini: GeminiSite, key: Credential) -> None:
    """Let a key rest for what is about no model."""
    key.learn(Change(id=key.id, cooling={"": gemini.clock.time() + 60}))


class Heard:
    """A whole answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Stub:
    """A transport and its one answer."""

    status = 200

    def __init__(self, headers: dict[str, str], error: TransportError | None = None) -> None:
        self.headers = headers
        self._error = error

    async def send(self, *_: object, **__: object) -> Stub:
        return self

    async def read(self) -> bytes:
        if self._error is not None:
            raise self._error
        return b""

    async def read_all(self, limit: int) -> bytes:
        return await self.read()

    def close(self) -> None:
        """Nothing is open."""


async def forward(
    gemini: GeminiSite, method: str, path: str, body: Any = b"", *, model: str = "", query: str = "", **headers: str
) -> Heard:
    """Pass a call on; a body that is no bytes is written as JSON."""
    adapter = gemini.adapter
    assert adapter is not None
    content = body if isinstance(body, bytes) or hasattr(body, "__aiter__") else json.dumps(body).encode()
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    call = NativeCall(
        method=method, path=path, query=query, headers=given, body=content, model=model, principal="alice", origin=HERE
    )
    answer = await adapter.forward(call)
    pieces: list[bytes] = []
    try:
        while piece := await answer.read():
            pieces.append(piece)
    finally:
        answer.close()
    return Heard(answer.status, {n.decode(): v.decode() for n, v in answer.headers}, b"".join(pieces))


async def embed(gemini: GeminiSite, model: str = EMBED) -> Heard:
    body = {"content": {"parts": [{"text": "hi"}]}}
    return await forward(gemini, "POST", f"/v1beta/models/{model}:embedContent", body, model=EMBED)


async def upload(gemini: GeminiSite, data: bytes = b"words", name: str = "") -> Heard:
    """Upload a file in one piece, as google-genai does."""
    begun = await forward(
        gemini,
        "POST",
        "/upload/v1beta/files",
        {"file": {"name": name} if name else {}},
        x_goog_upload_protocol="resumable",
        x_goog_upload_command="start",
        x_goog_upload_header_content_type="text/plain",
    )
    address = urlsplit(begun.headers["x-goog-upload-url"])
    assert f"{address.scheme}://{address.netloc}" == "http://gateway.invalid"
    return await forward(
        gemini,
        "POST",
        address.path.removeprefix("/ai"),
        data,
        query=address.query,
        x_goog_upload_command="upload, finalize",
        x_goog_upload_offset="0",
    )


def reading(uri: str) -> Any:
    """Ask about a file."""
    return {"contents": [{"parts": [{"fileData": {"fileUri": uri, "mimeType": "text/plain"}}, {"text": "hi"}]}]}


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for one in data:
        yield one


# the same both ways


async def test_the_answer_comes_back_byte_for_byte(gemini: GeminiSite) -> None:
    await gemini.open()
    heard = await embed(gemini)
    assert heard.status == 200
    assert len(heard.json["embedding"]["values"]) == 3072
    assert heard.headers["content-type"] == "application/json; charset=UTF-8"
    assert heard.headers["content-length"] == str(len(heard.body))


async def test_a_body_and_a_query_go_on_as_they_came(gemini: GeminiSite) -> None:
    await gemini.open()
    body = b'{ "content" : {"parts":[{"text":"\\u0068i"}]} }'
    await forward(gemini, "POST", f"/v1beta/models/{EMBED}:embedContent", body, model=EMBED, query="alt=json&key=mine")
    (call,) = gemini.fake.calls("embedContent")
    assert call.raw == body
    assert call.query == {"alt": "json"}


async def test_a_body_in_pieces_is_sent_as_it_comes(gemini: GeminiSite) -> None:
    await gemini.open()
    body = b'{"content":{"parts":[{"text":"hi"}]}}'
    path = f"/v1beta/models/{EMBED}:embedContent"
    heard = await forward(gemini, "POST", path, pieces(body[:9], body[9:]), model=EMBED, content_length=str(len(body)))
    assert heard.status == 200
    (call,) = gemini.fake.calls("embedContent")
    assert (call.raw, call.headers["content-length"]) == (body, str(len(body)))


async def test_only_headers_that_are_google_s_business_go_along(gemini: GeminiSite) -> None:
    await gemini.open()
    await forward(
        gemini,
        "GET",
        "/v1beta/files",
        authorization="Bearer mine",
        x_api_key="mine",
        cookie="c=1",
        x_forwarded_for="1.2.3.4",
        x_goog_api_client="genai/1",
        x_goog_user_project="p",
        user_agent="them",
        accept="application/json",
        accept_encoding="gzip, br",
        range="bytes=0-9",
    )
    (call,) = gemini.fake.calls("files.list")
    sent = {name: value for name, value in call.headers.items() if name not in ("host", "connection")}
    assert sent.pop("user-agent").startswith("asgi-llm-gateway/")
    assert sent.pop("accept-encoding") == "identity"  # only that can be read for sure, whatever the caller reads
    assert sent == {"accept": "application/json", "range": "bytes=0-9", "x-goog-api-key": "key-1"}


async def test_headers_of_the_connection_stay_behind(gemini: GeminiSite) -> None:
    await gemini.open()
    assert set((await embed(gemini)).headers) == {"content-type", "content-length"}


async def test_a_model_goes_by_the_upstreams_name(gemini: GeminiSite) -> None:
    await gemini.open()
    assert (await embed(gemini, model="alias%2Fof:it")).status == 200
    assert gemini.fake.calls("embedContent")[0].path == f"/v1beta/models/{EMBED}:embedContent"


async def test_a_refusal_is_the_callers_to_read(gemini: GeminiSite) -> None:
    await gemini.open()
    heard = await forward(gemini, "POST", f"/v1beta/models/{EMBED}:embedContent", {}, model=EMBED)
    assert (heard.status, heard.json["error"]["status"]) == (400, "INVALID_ARGUMENT")


REFUSED = b"HTTP/1.1 %d Bad\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


async def test_a_large_refusal_has_its_status(gemini: GeminiSite) -> None:
    large = b'{"error": {"message": "' + b"x" * 3_000_000 + b'"}}'
    async with upstream(saying(REFUSED % (400, len(large)), large)) as server:
        adapter = await gemini.open(base_url=server.url)
        heard = await embed(gemini)
    assert (heard.status, heard.headers["content-length"]) == (400, str(len(heard.body)))
    assert adapter.leases == 0


@pytest.mark.parametrize("leave", [ending, resetting])
async def test_a_refusal_of_the_key_that_breaks_off_is_one(gemini: GeminiSite, leave: Callable[..., Answer]) -> None:
    async with upstream(leave(REFUSED % (401, 500), b'{"error": {"mess')) as server:
        adapter = await gemini.open(base_url=server.url)
        with pytest.raises(UpstreamCredential):
            await embed(gemini)
    assert (len(server.requests), adapter.states()["disabled"]) == (1, 1)


async def test_an_upstream_that_cannot_be_reached_is_told(gemini: GeminiSite) -> None:
    adapter = await gemini.open(base_url="http://127.0.0.1:1")
    with pytest.raises(UpstreamUnavailable):
        await embed(gemini)
    assert adapter.leases == 0


# whose key


async def test_calls_on_a_model_take_turns(gemini: GeminiSite) -> None:
    await gemini.open("key-1", "key-2")
    for _ in range(3):
        await embed(gemini)
    assert [key for key, _ in gemini.seen("embedContent")] == ["key-1", "key-2", "key-1"]


@pytest.mark.parametrize("error", ["429_per_minute", "400_key_invalid", "403_key_suspended"])
async def test_another_key_is_asked_while_one_rests_or_is_refused(gemini: GeminiSite, error: str) -> None:
    await gemini.open("key-1", "key-2")
    gemini.fake.fail(error, token="key-1", method="embedContent")
    assert (await embed(gemini)).status == 200
    assert (await embed(gemini)).status == 200
    assert [key for key, _ in gemini.seen("embedContent")] == ["key-1", "key-2", "key-2"]


async def test_the_last_keys_429_comes_as_it_is_and_then_the_pools_own(gemini: GeminiSite) -> None:
    await gemini.open()
    gemini.fake.fail("429_per_minute", method="embedContent")
    heard = await embed(gemini)
    assert heard.json["error"]["details"][2]["retryDelay"] == "38s"
    with pytest.raises(UpstreamRateLimited):
        await embed(gemini)


@pytest.mark.parametrize(("keys", "error"), [(("key-1",), UpstreamCredential), (("key-1", "key-2"), NoCredential)])
async def test_a_refused_key_is_never_the_callers(
    gemini: GeminiSite, keys: tuple[str, ...], error: type[GatewayError]
) -> None:
    await gemini.open(*keys)
    gemini.fake.fail("400_key_invalid", times=9)
    with pytest.raises(error):
        await embed(gemini)


async def test_a_body_in_pieces_is_sent_once(gemini: GeminiSite) -> None:
    await gemini.open("key-1", "key-2")
    gemini.fake.fail("429_per_minute", method="embedContent")
    path = f"/v1beta/models/{EMBED}:embedContent"
    heard = await forward(gemini, "POST", path, pieces(b'{"content":', b'{"parts":[{"text":"hi"}]}}'), model=EMBED)
    assert heard.status == 429
    assert len(gemini.seen("embedContent")) == 1


async def test_a_key_is_not_to_blame_for_callers_that_leave(gemini: GeminiSite) -> None:
    adapter = await gemini.open()

    async def left() -> AsyncIterator[bytes]:
        yield b"{"
        raise ClientGone

    for _ in range(FAILING):
        with pytest.raises(ClientGone):
            await forward(gemini, "POST", f"/v1beta/models/{EMBED}:embedContent", left(), model=EMBED)
    assert adapter.states()["active"] == 1
    assert adapter.leases == 0


def refusing(status: int, message: str, reason: str = "") -> bytes:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    body = json.dumps({"error": {"code": status, "message": message, "details": details}}).encode()
    return REFUSED % (status, len(body)) + body


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (401, "API keys are not supported by this API. Expected OAuth2 access token.", "CREDENTIALS_MISSING"),
        (401, "API keys are not supported by this API. Expected OAuth2 access token.", ""),
        (403, "Request had insufficient authentication scopes.", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
    ],
)
@pytest.mark.parametrize("model", ["", EMBED])
async def test_a_method_that_takes_no_key_is_no_keys_fault(
    gemini: GeminiSite, status: int, message: str, reason: str, model: str
) -> None:
    async with upstream(saying(refusing(status, message, reason))) as server:
        adapter = await gemini.open("key-1", "key-2", base_url=server.url)
        with pytest.raises(NotFound, match="does not accept API keys"):
            await forward(gemini, "GET", f"/v1beta/models/{model}:x" if model else "/v1beta/corpora", model=model)
    assert (len(server.requests), adapter.states()["active"], adapter.leases) == (1, 2, 0)


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (401, "Request had invalid authentication credentials.", "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        (403, "Method doesn't allow unregistered callers.", ""),
        (403, "Requests are blocked.", "API_KEY_SERVICE_BLOCKED"),
        (403, "API has not been used in project 1 before or it is disabled.", "SERVICE_DISABLED"),
    ],
)
async def test_a_key_is_good_for_models_that_is_refused_elsewhere(
    gemini: GeminiSite, status: int, message: str, reason: str
) -> None:
    async with upstream(saying(refusing(status, message, reason))) as server:
        adapter = await gemini.open("key-1", "key-2", base_url=server.url)
        with pytest.raises(UpstreamCredential):
            await forward(gemini, "GET", "/v1beta/corpora")
        assert (len(server.requests), adapter.states()["active"], adapter.leases) == (2, 2, 0)
        with pytest.raises(NoCredential):
            await embed(gemini)
    assert adapter.states()["disabled"] == 2


@pytest.mark.parametrize(("path", "model"), [("/v1beta/corpora", ""), (f"/v1beta/models/{EMBED}:embedContent", EMBED)])
async def test_a_bare_lack_of_permission_is_the_operators_where_nothing_is_named(
    gemini: GeminiSite, path: str, model: str
) -> None:
    async with upstream(saying(refusing(403, "The caller does not have permission"))) as server:
        adapter = await gemini.open("key-1", "key-2", base_url=server.url)
        with pytest.raises(UpstreamCredential, match="does not have permission"):
            await forward(gemini, "POST", path, {}, model=model)
        assert (len(server.requests), adapter.states()["active"]) == (2, 2)
        heard = await forward(gemini, "POST", path, reading("https://video.invalid/1"), model=model)
    assert heard.status == 403


@pytest.mark.parametrize("error", ["400_key_invalid", "403_key_suspended"])
async def test_a_key_that_is_refused_for_certain_is_left_wherever(gemini: GeminiSite, error: str) -> None:
    adapter = await gemini.open("key-1", "key-2")
    gemini.fake.fail(error, token="key-1", method="files.list")
    assert (await forward(gemini, "GET", "/v1beta/files")).status == 200
    assert adapter.states()["disabled"] == 1


# files and caches


async def test_a_file_is_uploaded_through_the_gateway_and_found_again(gemini: GeminiSite) -> None:
    await gemini.open("key-1", "key-2")
    made = await upload(gemini)
    name = made.json["file"]["name"]
    assert made.headers["x-goog-upload-status"] == "final"
    assert (await forward(gemini, "GET", f"/v1beta/{name}")).json["sizeBytes"] == "5"
    assert [file["name"] for file in (await forward(gemini, "GET", "/v1beta/files")).json["files"]] == [name]
    assert (await forward(gemini, "DELETE", f"/v1beta/{name}")).status == 200


async def test_what_belongs_to_a_key_goes_to_it_whoever_is_first(gemini: GeminiSite) -> None:
    adapter = await gemini.open("key-1", "key-2")
    name = (await upload(gemini)).json["file"]["name"]
    cool(gemini, adapter.credentials[0])
    other = (await upload(gemini)).json["file"]["name"]
    assert [gemini.fake.files.stored[one].owner for one in (name, other)] == ["key-1", "key-2"]
    await gemini.clock.advance(60)
    assert (await forward(gemini, "GET", f"/v1beta/{other}")).status == 200
    assert (await forward(gemini, "GET", f"/v1beta/{name}")).status == 200


async def test_a_request_for_an_answer_goes_to_the_key_of_its_file(gemini: GeminiSite) -> None:
    await gemini.open("key-1", "key-2")
    uri = (await upload(gemini)).json["file"]["uri"]
    path = f"/v1beta/models/{MODEL}:countTokens"
    for _ in range(3):
        assert (await forward(gemini, "POST", path, reading(uri), model=MODEL)).status == 200
    assert {key for key, _ in gemini.seen("countTokens")} == {"key-1"}


async def test_whose_a_file_is_that_another_process_has_seen_made_is_found_out_once(gemini: GeminiSite) -> None:
    """As after a restart, or in another worker."""
    adapter = await gemini.open("key-1", "key-2")
    cool(gemini, adapter.credentials[0])
    file = (await upload(gemini)).json["file"]
    await gemini.clock.advance(60)
    name, path = file["name"], f"/v1beta/{file['name']}"
    prompt = reading(file["uri"])
    for kind, times, method, where, body, model in (
        ("files.get", 3, "GET", path, b"", ""),
        ("generateContent", 3, "POST", f"/v1beta/models/{MODEL}:generateContent", prompt, MODEL),
        ("files.delete", 1, "DELETE", path, b"", ""),
    ):
        await gemini.open("key-1", "key-2")
        for _ in range(times):
            assert (await forward(gemini, method, where, body, model=model)).status == 200
        assert gemini.seen(kind) == [("key-1", 403), *[("key-2", 200)] * times]
    assert name not in gemini.fake.files.stored


async def test_a_file_that_no_key_has_is_explained(gemini: GeminiSite) -> None:
    adapter = await gemini.open("key-1", "key-2")
    with pytest.raises(NotFound, match="files/gone is unknown to any of 2 API keys"):
        await forward(gemini, "GET", "/v1beta/files/gone")
    cool(gemini, adapter.credentials[0])
    with pytest.raises(NotFound, match="files/gone is unknown to the 1 that could be tried of 2"):
        await forward(gemini, "GET", "/v1beta/files/gone")
    assert adapter.states()["active"] == 1


async def test_with_one_key_google_answers_for_itself(gemini: GeminiSite) -> None:
    adapter = await gemini.open()
    heard = await forward(gemini, "GET", "/v1beta/files/gone")
    assert (heard.status, heard.json["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert adapter.usable


async def test_a_cache_is_made_and_found_again(gemini: GeminiSite) -> None:
    gemini.fake.caches.least_tokens = 1
    await gemini.open("key-1", "key-2")
    body = {"model": "models/gemini-2.5-flash", "contents": [{"parts": [{"text": "long"}]}]}
    name = (await forward(gemini, "POST", "/v1beta/cachedContents", body)).json["name"]
    assert (await forward(gemini, "GET", f"/v1beta/{name}")).json["model"] == "models/gemini-2.5-flash"


async def test_an_upload_leads_through_the_gateway_also_before_a_mirror(gemini: GeminiSite) -> None:
    await gemini.open(base_url=f"{gemini.fake.url}/mirror")
    assert (await upload(gemini)).json["file"]["sizeBytes"] == "5"


async def test_an_upload_that_goes_on_elsewhere_is_left_alone(gemini: GeminiSite) -> None:
    adapter = await gemini.open()
    server = Stub({"x-goog-upload-url": "https://other.invalid/upload?upload_id=1"})
    adapter._backend.transport = server  # type: ignore[assignment]  # all that is asked of it
    heard = await forward(gemini, "POST", "/upload/v1beta/files", {})
    assert heard.headers == server.headers


@pytest.mark.parametrize("name", ["x-goog-upload-url", "x-goog-upload-control-url"])
@pytest.mark.parametrize("query", ["key=key-1&upload_id=1", "upload_id=1&%6bey=key-1"])
async def test_an_upload_s_address_keeps_no_key(gemini: GeminiSite, name: str, query: str) -> None:
    adapter = await gemini.open()
    real = adapter._backend.transport
    base = adapter._backend.bases[0]
    adapter._backend.transport = Stub({name: f"{base}{PATH}?{query}"})  # type: ignore[assignment]  # all that is asked
    led = (await forward(gemini, "POST", PATH, {})).headers[name]
    adapter._backend.transport = Stub({name: f"https://other.invalid/up?{query}"})  # type: ignore[assignment]
    assert (await forward(gemini, "POST", PATH, {})).headers[name] == "https://other.invalid/up?upload_id=1"
    assert led.startswith(f"{HERE}{PATH}?upload_id=1&gateway_ticket=")
    address = urlsplit(led)
    assert adapter.vouched(PATH, address.query.encode()) == "alice"
    adapter._backend.transport = real
    await forward(gemini, "POST", PATH, b"words", query=address.query, x_goog_upload_command="upload, finalize")
    (call,) = gemini.fake.calls("files.upload")
    assert (call.query, call.headers["x-goog-api-key"]) == ({"upload_id": "1"}, "key-1")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_answer_that_breaks_off_gives_the_key_back(gemini: GeminiSite, method: str) -> None:
    adapter = await gemini.open()
    server = Stub({"content-type": "application/json", "content-length": "9"}, Broken("cut"))
    adapter._backend.transport = server  # type: ignore[assignment]  # all that is asked of it
    with pytest.raises(StreamBroken):
        await forward(gemini, method, "/v1beta/files")
    assert adapter.leases == 0


async def test_an_upload_goes_on_with_its_key_after_a_restart(gemini: GeminiSite) -> None:
    """The address says enough; nothing is remembered."""
    adapter = await gemini.open("key-1", "key-2")
    cool(gemini, adapter.credentials[0])
    start = {"x_goog_upload_protocol": "resumable", "x_goog_upload_command": "start"}
    begun = await forward(
        gemini, "POST", "/upload/v1beta/files", {}, x_goog_upload_header_content_type="text/plain", **start
    )
    address = urlsplit(begun.headers["x-goog-upload-url"])
    again = await gemini.open("key-1", "key-2")
    assert again.vouched("/upload/v1beta/files", address.query.encode()) == "alice"
    last = {"x_goog_upload_command": "upload, finalize", "x_goog_upload_offset": "0"}
    heard = await forward(gemini, "POST", "/upload/v1beta/files", b"words", query=address.query, **last)
    assert gemini.fake.files.stored[heard.json["file"]["name"]].owner == "key-2"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/upload/v1beta/files", b""),
        ("/upload/v1beta/files", b"upload_id=1"),
        ("/upload/v1beta/files", b"gateway_ticket=x.y.1.alice"),
        ("/v1beta/files", b"gateway_ticket=a.b.c.d"),
    ],
)
async def test_nobody_is_vouched_for_without_proof(gemini: GeminiSite, path: str, query: bytes) -> None:
    adapter = await gemini.open()
    assert adapter.vouched(path, query) == ""


# addresses and names

PATH = "/upload/v1beta/files"


@pytest.fixture
def uploads() -> tuple[Uploads, Credential, FakeClock]:
    clock = FakeClock()
    owner = Credential(Secret("key-1"), clock)
    return Uploads([owner], clock), owner, clock


def ticket(uploads: Uploads, owner: Credential, query: str = "upload_id=a%2Fb&x=") -> str:
    path, _, moved = uploads.moved(f"{PATH}?{query}", owner, "alice").partition("?")
    assert path == PATH
    return moved


def test_an_address_is_good_however_it_is_written(uploads: tuple[Uploads, Credential, FakeClock]) -> None:
    made, owner, clock = uploads
    query = ticket(made, owner)
    said = Ticket(owner, "alice", int(clock.time()) + 86_400)
    assert made.check(PATH, query) == said
    assert made.check(PATH.replace("l", "%6C"), f"key=mine&{query}".replace("a%2Fb", "a/b")) == said


def test_an_address_is_good_for_its_upload_and_its_caller_only(uploads: tuple[Uploads, Credential, FakeClock]) -> None:
    made, owner, _ = uploads
    query = ticket(made, owner)
    assert made.check(PATH, query.replace("upload_id=a", "upload_id=c")) is None
    assert made.check(PATH, query.replace("alice", "bob")) is None
    assert made.check("/upload/v1beta/cachedContents/files", query) is None


@pytest.mark.parametrize("end", ["²", "٣", "9" * 5_000, "-1", "soon", ""])
def test_an_address_that_was_not_made_here_is_none(uploads: tuple[Uploads, Credential, FakeClock], end: str) -> None:
    """Whatever stands where one has the time of its end."""
    made, owner, _ = uploads
    assert made.check(PATH, urlencode({"gateway_ticket": f"proof.{owner.id[:16]}.{end}.alice"})) is None


async def test_an_address_ends_after_a_day(uploads: tuple[Uploads, Credential, FakeClock]) -> None:
    made, owner, clock = uploads
    query = ticket(made, owner)
    await clock.advance(86_401)
    assert made.check(PATH, query) is None


def test_an_address_leads_to_none_that_ends_later(uploads: tuple[Uploads, Credential, FakeClock]) -> None:
    made, owner, clock = uploads
    end = int(clock.time()) + 60
    _, _, query = made.moved(f"{PATH}?upload_id=b", owner, "alice", end).partition("?")
    assert made.check(PATH, query) == Ticket(owner, "alice", end)


async def test_an_upload_begun_anew_ends_with_the_first(gemini: GeminiSite) -> None:
    adapter = await gemini.open()
    end = int(gemini.clock.time()) + 60
    _, _, query = adapter._uploads.moved(f"{PATH}?upload_id=a", adapter.credentials[0], "alice", end).partition("?")
    led = {"x-goog-upload-url": f"{adapter._backend.bases[0]}{PATH}?upload_id=b", "content-length": "0"}
    adapter._backend.transport = Stub(led)  # type: ignore[assignment]  # all that is asked of it
    again = await forward(gemini, "POST", PATH, {}, query=query, x_goog_upload_command="start")
    assert parse_qs(urlsplit(again.headers["x-goog-upload-url"]).query)["gateway_ticket"][0].split(".")[2] == str(end)


def test_an_address_shows_no_key(uploads: tuple[Uploads, Credential, FakeClock]) -> None:
    made, owner, _ = uploads
    assert "key-1" not in ticket(made, owner)


def test_google_sees_nothing_of_it() -> None:
    assert bare("a=1&key=k&upload_id=a%2Fb&gateway_ticket=t&flag") == "a=1&upload_id=a%2Fb&flag"
    assert bare("%6bey=k&a=%ff&gateway%5fticket=t") == "a=%ff"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/v1beta/files", []),
        ("/v1beta/files/f1", ["files/f1"]),
        ("/download/v1beta/files/f1:download", ["files/f1"]),
        ("/v1beta/fileSearchStores/s/documents/d", ["fileSearchStores/s/documents/d", "fileSearchStores/s"]),
        ("/v1beta/models/m:embedContent", []),
        ("/v1beta/models/veo/operations/o", ["models/veo/operations/o"]),
        ("/v1/tunedModels/t", ["tunedModels/t"]),
        ("/elsewhere/files/f1", []),
    ],
)
def test_a_path_names_its_resources_the_innermost_first(path: str, names: list[str]) -> None:
    assert resources(path) == names


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (b'{"name":"files/f1"}', "files/f1"),
        (b'{"file":{"name":"files/f1"}}', "files/f1"),
        (b'{"embedding":{}}', ""),
        (b'{"name":1}', ""),
        (b"[]", ""),
        (b"[" * 50_000, ""),
    ],
)
def test_an_answer_names_what_was_made(answer: bytes, name: str) -> None:
    assert made_by(answer) == name


def test_what_a_prompt_reads_is_no_word_that_looks_like_it() -> None:
    said: list[Any] = [
        {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc-1"},
        {"cachedContent": "cachedContents/c1", "fileSearchStoreNames": ["fileSearchStores/s1"]},
        {"text": "see files/main and https://host/files/two of cachedContents/none", "path": "files/three"},
    ]
    expected = ["files/abc-1", "cachedContents/c1", "fileSearchStores/s1"]
    written = json.dumps(said)
    assert [*referred_to(written.encode())] == expected
    assert [*referred_to(written.replace("/", "\\/").encode())] == expected


def test_only_so_many_owners_are_remembered() -> None:
    owners, owner = Owners(2), Credential(Secret("k"), FakeClock())
    for name in ("a", "b", "a", "c"):
        owners.note(name, owner)
    assert [owners.of([name]) for name in "abc"] == [owner, None, owner]
