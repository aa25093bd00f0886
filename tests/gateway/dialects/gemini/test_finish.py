"""How an answer ends, for each word that Google has for it."""

import pytest

from gateway import ir
from gateway.errors import StreamBroken, UpstreamMalformed

from .answering import chunk, end, function, payload, read, reader, text

CLEAN = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "pause",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}
MALFORMED = {
    "MALFORMED_FUNCTION_CALL": "upstream_malformed_tool_call",
    "UNEXPECTED_TOOL_CALL": "upstream_unexpected_tool_call",
    "TOO_MANY_TOOL_CALLS": "upstream_too_many_tool_calls",
    "MALFORMED_RESPONSE": "upstream_malformed",
    "MISSING_THOUGHT_SIGNATURE": "upstream_missing_thought_signature",
}
UNCLEAR = [
    "OTHER",
    "FINISH_REASON_UNSPECIFIED",
    "LANGUAGE",
    "NO_IMAGE",
    "IMAGE_OTHER",
    "PUP_LIMITED_DISABLED",
    "NEVER_HEARD_OF",
]


@pytest.mark.parametrize(("native", "reason"), CLEAN.items())
@pytest.mark.parametrize("said", [(text("a"),), (text("hm", thought=True),), ()])
def test_clean_end_has_its_reason(native: str, reason: str, said: tuple[object, ...]) -> None:
    finished = end(read(chunk(*said), chunk(finish=native)))
    assert (finished.reason, finished.native) == (reason, native)


@pytest.mark.parametrize(
    ("number", "reason", "native"),
    [(1, "stop", "STOP"), (2, "length", "MAX_TOKENS"), (3, "content_filter", "SAFETY"), (99, "stop", "OTHER")],
)
def test_a_reason_may_be_a_number(number: int, reason: str, native: str) -> None:
    finished = end(read(chunk(text("a")), chunk(finishReason=number)))
    assert (finished.reason, finished.native) == (reason, native)


@pytest.mark.parametrize(("native", "code"), MALFORMED.items())
@pytest.mark.parametrize("said", [(text("a"),), ()])
def test_malformed_end_is_an_error_whatever_was_said(native: str, code: str, said: tuple[object, ...]) -> None:
    error = end(read(chunk(*said), chunk(finish=native, finishMessage="Malformed: print(f())")))
    assert type(error) is UpstreamMalformed
    assert error.code == code
    assert "Malformed: print(f())" in error.message


@pytest.mark.parametrize("native", ["MALFORMED_FUNCTION_CALL", "OTHER"])
def test_malformed_end_without_words_is_told_in_a_sentence(native: str) -> None:
    error = end(read(chunk(finish=native)))
    assert isinstance(error, UpstreamMalformed)
    assert error.message == f"the upstream ended its response with {native}, and did not say why"


@pytest.mark.parametrize("native", UNCLEAR)
def test_unclear_end_is_clean_when_something_was_said(native: str) -> None:
    assert end(read(chunk(text("a")), chunk(finish=native))).reason == "stop"


@pytest.mark.parametrize("native", UNCLEAR)
def test_unclear_end_without_anything_said_is_an_error(native: str) -> None:
    error = end(read(chunk(text("hm", thought=True)), chunk(finish=native)))
    assert type(error) is UpstreamMalformed
    assert error.code == "upstream_malformed"


@pytest.mark.parametrize("native", ["STOP", *UNCLEAR])
def test_complete_call_makes_a_sound_end_a_tool_turn(native: str) -> None:
    finished = end(read(chunk(function()), chunk(text("")), chunk(finish=native)))
    assert (finished.reason, finished.native) == ("tool_calls", native)


@pytest.mark.parametrize(("native", "reason"), [item for item in CLEAN.items() if item[0] != "STOP"])
def test_answer_that_was_cut_after_a_call_says_so(native: str, reason: str) -> None:
    finished = end(read(chunk(function()), chunk(text("and then I wou"), finish=native)))
    assert (finished.reason, finished.native) == (reason, native)


@pytest.mark.parametrize(("native", "code"), MALFORMED.items())
def test_malformed_end_after_a_call_is_an_error(native: str, code: str) -> None:
    error = end(read(chunk(function()), chunk(finish=native)))
    assert type(error) is UpstreamMalformed
    assert error.code == code


def test_complete_call_needs_no_finish_reason() -> None:
    finished = end(read(chunk(function()), chunk(text(""))))
    assert (finished.reason, finished.native) == ("tool_calls", None)


def test_call_before_a_cut_event_is_broken() -> None:
    one = reader()
    events = one.feed([payload(chunk(function())), '{"response":{"candid']) + one.close()
    assert isinstance(end(events), StreamBroken)


@pytest.mark.parametrize("chunks", [[], [{}], [chunk(text("a"))]])
def test_end_without_a_finish_reason_is_broken(chunks: list[object]) -> None:
    assert isinstance(end(read(*chunks)), StreamBroken)


def test_refusal_carries_the_upstreams_words() -> None:
    finished = end(read(chunk(text("a")), chunk(finish="SAFETY", finishMessage="too hot")))
    assert finished.explanation == "too hot"


def test_other_ends_carry_no_words() -> None:
    assert end(read(chunk(text("a"), finish="STOP", finishMessage="fine"))).explanation is None


@pytest.mark.parametrize(
    ("feedback", "words"),
    [
        ({"blockReason": "SAFETY", "blockReasonMessage": "The prompt was blocked."}, "The prompt was blocked."),
        ({"blockReason": "OTHER"}, "the upstream blocked the prompt: OTHER"),
    ],
)
def test_blocked_prompt_is_a_refusal_with_its_tokens(feedback: dict[str, str], words: str) -> None:
    events = read({"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 13, "totalTokenCount": 13}})
    assert events[-1] == ir.Finished(reason="content_filter", native=feedback["blockReason"], explanation=words)
    assert events[-2] == ir.UsageReported(ir.Usage(input=13, total=13))


def test_feedback_without_a_block_is_no_end() -> None:
    assert isinstance(end(read({"promptFeedback": {"safetyRatings": []}})), StreamBroken)


@pytest.mark.parametrize(
    ("chunks", "empty"),
    [
        ([chunk(text(""), finish="STOP")], True),
        ([chunk(text("hm", thought=True)), chunk(finish="STOP")], True),
        ([chunk(text("a"), finish="STOP")], False),
        ([chunk(function(), finish="STOP")], False),
        ([chunk({"inlineData": {"mimeType": "image/png", "data": "cG5n"}}, finish="STOP")], False),
        ([chunk(text("hm", thought=True)), chunk(finish="MAX_TOKENS")], False),
        ([{"promptFeedback": {"blockReason": "SAFETY"}}], False),
    ],
)
def test_empty_answer_is_known_as_such(chunks: list[object], empty: bool) -> None:
    one = reader()
    one.feed([payload(value) for value in chunks])
    one.close()
    assert one.empty is empty
