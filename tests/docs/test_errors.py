"""docs/errors.md shows what callers read, word for word."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.docs.examples import BLOCKS
from tests.processes import gateway

TOML = """
[models]
unknown = "reject"
list_variants = false
[upstream.openai]
base_url = "http://127.0.0.1:1/v1"
models = ["gpt-5"]
[upstream.demo]
"""
MESSAGES = [{"role": "user", "content": "Hello"}]
CALLS = [
    ("/v1/chat/completions", {"model": "gpt-5x", "messages": MESSAGES}),
    ("/v1/messages", {"model": "gpt-5x", "max_tokens": 9, "messages": MESSAGES}),
    ("/v1beta/models/gpt-5x:generateContent", {"contents": [{"parts": [{"text": "Hello"}]}]}),
]


def test_the_errors_that_are_shown_are_those_that_are_sent(tmp_path: Path) -> None:
    shown = [json.loads(block.text) for block in BLOCKS if block.page == "errors.md"]
    with gateway(tmp_path, toml=TOML) as program:
        sent = [httpx.post(f"{program.url}{path}", json=body, timeout=20).json() for path, body in CALLS]
    assert sent[1]["request_id"].startswith("req_")
    sent[1]["request_id"] = "req_…"
    assert sent == shown
