"""The npm package @anthropic-ai/sdk gets from Google's models what it expects of Anthropic's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk.node_sdks import CLAUDE, GEMINI, LONG, MODELS, NODE, PIXEL, Node, asked, each, refused, replayed

pytestmark = NODE

Outcomes = dict[str, Any]


@pytest.fixture
def outcomes(node: Node) -> Outcomes:
    return node.run("anthropic.mjs")


def test_text(outcomes: Outcomes) -> None:
    assert outcomes["text"] == {model: ["good morning", "end_turn", model, True] for model in MODELS}


def test_stream(outcomes: Outcomes) -> None:
    assert outcomes["stream"] == each(MODELS, [LONG, True, LONG, "end_turn", True])


def test_raw_events_of_a_stream(outcomes: Outcomes) -> None:
    assert outcomes["events"] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


@pytest.mark.parametrize(
    ("scenario", "thoughts"),
    [("toolLoop", "anthropic, whole"), ("streamedToolLoop", "anthropic, streamed"), ("unaskedThoughts", "")],
)
def test_tool_loop_with_the_content_sent_back_as_it_came(outcomes: Outcomes, scenario: str, thoughts: str) -> None:
    assert outcomes[scenario] == each(MODELS, [thoughts, "tool_use", "it is sunny", "end_turn"])


@pytest.mark.parametrize(
    ("mark", "claudes"),
    [("anthropic, whole", ["claude"]), ("anthropic, streamed", ["claude"]), ("anthropic, unasked", [])],
)
def test_signatures_come_back_to_the_model_that_made_them(outcomes: Outcomes, mark: str, claudes: list[str]) -> None:
    """Gemini signs its calls, also when nobody asked it to think."""
    assert replayed(outcomes, mark) == [["gemini"], claudes, ["gemini"]]


def test_functions_are_called_by_the_sdk(outcomes: Outcomes) -> None:
    """It asks for a thread first, and is told in Anthropic's own words that there are none."""
    done = [["it is sunny in both"] * 2, ["Rome", "Oslo", "Rome", "Oslo"]]
    assert outcomes["toolRunner"] == each(MODELS, done)


def test_parallel_calls_answered_in_another_order(outcomes: Outcomes) -> None:
    assert outcomes["parallelCalls"] == each(MODELS, [2, "it is sunny in both"])


def test_streamed_parallel_calls(outcomes: Outcomes) -> None:
    assert outcomes["streamedParallelCalls"] == each(MODELS, [{"city": "Rome"}, {"city": "Oslo"}])


def test_thoughts_are_blocks(outcomes: Outcomes) -> None:
    assert outcomes["thoughts"] == each(MODELS, [["two and two", "four"]] * 2)


def test_image_in(outcomes: Outcomes) -> None:
    assert outcomes["imageIn"] == each(MODELS, "a dot for anthropic")
    parts = [request["contents"][-1]["parts"] for request in asked(outcomes, "a dot for anthropic")]
    assert [{"inlineData": {"mimeType": "image/png", "data": PIXEL}} in given for given in parts] == [True] * 3


def test_structured_output(outcomes: Outcomes) -> None:
    assert outcomes["structured"] == each(MODELS, {"city": "Oslo", "people": 700_000})


def test_models_come_page_by_page(outcomes: Outcomes) -> None:
    names, most = outcomes["models"]
    assert len(names) == len(set(names)) > 5
    assert {GEMINI, CLAUDE, "gemini-embedding-001", "demo"} <= set(names)
    assert most == 64000


def test_count_tokens(outcomes: Outcomes) -> None:
    assert outcomes["countTokens"] == each(MODELS, True)


def test_headers_name_the_request_and_the_upstream(outcomes: Outcomes) -> None:
    assert outcomes["headers"] == [f"google/{CLAUDE}", True]


@pytest.mark.parametrize(
    ("failure", "expected", "words"),
    [
        ("own bad request", ["BadRequestError", 400, "invalid_request_error"], "messages"),
        ("bad request", ["BadRequestError", 400, "invalid_request_error"], "JSON schema is invalid"),
        ("streamed bad request", ["BadRequestError", 400, "invalid_request_error"], "JSON schema is invalid"),
        ("thread", ["ThreadUnsupportedRequestError", 400, "invalid_request_error"], "thread"),
        ("wrong key", ["AuthenticationError", 401, "authentication_error"], "key"),
        ("unknown model", ["NotFoundError", 404, "not_found_error"], "claude-of-tomorrow"),
        ("model not listed", ["NotFoundError", 404, "not_found_error"], "claude-of-tomorrow"),
        ("no capacity", ["OverloadedError", 529, "overloaded_error"], "No capacity"),
        ("streamed no capacity", ["OverloadedError", 529, "overloaded_error"], "No capacity"),
        ("cut short", ["InternalServerError", 502, "api_error"], "ended before it was complete"),
    ],
)
def test_failures(outcomes: Outcomes, failure: str, expected: list[Any], words: str) -> None:
    *told, message = outcomes["failures"][failure]
    assert told == expected
    assert words in message


def test_a_short_rate_limit_is_waited_for(outcomes: Outcomes) -> None:
    assert outcomes["rateLimits"]["short"] == ["RateLimitError", 429, 1, 2]


def test_a_long_rate_limit_is_not_tried_again(outcomes: Outcomes) -> None:
    """Without a word from us the SDK would sleep a day."""
    error, status, retry_after, requests = outcomes["rateLimits"]["long"]
    assert (error, status, requests) == ("RateLimitError", 429, 1)
    assert retry_after > 3600


def test_who_tries_again_gets_the_answer(outcomes: Outcomes) -> None:
    assert outcomes["retries"] == ["now anthropic works", 2]


@pytest.mark.parametrize(
    ("broken", "begun", "kind"),
    [
        ("error", "Part one and part", "overloaded_error"),
        ("cut", "The first half of the sentence and then", "api_error"),
        ("drop", "12345678", "api_error"),
    ],
)
def test_stream_that_breaks_raises(outcomes: Outcomes, broken: str, begun: str, kind: str) -> None:
    assert outcomes["brokenStreams"][broken] == [begun, ["APIError"], ["APIError"], kind]


def test_the_upstreams_accept_whatever_was_not_meant_to_fail(outcomes: Outcomes) -> None:
    assert refused(outcomes) == {"!error"}
