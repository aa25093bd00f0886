"""Answers of Anthropic, read."""

import json
from typing import Any

import pytest
from msgspec.json import decode, encode

from gateway import errors, ir
from gateway.dialects.anthropic.outbound_stream import ReadOptions, StreamReader
from gateway.dialects.gemini.names import NameMap
from gateway.ir.grammar import check

Json = dict[str, Any]
Events = list[ir.Event]

USAGE = {"input_tokens": 25, "output_tokens": 1}


def start(**usage: Any) -> Json:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "claude-sonnet-4-5"}
    return {"type": "message_start", "message": message | {"usage": USAGE | usage}}


def block(index: int, *deltas: Json, **given: Any) -> list[Json]:
    begun = {"type": "content_block_start", "index": index, "content_block": given}
    added = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return [begun, *added, {"type": "content_block_stop", "index": index}]


def words(index: int, *pieces: str) -> list[Json]:
    return block(index, *({"type": "text_delta", "text": piece} for piece in pieces), type="text", text="")


def called(index: int, *pieces: str, name: str = "f", ident: str = "toolu_1", **given: Any) -> list[Json]:
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return block(index, *deltas, **{"type": "tool_use", "id": ident, "name": name, "input": {}} | given)


def end(reason: str | None = "end_turn", **fields: Any) -> list[Json]:
    usage = fields.pop("usage", {"output_tokens": 7})
    delta = {"stop_reason": reason, "stop_sequence": None} | fields
    return [{"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]


def read(*events: Json, names: tuple[str, ...] = (), answer: str = "") -> Events:
    """Read a whole stream, event by event."""
    reader = StreamReader(ReadOptions(names=NameMap(names), salt="r", answer=answer))
    found = [event for one in events for event in reader.feed([json.dumps(one)])] + reader.close()
    check(found)
    return found


def whole(message: Json) -> Events:
    found = StreamReader(ReadOptions(names=NameMap([]), salt="r")).feed_whole(encode(message))
    check(found)
    return found


def reply(events: Events) -> ir.Reply:
    fold = ir.Fold()
    fold.feed(events)
    return fold.reply()


def failure(events: Events) -> errors.GatewayError:
    failed = events[-1]
    assert isinstance(failed, ir.Failed)
    return failed.error


def test_text() -> None:
    assert read(start(), {"type": "ping"}, *words(0, "He", "llo"), *end()) == [
        ir.Started(id="msg_1", model="claude-sonnet-4-5", usage=ir.Usage(input=25, output=1)),
        ir.BlockStarted(kind="text"),
        ir.TextDelta("He"),
        ir.TextDelta("llo"),
        ir.BlockEnded(),
        ir.UsageReported(ir.Usage(input=25, output=7)),
        ir.Finished(reason="stop", native="end_turn"),
    ]


def test_thoughts_and_their_signature() -> None:
    thought = block(
        0,
        {"type": "thinking_delta", "thinking": "Hm"},
        {"type": "thinking_delta", "thinking": "."},
        {"type": "signature_delta", "signature": "EuYB"},
        type="thinking",
        thinking="",
        signature="",
    )
    assert read(start(), *thought, *words(1, "So."), *end())[1:6] == [
        ir.BlockStarted(kind="thinking"),
        ir.ThinkingDelta("Hm"),
        ir.ThinkingDelta("."),
        ir.SignatureDelta(ir.Signature("claude", "EuYB")),
        ir.BlockEnded(),
    ]


def test_sealed_thoughts_travel_as_their_signature() -> None:
    found = reply(read(start(), *block(0, type="redacted_thinking", data="sealed"), *words(1, "So."), *end()))
    assert found.parts[0] == ir.Thinking(text="", signature=ir.Signature("claude", "gw1.redacted_thinking.sealed"))


def test_a_call() -> None:
    events = read(start(), *called(0, "", '{"a":', " 1}"), *end("tool_use"))
    assert events[1:5] == [
        ir.BlockStarted(kind="tool_call", id="toolu_1", name="f"),
        ir.ArgumentsDelta('{"a":'),
        ir.ArgumentsDelta(" 1}"),
        ir.BlockEnded(),
    ]
    assert events[-1] == ir.Finished(reason="tool_calls", native="tool_use")


@pytest.mark.parametrize("pieces", [(), ("",), ("{}",)])
def test_b7_a_call_without_input_has_an_empty_object(pieces: tuple[str, ...]) -> None:
    (made,) = reply(read(start(), *called(0, *pieces), *end("tool_use"))).parts
    assert isinstance(made, ir.ToolCall)
    assert bytes(made.arguments) == b"{}"


def test_the_input_may_stand_where_the_call_begins() -> None:
    (made,) = reply(read(start(), *called(0, input={"a": 1}), *end("tool_use"))).parts
    assert isinstance(made, ir.ToolCall)
    assert decode(made.arguments) == {"a": 1}


def test_an_input_that_is_no_object_is_kept_in_one() -> None:
    (made,) = reply(read(start(), *called(0, "not", " json"), *end("tool_use"))).parts
    assert isinstance(made, ir.ToolCall)
    assert decode(made.arguments) == {"input": "not json"}


def test_names_and_ids_are_the_callers() -> None:
    name = "mcp/server"
    upstream = NameMap([name]).upstream(name)
    (made,) = reply(read(start(), *called(0, "{}", name=upstream, ident="f:0"), *end("tool_use"), names=(name,))).parts
    assert isinstance(made, ir.ToolCall)
    assert made.name == name
    assert made.id.startswith("f_0_")


def test_pitfall_86_mixed_calls_come_one_after_the_other() -> None:
    one, other = called(0, '{"a":', "1}"), called(1, '{"b":', "2}", ident="toolu_2", name="g")
    mixed = [event for pair in zip(one, other, strict=True) for event in pair]
    parts = reply(read(start(), *mixed, *end("tool_use"))).parts
    assert [(part.name, decode(part.arguments)) for part in parts if isinstance(part, ir.ToolCall)] == [
        ("f", {"a": 1}),
        ("g", {"b": 2}),
    ]


def test_the_call_that_stands_for_the_answer_is_text() -> None:
    events = read(
        start(), *called(0, '{"sum":', "1}", name="structured_output"), *end("tool_use"), answer="structured_output"
    )
    assert reply(events).parts == (ir.Text(text='{"sum":1}'),)
    assert events[-1] == ir.Finished(reason="stop", native="tool_use")


def test_sources_stand_at_the_end_of_their_text() -> None:
    cited = {
        "type": "web_search_result_location",
        "url": "https://a.example",
        "title": "A",
        "cited_text": "is blue",
        "encrypted_index": "x",
    }
    deltas: list[Json] = [{"type": "citations_delta", "citation": cited}, {"type": "text_delta", "text": "Bläu."}]
    assert read(start(), *block(0, *deltas, type="text", text=""), *end())[1:5] == [
        ir.BlockStarted(kind="text"),
        ir.TextDelta("Bläu."),
        ir.CitationDelta(url="https://a.example", title="A", start=0, end=6, text="is blue"),
        ir.BlockEnded(),
    ]


def test_sources_without_an_address_are_kept_for_this_dialect() -> None:
    cited = {"type": "char_location", "document_index": 0, "cited_text": "x"}
    found = reply(read(start(), *block(0, type="text", text="a", citations=[cited]), *end()))
    assert found.citations == ()
    assert [(one.kind, decode(one.value)) for one in found.opaque] == [("citation", cited)]


USED = {"type": "server_tool_use", "ident": "srvtoolu_1"}


@pytest.mark.parametrize(
    ("name", "given", "fenced"),
    [
        ("bash_code_execution", {"command": "ls `pwd`"}, "```bash\nls `pwd`\n```"),
        ("code_execution", {"code": "print('```')\n"}, "````python\nprint('```')\n````"),
        ("text_editor_code_execution", {"command": "create", "path": "a.py", "file_text": "x"}, "```\nx\n```"),
        ("text_editor_code_execution", {"command": "view", "path": "a.py"}, None),
        ("bash_code_execution", {"command": 1}, None),
        ("web_search", {"code": "x"}, None),
    ],
)
def test_code_that_claude_ran_is_fenced_text(name: str, given: Json, fenced: str | None) -> None:
    events = read(
        start(), *words(0, "a"), *called(1, encode(given).decode(), name=name, **USED), *words(2, "b"), *end()
    )
    said = [part.text for part in reply(events).parts if isinstance(part, ir.Text)]
    assert said == ["a", *([f"\n{fenced}\n"] if fenced else []), "b"]


@pytest.mark.parametrize("name", ["bash_code_execution", "code_execution"])
@pytest.mark.parametrize(
    ("content", "printed"),
    [
        ({"stdout": "42\n", "stderr": "", "return_code": 0, "content": []}, "42"),
        ({"stdout": "4\n", "stderr": "bad\n", "return_code": 1}, "4\nbad"),
        ({"encrypted_stdout": "xx", "stderr": "bad"}, "bad"),
        ({"error_code": "unavailable"}, "unavailable"),
        ({"stdout": "", "stderr": None}, None),
        ({"stdout": [1]}, None),
    ],
)
def test_what_it_printed_is_fenced_text(name: str, content: Json, printed: str | None) -> None:
    result = {"type": f"{name}_tool_result", "tool_use_id": "srvtoolu_1", "content": content}
    streamed = reply(read(start(), *block(0, **result), *end()))
    assert streamed.parts == ((ir.Text(text=f"\n```output\n{printed}\n```\n"),) if printed else ())
    assert [one.kind for one in streamed.opaque] == [result["type"]]
    message = {"id": "m", "type": "message", "content": [result], "stop_reason": "end_turn"}
    assert reply(whole(message)).parts == streamed.parts


def test_what_services_did_is_kept_for_this_dialect_in_its_place() -> None:
    search = called(1, '{"query":', '"x"}', name="web_search", type="server_tool_use", ident="srvtoolu_1")
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    events = read(start(), *words(0, "a"), *search, *block(2, **result), *words(3, "b"), *end())
    kept = [event for event in events if isinstance(event, ir.OpaqueEvent)]
    query = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
    assert [(one.kind, decode(one.value)) for one in kept] == [
        ("server_tool_use", query),
        ("web_search_tool_result", result),
    ]
    assert [type(event) for event in events[3:6]] == [ir.BlockEnded, ir.OpaqueEvent, ir.OpaqueEvent]


@pytest.mark.parametrize("said", [{"content": "So far.", "encrypted_content": "e"}, {"content": None}])
def test_what_was_compacted_is_kept_whole(said: Json) -> None:
    begun = {"type": "compaction", "content": None, "signature": "s"}
    events = read(start(), *block(0, {"type": "compaction_delta", **said}, **begun), *words(1, "a"), *end())
    kept = [event for event in events if isinstance(event, ir.OpaqueEvent)]
    assert [decode(one.value) for one in kept] == [{**begun, **said}]
    assert reply(events).parts == (ir.Text(text="a"),)


def test_another_model_goes_on_where_one_has_declined() -> None:
    hop = {"from": {"model": "a"}, "to": {"model": "b"}, "trigger": {"type": "refusal", "category": None}}
    events = read(start(), *words(0, "a"), *block(1, type="fallback", **hop), *words(2, "b"), *end())
    assert [event.kind for event in events if isinstance(event, ir.OpaqueEvent)] == ["fallback"]
    assert reply(events).parts == (ir.Text(text="a"), ir.Text(text="b"))


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "context_window"),
        ("pause_turn", "pause"),
        ("compaction", "pause"),
        ("refusal", "content_filter"),
        ("unheard_of", "stop"),
    ],
)
def test_how_answers_end(native: str, reason: Any) -> None:
    assert read(start(), *words(0, "a"), *end(native))[-1] == ir.Finished(reason=reason, native=native)


