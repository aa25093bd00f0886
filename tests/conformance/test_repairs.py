"""What Code Assist names in a 400 is rewritten once, on the same account, and the caller gets an answer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance import gemini
from tests.conformance.replies import FC, chunk, script
from tests.conformance.served import (
    CHAT,
    CLAUDE,
    GEMINI_2,
    GEMINI_3,
    MESSAGES,
    Served,
    settings,
    standing,
    user,
    values,
)
from tests.conformance.test_cases_signatures import SENTINEL, first_message, reply, signatures
from tests.conformance.test_cases_tools import chat_tools, messages_tools
from tests.fakes.server import STREAM
from tests.fakes.v1internal import FakeV1Internal
from tests.gateway.dialects.anthropic.reader import content, parse

pytestmark = pytest.mark.anyio

S1 = "EkBGQUtFLVMx"
PRO = "gemini-3-pro-preview"
PENALTY: dict[str, Any] = {"presence_penalty": 0.5}
LOW: dict[str, Any] = {"reasoning_effort": "low"}
THINKS: dict[str, Any] = {
    "model": CLAUDE,
    "max_tokens": 4000,
    "tools": messages_tools("f"),
    "thinking": {"type": "enabled", "budget_tokens": 2000},
}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "RWtCR1FVdEY="}


def seen(served: Served) -> list[tuple[str, int]]:
    """List account and status of the generating calls."""
    return [(call.credential, call.status) for call in served.fake.calls()]


def statuses(served: Served) -> list[int]:
    return [status for _, status in seen(served)]


def sentinels(served: Served) -> list[Any]:
    """Find the sentinels in all that was sent so far."""
    return [one for call in served.fake.calls() for one in values("thoughtSignature", call.request) if one == SENTINEL]


async def thought_loop(served: Served) -> list[Any]:
    """Let Claude think and call a tool; give the conversation with the result."""
    directed = "!think I shall call f\n!tool f {}\n!then\n!say done"
    first = await served.post(MESSAGES, directed, stream=True, **THINKS)
    blocks = content(parse(first.content))
    result = {"type": "tool_result", "tool_use_id": blocks[-1]["id"], "content": "done"}
    return [user(directed), {"role": "assistant", "content": blocks}, user([result])]


# signatures


@pytest.mark.parametrize("stream", [True, False])
async def test_claudes_thoughts_that_it_does_not_know_any_more_are_dropped(served: Served, stream: bool) -> None:
    history = await thought_loop(served)
    served.fake.signatures.revoke()
    response = await served.post(MESSAGES, *history, stream=stream, **THINKS)
    assert (response.status_code, "done" in response.text) == (200, True)
    assert seen(served) == [("rt-1", 200), ("rt-1", 400), ("rt-1", 200)]
    assert values("thought", served.contents) == values("thoughtSignature", served.contents) == []
    assert "thinkingConfig" not in served.config  # the loop lacks the thoughts that Claude would want before its call
    assert response.headers["x-gateway-lossy"] == "2"


async def test_outside_of_a_tool_loop_claude_goes_on_thinking(served: Served) -> None:
    served.fake.signatures.revoke(THOUGHT["signature"])
    spoken = {"role": "assistant", "content": [THOUGHT, {"type": "text", "text": "One."}]}
    response = await served.post(MESSAGES, "one", spoken, "two", **THINKS)
    assert (response.status_code, statuses(served)) == (200, [400, 200])
    assert [part for one in served.contents for part in one["parts"]] == [
        {"text": "one"},
        {"text": "One."},
        {"text": "two"},
    ]
    assert served.config["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": 2000}
    assert response.headers["x-gateway-lossy"] == "1"


async def test_a_thought_that_claude_finds_unsigned_is_dropped(served: Served) -> None:
    served.fake.fail("400_claude_signature_required", method=STREAM)
    spoken = {"role": "assistant", "content": [THOUGHT, {"type": "text", "text": "One."}]}
    assert (await served.post(MESSAGES, "one", spoken, "two", **THINKS)).status_code == 200
    assert [len(values("thought", call.request)) for call in served.fake.calls()] == [1, 0]


async def test_where_claude_misses_a_thought_it_does_not_think(served: Served) -> None:
    history = await thought_loop(served)
    served.fake.fail("400_claude_expected_thinking", method=STREAM)
    response = await served.post(MESSAGES, *history, **THINKS)
    assert (response.status_code, statuses(served)) == (200, [200, 400, 200])
    assert "thinkingConfig" not in served.config
    assert values("thought", served.contents) == []
    assert response.headers["x-gateway-lossy"] == "1"


@pytest.mark.parametrize(
    "error",
    [
        "400_claude_invalid_signature",
        "400_claude_signature_required",
        "400_claude_expected_thinking",
        "400_gemini_missing_thought_signature",
        "400_array_wrapped",
    ],
)
async def test_claude_never_gets_the_sentinel(served: Served, error: str) -> None:
    history = await thought_loop(served)
    served.fake.fail(error, method=STREAM)
    await served.post(MESSAGES, *history, **THINKS)
    assert sentinels(served) == []


@pytest.mark.parametrize("kept", [True, False], ids=["of the caller", "of the gateway"])
async def test_a_call_whose_signature_gemini_refuses_carries_the_sentinel(served: Served, kept: bool) -> None:
    message = await first_message(served)
    if not kept:
        del message["tool_calls"][0]["extra_content"]
    served.fake.signatures.revoke(S1)
    await reply(served, message)
    assert (statuses(served), signatures(served)) == ([200, 400, 200], [SENTINEL])


async def test_a_signed_call_that_gemini_takes_for_unsigned_carries_the_sentinel(served: Served) -> None:
    """dialects.md §6: once more without any signature of its own."""
    message = await first_message(served)
    served.fake.fail("400_gemini_missing_thought_signature", method=STREAM)
    await reply(served, message)
    assert (statuses(served), signatures(served)) == ([200, 400, 200], [SENTINEL])


async def test_a_messages_caller_s_call_too(served: Served) -> None:
    served.fake.script.push(script(chunk(FC("f", {}, sig=S1), fin="STOP")))
    asked: dict[str, Any] = {"tools": messages_tools("f"), "max_tokens": 50}
    first = await served.post(MESSAGES, "call f", stream=True, **asked)
    blocks = content(parse(first.content))
    result = {"type": "tool_result", "tool_use_id": blocks[-1]["id"], "content": "done"}
    served.fake.signatures.revoke(S1)
    history: list[Any] = ["call f", {"role": "assistant", "content": blocks}, user([result])]
    second = await served.post(MESSAGES, *history, **asked)
    assert (second.status_code, signatures(served)) == (200, [SENTINEL])
    assert "x-gateway-lossy" not in second.headers  # the answer stays valid


async def test_a_gemini_before_3_that_wants_signatures_gets_the_sentinel_on_each_steps_first_call(
    served: Served,
) -> None:
    served.fake.all_signed = True
    steps: list[Any] = []
    for step in "ab":
        calls = [
            {"id": f"{step}{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for n in range(2)
        ]
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "1"} for call in calls]
        steps += [{"role": "assistant", "content": None, "tool_calls": calls}, *results]
    response = await served.post(CHAT, "hi", *steps, model=GEMINI_2, tools=chat_tools("f"))
    assert (response.status_code, statuses(served)) == (200, [400, 200])
    assert signatures(served) == [SENTINEL, None, SENTINEL, None]


# levels, penalties


@pytest.mark.parametrize(
    ("model", "effort", "budget"),
    [
        (GEMINI_3, "minimal", 512),
        (GEMINI_3, "low", 1024),
        (GEMINI_3, "medium", 8192),
        (GEMINI_3, "high", 24576),
        (GEMINI_3, "none", 1),
        (PRO, "minimal", 512),
        (PRO, "max", 32768),
        (PRO, "none", 128),
    ],
)
async def test_where_levels_are_unknown_a_budget_is_sent(served: Served, model: str, effort: str, budget: int) -> None:
    served.fake.levels_known = False
    response = await served.post(CHAT, "hi", model=model, reasoning_effort=effort)
    assert (response.status_code, statuses(served)) == (200, [400, 200])
    assert served.config["thinkingConfig"] == {"includeThoughts": effort != "none", "thinkingBudget": budget}
    assert "x-gateway-lossy" not in response.headers


async def test_a_callers_own_budget_is_sent_as_it_was(served: Served) -> None:
    served.fake.levels_known = False
    thinking = {"type": "enabled", "budget_tokens": 3000}
    assert (await served.post(MESSAGES, "hi", max_tokens=5000, thinking=thinking)).status_code == 200
    assert served.config["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": 3000}


async def test_what_a_model_does_not_know_is_remembered_of_that_model(served: Served) -> None:
    served.fake.levels_known = False
    for model in (GEMINI_3, GEMINI_3, PRO):
        assert (await served.post(CHAT, "hi", model=model, **LOW)).status_code == 200
    assert [(call.model, call.status) for call in served.fake.calls()] == [
        (GEMINI_3, 400),
        (GEMINI_3, 200),
        (GEMINI_3, 200),
        (PRO, 400),
        (PRO, 200),
    ]


async def test_penalties_are_dropped_and_told(served: Served) -> None:
    served.fake.penalties_known = False
    for _ in range(2):
        response = await served.post(CHAT, "hi", seed=1, **PENALTY)
        assert (response.status_code, response.headers["x-gateway-lossy"]) == (200, "1")
        assert served.config == {"seed": 1, "thinkingConfig": {"includeThoughts": True}}
    assert statuses(served) == [400, 200, 200]


async def test_where_a_begun_answer_is_refused_the_model_is_asked_to_go_on(served: Served) -> None:
    begun = {"role": "assistant", "content": "The answer is"}
    for _ in range(2):
        response = await served.post(CHAT, "hi", begun, model="gemini-3.7-flash-high")
        assert (response.status_code, response.headers["x-gateway-lossy"]) == (200, "1")
        assert [one["role"] for one in served.contents] == ["user", "model", "user"]
    assert statuses(served) == [400, 200, 200]
    assert (await served.post(CHAT, "hi", begun)).status_code == 200
    assert [one["role"] for one in served.contents] == ["user", "model"]


async def test_several_refusals_are_mended_one_by_one(served: Served) -> None:
    served.fake.levels_known = served.fake.penalties_known = False
    response = await served.post(CHAT, "hi", **PENALTY, **LOW)
    assert (response.status_code, statuses(served)) == (200, [400, 400, 200])


# where it ends


async def standing_with(
    fake: FakeV1Internal, folder: Path, fields: Mapping[str, Any], *messages: Any, **over: Any
) -> httpx.Response:
    """Ask a gateway of this configuration once."""
    async with standing(fake, settings(fake, folder, **over)) as served:
        return await served.post(CHAT, *messages, **fields)


async def test_the_second_call_is_the_same_accounts_and_counts_for_nothing(
    fake_v1internal: FakeV1Internal, tmp_path: Path
) -> None:
    fake_v1internal.penalties_known = False
    pool = {"refresh_tokens": ["rt-1", "rt-2"], "uses_per_turn": 1}
    over = {"google": {"pool": pool}, "retry": {"attempts": 1}}
    response = await standing_with(fake_v1internal, tmp_path, PENALTY, "hi", **over)
    assert response.status_code == 200
    assert [(call.credential, call.status) for call in fake_v1internal.calls()] == [("rt-1", 400), ("rt-1", 200)]


@pytest.mark.parametrize("error", ["400_claude_invalid_signature", "400_claude_expected_thinking"])
async def test_what_is_refused_again_is_the_callers_to_know(served: Served, error: str) -> None:
    history = await thought_loop(served)
    served.fake.fail(error, method=STREAM, times=9)
    response = await served.post(MESSAGES, *history, **THINKS)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")
    assert statuses(served) == [200, 400, 400]


async def test_what_would_be_the_same_again_is_not_sent_again(served: Served) -> None:
    served.fake.fail("400_gemini_missing_thought_signature", method=STREAM)
    response = await served.post(CHAT, "hi")
    assert (response.status_code, statuses(served)) == (400, [400])


async def test_strict_mode_refuses_to_lose_a_penalty(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    fake_v1internal.penalties_known = False
    response = await standing_with(fake_v1internal, tmp_path, PENALTY, "hi", translate={"lossy": "strict"})
    assert (response.status_code, len(fake_v1internal.calls())) == (400, 1)
    assert "Penalty is not enabled" in response.json()["error"]["message"]


async def test_strict_mode_refuses_to_ask_for_more(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    begun = {"role": "assistant", "content": "The answer is"}
    asked = {"model": "gemini-3.7-flash-high"}
    response = await standing_with(fake_v1internal, tmp_path, asked, "hi", begun, translate={"lossy": "strict"})
    assert (response.status_code, len(fake_v1internal.calls())) == (400, 1)


async def test_strict_mode_refuses_to_lose_thoughts(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    async with standing(fake_v1internal, settings(fake_v1internal, tmp_path, translate={"lossy": "strict"})) as served:
        history = await thought_loop(served)
        served.fake.signatures.revoke()
        response = await served.post(MESSAGES, *history, **THINKS)
    assert (response.status_code, statuses(served)) == (400, [200, 400])


async def test_strict_mode_lets_a_budget_stand_for_a_level(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    fake_v1internal.levels_known = False
    response = await standing_with(fake_v1internal, tmp_path, LOW, "hi", translate={"lossy": "strict"})
    assert (response.status_code, len(fake_v1internal.calls())) == (200, 2)


# Gemini callers


async def test_a_gemini_callers_own_words_are_changed_only_where_they_were_refused(served: Served) -> None:
    """A chain, or a rule for names, may lead to a model that the caller knows nothing of."""
    served.fake.levels_known = False
    config = {"temperature": 0.5, "thinkingConfig": {"thinkingLevel": "low", "includeThoughts": True}}
    responses = [await gemini.ask(served, "hi", generationConfig=config) for _ in range(2)]
    assert [response.status_code for response in responses] == [200, 200]
    assert statuses(served) == [400, 200, 200]
    thinking = {"includeThoughts": True, "thinkingBudget": 1024}
    assert [call.request["generationConfig"] for call in served.calls] == [
        config,
        *[{"temperature": 0.5, "thinkingConfig": thinking}] * 2,
    ]


@pytest.mark.parametrize("said", [{"thoughtSignature": S1}, {}], ids=["refused", "missing"])
async def test_a_gemini_callers_own_call_carries_the_sentinel_for_its_signature(served: Served, said: Any) -> None:
    """A pool goes on with another account, a chain with another member: each reads what it has signed itself."""
    served.fake.signatures.revoke(S1)
    call = {"functionCall": {"id": "a", "name": "f", "args": {}}, **said}
    result = gemini.user({"functionResponse": {"id": "a", "name": "f", "response": {"output": "1"}}})
    asked: dict[str, Any] = {"tools": gemini.tools("f")}
    response = await gemini.ask(served, "hi", {"role": "model", "parts": [call]}, result, **asked)
    assert (response.status_code, statuses(served), signatures(served)) == (200, [400, 200], [SENTINEL])
    assert served.contents[1]["parts"] == [{**call, "thoughtSignature": SENTINEL}]
    assert served.sent["tools"] == asked["tools"]


async def test_a_gemini_caller_that_is_translated_is_mended_too(served: Served) -> None:
    thought = {"text": "Hm.", "thought": True, "thoughtSignature": THOUGHT["signature"]}
    served.fake.signatures.revoke(THOUGHT["signature"])
    said = {"role": "model", "parts": [thought, {"text": "One."}]}
    config = {"maxOutputTokens": 4000, "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 2000}}
    response = await gemini.ask(served, "one", said, "two", model=CLAUDE, generationConfig=config)
    assert (response.status_code, statuses(served)) == (200, [400, 200])
