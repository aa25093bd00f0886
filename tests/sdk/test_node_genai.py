"""The npm package @google/genai gets from Google's and other models what it expects of Gemini's API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk.node_sdks import CLAUDE, GEMINI, LONG, MODELS, NODE, PIXEL, Node, asked, each, refused, replayed

pytestmark = NODE

Outcomes = dict[str, Any]
ALL = (*MODELS, "demo")


@pytest.fixture
def outcomes(node: Node) -> Outcomes:
    return node.run("genai.mjs")


def test_text(outcomes: Outcomes) -> None:
    assert outcomes["text"] == each(ALL, ["good morning", "STOP", True])


def test_stream(outcomes: Outcomes) -> None:
    assert outcomes["stream"] == each(ALL, [LONG, True, ["STOP"], True])


@pytest.mark.parametrize(
    ("scenario", "thoughts"), [("toolLoop", "genai, whole"), ("streamedToolLoop", "genai, streamed")]
)
def test_tool_loop_with_the_content_sent_back_as_it_came(outcomes: Outcomes, scenario: str, thoughts: str) -> None:
    assert outcomes[scenario] == each(MODELS, [thoughts, True, "it is sunny"])


@pytest.mark.parametrize("mark", ["genai, whole", "genai, streamed"])
def test_signatures_come_back_to_the_model_that_made_them(outcomes: Outcomes, mark: str) -> None:
    assert replayed(outcomes, mark) == [["gemini"], ["claude"], ["gemini"]]


def test_functions_are_called_by_the_sdk(outcomes: Outcomes) -> None:
    done = ["it is sunny in both", "it is sunny in both", ["Rome", "Oslo", "Rome", "Oslo"]]
    assert outcomes["callableTool"] == each(MODELS, done)


def test_chat_keeps_its_history(outcomes: Outcomes) -> None:
    """The SDK keeps each chunk of a stream as a content of its own, empty ones too."""
    assert [(model, answer) for model, (answer, _) in outcomes["chat"].items()] == [(model, "three") for model in ALL]
    assert all(length > 6 for _, length in outcomes["chat"].values())


def test_parallel_calls(outcomes: Outcomes) -> None:
    assert outcomes["parallelCalls"] == each(MODELS, [[["Rome", "Oslo"], "it is sunny in both"]] * 2)


def test_thoughts_are_shown_to_who_asked_for_them(outcomes: Outcomes) -> None:
    assert outcomes["thoughts"] == each(MODELS, ["two and two", "four", ""])


def test_image_in(outcomes: Outcomes) -> None:
    assert outcomes["imageIn"] == each(MODELS, "a dot for genai")
    parts = [request["contents"][-1]["parts"] for request in asked(outcomes, "a dot for genai")]
    assert [{"inlineData": {"mimeType": "image/png", "data": PIXEL}} in given for given in parts] == [True] * 3


def test_image_out(outcomes: Outcomes) -> None:
    assert outcomes["imageOut"] == [True, True]


def test_structured_output(outcomes: Outcomes) -> None:
    assert outcomes["structured"] == each(MODELS, {"city": "Oslo", "people": 700_000})


def test_a_call_that_must_be(outcomes: Outcomes) -> None:
    assert outcomes["forcedCall"] == [["weather", {"city": "Rome"}]]


def test_models_come_page_by_page(outcomes: Outcomes) -> None:
    names, actions = outcomes["models"]
    assert len(names) == len(set(names)) > 5
    assert {f"models/{name}" for name in (GEMINI, CLAUDE, "gemini-embedding-001", "demo")} <= set(names)
    assert actions == ["generateContent", "countTokens"]


def test_count_tokens(outcomes: Outcomes) -> None:
    assert outcomes["countTokens"] == each(ALL, True)


def test_embeddings_are_the_upstreams_that_has_them(outcomes: Outcomes) -> None:
    assert outcomes["publicEmbeddings"] == [3072]
    *told, message = outcomes["embeddings"]
    assert told == ["ApiError", 404, "NOT_FOUND"]
    assert "embeddings" in message


@pytest.mark.parametrize(
    ("failure", "expected", "words"),
    [
        ("own bad request", [400, "INVALID_ARGUMENT"], "contents[0].parts[0].inlineData.data"),
        ("bad request", [400, "INVALID_ARGUMENT"], "Cannot find field"),
        ("streamed bad request", [400, "INVALID_ARGUMENT"], "Cannot find field"),
        ("wrong key", [401, "UNAUTHENTICATED"], "key"),
        ("unknown model", [404, "NOT_FOUND"], "gemini-9-of-tomorrow"),
        ("model not listed", [404, "NOT_FOUND"], "gemini-9-of-tomorrow"),
        ("rate limit", [429, "RESOURCE_EXHAUSTED"], "cooling until"),
        ("no capacity", [503, "UNAVAILABLE"], "No capacity"),
        ("streamed no capacity", [503, "UNAVAILABLE"], "No capacity"),
        ("cut short", [502, "INTERNAL"], "ended before it was complete"),
    ],
)
def test_failures(outcomes: Outcomes, failure: str, expected: list[Any], words: str) -> None:
    *told, message = outcomes["failures"][failure]
    assert told == ["ApiError", *expected]
    assert words in message


def test_who_tries_again_gets_the_answer(outcomes: Outcomes) -> None:
    assert outcomes["retries"] == ["now genai works", 2]


@pytest.mark.parametrize(
    ("broken", "begun", "error"),
    [
        ("error", "Part one and part", [503, "UNAVAILABLE"]),
        ("cut", "The first half of the sentence and then", [502, "INTERNAL"]),
        ("drop", "12345678", [502, "INTERNAL"]),
    ],
)
def test_stream_that_breaks_raises(outcomes: Outcomes, broken: str, begun: str, error: list[Any]) -> None:
    assert outcomes["brokenStreams"][broken] == [begun, ["ApiError", *error]]


def test_the_upstreams_accept_whatever_was_not_meant_to_fail(outcomes: Outcomes) -> None:
    assert refused(outcomes) == {"!error"}
