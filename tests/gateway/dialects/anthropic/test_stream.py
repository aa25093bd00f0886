"""The stream writer, event by event."""

import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects.anthropic import Anthropic
from gateway.errors import UpstreamOverloaded

from .reader import accumulate, answering, check, content, parse, write

STOP = ir.Finished(reason="stop")
S1 = ir.Signature("gemini", "c2ln", "f")
THOUGHT = ir.Signature("claude", "c2ln", "t")
UNSIGNED = "gw1.g.t.dW5zaWduZWQ.951e3e77"


def text(words: str) -> list[ir.Event]:
    return [ir.BlockStarted(kind="text"), ir.TextDelta(words), ir.BlockEnded()]


def thinking(words: str, signature: ir.Signature | None = None) -> list[ir.Event]:
    signed = [ir.SignatureDelta(signature)] if signature else []
    return [ir.BlockStarted(kind="thinking"), ir.ThinkingDelta(words), *signed, ir.BlockEnded()]


def call(arguments: str = '{"a":1}', signature: ir.Signature | None = None, number: str = "1") -> list[ir.Event]:
    start = ir.BlockStarted(kind="tool_call", id=f"call_{number}", name="f")
    signed = [ir.SignatureDelta(signature)] if signature else []
    given = [ir.ArgumentsDelta(arguments)] if arguments else []
    return [start, *signed, *given, ir.BlockEnded()]


def test_writes_a_text_answer_as_the_wire_shows_it() -> None:
    events: list[ir.Event] = [
        ir.Started(usage=ir.Usage(input=3)),
        ir.BlockStarted(kind="text"),
        ir.TextDelta("He"),
        ir.TextDelta("llo"),
        ir.BlockEnded(),
        ir.UsageReported(ir.Usage(input=3, output=2)),
        STOP,
    ]
    assert write(events) == (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_0123456789abcdef01234567",'
        b'"type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,'
        b'"stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":0,'
        b'"cache_read_input_tokens":0,"output_tokens":1,"service_tier":"standard"}}}\n\n'
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        b'"content_block":{"type":"text","text":""}}\n\n'
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"He"}}\n\n'
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"llo"}}\n\n'
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
        b'"stop_sequence":null},"usage":{"input_tokens":3,"cache_creation_input_tokens":0,'
        b'"cache_read_input_tokens":0,"output_tokens":2}}\n\n'
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    )


def test_the_opening_waits_for_content() -> None:
    writer = Anthropic().stream_writer(answering())
    assert writer.feed([ir.Started(), ir.BlockStarted(kind="text")]) == b""
    assert writer.feed([ir.TextDelta("a")]).startswith(b"event: message_start\n")


def test_hidden_thoughts_still_open_the_message() -> None:
    writer = Anthropic().stream_writer(answering(ir.Reasoning(visible=False)))
    data = writer.feed([ir.Started(), ir.BlockStarted(kind="thinking"), ir.ThinkingDelta("hm")])
    assert [event["type"] for event in parse(data)] == ["message_start"]


def test_indices_have_no_gap_without_text() -> None:
    """A gap is an IndexError in the SDK."""
    events = parse(write([ir.Started(), *thinking("hm"), *call(), STOP]))
    check(events)
    starts = [event for event in events if event["type"] == "content_block_start"]
    assert [(event["index"], event["content_block"]["type"]) for event in starts] == [
        (0, "thinking"),
        (1, "tool_use"),
    ]


def test_each_block_ends_before_the_next_begins() -> None:
    events = parse(write([ir.Started(), *text("a"), *thinking("b"), *text("c"), STOP]))
    check(events)
    assert [block["type"] for block in content(events)] == ["text", "thinking", "text"]


def test_blocks_without_content_leave_no_trace() -> None:
    empty: list[ir.Event] = [ir.BlockStarted(kind="text"), ir.BlockEnded()]
    events = parse(write([ir.Started(), *empty, *text("a"), *empty, STOP]))
    assert content(events) == [{"type": "text", "text": "a"}]


