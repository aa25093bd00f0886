"""Whole answers to Gemini callers: translated, and put together of an upstream's own chunks."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

from gateway import ir
from gateway.dialects.gemini import inbound_whole
from gateway.dialects.gemini.inbound import Gemini
from gateway.dialects.gemini.request import GeminiTarget, write_request
from gateway.errors import ContextTooLong, InvalidRequest
from gateway.routes import Route
from gateway.upstream import ModelInfo

from .caller import answering, ask, heard, sse, whole, write

SIGNED = ir.Signature("claude", "c2ln")
EVENTS: list[ir.Event] = [
    ir.Started(id="up"),
    ir.BlockStarted(kind="thinking"),
    ir.ThinkingDelta("h"),
    ir.ThinkingDelta("m"),
    ir.SignatureDelta(SIGNED),
    ir.BlockEnded(),
    ir.BlockStarted(kind="text"),
    ir.TextDelta("Rome"),
    ir.CitationDelta(url="https://a.example/"),
    ir.BlockEnded(),
    ir.BlockStarted(kind="tool_call", id="c1", name="f"),
    ir.ArgumentsDelta('{"a":1}'),
    ir.BlockEnded(),
    ir.UsageReported(ir.Usage(input=3, output=4, reasoning=1)),
    ir.Finished(reason="tool_calls"),
]


def joined(*chunks: object) -> Any:
    """Put an upstream's own chunks together."""
    passage = Gemini().passage(answering())
    return json.loads(passage.whole([json.dumps(one).encode() for one in chunks]))


def said(*parts: object, **fields: object) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "index": 0, **fields}]}


def parts(answer: Any) -> Any:
    return answer["candidates"][0]["content"]["parts"]


@pytest.mark.parametrize("reason", ["length", "context_window", "content_filter", "tool_calls"])
def test_a_call_that_was_cut_is_none(reason: ir.FinishReason) -> None:
    calls = (('{"a":1}', "f"), ('{"a":', "g"))
    events = [
        event
        for arguments, name in calls
        for event in (
            ir.BlockStarted(kind="tool_call", id=name, name=name),
            ir.ArgumentsDelta(arguments),
            ir.BlockEnded(),
        )
    ]
    answer = whole([ir.Started(id="up"), *events, ir.Finished(reason=reason)])
    said = [part["functionCall"]["args"] for part in parts(answer)]
    assert said == [{"a": 1}, {"input": '{"a":'}][: 2 if reason == "tool_calls" else 1]


def test_nothing_but_a_call_that_was_cut_is_an_empty_answer() -> None:
    started = ir.BlockStarted(kind="tool_call", id="c", name="f")
    half: list[ir.Event] = [started, ir.ArgumentsDelta("{"), ir.BlockEnded()]
    answer = whole([ir.Started(id="up"), *half, ir.Finished(reason="length")])
    assert parts(answer) == [{"text": ""}]
    assert answer["candidates"][0]["finishReason"] == "MAX_TOKENS"


def test_a_whole_answer() -> None:
    sealed = base64.b64encode(ir.seal(SIGNED).encode()).decode()
    assert whole(EVENTS) == {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [
                        {"text": "hm", "thought": True, "thoughtSignature": sealed},
                        {"text": "Rome"},
                        {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}},
                    ],
                },
                "index": 0,
                "finishReason": "STOP",
                "groundingMetadata": {
                    "groundingChunks": [{"web": {"uri": "https://a.example/", "title": ""}}],
                    "groundingSupports": [{"segment": {}, "groundingChunkIndices": [0]}],
                },
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 3,
            "candidatesTokenCount": 3,
            "thoughtsTokenCount": 1,
            "totalTokenCount": 7,
        },
        "modelVersion": "asked",
        "createTime": "2023-11-14T22:13:20Z",
        "responseId": "0f" * 12,
    }


def test_thoughts_that_nobody_asked_for_stay_here() -> None:
    assert [*parts(whole(EVENTS, answering(visible=False)))[0]] == ["text"]


def test_an_empty_answer_has_a_part() -> None:
    assert parts(whole([ir.Started(), ir.Finished(reason="stop")])) == [{"text": ""}]


def test_a_refused_prompt_has_no_candidates() -> None:
    answer = whole([ir.Started(), ir.Finished(reason="content_filter", native="SAFETY")])
    assert (answer["promptFeedback"], "candidates" in answer) == ({"blockReason": "SAFETY"}, False)


