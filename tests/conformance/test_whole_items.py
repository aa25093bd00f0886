"""Conversations before servers with Responses that fill in nothing of what a caller leaves out of its items."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.openai_api import OpenAIServed, before
from tests.conformance.test_codex_tools import F, asking, output, user
from tests.fakes.openai_api import FakeOpenAI
from tests.fakes.openai_api_others import OTHERS
from tests.fakes.v1internal_errors import Refusal
from tests.fakes.v1internal_reply import PIXEL

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

SERVERS = ["vLLM", "OpenRouter", "Meta"]
TYPED = ["vLLM", "OpenRouter"]
SAID = "!think hm\n!tool f {}\n!then\n!say done"


def as_codex(item: Json) -> Json:
    """Write an item of an answer as Codex sends it back: without its ID, its status, and what it does not read."""
    kept = {name: value for name, value in item.items() if name not in ("id", "status")}
    if kept["type"] == "message":
        kept["content"] = [{"type": "output_text", "text": part["text"]} for part in kept["content"]]
    return kept | {"content": None} if kept["type"] == "reasoning" else kept


def result(call: Json, text: str) -> Json:
    return {"type": "function_call_output", "call_id": call["call_id"], "output": text}


def statuses(served: OpenAIServed) -> list[int]:
    return [call.status for call in served.calls]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("server", SERVERS)
async def test_a_conversation_of_codex_goes_on(tmp_path: Path, server: str, stream: bool) -> None:
    async with FakeOpenAI(other=server) as fake, before(fake, tmp_path, "responses") as served:
        ask = {"tools": [F], "include": ["reasoning.encrypted_content"], "stream": stream}
        thought, call = await output(served, asking(user(SAID), **ask), stream=stream)
        items = [user(SAID), as_codex(thought), as_codex(call), result(call, "ok")]
        (message,) = await output(served, asking(*items, **ask), stream=stream)
        assert message["content"][0]["text"] == "done"
        again = user("!say and more")
        (message,) = await output(served, asking(*items, as_codex(message), again, **ask), stream=stream)
        assert message["content"][0]["text"] == "and more"
        assert statuses(served) == [200, 400, 200, 200]
        sent = served.sent["input"]
        assert [item["type"] for item in sent] == [
            *("message", "reasoning", "function_call", "function_call_output"),
            *("message", "message"),
        ]
        assert [item.get("id", "") for item in sent] == ["", "rs_1", "fc_2", "", "msg_4", ""]
        assert "content" not in sent[1]
        assert sent[4]["content"] == [{"annotations": [], "type": "output_text", "text": "done"}]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("server", SERVERS)
async def test_a_conversation_of_another_dialect_goes_on(tmp_path: Path, server: str, path: str) -> None:
    async with FakeOpenAI(other=server) as fake, before(fake, tmp_path, "responses") as served:
        for said in ("first", "second"):
            turns = [("user", "hi"), ("assistant", "hello"), ("user", f"!say {said}")]
            messages = [{"role": role, "content": text} for role, text in turns]
            response = await served.http.post(
                path, json={"model": served.model, "max_tokens": 99, "messages": messages}
            )
            assert (response.status_code, said in response.text) == (200, True), response.text
        assert statuses(served) == [400, 200, 200]
        answer = served.sent["input"][1]
        assert (answer["role"], answer["status"], answer["content"][0]["annotations"]) == ("assistant", "completed", [])


@pytest.mark.parametrize("server", TYPED)
async def test_items_of_other_clients_get_what_they_leave_out(tmp_path: Path, server: str) -> None:
    """One writes no types and no details, one the model's words as a mere text, one null for what there is not."""
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}
    items: list[Json] = [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}, picture]},
        {"type": "message", "id": "msg_7", "status": "completed", "role": "assistant", "content": "hello"},
        {"type": "message", "role": "user", "content": "!say done", "status": None},
    ]
    async with FakeOpenAI(other=server) as fake, before(fake, tmp_path, "responses") as served:
        (message,) = await output(served, asking(*items, tools=[F]), stream=False)
        assert message["content"][0]["text"] == "done"
        assert statuses(served) == [400, 200]
        words = [{"type": "output_text", "text": "hello", "annotations": []}]
        assert served.sent["input"] == [
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "hi"}, {"detail": "auto", **picture}],
            },
            {"type": "message", "id": "msg_7", "status": "completed", "role": "assistant", "content": words},
            {"type": "message", "role": "user", "content": "!say done"},
        ]


async def test_what_codex_alone_has_is_translated_where_whole_items_are_not_enough(tmp_path: Path) -> None:
    """Of an item that its types do not know a server says the same."""
    words = [{"type": "input_text", "text": "!say done"}]
    told = {"type": "agent_message", "author": "/lead", "recipient": "/lead/a", "content": words}
    answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}
    async with FakeOpenAI(other="vLLM") as fake, before(fake, tmp_path, "responses") as served:
        for _ in "12":
            (message,) = await output(served, asking(user("hi"), answer, told, tools=[F]), stream=True)
            assert message["content"][0]["text"] == "done"
        assert statuses(served) == [400, 400, 200, 200]
        assert [item["type"] for item in served.sent["input"]] == ["message"] * 3


async def test_whole_items_pass_byte_for_byte(tmp_path: Path) -> None:
    item = {
        "type": "function_call",
        "id": "fc_1",
        "status": "completed",
        "call_id": "c",
        "name": "f",
        "arguments": "{}",
    }
    async with FakeOpenAI(other="Meta") as fake, before(fake, tmp_path, "responses") as served:
        nameless = {name: value for name, value in item.items() if name != "id"}
        for one in (nameless, item):
            body = asking(user("hi"), one, result(item, "ok"), user("!say done"), tools=[F])
            raw = json.dumps(body | {"store": True}, indent=1).encode()
            response = await served.http.post(
                "/v1/responses", content=raw, headers={"content-type": "application/json"}
            )
            assert response.status_code == 200, response.text
        assert statuses(served) == [400, 200, 200]
        assert json.loads(served.calls[1].raw)["input"] == json.loads(served.calls[2].raw)["input"]
        assert served.calls[2].raw == raw


@pytest.mark.parametrize("server", SERVERS)
def test_the_fake_takes_whole_items_alone(server: str) -> None:
    part: Json = {"type": "output_text", "text": "hi", "annotations": []}
    answer: Json = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]}
    thought: Json = {"type": "reasoning", "id": "rs_1", "summary": []}
    OTHERS[server].judge({"input": [user("hi"), thought, answer]})
    for item in (answer, thought):
        with pytest.raises(Refusal):
            OTHERS[server].judge({"input": [{name: value for name, value in item.items() if name != "id"}]})
