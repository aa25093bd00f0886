"""Which events begin an answer, after which it is not asked for again."""

import pytest
from msgspec import Raw

from gateway import ir

SEALED = ir.SignatureDelta(ir.Signature("claude", "c2lnbmVk"))


@pytest.mark.parametrize(
    ("event", "begun"),
    [
        (ir.Started(id="up_1"), False),
        (ir.BlockStarted(kind="text"), False),
        (ir.BlockStarted(kind="thinking"), False),
        (ir.BlockStarted(kind="tool_call", id="call_1", name="look"), True),
        (ir.TextDelta("word"), True),
        (ir.TextDelta(""), False),
        (ir.ThinkingDelta("hm"), True),
        (ir.ThinkingDelta(""), False),
        (SEALED, True),
        (ir.MediaChunk(media_type="image/png", data="AAAA"), True),
        (ir.CitationDelta(url="https://example.com"), True),
        (ir.OpaqueEvent(dialect="anthropic", kind="server_tool_use", value=Raw(b"{}")), True),
        (ir.OpaqueEvent(dialect="gemini", kind="groundingMetadata", value=Raw(b"{}")), False),
        (ir.Alternative(1, ir.TextDelta("word")), True),
        (ir.Alternative(1, ir.BlockStarted(kind="text")), False),
        (ir.Alternative(1, ir.Finished(reason="stop")), False),
        (ir.BlockEnded(), False),
        (ir.UsageReported(ir.Usage(output=3)), False),
        (ir.Finished(reason="stop"), False),
        (ir.Passed(b"event: ping\n\n"), False),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, ir.Event) else None,
)
def test_what_says_something_begins_an_answer(event: ir.Event, begun: bool) -> None:
    assert ir.begins([ir.Started(), event]) is begun


@pytest.mark.parametrize("event", [ir.ThinkingDelta("hm"), SEALED])
def test_thoughts_that_are_not_for_the_caller_do_not(event: ir.Event) -> None:
    assert not ir.begins([ir.BlockStarted(kind="thinking"), event], hidden=True)