def test_the_stop_sequence_is_named() -> None:
    finished = read(start(), *words(0, "a"), *end("stop_sequence", stop_sequence="END"))[-1]
    assert finished == ir.Finished(reason="stop_sequence", native="stop_sequence", stop_sequence="END")


def test_a_refusal_is_explained() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "No."}
    finished = read(start(), *end("refusal", stop_details=details))[-1]
    assert finished == ir.Finished(reason="content_filter", native="refusal", explanation="No.")


@pytest.mark.parametrize("details", [None, "policy", {"explanation": {"text": "No."}}, [1]])
def test_details_of_another_form_leave_the_reason(details: Any) -> None:
    refused = ir.Finished(reason="content_filter", native="refusal")
    assert read(start(), *end("refusal", stop_details=details))[-1] == refused
    message = {"content": [], "stop_reason": "refusal", "stop_details": details}
    assert whole(message)[-1] == refused


def spent(kind: str, taken: int, said: int, **cached: int) -> Json:
    return {"type": kind, "input_tokens": taken, "output_tokens": said, **cached}


def test_what_it_took_to_compact_counts_beside_the_totals() -> None:
    steps = [
        spent("compaction", 1000, 30, cache_read_input_tokens=500, cache_creation_input_tokens=200),
        spent("message", 25, 7),
        spent("fallback_message", 25, 7),
        spent("compaction", 10, 1),
    ]
    expected = ir.Usage(input=25 + 1700 + 10, output=7 + 31, cache_read=500, cache_write=200)
    counts: Json = {"output_tokens": 7, "iterations": steps}
    assert reply(read(start(), *words(0, "a"), *end(usage=counts))).usage == expected
    assert (
        reply(whole({"content": [], "stop_reason": "end_turn", "usage": {"input_tokens": 25, **counts}})).usage
        == expected
    )
    twice = read(start(iterations=steps[:1]), *words(0, "a"), *end(usage=counts))
    assert reply(twice).usage == expected
    assert reply(read(start(iterations=steps), *words(0, "a"), *end())).usage == expected


