"""The npm package openai gets from Google's models what it expects of OpenAI's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk.node_sdks import CLAUDE, GEMINI, LONG, MODELS, NODE, PIXEL, Node, asked, each, refused, replayed

pytestmark = NODE

Outcomes = dict[str, Any]


@pytest.fixture
def outcomes(node: Node) -> Outcomes:
    return node.run("openai.mjs")


def test_text(outcomes: Outcomes) -> None:
    assert outcomes["text"] == {model: ["good morning", "stop", model, True] for model in MODELS}


def test_stream(outcomes: Outcomes) -> None:
    assert outcomes["stream"] == each(MODELS, [LONG, True, ["stop"], True])


def test_tool_loop_with_the_message_sent_back_as_it_came(outcomes: Outcomes) -> None:
    assert outcomes["toolLoop"] == each(MODELS, ["tool_calls", "it is sunny", "stop"])


def test_streamed_tool_loop(outcomes: Outcomes) -> None:
    """The SDK's streams keep the last piece of the thoughts only, and Claude signs all of them."""
    assert outcomes["streamedToolLoop"] == each(MODELS, ["tool_calls", "it is sunny"])


@pytest.mark.parametrize("mark", ["openai, whole", "openai, streamed"])
def test_signatures_come_back_to_the_model_that_made_them(outcomes: Outcomes, mark: str) -> None:
    assert replayed(outcomes, mark) == [["gemini"], ["claude"], ["gemini"]]


def test_functions_are_called_by_the_sdk(outcomes: Outcomes) -> None:
    done = ["it is sunny in both", "it is sunny in both", ["Rome", "Oslo", "Rome", "Oslo"]]
    assert outcomes["runTools"] == each(MODELS, done)


def test_parallel_calls_answered_in_another_order(outcomes: Outcomes) -> None:
    assert outcomes["parallelCalls"] == each(MODELS, [2, "it is sunny in both"])


def test_streamed_parallel_calls_have_indexes(outcomes: Outcomes) -> None:
    assert outcomes["streamedParallelCalls"] == each(MODELS, [[0, 1], [{"city": "Rome"}, {"city": "Oslo"}]])


def test_thoughts_come_beside_the_content_unless_switched_off(outcomes: Outcomes) -> None:
    assert outcomes["thoughts"] == each(MODELS, ["two and two", "four", False])


def test_image_in(outcomes: Outcomes) -> None:
    assert outcomes["imageIn"] == each(MODELS, "a dot for openai")
    parts = [request["contents"][-1]["parts"] for request in asked(outcomes, "a dot for openai")]
    assert [{"inlineData": {"mimeType": "image/png", "data": PIXEL}} in given for given in parts] == [True] * 3


def test_structured_output(outcomes: Outcomes) -> None:
    assert outcomes["structured"] == each(MODELS, {"city": "Oslo", "people": 700_000})


def test_models(outcomes: Outcomes) -> None:
    names, one = outcomes["models"]
    assert len(names) == len(set(names))
    assert {GEMINI, CLAUDE, "gemini-embedding-001", "demo"} <= set(names)
    assert one == GEMINI


def test_headers_name_the_request_and_the_upstream(outcomes: Outcomes) -> None:
    assert outcomes["headers"] == [f"google/{GEMINI}", True]


@pytest.mark.parametrize(
    ("failure", "expected", "words"),
    [
        ("own bad request", ["BadRequestError", 400, None], "messages"),
        ("bad request", ["BadRequestError", 400, None], "Cannot find field"),
        ("streamed bad request", ["BadRequestError", 400, None], "Cannot find field"),
        ("wrong key", ["AuthenticationError", 401, "invalid_api_key"], "key"),
        ("unknown model", ["NotFoundError", 404, "model_not_found"], "gemini-9-of-tomorrow"),
        ("model not listed", ["NotFoundError", 404, "model_not_found"], "gemini-9-of-tomorrow"),
        ("no capacity", ["InternalServerError", 503, "overloaded"], "No capacity"),
        ("streamed no capacity", ["InternalServerError", 503, "overloaded"], "No capacity"),
        ("cut short", ["InternalServerError", 502, "upstream_truncated"], "ended before it was complete"),
    ],
)
def test_failures(outcomes: Outcomes, failure: str, expected: list[Any], words: str) -> None:
    *told, message = outcomes["failures"][failure]
    assert told == expected
    assert words in message


def test_embeddings_are_not_found(outcomes: Outcomes) -> None:
    assert outcomes["failures"]["embeddings"][:2] == ["NotFoundError", 404]


def test_a_short_rate_limit_is_waited_for(outcomes: Outcomes) -> None:
    assert outcomes["rateLimits"]["short"] == ["RateLimitError", 429, 1, 2]


def test_a_long_rate_limit_is_not_tried_again(outcomes: Outcomes) -> None:
    error, status, retry_after, requests = outcomes["rateLimits"]["long"]
    assert (error, status, requests) == ("RateLimitError", 429, 1)
    assert retry_after > 3600


def test_who_tries_again_gets_the_answer(outcomes: Outcomes) -> None:
    assert outcomes["retries"] == ["now openai works", 2]


@pytest.mark.parametrize(
    ("broken", "begun", "code"),
    [
        ("error", "Part one and part", "overloaded"),
        ("cut", "The first half of the sentence and then", "upstream_truncated"),
        ("drop", "12345678", "upstream_truncated"),
    ],
)
def test_stream_that_breaks_raises(outcomes: Outcomes, broken: str, begun: str, code: str) -> None:
    assert outcomes["brokenStreams"][broken] == [begun, *2 * [["APIError", None, code]]]


def test_the_upstreams_accept_whatever_was_not_meant_to_fail(outcomes: Outcomes) -> None:
    assert refused(outcomes) == {"!error"}
