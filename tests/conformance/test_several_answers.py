"""Several answers to one request: `n` of Chat Completions and `candidateCount` of Gemini (dialects.md, section 1.3)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.genai import types
from openai import AsyncOpenAI, BadRequestError
from openai.types.chat import ChatCompletion

from tests.conformance.openai_api import OpenAIServed
from tests.conformance.raw import Passed, passing
from tests.conformance.served import CHAT, CLAUDE, GEMINI_2, Served
from tests.conformance.upstreams import before
from tests.conformance.vertex_api import before as before_vertex
from tests.fakes.gemini_api_wire import shifted
from tests.fakes.vertex_api import FakeVertex

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

UPSTREAMS = ("v1internal", "gemini", "vertex")
SAID = "one two three four five six seven"
TOOLS: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@pytest.fixture(params=UPSTREAMS)
async def google(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    async with AsyncExitStack() as stack:
        one: Served
        if request.param == "vertex":
            fake = await stack.enter_async_context(FakeVertex())
            one = await stack.enter_async_context(before_vertex(fake, tmp_path, monkeypatch))
        else:
            one = await stack.enter_async_context(before(request.param, tmp_path))
        one.model = GEMINI_2
        yield one


async def ask(served: Served, text: str, *, stream: bool, n: int = 3, **fields: Any) -> ChatCompletion:
    """Ask as OpenAI's SDK does, which puts a stream together choice by choice."""
    asked: Any = {"model": served.model, "messages": [{"role": "user", "content": text}], "n": n, **fields}
    async with AsyncOpenAI(api_key="k", base_url=f"{served.url}/v1", max_retries=0) as sdk:
        if not stream:
            whole: ChatCompletion = await sdk.chat.completions.create(**asked)
            return whole
        async with sdk.chat.completions.stream(**asked, stream_options={"include_usage": True}) as streamed:
            return await streamed.get_final_completion()


@STREAM
async def test_chat_callers_get_as_many_choices_as_they_ask_for(google: Served, stream: bool) -> None:
    completion = await ask(google, f"!think hm\n!say {SAID}", stream=stream)
    assert google.config["candidateCount"] == 3
    said = [(one.index, one.message.role, one.message.content, one.finish_reason) for one in completion.choices]
    assert said == [(place, "assistant", shifted(SAID, place), "stop") for place in range(3)]
    assert completion.usage is not None
    assert completion.usage.total_tokens > 0


async def test_the_choices_of_a_stream_come_mixed_and_the_end_comes_once(google: Served) -> None:
    options = {"include_usage": True}
    response = await google.post(CHAT, f"!say {SAID}", stream=True, n=2, stream_options=options)
    *events, done = response.text.removesuffix("\n\n").split("\n\n")
    chunks = [json.loads(one.removeprefix("data: ")) for one in events]
    assert (done, len({one["id"] for one in chunks})) == ("data: [DONE]", 1)
    assert chunks[-1]["usage"]["total_tokens"] > 0
    assert chunks[-1]["choices"] == []
    said = [(one["choices"][0]["index"], one["choices"][0]["finish_reason"]) for one in chunks[:-1]]
    assert {place for place, finish in said[:4] if finish is None} == {0, 1}  # neither waits for the other
    assert [place for place, finish in said if finish == "stop"] == [1, 0]
    assert said[-2:] == [(1, "stop"), (0, "stop")]
    assert response.headers.get("x-gateway-lossy") is None


@STREAM
async def test_each_choice_calls_for_itself_and_any_of_them_goes_on(google: Served, stream: bool) -> None:
    directed = "!tool look {}\n!then\n!say done"
    completion = await ask(google, directed, stream=stream, n=2, tools=TOOLS)
    calls = [one.message.tool_calls for one in completion.choices]
    assert [one.finish_reason for one in completion.choices] == ["tool_calls"] * 2
    assert calls[0]
    assert calls[1]
    assert calls[0][0].id != calls[1][0].id
    chosen = completion.choices[1].message.model_dump(exclude_none=True)
    for call in chosen["tool_calls"]:  # the SDK's streams keep what is no part of the API
        call.pop("index", None)
        call["function"].pop("parsed_arguments", None)
    result = {"role": "tool", "tool_call_id": calls[1][0].id, "content": "seen"}
    messages = [{"role": "user", "content": directed}, chosen, result]
    asked = {"model": google.model, "messages": messages, "tools": TOOLS}
    answer = await google.http.post(CHAT, json=asked)
    assert (answer.status_code, answer.json()["choices"][0]["message"]["content"]) == (200, "done"), answer.text


async def test_what_the_model_does_not_give_is_an_error(tmp_path: Path) -> None:
    """Never silently one: Google's own refusal is the caller's, and Claude is not asked."""
    async with before("gemini", tmp_path / "gemini") as served:
        with pytest.raises(BadRequestError, match="Multiple candidates is not enabled"):
            await ask(served, "hi", stream=True)
    async with before("claude", tmp_path / "claude") as served:
        served.model = CLAUDE
        with pytest.raises(BadRequestError, match="n: this model gives one response per request"):
            await ask(served, "hi", stream=False)
        assert served.calls == []


