"""What the events of an upstream that speaks OpenAI Responses become."""

import json
from typing import Any

import pytest

from gateway import ir
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_responses import outbound_stream
from gateway.errors import (
    ContextTooLong,
    StreamBroken,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamUnavailable,
)

from .outbound import SEALED, added, blocks, created, done, end, event, read, reader, said, terminal

TEXT, THINKING = ir.BlockStarted(kind="text"), ir.BlockStarted(kind="thinking")
SIGNED = ir.SignatureDelta(ir.Signature("openai", SEALED))
CALL: dict[str, Any] = {"call_id": "call_1", "name": "f"}
USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}


def called(name: str = "f", call_id: str = "call_1") -> ir.BlockStarted:
    return ir.BlockStarted(kind="tool_call", id=call_id, name=name)


# a whole stream


def test_events_of_a_usual_answer_come_as_it_goes() -> None:
    one = reader("f")
    events = [
        created(),
        {"type": "response.in_progress", "response": {"id": "resp_1"}},
        added(0, "reasoning", summary=[]),
        event("reasoning_summary_part.added", summary_index=0, part={"type": "summary_text", "text": ""}),
        event("reasoning_summary_text.delta", summary_index=0, delta="Hm."),
        event("reasoning_summary_text.done", summary_index=0, text="Hm."),
        event("reasoning_summary_part.done", summary_index=0, part={"type": "summary_text", "text": "Hm."}),
        done(0, "reasoning", summary=[{"type": "summary_text", "text": "Hm."}], encrypted_content=SEALED),
        added(1, "message", role="assistant", content=[]),
        event("content_part.added", 1, content_index=0, part=said("")),
        event("output_text.delta", 1, content_index=0, delta="He", logprobs=[]),
        event("output_text.delta", 1, content_index=0, delta="llo", logprobs=[]),
        event("output_text.done", 1, content_index=0, text="Hello", logprobs=[]),
        event("content_part.done", 1, content_index=0, part=said("Hello")),
        done(1, "message", role="assistant", content=[said("Hello")]),
        added(2, "function_call", arguments="", **CALL),
        event("function_call_arguments.delta", 2, delta='{"a":'),
        event("function_call_arguments.delta", 2, delta="1}"),
        event("function_call_arguments.done", 2, arguments='{"a":1}'),
        done(2, "function_call", arguments='{"a":1}', **CALL),
        terminal(usage=USAGE),
    ]
    found = [one.feed([json.dumps(data)]) for data in events]
    assert found == [
        [ir.Started(id="resp_1", model="gpt-5.2")],
        [],
        [],
        [],
        [THINKING, ir.ThinkingDelta("Hm.")],
        [],
        [],
        [SIGNED, ir.BlockEnded()],
        [],
        [],
        [TEXT, ir.TextDelta("He")],
        [ir.TextDelta("llo")],
        [],
        [ir.BlockEnded()],
        [],
        [called()],
        [ir.ArgumentsDelta('{"a":')],
        [ir.ArgumentsDelta("1}")],
        [],
        [ir.BlockEnded()],
        [
            ir.UsageReported(ir.Usage(input=100, output=20, cache_read=60, cache_write=10, reasoning=5, total=120)),
            ir.Finished(reason="tool_calls", native="completed"),
        ],
    ]
    assert one.close() == []


def test_answer_may_be_one_document() -> None:
    body = {
        "id": "resp_1",
        "created_at": "2026-11-22T03:00:00Z",  # a number at OpenAI
        "status": "completed",
        "output": [{"type": "message", "id": "m", "content": [said("Hello")]}],
        "usage": USAGE,
    }
    events = reader().feed_whole(json.dumps(body).encode())
    assert events[:4] == [
        ir.Started(id="resp_1", usage=read_usage(events)),
        TEXT,
        ir.TextDelta("Hello"),
        ir.BlockEnded(),
    ]
    assert end(events) == ir.Finished(reason="stop", native="completed")


@pytest.mark.parametrize("usage", [{"input_tokens": "many"}, {"input_tokens_details": []}, [], 5])
def test_usage_that_is_spelt_otherwise_is_all_that_is_lost(usage: Any) -> None:
    message = {"type": "message", "id": "m", "content": [said("Hello")]}
    body = {"id": "resp_1", "status": "completed", "output": [message], "usage": usage}
    streamed = reader().feed([json.dumps({"type": "response.completed", "response": body})])
    for events in (streamed, reader().feed_whole(json.dumps(body).encode())):
        assert events == [
            ir.Started(id="resp_1"),
            TEXT,
            ir.TextDelta("Hello"),
            ir.BlockEnded(),
            ir.Finished(reason="stop", native="completed"),
        ]


