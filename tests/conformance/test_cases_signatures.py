"""Acceptance cases E: signatures come home, and thoughts are shown to those who want them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.replies import FC, T, Th, chunk, script
from tests.conformance.served import CHAT, CLAUDE, MESSAGES, Served, user, values
from tests.conformance.test_cases_tools import chat_tools, messages_tools
from tests.conformance.upstreams import Upstream, again, fake_of
from tests.gateway.dialects.anthropic.reader import content, parse
from tests.gateway.dialects.openai_chat.chat import Stream

pytestmark = pytest.mark.anyio

S1 = "EkBGQUtFLVMx"
SENTINEL = "skip_thought_signature_validator"
CALLED = script(chunk(FC("f", {}, sig=S1), fin="STOP"))
ASK = "please call f"


def signatures(served: Served) -> list[Any]:
    """Give the signature of each call that the upstream received last."""
    parts = [part for content in served.contents for part in content["parts"] if "functionCall" in part]
    return [part.get("thoughtSignature") for part in parts]


async def first_message(served: Served) -> dict[str, Any]:
    """Let a Chat client stream one call, and put its message together."""
    served.push(CALLED)
    response = await served.post(CHAT, ASK, stream=True, tools=chat_tools("f"))
    return Stream(response.content).message()


async def reply(served: Served, message: dict[str, Any]) -> None:
    """Send the message back with the result of its call."""
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "done"}
    response = await served.post(CHAT, ASK, message, result, tools=chat_tools("f"))
    assert response.status_code == 200, response.text


async def test_a_messages_client_brings_the_signature_of_a_call_back(either: Served) -> None:
    """E1"""
    either.push(CALLED)
    first = await either.post(MESSAGES, ASK, stream=True, tools=messages_tools("f"), max_tokens=50)
    blocks = content(parse(first.content))
    result = {"type": "tool_result", "tool_use_id": blocks[-1]["id"], "content": "done"}
    history = [user(ASK), {"role": "assistant", "content": blocks}, user([result])]
    second = await either.post(MESSAGES, *history, tools=messages_tools("f"), max_tokens=50)
    assert second.status_code == 200
    assert signatures(either) == [S1]


async def test_a_messages_client_brings_it_back_to_a_restarted_gateway(upstream: Upstream, tmp_path: Path) -> None:
    """E1: the signature travels in the client's hands, not in the gateway's memory."""
    async with fake_of(upstream) as fake:
        async with again(upstream, fake, tmp_path) as served:
            served.push(CALLED)
            first = await served.post(MESSAGES, ASK, tools=messages_tools("f"), max_tokens=50)
        blocks = first.json()["content"]
        result = {"type": "tool_result", "tool_use_id": blocks[-1]["id"], "content": "done"}
        async with again(upstream, fake, tmp_path) as served:
            history = [user(ASK), {"role": "assistant", "content": blocks}, user([result])]
            await served.post(MESSAGES, *history, tools=messages_tools("f"), max_tokens=50)
            assert signatures(served) == [S1]


async def test_a_chat_client_that_keeps_extra_content_brings_the_signature_back(
    upstream: Upstream, tmp_path: Path
) -> None:
    """E2: kept, also over a restart."""
    async with fake_of(upstream) as fake:
        async with again(upstream, fake, tmp_path) as served:
            message = await first_message(served)
            assert "extra_content" in message["tool_calls"][0]
        async with again(upstream, fake, tmp_path) as served:
            await reply(served, message)
            assert signatures(served) == [S1]


async def test_a_chat_client_that_drops_it_is_remembered(either: Served) -> None:
    """E2: dropped, cache warm"""
    message = await first_message(either)
    del message["tool_calls"][0]["extra_content"]
    await reply(either, message)
    assert signatures(either) == [S1]


async def test_a_restarted_gateway_sends_the_sentinel_instead(upstream: Upstream, tmp_path: Path) -> None:
    """E2: dropped, gateway restarted"""
    async with fake_of(upstream) as fake:
        async with again(upstream, fake, tmp_path) as served:
            message = await first_message(served)
        del message["tool_calls"][0]["extra_content"]
        async with again(upstream, fake, tmp_path) as served:
            await reply(served, message)
            assert signatures(served) == [SENTINEL]


@pytest.mark.parametrize("signature", ["claude#abc", "gw1.c.t.YWJj.00000000", "not base64 at all"])
async def test_a_signature_of_unknown_origin_does_not_go_upstream(either: Served, signature: str) -> None:
    """E5"""
    thought = {"type": "thinking", "thinking": "hm", "signature": signature}
    spoken = {"role": "assistant", "content": [thought, {"type": "text", "text": "hello"}]}
    thinking = {"type": "enabled", "budget_tokens": 1024}
    response = await either.post(MESSAGES, "one", spoken, "two", max_tokens=4000, thinking=thinking)
    assert response.status_code == 200
    assert signature not in values("thoughtSignature", either.contents)


async def test_what_is_no_signature_of_a_chat_client_does_not_go_upstream(every: Served) -> None:
    """E5 of Chat"""
    extra = {"google": {"thought_signature": "claude#abc"}}
    spoken = {"role": "assistant", "content": "hello", "extra_content": extra}
    response = await every.post(CHAT, "one", spoken, "two")
    assert response.status_code == 200
    assert not values("thoughtSignature", every.contents)


async def test_a_claude_thought_comes_home_before_its_call(served: Served) -> None:
    """E1 with a Claude model: the strict upstream takes the thought back with its own signature only."""
    asked: dict[str, Any] = {
        "model": CLAUDE,
        "max_tokens": 4000,
        "tools": messages_tools("f"),
        "thinking": {"type": "enabled", "budget_tokens": 2000},
    }
    directed = "!think I shall call f\n!tool f {}\n!then\n!say done"
    first = await served.post(MESSAGES, directed, stream=True, **asked)
    blocks = content(parse(first.content))
    result = {"type": "tool_result", "tool_use_id": blocks[-1]["id"], "content": "done"}
    history = [user(directed), {"role": "assistant", "content": blocks}, user([result])]
    second = await served.post(MESSAGES, *history, **asked)
    assert second.status_code == 200, second.text
    thought = served.contents[1]["parts"][0]
    assert (thought["thought"], thought["text"]) == (True, "I shall call f")
    assert thought["thoughtSignature"] in served.fake.signatures.issued


async def test_a_claude_thought_comes_home_where_litellm_has_put_its_signature_aside(tmp_path: Path) -> None:
    """E2 with a Claude model: in whole answers, what it does not know of a message is in another place."""
    directed = "!think I shall call f\n!tool f {}\n!then\n!say done"
    asked: dict[str, Any] = {"tools": chat_tools("f"), "reasoning_effort": "low"}
    async with fake_of("claude") as fake:
        async with again("claude", fake, tmp_path) as served:
            message = (await served.post(CHAT, directed, **asked)).json()["choices"][0]["message"]
        aside = {"extra_content": message.pop("extra_content")}
        result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "done"}
        async with again("claude", fake, tmp_path) as served:
            history = ({**message, "provider_specific_fields": aside}, result)
            second = await served.post(CHAT, directed, *history, **asked)
            assert second.status_code == 200, second.text
            thought = served.contents[1]["parts"][0]
    assert (thought["thought"], thought["text"]) == (True, "I shall call f")
    assert thought["thoughtSignature"] in served.fake.signatures.issued


@pytest.mark.parametrize("stream", [True, False])
async def test_thoughts_are_reasoning_content(either: Served, stream: bool) -> None:
    """E8"""
    said = script(chunk(Th("a")), chunk(Th("b")), chunk(T("c"), fin="STOP"))
    heard = await either.hear("openai-chat", said, stream=stream, reasoning_effort="low")
    assert (heard.thoughts, heard.text) == ("ab", "c")


@pytest.mark.parametrize("stream", [True, False])
async def test_no_thoughts_are_shown_to_who_switched_reasoning_off(either: Served, stream: bool) -> None:
    """E8"""
    said = script(chunk(Th("a")), chunk(Th("b")), chunk(T("c"), fin="STOP"))
    response = await either.post(CHAT, said, stream=stream, reasoning_effort="none")
    assert "reasoning_content" not in response.text
    assert '"c"' in response.text


@pytest.mark.parametrize(
    ("thinking", "shown"), [({"type": "enabled", "budget_tokens": 1024}, "ab"), ({"type": "disabled"}, ""), (None, "")]
)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_messages_client_sees_the_thoughts_it_asked_for(
    either: Served, thinking: Any, shown: str, stream: bool
) -> None:
    """E8 of Messages: thoughts are shown only to callers who asked for thinking."""
    said = script(chunk(Th("a")), chunk(Th("b")), chunk(T("c"), fin="STOP"))
    fields = {"thinking": thinking} if thinking else {}
    heard = await either.hear("anthropic", said, stream=stream, max_tokens=4000, **fields)
    assert (heard.thoughts, heard.text) == (shown, "c")
