"""A request that has very much in it holds nobody up: what is done to it is done beside the event loop."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.raw import Passed, passing
from tests.patience import patient
from tests.security.wires import WHOLE
from tests.stalls import GUARD, Stalls

pytestmark = pytest.mark.anyio

LIMIT_S = 0.15  # what it takes else is some 0.5 s
MANY = 60_000
BRANCHES = {"anyOf": [{"type": "object", "properties": {f"p{one}": {"type": "string"}}} for one in range(20_000)]}
HALF = rb"\ud800"
HI = {"role": "user", "content": "hi"}
SAID = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}] * (MANY // 2) + [HI]
CONTENTS = [{"role": "user", "parts": [{"text": "x"}]}, {"role": "model", "parts": [{"text": "y"}]}] * (MANY // 2)
CALLERS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "chat": (
        "/v1/chat/completions",
        {"model": "m", "messages": SAID},
        {
            "model": "m",
            "messages": [HI],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": BRANCHES}}],
        },
    ),
    "responses": (
        "/v1/responses",
        {"model": "m", "store": False, "input": SAID},
        {
            "model": "m",
            "store": False,
            "input": "hi",
            "tools": [{"type": "function", "name": "f", "parameters": BRANCHES}],
        },
    ),
    "messages": (
        "/v1/messages",
        {"model": "m", "max_tokens": 9, "messages": SAID},
        {"model": "m", "max_tokens": 9, "messages": [HI], "tools": [{"name": "f", "input_schema": BRANCHES}]},
    ),
    "count": (
        "/v1/messages/count_tokens",
        {"model": "m", "messages": SAID},
        {"model": "m", "messages": [HI], "tools": [{"name": "f", "input_schema": BRANCHES}]},
    ),
    "gemini": (
        "/v1beta/models/m:generateContent",
        {"contents": [*CONTENTS, {"role": "user", "parts": [{"text": "hi"}]}]},
        {
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": BRANCHES}]}],
        },
    ),
}


@pytest.fixture
async def passed(tmp_path: Path) -> AsyncIterator[Passed]:
    """Run a gateway before an upstream of Chat Completions; its key has every limit."""
    limits = {"tokens_per_minute": 1e9, "usd_per_day": 1e9, "concurrent": 4}
    key = {"name": "held", "secret": "sk-held", "models": ["m"], "limits": limits}
    async with passing("openai-chat", tmp_path, key=[key]) as one:
        one.raw.says(WHOLE, kind="application/json")
        yield one


@pytest.fixture
def stalls() -> Iterator[Stalls]:
    seen = Stalls(LIMIT_S, patient)
    end = seen.install()
    with GUARD.paused():
        yield seen
    end()


@pytest.mark.parametrize("which", [1, 2], ids=["messages", "a schema"])
@pytest.mark.parametrize("caller", CALLERS)
async def test_no_step_takes_long(passed: Passed, stalls: Stalls, caller: str, which: int) -> None:
    path, body = CALLERS[caller][0], json.dumps(CALLERS[caller][which]).encode()
    headers = {"x-api-key": "sk-held", "content-type": "application/json", "content-encoding": "gzip"}
    answer = await passed.http.post(path, content=await asyncio.to_thread(gzip.compress, body), headers=headers)
    assert (answer.status_code, stalls.found) == (200, []), answer.text


@pytest.mark.parametrize(
    ("path", "begin", "piece", "end"),
    [
        ("/v1/chat/completions", b'{"model":"m","messages":[', b"[],", b"[]]}"),
        ("/v1/chat/completions", b'{"model":"m","messages":[{"role":"user","content":"', HALF, b'"}]}'),
    ],
    ids=["no messages", "halves of characters"],
)
async def test_nor_for_what_is_no_conversation(
    passed: Passed, stalls: Stalls, path: str, begin: bytes, piece: bytes, end: bytes
) -> None:
    answer = await passed.http.post(path, content=begin + piece * 1_000_000 + end, headers={"x-api-key": "sk-held"})
    assert (answer.status_code, stalls.found) == (200, []), answer.text[:200]


async def test_nor_where_a_conversation_goes_on(passed: Passed, stalls: Stalls) -> None:
    headers = {"x-api-key": "sk-held"}
    first = await passed.http.post("/v1/responses", json={"model": "m", "input": SAID}, headers=headers)
    body = {"model": "m", "input": "hi", "previous_response_id": first.json()["id"]}
    second = await passed.http.post("/v1/responses", json=body, headers=headers)
    assert (second.status_code, stalls.found) == (200, [])
    assert len(passed.raw.sent["messages"]) == len(SAID) + 2
