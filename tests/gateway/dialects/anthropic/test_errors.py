"""Errors as this dialect spells them."""

import json

import anthropic
import pytest

from gateway import errors
from gateway.dialects.anthropic import Anthropic
from gateway.errors import GatewayError

from .reader import accumulate, answering, client


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.InvalidRequest("x"), 400, "invalid_request_error"),
        (errors.ContextTooLong("x"), 400, "invalid_request_error"),
        (errors.Unauthenticated("x"), 401, "authentication_error"),
        (errors.PermissionDenied("x"), 403, "permission_error"),
        (errors.NotFound("x"), 404, "not_found_error"),
        (errors.ModelNotFound("x"), 404, "not_found_error"),
        (errors.MethodNotAllowed("x"), 405, "invalid_request_error"),
        (errors.RequestTimeout("x"), 408, "timeout_error"),
        (errors.BodyTooLarge("x"), 413, "request_too_large"),
        (errors.UnsupportedMediaType("x"), 415, "invalid_request_error"),
        (errors.RateLimited("x"), 429, "rate_limit_error"),
        (errors.UpstreamRejected("x"), 400, "invalid_request_error"),
        (errors.UpstreamRejected("x", status=402), 402, "billing_error"),
        (errors.UpstreamRateLimited("x"), 429, "rate_limit_error"),
        (errors.UpstreamOverloaded("x"), 529, "overloaded_error"),
        (errors.UpstreamUnavailable("x"), 502, "api_error"),
        (errors.UpstreamTimeout("x"), 504, "timeout_error"),
        (errors.UpstreamCredential("x"), 502, "api_error"),
        (errors.UpstreamMalformed("x"), 502, "api_error"),
        (errors.StreamBroken("x"), 502, "api_error"),
        (errors.InternalError("x"), 500, "api_error"),
        (errors.NotImplementedHere("x"), 501, "api_error"),
        (errors.NoCredential("x"), 503, "overloaded_error"),
        (errors.Draining("x"), 503, "overloaded_error"),
        (GatewayError("x", status=418), 418, "invalid_request_error"),
    ],
)
def test_status_and_type(error: GatewayError, status: int, kind: str) -> None:
    told, body = Anthropic().write_error(error, "req_1")
    assert told == status
    assert json.loads(body)["error"]["type"] == kind


@pytest.mark.parametrize(
    ("error", "own", "status", "kind"),
    [
        (errors.UpstreamRejected("x"), "own_error", 400, "own_error"),
        (errors.UpstreamOverloaded("x"), "overloaded_error", 529, "overloaded_error"),
        (errors.UpstreamOverloaded("x"), "api_error", 529, "overloaded_error"),
    ],
)
def test_a_type_of_the_upstreams_own_is_told_where_its_status_is(
    error: GatewayError, own: str, status: int, kind: str
) -> None:
    error.own["type"] = own
    told, body = Anthropic().write_error(error, "req_1")
    assert (told, json.loads(body)["error"]["type"]) == (status, kind)


def test_a_thread_is_refused_in_the_words_at_which_sdks_send_all_of_it() -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        Anthropic().read_request(b'{"model":"m","messages":[{"role":"user","content":"a"}],"thread":{"type":"create"}}')
    error = json.loads(Anthropic().write_error(caught.value, "req_1")[1])["error"]
    assert error["details"] == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}


def test_the_body_as_the_wire_shows_it() -> None:
    assert Anthropic().write_error(errors.RateLimited("slow down"), "req_1")[1] == (
        b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"},"request_id":"req_1"}'
    )


@pytest.mark.parametrize(
    ("message", "param", "told"),
    [
        ("messages[0].role: is odd", "messages[0].role", "messages.0.role: is odd"),
        ("is odd", "messages[0].content[12].type", "messages.0.content.12.type: is odd"),
        ("is odd", None, "is odd"),
    ],
)
def test_the_field_is_named_as_anthropic_names_it(message: str, param: str | None, told: str) -> None:
    _, body = Anthropic().write_error(errors.InvalidRequest(message, param=param), "r")
    assert json.loads(body)["error"]["message"] == told


@pytest.mark.parametrize("message", ["9 tokens", "prompt is too long: 9 tokens"])
def test_claude_code_recognises_a_prompt_that_is_too_long(message: str) -> None:
    _, body = Anthropic().write_error(errors.ContextTooLong(message), "r")
    assert json.loads(body)["error"]["message"] == "prompt is too long: 9 tokens"


def test_the_official_client_raises_the_right_class() -> None:
    status, body = Anthropic().write_error(errors.RateLimited("slow down"), "req_1")
    with pytest.raises(anthropic.RateLimitError) as caught:
        client(status, body).messages.create(model="m", max_tokens=1, messages=[])
    assert caught.value.type == "rate_limit_error"


def test_the_official_client_raises_an_error_in_the_stream() -> None:
    data = Anthropic().stream_writer(answering()).close(errors.UpstreamOverloaded("no capacity"))
    with pytest.raises(anthropic.APIStatusError, match="no capacity") as caught:
        accumulate(data)
    assert caught.value.type == "overloaded_error"