# an upstream's own chunks


def test_one_chunk_is_the_answer_byte_for_byte() -> None:
    only = b'{ "candidates" : [],\n "x": 1.0e3, "y": "\xe2\x80\xa8" }'
    assert Gemini().passage(answering()).whole([only]) == only


def test_words_of_one_kind_become_one_part() -> None:
    answer = joined(
        said({"text": "a", "thought": True}),
        said({"text": "b", "thought": True}),
        said({"text": "c"}, {"text": "d"}),
        said({"text": ""}, finishReason="STOP"),
    )
    assert parts(answer) == [{"text": "ab", "thought": True}, {"text": "cd"}]


@pytest.mark.parametrize(
    "signed", [{"text": "b", "thoughtSignature": "R0VN"}, {"text": "", "thoughtSignature": "R0VN"}]
)
def test_words_with_a_signature_stay_apart(signed: Any) -> None:
    assert parts(joined(said({"text": "a"}), said(signed), said({"text": "c"}))) == [
        {"text": "a"},
        signed,
        {"text": "c"},
    ]


def test_signed_texts_in_a_row_come_to_the_caller_and_back() -> None:
    """Both signatures survive the whole way: upstream's answer, caller's history, upstream's request."""
    events: list[ir.Event] = [ir.Started(id="up")]
    for words, value in (("a", "EkBGQUtF"), ("b", "Eg==")):
        signature = ir.SignatureDelta(ir.Signature("gemini", value))
        events += (ir.BlockStarted(kind="text"), ir.TextDelta(words), signature, ir.BlockEnded())
    events.append(ir.Finished(reason="stop"))
    for kept in (parts(whole(events)), heard(sse(write(events))).parts):
        request = ask({"contents": [{"parts": [{"text": "hi"}]}, {"role": "model", "parts": kept}]})
        target = GeminiTarget(model="gemini-3-flash", family="gemini")
        contents: Any = write_request(request, target).body["contents"]
        signed = [(part["text"], part["thoughtSignature"]) for part in contents[1]["parts"] if len(part) > 1]
        assert [value for _, value in signed] == ["EkBGQUtF", "Eg=="]
        assert "".join(part["text"] for part in contents[1]["parts"]) == "ab"


def test_other_parts_keep_their_order() -> None:
    call, image = {"functionCall": {"name": "f"}}, {"inlineData": {"data": "AAAA"}}
    answer = joined(said({"text": "a"}, call), said(image), said({"text": "b"}))
    assert parts(answer) == [{"text": "a"}, call, image, {"text": "b"}]


def test_the_later_word_holds() -> None:
    answer = joined(
        {**said({"text": "a"}, safetyRatings=[1]), "usageMetadata": {"promptTokenCount": 3}, "responseId": "r"},
        {**said({"text": "b"}, groundingMetadata={"a": 1}), "usageMetadata": {"totalTokenCount": 5}},
        {"candidates": [{"finishReason": "STOP", "safetyRatings": []}], "usageMetadata": {"trafficType": "X"}},
        {"usageMetadata": {}, "modelVersion": None, "extra": {"kept": True}},
    )
    assert answer == {
        **said({"text": "ab"}, safetyRatings=[1], groundingMetadata={"a": 1}, finishReason="STOP"),
        "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 5, "trafficType": "X"},
        "responseId": "r",
        "extra": {"kept": True},
    }


def test_how_likely_the_tokens_are_is_told_of_all_chunks() -> None:
    tokens: list[dict[str, Any]] = [{"token": "a", "logProbability": -1}, {"token": "b", "logProbability": -2}]
    likely = [
        {"chosenCandidates": [one], "topCandidates": [{"candidates": [one]}], "logProbabilitySum": total}
        for one, total in zip(tokens, (-1, -2), strict=True)
    ]
    answer = joined(
        said({"text": "a"}, logprobsResult=likely[0]),
        said({"text": "b"}, logprobsResult=likely[1], finishReason="STOP", avgLogprobs=-1.5),
    )
    told = {"chosenCandidates": tokens, "topCandidates": [{"candidates": [one]} for one in tokens]}
    assert answer["candidates"][0]["logprobsResult"] == told | {"logProbabilitySum": -3}


