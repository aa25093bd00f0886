"""The npm package ai gets from Google's models, through its provider of each dialect, what it expects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk.node_sdks import LONG, MODELS, NODE, PIXEL, Node, asked, each, refused, replayed

pytestmark = NODE

Outcomes = dict[str, Any]

PROVIDERS = ("chat", "responses", "compatible", "anthropic", "google")
SHOWING = ("compatible", "anthropic")  # those that ask for thoughts and show them, where nothing else is said
BROKEN = {
    "error": ["Part one and part", True],
    "cut": ["The first half of the sentence and then", True],
    "drop": ["12345678", True],
}
provider = pytest.mark.parametrize("provider", PROVIDERS)


@pytest.fixture
def outcomes(node: Node) -> Outcomes:
    return node.run("ai.mjs")


@provider
def test_text(outcomes: Outcomes, provider: str) -> None:
    assert outcomes["text"][provider] == each(MODELS, ["good morning", "stop", True])


@provider
def test_stream(outcomes: Outcomes, provider: str) -> None:
    assert outcomes["stream"][provider] == each(MODELS, [LONG, True, "stop", True])


@provider
@pytest.mark.parametrize("loop", ["toolLoop", "streamedToolLoop"])
def test_tool_loop(outcomes: Outcomes, provider: str, loop: str) -> None:
    assert outcomes[loop][provider] == each(MODELS, ["it is sunny", ["Rome"], ["tool-calls", "stop"]])


@pytest.mark.parametrize(
    ("provider", "signers"),
    [
        ("responses", [["gemini"], [], ["gemini"]]),  # it asks only OpenAI's models for thoughts
        ("anthropic", [["gemini"], ["claude"], ["gemini"]]),
        ("google", [["gemini"], ["claude"], ["gemini"]]),
    ],
)
@pytest.mark.parametrize("way", ["whole", "streamed"])
def test_signatures_come_back_to_the_model_that_made_them(
    outcomes: Outcomes, provider: str, way: str, signers: list[list[str]]
) -> None:
    """The two providers of Chat Completions drop what they do not know, and the gateway remembers it for them."""
    assert replayed(outcomes, f"ai, {way}, {provider}") == signers


@provider
def test_parallel_calls(outcomes: Outcomes, provider: str) -> None:
    assert outcomes["parallelCalls"][provider] == each(MODELS, ["it is sunny in both", ["Rome", "Oslo"]])


@provider
def test_thoughts(outcomes: Outcomes, provider: str) -> None:
    shown = "two and two" if provider in SHOWING else None
    assert outcomes["thoughts"][provider] == each(MODELS, [shown, "four"])


@provider
def test_structured_output(outcomes: Outcomes, provider: str) -> None:
    assert outcomes["structured"][provider] == each(MODELS, {"city": "Oslo", "people": 700_000})


@provider
def test_image_in(outcomes: Outcomes, provider: str) -> None:
    words = f"a dot for ai, {provider}"
    assert outcomes["imageIn"][provider] == each(MODELS, words)
    parts = [request["contents"][-1]["parts"] for request in asked(outcomes, words)]
    assert [{"inlineData": {"mimeType": "image/png", "data": PIXEL}} in given for given in parts] == [True] * 3


@provider
@pytest.mark.parametrize(
    ("failure", "status", "again", "words"),
    [
        ("bad request", 400, False, "Cannot find field"),
        ("no capacity", 503, True, "No capacity"),
        ("unknown model", 404, False, "gemini-9-of-tomorrow"),
    ],
)
def test_failures(outcomes: Outcomes, provider: str, failure: str, status: int, again: bool, words: str) -> None:
    told, retried, message = outcomes["failures"][provider][failure]
    overloaded = provider == "anthropic" and status == 503
    assert (told, retried) == (529 if overloaded else status, again)
    assert words in message


@provider
def test_stream_that_breaks_is_an_error(outcomes: Outcomes, provider: str) -> None:
    assert outcomes["brokenStreams"][provider] == BROKEN


def test_the_upstreams_accept_whatever_was_not_meant_to_fail(outcomes: Outcomes) -> None:
    assert refused(outcomes) == {"!error"}