def read_usage(events: list[ir.Event]) -> ir.Usage:
    return next(event.usage for event in events if isinstance(event, ir.UsageReported))


@pytest.mark.parametrize(("details", "long"), [(None, 0), ({"ttl_30m_tokens": 4, "ttl_12h_tokens": 6}, 6)])
def test_what_is_written_into_the_cache_for_twelve_hours_is_told_apart(details: object, long: int) -> None:
    written = {"cached_tokens": 60, "cache_write_tokens": 10, "cache_write_tokens_details": details}
    usage = read_usage(read(created(), terminal(usage=USAGE | {"input_tokens_details": written})))
    assert (usage.cache_write, usage.cache_write_long) == (10, long)


TIERS = [("flex", "flex"), ("priority", "priority"), ("ultrafast", "ultrafast"), ("default", ""), (None, ""), (5, "")]


@pytest.mark.parametrize(("said", "tier"), TIERS)
def test_the_tier_that_has_served_it_is_told(said: object, tier: ir.Tier) -> None:
    assert read_usage(read(created(), terminal(usage=USAGE, service_tier=said))).tier == tier


# what servers leave out


def test_output_that_only_the_last_event_holds_is_read() -> None:
    output = [
        {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": SEALED},
        {"type": "message", "id": "m", "content": [said("Hello")]},
        {"type": "function_call", "id": "c", "arguments": '{"a":1}', **CALL},
    ]
    assert blocks(read(created(), terminal(output=output))) == [
        [THINKING, SIGNED],
        [TEXT, ir.TextDelta("Hello")],
        [called(), ir.ArgumentsDelta('{"a":1}')],
    ]


def test_deltas_without_added_and_done_are_read() -> None:
    events = read(event("output_text.delta", delta="Hello"), terminal(output=[]))
    assert events[0] == ir.Started()
    assert blocks(events) == [[TEXT, ir.TextDelta("Hello")]]


def test_what_came_is_not_said_again_whatever_its_ids_and_places() -> None:
    output = [{"type": "message", "id": "another", "content": [said("Hello")]}]
    events = read(
        created(),
        done(0, "reasoning", summary=[{"type": "summary_text", "text": "Hm."}]),
        event("output_text.delta", 1, delta="Hel"),
        terminal(output=output),
    )
    assert blocks(events) == [
        [THINKING, ir.ThinkingDelta("Hm.")],
        [TEXT, ir.TextDelta("Hel"), ir.TextDelta("lo")],
    ]


def test_two_items_of_one_index_are_two() -> None:
    first, second = {"id": "m1", "content": [said("a")]}, {"id": "m2", "content": [said("b")]}
    events = read(added(0, "message", id="m1"), done(0, "message", **first), done(0, "message", **second), terminal())
    assert blocks(events)[0] == [TEXT, ir.TextDelta("a")]
    assert len(blocks(read(added(0, "message", id="m1"), added(0, "function_call", id="c", **CALL), terminal()))) == 1


@pytest.mark.parametrize(
    "events",
    [
        [event("function_call_arguments.done", arguments='{"a":1}')],
        [done(0, "function_call", arguments='{"a":1}', **CALL)],
        [
            event("function_call_arguments.delta", delta='{"a"'),
            event("function_call_arguments.done", arguments='{"a":1}'),
        ],
    ],
)
def test_arguments_may_come_late(events: list[dict[str, Any]]) -> None:
    found = blocks(read(added(0, "function_call", **CALL), *events, terminal()))
    assert found[0][0] == called()
    assert "".join(one.json for one in found[0][1:] if isinstance(one, ir.ArgumentsDelta)) == '{"a":1}'


def test_calls_without_ids_and_places_keep_their_own_arguments() -> None:
    """As llama.cpp streams them: their events name them by `call_id`, and they are done at the end."""
    calls = [{"type": "function_call", "call_id": f"fc_{n}", "name": "f", "arguments": f'{{"a":{n}}}'} for n in (1, 2)]
    begun = [
        one
        for call in calls
        for one in (
            {"type": "response.output_item.added", "item": call | {"arguments": ""}},
            {
                "type": "response.function_call_arguments.delta",
                "item_id": call["call_id"],
                "delta": call["arguments"],
            },
        )
    ]
    ended = [{"type": "response.output_item.done", "item": call} for call in calls]
    assert blocks(read(created(), *begun, *ended, terminal(output=calls))) == [
        [called(call_id=f"fc_{n}"), ir.ArgumentsDelta(f'{{"a":{n}}}')] for n in (1, 2)
    ]


def test_call_waits_for_its_name() -> None:
    one = reader()
    feeds = [event("function_call_arguments.delta", delta="{}"), done(0, "function_call", arguments="{}", **CALL)]
    assert [one.feed([json.dumps(data)]) for data in feeds] == [
        [ir.Started()],
        [called(), ir.ArgumentsDelta("{}"), ir.BlockEnded()],
    ]


def test_call_without_a_name_breaks_the_answer() -> None:
    error = end(read(event("function_call_arguments.delta", delta="{}"), terminal()))
    assert isinstance(error, UpstreamMalformed)
    assert error.code == "upstream_malformed_tool_call"


def test_items_that_come_mixed_leave_one_after_the_other() -> None:
    events = read(
        added(0, "function_call", call_id="a", name="f"),
        added(1, "function_call", call_id="b", name="g"),
        event("function_call_arguments.delta", 0, delta='{"x":'),
        event("function_call_arguments.delta", 1, delta='{"y":'),
        event("function_call_arguments.delta", 0, delta="1}"),
        event("function_call_arguments.delta", 1, delta="2}"),
        terminal(),
    )
    assert blocks(events) == [
        [called("f", "a"), ir.ArgumentsDelta('{"x":'), ir.ArgumentsDelta("1}")],
        [called("g", "b"), ir.ArgumentsDelta('{"y":'), ir.ArgumentsDelta("2}")],
    ]


# thoughts


def test_paragraphs_of_a_summary_are_one_thought() -> None:
    deltas = [event("reasoning_summary_text.delta", summary_index=index, delta=text) for index, text in enumerate("ab")]
    assert blocks(read(*deltas, terminal())) == [
        [THINKING, ir.ThinkingDelta("a"), ir.ThinkingDelta("\n\n"), ir.ThinkingDelta("b")]
    ]


def test_thoughts_may_come_in_their_own_words() -> None:
    item = {"content": [{"type": "reasoning_text", "text": "Hmm."}]}
    events = read(event("reasoning_text.delta", delta="Hm"), done(0, "reasoning", summary=[], **item), terminal())
    assert blocks(events) == [[THINKING, ir.ThinkingDelta("Hm"), ir.ThinkingDelta("m.")]]


def test_summary_and_words_of_a_thought_are_not_both_said() -> None:
    item = {"summary": [{"type": "summary_text", "text": "s"}], "content": [{"type": "reasoning_text", "text": "c"}]}
    assert blocks(read(done(0, "reasoning", **item), terminal())) == [[THINKING, ir.ThinkingDelta("s")]]


def test_thought_with_neither_words_nor_seal_is_nothing() -> None:
    assert blocks(read(added(0, "reasoning"), done(0, "reasoning", summary=[]), terminal())) == []


# words


def test_parts_of_a_message_are_blocks() -> None:
    events = read(done(0, "message", content=[said("a"), said(""), said("b")]), terminal())
    assert blocks(events) == [[TEXT, ir.TextDelta("a")], [TEXT, ir.TextDelta("b")]]


def test_sources_stand_at_the_end_of_their_text_and_count_bytes() -> None:
    source = {"type": "url_citation", "url": "https://a.b", "title": "A", "start_index": 2, "end_index": 4}
    events = read(
        event("output_text.delta", delta="żó"),
        event("output_text.annotation.added", annotation_index=0, annotation=source),
        event("output_text.delta", delta="ab"),
        done(0, "message", content=[said("żóab", annotations=[source])]),
        terminal(),
    )
    cited = ir.CitationDelta(url="https://a.b", title="A", start=4, end=6, text="ab")
    assert blocks(events) == [[TEXT, ir.TextDelta("żó"), ir.TextDelta("ab"), cited]]


@pytest.mark.parametrize("given", [{"title": "A"}, {}])
def test_a_source_without_a_place_has_its_address_and_title(given: dict[str, str]) -> None:
    source = {"type": "url_citation", "url": "https://a.b", **given}
    events = read(done(0, "message", content=[said("a", annotations=[source])]), terminal())
    cited = ir.CitationDelta(url="https://a.b", title=given.get("title", ""))
    assert blocks(events) == [[TEXT, ir.TextDelta("a"), cited]]


@pytest.mark.parametrize(
    "source",
    [{"type": "file_citation", "file_id": "f"}, {"type": "url_citation"}, 5, {"type": "url_citation", "url": 1}],
)
def test_source_without_an_address_is_ignored(source: object) -> None:
    assert blocks(read(done(0, "message", content=[said("a", annotations=[source])]), terminal())) == [
        [TEXT, ir.TextDelta("a")]
    ]


def test_refusal_ends_the_answer_with_its_words() -> None:
    events = read(
        added(0, "message"),
        event("refusal.delta", content_index=0, delta="I "),
        event("refusal.delta", content_index=0, delta="can't."),
        event("refusal.done", content_index=0, refusal="I can't."),
        event("content_part.done", content_index=0, part={"type": "refusal", "refusal": "I can't."}),
        done(0, "message", content=[{"type": "refusal", "refusal": "I can't."}]),
        terminal(),
    )
    assert blocks(events) == []
    assert end(events) == ir.Finished(reason="content_filter", native="completed", explanation="I can't.")


# calls


def test_names_are_the_callers() -> None:
    events = read(
        done(0, "function_call", arguments="{}", call_id="a", name=NameMap(["mcp.a"]).upstream("mcp.a")),
        done(1, "function_call", arguments="{}", call_id="b", name="f", namespace="ns"),
        done(2, "function_call", arguments="{}", call_id="c", name="x", namespace="other"),
        terminal(),
        one=reader("mcp.a", ns__f=("ns", "f")),
    )
    assert [block[0] for block in blocks(events)] == [called("mcp.a", "a"), called("ns__f", "b"), called("x", "c")]


def test_input_of_a_free_form_tool_is_one_argument() -> None:
    item = {"call_id": "a", "name": "patch"}
    events = read(
        added(0, "custom_tool_call", input="", **item),
        event("custom_tool_call_input.delta", delta='*** "'),
        event("custom_tool_call_input.delta", delta="\n"),
        event("custom_tool_call_input.done", input='*** "\n'),
        done(0, "custom_tool_call", input='*** "\n', **item),
        terminal(),
    )
    (block,) = blocks(events)
    arguments = "".join(one.json for one in block if isinstance(one, ir.ArgumentsDelta))
    assert json.loads(arguments) == {"input": '*** "\n'}


@pytest.mark.parametrize(
    ("given", "expected"),
    [("", "{}"), ("null", "{}"), ("[1]", '{"input":[1]}'), ("oops", '{"input":"oops"}'), (" {}", "{}")],
)
def test_arguments_are_one_object(given: str, expected: str) -> None:
    (block,) = blocks(read(done(0, "function_call", arguments=given, **CALL), terminal()))
    assert block[1:] == [ir.ArgumentsDelta(expected)]


@pytest.mark.parametrize("streams", [True, False])
def test_arguments_written_as_an_object_are_taken(streams: bool) -> None:
    item = {**CALL, "type": "function_call", "arguments": {"a": [1]}}
    events = [added(0, "function_call", **CALL), event("function_call_arguments.done", arguments=item["arguments"])]
    (block,) = blocks(read(*(events if streams else ()), terminal(output=[item])))
    assert block[1:] == [ir.ArgumentsDelta('{"a": [1]}')]


def test_calls_without_an_id_get_one_that_stays() -> None:
    item = {"type": "function_call", "name": "f", "arguments": "{}"}
    ids = {
        block[0].id
        for _ in range(2)
        for block in blocks(read(terminal(output=[item])))
        if isinstance(block[0], ir.BlockStarted)
    }
    assert len(ids) == 1
    assert ids.pop().startswith("call_")


# other items


@pytest.mark.parametrize(("form", "kind"), [({}, "image/png"), ({"output_format": "webp"}, "image/webp")])
def test_picture_is_a_block(form: dict[str, str], kind: str) -> None:
    events = read(
        added(0, "image_generation_call"),
        event("image_generation_call.partial_image", partial_image_b64="AA==", partial_image_index=0),
        done(0, "image_generation_call", result="cG5n", **form),
        terminal(),
    )
    assert blocks(events) == [[ir.BlockStarted(kind="media"), ir.MediaChunk(media_type=kind, data="cG5n")]]


def test_picture_that_failed_is_nothing() -> None:
    assert blocks(read(done(0, "image_generation_call", result=None), terminal())) == []


RAN: dict[str, Any] = {
    "code": "print(6*7)",
    "container_id": "c",
    "outputs": [
        {"type": "logs", "logs": "42\n"},
        {"type": "image", "url": "data:image/png;base64,cG5n"},
        {"type": "image", "url": "https://a.example/x.png"},
    ],
}


def test_code_that_ran_is_fenced_text_with_what_it_printed_and_drew() -> None:
    ran, message = done(0, "code_interpreter_call", **RAN), done(1, "message", content=[said("a")])
    streamed = read(created(), ran, message, terminal())
    assert blocks(streamed) == [
        [TEXT, ir.TextDelta("\n```python\nprint(6*7)\n```\n")],
        [TEXT, ir.TextDelta("\n```output\n42\n```\n")],
        [ir.BlockStarted(kind="media"), ir.MediaChunk(media_type="image/png", data="cG5n")],
        [TEXT, ir.TextDelta("![image](https://a.example/x.png)")],
        [TEXT, ir.TextDelta("a")],
    ]
    body = {"id": "resp_1", "status": "completed", "output": [ran["item"], message["item"]]}
    assert blocks(reader().feed_whole(json.dumps(body).encode())) == blocks(streamed)


@pytest.mark.parametrize("fields", [{"code": None, "outputs": None}, {"code": 1}, {"outputs": [{"logs": ""}]}])
def test_code_that_says_nothing_is_nothing(fields: dict[str, Any]) -> None:
    assert blocks(read(done(0, "code_interpreter_call", **fields), terminal())) == []


def test_item_of_a_service_is_kept_for_its_dialect() -> None:
    item = done(0, "web_search_call", action={"type": "search"})
    found = [event for event in read(item, terminal()) if isinstance(event, ir.OpaqueEvent)]
    assert [(one.dialect, one.kind, json.loads(bytes(one.value))) for one in found] == [
        ("openai-responses", "web_search_call", item["item"])
    ]


@pytest.mark.parametrize(
    "unknown",
    [
        {"type": "response.web_search_call.searching", "item_id": "i0", "output_index": 0},
        {"type": "keepalive", "sequence_number": 3},
        {"type": "response.new", "delta": {"a": 1}, "output_index": "x"},
        {},
    ],
)
def test_unknown_event_is_ignored(unknown: dict[str, Any]) -> None:
    assert end(read(created(), unknown, terminal())) == ir.Finished(reason="stop", native="completed")


# the end


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("max_output_tokens", "length"),
        ("max_messages", "length"),
        ("content_filter", "content_filter"),
        ("steered", "stop"),
        ("new", "length"),
        (None, "length"),
    ],
)
def test_answer_may_be_incomplete(reason: str | None, expected: str) -> None:
    finished = end(read(created(), terminal("incomplete", incomplete_details={"reason": reason})))
    assert (finished.reason, finished.native) == (expected, reason or "incomplete")


