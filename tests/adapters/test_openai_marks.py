"""Which servers are told what of a prompt is to be cached, and how one goes on that does not want to know."""

import json
from typing import Any, Final

import pytest
from msgspec.structs import replace

from gateway import ir
from gateway.adapters.openai import OpenAI
from gateway.adapters.openai_server import Settings
from gateway.config import UpstreamConfig
from tests.adapters.site import OpenAISite, asking
from tests.adapters.test_openai_amend import refusal

pytestmark = pytest.mark.anyio

MARK: Final = ir.Mark(path="messages[0].content[0].cache_control")
MARKED: dict[str, Any] = {
    "turns": (ir.Turn(role="user", parts=(ir.Text(text="hi", mark=MARK),)),),
    "marks": (MARK,),
}


@pytest.mark.parametrize(
    ("base", "model", "name"),
    [
        ("", "gpt-5.6", "prompt_cache_breakpoint"),
        ("", "gpt-5.5", None),
        ("https://llm.example.com/v1", "gpt-5.6", None),
        ("https://openrouter.ai/api/v1", "anthropic/claude-sonnet-5", "cache_control"),
        ("https://openrouter.ai/api/v1", "openai/gpt-5.6", "prompt_cache_breakpoint"),
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "qwen3-max", "cache_control"),
    ],
)
async def test_servers_that_know_marks_get_them(openai: OpenAISite, base: str, model: str, name: str | None) -> None:
    adapter = openai.made("key-1", base_url=base)
    content = json.loads(bytes(adapter.open(asking("hi", model, **MARKED)).body()))["messages"][0]["content"]
    assert ([*content[0]][2:] == [name]) if name else content == "hi"


class Knowing(OpenAI):
    """A server whose models take marks."""

    @staticmethod
    def settings(config: UpstreamConfig) -> Settings:
        return replace(OpenAI.settings(config), marks="breakpoint")


async def test_marks_that_a_model_refuses_are_left_out_and_remembered(openai: OpenAISite) -> None:
    openai.adapter = Knowing("google", openai.loaded("key-1"), openai.clock)
    await openai.adapter.start(openai.transport)
    openai.fake.script.push(refusal("Unknown parameter: 'messages[0].content[0].prompt_cache_breakpoint'."))
    for _ in range(2):
        await openai.ask(attempts=1, model="gpt-5.6-terra", **MARKED)
    assert ["prompt_cache_breakpoint" in json.dumps(call.request) for call in openai.calls] == [True, False, False]
