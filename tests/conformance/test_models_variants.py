"""Suffixes of model names: what they change upstream, what is listed, and that they never go there themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance import gemini
from tests.conformance.served import CHAT, MESSAGES, Served, settings, standing, values
from tests.conformance.test_cases_tools import chat_tools
from tests.fakes.v1internal import FakeV1Internal

pytestmark = pytest.mark.anyio

FLASH, PRO, LITE = "gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.5-flash-lite"
SEARCH: list[dict[str, Any]] = [{"googleSearch": {}}]
COUNT = "/v1/messages/count_tokens"


async def asked(served: Served, model: str, path: str = CHAT, **fields: Any) -> Any:
    """Ask, and give the response and what the upstream received."""
    response = await served.post(path, "hi", model=model, **fields)
    assert response.status_code == 200, response.text
    body = served.fake.calls()[-1].body
    assert not any(suffix in str(body) for suffix in ("-search", "-nothinking", "-maxthinking"))
    return response, body


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("model", [FLASH, PRO, "gemini-3-flash", "gemini-3-pro-high"])
async def test_search_is_googles_search(lasting: Served, path: str, model: str) -> None:
    """S4-38, S4-71"""
    _, body = await asked(lasting, f"{model}-search", path)
    assert (body["model"], body["request"]["tools"]) == (model, SEARCH)
    assert body["requestType"] == "web_search"


async def test_beside_functions_the_search_gives_way_and_is_reported(lasting: Served) -> None:
    """S4-38: the backend takes search or functions, not both"""
    response, body = await asked(lasting, f"{FLASH}-search", tools=chat_tools("f"))
    assert [tool.keys() for tool in body["request"]["tools"]] == [{"functionDeclarations"}]
    assert response.headers["x-gateway-lossy"] == "1"


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize(("model", "budget"), [(FLASH, 0), (LITE, 0), (PRO, 128)])
async def test_nothinking_is_the_least_that_the_model_takes(
    lasting: Served, path: str, model: str, budget: int
) -> None:
    """S4-39, C9"""
    _, body = await asked(lasting, f"{model}-nothinking", path)
    assert body["model"] == model
    assert lasting.config["thinkingConfig"] == {"includeThoughts": False, "thinkingBudget": budget}


@pytest.mark.parametrize(("model", "budget"), [(FLASH, 24576), (LITE, 24576), (PRO, 32768)])
async def test_maxthinking_is_the_most_that_the_model_takes(lasting: Served, model: str, budget: int) -> None:
    """S4-40"""
    _, body = await asked(lasting, f"{model}-maxthinking")
    assert body["model"] == model
    assert lasting.config["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": budget}


@pytest.mark.parametrize(("path", "thoughts"), [(CHAT, "Hm."), (MESSAGES, None)])
@pytest.mark.parametrize("stream", [True, False])
async def test_the_thoughts_of_maxthinking_are_for_chat_callers(
    lasting: Served, path: str, thoughts: str | None, stream: bool
) -> None:
    """S4-40, C8: an Anthropic caller reads thoughts when it asks for thinking itself"""
    dialect = "openai-chat" if path == CHAT else "anthropic"
    heard = await lasting.hear(dialect, "!think Hm.\n!say Yes.", stream=stream, model=f"{PRO}-maxthinking")
    assert (heard.text, heard.thoughts or None) == ("Yes.", thoughts)


@pytest.mark.parametrize("model", [f"{FLASH}-search-nothinking", f"{FLASH}-nothinking-search"])
async def test_suffixes_go_together(lasting: Served, model: str) -> None:
    _, body = await asked(lasting, model)
    assert (body["model"], body["request"]["tools"]) == (FLASH, SEARCH)
    assert lasting.config["thinkingConfig"] == {"includeThoughts": False, "thinkingBudget": 0}


@pytest.mark.parametrize(
    ("path", "fields", "config"),
    [
        (CHAT, {"reasoning_effort": "low"}, {"includeThoughts": True, "thinkingBudget": 1024}),
        (
            MESSAGES,
            {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 4000},
            {"includeThoughts": True, "thinkingBudget": 2000},
        ),
    ],
)
@pytest.mark.parametrize("suffix", ["-nothinking", "-maxthinking"])
async def test_what_the_caller_asks_for_goes_before_the_suffix(
    lasting: Served, path: str, fields: Any, config: Any, suffix: str
) -> None:
    """C8"""
    await asked(lasting, f"{FLASH}{suffix}", path, **fields)
    assert lasting.config["thinkingConfig"] == config


@pytest.mark.parametrize("model", ["gemini-3-flash-nothinking", "claude-sonnet-4-5-maxthinking"])
@pytest.mark.parametrize(("unknown", "calls"), [("pass", 1), ("reject", 0)])
async def test_outside_gemini_2_5_there_is_no_such_model(
    fake_v1internal: FakeV1Internal, tmp_path: Path, model: str, unknown: str, calls: int
) -> None:
    """S4-70"""
    config = settings(fake_v1internal, tmp_path, models={"unknown": unknown})
    async with standing(fake_v1internal, config) as served:
        response = await served.post(CHAT, "hi", model=model)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    assert {call.body["model"] for call in fake_v1internal.calls()} == {model} if calls else not fake_v1internal.calls()


async def test_a_variant_behind_an_alias_never_goes_upstream_either(
    fake_v1internal: FakeV1Internal, tmp_path: Path
) -> None:
    """S4-71"""
    alias = {"quick": f"{FLASH}-nothinking", "best": [f"google/{PRO}-search", FLASH]}
    config = settings(fake_v1internal, tmp_path, models={"alias": alias})
    async with standing(fake_v1internal, config) as served:
        assert (await asked(served, "quick-search"))[1]["model"] == FLASH
        assert served.sent["tools"] == SEARCH
        assert served.config["thinkingConfig"]["thinkingBudget"] == 0
        assert (await asked(served, "best"))[1]["model"] == PRO
        assert served.sent["tools"] == SEARCH


@pytest.mark.parametrize("model", [f"{FLASH}-search-20250101", f"{FLASH}-20250101-search", f"google/{FLASH}-search"])
async def test_dates_and_upstreams_go_with_a_suffix(lasting: Served, model: str) -> None:
    _, body = await asked(lasting, model)
    assert (body["model"], body["request"]["tools"]) == (FLASH, SEARCH)


async def test_a_variant_of_ones_own(fake_v1internal: FakeV1Internal, tmp_path: Path) -> None:
    variant = {"-deep": {"only": "claude-*-thinking", "thinking": "max"}}
    config = settings(fake_v1internal, tmp_path, models={"variant": variant})
    async with standing(fake_v1internal, config) as served:
        response = await served.post(CHAT, "hi", model="claude-sonnet-4-5-thinking-deep")
        assert response.status_code == 200
        thinking = served.config["thinkingConfig"]
        assert (thinking["includeThoughts"], thinking["thinkingBudget"]) == (True, 55808)


async def test_tokens_of_a_variant_are_counted_for_its_model(lasting: Served) -> None:
    response = await lasting.post(COUNT, "How long is this?", model=f"{FLASH}-search")
    assert response.status_code == 200
    assert lasting.fake.requests[-1].method == "countTokens"
    assert values("model", lasting.fake.requests[-1].body) == [f"models/{FLASH}"]


# a Gemini caller, whose own words go on as they are


@pytest.mark.parametrize("form", gemini.FORMS)
async def test_a_gemini_caller_gets_the_search_beside_its_own_words(lasting: Served, form: Any) -> None:
    """S4-38"""
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    response = await gemini.ask(lasting, "hi", form=form, model=f"{FLASH}-search", safetySettings=safety)
    assert response.status_code == 200
    assert lasting.fake.calls()[-1].body["model"] == FLASH
    assert (lasting.sent["tools"], lasting.sent["safetySettings"]) == (SEARCH, safety)
    assert "thinkingConfig" not in lasting.config


@pytest.mark.parametrize(("suffix", "budget"), [("-nothinking", 128), ("-maxthinking", 32768)])
async def test_a_gemini_caller_gets_the_thinking_of_the_suffix(lasting: Served, suffix: str, budget: int) -> None:
    """S4-39, S4-40"""
    response = await gemini.ask(lasting, "hi", model=f"{PRO}{suffix}", generationConfig={"temperature": 0.5})
    assert response.status_code == 200
    thinking = {"includeThoughts": False, "thinkingBudget": budget}
    assert lasting.config == {"temperature": 0.5, "thinkingConfig": thinking}


async def test_a_gemini_callers_own_thinking_goes_before_the_suffix(lasting: Served) -> None:
    """C8"""
    config = {"thinkingConfig": {"thinkingBudget": 512, "includeThoughts": True}}
    response = await gemini.ask(lasting, "hi", model=f"{FLASH}-nothinking", generationConfig=config)
    assert response.status_code == 200
    assert lasting.config == config