def test_incomplete_answer_that_is_called_completed_is_not_complete() -> None:
    last = {"type": "response.completed", "response": {"status": "incomplete"}}
    assert end(read(created(), last)).reason == "length"


@pytest.mark.parametrize(
    ("kind", "events", "expected"),
    [
        ("function_call", [event("function_call_arguments.delta", delta='{"a":"b')], '{"a":"b'),
        ("function_call", [], "{"),
        ("custom_tool_call", [event("custom_tool_call_input.delta", delta="**")], '{"input":"**'),
        ("custom_tool_call", [], '{"input":"'),
    ],
)
def test_call_that_was_cut_does_not_look_whole(kind: str, events: list[dict[str, Any]], expected: str) -> None:
    found = read(added(0, kind, **CALL), *events, terminal("incomplete"))
    ((_, *deltas),) = blocks(found)
    assert "".join(one.json for one in deltas if isinstance(one, ir.ArgumentsDelta)) == expected
    assert end(found).reason == "length"


def test_call_that_was_whole_before_the_cut_stays_whole() -> None:
    found = read(done(0, "function_call", arguments="", **CALL), terminal("incomplete"))
    assert blocks(found) == [[called(), ir.ArgumentsDelta("{}")]]


@pytest.mark.parametrize(
    ("status", "expected"),
    [({}, '{"input":"**"}'), ({"status": None}, '{"input":"**"}'), ({"status": "in_progress"}, '{"input":"**')],
)
def test_call_before_what_was_cut_is_whole_unless_it_says_otherwise(status: dict[str, Any], expected: str) -> None:
    """A free-form call of OpenAI's own has no status."""
    call = {"type": "custom_tool_call", "id": "i0", "input": "**", **CALL, **status}
    message = {"type": "message", "id": "i1", "status": "incomplete", "content": [{"type": "output_text", "text": "a"}]}
    (_, *deltas), _ = blocks(read(created(), terminal("incomplete", output=[call, message])))
    assert "".join(one.json for one in deltas if isinstance(one, ir.ArgumentsDelta)) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": "rate_limit_exceeded", "message": "slow"}, UpstreamRateLimited),
        ({"code": "server_error", "message": "oh"}, UpstreamUnavailable),
        ({"code": "context_length_exceeded", "message": "long"}, ContextTooLong),
        (None, UpstreamUnavailable),
    ],
)
def test_failure_keeps_its_class(error: object, expected: type[Exception]) -> None:
    events = read(created(), event("output_text.delta", delta="a"), terminal("failed", error=error))
    assert type(end(events)) is expected
    assert ir.TextDelta("a") in events


