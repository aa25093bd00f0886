"""Streams to Gemini callers: their frame, their end, and what each event becomes."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from gateway import ir
from gateway.dialects import Answering
from gateway.dialects.gemini.inbound import Gemini
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    LimitsNotShared,
    StreamBroken,
    UpstreamOverloaded,
    UpstreamRateLimited,
)

from .caller import answering, array, heard, sse, write

FRAME = '"modelVersion":"asked","createTime":"2023-11-14T22:13:20Z","responseId":"0f0f0f0f0f0f0f0f0f0f0f0f"}'
BETWEEN = '"usageMetadata":{"promptTokenCount":0,"candidatesTokenCount":0,"totalTokenCount":0},' + FRAME
SIGNED = ir.Signature("gemini", "R0VN", "f")
SEALED = base64.b64encode(ir.seal(SIGNED).encode()).decode()
STOP = ir.Finished(reason="stop")
STARTED = ir.Started(id="r", usage=ir.Usage(input=3))


def block(kind: ir.BlockKind, *deltas: ir.Event, **fields: str) -> list[ir.Event]:
    return [ir.BlockStarted(kind=kind, **fields), *deltas, ir.BlockEnded()]


def text(*words: str) -> list[ir.Event]:
    return block("text", *map(ir.TextDelta, words))


def call(*pieces: str, signature: ir.Signature | None = None) -> list[ir.Event]:
    signed: list[ir.Event] = [ir.SignatureDelta(signature)] if signature else []
    return block("tool_call", *signed, *map(ir.ArgumentsDelta, pieces), id="c1", name="f")


def parts(*events: ir.Event, **to: Any) -> list[dict[str, Any]]:
    """Give the parts of one answer, without the empty one of its end."""
    answer = heard(sse(write([STARTED, *events, STOP], answering(**to))))
    *said, last = answer.parts
    assert last == {"text": ""}
    return said


def test_the_bytes_of_a_small_stream() -> None:
    counted = ir.UsageReported(ir.Usage(input=3, output=2, total=5))
    assert write([STARTED, *text("He", "llo"), counted, STOP]).decode() == (
        'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"He"}]},"index":0}],' + BETWEEN + "\r\n\r\n"
        'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"llo"}]},"index":0}],' + BETWEEN + "\r\n\r\n"
        'data: {"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"index":0,"finishReason":"STOP"}],'
        '"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5},' + FRAME + "\r\n\r\n"
    )


def test_the_bytes_of_a_small_array() -> None:
    writer = Gemini().stream_writer(answering("array"))
    pieces = [writer.feed([STARTED]), writer.feed(text("He")), writer.feed(text("llo")), writer.feed([STOP])]
    head = '{"candidates":[{"content":{"role":"model","parts":[{"text":"%s"}]},"index":0'
    assert [piece.decode() for piece in pieces] == [
        "",
        "[" + head % "He" + "}]," + BETWEEN + "\n",
        ",\r\n" + head % "llo" + "}]," + BETWEEN + "\n",
        ",\r\n" + head % "" + ',"finishReason":"STOP"}],"usageMetadata":'
        '{"promptTokenCount":3,"candidatesTokenCount":0,"totalTokenCount":3},' + FRAME + "\n]",
    ]
    assert writer.close() == b""


@pytest.mark.parametrize("likely", [[], [ir.LogprobsDelta((ir.Logprob("a", -0.5),))]])
def test_each_chunk_has_usage_as_googles_have(likely: list[ir.Event]) -> None:
    """BAML reads no chunk without: it took the end of an answer for all of it."""
    said = block("text", *likely, ir.TextDelta("a"))
    chunks = sse(write([STARTED, *said, ir.Alternative(1, STOP), STOP]))
    assert [chunk["usageMetadata"]["totalTokenCount"] for chunk in chunks] == [0, 0, 3]


def test_nothing_goes_out_before_there_is_content() -> None:
    writer = Gemini().stream_writer(answering())
    assert writer.feed([STARTED, ir.BlockStarted(kind="text"), ir.TextDelta("")]) == b""
    assert writer.feed([ir.TextDelta("a")]) != b""


def test_line_separators_are_escaped() -> None:
    written = write([STARTED, *text("a\u2028b\u2029c\x85d"), STOP])
    assert rb"a\u2028b\u2029c\u0085d" in written
    assert heard(sse(written)).text == "a\u2028b\u2029c\x85d"


# parts


@pytest.mark.parametrize(("visible", "said"), [(True, [{"text": "h", "thought": True}]), (False, [])])
def test_thoughts_are_shown_to_who_asked_for_them(visible: bool, said: list[Any]) -> None:
    thoughts = block("thinking", ir.ThinkingDelta("h"))
    assert parts(*thoughts, *text("a"), visible=visible) == [*said, {"text": "a"}]


def test_the_signature_of_words_follows_them() -> None:
    _, signed = parts(*block("text", ir.SignatureDelta(SIGNED), ir.TextDelta("a")))
    assert signed == {"text": "", "thoughtSignature": SEALED}


def test_the_signature_of_a_thought_is_on_its_last_words() -> None:
    """The AI SDK up to 6 drops what stands on a thought without words, and mirascope fails on such a thought."""
    thought = block("thinking", *map(ir.ThinkingDelta, "ab"), ir.SignatureDelta(SIGNED))
    assert parts(*thought, *text("c")) == [
        {"text": "a", "thought": True},
        {"text": "b", "thought": True, "thoughtSignature": SEALED},
        {"text": "c"},
    ]


def test_a_thought_goes_out_at_once_but_for_its_last_letter() -> None:
    writer = Gemini().stream_writer(answering())
    begun = writer.feed([STARTED, ir.BlockStarted(kind="thinking"), ir.ThinkingDelta("He")])
    assert b'{"text":"H","thought":true}' in begun
    assert b'{"text":"el","thought":true}' in writer.feed([ir.ThinkingDelta("ll")])
    assert b'{"text":"l","thought":true}' in writer.feed([ir.BlockEnded()])


def test_the_signature_of_a_thought_without_words_stands_alone() -> None:
    (signed,) = parts(*block("thinking", ir.SignatureDelta(SIGNED)))
    assert signed == {"text": "", "thought": True, "thoughtSignature": SEALED}


def test_the_last_words_of_a_thought_go_out_before_a_failure() -> None:
    broken = [STARTED, *block("thinking", ir.ThinkingDelta("h"))[:-1], ir.Failed(StreamBroken(StreamBroken.CUT))]
    thought, failure = sse(write(broken))
    assert thought["candidates"][0]["content"]["parts"] == [{"text": "h", "thought": True}]
    assert "error" in failure


def test_the_signature_of_hidden_thoughts_stays_here() -> None:
    thoughts = block("thinking", ir.ThinkingDelta("h"), ir.SignatureDelta(SIGNED))
    assert parts(*thoughts, visible=False) == []


def test_signatures_are_base64_that_google_s_sdk_decodes() -> None:
    (part,) = parts(*call("{}", signature=SIGNED))
    assert base64.b64decode(part["thoughtSignature"], validate=True) == ir.seal(SIGNED).encode()


def test_no_signature_goes_out_where_they_are_off() -> None:
    signed = [*call("{}", signature=SIGNED), *block("text", ir.TextDelta("a"), ir.SignatureDelta(SIGNED))]
    assert all("thoughtSignature" not in part for part in parts(*signed, sealed=False))
    assert len(parts(*signed, sealed=False)) == 2


@pytest.mark.parametrize(
    ("pieces", "args"),
    [(['{"a"', ":", " 1}"], {"a": 1}), ([], {}), ([""], {}), (["[1]"], {"input": [1]}), (["no"], {"input": "no"})],
)
def test_a_call_is_one_object_in_one_chunk(pieces: list[str], args: Any) -> None:
    assert parts(*call(*pieces)) == [{"functionCall": {"id": "c1", "name": "f", "args": args}}]


def test_arguments_over_several_lines_stay_one_line() -> None:
    (part,) = parts(*call('{\n "a":\r\n "x\\ny\u2028"\n}'))
    assert part["functionCall"]["args"] == {"a": "x\ny\u2028"}


def test_a_picture_with_its_signature() -> None:
    picture = block("media", ir.MediaChunk(media_type="image/png", data="AAAA"), ir.SignatureDelta(SIGNED))
    assert parts(*picture) == [
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": SEALED},
    ]


# the end


@pytest.mark.parametrize(
    ("reason", "native", "finish"),
    [
        ("stop", "end_turn", "STOP"),
        ("stop_sequence", None, "STOP"),
        ("tool_calls", "OTHER", "STOP"),
        ("pause", None, "STOP"),
        ("pause", "CONTINUATION", "CONTINUATION"),
        ("length", "MAX_TOKENS", "MAX_TOKENS"),
        ("context_window", None, "MAX_TOKENS"),
        ("content_filter", "refusal", "SAFETY"),
        ("content_filter", "RECITATION", "RECITATION"),
    ],
)
def test_finish_reasons(reason: ir.FinishReason, native: str | None, finish: str) -> None:
    end = ir.Finished(reason=reason, native=native)
    assert heard(sse(write([STARTED, *text("a"), end]))).finish == finish


def test_why_an_answer_was_withheld() -> None:
    end = ir.Finished(reason="content_filter", explanation="It is a poem.")
    *_, last = sse(write([STARTED, *text("a"), end]))
    assert last["candidates"][0]["finishMessage"] == "It is a poem."


CUT: list[ir.FinishReason] = ["length", "context_window", "content_filter"]
NOT_CUT: list[ir.FinishReason] = ["stop", "tool_calls"]


@pytest.mark.parametrize("reason", CUT)
def test_a_call_that_was_cut_is_none(reason: ir.FinishReason) -> None:
    end = ir.Finished(reason=reason)
    answer = heard(sse(write([STARTED, *call('{"a":1}'), *call('{"a":'), end])))
    assert [part.get("functionCall", {}).get("args") for part in answer.parts] == [{"a": 1}, None]


@pytest.mark.parametrize("reason", CUT)
def test_a_call_that_is_whole_is_one_although_the_answer_was_cut(reason: ir.FinishReason) -> None:
    answer = heard(sse(write([STARTED, *call('{"a":1}'), ir.Finished(reason=reason)])))
    assert answer.parts[0]["functionCall"]["args"] == {"a": 1}


@pytest.mark.parametrize("reason", NOT_CUT)
def test_arguments_that_are_no_json_are_passed_on_where_nothing_was_cut(reason: ir.FinishReason) -> None:
    answer = heard(sse(write([STARTED, *call("no"), ir.Finished(reason=reason)])))
    assert answer.parts[0]["functionCall"]["args"] == {"input": "no"}


CALLS = [*call('{"a":1}'), *call("{}")]


def calls_in(answer: bytes) -> list[int]:
    """Count the calls in each chunk."""
    return [chunk.decode().count('"functionCall"') for chunk in answer.split(b"\r\n\r\n")[:-1]]


def test_calls_in_a_row_stand_in_one_chunk_as_googles_do() -> None:
    """DSPy, Haystack and Semantic Kernel take the first part of each chunk for the same call."""
    assert calls_in(write([STARTED, *text("a"), *CALLS, STOP])) == [0, 2, 0]
    assert calls_in(write([STARTED, *CALLS, *text("a"), *call("{}"), STOP])) == [2, 0, 1, 0]
    assert calls_in(write([STARTED, *CALLS, *call('{"a":'), STOP])) == [3, 0]
    assert calls_in(write([STARTED, *CALLS, ir.Failed(StreamBroken("cut"))])) == [2, 0]
    other = [ir.Alternative(1, event) for event in (*CALLS, STOP)]
    assert calls_in(write([STARTED, *text("a"), *other, STOP])) == [0, 2, 0, 0]


def test_a_call_that_something_follows_was_not_cut() -> None:
    answer = heard(sse(write([STARTED, *call("no"), *text("a"), ir.Finished(reason="length")])))
    assert [[*part] for part in answer.parts] == [["functionCall"], ["text"], ["text"]]


def test_a_call_that_an_error_cuts_is_none() -> None:
    assert b"functionCall" not in write([STARTED, *call('{"a":'), ir.Failed(StreamBroken("cut"))])


@pytest.mark.parametrize("explanation", [None, "No."])
def test_a_refused_prompt_has_no_candidates(explanation: str | None) -> None:
    end = ir.Finished(reason="content_filter", native="PROHIBITED_CONTENT", explanation=explanation)
    (chunk,) = sse(write([STARTED, ir.UsageReported(ir.Usage(input=13)), end]))
    assert "candidates" not in chunk
    message = {"blockReasonMessage": explanation} if explanation else {}
    assert chunk["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT", **message}
    assert chunk["usageMetadata"]["promptTokenCount"] == 13


def test_usage_tells_thoughts_and_cached_tokens_apart() -> None:
    usage = ir.Usage(input=20, output=603, reasoning=405, cache_read=8, total=625)
    assert heard(sse(write([STARTED, *text("a"), ir.UsageReported(usage), STOP]))).usage == {
        "promptTokenCount": 20,
        "candidatesTokenCount": 198,
        "thoughtsTokenCount": 405,
        "cachedContentTokenCount": 8,
        "totalTokenCount": 625,
    }


def sources(*events: ir.Event) -> Any:
    *_, last = sse(write([STARTED, *block("text", ir.TextDelta("Rome"), *events), STOP]))
    return last["candidates"][0]


def test_grounding_goes_out_in_google_s_own_words() -> None:
    grounding, recited = Raw(b'{"webSearchQueries": [1.0e3]}'), Raw(b'{"citations":[]}')
    fetched = Raw(b'{"urlMetadata":[]}')
    found = sources(
        ir.CitationDelta(url="https://a.example/"),
        ir.OpaqueEvent(dialect="gemini", kind="groundingMetadata", value=grounding),
        ir.OpaqueEvent(dialect="gemini", kind="citationMetadata", value=recited),
        ir.OpaqueEvent(dialect="gemini", kind="urlContextMetadata", value=fetched),
        ir.OpaqueEvent(dialect="anthropic", kind="groundingMetadata", value=Raw(b"5")),
    )
    assert found["groundingMetadata"] == {"webSearchQueries": [1000.0]}
    assert found["citationMetadata"] == {"citations": []}
    assert found["urlContextMetadata"] == {"urlMetadata": []}


def test_citations_of_others_become_grounding() -> None:
    found = sources(
        ir.CitationDelta(url="https://a.example/", title="A", start=0, end=4, text="Rome"),
        ir.CitationDelta(url="https://b.example/"),
        ir.CitationDelta(url="https://a.example/", title="A"),
    )
    assert found["groundingMetadata"] == {
        "groundingChunks": [
            {"web": {"uri": "https://a.example/", "title": "A"}},
            {"web": {"uri": "https://b.example/", "title": ""}},
        ],
        "groundingSupports": [
            {"segment": {"text": "Rome", "startIndex": 0, "endIndex": 4}, "groundingChunkIndices": [0]},
            {"segment": {}, "groundingChunkIndices": [1]},
            {"segment": {}, "groundingChunkIndices": [0]},
        ],
    }


# errors


BROKEN = (
    '{"error":{"code":502,"message":"the upstream\'s response ended before it was complete","status":"INTERNAL",'
    '"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"UPSTREAM_TRUNCATED",'
    '"domain":"asgi-llm-gateway"}]}}'
)


def test_the_bytes_of_an_error_in_a_stream() -> None:
    writer = Gemini().stream_writer(answering())
    writer.feed([STARTED, *text("a")])
    assert writer.close().decode() == f"data: {BROKEN}\r\n\r\n"
    assert writer.close() == b""


def test_the_error_stands_behind_the_events_too_for_sdks_of_googles() -> None:
    """Genkit, LangChain and the SDK of Gemini CLI fail on what is left behind the events, and on nothing else."""
    writer = Gemini().stream_writer(replace(answering(), apart=True))
    writer.feed([STARTED, *text("a")])
    assert writer.close().decode() == f"data: {BROKEN}\r\n\r\n{BROKEN}\r\n"
    assert writer.close() == b""


@pytest.mark.parametrize(("events", "before"), [([], "["), ([STARTED, *text("a")], ",\r\n")])
def test_the_bytes_of_an_error_in_an_array(events: Sequence[ir.Event], before: str) -> None:
    writer = Gemini().stream_writer(answering("array"))
    writer.feed(events)
    assert writer.close().decode() == f"{before}{BROKEN}\n]"


@pytest.mark.parametrize(
    ("error", "code", "status", "details"),
    [
        (InvalidRequest("m", param="contents[0].role"), 400, "INVALID_ARGUMENT", ["BadRequest"]),
        (UpstreamRateLimited("m", retry_after=12.5), 429, "RESOURCE_EXHAUSTED", ["ErrorInfo", "RetryInfo"]),
        (UpstreamOverloaded("m"), 503, "UNAVAILABLE", ["ErrorInfo"]),
        (LimitsNotShared("m"), 503, "UNAVAILABLE", ["ErrorInfo"]),
        (StreamBroken("m"), 502, "INTERNAL", ["ErrorInfo"]),
    ],
)
def test_errors(error: GatewayError, code: int, status: str, details: list[str]) -> None:
    answer = heard(sse(write([STARTED, *text("a"), ir.Failed(error)])))
    assert answer.error is not None
    assert (answer.error["code"], answer.error["status"], answer.error["message"]) == (code, status, "m")
    kinds = [detail.pop("@type").removeprefix("type.googleapis.com/google.rpc.") for detail in answer.error["details"]]
    assert kinds == details


def test_when_to_try_again_is_in_whole_seconds() -> None:
    body = Gemini().write_error(UpstreamRateLimited("m", retry_after=12.5), "req_1")[1]
    assert json.loads(body)["error"]["details"][-1]["retryDelay"] == "13s"


def test_nothing_follows_the_end() -> None:
    for end in (STOP, ir.Failed(StreamBroken("m"))):
        assert write([STARTED, *text("a"), end, *text("b"), STOP]) == write([STARTED, *text("a"), end])


# an upstream's own chunks


def passed(events: Sequence[ir.Event], how: Answering | None = None) -> bytes:
    passage = Gemini().passage(how or answering())
    return passage.feed(events) + passage.close()


NATIVE: list[ir.Event] = [
    ir.Passed(b'{"a": 1.0}'),
    STARTED,
    *text("x"),
    ir.Passed(b'{"b":"\xe2\x80\xa8"}'),
    ir.Passed(b'{\n"c":\r\n2}'),
    STOP,
]


def test_an_upstream_s_own_chunks_go_out_as_they_came() -> None:
    assert passed(NATIVE) == b'data: {"a": 1.0}\r\n\r\ndata: {"b":"\\u2028"}\r\n\r\ndata: { "c":  2}\r\n\r\n'


def test_an_upstream_s_own_chunks_as_an_array() -> None:
    written = passed(NATIVE, answering("array"))
    assert written == b'[{"a": 1.0}\n,\r\n{"b":"\\u2028"}\n,\r\n{ "c":  2}\n]'
    assert array(written) == [{"a": 1.0}, {"b": "\u2028"}, {"c": 2}]


@pytest.mark.parametrize("end", [[ir.Failed(StreamBroken("cut"))], []])
def test_an_upstream_s_own_chunks_may_end_in_an_error(end: list[ir.Event]) -> None:
    first, last = sse(passed([NATIVE[0], *end]))
    assert (first, last["error"]["code"]) == ({"a": 1.0}, 502)
    assert [set(one) for one in array(passed([NATIVE[0], *end], answering("array")))] == [{"a"}, {"error"}]
