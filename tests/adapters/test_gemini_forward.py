"""Native calls: what goes on and comes back unchanged, and whose key they go with."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.adapters.credential import FAILING
from gateway.errors import (
    GatewayError,
    NoCredential,
    NotFound,
    UpstreamCredential,
    UpstreamRateLimited,
    UpstreamUnavailable,
)
from gateway.streaming import ClientGone
from tests.adapters.forwarding import (
    EMBED,
    embed,
    forward,
    pieces,
    reading,
)
from tests.adapters.site import GeminiSite
from tests.gateway.wire import Answer, ending, resetting, saying, upstream

pytestmark = pytest.mark.anyio


# the same both ways


async def test_the_answer_comes_back_byte_for_byte(gemini: GeminiSite) -> None:
    await gemini.open()
    heard = await embed(gemini)
    assert heard.status == 200
    assert len(heard.json["embedding"]["values"]) == 3072
    assert heard.headers["content-type"] == "application/json; charset=UTF-8"
    assert heard.headers["content-length"] == str(len(heard.body))


@pytest.mark.parametrize(
    "name",
    ["access_token", "oauth_token", "bearer_token", "userProject", "%24userProject", "$httpMethod", "%24httpHeaders"],
)
async def test_a_query_does_not_say_who_calls_or_how(gemini: GeminiSite, name: str) -> None:
    """Google would take a bad token for the key's fault, and read or delete by another method than was allowed."""
    await gemini.open()
    body = b'{"content":{"parts":[{"text":"hi"}]}}'
    query = f"fields=embedding&{name}=x&%24alt=json"
    await forward(gemini, "POST", f"/v1beta/models/{EMBED}:embedContent", body, model=EMBED, query=query)
    (call,) = gemini.fake.calls("embedContent")
    assert call.query == {"fields": "embedding", "$alt": "json"}


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