@pytest.mark.parametrize(
    "error",
    [
        {"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": None, "sequence_number": 1},
        {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "slow"}},
        {"error": {"code": "rate_limit_exceeded", "message": "slow"}},
        {"type": "error", "code": 429, "message": "slow"},
    ],
)
def test_error_event_ends_the_answer(error: dict[str, Any]) -> None:
    failed = end(read(created(), error))
    assert type(failed) is UpstreamRateLimited
    assert "slow" in failed.message


def test_cancelled_answer_failed() -> None:
    assert type(end(read(created(), terminal("cancelled")))) is UpstreamUnavailable


def test_stream_without_an_end_is_broken() -> None:
    assert type(end(read(created(), event("output_text.delta", delta="a")))) is StreamBroken
    assert type(end(read())) is StreamBroken


THOUGHT = (added(0, "reasoning", summary=[]), done(0, "reasoning", summary=[], encrypted_content=SEALED))
SPOKEN = (added(1, "message", role="assistant"), done(1, "message", role="assistant", content=[said("Hi")]))
CALLED = (added(2, "function_call", arguments="", **CALL), done(2, "function_call", arguments="{}", **CALL))


@pytest.mark.parametrize("mark", [[], ["[DONE]"]])
@pytest.mark.parametrize(
    ("items", "reason"),
    [
        pytest.param([*THOUGHT, *SPOKEN], "stop", id="message"),
        pytest.param([*SPOKEN, *CALLED], "tool_calls", id="call"),
        pytest.param([done(0, "custom_tool_call", input="x", **CALL)], "tool_calls", id="call-that-did-not-begin"),
    ],
)
def test_a_stream_whose_items_are_all_complete_needs_no_end_of_its_own(
    items: list[dict[str, Any]], reason: str, mark: list[str]
) -> None:
    """moeru-ai/airi PR 2593: OpenRouter's may end behind the last response.output_item.done."""
    one = reader("f")
    events = one.feed([*(json.dumps(data) for data in (created(), *items)), *mark]) + one.close()
    assert end(events) == ir.Finished(reason=reason, native="completed")  # type: ignore[arg-type]  # of the table
    assert one.close() == []


