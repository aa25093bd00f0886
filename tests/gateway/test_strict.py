"""`translate.lossy = "strict"`: one 400 in the caller's dialect that names every change and every content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.app import create_app, lifespan
from tests.middleware.asgi import Outcome, call, scope_of

pytestmark = pytest.mark.anyio

CLAUDE, GPT = "anthropic/claude-sonnet-4-5", "openai/gpt-5.2"
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
GEMINI = f"/v1beta/models/{CLAUDE}:generateContent"
HI = {"role": "user", "content": "hi"}
SAID = "translate.lossy is strict, and this upstream cannot carry: "
NOWHERE = {"base_url": "http://127.0.0.1:9", "api_key": "key-1"}
UPSTREAMS = {"anthropic": {"type": "anthropic", **NOWHERE}, "openai": {"type": "openai", **NOWHERE}}


async def refused(folder: Path, path: str, *, defaults: Any = None, **fields: Any) -> Outcome:
    config = {"server": {"data_dir": str(folder)}, "translate": {"lossy": "strict"}, "log": {"level": "error"}}
    app = create_app({**config, "upstream": UPSTREAMS, "defaults": defaults or {}})
    async with lifespan(app):
        return await call(app, scope_of(path), [msgspec.json.encode(fields)])


async def test_chat_callers_read_what_is_lost(tmp_path: Path) -> None:
    answered = {"role": "assistant", "content": "Yes.", "audio": {"id": "audio_1"}}
    outcome = await refused(tmp_path, CHAT, model=CLAUDE, messages=[HI, answered, HI], seed=7, metadata={"a": "b"})
    assert outcome.status == 400
    assert outcome.json == {
        "error": {
            "message": f"{SAID}messages[1].audio: audio of an earlier response is not kept (content); "
            "seed: Claude does not support it (change)",
            "type": "invalid_request_error",
            "param": "messages[1].audio",
            "code": None,
        }
    }


async def test_responses_callers_read_what_is_lost(tmp_path: Path) -> None:
    tool = {"type": "web_search", "filters": {"of_language": "it"}}
    told = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    fields: dict[str, Any] = {"input": "hi", "tools": [tool], "truncation": "auto", **told}
    outcome = await refused(tmp_path, RESPONSES, model=CLAUDE, **fields)
    assert outcome.status == 400
    assert outcome.json == {
        "error": {
            "message": f"{SAID}tools[0].filters.of_language: not carried with web_search (change); "
            "include[0]: there is no equivalent (change); top_logprobs: there is no equivalent (change)",
            "type": "invalid_request_error",
            "param": "tools[0].filters.of_language",
            "code": None,
        }
    }


async def test_anthropic_callers_read_what_is_lost(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"top_k": 40, "stop_sequences": ["END"], "cache_control": {"type": "ephemeral"}}
    outcome = await refused(tmp_path, MESSAGES, model=GPT, max_tokens=100, messages=[HI], **fields)
    assert outcome.status == 400
    assert outcome.json["type"] == "error"
    assert outcome.json["error"] == {
        "type": "invalid_request_error",
        "message": f"{SAID}stop_sequences: this model does not support stop sequences (change); "
        "top_k: this upstream does not support it (change)",
    }


async def test_anthropic_callers_read_every_field_as_anthropic_names_it(tmp_path: Path) -> None:
    tools = [{"type": "bash_20250124", "name": "bash"}, {"type": "memory_20250818", "name": "memory"}]
    outcome = await refused(tmp_path, MESSAGES, model=GPT, max_tokens=100, messages=[HI], tools=tools)
    reason = "emulated: a function with the parameters that Claude knows (change)"
    assert outcome.json["error"]["message"] == f"{SAID}tools.0: {reason}; tools.1: {reason}"


async def test_gemini_callers_read_what_is_lost(tmp_path: Path) -> None:
    called = {"role": "model", "parts": [{"toolCall": {"toolType": "GOOGLE_SEARCH_WEB"}}, {"text": "1"}]}
    contents = [{"role": "user", "parts": [{"text": "hi"}]}, called, {"role": "user", "parts": [{"text": "go"}]}]
    outcome = await refused(tmp_path, GEMINI, contents=contents, generationConfig={"seed": 7}, labels={"a": "b"})
    assert outcome.status == 400
    assert outcome.json["error"]["status"] == "INVALID_ARGUMENT"
    assert outcome.json["error"]["message"] == (
        f"{SAID}contents[1].parts[0]: only gemini can read a toolCall block (content); "
        "generationConfig.seed: Claude does not support it (change)"
    )


async def test_a_refusal_names_twenty_losses_and_counts_the_rest(tmp_path: Path) -> None:
    tools = [{"type": "custom", "custom": {"name": f"tool_{number}"}} for number in range(25)]
    outcome = await refused(tmp_path, CHAT, model=CLAUDE, messages=[HI], tools=tools)
    message = outcome.json["error"]["message"]
    assert (outcome.status, message.count("emulated")) == (400, 20)
    assert message.endswith("; and 5 more")


async def test_hints_alone_are_no_refusal(tmp_path: Path) -> None:
    outcome = await refused(tmp_path, CHAT, model=CLAUDE, messages=[HI], metadata={"a": "b"})
    assert outcome.status == 502  # it goes out, and nobody is there


@pytest.mark.parametrize(("said", "status"), [({}, 502), ({"top_k": 4}, 400)], ids=["filled in", "said"])
async def test_nobody_misses_what_the_gateway_has_filled_in(tmp_path: Path, said: Any, status: int) -> None:
    outcome = await refused(tmp_path, MESSAGES, defaults={"top_k": 4}, model=GPT, max_tokens=9, messages=[HI], **said)
    assert outcome.status == status  # 502: nothing is at the upstream's address
