"""What the public Gemini API names in a 400 is rewritten once, with the same key, and the caller is answered."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import gemini
from tests.conformance.gemini_api import GEMINI_2, GEMINI_3, public
from tests.conformance.served import CHAT, MESSAGES, RESPONSES, Served, user
from tests.conformance.test_cases_signatures import SENTINEL, first_message, reply, signatures
from tests.conformance.test_cases_tools import chat_tools, messages_tools
from tests.conformance.test_repairs import LOW, PENALTY, S1, statuses
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.server import STREAM

pytestmark = pytest.mark.anyio

DRAWING = "gemini-3-pro-image-preview"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
HANDED = {
    "role": "user",
    "parts": [
        {"text": "draw"},
        {"text": "[said by the assistant:]"},
        {"text": "Here: "},
        {"text": "[shown by the assistant:]"},
        {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
        {"text": "bluer"},
    ],
}


def called(number: str) -> list[dict[str, Any]]:
    """Write a step of a Chat caller: a call, and its result."""
    call = {"id": number, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": number, "content": "1"},
    ]


async def test_a_call_whose_signature_is_refused_carries_the_sentinel(google: Served) -> None:
    message = await first_message(google)
    google.fake.signatures.revoke(S1)
    await reply(google, message)
    assert (statuses(google), signatures(google)) == ([200, 400, 200], [SENTINEL])


async def test_a_gemini_before_3_that_wants_signatures_gets_the_sentinel(google: Served) -> None:
    google.fake.all_signed = True
    response = await google.post(CHAT, "hi", *called("a"), *called("b"), model=GEMINI_2, tools=chat_tools("f"))
    assert (response.status_code, statuses(google)) == (200, [400, 200])
    assert signatures(google) == [SENTINEL, SENTINEL]


async def test_a_messages_caller_s_call_is_signed_so_too(google: Served) -> None:
    google.fake.all_signed = True
    history = [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
        user([{"type": "tool_result", "tool_use_id": "a", "content": "1"}]),
    ]
    response = await google.post(MESSAGES, "hi", *history, model=GEMINI_2, tools=messages_tools("f"), max_tokens=50)
    assert (response.status_code, statuses(google), signatures(google)) == (200, [400, 200], [SENTINEL])


async def test_a_gemini_callers_own_call_is_signed_so_too(google: Served) -> None:
    google.fake.all_signed = True
    call: Any = {"functionCall": {"name": "f"}}
    answer: Any = {"functionResponse": {"name": "f", "response": {}}}
    steps = [gemini.user("hi"), {"role": "model", "parts": [call, call]}, gemini.user(answer, answer)]
    response = await gemini.ask(google, *steps, form="sse", model=GEMINI_2, tools=gemini.tools("f"))
    assert (response.status_code, statuses(google), signatures(google)) == (200, [400, 200], [SENTINEL, None])


@pytest.mark.parametrize(("effort", "budget"), [("minimal", 512), ("low", 1024), ("high", 24576)])
async def test_where_levels_are_unknown_a_budget_is_sent(google: Served, effort: str, budget: int) -> None:
    google.fake.levels_known = False
    for _ in range(2):
        response = await google.post(CHAT, "hi", reasoning_effort=effort)
        assert response.status_code == 200
        assert google.config["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": budget}
    assert statuses(google) == [400, 200, 200]


async def test_penalties_are_dropped_told_and_remembered(google: Served) -> None:
    for _ in range(2):
        response = await google.post(CHAT, "hi", **PENALTY)
        assert (response.status_code, response.headers["x-gateway-lossy"]) == (200, "1")
    assert (statuses(google), google.config) == ([400, 200, 200], {})


async def test_several_refusals_are_mended_one_by_one(google: Served) -> None:
    google.fake.levels_known = False
    response = await google.post(CHAT, "hi", **PENALTY, **LOW)
    assert (response.status_code, statuses(google)) == (200, [400, 400, 200])


async def test_the_second_call_is_the_same_keys_and_counts_for_nothing(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    async with public(fake_gemini, tmp_path, "key-1", "key-2", retry={"attempts": 1}) as google:
        assert (await google.post(CHAT, "hi", **PENALTY)).status_code == 200
    assert [(call.credential, call.status) for call in fake_gemini.calls()] == [("key-1", 400), ("key-1", 200)]


async def test_strict_mode_loses_nothing(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    async with public(fake_gemini, tmp_path, translate={"lossy": "strict"}) as google:
        response = await google.post(CHAT, "hi", **PENALTY)
    assert (response.status_code, len(fake_gemini.calls())) == (400, 1)
    assert "Penalty is not enabled" in response.json()["error"]["message"]


async def test_a_gemini_callers_own_words_are_changed_only_where_they_were_refused(google: Served) -> None:
    config = {"presencePenalty": 0.5, "temperature": 0.5}
    responses = [await gemini.ask(google, "hi", model=GEMINI_3, generationConfig=config) for _ in range(2)]
    assert [(one.status_code, one.headers["x-gateway-lossy"]) for one in responses] == [(200, "1"), (200, "1")]
    sent = [call.request["generationConfig"] for call in google.fake.calls("generateContent")]
    assert sent == [config, {"temperature": 0.5}, {"temperature": 0.5}]


async def test_strict_mode_leaves_a_gemini_callers_own_words_alone(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    config = {"presencePenalty": 0.5}
    async with public(fake_gemini, tmp_path, translate={"lossy": "strict"}) as google:
        response = await gemini.ask(google, "hi", model=GEMINI_3, generationConfig=config)
    assert (response.status_code, response.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    (call,) = fake_gemini.calls("generateContent")
    assert call.request["generationConfig"] == config


async def test_a_stream_that_begins_with_the_refusal_is_mended_like_a_status(google: Served) -> None:
    refusal = '{"error":{"code":400,"message":"Thinking level is not supported for this model."}}'
    google.fake.script.push(f"!chunk {refusal}")
    response = await google.post(CHAT, "hi", stream=True, **LOW)
    assert (response.status_code, len(google.fake.calls(STREAM))) == (200, 2)
    assert google.config["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": 1024}


async def test_where_a_begun_answer_is_refused_the_model_is_asked_to_go_on(google: Served) -> None:
    begun = {"role": "assistant", "content": "The answer is"}
    for _ in range(2):
        assert (await google.post(CHAT, "hi", begun, model="gemini-3.8-flash")).status_code == 200
        assert google.contents[1:] == [
            {"role": "model", "parts": [{"text": "The answer is"}]},
            gemini.user("Continue from where you stopped."),
        ]
    assert statuses(google) == [400, 200, 200]


@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES])
async def test_a_picture_that_comes_back_unsigned_is_shown_by_the_user(google: Served, path: str) -> None:
    """Each second turn of a conversation about a picture was a 400: langchain-ai/langchain-google#1431."""
    said: dict[str, Any] = {"role": "assistant", "content": f"Here: ![image](data:image/png;base64,{PIXEL})"}
    item = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PIXEL}
    turns = [{"role": "assistant", "content": "Here: "}, item] if path == RESPONSES else [said]
    asked: dict[str, Any] = {"model": DRAWING, **({"max_tokens": 50} if path == MESSAGES else {})}
    answers = [await google.post(path, "draw", *turns, "bluer", **asked) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert statuses(google) == [400, 200, 200]  # and remembered for the model
    assert google.contents == [HANDED]
    assert answers[0].headers["x-gateway-lossy"] == "2"


async def test_a_gemini_callers_picture_is_shown_so_too(google: Served) -> None:
    drawn = {"role": "model", "parts": [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}]}
    response = await gemini.ask(google, "draw", drawn, "bluer", form="sse", model=DRAWING)
    assert (response.status_code, statuses(google)) == (200, [400, 200])
    assert [content["role"] for content in google.contents] == ["user", "user", "user"]
    assert google.contents[1]["parts"] == [{"text": "[said by the assistant:]"}, *drawn["parts"]]