@pytest.mark.parametrize(
    "items",
    [
        pytest.param([*SPOKEN, *THOUGHT], id="thought-last"),
        pytest.param([*SPOKEN, CALLED[0]], id="call-begun"),
        pytest.param([CALLED[0], *SPOKEN], id="one-before-it-is-open"),
        pytest.param([done(1, "message", content=[said("Hi")], status="incomplete")], id="message-cut"),
        pytest.param([done(1, "message", content=[said("I look.")], phase="commentary")], id="more-announced"),
        pytest.param([done(1, "web_search_call", status="completed")], id="nothing-said"),
    ],
)
def test_a_stream_that_ends_where_more_was_to_come_is_broken(items: list[dict[str, Any]]) -> None:
    assert type(end(read(created(), *items))) is StreamBroken


@pytest.mark.parametrize("again", [[], [event("output_text.done", 1, text="Hi there"), SPOKEN[1]]])
@pytest.mark.parametrize("output", [[], [{"type": "message", "id": "i1", "content": [said("Hi there")]}]])
def test_words_behind_the_end_of_their_message_are_not_lost(again: list[dict[str, Any]], output: list[Any]) -> None:
    """diegosouzapw/OmniRoute 13693: the message is ended behind its first words, and the others follow."""
    more = [event("output_text.delta", 1, delta=words) for words in (" the", "re")]
    found = read(created(), *SPOKEN, *more, *again, terminal(output=output))
    assert "".join(one.text for one in found if isinstance(one, ir.TextDelta)) == "Hi there"
    assert end(found) == ir.Finished(reason="stop", native="completed")


