"""An upstream that says nothing without end is given up before it fills the memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway import attempts
from tests.conformance.raw import passing

pytestmark = pytest.mark.anyio

NOTHING = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{}}]}\n\n'
)
MB = 2**20
ASKED: dict[str, Any] = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}


async def test_an_answer_that_never_begins_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_MOST_BYTES", MB)
    async with passing("openai-chat", tmp_path) as passed:
        passed.raw.says(*[NOTHING * 100] * 2_000)  # 22 MB
        answer = await passed.http.post("/v1/chat/completions", json=ASKED)
    assert answer.status_code == 502
    assert "the upstream's response does not begin: 1 MB say nothing" in json.dumps(answer.json())


async def test_one_that_begins_late_is_an_answer(tmp_path: Path) -> None:
    word = NOTHING.replace(b'"delta":{}', b'"delta":{"content":"word"}')
    end = NOTHING.replace(b'"delta":{}', b'"delta":{},"finish_reason":"stop"')
    async with passing("openai-chat", tmp_path) as passed:
        passed.raw.says(*[NOTHING] * 3_000, word, end, b"data: [DONE]\n\n")
        answer = await passed.http.post("/v1/chat/completions", json=ASKED)
    assert (answer.status_code, answer.text.count("word")) == (200, 1)