def test_the_advice_of_another_model_counts_beside_the_totals_as_its_share() -> None:
    """Anthropic says so of the tool: the totals are those of the model that asks, and advice is billed beside them."""
    steps = [
        spent("message", 10, 3),
        {**spent("advisor_message", 90, 40, cache_read_input_tokens=5), "model": "claude-opus-5-5"},
        spent("message", 15, 4),
    ]
    found = reply(read(start(), *words(0, "a"), *end(usage={"output_tokens": 7, "iterations": steps}))).usage
    share = ir.Share("claude-opus-5-5", ir.Usage(input=95, output=40, cache_read=5))
    assert found == ir.Usage(input=25 + 95, output=7 + 40, cache_read=5, shares=(share,))


@pytest.mark.parametrize("model", [None, 5, ""])
def test_advice_of_a_model_that_is_not_named_counts_as_that_of_the_one_that_asks(model: object) -> None:
    steps = [{**spent("advisor_message", 90, 40), "model": model}]
    found = reply(read(start(), *words(0, "a"), *end(usage={"output_tokens": 7, "iterations": steps}))).usage
    assert found == ir.Usage(input=25 + 90, output=7 + 40)


@pytest.mark.parametrize(
    "steps", [None, {}, "x", [], [5], [{"type": ["compaction"]}], [{"type": "compaction"}], [spent("message", 9, 9)]]
)
def test_other_steps_count_nothing_beside_the_totals(steps: Any) -> None:
    found = reply(read(start(), *words(0, "a"), *end(usage={"output_tokens": 7, "iterations": steps})))
    assert found.usage == ir.Usage(input=25, output=7)