def test_the_mark_at_the_end_of_a_stream_is_no_end_of_an_answer() -> None:
    """It is told at once: the error must go out before the mark does."""
    one = reader()
    payloads = [json.dumps(created()), json.dumps(event("output_text.delta", delta="a")), "[DONE]"]
    assert type(end(one.feed(payloads))) is StreamBroken


@pytest.mark.parametrize(
    ("status", "expected"),
    [("completed", "stop"), (None, "stop"), ("incomplete", "length"), ("failed", UpstreamUnavailable)],
)
def test_response_done_is_an_end(status: str | None, expected: object) -> None:
    """decolua/9router PR 2142, can1357/oh-my-pi PR 4692."""
    last = {"type": "response.done", "response": {"id": "resp_1", "status": status}}
    ending = end(read(created(), event("output_text.delta", delta="a"), last))
    assert (ending.reason if isinstance(ending, ir.Finished) else type(ending)) == expected


@pytest.mark.parametrize(
    "payload", ["{", "[]", "5", '{"type": "response.output_text.delta", "delta": 5}', "[" * 100_000]
)
def test_what_cannot_be_read_breaks_the_answer(payload: str) -> None:
    one = reader()
    events = one.feed([json.dumps(created()), payload, json.dumps(terminal())]) + one.close()
    assert [type(event) for event in events] == [ir.Started, ir.Failed]
    assert type(end(events)) is UpstreamMalformed


