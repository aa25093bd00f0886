"""A caller of OpenAI's dialects names the conversation that is to be cached: Anthropic and Vertex AI are told what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.anthropic_api import OLD, before
from tests.conformance.travelling import CALLERS
from tests.fakes.anthropic_api import FakeAnthropic

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
async def test_a_conversation_with_a_key_is_marked_in_each_step(
    fake_anthropic: FakeAnthropic, tmp_path: Path, dialect: str
) -> None:
    caller, text = CALLERS[dialect], "!tool f {}\n!then\n!say done"
    async with before(fake_anthropic, tmp_path) as served:
        asked = caller.ask(OLD, text) | {"prompt_cache_key": "talk-1"}
        first = await served.http.post(caller.path(OLD), json=asked)
        second = await served.http.post(caller.path(OLD), json=caller.reply(asked, caller.said(first.content)))
        assert (first.status_code, second.status_code) == (200, 200)
        assert "x-gateway-lossy" not in second.headers
        bodies: list[Json] = [call.body for call in served.calls]
    assert [_marks(body) for body in bodies] == [["tools", "0"], ["tools", "0", "2"]]


def _marks(body: Json) -> list[str]:
    """Name the places whose last block has a mark; no other has one."""
    blocks = {"tools": body["tools"]} | {str(at): one["content"] for at, one in enumerate(body["messages"])}
    assert not any("cache_control" in one for them in blocks.values() for one in them[:-1])
    return [name for name, them in blocks.items() if "cache_control" in them[-1]]
