"""How likely the tokens of an answer were: asked for in each dialect, and told in each that can."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from google.genai.types import GenerateContentResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway import ir
from gateway.dialects.anthropic.outbound_request import write_request as write_anthropic
from gateway.dialects.anthropic.outbound_target import AnthropicTarget
from gateway.dialects.gemini.request import GeminiTarget
from gateway.dialects.gemini.request import write_request as write_gemini
from gateway.dialects.openai_chat.outbound_request import write_request as write_chat
from gateway.dialects.openai_responses.outbound_request import write_request as write_responses
from gateway.dialects.outbound import OpenAITarget
from tests.gateway.dialects.gemini import answering as google
from tests.gateway.dialects.gemini import caller
from tests.gateway.dialects.openai_chat import chat
from tests.gateway.dialects.openai_chat import outbound_answers as chat_upstream
from tests.gateway.dialects.openai_responses import outbound as responses_upstream
from tests.gateway.dialects.openai_responses import responses
from tests.translating import CODECS, Sent, Upstreams

Json = Any

INCLUDE = "message.output_text.logprobs"
HI = {"token": "Hi", "logprob": -2.5, "bytes": [72, 105]}
HE = {"token": "He", "logprob": -0.25, "bytes": [72, 101]}
LLO = {"token": "llo", "logprob": -0.75, "bytes": [108, 108, 111]}
FIRST, SECOND = HE | {"top_logprobs": [HE, HI]}, LLO | {"top_logprobs": [LLO]}
BOTH = [FIRST, SECOND]


def chosen(token: Json) -> Json:
    return {"token": token["token"], "logProbability": token["logprob"]}


def result(*tokens: Json) -> Json:
    return {
        "chosenCandidates": [chosen(one) for one in tokens],
        "topCandidates": [{"candidates": [chosen(other) for other in one["top_logprobs"]]} for one in tokens],
    }


# what upstreams say


def from_chat(first: Json = (FIRST,), second: Json = (SECOND,)) -> list[ir.Event]:
    def chunk(words: str, told: Sequence[Json], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": {"content": words}, "finish_reason": finish}
        choice["logprobs"] = {"content": [*told], "refusal": None} if told else None
        return json.dumps(chat_upstream.HEAD | {"choices": [choice]})

    return chat_upstream.read(chunk("He", first), chunk("llo", second), chunk("", (), "stop"))


def from_responses() -> list[ir.Event]:
    up = responses_upstream
    return up.read(
        up.created(),
        up.added(0, "message", role="assistant", content=[]),
        up.event("output_text.delta", 0, content_index=0, delta="He", logprobs=[FIRST]),
        up.event("output_text.delta", 0, content_index=0, delta="llo", logprobs=[SECOND]),
        up.event("output_text.done", 0, content_index=0, text="Hello", logprobs=BOTH),
        up.event("content_part.done", 0, content_index=0, part=up.said("Hello") | {"logprobs": BOTH}),
        up.done(0, "message", role="assistant", content=[up.said("Hello") | {"logprobs": BOTH}]),
        up.terminal(),
    )


def from_gemini() -> list[ir.Event]:
    return google.read(
        google.chunk(google.text("He"), logprobsResult=result(FIRST)),
        google.chunk(google.text("llo"), logprobsResult=result(SECOND)),
        google.chunk(finish="STOP", avgLogprobs=-0.5),
    )


UPSTREAMS: dict[str, Callable[[], list[ir.Event]]] = {
    "openai-chat": from_chat,
    "openai-responses": from_responses,
    "gemini": from_gemini,
}


# what callers hear


def chat_stream(events: list[ir.Event]) -> list[tuple[str, Json]]:
    chunks = [ChatCompletionChunk.model_validate(chunk) for chunk in chat.write(events).chunks]
    return [
        (choice.delta.content or "", [one.model_dump() for one in choice.logprobs.content or ()])
        for chunk in chunks
        for choice in chunk.choices
        if choice.logprobs
    ]


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_chat_stream_tells_it_with_the_words(upstream: str) -> None:
    assert chat_stream(UPSTREAMS[upstream]()) == [("He", [FIRST]), ("llo", [SECOND])]


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_whole_chat_answer_tells_it(upstream: str) -> None:
    answer = ChatCompletion.model_validate(chat.whole(UPSTREAMS[upstream]()))
    told = answer.choices[0].logprobs
    assert told is not None
    assert told.refusal is None
    assert [one.model_dump() for one in told.content or ()] == BOTH


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_stream_of_responses_tells_it_with_the_words_and_at_their_end(upstream: str) -> None:
    stream = responses.write(UPSTREAMS[upstream](), responses.answering())
    told = [(event["type"], event["logprobs"]) for event in stream.events if "logprobs" in event]
    assert told == [
        ("response.output_text.delta", [FIRST]),
        ("response.output_text.delta", [SECOND]),
        ("response.output_text.done", BOTH),
    ]
    assert stream.events[-1]["response"]["output"][0]["content"][0]["logprobs"] == BOTH


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_whole_response_tells_it(upstream: str) -> None:
    (message,) = responses.whole(UPSTREAMS[upstream](), responses.answering())["output"]
    assert message["content"][0] == {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": BOTH}


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_gemini_stream_tells_it_with_the_words_and_the_average_at_the_end(upstream: str) -> None:
    data = caller.write(UPSTREAMS[upstream](), caller.answering())
    chunks = [GenerateContentResponse.model_validate(one) for one in caller.sse(data)]
    told = [candidate for chunk in chunks for candidate in chunk.candidates or ()]
    given = [one.logprobs_result.model_dump(by_alias=True, exclude_none=True) for one in told if one.logprobs_result]
    assert given == [result(FIRST), result(SECOND)]
    assert [one.avg_logprobs for one in told] == [None, None, -0.5]


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_whole_gemini_answer_tells_it(upstream: str) -> None:
    (candidate,) = caller.whole(UPSTREAMS[upstream](), caller.answering())["candidates"]
    assert (candidate["logprobsResult"], candidate["avgLogprobs"]) == (result(*BOTH), -0.5)


def test_messages_have_no_place_for_it() -> None:
    answered = CODECS["anthropic"].stream_writer(chat.answering())
    assert b"logprob" not in answered.feed(from_chat()) + answered.close()


# where servers tell it otherwise


def test_what_comes_behind_its_words_is_told_at_their_end() -> None:
    events = google.read(google.chunk(google.text("Hello")), google.chunk(finish="STOP", logprobsResult=result(*BOTH)))
    assert chat_stream(events) == [("", BOTH)]
    (message,) = responses.whole(events, responses.answering())["output"]
    assert message["content"][0]["logprobs"] == BOTH
    (candidate,) = caller.whole(events, caller.answering())["candidates"]
    assert candidate["logprobsResult"] == result(*BOTH)


def test_the_token_that_ends_an_answer_is_told_though_it_has_no_words() -> None:
    end = {"token": "<eos>", "logprob": -0.5, "bytes": None, "top_logprobs": []}
    choice = {"index": 0, "delta": {"content": ""}, "logprobs": {"content": [end]}, "finish_reason": "stop"}
    head = chat_upstream.HEAD
    said = head | {"choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": None}}]}
    events = chat_upstream.read(json.dumps(said), json.dumps(head | {"choices": [choice]}))
    assert chat_stream(events) == [("", [end | {"bytes": list(b"<eos>")}])]


def test_a_server_that_tells_it_at_the_end_of_the_text_only_is_read() -> None:
    up = responses_upstream
    events = up.read(
        up.created(),
        up.added(0, "message", role="assistant", content=[]),
        up.event("output_text.delta", 0, content_index=0, delta="Hello"),
        up.done(0, "message", role="assistant", content=[up.said("Hello") | {"logprobs": BOTH}]),
        up.terminal(),
    )
    assert chat_stream(events) == [("", BOTH)]


@pytest.mark.parametrize("odd", [[{"token": "He"}], ["He"], "He", {"He": -1}, [{"token": 3, "logprob": "x"}]])
def test_what_is_spelt_otherwise_costs_no_words(odd: Json) -> None:
    choice = {"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": odd}, "finish_reason": "stop"}
    whole = chat.whole(chat_upstream.read(json.dumps(chat_upstream.HEAD | {"choices": [choice]})))
    assert (whole["choices"][0]["message"]["content"], whole["choices"][0]["logprobs"]) == ("Hi", None)
    events = google.read(google.chunk(google.text("Hi"), finish="STOP", logprobsResult=odd))
    assert "logprobsResult" not in caller.whole(events, caller.answering())["candidates"][0]


def test_chosen_tokens_without_others_are_told_alone() -> None:
    told = {"chosenCandidates": [chosen(FIRST), chosen(SECOND)], "topCandidates": [{"candidates": [chosen(HE)]}]}
    events = google.read(google.chunk(google.text("Hello"), finish="STOP", logprobsResult=told))
    content = chat.whole(events)["choices"][0]["logprobs"]["content"]
    assert [one["top_logprobs"] for one in content] == [[HE], []]
    told = {"chosenCandidates": [chosen(FIRST)]}
    events = google.read(google.chunk(google.text("He"), finish="STOP", logprobsResult=told))
    assert caller.whole(events, caller.answering())["candidates"][0]["logprobsResult"] == told


# how it is asked for

ASKED: dict[str, Json] = {
    "openai-chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}], "logprobs": True, "top_logprobs": 2},
    "openai-responses": {"model": "m", "input": "hi", "include": [INCLUDE], "top_logprobs": 2},
    "gemini": {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "generationConfig": {"responseLogprobs": True, "logprobs": 2},
    },
}
# as the caller calls the one and the other
NAMES = {
    "openai-chat": ["logprobs", "top_logprobs"],
    "openai-responses": ["include[0]", "top_logprobs"],
    "gemini": ["generationConfig.responseLogprobs", "generationConfig.logprobs"],
}
EACH = pytest.mark.parametrize("dialect", ASKED)


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory: pytest.TempPathFactory) -> Upstreams:
    return Upstreams(str(tmp_path_factory.mktemp("logprobs")))


@EACH
@pytest.mark.parametrize("target", ["v1internal Gemini 3", "gemini Gemini 3", "vertex Gemini 3"])
def test_gemini_is_asked(upstreams: Upstreams, dialect: Any, target: str) -> None:
    sent = upstreams.send(dialect, target, ASKED[dialect], own=False)
    assert isinstance(sent, Sent)
    body = json.loads(sent.body)
    config = body.get("request", body)["generationConfig"]
    assert (config["responseLogprobs"], config["logprobs"]) == (True, 2)
    assert not [loss for loss in sent.losses if loss.path in NAMES[dialect]]


def read(dialect: Any) -> ir.Request:
    return CODECS[dialect].read_request(json.dumps(ASKED[dialect]).encode(), route=caller.SSE)


@EACH
def test_openai_is_asked(dialect: Any) -> None:
    request = read(dialect)
    target = OpenAITarget(model="gpt-4.1")
    chat_body = write_chat(request, target).body
    assert (chat_body["logprobs"], chat_body["top_logprobs"]) == (True, 2)
    body = write_responses(request, target).body
    assert (body["include"], body["top_logprobs"]) == ([INCLUDE], 2)


@EACH
def test_no_others_are_asked_for_where_none_are_wanted(dialect: Any) -> None:
    fewer = {"top_logprobs": 0, "generationConfig": {"responseLogprobs": True}}
    given = {name: fewer.get(name, value) for name, value in ASKED[dialect].items()}
    request = CODECS[dialect].read_request(json.dumps(given).encode(), route=caller.SSE)
    assert request.sampling.logprobs == 0
    bodies = [
        write_chat(request, OpenAITarget(model="gpt-4.1")).body,
        write_responses(request, OpenAITarget(model="gpt-4.1")).body,
        write_gemini(request, GeminiTarget(model="gemini-2.5-flash", family="gemini")).body["generationConfig"],
    ]
    assert all("logprobs" in json.dumps(body, default=str).lower() for body in bodies)
    assert not any({"top_logprobs"} & set(body) for body in bodies if isinstance(body, dict))
    assert bodies[-1] == {"responseLogprobs": True}


@EACH
def test_models_that_do_not_tell_it_are_not_asked_and_each_field_is_reported(dialect: Any) -> None:
    request = read(dialect)
    written: list[Any] = [
        write_chat(request, OpenAITarget(model="o3")),
        write_chat(request, OpenAITarget(model="gpt-4.1", logprobs=False)),
        write_responses(request, OpenAITarget(model="o3")),
        write_responses(request, OpenAITarget(model="gpt-4.1", logprobs=False)),
        write_gemini(request, GeminiTarget(model="claude-sonnet-4-6", family="claude")),
        write_gemini(request, GeminiTarget(model="gemini-2.5-flash-image", family="gemini")),
        write_gemini(request, GeminiTarget(model="gemini-2.5-flash", family="gemini", logprobs=False)),
        write_anthropic(request, AnthropicTarget(model="claude-sonnet-4-5")),
    ]
    for one in written:
        assert "ogprobs" not in str(one.body)
        assert [(loss.path, loss.severity) for loss in one.losses if loss.path in NAMES[dialect]] == [
            (name, "change") for name in NAMES[dialect]
        ]


def test_others_without_the_chosen_ones_are_not_read_in_gemini_either() -> None:
    request = caller.ask(generationConfig={"logprobs": 2})
    assert request.sampling.logprobs is None
    assert [(loss.path, loss.severity) for loss in request.losses] == [("generationConfig.logprobs", "hint")]