async def test_a_picture_with_its_signature_goes_back_as_the_models(google: Served) -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": PIXEL}, "thoughtSignature": S1}
    drawn = {"role": "model", "parts": [picture]}
    response = await gemini.ask(google, "draw", drawn, "bluer", form="sse", model=DRAWING)
    assert (response.status_code, google.contents[1]) == (200, drawn)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES])
async def test_a_picture_and_the_words_before_it_have_their_signatures_back_whatever_the_caller_kept(
    google: Served, path: str, stream: bool
) -> None:
    """A picture's is about 1 MB; both are wanted, in the API's words: langchain-ai/langchain-google#1431."""
    google.fake.signatures.picture_bytes = 1_000_000
    asked: dict[str, Any] = {"model": DRAWING, **({"max_tokens": 50} if path == MESSAGES else {})}
    first = await google.post(path, "!say Here:\n!image", stream=stream, **asked)
    assert first.status_code == 200
    words, picture = google.fake.signatures.issued
    assert len(picture) > 1_000_000
    (data,) = set(re.findall(r"iVBORw0KGgo[A-Za-z0-9+/=]+", first.text))
    said: dict[str, Any] = {"role": "assistant", "content": f"Here:![image](data:image/png;base64,{data})"}
    item = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": data}
    turns = [{"role": "assistant", "content": "Here:"}, item] if path == RESPONSES else [said]
    second = await google.post(path, "draw", *turns, "bluer", **asked)
    assert (second.status_code, statuses(google)) == (200, [200, 200])
    assert [part.get("thoughtSignature") for part in google.contents[1]["parts"]] == [words, picture]
    assert "x-gateway-lossy" not in second.headers
