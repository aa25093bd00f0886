"""The frame of a Responses stream: opening, numbers, terminal events."""

import json

import pytest
from msgspec import Raw

from gateway import errors, ir
from gateway.dialects.openai_responses.stream import StreamWriter

from .responses import ID, Stream, answer, answering, block, call, signed, text, thinking, write

ITEM = {"id": f"msg_{ID}00", "type": "message", "role": "assistant"}
AT = {"item_id": f"msg_{ID}00", "output_index": 0, "content_index": 0}


def test_the_events_of_a_small_stream() -> None:
    usage = ir.Usage(input=3, output=2)
    stream = write([ir.Started(), *text("He", "llo"), ir.UsageReported(usage), ir.Finished(reason="stop")])
    part = {"type": "output_text", "text": "Hello", "annotations": []}
    done = ITEM | {"status": "completed", "content": [part]}
    assert stream.events[2:-1] == [
        {"type": f"response.{name}", "sequence_number": number, **members}
        for number, (name, members) in enumerate(
            [
                ("output_item.added", {"output_index": 0, "item": ITEM | {"status": "in_progress", "content": []}}),
                ("content_part.added", AT | {"part": part | {"text": ""}}),
                ("output_text.delta", AT | {"delta": "He", "logprobs": []}),
                ("output_text.delta", AT | {"delta": "llo", "logprobs": []}),
                ("output_text.done", AT | {"text": "Hello", "logprobs": []}),
                ("content_part.done", AT | {"part": part}),
                ("output_item.done", {"output_index": 0, "item": done}),
            ],
            start=2,
        )
    ]
    assert stream.response["output"] == [done]
    assert stream.response["usage"] == {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 5,
    }


def test_the_bytes_of_a_delta() -> None:
    writer = StreamWriter(answering())
    writer.feed([ir.Started(), ir.BlockStarted(kind="text"), ir.TextDelta("a")])
    data = json.dumps(
        {
            "type": "response.output_text.delta",
            "sequence_number": 5,
            **AT,
            "delta": 'é "\u2028',
            "logprobs": [],
        },
        separators=(",", ":"),
        ensure_ascii=False,
    ).replace("\u2028", "\\u2028")
    assert writer.feed([ir.TextDelta('é "\u2028')]).decode() == f"event: response.output_text.delta\ndata: {data}\n\n"


def test_nothing_goes_out_before_there_is_content() -> None:
    writer = StreamWriter(answering())
    assert writer.feed([ir.Started(), ir.BlockStarted(kind="text"), ir.TextDelta("")]) == b""
    assert writer.feed([]) == b""
    assert writer.feed([ir.TextDelta("a")]).startswith(b"event: response.created\n")


def test_an_answer_without_content_is_complete_and_empty() -> None:
    stream = write(answer())
    assert stream.names == ["created", "in_progress", "completed"]
    assert stream.output == []


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("stop", None),
        ("stop_sequence", None),
        ("tool_calls", None),
        ("pause", None),
        ("length", "max_output_tokens"),
        ("context_window", "max_output_tokens"),
        ("content_filter", "content_filter"),
    ],
)
def test_finish_reasons(reason: ir.FinishReason, why: str | None) -> None:
    response = write(answer(text("a"), reason=reason)).response
    status = "incomplete" if why else "completed"
    assert (response["status"], response["output"][0]["status"]) == (status, status)
    assert response["incomplete_details"] == ({"reason": why} if why else None)


def test_geminis_continuation_is_a_cut() -> None:
    response = write(answer(text("a"), reason="pause", native="CONTINUATION")).response
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}


@pytest.mark.parametrize("feed", [True, False], ids=["failed", "closed"])
def test_an_error_in_midstream_closes_nothing(feed: bool) -> None:
    writer = StreamWriter(answering())
    data = writer.feed([ir.Started(usage=ir.Usage(input=7)), *text("a")[:-1]])
    error = errors.StreamBroken("it broke")
    stream = Stream(data + (writer.feed([ir.Failed(error)]) if feed else writer.close(error)))
    assert stream.names[2:] == ["output_item.added", "content_part.added", "output_text.delta", "failed"]
    assert stream.response["error"] == {"code": "server_error", "message": "it broke"}
    assert stream.response["usage"]["input_tokens"] == 7
    content = [{"type": "output_text", "text": "a", "annotations": []}]
    assert stream.output == [ITEM | {"status": "incomplete", "content": content}]


@pytest.mark.parametrize("arguments", ['{"a":', '{"a":1}'])
def test_an_error_leaves_a_call_undone(arguments: str) -> None:
    stream = write([ir.Started(), *call("f", arguments)[:-1]])
    assert stream.names[-1] == "failed"
    assert (stream.output[0]["status"], stream.output[0]["arguments"]) == ("incomplete", arguments)


def test_an_error_before_anything_is_a_stream_of_its_own() -> None:
    writer = StreamWriter(answering())
    stream = Stream(writer.close(errors.UpstreamTimeout("too slow")))
    assert stream.names == ["created", "in_progress", "failed"]
    assert (stream.output, stream.response["usage"]) == ([], None)


def test_a_stream_that_just_ends_has_failed() -> None:
    assert write([ir.Started(), *text("a")]).status == "failed"


def test_nothing_follows_the_terminal_event() -> None:
    writer = StreamWriter(answering())
    writer.feed(answer(text("a")))
    assert writer.feed([*text("late"), ir.Finished(reason="stop")]) + writer.close() == b""
    assert writer.close(errors.InternalError("late")) == b""


def test_the_last_count_holds() -> None:
    counts = [ir.UsageReported(ir.Usage(input=1)), ir.UsageReported(ir.Usage(input=9, cache_read=4, cache_write=2))]
    events = [ir.Started(usage=ir.Usage(input=5)), *text("a"), *counts, ir.Finished(reason="stop")]
    usage = write(events).response["usage"]
    assert usage["input_tokens"] == 9
    assert usage["input_tokens_details"] == {"cached_tokens": 4, "cache_write_tokens": 2}


def test_the_response_is_kept_when_the_stream_has_ended() -> None:
    writer = StreamWriter(answering())
    data = writer.feed([ir.Started(), *text("a")])
    assert writer.response is None
    stream = Stream(data + writer.feed([ir.Finished(reason="stop")]))
    assert json.loads(writer.response or b"") == stream.response


def test_what_is_kept_has_the_seal_that_the_caller_did_not_ask_for() -> None:
    writer = StreamWriter(answering(store=True))
    stream = Stream(writer.feed(answer(signed(thinking("a"), "claude"))))
    (told,) = stream.output
    (kept,) = json.loads(writer.response or b"")["output"]
    assert "encrypted_content" not in told
    assert kept == told | {"encrypted_content": ir.seal(ir.Signature("claude", "R0VN"))}


def test_a_callers_own_line_breaks_do_not_break_events() -> None:
    tools = b'[\r\n {"type": "function",\n  "name": "f", "parameters": null} ]'
    response = write(answer(text("a")), answering(echo={"tools": tools})).response
    assert response["tools"] == [{"type": "function", "name": "f", "parameters": None}]


def test_what_only_one_dialect_knows_is_left_out() -> None:
    opaque = ir.OpaqueEvent(dialect="gemini", kind="grounding", value=Raw(b"{}"))
    assert write(answer([opaque], text("a"), [opaque])).events == write(answer(text("a"))).events


def test_an_empty_block_is_no_item() -> None:
    assert write(answer(block("text"), block("thinking"), block("media"))).output == []
