"""A key that is held to models cannot have others asked by an upstream of its own dialect, wherever they are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.dialects.others import others
from tests.conformance.raw import passing
from tests.gateway.test_upstreams_of_keys import Gemini
from tests.scripted import app_of
from tests.serving import serve

pytestmark = pytest.mark.anyio

ADVISOR = {"type": "advisor_20260301", "name": "advisor", "model": "other"}
ADDS = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": ADVISOR}}
HI = {"role": "user", "content": "hi"}
MESSAGES: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [HI]}
CHAT: dict[str, Any] = {"model": "m", "messages": [HI]}
RESPONSES: dict[str, Any] = {"model": "m", "input": "hi", "store": False}
DRAWS = {"type": "image_generation", "model": "other"}
HELD: Any = {"key": [{"name": "held", "secret": "sk-held", "models": ["m"]}]}

NAMED: list[tuple[str, dict[str, Any], str]] = [
    ("anthropic", MESSAGES | {"tools": [ADVISOR]}, "tools[0].model"),
    ("anthropic", MESSAGES | {"fallbacks": [{"model": "other"}]}, "fallbacks[0].model"),
    (
        "anthropic",
        MESSAGES | {"messages": [HI, {"role": "system", "content": [ADDS]}]},
        "messages[1].content[0].tool.definition.model",
    ),
    (
        "anthropic",
        MESSAGES
        | {"messages": [{"role": "user", "content": [{"type": "compaction", "content": "x", "tool_changes": [ADDS]}]}]},
        "messages[0].content[0].tool_changes[0].tool.definition.model",
    ),
    ("openai-chat", CHAT | {"models": ["m", "other"]}, "models[1]"),
    ("openai-chat", CHAT | {"fallbacks": [{"model": "other"}]}, "fallbacks[0].model"),
    ("openai-chat", CHAT | {"plugins": [{"id": "fusion", "models": ["other"]}]}, "plugins[0].models[0]"),
    (
        "openai-chat",
        CHAT | {"tools": [{"type": "openrouter:image_generation", "parameters": {"model": "other"}}]},
        "tools[0].parameters.model",
    ),
    ("openai-chat", CHAT | {"Model": "other"}, "Model"),
    ("openai-responses", RESPONSES | {"tools": [DRAWS]}, "tools[0].model"),
    (
        "openai-responses",
        RESPONSES | {"input": [{"type": "additional_tools", "tools": [DRAWS]}, HI]},
        "input[0].tools[0].model",
    ),
]
DECLARED = {"type": "object", "properties": {"model": {"type": "string", "enum": ["other"]}}}
ALLOWED: list[tuple[str, dict[str, Any]]] = [
    ("anthropic", MESSAGES | {"fallbacks": "default"}),
    ("anthropic", MESSAGES | {"tools": [ADVISOR | {"model": "m"}]}),
    (
        "openai-chat",
        CHAT
        | {
            "messages": [HI | {"model": "other"}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": DECLARED}}],
        },
    ),
]


@pytest.mark.parametrize(("dialect", "body", "path"), NAMED)
async def test_another_model_beside_its_own_is_refused(
    tmp_path: Path, dialect: str, body: dict[str, Any], path: str
) -> None:
    async with passing(dialect, tmp_path, **HELD) as passed:
        passed.raw.says(b"{}", kind="application/json")
        answer = await passed.post(json.dumps(body).encode(), x_api_key="sk-held")
    assert (answer.status_code, "may not use the model 'other'" in answer.text) == (403, True)
    assert passed.raw.asked == []
    assert [where for where, name in others(json.dumps(body).encode()) if name == "other"] == [path]


@pytest.mark.parametrize(("dialect", "body"), ALLOWED)
async def test_its_own_and_what_is_no_model_goes_on(tmp_path: Path, dialect: str, body: dict[str, Any]) -> None:
    async with passing(dialect, tmp_path, **HELD) as passed:
        passed.raw.says(b"{}", kind="application/json")
        await passed.post(json.dumps(body).encode(), x_api_key="sk-held")
    assert len(passed.raw.asked) == 1


async def test_a_key_without_a_list_may_name_any(tmp_path: Path) -> None:
    async with passing("anthropic", tmp_path, key=[{"name": "free", "secret": "sk-free"}]) as passed:
        passed.raw.says(b"{}", kind="application/json")
        await passed.post(json.dumps(MESSAGES | {"tools": [ADVISOR]}).encode(), x_api_key="sk-free")
    assert len(passed.raw.asked) == 1


async def test_an_agent_beside_a_model_is_refused() -> None:
    app = app_of(Gemini("one", "m"), config=HELD)
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        body = {"model": "m", "agent": "other", "input": "hi"}
        answer = await http.post("/v1beta/interactions", json=body, headers={"x-api-key": "sk-held"})
    assert (answer.status_code, "may not use the model 'other'" in answer.text) == (403, True)


def test_what_is_nested_for_ever_is_not_followed() -> None:
    nested = b'{"tools":[' + b'{"tool":' * 100 + b'{"model":"other"}' + b"}" * 100 + b"]}"
    assert [*others(nested)] == []
