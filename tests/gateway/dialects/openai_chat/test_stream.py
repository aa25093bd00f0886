"""Streams: their frame, their terminal, and what each event becomes."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway import ir
from gateway.dialects.openai_chat import OpenAIChat
from gateway.errors import StreamBroken, UpstreamOverloaded

from .chat import Stream, answer, answering, block, call, payloads, text, thinking, whole, write

FRAME = (
    '{"id":"chatcmpl-0f0f0f0f0f0f0f0f0f0f0f0f","object":"chat.completion.chunk","created":1700000001,"model":"asked"'
)
SIGNATURE = ir.Signature("gemini", "R0VN", "f")
SIGNED = {"google": {"thought_signature": ir.seal(SIGNATURE)}}


def test_the_bytes_of_a_small_stream() -> None:
    writer = OpenAIChat().stream_writer(answering())
    written = writer.feed(answer(text("He", "llo")))
    assert payloads(written) == [
        FRAME + ',"choices":[{"index":0,"delta":{"role":"assistant","content":"He"},"finish_reason":null}]}',
        FRAME + ',"choices":[{"index":0,"delta":{"content":"llo"},"finish_reason":null}]}',
        FRAME + ',"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        "[DONE]",
    ]


def test_nothing_goes_out_before_there_is_content() -> None:
    writer = OpenAIChat().stream_writer(answering())
    assert writer.feed([ir.Started(), ir.BlockStarted(kind="text"), ir.TextDelta("")]) == b""
    assert writer.feed([]) == b""
    assert writer.feed([ir.TextDelta("a")]) != b""


def test_an_empty_answer_is_an_empty_content() -> None:
    assert write(answer()).deltas == [{"role": "assistant", "content": ""}, {}]


@pytest.mark.parametrize("include", [True, False])
def test_usage_is_one_chunk_before_the_end_and_only_when_asked(include: bool) -> None:
    usage = ir.Usage(input=1000, cache_read=800, output=10, reasoning=4, total=5)
    events = [ir.Started(), *text("a"), ir.UsageReported(usage), ir.Finished(reason="stop")]
    written = write(events, answering(include_usage=include))
    assert {"usage" in chunk for chunk in written.chunks} == {include}
    expected = {
        "prompt_tokens": 1000,
        "completion_tokens": 10,
        "total_tokens": 1010,
        "prompt_tokens_details": {"cached_tokens": 800, "cache_write_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    assert written.usage == (expected if include else None)


def test_the_prompt_count_of_the_start_holds_when_no_other_comes() -> None:
    events = [ir.Started(usage=ir.Usage(input=7)), *text("a"), ir.Finished(reason="stop")]
    usage = write(events, answering(include_usage=True)).usage
    assert usage is not None
    assert usage["prompt_tokens"] == 7


@pytest.mark.parametrize(
    ("reason", "expected", "with_call"),
    [
        ("stop", "stop", "tool_calls"),
        ("stop_sequence", "stop", "tool_calls"),
        ("tool_calls", "stop", "tool_calls"),
        ("pause", "stop", "tool_calls"),
        ("length", "length", "length"),
        ("context_window", "length", "length"),
        ("content_filter", "content_filter", "content_filter"),
    ],
)
def test_finish_reasons(reason: ir.FinishReason, expected: str, with_call: str) -> None:
    assert write(answer(text("a"), reason=reason)).finish == expected
    assert write(answer(call("f"), text("a"), reason=reason)).finish == with_call


def test_geminis_continuation_is_a_cut() -> None:
    paused = answer(text("a"), reason="pause", native="CONTINUATION")
    assert (write(paused).finish, whole(paused)["choices"][0]["finish_reason"]) == ("length", "length")


def test_thoughts_are_apart_from_content() -> None:
    assert write(answer(thinking("a", "b"), text("c"))).deltas == [
        {"role": "assistant", "content": "", "reasoning_content": "a"},
        {"reasoning_content": "b"},
        {"content": "c"},
        {},
    ]


def test_hidden_thoughts_are_not_written() -> None:
    signed = [*thinking("a")[:-1], ir.SignatureDelta(ir.Signature("claude", "Q0xB")), ir.BlockEnded()]
    hidden = answering(reasoning=ir.Reasoning(mode="off", visible=False))
    assert write(answer(signed, text("c")), hidden).deltas == [{"role": "assistant", "content": "c"}, {}]


def test_a_first_call_carries_role_and_null_content() -> None:
    function = {"name": "f", "arguments": '{"a":1}'}
    assert write(answer(call("f", '{"a":1}'))).deltas == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"index": 0, "id": "call_a", "type": "function", "function": function}],
        },
        {},
    ]


def test_calls_are_counted_over_the_whole_stream() -> None:
    calls = [call("f", '{"c":"B"}', ident="1"), text("and"), call("f", '{"c":"S"}', ident="2"), call("f", ident="3")]
    message = write(answer(*calls)).message()
    assert [(made["id"], made["function"]["arguments"]) for made in message["tool_calls"]] == [
        ("1", '{"c":"B"}'),
        ("2", '{"c":"S"}'),
        ("3", "{}"),
    ]


@pytest.mark.parametrize("size", [1, 9])
def test_later_pieces_of_arguments_follow_without_name(size: int) -> None:
    writer = OpenAIChat().stream_writer(answering())
    events = [ir.Started(), *call("f", '{"a"', "", ":1}"), ir.Finished(reason="stop")]
    written = b"".join(writer.feed(events[place : place + size]) for place in range(0, len(events), size))
    assert [delta["tool_calls"][0] for delta in Stream(written).deltas[:-1]] == [
        {"index": 0, "id": "call_a", "type": "function", "function": {"name": "f", "arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ":1}"}},
    ]


@pytest.mark.parametrize("place", [1, 2])
def test_the_signature_of_a_call_rides_on_its_delta(place: int) -> None:
    made = call("f", "{}")
    made.insert(place, ir.SignatureDelta(SIGNATURE))
    (first,) = write(answer(made)).deltas[0]["tool_calls"]
    assert first["extra_content"] == SIGNED


def test_a_late_signature_of_a_call_rides_on_its_last_piece() -> None:
    writer = OpenAIChat().stream_writer(answering())
    written = writer.feed([ir.Started(), *call("f", "{", "}")[:-1]])
    written += writer.feed([ir.SignatureDelta(SIGNATURE), ir.BlockEnded(), ir.Finished(reason="stop")])
    deltas = Stream(written).deltas
    assert "extra_content" not in deltas[0]["tool_calls"][0]
    assert deltas[1]["tool_calls"] == [{"index": 0, "function": {"arguments": "}"}, "extra_content": SIGNED}]


def test_the_signature_of_text_comes_once_at_the_end() -> None:
    blocks = [
        block("text", ir.TextDelta("a"), ir.SignatureDelta(ir.Signature("gemini", "QQ=="))),
        block("text", ir.TextDelta("b"), ir.SignatureDelta(SIGNATURE)),
    ]
    assert [delta.get("extra_content") for delta in write(answer(*blocks)).deltas] == [None, None, SIGNED, None]


def test_the_signature_of_thoughts_stands_alone_where_they_are_a_single_block() -> None:
    signature = ir.Signature("claude", "Q0xB")
    signed = block("thinking", ir.ThinkingDelta("t"), ir.SignatureDelta(signature))
    message = write(answer(signed, text("a"))).message()
    assert message["extra_content"] == {"google": {"thought_signature": ir.seal(signature)}}


@pytest.mark.parametrize(
    "make", [lambda events: write(events).message(), lambda events: whole(events)["choices"][0]["message"]]
)
def test_several_blocks_of_thoughts_are_carried_whole_each_in_its_place(make: Callable[..., Any]) -> None:
    first, second, third = (ir.Signature("claude", value) for value in ("Q0xB", "Q0xC", "Q0xD"))
    made = make(
        answer(
            block("thinking", ir.ThinkingDelta("a"), ir.ThinkingDelta("b"), ir.SignatureDelta(first)),
            block("thinking", ir.SignatureDelta(second)),
            call("f", "{}"),
            block("thinking", ir.ThinkingDelta("c"), ir.SignatureDelta(third)),
            call("f", "{}"),
        )
    )
    assert made["reasoning_content"] == "abc"
    blocks = [
        {"thinking": "ab", "signature": ir.seal(first)},
        {"thinking": "", "signature": ir.seal(second)},
        {"thinking": "c", "signature": ir.seal(third), "calls": 1},
    ]
    assert made["extra_content"] == {"gateway": {"blocks": blocks}}


@pytest.mark.parametrize(
    ("issuer", "to"), [(None, {"sealed": True}), ("gemini", {"sealed": True}), ("claude", {"sealed": False})]
)
def test_several_blocks_that_nobody_takes_back_are_not_carried(issuer: Any, to: dict[str, Any]) -> None:
    signature = [ir.SignatureDelta(ir.Signature(issuer, "Q0xB"))] if issuer else []
    signed = block("thinking", ir.ThinkingDelta("t"), *signature)
    assert "extra_content" not in write(answer(signed, signed, text("a")), answering(**to)).message()


@pytest.mark.parametrize(
    ("issuer", "pieces", "kept"), [("claude", "ab", {"thoughts": "ab"}), ("claude", "a", None), ("gemini", "ab", None)]
)
def test_thoughts_that_came_in_pieces_go_with_their_signature(
    issuer: ir.Family, pieces: str, kept: dict[str, str] | None
) -> None:
    """The Node SDK's streams keep the last `reasoning_content` only; Gemini's thoughts need not come back."""
    signed = block("thinking", *map(ir.ThinkingDelta, pieces), ir.SignatureDelta(ir.Signature(issuer, "Q0xB")))
    extra = write(answer(signed, text("c"))).message()["extra_content"]
    assert extra.get("gateway") == kept


def test_signatures_can_be_switched_off() -> None:
    made = call("f", "{}")
    made.insert(1, ir.SignatureDelta(SIGNATURE))
    assert "extra_content" not in json.dumps(write(answer(made), answering(sealed=False)).deltas)


def test_pictures_are_markdown() -> None:
    picture = block("media", ir.MediaChunk(media_type="image/png", data="AAAA"))
    assert write(answer(text("see "), picture)).message()["content"] == "see ![image](data:image/png;base64,AAAA)"


def test_pictures_may_stand_beside_the_content() -> None:
    picture = block("media", ir.MediaChunk(media_type="image/png", data="AAAA"))
    assert write(answer(picture, picture), answering("images")).deltas[:2] == [
        {
            "role": "assistant",
            "content": "",
            "images": [{"image_url": {"url": "data:image/png;base64,AAAA"}, "index": 0, "type": "image_url"}],
        },
        {"images": [{"image_url": {"url": "data:image/png;base64,AAAA"}, "index": 1, "type": "image_url"}]},
    ]


def test_citations_count_characters_of_the_content() -> None:
    # 🙂 and é are four and two bytes of UTF-8, and one character each
    cited = block(
        "text",
        ir.TextDelta("é🙂 fact"),
        ir.CitationDelta(url="https://x.test/1", title="T", start=7, end=11),
        ir.CitationDelta(url="https://x.test/2"),
        ir.TextDelta(" end"),
    )
    annotations = write(answer(text("abc"), cited)).message()["annotations"]
    assert [annotation["type"] for annotation in annotations] == ["url_citation", "url_citation"]
    assert [annotation["url_citation"] for annotation in annotations] == [
        {"start_index": 6, "end_index": 10, "title": "T", "url": "https://x.test/1"},
        {"start_index": 3, "end_index": 14, "title": "", "url": "https://x.test/2"},
    ]


@pytest.mark.parametrize(("explanation", "said"), [("not this", "not this"), (None, None)])
def test_a_blocked_prompt_is_a_refusal(explanation: str | None, said: str | None) -> None:
    first, last = write(answer(reason="content_filter", explanation=explanation)).deltas
    assert (first["role"], first["content"], last) == ("assistant", "", {})
    assert first["refusal"] == (said or "The answer was withheld by a content filter.")


def test_a_filter_after_words_is_no_refusal() -> None:
    written = write(answer(text("a"), reason="content_filter", explanation="x"))
    assert (written.message(), written.finish) == ({"role": "assistant", "content": "a"}, "content_filter")


def test_a_model_may_refuse_after_its_first_words() -> None:
    end = ir.Finished(reason="content_filter", native="completed", explanation="I can't.")
    written = write([ir.Started(), *text("So"), end])
    assert written.message() == {"role": "assistant", "content": "So", "refusal": "I can't."}
    assert written.finish == "stop"


def test_a_free_form_call_is_unwrapped() -> None:
    tool = ir.Tool(name="sql", free_form=True)
    (made,) = write(answer(call("sql", '{"inp', 'ut":"select 1"}')), answering(tools=(tool,))).message()["tool_calls"]
    assert made == {"id": "call_a", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}


def test_a_free_form_call_of_another_shape_is_kept() -> None:
    tool = ir.Tool(name="sql", free_form=True)
    (made,) = write(answer(call("sql", '{"q":1}')), answering(tools=(tool,))).message()["tool_calls"]
    assert made["custom"] == {"name": "sql", "input": '{"q":1}'}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"input":"sel', "sel"),
        ('{ "input" : "a\\n\\"b\\\\', 'a\n"b\\'),
        ('{"input":"a\\', "a"),
        ('{"input":"a\\u00', "a"),
        ('{"input":"a\\ud83d', "a"),
        ('{"input":"a\\ud83d\\ude00', "a\N{GRINNING FACE}"),
        ('{"input":"a"', "a"),
        ('{"inp', ""),
        ("{}", ""),
        ("select 1", "select 1"),
        ('{"q":"a', '{"q":"a'),
    ],
)
def test_a_free_form_call_that_breaks_off_is_unwrapped_too(arguments: str, text: str) -> None:
    tool = ir.Tool(name="sql", free_form=True)
    cut = answer(call("sql", arguments), reason="length")
    (made,) = write(cut, answering(tools=(tool,))).message()["tool_calls"]
    assert made["custom"] == {"name": "sql", "input": text}


def test_a_caller_of_older_functions_reads_function_call() -> None:
    legacy = answering(tools=(ir.Tool(name="f", path="functions[0]"),))
    written = write(answer(call("f", '{"a":1}'), call("f", ident="2")), legacy)
    assert written.message() == {
        "role": "assistant",
        "content": None,
        "function_call": {"name": "f", "arguments": '{"a":1}'},
    }
    assert written.finish == "function_call"


def test_line_separators_never_go_out_raw() -> None:
    writer = OpenAIChat().stream_writer(answering())
    written = writer.feed(answer(text("a\u2028", "b\u2029c\x85"), call("f\u2028", '{"\u2028":1}')))
    assert len(written.decode().splitlines()) == 2 * len(payloads(written))
    assert Stream(written).message()["content"] == "a\u2028b\u2029c\x85"


def test_an_error_ends_without_done() -> None:
    writer = OpenAIChat().stream_writer(answering())
    written = writer.feed([ir.Started(), ir.BlockStarted(kind="text"), ir.TextDelta("a")])
    written += writer.close(UpstreamOverloaded("no capacity"))
    stream = Stream(written)
    assert (stream.done, stream.finish) == (False, None)
    assert stream.error == {"message": "no capacity", "type": "server_error", "param": None, "code": "overloaded"}


def test_a_failure_in_the_stream_is_an_error() -> None:
    writer = OpenAIChat().stream_writer(answering())
    written = writer.feed([ir.Started(), *call("f", "{")[:2], ir.Failed(StreamBroken("cut"))])
    assert Stream(written).error == {
        "message": "cut",
        "type": "server_error",
        "param": None,
        "code": "upstream_truncated",
    }


def test_a_stream_without_a_finish_never_ends_cleanly() -> None:
    stream = write([ir.Started(), *text("a")])
    assert not stream.done
    assert stream.error is not None
    assert stream.error["code"] == "upstream_truncated"


@pytest.mark.parametrize("end", [ir.Finished(reason="stop"), ir.Failed(StreamBroken("cut"))])
def test_nothing_follows_the_terminal(end: ir.Event) -> None:
    writer = OpenAIChat().stream_writer(answering())
    assert writer.feed([ir.Started(), *text("a"), end, *text("b")]).count(b'"content"') == 1
    assert writer.feed(text("c")) == b""
    assert writer.close() == b""
    assert writer.close(StreamBroken("late")) == b""


def test_a_whole_answer_says_what_the_stream_says() -> None:
    events = answer(thinking("t"), text("a"), call("f", '{"a":1}'), reason="tool_calls")
    stream, body = write(events), whole(events)
    assert body["choices"][0]["message"] == stream.message() | {"refusal": None}
    assert body["choices"][0]["finish_reason"] == stream.finish == "tool_calls"
