"""Every recorded stream of Code Assist, read as `expected.json` says, however the network cuts it."""

import base64
import json

import pytest

from gateway import ir
from gateway.dialects.gemini.names import NameMap
from gateway.dialects.gemini.stream import ReadOptions, StreamReader
from gateway.errors import StreamBroken, UpstreamMalformed, UpstreamOverloaded, UpstreamRateLimited
from gateway.ir.grammar import check
from gateway.sse import Decoder
from tests.conformance.recordings import EXPECTED, FIXTURES, NAMES, family, stream

ERRORS: dict[str, tuple[type[Exception], str]] = {
    "upstream_malformed_tool_call": (UpstreamMalformed, "upstream_malformed_tool_call"),
    "upstream_unexpected_tool_call": (UpstreamMalformed, "upstream_unexpected_tool_call"),
    "upstream_error_in_stream": (UpstreamOverloaded, "overloaded"),
    "rate_limited": (UpstreamRateLimited, "rate_limit_exceeded"),
    "upstream_truncated": (StreamBroken, "upstream_truncated"),
}


def read(name: str, *reads: bytes) -> tuple[list[ir.Event], StreamReader]:
    reader = StreamReader(ReadOptions(names=NameMap([]), family=family(name), salt="salt"))
    decoder = Decoder()
    events = [event for data in reads for event in reader.feed(decoder.feed(data))]
    events += reader.feed(decoder.close()) + reader.close()
    check(events)
    return events, reader


def comparable(name: str, *reads: bytes) -> list[object]:
    """Give the events of one stream, with errors that equal each other."""
    events, _ = read(name, *reads)
    return [(type(event.error), str(event.error)) if isinstance(event, ir.Failed) else event for event in events]


def blocks(events: list[ir.Event], kind: str) -> list[list[ir.Event]]:
    """Give what stands in each block of one kind, its start first."""
    found: list[list[ir.Event]] = []
    within = False
    for event in events:
        if isinstance(event, ir.BlockStarted):
            within = event.kind == kind
            found += [[]] if within else []
        if within:
            found[-1].append(event)
    return found


def said(events: list[ir.Event], kind: str, delta: type[ir.TextDelta | ir.ThinkingDelta]) -> str:
    """Join the words of one kind, without fenced code."""
    words = ("".join(event.text for event in block if isinstance(event, delta)) for block in blocks(events, kind))
    return "".join(word for word in words if not word.startswith("\n```"))


def test_every_recorded_stream_is_expected() -> None:
    assert [path.stem for path in sorted(FIXTURES.glob("*.sse"))] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_words_are_as_expected(name: str) -> None:
    events, _ = read(name, stream(name))
    assert said(events, "text", ir.TextDelta) == EXPECTED[name]["text"]
    assert said(events, "thinking", ir.ThinkingDelta) == EXPECTED[name]["thoughts"]


@pytest.mark.parametrize("name", NAMES)
def test_calls_are_as_expected(name: str) -> None:
    events, _ = read(name, stream(name))
    expected = EXPECTED[name]["tool_calls"]
    calls = blocks(events, "tool_call")
    found = [
        {
            "id": block[0].id if wanted["id"] else None,
            "name": block[0].name,
            "args": json.loads(next(event.json for event in block if isinstance(event, ir.ArgumentsDelta))),
        }
        for wanted, block in zip(expected, calls, strict=True)
        if isinstance(block[0], ir.BlockStarted)
    ]
    assert found == expected
    ids = [block[0].id for block in calls if isinstance(block[0], ir.BlockStarted)]
    assert len(set(ids)) == len(ids)
    assert all(ids)


@pytest.mark.parametrize("name", NAMES)
def test_end_is_as_expected(name: str) -> None:
    events, reader = read(name, stream(name))
    expected, end = EXPECTED[name], events[-1]
    if expected["outcome"] in ("error", "truncated"):
        assert isinstance(end, ir.Failed)
        assert (type(end.error), end.error.code) == ERRORS[expected["error_kind"]]
    else:
        assert isinstance(end, ir.Finished)
        assert end.reason == expected["openai_finish"]
        assert end.native == (expected["upstream_finish"] or expected["block"])
    assert reader.empty is (expected["outcome"] == "empty")


@pytest.mark.parametrize("name", [name for name in NAMES if "usage_openai" in EXPECTED[name]])
def test_usage_is_as_expected(name: str) -> None:
    events, reader = read(name, stream(name))
    openai, usage = EXPECTED[name]["usage_openai"], reader.usage
    assert usage is not None
    assert (usage.input, usage.output) == (openai["prompt_tokens"], openai["completion_tokens"])
    assert (usage.cache_read, usage.reasoning) == (openai["cached_tokens"], openai["reasoning_tokens"])
    assert (usage.total or 0) == openai["total_tokens"]
    reported = [event.usage for event in events if isinstance(event, ir.UsageReported)]
    assert reported in ([], [usage])


@pytest.mark.parametrize("name", [name for name in NAMES if "signature" in EXPECTED[name]])
def test_signature_is_as_expected(name: str) -> None:
    events, _ = read(name, stream(name))
    assert EXPECTED[name]["signature"] in [
        event.signature.value for event in events if isinstance(event, ir.SignatureDelta)
    ]


def test_image_is_whole() -> None:
    events, _ = read("14_image_inline", stream("14_image_inline"))
    (image,) = [event for event in events if isinstance(event, ir.MediaChunk)]
    assert image.media_type == "image/png"
    assert base64.b64decode(image.data, validate=True).startswith(b"\x89PNG\r\n\x1a\n")


def test_source_of_a_search_is_cited() -> None:
    events, _ = read("15_search_grounding", stream("15_search_grounding"))
    (citation,) = [event for event in events if isinstance(event, ir.CitationDelta)]
    assert (citation.url, citation.title) == ("https://example.org/redirect/AAA", "example.org")
    assert (citation.start, citation.end) == (0, 41)


@pytest.mark.parametrize("name", NAMES)
def test_undecodable_events_are_counted(name: str) -> None:
    _, reader = read(name, stream(name))
    assert reader.skipped == (1 if EXPECTED[name].get("malformed") else 0)


@pytest.mark.parametrize("name", NAMES)
def test_any_cut_into_two_reads_gives_the_same_events(name: str) -> None:
    data = stream(name)
    whole = comparable(name, data)
    for place in range(len(data) + 1):
        assert comparable(name, data[:place], data[place:]) == whole


@pytest.mark.parametrize("name", NAMES)
def test_single_bytes_give_the_same_events(name: str) -> None:
    data = stream(name)
    assert comparable(name, *(data[place : place + 1] for place in range(len(data)))) == comparable(name, data)


def test_whole_answer_is_read() -> None:
    body = (FIXTURES / "control" / "generateContent_text.json").read_bytes()
    reader = StreamReader(ReadOptions(names=NameMap([]), family="gemini", salt="salt"))
    events = reader.feed_whole(body)
    check(events)
    assert said(events, "text", ir.TextDelta) == "Hello, world."
    assert reader.usage == ir.Usage(input=12, output=5, total=17)
