"""How much a model thinks when the caller asked for nothing, and who reads the thoughts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance import gemini
from tests.conformance.served import CHAT, MESSAGES, Served, settings, standing
from tests.fakes.v1internal import FakeV1Internal

pytestmark = pytest.mark.anyio

THINKS = "claude-sonnet-4-5-thinking"


async def config_of(served: Served, model: str, path: str = CHAT, **fields: Any) -> Any:
    """Ask, and give the generationConfig that the upstream received."""
    response = await served.post(path, "hi", model=model, **fields)
    assert response.status_code == 200, response.text
    return served.config


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("gemini-2.5-flash", {"includeThoughts": True, "thinkingBudget": -1}),
        ("gemini-2.5-pro", {"includeThoughts": True, "thinkingBudget": -1}),
        ("gemini-2.5-flash-thinking", {"includeThoughts": True, "thinkingBudget": -1}),
        # this generation takes levels; without one it decides by itself
        ("gemini-3-flash", {"includeThoughts": True}),
        ("gemini-3-flash-agent", {"includeThoughts": True}),
        (THINKS, {"includeThoughts": True, "thinkingBudget": 1024}),
        ("claude-opus-4-6-thinking", {"includeThoughts": True, "thinkingBudget": 1024}),
        ("claude-sonnet-4-5", {"includeThoughts": False, "thinkingBudget": 0}),
        ("claude-sonnet-4-6", {"includeThoughts": False, "thinkingBudget": 0}),
        ("gpt-oss-120b-medium", None),
        ("gemini-3-pro-image", None),
        ("gemini-3.1-flash-image", None),
        ("gemini-3-pro-low", None),
        ("gemini-3.1-pro-high", None),
        ("gemini-3.5-flash-extra-low", None),
    ],
)
async def test_the_policy_by_family(lasting: Served, path: str, model: str, thinking: Any) -> None:
    """S1-32 to S1-35; neither image models nor names that end in a level have one"""
    assert (await config_of(lasting, model, path)).get("thinkingConfig") == thinking


@pytest.mark.parametrize("model", ["gemini-2.5-pro", THINKS])
@pytest.mark.parametrize("stream", [True, False])
async def test_thoughts_are_chats_reasoning_content(lasting: Served, model: str, stream: bool) -> None:
    """S1-36: concatenated, and apart from the content"""
    said = "!think First. \n!think Then.\n!say Yes."
    heard = await lasting.hear("openai-chat", said, stream=stream, model=model)
    assert (heard.thoughts.replace(" ", ""), heard.text) == ("First.Then.", "Yes.")


@pytest.mark.parametrize(
    ("fields", "thoughts"),
    [({}, ""), ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000}, "Hm.")],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_an_anthropic_caller_reads_thoughts_when_it_asks_for_thinking(
    lasting: Served, fields: Any, thoughts: str, stream: bool
) -> None:
    heard = await lasting.hear("anthropic", "!think Hm.\n!say Yes.", stream=stream, model=THINKS, **fields)
    assert (heard.thoughts, heard.text) == (thoughts, "Yes.")


@pytest.mark.parametrize("model", ["gemini-2.5-pro", "gemini-3-flash"])
async def test_a_gemini_caller_has_no_policy(lasting: Served, model: str) -> None:
    assert (await gemini.ask(lasting, "hi", model=model)).status_code == 200
    assert lasting.config == {}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (CHAT, {"reasoning_effort": "high"}),
        (CHAT, {"thinking": {"type": "enabled", "budget_tokens": 3000}}),
        (MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 3000}, "max_tokens": 5000}),
    ],
)
async def test_what_the_caller_asks_for_goes_before_the_policy(lasting: Served, path: str, fields: Any) -> None:
    """C8: the plain Claude model thinks when it is asked to"""
    thinking = (await config_of(lasting, "claude-sonnet-4-5", path, **fields))["thinkingConfig"]
    assert thinking["includeThoughts"]
    assert thinking["thinkingBudget"] >= 3000


@pytest.mark.parametrize(
    ("path", "fields"), [(CHAT, {"reasoning_effort": "none"}), (MESSAGES, {"thinking": {"type": "disabled"}})]
)
async def test_a_caller_may_ask_a_thinking_model_not_to(lasting: Served, path: str, fields: Any) -> None:
    """C8"""
    assert "thinkingConfig" not in await config_of(lasting, THINKS, path, **fields)


@pytest.mark.parametrize(
    ("conflict", "max_tokens", "budget", "limit"),
    [
        ("clamp", 16, None, 16),
        ("clamp", 1024, None, 1024),
        ("clamp", 1025, 1024, 1025),
        ("clamp", 4000, 1024, 4000),
        ("drop", 1024, None, 1024),
        ("drop", 4000, 1024, 4000),
        ("raise", 16, 1024, 9216),
        ("raise", 1024, 1024, 9216),
        ("raise", 4000, 1024, 4000),
    ],
)
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_the_policys_budget_and_max_tokens(
    fake_v1internal: FakeV1Internal,
    tmp_path: Path,
    path: str,
    conflict: str,
    max_tokens: int,
    budget: int | None,
    limit: int,
) -> None:
    """C28: the backend refuses an output limit that is not above the budget"""
    config = settings(fake_v1internal, tmp_path, translate={"thinking_conflict": conflict, "lossy": "strict"})
    async with standing(fake_v1internal, config) as served:
        sent = await config_of(served, THINKS, path, max_tokens=max_tokens)
    thinking = sent.get("thinkingConfig") or {}
    assert (thinking.get("thinkingBudget"), sent["maxOutputTokens"]) == (budget, limit)


@pytest.mark.parametrize(("asked", "budget"), [(5000, 3999), (2000, 2000)])
async def test_a_callers_own_budget_is_cut_below_its_max_tokens(lasting: Served, asked: int, budget: int) -> None:
    """C28"""
    thinking = {"type": "enabled", "budget_tokens": asked}
    sent = await config_of(lasting, THINKS, max_tokens=4000, thinking=thinking)
    assert sent["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": budget}


async def test_the_table_is_the_operators(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    """C8: the first glob holds, and what no glob has is left alone"""
    table = {"claude-opus-*": {"budget": 3000}, "claude-*-thinking": {"include": False, "budget": 0}}
    async with standing(fake_v1internal, settings(fake_v1internal, tmp_path, thinking=table)) as served:
        opus = await config_of(served, "claude-opus-4-6-thinking")
        assert opus["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": 3000}
        sonnet = await config_of(served, THINKS)
        assert sonnet["thinkingConfig"] == {"includeThoughts": False, "thinkingBudget": 0}
        assert "thinkingConfig" not in await config_of(served, "gemini-2.5-pro")
