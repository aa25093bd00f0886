"""Callers of every dialect who want no thinking, before models that think unless they are told not to, or always."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.test_demanded import before, statuses
from tests.fakes.openai_api import CHAT, FakeOpenAI

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

QWEN, KIMI, STEP = "qwen3.5-9b", "kimi-k2.7-code", "step-3.5-flash"
USER = {"role": "user", "content": "!say done"}
CHATS: Json = {"messages": [USER]}
ASKED: dict[str, tuple[str, Json]] = {
    "openai-chat": ("/v1/chat/completions", CHATS | {"reasoning_effort": "none"}),
    "openai-responses": ("/v1/responses", {"store": False, "input": [USER], "reasoning": {"effort": "none"}}),
    "anthropic": ("/v1/messages", {"max_tokens": 100, "messages": [USER], "thinking": {"type": "disabled"}}),
    "gemini": (
        f"/v1beta/models/{QWEN}:generateContent",
        {
            "contents": [{"role": "user", "parts": [{"text": "!say done"}]}],
            "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}},
        },
    ),
}


@pytest.mark.parametrize("dialect", ASKED)
async def test_a_model_whose_name_is_known_does_not_think(dialect: str, tmp_path: Path) -> None:
    path, body = ASKED[dialect]
    named = {} if dialect == "gemini" else {"model": QWEN}
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path, models=[QWEN]) as http:
        response = await http.post(path, json=body | named)
        assert response.status_code == 200, response.text
        assert fake.calls(CHAT)[-1].request["reasoning_effort"] == "none"


@pytest.mark.parametrize(
    ("model", "fields", "kept"),
    [
        (KIMI, {"thinking": {"type": "disabled"}}, {}),
        (KIMI, {"thinking": {"type": "disabled"}, "min_p": 0.5}, {"min_p": 0.5}),
        (STEP, {"reasoning": {"enabled": False}, "reasoning_effort": "none"}, {}),
        (STEP, {"reasoning": {"enabled": False}, "reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        ("Qwen2.5-7B", {"enable_thinking": False}, {}),
    ],
)
async def test_a_chat_callers_own_fields_are_left_out_where_a_model_always_thinks(
    model: str, fields: Json, kept: Json, tmp_path: Path
) -> None:
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path, models=[model]) as http:
        for _ in range(2):
            response = await http.post("/v1/chat/completions", json=CHATS | {"model": model} | fields)
            assert response.status_code == 200, response.text
        assert statuses(fake) == [400, 200, 200]
        assert fake.calls(CHAT)[-1].request == CHATS | {"model": model} | kept


async def test_what_turns_thinking_on_stays(tmp_path: Path) -> None:
    async with FakeOpenAI(plain=True, keys=()) as fake, before(fake, tmp_path, models=[KIMI]) as http:
        for kind in ("disabled", "enabled"):
            fields = {"model": KIMI, "thinking": {"type": kind}}
            assert (await http.post("/v1/chat/completions", json=CHATS | fields)).status_code == 200
        assert statuses(fake) == [400, 200, 200]
        assert fake.calls(CHAT)[-1].request["thinking"] == {"type": "enabled"}
