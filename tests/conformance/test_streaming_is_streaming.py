"""Chunk n+1 leaves the upstream only when the caller has said that chunk n is there: whoever buffers never ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from tests.conformance.replies import FC, T, Th, chunk, script
from tests.conformance.served import CHAT, CLAUDE, DIALECTS, EACH_DIALECT, GEMINI_3, Served, turns
from tests.conformance.test_cases_tools import TOOL_ENDS, TOOLS
from tests.patience import patient

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

THINKING: dict[str, Json] = {
    "openai-chat": {"reasoning_effort": "low"},
    "openai-responses": {"reasoning": {"effort": "low", "summary": "auto"}},
    "anthropic": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000},
}
WORDS = ["hm, ", "well, ", "one ", "two ", "three"]
MIXED = script(
    chunk(Th(WORDS[0])),
    chunk(Th(WORDS[1])),
    chunk(T(WORDS[2])),
    chunk(T(WORDS[3])),
    chunk(FC("f", {"say": WORDS[4]})),
    chunk(fin="STOP"),
    then="!acked",
)


def chat_news(event: Json) -> str:
    """Give what a chunk adds: words of any kind, or arguments."""
    delta = event["choices"][0]["delta"]
    calls = [call["function"].get("arguments", "") for call in delta.get("tool_calls", ())]
    return "".join([delta.get("content") or "", delta.get("reasoning_content", ""), *calls])


def messages_news(event: Json) -> str:
    """Give what an event adds."""
    delta = event.get("delta", {})
    return "".join(delta.get(kind, "") for kind in ("text", "thinking", "partial_json"))


def responses_news(event: Json) -> str:
    """Give what an event adds."""
    return str(event.get("delta", ""))


NEWS: dict[str, Callable[[Json], str]] = {
    "openai-chat": chat_news,
    "openai-responses": responses_news,
    "anthropic": messages_news,
}
# what ends the stream, as a piece of its last event
ENDS = {"openai-chat": "[DONE]", "openai-responses": '"response.completed"', "anthropic": '"message_stop"'}


async def listen(served: Served, dialect: str, said: str, **fields: Any) -> tuple[list[str], str]:
    """Acknowledge each piece of news; give all of it, and the last line."""
    body = {turns(EACH_DIALECT[dialect]): [{"role": "user", "content": said}], "stream": True, **fields}
    news: list[str] = []
    last = ""
    with anyio.fail_after(patient(5)):
        async with served.http.stream("POST", EACH_DIALECT[dialect], json=body) as response:
            async for line in response.aiter_lines():
                if not line.startswith("data: "):
                    continue
                last = line
                if "[DONE]" not in line and (new := NEWS[dialect](json.loads(line[6:]))):
                    news.append(new)
                    served.fake.ack()
    return news, last


@pytest.mark.parametrize("dialect", EACH_DIALECT)
async def test_every_chunk_goes_out_before_the_next_one_comes(served: Served, dialect: str) -> None:
    fields = THINKING[dialect] | {"tools": TOOLS[dialect]("f"), "model": GEMINI_3}
    news, last = await listen(served, dialect, MIXED, **fields)
    assert news[:4] == WORDS[:4]
    assert json.loads("".join(news[4:])) == {"say": WORDS[4]}
    assert ENDS[dialect] in last


@pytest.mark.parametrize("dialect", EACH_DIALECT)
async def test_claudes_thoughts_and_words_go_out_one_by_one(served: Served, dialect: str) -> None:
    """Its signature is a chunk without words: nobody can acknowledge that one, so the caller's next word does."""
    served.fake.ack()  # for the chunk that carries the signature only
    said = "!think one two three\n!say four five six\n!acked"
    news, last = await listen(served, dialect, said, model=CLAUDE, **THINKING[dialect])
    assert "".join(news) == "one two threefour five six"
    assert len(news) == 4
    assert ENDS[dialect] in last


async def test_a_caller_without_thoughts_is_not_kept_waiting_for_them(served: Served) -> None:
    """Hidden thoughts are chunks without news; text after them still arrives at once."""
    served.fake.ack()
    said = script(chunk(Th("hm")), chunk(T("one ")), chunk(T("two"), fin="STOP"), then="!acked")
    news, last = await listen(served, "openai-chat", said, model=GEMINI_3, reasoning_effort="none")
    assert (news, last) == (["one ", "two"], "data: [DONE]")


@pytest.mark.parametrize("dialect", EACH_DIALECT)
async def test_bytes_of_a_chunk_wait_for_its_end_only(served: Served, dialect: str) -> None:
    """One byte a segment changes nothing."""
    news, last = await listen(served, dialect, f"{MIXED}\n!bytes 1", model=GEMINI_3, **THINKING[dialect])
    assert news[:4] == WORDS[:4]
    assert ENDS[dialect] in last


async def test_headers_come_with_the_first_chunk(served: Served) -> None:
    """The status is known when the first words are, not when the last ones are."""
    said = script(chunk(T("one ")), chunk(T("two"), fin="STOP"), then="!acked")
    body = {"model": GEMINI_3, "messages": [{"role": "user", "content": said}], "stream": True}
    with anyio.fail_after(patient(5)):
        async with served.http.stream("POST", CHAT, json=body) as response:
            assert response.status_code == 200
            served.fake.ack()
            lines = [line async for line in response.aiter_lines() if line]
    assert lines[-1] == "data: [DONE]"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_tool_turn_ends_as_one(served: Served, dialect: str) -> None:
    """The call has long gone out when the upstream says STOP."""
    said = script(chunk(FC("f", {"a": 1})), chunk(T(""), fin="STOP"), then="!acked")
    body = {"model": GEMINI_3, "max_tokens": 50, "stream": True, "tools": TOOLS[dialect]("f")}
    body["messages"] = [{"role": "user", "content": said}]
    lines: list[str] = []
    with anyio.fail_after(patient(5)):
        async with served.http.stream("POST", DIALECTS[dialect], json=body) as response:
            async for line in response.aiter_lines():
                if '\\"a\\":' in line:
                    served.fake.ack()
                lines.append(line)
    assert any(f'"{TOOL_ENDS[dialect]}"' in line for line in lines)
