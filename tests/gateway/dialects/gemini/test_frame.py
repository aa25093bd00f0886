"""Where an answer begins and ends, whole answers, and errors under status 200."""

from typing import Any

import msgspec
import pytest

from gateway import ir
from gateway.errors import StreamBroken, UpstreamMalformed, UpstreamOverloaded, UpstreamRateLimited

from .answering import blocks, chunk, end, function, payload, read, reader, text

TEXT = ir.BlockStarted(kind="text")
DONE = chunk(finish="STOP")


def test_start_says_what_the_first_chunk_says() -> None:
    first = chunk(text("a"), usage={"promptTokenCount": 12, "totalTokenCount": 12}) | {
        "modelVersion": "gemini-3-flash",
        "responseId": "r1",
    }
    assert read(first, DONE)[0] == ir.Started(id="r1", model="gemini-3-flash", usage=ir.Usage(input=12, total=12))


@pytest.mark.parametrize(
    "empty",
    [{}, {"candidates": []}, {"candidates": None}, {"usageMetadata": {}}, {"usageMetadata": {"promptTokenCount": 0}}],
)
def test_sign_of_life_is_no_start(empty: object) -> None:
    assert reader().feed([payload(empty)]) == []


def test_only_the_first_candidate_is_read() -> None:
    other = {"index": 1, "content": {"parts": [text("no")]}, "finishReason": "MAX_TOKENS"}
    both = {"candidates": [other, {"index": 0, "content": {"parts": [text("yes")]}, "finishReason": "STOP"}]}
    events = read(both)
    assert blocks(events) == [[TEXT, ir.TextDelta("yes")]]
    assert end(events).reason == "stop"


def test_content_after_the_finish_still_counts() -> None:
    events = read(chunk(text("a"), finish="STOP"), chunk(text("b")), {"usageMetadata": {"promptTokenCount": 3}})
    assert blocks(events) == [[TEXT, ir.TextDelta("a"), ir.TextDelta("b")]]
    assert events[-2] == ir.UsageReported(ir.Usage(input=3))


def test_close_twice_says_nothing_more() -> None:
    one = reader()
    one.feed([payload(chunk(text("a"), finish="STOP"))])
    assert one.close()
    assert one.close() == []


BAD = [
    *("{", "", "null", "[]x", "5", '"x"', '{"candidates":5}', b"\xff", "\ud800"),
    *('{"a":' * 5000, '[{"a":' + "[" * 5000, '{"candidates":5,"a":' + "[" * 5000 + "]" * 5000 + "}"),
]


@pytest.mark.parametrize("bad", BAD)
def test_undecodable_event_is_skipped_and_counted(bad: str | bytes) -> None:
    one = reader()
    events = one.feed([payload(chunk(text("a"))), bad, payload(chunk(text("b"), finish="STOP"))]) + one.close()
    assert blocks(events) == [[TEXT, ir.TextDelta("a"), ir.TextDelta("b")]]
    assert one.skipped == 1


def test_stream_that_ends_in_an_undecodable_event_is_broken() -> None:
    one = reader()
    assert isinstance(end(one.feed([payload(chunk(text("a"))), '{"resp']) + one.close()), StreamBroken)


def test_numbers_may_be_strings() -> None:
    one = reader()
    one.feed([payload(chunk(text("a"), usage={"promptTokenCount": "7", "totalTokenCount": "9"}))])
    assert one.usage == ir.Usage(input=7, output=2, total=9)


@pytest.mark.parametrize(
    "odd",
    [
        {"usageMetadata": {"promptTokenCount": 1.5}},
        {"usageMetadata": []},
        {"modelVersion": 3},
        {"responseId": {"id": "r"}},
    ],
)
def test_what_is_spelt_otherwise_costs_no_words(odd: dict[str, object]) -> None:
    counted = chunk(text("c"), finish="STOP", usage={"promptTokenCount": 7})
    for native in (False, True):
        events = read(chunk(text("a")), chunk(text("b")) | odd, counted, native=native)
        said = "".join(event.text for event in events if isinstance(event, ir.TextDelta))
        assert said == "abc"
        assert sum(isinstance(event, ir.Passed) for event in events) == 3 * native
        assert events[-2] == ir.UsageReported(ir.Usage(input=7))
    whole = reader().feed_whole(msgspec.json.encode([chunk(text("a")) | odd, counted]))
    assert "".join(event.text for event in whole if isinstance(event, ir.TextDelta)) == "ac"


@pytest.mark.parametrize("native", [False, True])
def test_a_null_in_place_of_a_part_or_a_candidate_costs_no_words(native: bool) -> None:
    counted = chunk(None, text("b"), None, function(), finish="STOP", usage={"promptTokenCount": 7})
    nulls = chunk(None, text("a"))
    nulls["candidates"] = [None, *msgspec.json.decode(msgspec.json.encode(nulls["candidates"]))]
    one = reader(native=native)
    events = one.feed([payload(nulls), payload(counted)]) + one.close()
    assert "".join(event.text for event in events if isinstance(event, ir.TextDelta)) == "ab"
    assert one.skipped == 0
    assert events[-2:] == [ir.UsageReported(ir.Usage(input=7)), ir.Finished(reason="tool_calls", native="STOP")]
    assert len([event for event in events if isinstance(event, ir.Passed)]) == 2 * native


# whole answers


@pytest.mark.parametrize(
    "wrap", [lambda one: {"response": one}, lambda one: one, lambda one: [one], lambda one: [{"response": one}]]
)
def test_whole_answer_is_read_like_a_stream(wrap: Any) -> None:
    one = chunk(text("Hello"), finish="STOP", usage={"promptTokenCount": 1, "totalTokenCount": 2})
    assert reader().feed_whole(msgspec.json.encode(wrap(one))) == read(one)


def test_array_of_chunks_is_read_like_a_stream() -> None:
    chunks = [chunk(text("He")), chunk(text("llo"), finish="STOP")]
    assert reader().feed_whole(msgspec.json.encode(chunks)) == read(*chunks)


def test_page_under_status_200_is_malformed_and_shown_in_short() -> None:
    error = end(reader().feed_whole(b"<html><h1>Proxy</h1>" + b"x" * 5000))
    assert type(error) is UpstreamMalformed
    assert error.message.startswith("the upstream's response cannot be read: Proxy xxx")
    assert len(error.message) < 260


# errors under status 200

STATUS = {"code": 503, "message": "The service is currently unavailable.", "status": "UNAVAILABLE"}


@pytest.mark.parametrize(
    "data", [{"error": STATUS}, {"response": {"error": STATUS}}, {"error": STATUS, "response": {}}]
)
def test_error_in_the_stream_ends_it(data: object) -> None:
    one = reader()
    events = one.feed([payload(chunk(text("a"))), msgspec.json.encode(data), payload(chunk(text("b")))])
    assert isinstance(end(events), UpstreamOverloaded)
    assert one.feed([payload(chunk(text("c")))]) == one.close() == []


def test_error_first_is_nothing_but_an_error() -> None:
    limited = {"code": 429, "message": "Resource has been exhausted", "status": "RESOURCE_EXHAUSTED"}
    (event,) = reader().feed([msgspec.json.encode({"error": limited})])
    assert isinstance(event, ir.Failed)
    assert isinstance(event.error, UpstreamRateLimited)


@pytest.mark.parametrize("nothing", [None, False, {}, "", 0])
def test_error_that_says_nothing_is_none(nothing: object) -> None:
    one = reader()
    events = one.feed([msgspec.json.encode({"error": nothing, "response": chunk(text("a"), finish="STOP")})])
    assert end(events + one.close()).reason == "stop"