def test_pitfalls_35_and_80_the_cache_counts_once_and_the_end_holds() -> None:
    begun = start(input_tokens=100, cache_read_input_tokens=800, cache_creation_input_tokens=100)
    counts = {"input_tokens": 100, "output_tokens": 50, "output_tokens_details": {"thinking_tokens": 30}}
    found = reply(read(begun, *words(0, "a"), *end(usage=counts)))
    assert found.usage == ir.Usage(input=1000, output=50, cache_read=800, cache_write=100, reasoning=30)


def test_what_is_written_into_the_cache_for_an_hour_is_told_apart() -> None:
    made = {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40}
    begun = start(input_tokens=100, cache_creation_input_tokens=100, cache_creation=made)
    ended = end(usage={"cache_creation_input_tokens": 100, "output_tokens": 5})  # the end tells the sum alone
    found = reply(read(begun, *words(0, "a"), *ended)).usage
    assert (found.input, found.cache_write, found.cache_write_long) == (200, 100, 40)


def test_no_more_is_written_for_an_hour_than_is_written() -> None:
    begun = start(cache_creation_input_tokens=10, cache_creation={"ephemeral_1h_input_tokens": 40})
    assert reply(read(begun, *words(0, "a"), *end())).usage.cache_write_long == 10


@pytest.mark.parametrize(("speed", "tier"), [("fast", "fast"), ("standard", ""), (None, ""), ({"of": 1}, "")])
def test_a_fast_answer_is_told_apart(speed: object, tier: ir.Tier) -> None:
    begun = start(service_tier="priority", speed=speed)
    assert reply(read(begun, *words(0, "a"), *end(usage={"output_tokens": 5}))).usage.tier == tier


def test_pitfall_76_an_empty_report_takes_nothing_back() -> None:
    assert reply(read(start(), *words(0, "a"), *end(usage={"output_tokens": 0}))).usage.input == 25


@pytest.mark.parametrize("fields", [{"delta": 5}, {"index": "x"}, {"message": []}])
def test_unknown_events_say_nothing(fields: dict[str, object]) -> None:
    assert read(start(), {"type": "unheard_of", **fields}, *words(0, "a"), *end())[-1].__class__ is ir.Finished


