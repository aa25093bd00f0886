"""A whole Responses answer: the object that a stream ends with."""

import json

from openai.types.responses import Response

from gateway import ir
from gateway.dialects.openai_responses.request import read_request
from gateway.dialects.openai_responses.whole import write_both

from .responses import ID, answer, answering, block, call, signed, text, thinking, whole, write

FREE = (ir.Tool(name="patch", free_form=True),)
EVENTS = answer(
    signed(thinking("hm"), "claude"),
    text("a"),
    text("b"),
    signed(call("f", '{"q": 1}', ident="1"), kind="f"),
    call("patch", '{"input":"x"}', ident="2"),
    block("media", ir.MediaChunk(media_type="image/png", data="iVBORw0KGgo=")),
)


def test_a_small_answer() -> None:
    body = whole(answer(text("Hello")))
    part = {"type": "output_text", "text": "Hello", "annotations": []}
    assert (body["id"], body["status"], body["usage"]["total_tokens"]) == (f"resp_{ID}", "completed", 0)
    message = {"id": f"msg_{ID}00", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    assert body["output"] == [message]


def test_the_sdk_reads_it() -> None:
    response = Response.model_validate(whole(EVENTS, answering(tools=FREE, store=False)))
    assert response.output_text == "ab"
    assert [item.type for item in response.output] == [
        "reasoning",
        "message",
        "reasoning",
        "function_call",
        "custom_tool_call",
        "image_generation_call",
    ]


def test_it_is_the_end_of_the_stream() -> None:
    to = answering(tools=FREE, store=False)
    assert whole(EVENTS, to) == write(EVENTS, to).response


def test_what_is_kept_has_the_seals() -> None:
    kept, told = whole(EVENTS, stored=True), whole(EVENTS)
    assert [bool(item.get("encrypted_content")) for item in kept["output"]] == [True, False, True, False, False, False]
    assert [item["id"] for item in kept["output"]] == [item["id"] for item in told["output"]]
    assert not any("encrypted_content" in item for item in told["output"])


def test_a_cut_call_is_incomplete() -> None:
    body = whole(answer(text("a"), call("f", '{"q'), reason="length"))
    assert [item["status"] for item in body["output"]] == ["completed", "incomplete"]
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_source_goes_to_the_text_that_has_its_words() -> None:
    source = ir.CitationDelta(url="https://e.org", start=0, end=3, text="one")
    body = whole(answer(block("text", ir.TextDelta("one"), source), text("two")))
    assert [len(part["annotations"]) for part in body["output"][0]["content"]] == [1, 0]


def test_a_source_without_words_goes_to_the_last_text() -> None:
    source = ir.CitationDelta(url="https://e.org")
    body = whole(answer(text("one"), block("text", ir.TextDelta("two"), source)))
    assert [len(part["annotations"]) for part in body["output"][0]["content"]] == [0, 1]


def test_a_source_without_any_text_is_left_out() -> None:
    source = ir.CitationDelta(url="https://e.org")
    reply = ir.Reply(parts=(), finish=ir.Finished(reason="stop"), usage=ir.Usage(), citations=(source,))
    assert b'"output":[]' in write_both(reply, answering())[0]


def test_an_answer_withheld_is_a_refusal() -> None:
    body = whole(answer(reason="content_filter", explanation="No."))
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "content_filter"})
    assert body["output"][0]["content"] == [{"type": "refusal", "refusal": "No."}]


def test_a_model_that_refuses_has_come_to_its_end() -> None:
    end = ir.Finished(reason="content_filter", native="stop", explanation="I can't.")
    body = whole([ir.Started(), end])
    assert (body["status"], body["incomplete_details"]) == ("completed", None)
    assert body["output"][0]["content"] == [{"type": "refusal", "refusal": "I can't."}]


def test_a_model_may_refuse_after_its_first_words() -> None:
    end = ir.Finished(reason="content_filter", native="stop", explanation="I can't.")
    body = whole([ir.Started(), *text("So"), end])
    assert body["status"] == "completed"
    assert [part["type"] for part in body["output"][0]["content"]] == ["output_text", "refusal"]
    assert body["output"][0]["content"][1] == {"type": "refusal", "refusal": "I can't."}


def test_what_was_told_comes_back_as_it_was_said() -> None:
    tools = (ir.Tool(name="n__f", namespace=("n", "f")), *FREE)
    said = answer(
        signed(thinking("hm"), "claude"),
        text("a"),
        signed(call("n__f", '{"q":1}', ident="1"), kind="f"),
        call("patch", '{"input":"x"}', ident="2"),
    )
    fold = ir.Fold()
    fold.feed(said)
    told = whole(said, answering(tools=tools, store=False))["output"]
    declared = [{"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]}]
    body = {"model": "m", "input": told, "tools": [*declared, {"type": "custom", "name": "patch"}]}
    (turn,) = read_request(json.dumps(body).encode()).turns
    assert turn.parts == fold.reply().parts