def test_an_empty_answer_is_one_empty_text_block() -> None:
    events = parse(write([ir.Started(), STOP]))
    check(events)
    assert content(events) == [{"type": "text", "text": ""}]


def test_the_prompt_is_estimated_while_the_upstream_is_silent_about_it() -> None:
    events = parse(write([ir.Started(), *text("a"), STOP], answering(estimate=41)))
    assert events[0]["message"]["usage"]["input_tokens"] == 41


def test_the_last_usage_holds_and_cached_tokens_are_told_apart() -> None:
    first, last = ir.Usage(input=1), ir.Usage(input=1000, cache_read=700, cache_write=100, output=10, reasoning=4)
    events = parse(write([ir.Started(usage=first), *text("a"), ir.UsageReported(last), STOP]))
    assert events[-2]["usage"] == {
        "input_tokens": 200,
        "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 700,
        "output_tokens": 10,
        "output_tokens_details": {"thinking_tokens": 4},
    }


def test_arguments_go_out_as_json_deltas() -> None:
    whole = [ir.ArgumentsDelta('{"a"'), ir.ArgumentsDelta(": [1]}")]
    start = ir.BlockStarted(kind="tool_call", id="toolu_1", name="add")
    events = parse(write([ir.Started(), start, *whole, ir.BlockEnded(), STOP]))
    check(events)
    block = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {}}
    assert events[1] == {"type": "content_block_start", "index": 0, "content_block": block}
    assert content(events) == [{**block, "input": {"a": [1]}}]


def test_a_call_without_arguments_gets_an_empty_object() -> None:
    events = parse(write([ir.Started(), *call(""), STOP]))
    assert [e["delta"]["partial_json"] for e in events if e["type"] == "content_block_delta"] == ["{}"]


def test_ids_that_clients_refuse_are_mapped() -> None:
    start = ir.BlockStarted(kind="tool_call", id="functions.Bash:0", name="f")
    (block,) = content(parse(write([ir.Started(), start, ir.BlockEnded(), STOP])))
    assert block["id"].replace("_", "").replace("-", "").isalnum()
    assert block["id"].startswith("functions_Bash_0")


def test_calls_without_ids_get_distinct_ones() -> None:
    one: list[ir.Event] = [ir.BlockStarted(kind="tool_call", name="f"), ir.BlockEnded()]
    blocks = content(parse(write([ir.Started(), *one, *one, STOP])))
    assert len({block["id"] for block in blocks}) == 2


@pytest.mark.parametrize(
    ("reason", "calls", "told"),
    [
        ("stop", False, "end_turn"),
        ("stop", True, "tool_use"),
        ("tool_calls", True, "tool_use"),
        ("tool_calls", False, "end_turn"),
        ("stop_sequence", False, "stop_sequence"),
        ("length", False, "max_tokens"),
        ("length", True, "max_tokens"),
        ("context_window", False, "model_context_window_exceeded"),
        ("content_filter", False, "refusal"),
        ("pause", False, "pause_turn"),
    ],
)
def test_stop_reasons(reason: ir.FinishReason, calls: bool, told: str) -> None:
    events = parse(write([ir.Started(), *(call() if calls else []), ir.Finished(reason=reason)]))
    assert events[-2]["delta"]["stop_reason"] == told


def test_a_refusal_is_explained() -> None:
    finish = ir.Finished(reason="content_filter", explanation="PROHIBITED_CONTENT")
    delta = parse(write([ir.Started(), finish]))[-2]["delta"]
    assert delta["stop_details"] == {"type": "refusal", "category": None, "explanation": "PROHIBITED_CONTENT"}