def test_many_chunks_are_put_together_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written, encode = 0, inbound_whole._encode

    def writing(value: object) -> bytes:
        nonlocal written
        written += len(found := encode(value))
        return found

    monkeypatch.setattr(inbound_whole, "_encode", writing)
    token = {"token": "x" * 20, "logProbability": -1}
    chunks = [said({"text": "x" * 20}, logprobsResult={"chosenCandidates": [token]}) for _ in range(100)]
    answer = joined(*chunks)
    assert parts(answer) == [{"text": "x" * 2000}]
    assert answer["candidates"][0]["logprobsResult"] == {"chosenCandidates": [token] * 100}
    assert written < 3 * len(json.dumps(answer))


def test_of_tokens_that_are_spelt_otherwise_the_later_word_holds() -> None:
    answer = joined(said({"text": "a"}, logprobsResult=["new"]), said({"text": "b"}, logprobsResult={"new": "er"}))
    assert answer["candidates"][0]["logprobsResult"] == {"new": "er"}


@pytest.mark.parametrize(
    "odd",
    [
        said(None, {"text": "b"}),
        {"candidates": [None, *said({"text": "b"})["candidates"]]},
        {**said({"text": "b"}), "usageMetadata": 3},
        {"candidates": [{"content": "null"}, *said({"text": "b"})["candidates"]]},
    ],
)
def test_what_the_reader_overlooks_costs_no_words(odd: Any) -> None:
    answer = joined({**said({"text": "a"}), "usageMetadata": {"promptTokenCount": 3}}, odd, said({"text": "c"}))
    assert parts(answer) == [{"text": "abc"}]
    assert answer["usageMetadata"] == {"promptTokenCount": 3}


def test_candidates_stay_apart() -> None:
    one, other = ({"content": {"parts": [{"text": text}]}, "index": index} for index, text in ((0, "a"), (1, "b")))
    answer = joined({"candidates": [one, other]}, {"candidates": [other]})
    assert [candidate["content"]["parts"] for candidate in answer["candidates"]] == [[{"text": "a"}], [{"text": "bb"}]]


@pytest.mark.parametrize(
    "chunks",
    [
        [{"promptFeedback": {"blockReason": "SAFETY"}}, {"usageMetadata": {"promptTokenCount": 3}}],
        [{}, {}],
        [{"candidates": [{"content": {}}]}, {"candidates": [{"finishReason": "STOP"}]}],
    ],
)
def test_an_answer_without_parts(chunks: Sequence[Any]) -> None:
    answer = joined(*chunks)
    assert "content" not in str(answer)


def test_an_answer_of_empty_text_keeps_it() -> None:
    assert parts(joined(said({"text": ""}), said({"text": ""}, finishReason="STOP"))) == [{"text": ""}]


# the rest of the codec


@pytest.mark.parametrize(("streams", "start"), [("array", b'[{"error":'), ("sse", b'{"error":'), ("", b'{"error":')])
def test_an_error_where_an_array_was_to_come_is_an_array_of_one(streams: Any, start: bytes) -> None:
    route = Route("gemini", "chat", "m", streams=streams)
    status, body = Gemini().write_error(InvalidRequest("m"), "req_1", route=route)
    assert (status, body.startswith(start)) == (400, True)
    assert body.endswith(b"]") is (streams == "array")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "prompt is too long: 9 tokens",
            "The input token count exceeds the maximum number of tokens allowed: prompt is too long: 9 tokens",
        ),
        (
            "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            "The input token count (9) exceeds the maximum number of tokens allowed (8).",
        ),
    ],
)
def test_a_prompt_that_is_too_long_says_so_in_googles_words(message: str, expected: str) -> None:
    """LiteLLM, LangChain, opencode and Kilo Code know it by them, and shorten the conversation."""
    _, body = Gemini().write_error(ContextTooLong(message), "req_1")
    assert json.loads(body)["error"]["message"] == expected


def test_a_count() -> None:
    assert Gemini().write_count(7) == b'{"totalTokens":7}'


def test_models() -> None:
    info = ModelInfo(id="g", display_name="G", max_input=10, max_output=5)
    body = json.loads(Gemini().write_models([("g", info), ("h", ModelInfo(id="h"))], {}))
    assert [(model["name"], model["displayName"]) for model in body["models"]] == [("models/g", "G"), ("models/h", "h")]
    assert body["models"][0] == json.loads(Gemini().write_model("g", info))
    assert (body["models"][0]["inputTokenLimit"], body["models"][0]["outputTokenLimit"]) == (10, 5)
