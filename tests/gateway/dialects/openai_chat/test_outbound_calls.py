"""Calls in answers of a Chat upstream, read into events."""

from typing import Any

import msgspec
import pytest

from gateway import errors, ir
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.openai_chat.outbound_stream import ReadOptions, StreamReader
from tests.gateway.dialects.openai_chat.outbound_answers import (
    STARTED,
    Json,
    block,
    chunk,
    failed,
    fragment,
    made,
    read,
    reader,
    whole,
    words,
)


def test_a_call_streams_its_arguments() -> None:
    events = read(
        chunk(fragment(0, "call_a", "f", "")),
        chunk(fragment(0, arguments='{"a"')),
        chunk(fragment(0, arguments=":1}")),
        chunk({}, "tool_calls"),
    )
    finish = ir.Finished(reason="tool_calls", native="tool_calls")
    assert events == [STARTED, *made("call_a", "f", '{"a"', ":1}"), finish]


def test_a_call_makes_a_stop_a_tool_turn() -> None:
    events = read(chunk(fragment(0, "call_a", "f", "{}")), chunk({}, "stop"))
    assert events[-1] == ir.Finished(reason="tool_calls", native="stop")


@pytest.mark.parametrize("arguments", ["", None, " ", "null"])
def test_no_arguments_are_an_empty_object(arguments: str | None) -> None:
    events = read(chunk(fragment(0, "call_a", "f", arguments)), chunk({}, "tool_calls"))
    assert events[1:-1] == made("call_a", "f", "{}")


def test_arguments_that_are_no_object_are_made_one() -> None:
    events = read(chunk(fragment(0, "call_a", "f", "[1")), chunk(fragment(0, arguments=",2]")), chunk({}, "stop"))
    assert events[1:-1] == made("call_a", "f", '{"input":[1,2]}')


def test_arguments_written_as_an_object_are_taken() -> None:
    events = read(chunk(fragment(0, "call_a", "f", {"a": 1})), chunk({}, "stop"))
    assert events[1:-1] == made("call_a", "f", '{"a": 1}')


def test_mixed_arguments_become_one_block_after_the_other() -> None:
    events = read(
        chunk(fragment(0, "call_a", "f", "")),
        chunk(fragment(1, "call_b", "g", "")),
        chunk(fragment(0, arguments='{"a":')),
        chunk(fragment(1, arguments='{"b":')),
        chunk(fragment(1, arguments="2}")),
        chunk(fragment(0, arguments="1}")),
        chunk({}, "tool_calls"),
    )
    blocks = [*made("call_a", "f", '{"a":', "1}"), *made("call_b", "g", '{"b":', "2}")]
    assert events[1:-1] == blocks


def test_a_whole_call_ends_where_the_next_begins() -> None:
    one = reader()
    one.feed([chunk(fragment(0, "call_a", "f", '{"a":1}'))])
    assert one.feed([chunk(fragment(1, "call_b", "g", '{"b"'))]) == [
        ir.BlockEnded(),
        ir.BlockStarted(kind="tool_call", id="call_b", name="g"),
        ir.ArgumentsDelta('{"b"'),
    ]


def test_words_between_calls_wait_for_an_unfinished_one() -> None:
    events = read(
        chunk(fragment(0, "call_a", "f", '{"a"')),
        chunk({"content": "so"}),
        chunk(fragment(0, arguments=":1}")),
        chunk({}, "tool_calls"),
    )
    assert events[1:-1] == [*made("call_a", "f", '{"a"', ":1}"), *words("so")]


@pytest.mark.parametrize(
    "fragments",
    [
        pytest.param(
            [fragment(0, "a", "f", "{}"), fragment(0, "b", "g", "{}"), fragment(0, "c", "f", "{}")], id="one index"
        ),
        pytest.param(
            [fragment(None, "a", "f", "{}"), fragment(None, "b", "g", "{}"), fragment(None, "c", "f", "{}")],
            id="no index",
        ),
        pytest.param(
            [
                fragment(None, "a", "f", "{"),
                fragment(None, None, None, "}"),
                fragment(None, "b", "g", "{"),
                fragment(None, "b", None, "}"),
                fragment(None, "c", "f", "{}"),
            ],
            id="no index, in pieces",
        ),
        pytest.param(
            [
                fragment(0, "a", "f", "{"),
                fragment(0, "a", "f", "}"),
                fragment(1, "b", "g", ""),
                fragment(1, "b", "g", "{}"),
                fragment(2, "c", "f", "{}"),
            ],
            id="id and name repeated",
        ),
        pytest.param(
            [fragment(0, "a", "f", "{"), fragment(0, "z", None, "}"), fragment(1, "b", "g"), fragment(2, "c", "f")],
            id="another id in a later piece",
        ),
    ],
)
def test_calls_are_told_apart_however_they_are_numbered(fragments: list[Json]) -> None:
    events = read(*map(chunk, fragments), chunk({}, "tool_calls"))
    fold = ir.Fold()
    fold.feed(events)
    calls = [part for part in fold.reply().parts if isinstance(part, ir.ToolCall)]
    assert [(call.id, call.name, bytes(call.arguments)) for call in calls] == [
        ("a", "f", b"{}"),
        ("b", "g", b"{}"),
        ("c", "f", b"{}"),
    ]