@STREAM
async def test_gemini_callers_get_as_many_candidates_of_openai(chat: OpenAIServed, stream: bool) -> None:
    client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=chat.url))
    config = types.GenerateContentConfig(candidate_count=2)
    asked: Any = {"model": chat.model, "contents": f"!say {SAID}", "config": config}
    if stream:
        answers = [one async for one in await client.aio.models.generate_content_stream(**asked)]
    else:
        answers = [await client.aio.models.generate_content(**asked)]
    assert chat.calls[-1].body["n"] == 2
    words, ends = ["", ""], ["", ""]
    for one in (candidate for answer in answers for candidate in answer.candidates or ()):
        place = one.index or 0
        words[place] += "".join(part.text or "" for part in (one.content and one.content.parts) or ())
        ends[place] += one.finish_reason.name if one.finish_reason else ""
    assert (words, ends) == ([SAID, shifted(SAID, 1)], ["STOP", "STOP"])
    counted = [answer.usage_metadata for answer in answers if answer.usage_metadata]
    assert [bool(one.total_token_count) for one in counted][-1:] == [True]


async def test_a_growing_array_is_one_array(chat: OpenAIServed) -> None:
    asked = {
        "contents": [{"role": "user", "parts": [{"text": "!say hi"}]}],
        "generationConfig": {"candidateCount": 2},
    }
    response = await chat.http.post(f"/v1beta/models/{chat.model}:streamGenerateContent", json=asked)
    said = [one for chunk in response.json() for one in chunk["candidates"]]
    assert [(one["index"], one["content"]["parts"][0]["text"]) for one in said if "finishReason" not in one] == [
        (0, "hi"),
        (1, "ij"),
    ]
    assert [one["index"] for one in said if "finishReason" in one] == [1, 0]


# answers that end in different ways


def chunks(*candidates: Json) -> list[bytes]:
    """Write one chunk for each."""
    counted = {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3}
    said = [{"candidates": [one], "usageMetadata": counted, "modelVersion": "m"} for one in candidates]
    return [b"data: %b\r\n\r\n" % json.dumps(one).encode() for one in said]


def words(text: str, index: int, **more: Any) -> Json:
    return {"content": {"role": "model", "parts": [{"text": text}]}, "index": index, **more}


@pytest.fixture
async def raw(tmp_path: Path) -> AsyncIterator[Passed]:
    async with passing("openai-chat", tmp_path, table={"type": "gemini", "models": ["m"]}) as passed:
        yield passed


async def heard(raw: Passed, *said: Json, n: int = 2, stream: bool) -> Any:
    raw.raw.says(*chunks(*said))
    asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "n": n, "stream": stream}
    return await raw.http.post(CHAT, json=asked)


async def test_each_ends_for_its_own_reason(raw: Passed) -> None:
    said = [
        words("a", 1),
        words("b", 0),
        {"index": 0, "finishReason": "MAX_TOKENS"},
        {"index": 1, "finishReason": "SAFETY"},
    ]
    choices = (await heard(raw, *said, stream=False)).json()["choices"]
    told = [(one["index"], one["message"]["content"], one["finish_reason"]) for one in choices]
    assert told == [(0, "b", "length"), (1, "a", "content_filter")]


async def test_the_first_may_say_nothing(raw: Passed) -> None:
    said = [{"index": 0, "finishReason": "STOP"}, words("a", 1, finishReason="STOP")]
    choices = (await heard(raw, *said, stream=False)).json()["choices"]
    assert [(one["message"]["content"], one["finish_reason"]) for one in choices] == [("", "stop"), ("a", "stop")]
    assert len(raw.raw.calls) == 1  # it was no empty answer, to be asked for again


@STREAM
async def test_one_that_breaks_off_breaks_the_answer_off(raw: Passed, stream: bool) -> None:
    response = await heard(raw, words("a", 0, finishReason="STOP"), words("b", 1), stream=stream)
    if stream:
        assert '"a"' in response.text
        assert '"b"' in response.text
        assert "[DONE]" not in response.text
        assert "ended before it was complete" in response.text
    else:
        assert response.status_code == 502
        assert "ended before it was complete" in response.json()["error"]["message"]


async def test_what_nobody_asked_for_is_left_out(raw: Passed) -> None:
    said = [words(text, at, finishReason="STOP") for at, text in enumerate("abc")]
    choices = (await heard(raw, *said, stream=False)).json()["choices"]
    assert [one["message"]["content"] for one in choices] == ["a", "b"]


@STREAM
async def test_none_is_lost_of_an_answer_that_comes_in_the_other_form(tmp_path: Path, stream: bool) -> None:
    """It does not pass then: a document is written as a stream, and a stream as a document."""
    said = [{"index": at, "message": {"role": "assistant", "content": text}} for at, text in enumerate("ab")]
    ended: list[Json] = [one | {"finish_reason": "stop"} for one in said]
    whole = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": ended})
    pieces = [{"index": one["index"], "delta": one["message"], "finish_reason": "stop"} for one in ended]
    chunks = [{"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [one]} for one in pieces]
    asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "n": 2, "stream": stream}
    async with passing("openai-chat", tmp_path) as same:
        if stream:
            same.raw.says(whole.encode(), kind="application/json")
        else:
            same.raw.says(*(f"data: {json.dumps(one)}\n\n".encode() for one in chunks), b"data: [DONE]\n\n")
        response = await same.post(json.dumps(asked).encode())
    words = ["", ""]
    lines = response.text.split("\n\n")[:-2] if stream else [response.text]
    for line in lines:
        for one in json.loads(line.removeprefix("data: "))["choices"]:
            words[one["index"]] += (one.get("delta") or one.get("message") or {}).get("content") or ""
    assert words == ["a", "b"]