def test_the_stop_sequence_is_told() -> None:
    finish = ir.Finished(reason="stop_sequence", stop_sequence="END")
    delta = parse(write([ir.Started(), *text("a"), finish]))[-2]["delta"]
    assert delta == {"stop_reason": "stop_sequence", "stop_sequence": "END"}


def test_a_thought_is_signed_once_before_its_end() -> None:
    events = parse(write([ir.Started(), *thinking("hm", THOUGHT), *text("a"), STOP]))
    check(events)
    assert content(events)[0] == {"type": "thinking", "thinking": "hm", "signature": ir.seal(THOUGHT)}


def test_no_signature_leaves_unsealed() -> None:
    events = parse(write([ir.Started(), *thinking("hm", THOUGHT), STOP], answering(sealed=False)))
    assert content(events) == [{"type": "thinking", "thinking": "hm", "signature": ""}]


def test_a_thought_that_nobody_signed_says_so_as_a_whole_answer_does() -> None:
    """Clients take no thought with an empty signature for one of a model's."""
    events = parse(write([ir.Started(), *thinking("hm"), STOP]))
    check(events)
    assert [event["delta"] for event in events if event["type"] == "content_block_delta"] == [
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": UNSIGNED},
    ]


def test_of_omitted_thoughts_that_nobody_signed_nothing_is_left() -> None:
    events = parse(write([ir.Started(), *thinking("hm"), *text("a"), STOP], answering(ir.Reasoning(display="omitted"))))
    check(events)
    assert content(events) == [{"type": "text", "text": "a"}]


@pytest.mark.parametrize("visible", [True, False])
def test_the_signature_of_a_call_goes_before_it(visible: bool) -> None:
    events = parse(write([ir.Started(), *call("", S1), STOP], answering(ir.Reasoning(visible=visible))))
    check(events)
    carried, used = content(events)
    assert carried == {"type": "thinking", "thinking": "", "signature": ir.seal(S1)}
    assert used["type"] == "tool_use"


def test_parallel_calls_have_their_own_signatures() -> None:
    events = parse(write([ir.Started(), *call("", S1, "1"), *call("", None, "2"), *call("", S1, "3"), STOP]))
    assert [block["type"] for block in content(events)] == [
        "thinking",
        "tool_use",
        "tool_use",
        "thinking",
        "tool_use",
    ]


@pytest.mark.parametrize(("signature", "sealed"), [(ir.Signature(None, "eA=="), True), (S1, False)])
def test_a_call_signature_that_nobody_could_recognise_stays_behind(signature: ir.Signature, sealed: bool) -> None:
    events = parse(write([ir.Started(), *call("", signature), STOP], answering(sealed=sealed)))
    assert [block["type"] for block in content(events)] == ["tool_use"]


def test_no_thought_is_shown_to_a_caller_who_did_not_ask() -> None:
    hidden = answering(ir.Reasoning(visible=False))
    data = write([ir.Started(), *thinking("secret", THOUGHT), *text("a"), STOP], hidden)
    assert content(parse(data)) == [{"type": "text", "text": "a"}]


def test_omitted_thoughts_leave_their_signature_and_their_words_in_it() -> None:
    omitted = answering(ir.Reasoning(visible=False, display="omitted"))
    events = parse(write([ir.Started(), *thinking("secret", THOUGHT), *text("a"), STOP], omitted))
    check(events)
    assert content(events)[0] == {"type": "thinking", "thinking": "", "signature": ir.seal(THOUGHT, "secret")}


def test_images_go_out_as_markdown() -> None:
    chunk = ir.MediaChunk(media_type="image/png", data="AAAA")
    image: list[ir.Event] = [ir.BlockStarted(kind="media"), chunk, ir.BlockEnded()]
    assert content(parse(write([ir.Started(), *image, STOP]))) == [
        {"type": "text", "text": "![image](data:image/png;base64,AAAA)"}
    ]


SOURCE = ir.CitationDelta(url="https://a.example/", title="A", text="a")