def test_calls_without_ids_get_the_same_ones_each_time() -> None:
    delta = {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    first, again = (read(chunk(delta), chunk(delta), chunk({}, "stop")) for _ in range(2))
    ids = [event.id for event in first if isinstance(event, ir.BlockStarted)]
    assert first == again
    assert len(set(ids)) == 2
    assert all(ident.startswith("call_") for ident in ids)


def test_an_id_that_is_made_is_new_in_the_conversation_too() -> None:
    """Callers choose the ids of requests, which these are made of, and may choose the same one again."""
    known: list[str] = []
    for _ in range(3):
        calls = tuple(ir.ToolCall(id=ident, name="f", arguments=msgspec.Raw(b"{}")) for ident in known)
        options = ReadOptions(names=NameMap([]), salt="r1", turns=[ir.Turn(role="assistant", parts=calls)])
        made = StreamReader(options)
        said = [fragment(place, None, "f", "{}") for place in range(2)]
        events = [event for one in said for event in made.feed([chunk(one)])] + made.feed([chunk(finish="tool_calls")])
        known += [event.id for event in (*events, *made.close()) if isinstance(event, ir.BlockStarted)]
    assert len(set(known)) == 6


def test_the_callers_names_come_back() -> None:
    long = "mcp__" + "x" * 80
    events = read(chunk(fragment(0, "call_a", NameMap([long]).upstream(long), "{}")), names=(long,))
    assert events[1] == ir.BlockStarted(kind="tool_call", id="call_a", name=long)


def test_a_free_form_call_carries_its_text_as_input() -> None:
    def custom(**given: Any) -> str:
        return chunk({"tool_calls": [{"index": 0, **given}]})

    events = read(
        custom(id="call_a", type="custom", custom={"name": "sql", "input": ""}),
        custom(custom={"input": 'say "'}),
        custom(custom={"input": 'é"\n'}),
        chunk({}, "tool_calls"),
    )
    assert events[1:-1] == made("call_a", "sql", '{"input":"say \\"', 'é\\"\\n', '"}')


def test_a_free_form_call_without_text_has_an_empty_input() -> None:
    delta = {"tool_calls": [{"index": 0, "id": "call_a", "custom": {"name": "sql", "input": ""}}]}
    assert read(chunk(delta), chunk({}, "tool_calls"))[1:-1] == made("call_a", "sql", '{"input":""}')


def test_the_older_function_call_is_a_call() -> None:
    events = read(
        chunk({"function_call": {"name": "f", "arguments": '{"a"'}}),
        chunk({"function_call": {"arguments": ":1}"}}),
        chunk({}, "function_call"),
    )
    (started,) = (event for event in events if isinstance(event, ir.BlockStarted))
    assert events[1:-1] == made(started.id, "f", '{"a"', ":1}")
    assert events[-1] == ir.Finished(reason="tool_calls", native="function_call")


def test_a_call_that_is_written_in_both_ways_is_one() -> None:
    def both(arguments: str) -> dict[str, Any]:
        return fragment(0, "call_a", "f", arguments) | {"function_call": {"name": "f", "arguments": arguments}}

    nothing = {"role": "assistant", "content": None, "function_call": None, "tool_calls": None}
    events = read(chunk(nothing), chunk(both('{"a"')), chunk(both(":1}")), chunk(both("")), chunk({}, "tool_calls"))
    assert events[1:-1] == made("call_a", "f", '{"a"', ":1}")
    message = {"role": "assistant", "content": None, **both("{}")}
    answer = whole(choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}])
    assert answer[1:-1] == made("call_a", "f", "{}")


def test_geminis_signature_signs_its_call() -> None:
    given = fragment(0, "call_a", "f", "{}")
    given["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": "c2ln"}}
    events = read(chunk(given), chunk({}, "stop"))
    signature = ir.SignatureDelta(ir.Signature("gemini", "c2ln", "f"))
    assert events[1:-1] == block("tool_call", signature, ir.ArgumentsDelta("{}"), ident="call_a", name="f")


def test_a_call_without_a_name_is_an_error() -> None:
    error = failed(read(chunk(fragment(0, "call_a", None, "{}")), chunk({}, "tool_calls")))
    assert (type(error), error.code) == (errors.UpstreamMalformed, "upstream_malformed_tool_call")
