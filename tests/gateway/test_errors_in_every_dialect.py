"""Each error class, in each dialect, at each place, as the official SDK sees it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import httpx
import openai
import pytest
from google import genai
from google.genai.models import AsyncModels
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import errors, ir
from gateway.context import attach
from gateway.errors import GatewayError
from gateway.refusal import refuse
from tests.scripted import Scripted, app_of, say
from tests.serving import serve

pytestmark = pytest.mark.anyio

# class → (status of an OpenAI answer, of an Anthropic one, code for OpenAI, type for Anthropic)
TABLE: dict[type[GatewayError], tuple[int, int, str | None, str]] = {
    errors.InvalidRequest: (400, 400, None, "invalid_request_error"),
    errors.UndeclaredTool: (400, 400, "undeclared_tool", "invalid_request_error"),
    errors.ContextTooLong: (400, 400, "context_length_exceeded", "invalid_request_error"),
    errors.PreviousNotFound: (400, 400, "previous_response_not_found", "invalid_request_error"),
    errors.Unauthenticated: (401, 401, "invalid_api_key", "authentication_error"),
    errors.PermissionDenied: (403, 403, "permission_denied", "permission_error"),
    errors.NotFound: (404, 404, "not_found", "not_found_error"),
    errors.ModelNotFound: (404, 404, "model_not_found", "not_found_error"),
    errors.MethodNotAllowed: (405, 405, "method_not_allowed", "invalid_request_error"),
    errors.RequestTimeout: (408, 408, "request_timeout", "timeout_error"),
    errors.Conflict: (409, 409, "conflict", "conflict_error"),
    errors.BodyTooLarge: (413, 413, "request_too_large", "request_too_large"),
    errors.UnsupportedMediaType: (415, 415, "unsupported_media_type", "invalid_request_error"),
    errors.RateLimited: (429, 429, "rate_limit_exceeded", "rate_limit_error"),
    errors.TokensLimited: (429, 429, "rate_limit_exceeded", "rate_limit_error"),
    errors.HeadTooLarge: (431, 431, "head_too_large", "invalid_request_error"),
    errors.UpstreamError: (502, 502, "upstream_error", "api_error"),
    errors.UpstreamRejected: (400, 400, None, "invalid_request_error"),
    errors.UpstreamRateLimited: (429, 429, "rate_limit_exceeded", "rate_limit_error"),
    errors.UpstreamOverloaded: (503, 529, "overloaded", "overloaded_error"),
    errors.UpstreamUnavailable: (502, 502, "upstream_error", "api_error"),
    errors.UpstreamTimeout: (504, 504, "timeout", "timeout_error"),
    errors.UpstreamCredential: (502, 502, "upstream_credential", "api_error"),
    errors.UpstreamMalformed: (502, 502, "upstream_malformed", "api_error"),
    errors.StreamBroken: (502, 502, "upstream_truncated", "api_error"),
    errors.InternalError: (500, 500, "internal_error", "api_error"),
    errors.NotImplementedHere: (501, 501, "not_implemented", "api_error"),
    errors.NoCredential: (503, 503, "no_credential", "overloaded_error"),
    errors.ModelsAwaited: (503, 503, "models_awaited", "overloaded_error"),
    errors.LimitsNotShared: (503, 503, "limits_not_shared", "overloaded_error"),
    errors.StoreUnavailable: (503, 503, "store_unavailable", "overloaded_error"),
    errors.Draining: (503, 503, "draining", "overloaded_error"),
    errors.Cancelled: (503, 503, "cancelled", "overloaded_error"),
}
# what google.rpc calls the statuses
STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    431: "INVALID_ARGUMENT",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
CLASSES = pytest.mark.parametrize("kind", list(TABLE), ids=lambda kind: kind.__name__)
TEXT = "what happened, and what to do"
OF_GOOGLE: dict[type[GatewayError], str] = {
    errors.ContextTooLong: f"The input token count exceeds the maximum number of tokens allowed: {TEXT}"
}
MESSAGES: Any = [{"role": "user", "content": "hi"}]


def test_every_class_is_in_the_table() -> None:
    missing = {getattr(errors, name) for name in errors.__all__} - set(TABLE)
    assert missing == {errors.GatewayError, errors.CallerError, errors.ServiceError}


class Refusing:
    """An outermost middleware that refuses everything, before any key was looked at."""

    error: GatewayError

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context, send = attach(scope, send)
        await refuse(context, send, self.error)


@pytest.fixture(params=["before auth", "in a handler"])
async def place(request: pytest.FixtureRequest, kind: type[GatewayError]) -> AsyncIterator[str]:
    error = kind(TEXT, retry_after=7)
    config: dict[str, object] = {}
    if request.param == "before auth":
        Refusing.error = error
        order = ["refusing", "request_id", "auth", "protocol", "model_map"]
        config["pipeline"] = {"order": ["request_id", "refusing", *order[2:]]}
        config["middleware"] = {"refusing": {"use": f"{__name__}:Refusing"}}
    async with serve(app_of(Scripted([error]), config=config)) as url:
        yield url


@pytest.fixture
async def breaking(kind: type[GatewayError]) -> AsyncIterator[str]:
    *begin, _ = say("Hello")
    async with serve(app_of(Scripted([*begin, [ir.Failed(kind(TEXT))]]))) as url:
        yield url


@CLASSES
async def test_openai_status(kind: type[GatewayError], place: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{place}/v1", api_key="any", max_retries=0) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(model="demo", messages=MESSAGES)
    error, (status, _, code, _) = caught.value, TABLE[kind]
    assert (error.status_code, error.code, error.request_id is not None) == (status, code, True)
    assert TEXT in str(error)
    assert error.response.headers["retry-after"] == "7"


@CLASSES
async def test_anthropic_status(kind: type[GatewayError], place: str) -> None:
    async with anthropic.AsyncAnthropic(base_url=place, api_key="any", max_retries=0) as client:
        with pytest.raises(anthropic.APIStatusError) as caught:
            await client.messages.create(model="demo", max_tokens=9, messages=MESSAGES)
    error, (_, status, _, kind_) = caught.value, TABLE[kind]
    body: Any = error.body
    assert (error.status_code, body["error"]["type"]) == (status, kind_)
    assert TEXT in body["error"]["message"]
    assert error.request_id == body["request_id"]


@asynccontextmanager
async def gemini(url: str) -> AsyncIterator[AsyncModels]:
    options: Any = {"base_url": url}
    client = genai.Client(api_key="any", http_options=options)
    yield client.aio.models
    await client.aio.aclose()
    client.close()


@CLASSES
@pytest.mark.parametrize("stream", [True, False])
async def test_gemini_status(kind: type[GatewayError], place: str, stream: bool) -> None:
    async with gemini(place) as models:
        with pytest.raises(genai.errors.APIError) as caught:
            if stream:
                await anext(await models.generate_content_stream(model="demo", contents="hi"))
            else:
                await models.generate_content(model="demo", contents="hi")
    error = caught.value
    assert (error.code, error.status) == (TABLE[kind][0], STATUS[TABLE[kind][0]])
    assert error.message == OF_GOOGLE.get(kind, TEXT)
    (retry,) = [one for one in error.details["error"]["details"] if one["@type"].endswith("RetryInfo")]
    assert retry["retryDelay"] == "7s"


@CLASSES
@pytest.mark.parametrize("place", ["before auth"], indirect=True)
async def test_gemini_status_of_a_list(kind: type[GatewayError], place: str) -> None:
    async with gemini(place) as models:
        with pytest.raises(genai.errors.APIError) as caught:
            await models.get(model="demo")
    assert caught.value.code == TABLE[kind][0]
    assert TEXT in str(caught.value)


@CLASSES
async def test_gemini_array(kind: type[GatewayError], place: str) -> None:
    """A stream without alt=sse is a JSON array, and so is its error."""
    body = {"contents": [{"parts": [{"text": "hi"}]}]}
    async with httpx.AsyncClient(base_url=place) as http:
        response = await http.post("/v1beta/models/demo:streamGenerateContent", json=body)
    (error,) = response.json()
    assert (response.status_code, response.headers["content-type"]) == (TABLE[kind][0], "application/json")
    assert (error["error"]["code"], error["error"]["message"]) == (TABLE[kind][0], OF_GOOGLE.get(kind, TEXT))


@CLASSES
async def test_openai_in_mid_stream(kind: type[GatewayError], breaking: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{breaking}/v1", api_key="any", max_retries=0) as client:
        stream = await client.chat.completions.create(model="demo", messages=MESSAGES, stream=True)
        heard = ""
        with pytest.raises(openai.APIError) as caught:
            async for chunk in stream:
                heard += chunk.choices[0].delta.content or ""
    assert heard == "Hello"
    assert (caught.value.code, TEXT in caught.value.message) == (TABLE[kind][2], True)


@CLASSES
async def test_anthropic_in_mid_stream(kind: type[GatewayError], breaking: str) -> None:
    async with anthropic.AsyncAnthropic(base_url=breaking, api_key="any", max_retries=0) as client:
        heard = ""
        with pytest.raises(anthropic.APIStatusError) as caught:
            async with client.messages.stream(model="demo", max_tokens=9, messages=MESSAGES) as stream:
                async for text in stream.text_stream:
                    heard += text
    body: Any = caught.value.body
    assert heard == "Hello"
    assert (body["error"]["type"], TEXT in body["error"]["message"]) == (TABLE[kind][3], True)


@CLASSES
async def test_gemini_in_mid_stream(kind: type[GatewayError], breaking: str) -> None:
    heard = ""
    async with gemini(breaking) as models:
        with pytest.raises(genai.errors.APIError) as caught:
            async for chunk in await models.generate_content_stream(model="demo", contents="hi"):
                heard += chunk.text or ""
    assert heard == "Hello"
    assert (caught.value.code, caught.value.message) == (TABLE[kind][0], OF_GOOGLE.get(kind, TEXT))


SDK = "google-genai-sdk/2.0.0"


@pytest.mark.parametrize("kind", [errors.StreamBroken])
async def test_googles_own_sdks_get_the_error_behind_the_events_too(breaking: str) -> None:
    body = {"contents": [{"parts": [{"text": "hi"}]}]}
    async with httpx.AsyncClient(base_url=breaking) as http:
        plain, python, node = [
            (await http.post("/v1beta/models/demo:streamGenerateContent?alt=sse", json=body, headers=headers)).text
            for headers in (
                {},
                {"x-goog-api-client": f"{SDK} gl-python/3.11"},
                {"x-goog-api-client": f"{SDK} gl-node/v22"},
            )
        ]
    *events, nothing = plain.split("\r\n\r\n")
    error = events[-1].removeprefix("data: ")
    assert (nothing, [*json.loads(error)]) == ("", ["error"])
    assert python.endswith(f"data: {error}\r\n\r\n")
    assert node.endswith(f"data: {error}\r\n\r\n{error}\r\n")


@CLASSES
async def test_gemini_in_mid_array(kind: type[GatewayError], breaking: str) -> None:
    body = {"contents": [{"parts": [{"text": "hi"}]}]}
    async with httpx.AsyncClient(base_url=breaking) as http:
        response = await http.post("/v1beta/models/demo:streamGenerateContent", json=body)
    first, last = response.json()
    assert first["candidates"][0]["content"]["parts"] == [{"text": "Hello"}]
    assert [*last] == ["error"]
    assert (last["error"]["code"], last["error"]["message"]) == (TABLE[kind][0], OF_GOOGLE.get(kind, TEXT))
