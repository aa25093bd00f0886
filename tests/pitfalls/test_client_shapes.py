"""Requests as frameworks write them, over HTTP to every kind of upstream."""

from __future__ import annotations

import json
from base64 import b64encode
from functools import partial
from typing import Any

import pytest

from tests.conformance.served import user
from tests.pitfalls.gateways import ALL, CHAT_FORM, OPENAI, Alone, At, each

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

NOTES = b"Bring milk."


def carried(at: At) -> bool:
    """Whether the notes have reached the upstream, as words or as a file."""
    sent = json.dumps(at.sent)
    return NOTES.decode() in sent or b64encode(NOTES).decode() in sent


@pytest.mark.parametrize("kind", ["text/plain", "text/markdown", "text/csv", "application/json"])
@each(*ALL)
async def test_a_text_file_is_read(at: At, kind: str) -> None:
    """Pydantic AI and LangChain send one to Responses and to Chat as they do a PDF."""
    file = {"filename": "notes", "file_data": f"data:{kind};base64,{b64encode(NOTES).decode()}"}
    words = "!say ok"
    await at.chat(user([{"type": "file", "file": file}, {"type": "text", "text": words}]))
    assert carried(at)
    asked = {"role": "user", "content": [{"type": "input_file", **file}, {"type": "input_text", "text": words}]}
    await at.items(asked)
    assert carried(at)


@each(*CHAT_FORM)
async def test_stop_sequences_are_left_out_for_a_model_that_takes_none(at: At) -> None:
    """Frameworks for agents send them with every request, whatever the model behind the name."""
    response = await at.chat(user("!say ok"), model=f"{at.kind.table}/gpt-5", stop=["Observation:"])
    assert response.headers["x-gateway-lossy"] == "1"
    assert "stop" not in at.sent


@pytest.mark.parametrize("post", ["chat", "items", "messages"])
@each(*OPENAI)
async def test_a_temperature_that_says_nothing_is_no_loss(at: At, post: str) -> None:
    """LiteLLM and LlamaIndex send 1 where the caller says none; the model has refused another one before."""
    asked = partial(getattr(at, post), user("!say ok"), model=f"{at.kind.table}/gpt-5")
    assert (await asked(temperature=0.2)).headers["x-gateway-lossy"] == "1"
    assert "x-gateway-lossy" not in (await asked(temperature=1)).headers


@pytest.mark.parametrize("role", ["system", "developer"])
@each(*ALL)
async def test_instructions_alone_are_answered(at: At, role: str) -> None:
    """A prompt is often sent as the one system message; OpenAI answers it."""
    asked = {"role": role, "content": "Say a word."}
    for post in (at.chat, at.items):
        at.push("!say ok")
        response = await post(asked)
        assert "x-gateway-lossy" not in response.headers
        assert "Say a word." in json.dumps(at.sent)


@pytest.mark.parametrize("upstream", ["v1internal", "gemini"])
async def test_what_older_functions_lose_is_called_by_their_name(alone: Alone, upstream: str) -> None:
    """They are called one at a time; nobody said `parallel_tool_calls`."""
    at = await alone(upstream, translate={"lossy": "strict"})
    functions: list[Json] = [{"name": "f", "parameters": {"type": "object", "properties": {}}}]
    asked: Json = {"messages": [user("!say ok")], "functions": functions}
    refused = (await at.post("/v1/chat/completions", asked)).json()["error"]
    assert (refused["param"], "functions: emulated" in refused["message"]) == ("functions", True)
