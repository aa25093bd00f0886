"""How the answers of an upstream that speaks OpenAI Responses end, and those that are one document."""

import json
from typing import Any

import pytest

from gateway import ir
from gateway.dialects.openai_responses import outbound_stream
from gateway.errors import (
    ContextTooLong,
    StreamBroken,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamUnavailable,
)

from .outbound import (
    CALL,
    SEALED,
    TEXT,
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


def test_why_an_answer_failed_may_stand_beside_it() -> None:
    """openai/codex#24973: Pioneer."""
    error = {"type": "server_error", "code": "upstream_error", "message": "no room"}
    failed = end(read(created(), terminal("failed", error=None) | {"error": error}))
    assert type(failed) is UpstreamUnavailable
    assert "no room" in failed.message


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