def test_a_known_event_that_is_none_breaks_the_answer() -> None:
    failed = read(start(), {"type": "content_block_stop", "index": "x"}, *words(0, "a"), *end())
    assert isinstance(failure(failed), errors.UpstreamMalformed)


def test_deltas_without_a_block_open_one() -> None:
    events = [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}]
    assert reply(read(*events, *end())).parts == (ir.Text(text="a"),)


# what goes wrong


def test_pitfall_37_an_error_within_the_stream_keeps_its_class() -> None:
    told = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    error = failure(read(start(), *words(0, "a")[:2], told, *end()))
    assert isinstance(error, errors.UpstreamOverloaded)
    assert error.message == "Overloaded"


@pytest.mark.parametrize("events", [[], [start()], [start(), *words(0, "a")], [start(), *words(0, "a"), end(None)[0]]])
def test_pitfall_6_a_stream_without_a_reason_and_its_last_event_broke_off(events: list[Json]) -> None:
    assert isinstance(failure(read(*events)), errors.StreamBroken)


def test_a_stop_reason_is_enough_of_an_end() -> None:
    for said in ([*words(0, "a"), *end("max_tokens")], [*called(0, '{"a":1}')[:-1], *end("tool_use")]):
        assert read(start(), *said[:-1]) == read(start(), *said)


def test_an_end_without_anything_is_none() -> None:
    assert isinstance(failure(read(start(), {"type": "message_stop"})), errors.StreamBroken)


def test_a_call_without_a_name_is_malformed() -> None:
    error = failure(read(start(), *called(0, "{}", name=""), *end("tool_use")))
    assert error.code == "upstream_malformed_tool_call"


@pytest.mark.parametrize(
    "events",
    [
        called(0, ident=5),  # type: ignore[arg-type]
        block(0, type="text", text=["a"]),
        block(0, {"type": "text_delta", "text": 5}, type="text", text=""),
        called(0, {"a": 1}),  # type: ignore[arg-type]
    ],
)
def test_a_part_of_another_form_is_not_left_out(events: list[Json]) -> None:
    assert type(failure(read(start(), *events, *end()))) is errors.UpstreamMalformed


def test_a_block_of_another_form_is_not_left_out_of_a_whole_answer() -> None:
    blocks = [{"type": "tool_use", "id": 5, "name": "f", "input": {}}, {"type": "text", "text": "Hi"}]
    assert type(failure(whole({"content": blocks, "stop_reason": "tool_use"}))) is errors.UpstreamMalformed


def test_what_is_new_may_have_any_form() -> None:
    new = block(0, {"type": "new_delta", "text": 5}, type="new", text={"a": 1}, citations={})
    text = block(1, type="text", text="Hi", citations={"new": 1})
    assert reply(read(start(), *new, *text, *end())).parts == (ir.Text(text="Hi"),)


def test_what_is_no_json_is_malformed() -> None:
    reader = StreamReader(ReadOptions(names=NameMap([])))
    assert isinstance(failure(reader.feed(["{"])), errors.UpstreamMalformed)
    assert reader.close() == []


# whole answers


def test_a_whole_answer() -> None:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "c",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "EuYB"},
            {"type": "text", "text": "So."},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 7},
    }
    found = reply(whole(message))
    assert found.parts[:2] == (ir.Thinking(text="Hm.", signature=ir.Signature("claude", "EuYB")), ir.Text(text="So."))
    assert isinstance(found.parts[2], ir.ToolCall)
    assert decode(found.parts[2].arguments) == {"a": 1}
    assert (found.finish.reason, found.usage) == ("tool_calls", ir.Usage(input=5, output=7))


def test_an_empty_whole_answer_is_one() -> None:
    assert reply(whole({"content": [], "stop_reason": "end_turn"})).parts == ()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "no"}}, errors.UpstreamOverloaded),
        ({"detail": "x"}, errors.UpstreamMalformed),
        ([1], errors.UpstreamMalformed),
    ],
)
def test_what_is_no_whole_answer(body: Any, kind: type[errors.GatewayError]) -> None:
    assert isinstance(failure(whole(body)), kind)


def test_usage_can_be_asked_for_at_any_time() -> None:
    reader = StreamReader(ReadOptions(names=NameMap([])))
    assert reader.usage is None
    reader.feed([json.dumps(start())])
    assert reader.usage == ir.Usage(input=25, output=1)
