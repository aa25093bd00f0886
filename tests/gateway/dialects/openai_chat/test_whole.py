"""Whole answers."""

import json
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects.openai_chat import OpenAIChat

from .chat import Json, answer, answering, block, call, text, thinking, whole, write


def message(events: list[ir.Event], **to: Any) -> Json:
    said: Json = whole(events, answering(**to))["choices"][0]["message"]
    return said


def test_the_shape_of_a_small_answer() -> None:
    usage = ir.Usage(input=10, output=20, cache_read=4, cache_write=1, reasoning=5)
    events = [ir.Started(), *text("hello"), ir.UsageReported(usage), ir.Finished(reason="stop")]
    assert whole(events) == {
        "id": "chatcmpl-0f0f0f0f0f0f0f0f0f0f0f0f",
        "object": "chat.completion",
        "created": 1_700_000_001,
        "model": "asked",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 20,
            "total_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
    }


@pytest.mark.parametrize(
    ("asked", "served", "told"), [("auto", "", "default"), ("flex", "flex", "flex"), (None, "", None)]
)
def test_who_chooses_a_service_tier_is_told_which_one_has_served_it(
    asked: str | None, served: ir.Tier, told: str | None
) -> None:
    """As openai.types.chat.ChatCompletion says of `service_tier`: where it is set, the response includes it."""
    to = answering(extras={"service_tier": Raw(json.dumps(asked).encode())} if asked else {})
    events = [ir.Started(), *text("a"), ir.UsageReported(ir.Usage(tier=served)), ir.Finished(reason="stop")]
    assert whole(events, to).get("service_tier") == write(events, to).chunks[-1].get("service_tier") == told


@pytest.mark.parametrize(
    ("events", "content"),
    [
        (answer(), ""),
        (answer(text("a"), text("b")), "ab"),
        (answer(thinking("t")), ""),
        (answer(call("f")), None),
        (answer(text("a"), call("f")), "a"),
        (answer(reason="content_filter", explanation="no"), None),
        (answer(reason="length"), ""),
    ],
)
def test_content_is_null_only_when_something_else_is_said(events: list[ir.Event], content: str | None) -> None:
    assert message(events)["content"] == content


def test_thoughts_are_joined_and_apart() -> None:
    events = answer(thinking("a"), text("c"), thinking("b"))
    assert message(events)["reasoning_content"] == "ab"


def test_hidden_thoughts_are_left_out() -> None:
    hidden = ir.Reasoning(mode="off", visible=False)
    assert "reasoning_content" not in message(answer(thinking("a"), text("c")), reasoning=hidden)


def test_a_blocked_prompt_is_a_refusal() -> None:
    assert message(answer(reason="content_filter", explanation="no")) == {
        "role": "assistant",
        "content": None,
        "refusal": "no",
    }


@pytest.mark.parametrize("native", ["stop", "completed"])
def test_a_model_that_refuses_has_come_to_its_end(native: str) -> None:
    end = ir.Finished(reason="content_filter", native=native, explanation="I can't.")
    choice = whole([ir.Started(), end])["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert (choice["message"]["content"], choice["message"]["refusal"]) == (None, "I can't.")


def test_a_model_may_refuse_after_its_first_words() -> None:
    end = ir.Finished(reason="content_filter", native="completed", explanation="I can't.")
    choice = whole([ir.Started(), *text("So"), end])["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert (choice["message"]["content"], choice["message"]["refusal"]) == ("So", "I can't.")


def test_calls_carry_their_signatures() -> None:
    signature = ir.Signature("gemini", "R0VN", "f")
    made = block("tool_call", ir.SignatureDelta(signature), ir.ArgumentsDelta('{"a":1}'), name="f", ident="c1")
    assert message(answer(made))["tool_calls"] == [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "f", "arguments": '{"a":1}'},
            "extra_content": {"google": {"thought_signature": ir.seal(signature)}},
        }
    ]


def test_text_carries_its_signature_on_the_message() -> None:
    signature = ir.Signature("gemini", "R0VN")
    signed = block("text", ir.TextDelta("a"), ir.SignatureDelta(signature))
    expected = {"google": {"thought_signature": ir.seal(signature)}}
    assert message(answer(signed))["extra_content"] == expected
    assert "extra_content" not in message(answer(signed), sealed=False)


def test_a_free_form_call_is_unwrapped() -> None:
    tools = (ir.Tool(name="sql", free_form=True),)
    (made,) = message(answer(call("sql", '{"input":"select 1"}')), tools=tools)["tool_calls"]
    assert made == {"id": "call_a", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}


def test_a_caller_of_older_functions_reads_function_call() -> None:
    body = whole(answer(call("f", '{"a":1}')), answering(tools=(ir.Tool(name="f", path="functions[0]"),)))
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"a":1}'}
    assert "tool_calls" not in choice["message"]


def test_pictures_are_markdown_or_beside_the_content() -> None:
    picture = block("media", ir.MediaChunk(media_type="image/png", data="AAAA"))
    url = "data:image/png;base64,AAAA"
    assert message(answer(picture))["content"] == f"![image]({url})"
    beside = message(answer(picture), images="images")
    assert beside["images"] == [{"image_url": {"url": url}, "index": 0, "type": "image_url"}]
    assert beside["content"] == ""


def test_a_citation_is_placed_in_the_block_that_has_its_words() -> None:
    first = block("text", ir.TextDelta("é fact"), ir.CitationDelta(url="u", start=3, end=7, text="fact"))
    (annotation,) = message(answer(text("abc"), first, text("tail")))["annotations"]
    assert annotation["url_citation"] == {"start_index": 5, "end_index": 9, "title": "", "url": "u"}


def test_a_citation_without_text_stands_at_the_start() -> None:
    lone = block("text", ir.CitationDelta(url="u", start=-4, end=99))
    (annotation,) = message(answer(lone))["annotations"]
    assert annotation["url_citation"] == {"start_index": 0, "end_index": 0, "title": "", "url": "u"}


def test_what_comes_back_is_what_went_out() -> None:
    """A caller that returns the message as it came gives the signatures back in their places."""
    mine = ir.Signature("gemini", "R0VN", "f")
    made = block("tool_call", ir.SignatureDelta(mine), ir.ArgumentsDelta("{}"), name="f", ident="c1")
    claude = ir.Signature("claude", "Q0xB")
    thought = block("thinking", ir.ThinkingDelta("t"), ir.SignatureDelta(claude))
    returned = message(answer(thought, text("a"), made))
    body = json.dumps({"model": "m", "messages": [returned]}).encode()
    (turn,) = OpenAIChat().read_request(body).turns
    assert [getattr(part, "signature", None) for part in turn.parts] == [claude, None, mine]
