"""Acceptance cases G: how answers end, and what is counted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.replies import FC, T, chunk, script, usage
from tests.conformance.served import CHAT, DIALECTS, MESSAGES, Served
from tests.conformance.test_cases_tools import TOOL_ENDS, TOOLS

pytestmark = pytest.mark.anyio

STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
DIALECT = pytest.mark.parametrize("dialect", DIALECTS)

# the 24 words of FinishReason after some text: Chat's finish_reason and Messages' stop_reason; None is an error
ENDS: dict[str, tuple[str, str] | None] = {
    "FINISH_REASON_UNSPECIFIED": ("stop", "end_turn"),
    "STOP": ("stop", "end_turn"),
    "MAX_TOKENS": ("length", "max_tokens"),
    "SAFETY": ("content_filter", "refusal"),
    "RECITATION": ("content_filter", "refusal"),
    "LANGUAGE": ("stop", "end_turn"),
    "OTHER": ("stop", "end_turn"),
    "BLOCKLIST": ("content_filter", "refusal"),
    "PROHIBITED_CONTENT": ("content_filter", "refusal"),
    "SPII": ("content_filter", "refusal"),
    "MALFORMED_FUNCTION_CALL": None,
    "MALFORMED_RESPONSE": None,
    "UNEXPECTED_TOOL_CALL": None,
    "TOO_MANY_TOOL_CALLS": None,
    "MISSING_THOUGHT_SIGNATURE": None,
    "IMAGE_SAFETY": ("content_filter", "refusal"),
    "IMAGE_PROHIBITED_CONTENT": ("content_filter", "refusal"),
    "IMAGE_RECITATION": ("content_filter", "refusal"),
    "IMAGE_OTHER": ("stop", "end_turn"),
    "NO_IMAGE": ("stop", "end_turn"),
    "MODEL_ARMOR": ("content_filter", "refusal"),
    "ESCALATION": ("content_filter", "refusal"),
    "PUP_LIMITED_DISABLED": ("stop", "end_turn"),
    "CONTINUATION": ("length", "pause_turn"),
}
UNCLEAR = [
    "OTHER",
    "FINISH_REASON_UNSPECIFIED",
    "LANGUAGE",
    "NO_IMAGE",
    "IMAGE_OTHER",
    "PUP_LIMITED_DISABLED",
    "NEVER_HEARD_OF",
]
PLACES = {"openai-chat": 0, "anthropic": 1}


@STREAM
@DIALECT
@pytest.mark.parametrize("native", ENDS)
async def test_every_finish_reason_has_its_word(either: Served, native: str, dialect: str, stream: bool) -> None:
    """G1"""
    heard = await either.hear(dialect, script(chunk(T("a")), chunk(fin=native)), stream=stream, max_tokens=50)
    ends = ENDS[native]
    assert heard.finish == (ends and ends[PLACES[dialect]])
    assert (heard.error is None) == (ends is not None)
    assert heard.text == ("a" if stream or ends else "")


@STREAM
@DIALECT
@pytest.mark.parametrize("native", [*UNCLEAR, *(native for native, ends in ENDS.items() if ends is None)])
async def test_an_unclear_end_without_content_is_tried_again_and_then_an_error(
    either: Served, native: str, dialect: str, stream: bool
) -> None:
    """G1: nothing has been sent, so it is a status."""
    response = await either.post(DIALECTS[dialect], script(chunk(fin=native)), stream=stream, max_tokens=50)
    assert response.status_code == 502
    assert len(either.calls) >= 2


@STREAM
@DIALECT
@pytest.mark.parametrize("last", [chunk(fin="STOP"), chunk(fin="OTHER"), chunk(T(""))], ids=["stop", "other", "none"])
async def test_a_complete_call_makes_the_end_a_tool_turn(either: Served, last: Any, dialect: str, stream: bool) -> None:
    """G1: STOP, OTHER or no reason at all, after a call anywhere in the stream."""
    said = script(chunk(FC("f", {})), last)
    heard = await either.hear(dialect, said, stream=stream, tools=TOOLS[dialect]("f"), max_tokens=50)
    assert (heard.error, heard.finish) == (None, TOOL_ENDS[dialect])


@STREAM
@DIALECT
async def test_text_without_a_finish_reason_is_no_clean_end(either: Served, dialect: str, stream: bool) -> None:
    """G1: the stream ended with no finishReason"""
    heard = await either.hear(dialect, script(chunk(T("a"))), stream=stream, max_tokens=50)
    assert heard.finish is None
    assert heard.error is not None


@STREAM
@pytest.mark.parametrize(("dialect", "finish"), [("openai-chat", "content_filter"), ("anthropic", "refusal")])
async def test_a_blocked_prompt_is_a_refusal_with_its_tokens(
    either: Served, dialect: str, finish: str, stream: bool
) -> None:
    """G2"""
    counts = {"promptTokenCount": 13}
    blocked = script({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": counts})
    heard = await either.hear(dialect, blocked, stream=stream, max_tokens=50)
    assert (heard.text, heard.finish) == ("", finish)
    assert heard.usage["prompt_tokens" if dialect == "openai-chat" else "input_tokens"] == 13
    assert len(either.calls) == 1


async def test_a_refused_chat_message_says_why_without_content(either: Served) -> None:
    """G2"""
    response = await either.post(CHAT, script({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}))
    message = response.json()["choices"][0]["message"]
    assert message["content"] is None
    assert message["refusal"]


async def test_a_refused_message_holds_one_empty_text(either: Served) -> None:
    """G2"""
    blocked = script({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})
    answer = (await either.post(MESSAGES, blocked, max_tokens=50)).json()
    assert answer["content"] == [{"type": "text", "text": ""}]
    assert answer["stop_details"]["type"] == "refusal"


@STREAM
@pytest.mark.parametrize(
    ("counted", "chat", "output"),
    [
        (usage(20, 198, 623, th=405), (20, 603, 623, 405), 603),
        (usage(100, 3362, 3462, th=3347), (100, 3362, 3462, 3347), 3362),
    ],
    ids=["thoughts apart", "thoughts inside"],
)
async def test_thoughts_are_counted_once(
    either: Served, counted: Any, chat: tuple[int, ...], output: int, stream: bool
) -> None:
    """G4"""
    said = script(chunk(T("a"), fin="STOP", usage=counted))
    heard = await either.hear("openai-chat", said, stream=stream)
    tokens = heard.usage
    reasoning = tokens["completion_tokens_details"]["reasoning_tokens"]
    assert (tokens["prompt_tokens"], tokens["completion_tokens"], tokens["total_tokens"], reasoning) == chat
    heard = await either.hear("anthropic", said, stream=stream, max_tokens=50)
    assert heard.usage["output_tokens"] == output


@STREAM
async def test_cached_tokens_are_in_the_prompt_here_and_beside_the_input_there(either: Served, stream: bool) -> None:
    """G5"""
    said = script(chunk(T("a"), fin="STOP", usage=usage(1000, 10, 1010, cached=800)))
    chat = (await either.hear("openai-chat", said, stream=stream)).usage
    assert (chat["prompt_tokens"], chat["prompt_tokens_details"]["cached_tokens"]) == (1000, 800)
    messages = (await either.hear("anthropic", said, stream=stream, max_tokens=50)).usage
    assert (messages["input_tokens"], messages["cache_read_input_tokens"]) == (200, 800)


@STREAM
async def test_usage_without_numbers_changes_nothing(either: Served, stream: bool) -> None:
    """G6"""
    said = script(chunk(T("a"), usage=usage(3, 2, 5)), chunk(fin="STOP", usage={"trafficType": "ON_DEMAND"}))
    chat = (await either.hear("openai-chat", said, stream=stream)).usage
    assert (chat["prompt_tokens"], chat["completion_tokens"], chat["total_tokens"]) == (3, 2, 5)
    messages = (await either.hear("anthropic", said, stream=stream, max_tokens=50)).usage
    assert (messages["input_tokens"], messages["output_tokens"]) == (3, 2)
