"""Errors and the small answers."""

import json

import pytest

from gateway import errors
from gateway.dialects.openai_chat import OpenAIChat
from gateway.errors import GatewayError
from gateway.upstream import ModelInfo


def test_what_an_upstream_says_of_its_error_is_text_or_nothing() -> None:
    """Servers that are only compatible write the status there, as a number."""
    error = errors.UpstreamRejected("m")
    error.own = {"type": "BadRequestError", "code": 400, "param": 5}
    said = {"message": "m", "type": "BadRequestError", "param": None, "code": None}
    assert json.loads(OpenAIChat().write_error(error, "r")[1]) == {"error": said}
    error.own = {"type": "t", "code": "c", "param": None}
    assert json.loads(OpenAIChat().write_error(error, "r")[1])["error"] == said | {"type": "t", "code": "c"}


@pytest.mark.parametrize("code", [400, "400", None])
def test_a_prompt_too_long_has_its_code_whatever_a_compatible_server_writes(code: object) -> None:
    """LiteLLM writes the digits of the status and no type; programs that cut the prompt look for the code."""
    error = errors.ContextTooLong("litellm.ContextWindowExceededError: the context window is exceeded")
    error.own = {"type": None, "code": code, "param": None}
    said = json.loads(OpenAIChat().write_error(error, "r")[1])["error"]
    assert said["code"] == "context_length_exceeded"
    assert said["type"] == "invalid_request_error"


def test_an_upstream_may_say_that_an_error_has_no_code_but_not_that_its_status_is_one() -> None:
    error = errors.UpstreamRejected("m", code="ours")
    error.own = {"code": None}
    assert json.loads(OpenAIChat().write_error(error, "r")[1])["error"]["code"] is None
    error.own = {"code": "400"}
    assert json.loads(OpenAIChat().write_error(error, "r")[1])["error"]["code"] == "ours"


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (errors.InvalidRequest("m"), 400, "invalid_request_error", None),
        (
            errors.InvalidRequest("m", code="unsupported_parameter"),
            400,
            "invalid_request_error",
            "unsupported_parameter",
        ),
        (errors.Unauthenticated("m"), 401, "invalid_request_error", "invalid_api_key"),
        (errors.PermissionDenied("m"), 403, "invalid_request_error", "permission_denied"),
        (errors.NotFound("m"), 404, "invalid_request_error", "not_found"),
        (errors.ModelNotFound("m"), 404, "invalid_request_error", "model_not_found"),
        (errors.MethodNotAllowed("m"), 405, "invalid_request_error", "method_not_allowed"),
        (errors.RequestTimeout("m"), 408, "invalid_request_error", "request_timeout"),
        (errors.BodyTooLarge("m"), 413, "invalid_request_error", "request_too_large"),
        (errors.UnsupportedMediaType("m"), 415, "invalid_request_error", "unsupported_media_type"),
        (errors.RateLimited("m"), 429, "requests", "rate_limit_exceeded"),
        (errors.TokensLimited("m"), 429, "tokens", "rate_limit_exceeded"),
        (errors.UpstreamRejected("m"), 400, "invalid_request_error", None),
        (errors.UpstreamRateLimited("m"), 429, "requests", "rate_limit_exceeded"),
        (errors.UpstreamRateLimited("m", code="insufficient_quota"), 429, "insufficient_quota", "insufficient_quota"),
        (errors.UpstreamOverloaded("m"), 503, "server_error", "overloaded"),
        (errors.UpstreamUnavailable("m"), 502, "server_error", "upstream_error"),
        (errors.UpstreamTimeout("m"), 504, "server_error", "timeout"),
        (errors.UpstreamCredential("m"), 502, "server_error", "upstream_credential"),
        (errors.UpstreamCredential("m", status=429), 429, "server_error", "upstream_credential"),
        (errors.UpstreamCredential("m", status=401), 502, "server_error", "upstream_credential"),
        (errors.UpstreamCredential("m", status=403), 502, "server_error", "upstream_credential"),
        (errors.UpstreamMalformed("m"), 502, "server_error", "upstream_malformed"),
        (errors.StreamBroken("m"), 502, "server_error", "upstream_truncated"),
        (errors.InternalError("m"), 500, "server_error", "internal_error"),
        (errors.NotImplementedHere("m"), 501, "invalid_request_error", "not_implemented"),
        (errors.NoCredential("m"), 503, "server_error", "no_credential"),
        (errors.Draining("m"), 503, "server_error", "draining"),
        (GatewayError("m"), 500, "server_error", None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GatewayError) else None,
)
def test_each_cause(error: GatewayError, status: int, kind: str, code: str | None) -> None:
    given, body = OpenAIChat().write_error(error, "r")
    assert given == status
    assert json.loads(body) == {"error": {"message": "m", "type": kind, "param": None, "code": code}}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("9 tokens", "This model's maximum context length is exceeded: 9 tokens"),
        (
            "Sorry, this model's maximum context length is 8 tokens",
            "Sorry, this model's maximum context length is 8 tokens",
        ),
    ],
)
def test_a_prompt_that_is_too_long_says_so_in_openais_words(message: str, expected: str) -> None:
    status, body = OpenAIChat().write_error(errors.ContextTooLong(message), "r")
    error = {"message": expected, "type": "invalid_request_error", "param": None, "code": "context_length_exceeded"}
    assert (status, json.loads(body)) == (400, {"error": error})


def test_the_field_is_named() -> None:
    _, body = OpenAIChat().write_error(errors.InvalidRequest("m", param="messages[0].role"), "r")
    assert json.loads(body)["error"]["param"] == "messages[0].role"


def test_the_model_list() -> None:
    models = [("gemini-3-flash", ModelInfo(id="gemini-3-flash")), ("vertex/gemini-3-pro", ModelInfo(id="x"))]
    assert json.loads(OpenAIChat().write_models(models, {"limit": "1"})) == {
        "object": "list",
        "data": [
            {"id": "gemini-3-flash", "object": "model", "created": 1_700_000_000, "owned_by": "gateway"},
            {"id": "vertex/gemini-3-pro", "object": "model", "created": 1_700_000_000, "owned_by": "vertex"},
        ],
    }


def test_one_model() -> None:
    assert json.loads(OpenAIChat().write_model("m", ModelInfo(id="m"))) == {
        "id": "m",
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "gateway",
    }


@pytest.mark.parametrize(("query", "more"), [({}, {}), ({"client_version": "0.171.0"}, {"models": []})])
def test_the_list_has_a_catalogue_for_codex_alone(query: dict[str, str], more: dict[str, object]) -> None:
    listed = json.loads(OpenAIChat().write_models([("m", ModelInfo(id="m"))], query))
    assert [one["id"] for one in listed.pop("data")] == ["m"]
    assert listed == {"object": "list", **more}


def test_a_count() -> None:
    body = json.loads(OpenAIChat().write_count(12))
    assert body == {"object": "response.input_tokens", "input_tokens": 12}


def test_a_sign_of_life_is_a_comment() -> None:
    assert OpenAIChat().keepalive == b": keep-alive\n\n"
