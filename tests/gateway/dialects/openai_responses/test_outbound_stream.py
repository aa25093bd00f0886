"""What the events of an upstream that speaks OpenAI Responses become."""

import json
from typing import Any

import pytest

from gateway import ir
from gateway.dialects.gemini.names import NameMap
from gateway.errors import (
    UpstreamMalformed,
)

from .outbound import (
    CALL,
    SEALED,
    TEXT,
    THINKING,
    added,
    blocks,
    called,
    created,
    done,
    end,
    event,
    read,
    reader,
    said,
    terminal,
)

SIGNED = ir.SignatureDelta(ir.Signature("openai", SEALED))
USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}


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


def test_a_drawing_at_an_address_of_the_upstreams_own_is_its_link() -> None:
    ran = done(0, "code_interpreter_call", outputs=[{"type": "image", "url": "sandbox:/mnt/x.png"}])
    assert blocks(read(ran, terminal())) == [[TEXT, ir.TextDelta("![image](sandbox:/mnt/x.png)")]]


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