def test_sources_become_citations() -> None:
    cited: list[ir.Event] = [ir.BlockStarted(kind="text"), ir.TextDelta("a"), SOURCE, ir.BlockEnded()]
    message = accumulate(write([ir.Started(), *cited, STOP]))
    (block,) = message.content
    assert block.type == "text"
    assert block.citations is not None
    assert block.citations[0].to_dict() == {
        "type": "web_search_result_location",
        "url": "https://a.example/",
        "title": "A",
        "encrypted_index": "",
        "cited_text": "a",
    }


def test_a_search_that_was_asked_for_is_told() -> None:
    """Claude Code counts these blocks: without them it says "0 searches"."""
    asked = answering(tools=(ir.Tool(name="web_search", builtin="web_search"),))
    cited: list[ir.Event] = [ir.BlockStarted(kind="text"), ir.TextDelta("a"), SOURCE, SOURCE, ir.BlockEnded()]
    message = accumulate(write([ir.Started(), *cited, STOP], asked))
    *_, found = message.content
    assert found.type == "web_search_tool_result"
    assert isinstance(found.content, list)
    assert [(result.url, result.title) for result in found.content] == [("https://a.example/", "A")]
    assert [block.type for block in message.content] == ["text", "server_tool_use", "web_search_tool_result"]
    assert message.stop_reason == "end_turn"
    assert message.usage.server_tool_use is not None
    assert message.usage.server_tool_use.web_search_requests == 1


def test_words_of_another_kind_open_their_own_block() -> None:
    """A delta of a kind that the open block does not hold would be lost in the SDK."""
    begun: list[ir.Event] = [ir.BlockStarted(kind="thinking"), ir.ThinkingDelta("hm"), ir.TextDelta("a")]
    events = parse(write([ir.Started(), *begun, ir.BlockEnded(), STOP]))
    check(events)
    assert [block["type"] for block in content(events)] == ["thinking", "text"]


def test_line_separators_never_stand_raw() -> None:
    data = write([ir.Started(), *text("a\u2028b\u2029c\u0085d"), STOP])
    assert content(parse(data)) == [{"type": "text", "text": "a\u2028b\u2029c\u0085d"}]


def test_a_failure_after_deltas_is_an_error_event_and_the_end() -> None:
    broken = ir.Failed(UpstreamOverloaded("no capacity"))
    events = parse(write([ir.Started(), ir.BlockStarted(kind="text"), ir.TextDelta("a"), broken]))
    check(events)
    assert events[-1] == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "no capacity"},
        "request_id": "req_1",
    }


def test_a_stream_without_its_end_is_an_error() -> None:
    events = parse(write([ir.Started(), *text("a")]))
    assert events[-1]["type"] == "error"
    assert not [event for event in events if event["type"].startswith("message_d")]


def test_a_call_that_never_began_is_not_written() -> None:
    start = ir.BlockStarted(kind="tool_call", id="c", name="f")
    assert content(parse(write([ir.Started(), *text("a"), start]))) == [{"type": "text", "text": "a"}]


def test_nothing_follows_the_end() -> None:
    writer = Anthropic().stream_writer(answering())
    writer.feed([ir.Started(), *text("a"), STOP])
    assert writer.feed(text("b")) == b""
    assert writer.close() == b""
    assert writer.close(UpstreamOverloaded("late")) == b""


def test_close_says_an_error_once() -> None:
    writer = Anthropic().stream_writer(answering())
    assert writer.close(UpstreamOverloaded("x")).startswith(b"event: error\n")
    assert writer.close(UpstreamOverloaded("x")) == b""
    assert writer.feed([STOP]) == b""


def test_what_only_another_dialect_knows_is_left_out() -> None:
    opaque = ir.OpaqueEvent(dialect="gemini", kind="grounding", value=Raw(b"{}"))
    assert write([ir.Started(), opaque, *text("a"), STOP]) == write([ir.Started(), *text("a"), STOP])
