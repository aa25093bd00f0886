"""`client.responses` of the npm package openai gets from Google's models what it expects of OpenAI's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk.node_sdks import GEMINI, LONG, MODELS, NODE, PIXEL, Node, asked, each, refused, replayed

pytestmark = NODE

Outcomes = dict[str, Any]


@pytest.fixture
def outcomes(node: Node) -> Outcomes:
    return node.run("openai_responses.mjs")


def test_text(outcomes: Outcomes) -> None:
    assert outcomes["text"] == {model: ["good morning", "completed", model, True] for model in MODELS}


def test_stream(outcomes: Outcomes) -> None:
    assert outcomes["stream"] == each(MODELS, [LONG, True, True, "response.created", "response.completed"])


def test_stream_that_the_sdk_puts_together(outcomes: Outcomes) -> None:
    assert outcomes["helper"] == each(MODELS, [LONG, LONG])


def test_responses_are_kept_until_they_are_deleted(outcomes: Outcomes) -> None:
    kept = ["I am the second", True, ["!say I am the second"], ["NotFoundError", 404]]
    assert outcomes["kept"] == each(MODELS, kept)


def test_a_conversation_goes_on_from_its_last_response(outcomes: Outcomes) -> None:
    said = [
        [part["text"] for turn in request["contents"] for part in turn["parts"]]
        for request in asked(outcomes, "!say I am the second")
    ]
    assert said == [["!say I am the first", "I am the first", "!say I am the second"]] * 3


def test_input_is_counted(outcomes: Outcomes) -> None:
    assert outcomes["counted"] == each(MODELS, ["response.input_tokens", True, True])


def test_tool_loop_with_the_output_sent_back_as_it_came(outcomes: Outcomes) -> None:
    assert outcomes["toolLoop"] == each(MODELS, [1, "it is sunny"])


def test_streamed_tool_loop_of_which_only_the_result_is_sent(outcomes: Outcomes) -> None:
    assert outcomes["streamedToolLoop"] == each(MODELS, [1, "it is sunny"])


@pytest.mark.parametrize("mark", ["responses, whole", "responses, streamed"])
def test_signatures_come_back_to_the_model_that_made_them(outcomes: Outcomes, mark: str) -> None:
    assert replayed(outcomes, mark) == [["gemini"], ["claude"], ["gemini"]]


def test_parallel_calls_answered_in_another_order(outcomes: Outcomes) -> None:
    assert outcomes["parallelCalls"] == each(MODELS, [2, "it is sunny in both"])


def test_free_form_tool(outcomes: Outcomes) -> None:
    assert outcomes["freeForm"] == each(MODELS, ["custom_tool_call", "sql", "select 1", "one"])


def test_thoughts_are_a_summary_for_who_asks(outcomes: Outcomes) -> None:
    assert outcomes["thoughts"] == each(MODELS, [["two and two"], "four", []])


def test_image_in(outcomes: Outcomes) -> None:
    assert outcomes["imageIn"] == each(MODELS, "a dot for responses")
    parts = [request["contents"][-1]["parts"] for request in asked(outcomes, "a dot for responses")]
    assert [{"inlineData": {"mimeType": "image/png", "data": PIXEL}} in given for given in parts] == [True] * 3


def test_image_out(outcomes: Outcomes) -> None:
    assert outcomes["imageOut"] == [["image_generation_call", PIXEL]]


def test_structured_output(outcomes: Outcomes) -> None:
    assert outcomes["structured"] == each(MODELS, {"city": "Oslo", "people": 700_000})


def test_headers_name_the_request_and_the_upstream(outcomes: Outcomes) -> None:
    assert outcomes["headers"] == [f"google/{GEMINI}", True]


@pytest.mark.parametrize(
    ("failure", "expected", "words"),
    [
        ("own bad request", ["BadRequestError", 400, None], "input"),
        ("unknown previous", ["BadRequestError", 400, "previous_response_not_found"], "resp_of_nobody"),
        ("unknown response", ["NotFoundError", 404, "not_found"], "resp_of_nobody"),
        ("bad request", ["BadRequestError", 400, None], "Cannot find field"),
        ("streamed bad request", ["BadRequestError", 400, None], "Cannot find field"),
        ("wrong key", ["AuthenticationError", 401, "invalid_api_key"], "key"),
        ("unknown model", ["NotFoundError", 404, "model_not_found"], "gemini-9-of-tomorrow"),
        ("no capacity", ["InternalServerError", 503, "overloaded"], "No capacity"),
        ("streamed no capacity", ["InternalServerError", 503, "overloaded"], "No capacity"),
        ("cut short", ["InternalServerError", 502, "upstream_truncated"], "ended before it was complete"),
    ],
)
def test_failures(outcomes: Outcomes, failure: str, expected: list[Any], words: str) -> None:
    *told, message = outcomes["failures"][failure]
    assert told == expected
    assert words in message


def test_a_short_rate_limit_is_waited_for(outcomes: Outcomes) -> None:
    assert outcomes["rateLimit"] == ["RateLimitError", 429, 1, 2]


@pytest.mark.parametrize(
    ("broken", "begun"),
    [
        ("error", "Part one and part"),
        ("cut", "The first half of the sentence and then"),
        ("drop", "12345678"),
    ],
)
def test_stream_that_breaks_ends_as_failed(outcomes: Outcomes, broken: str, begun: str) -> None:
    assert outcomes["brokenStreams"][broken] == [begun, "response.failed", "failed", "server_error", "failed"]


def test_the_upstreams_accept_whatever_was_not_meant_to_fail(outcomes: Outcomes) -> None:
    assert refused(outcomes) == {"!error"}
