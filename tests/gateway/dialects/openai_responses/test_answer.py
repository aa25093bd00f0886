"""The Response object around the items."""

import pytest

from gateway import errors, ir
from gateway.dialects.openai_responses import answer

from .responses import ID, answering

DEFAULTS = {
    "id": f"resp_{ID}",
    "object": "response",
    "created_at": 1_700_000_001,
    "status": "in_progress",
    "error": None,
    "incomplete_details": None,
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "model": "asked",
    "output": [],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "usage": None,
    "user": None,
}


def test_the_object_of_a_caller_that_said_nothing() -> None:
    assert answer.frame(answering()) == DEFAULTS


def test_the_object_repeats_the_request() -> None:
    echo = {"temperature": b"0.5", "metadata": b'{"a":"b"}', "instructions": b'"be kind"', "user": b'"u"'}
    frame = answer.frame(answering(echo=echo, store=False, previous="resp_1"))
    assert {field: bytes(frame[field]) for field in echo} == echo  # type: ignore[call-overload]  # they are Raw
    assert (frame["store"], frame["previous_response_id"]) == (False, "resp_1")


def test_null_is_as_good_as_nothing() -> None:
    assert answer.frame(answering(echo={"temperature": b"null", "tools": b"null"})) == DEFAULTS


def test_the_service_tier_is_ours() -> None:
    assert answer.frame(answering(echo={"service_tier": b'"flex"'}))["service_tier"] == "default"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.RateLimited("m"), "rate_limit_exceeded"),
        (errors.UpstreamRateLimited("m"), "rate_limit_exceeded"),
        (errors.UpstreamRateLimited("m", code="insufficient_quota"), "insufficient_quota"),
        (errors.InvalidRequest("m"), "invalid_prompt"),
        (errors.UpstreamRejected("m"), "invalid_prompt"),
        (errors.ContextTooLong("m"), "context_length_exceeded"),
        (errors.UpstreamRejected("m", code="context_length_exceeded"), "context_length_exceeded"),
        (errors.StreamBroken("m"), "server_error"),
        (errors.UpstreamOverloaded("m"), "server_error"),
        (errors.UpstreamCredential("m"), "server_error"),
        (errors.Draining("m"), "server_error"),
    ],
)
def test_codes_of_failures(error: errors.GatewayError, code: str) -> None:
    assert answer.failure(error) == {"code": code, "message": "m"}


def test_usage_has_both_details() -> None:
    assert answer.usage(ir.Usage(input=10, output=7, cache_read=4, cache_write=1, reasoning=5)) == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 17,
    }