def test_nothing_follows_the_end() -> None:
    one = reader()
    payloads = [json.dumps(data) for data in (terminal(), event("output_text.delta", delta="a"), terminal("failed"))]
    assert end(one.feed([*payloads, "[DONE]"])) == ir.Finished(reason="stop", native="completed")
    assert one.close() == []


# one document


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", UpstreamMalformed),
        (b"<html>", UpstreamMalformed),
        (b"[]", UpstreamMalformed),
        (b"{}", UpstreamMalformed),
        (b'{"error":{"code":"rate_limit_exceeded","message":"slow"}}', UpstreamRateLimited),
        (b'{"status":"failed","error":{"code":"server_error","message":"x"},"output":[]}', UpstreamUnavailable),
        (b'{"status":"in_progress","output":[]}', StreamBroken),
    ],
)
def test_document_that_is_no_answer(body: bytes, expected: type[Exception]) -> None:
    assert type(end(reader().feed_whole(body))) is expected


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_document_of_an_answer_in_the_background_says_that_it_is_not_there_yet(status: str) -> None:
    body = {"id": "resp_1", "status": status, "background": True, "output": [], "error": None, "usage": None}
    events = reader().feed_whole(json.dumps(body).encode())
    assert events == [ir.Started(id="resp_1"), ir.Finished(reason="pause", native=status)]


def test_document_may_leave_out_its_status() -> None:
    body = json.dumps({"output": [{"type": "message", "content": [said("a")]}]}).encode()
    assert blocks(reader().feed_whole(body)) == [[TEXT, ir.TextDelta("a")]]


def test_the_items_of_the_last_event_are_found_by_looking_each_up(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, first = 0, outbound_stream._Left._first

    def looking(left: outbound_stream._Left, kind: str, key: str | None) -> outbound_stream._Seen | None:
        nonlocal looks
        looks += 1
        return first(left, kind, key)

    monkeypatch.setattr(outbound_stream._Left, "_first", looking)
    calls = [{"call_id": f"call_{number}", "name": "f", "arguments": "{}"} for number in range(50)]
    begun = [added(number, "function_call", **one) for number, one in enumerate(calls)]
    output = [done(number, "function_call", **one)["item"] for number, one in enumerate(calls)]
    events = read(created(), *begun, terminal(output=output[::-1]))
    ids = [event.id for event in events if isinstance(event, ir.BlockStarted)]
    assert ids == [one["call_id"] for one in calls]
    assert looks <= 2 * len(calls)
