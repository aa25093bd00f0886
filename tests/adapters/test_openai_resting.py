"""How a model that thinks unless it is told not to is told so: each service has a field of its own for it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from gateway import ir
from gateway.adapters.openai import OpenAI
from gateway.adapters.openai_server import Settings
from gateway.config import UpstreamConfig
from tests.adapters.site import OpenAISite, asking
from tests.adapters.test_openai_amend import refusal

pytestmark = pytest.mark.anyio

Fields = Mapping[str, object]

OFF = ir.Reasoning(mode="off", visible=False)
DISABLED: Fields = {"thinking": {"type": "disabled"}}
UNTHINKING: Fields = {"enable_thinking": False}
UNREASONING: Fields = {"reasoning": {"enabled": False}}
NONE: Fields = {"reasoning_effort": "none"}
SAID = ("thinking", "enable_thinking", "reasoning", "reasoning_effort", "chat_template_kwargs")


def said(body: Mapping[str, Any]) -> Fields:
    """Say what a request says of thinking."""
    return {name: body[name] for name in SAID if name in body}


def written(site: OpenAISite, base: str, model: str, reasoning: ir.Reasoning = OFF, **request: Any) -> Fields:
    """Say what is written of thinking for a server."""
    journey = site.made("key-1", base_url=base).open(asking("hi", model, reasoning=reasoning, **request))
    return said(json.loads(bytes(journey.body())))


@pytest.mark.parametrize(
    ("base", "model", "fields"),
    [
        ("https://api.deepseek.com/v1", "deepseek-v4-pro", DISABLED),
        ("https://api.z.ai/api/coding/paas/v4", "glm-5", DISABLED),
        ("https://open.bigmodel.cn/api/paas/v4", "glm-4.7", DISABLED),
        ("https://ark.cn-beijing.volces.com/api/v3", "doubao-seed-2-0-pro", DISABLED),
        ("https://api.xiaomimimo.com/v1", "mimo-v2.5-pro", DISABLED),
        ("https://api.moonshot.ai/v1", "kimi-k2.6", DISABLED),
        ("https://api.moonshot.cn/v1", "kimi-k2.5", DISABLED),
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "qwen3.5-plus", UNTHINKING),
        ("https://w1.cn-beijing.maas.aliyuncs.com/compatible-mode/v1", "kimi-k2.6", UNTHINKING),
        ("https://api.siliconflow.cn/v1", "Pro/zai-org/GLM-5.2", UNTHINKING),
        ("https://openrouter.ai/api/v1", "moonshotai/kimi-k2.6", UNREASONING),
        # models that always think
        ("https://api.moonshot.ai/v1", "kimi-k2.7-code", {}),
        ("https://api.deepseek.com", "deepseek-reasoner", {}),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", "qwen3-235b-a22b-thinking-2507", {}),
        # OpenAI's, of which is known what they take
        ("https://openrouter.ai/api/v1", "openai/gpt-5.1", NONE),
        ("https://openrouter.ai/api/v1", "openai/o3", {}),
        # served by anybody
        ("https://llm.example.com/v1", "Qwen/Qwen3.5-27B", NONE),
        ("http://127.0.0.1:11434/v1", "qwen3:8b", NONE),
        ("https://api.cerebras.ai/v1", "zai-glm-4.7", NONE),
        ("https://llm.example.com/v1", "accounts/fireworks/models/deepseek-v3p2", NONE),
        ("https://llm.example.com/v1", "google/gemma-4-31b-it", NONE),
        ("https://llm.example.com/v1", "qwen3-coder:30b", {}),
        ("https://llm.example.com/v1", "Qwen/Qwen3-30B-A3B-Instruct-2507", {}),
        ("https://llm.example.com/v1", "deepseek-v3", {}),
        ("https://llm.example.com/v1", "glm-4-9b", {}),
        ("https://llm.example.com/v1", "llama-3.3-70b", {}),
        ("https://notz.ai/v1", "glm-4-9b", {}),
    ],
)
async def test_a_model_is_kept_from_thinking_in_the_way_of_its_server(
    openai: OpenAISite, base: str, model: str, fields: Fields
) -> None:
    assert written(openai, base, model) == fields


@pytest.mark.parametrize(
    ("reasoning", "fields"),
    [
        (ir.Reasoning(), {}),
        (ir.Reasoning(mode="auto"), {}),
        (ir.Reasoning(mode="level", level="low"), {"reasoning_effort": "low"}),
        (ir.Reasoning(mode="budget", budget=20_000), {"reasoning_effort": "high"}),
    ],
)
async def test_nothing_else_says_so(openai: OpenAISite, reasoning: ir.Reasoning, fields: Fields) -> None:
    for base in ("https://api.moonshot.ai/v1", "https://api.siliconflow.cn/v1", "https://llm.example.com/v1"):
        assert written(openai, base, "glm-5", reasoning) == fields


def made_with(site: OpenAISite, quiet: Fields) -> OpenAI:
    """Make an upstream whose server has fields of its own."""

    class Upstream(OpenAI):
        @staticmethod
        def settings(config: UpstreamConfig) -> Settings:
            return replace(OpenAI.settings(config), quiet=quiet)

    return Upstream("google", site.loaded("key-1"), site.clock)


REFUSED = [
    ("kimi-k2.7", DISABLED),
    ("doubao-seed-1-6-t", DISABLED),
    ("qwen3.8-max", UNTHINKING),
    ("Qwen2.5-7B", UNTHINKING),
    ("stepfun/step-3.5-flash", UNREASONING),
]


@pytest.mark.parametrize(("model", "quiet"), REFUSED)
async def test_a_model_that_always_thinks_is_left_to_it_and_remembered(
    plain: OpenAISite, model: str, quiet: Fields
) -> None:
    plain.translate = {"lossy": "strict"}
    plain.adapter = made_with(plain, quiet)
    await plain.adapter.start(plain.transport)
    for _ in range(2):
        assert await plain.ask(attempts=1, model=model, reasoning=OFF) == "hi"
    assert said(plain.calls[0].request) == quiet
    assert [quiet.keys() & call.request.keys() for call in plain.calls[1:]] == [set(), set()]


@pytest.mark.parametrize(
    "message",
    [
        "`reasoning_effort` must be one of `low`, `medium`, or `high`",
        "[{'type': 'literal_error', 'loc': ('body', 'reasoning_effort'), 'msg': \"Input should be 'low', 'medium'\"}]",
    ],
)
async def test_a_server_that_does_not_know_none_is_not_asked_again(plain: OpenAISite, message: str) -> None:
    await plain.open()
    plain.fake.script.push(refusal(message))
    low = ir.Reasoning(mode="level", level="low")
    for reasoning in (OFF, OFF, low):
        assert await plain.ask(attempts=1, model="qwen3.5-9b", reasoning=reasoning) == "hi"
    assert [call.request.get("reasoning_effort") for call in plain.calls] == ["none", None, None, "low"]
