"""Servers with Responses that keep none: a conversation goes on from what this gateway keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.raw import Passed, passing

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

JSON = "application/json"
WORDS: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Hi.", "annotations": []}],
}
# What they say of previous_response_id: llama.cpp's server-chat.cpp, SGLang's serving_responses.py, vLLM's serving.py
REFUSALS: dict[str, tuple[int, Json]] = {
    "llama.cpp": (
        400,
        {
            "code": 400,
            "message": "llama.cpp does not support 'previous_response_id'.",
            "type": "invalid_request_error",
        },
    ),
    "SGLang": (
        400,
        {
            "message": "Response store is disabled. Stateful Responses require --enable-response-store.",
            "type": "invalid_request_error",
            "param": "previous_response_id",
        },
    ),
    "vLLM": (
        404,
        {
            "message": "Response with id 'resp_1' not found.",
            "type": "invalid_request_error",
            "param": "response_id",
            "code": 404,
        },
    ),
    "others": (400, {"message": "Parameter 'previous_response_id' is not supported", "code": "invalid_prompt"}),
}


def answer(number: int, **fields: Any) -> Json:
    return {"id": f"resp_{number}", "object": "response", "created_at": 1, "model": "m", "status": "completed"} | fields


def says(same: Passed, response: Json, *, stream: bool) -> None:
    """Give this answer next: the last event of a stream may have no output."""
    if not stream:
        same.raw.says(json.dumps(response | {"output": [WORDS]}).encode(), kind=JSON)
        return
    said: list[Json] = [
        {"type": "response.created", "response": response | {"status": "in_progress", "output": []}},
        {"type": "response.output_item.done", "output_index": 0, "item": WORDS},
        {"type": "response.completed", "response": response | {"output": []}},
    ]
    events = [{**one, "sequence_number": number} for number, one in enumerate(said)]
    same.raw.says(*(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events))


async def ask(same: Passed, text: str, *, stream: bool, previous: str | None = None) -> Json:
    body = {"model": "m", "input": text, "stream": stream, "previous_response_id": previous}
    response = await same.post(json.dumps(body).encode())
    assert response.status_code == 200, response.text
    found: Json = json.loads(response.text.rpartition("data: ")[2])["response"] if stream else response.json()
    assert found["output"] == [WORDS]
    return found


def told(same: Passed) -> list[Any]:
    """Give what the upstream was told last, without what stands around it."""
    assert same.raw.sent.get("previous_response_id") is None
    return [item["content"][0]["text"] for item in same.raw.sent["input"]]


@pytest.mark.parametrize("stream", [False, True])
async def test_what_an_upstream_says_that_it_does_not_keep_is_told_anew(tmp_path: Path, stream: bool) -> None:
    """Ollama's openai/responses.go: `Store: false`, and a request has no previous_response_id there."""
    async with passing("openai-responses", tmp_path) as same:
        says(same, answer(1, store=False), stream=stream)
        first = await ask(same, "one", stream=stream)
        same.raw.answers.clear()
        says(same, answer(2, store=False), stream=stream)
        second = await ask(same, "two", stream=stream, previous=first["id"])
        assert told(same) == ["one", "Hi.", "two"]
        assert second.get("previous_response_id") in {None, first["id"]}
        same.raw.answers.clear()
        says(same, answer(3, store=False), stream=stream)
        await ask(same, "three", stream=stream, previous=second["id"])
        assert told(same) == ["one", "Hi.", "two", "Hi.", "three"]


async def test_what_an_upstream_keeps_is_not_told_anew(tmp_path: Path) -> None:
    async with passing("openai-responses", tmp_path) as same:
        for store in (True, None):
            same.raw.answers.clear()
            says(same, answer(1, store=store), stream=False)
            first = await ask(same, "one", stream=False)
            await ask(same, "two", stream=False, previous=first["id"])
            assert (same.raw.sent["input"], same.raw.sent["previous_response_id"]) == ("two", "resp_1")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("server", REFUSALS)
async def test_what_a_server_refuses_to_go_on_from_is_told_anew(tmp_path: Path, server: str, stream: bool) -> None:
    status, refusal = REFUSALS[server]
    async with passing("openai-responses", tmp_path) as same:
        says(same, answer(1), stream=stream)
        first = await ask(same, "one", stream=stream)
        same.raw.answers.clear()
        same.raw.says(json.dumps({"error": refusal}).encode(), status=status, kind=JSON)
        says(same, answer(2), stream=stream)
        await ask(same, "two", stream=stream, previous=first["id"])
        assert told(same) == ["one", "Hi.", "two"]


async def test_a_caller_is_told_so_whose_conversation_nobody_keeps(tmp_path: Path) -> None:
    async with passing("openai-responses", tmp_path) as same:
        same.raw.says(json.dumps({"error": REFUSALS["llama.cpp"][1]}).encode(), status=400, kind=JSON)
        body = {"model": "m", "input": "two", "previous_response_id": "resp_unknown"}
        response = await same.post(json.dumps(body).encode())
        assert response.status_code == 400
        assert "previous_response_id" in response.json()["error"]["message"]
