"""Calls without results, and results without calls, of callers whose own words pass: told by a refusal, then mended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.test_demanded import before
from tests.fakes.openai_api import CHAT, RESPONSES, FakeOpenAI

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

MODEL, THINKER = "gpt-4.1", "gpt-5"
INTERRUPTED = "[no result: the tool call was interrupted]"
STRICT: Json = {"translate": {"lossy": "strict"}}
TOOL: Json = {"name": "f", "parameters": {"type": "object", "properties": {}}}


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


HI, DONE = user("hi"), user("!say done")
SAID: Json = {"role": "assistant", "content": "yes"}


def called(*ids: str) -> Json:
    calls = [{"id": one, "type": "function", "function": {"name": "f", "arguments": "{ }"}} for one in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(ident: str, content: Any = "ok") -> Json:
    return {"role": "tool", "tool_call_id": ident, "content": content}


CHATS: dict[str, tuple[list[Json], list[Json], str]] = {
    "interrupted": ([HI, called("c1"), DONE], [HI, called("c1"), result("c1", INTERRUPTED), DONE], ""),
    "one of two": (
        [HI, called("c1", "c2"), result("c2"), DONE],
        [HI, called("c1", "c2"), result("c1", INTERRUPTED), result("c2"), DONE],
        "",
    ),
    "late": ([HI, called("c1"), DONE, result("c1")], [HI, called("c1"), result("c1"), DONE], ""),
    "in a row": (
        [HI, called("c1"), called("c2"), result("c1"), result("c2"), DONE],
        [HI, called("c1"), result("c1"), called("c2"), result("c2"), DONE],
        "",
    ),
    "twice": (
        [HI, called("c1"), result("c1"), result("c1", "2"), DONE],
        [HI, called("c1"), result("c1", "2"), DONE],
        "1",
    ),
    "twice the same": (
        [HI, called("c1"), result("c1"), result("c1"), DONE],
        [HI, called("c1"), result("c1"), DONE],
        "",
    ),
    "of no call": ([HI, result("c9", "4 files"), DONE], [HI, user("[tool result c9] 4 files"), DONE], "1"),
    "parts of no call": (
        [HI, SAID, result("c9", [{"type": "text", "text": "a"}]), DONE],
        [HI, SAID, user([{"type": "text", "text": "[tool result c9]"}, {"type": "text", "text": "a"}]), DONE],
        "1",
    ),
    "at the end": ([DONE, called("c1")], [DONE, called("c1"), result("c1", INTERRUPTED)], ""),
}


@pytest.mark.parametrize("name", CHATS)
async def test_a_chats_calls_get_their_results(name: str, tmp_path: Path) -> None:
    given, wanted, lossy = CHATS[name]
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, [MODEL]) as http:
        body: Json = {"model": MODEL, "messages": given, "tools": [{"type": "function", "function": TOOL}], "seed": 7}
        response = await http.post("/v1/chat/completions", json=body)
        assert response.status_code == 200, response.text
        assert response.headers.get("x-gateway-lossy", "") == lossy
        first, second = fake.calls(CHAT)
        assert (first.status, second.status) == (400, 200)
        assert (first.request, second.request) == (body, body | {"messages": wanted})
        # the fault of one conversation is held against no other
        other = await http.post("/v1/chat/completions", json=body | {"messages": [HI, DONE]})
        assert (other.status_code, fake.calls(CHAT)[-1].request["messages"]) == (200, [HI, DONE])


async def test_in_strict_mode_no_result_becomes_words(tmp_path: Path) -> None:
    given, _, _ = CHATS["of no call"]
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, [MODEL], **STRICT) as http:
        response = await http.post("/v1/chat/completions", json={"model": MODEL, "messages": given})
        assert (response.status_code, [one.status for one in fake.calls(CHAT)]) == (400, [400])
        assert "must be a response to a preceeding message" in response.json()["error"]["message"]


def by_responses(fake: FakeOpenAI) -> Json:
    table = {"type": "openai", "base_url": f"{fake.url}/v1", "api": "responses", "models": [MODEL, THINKER]}
    return {"upstream": {"other": table}}


def call(ident: str, kind: str = "function") -> Json:
    said = {"arguments": "{ }"} if kind == "function" else {"input": "ls"}
    return {"type": f"{kind}_call" if kind == "function" else "custom_tool_call", "call_id": ident, "name": "f", **said}


def output(ident: str, said: Any = "ok", kind: str = "function_call") -> Json:
    return {"type": f"{kind}_output", "call_id": ident, "output": said}


def message(content: Any) -> Json:
    return {"type": "message", "role": "user", "content": content}


INPUTS: dict[str, tuple[list[Json], list[Json], str]] = {
    "interrupted": ([HI, call("c1"), DONE], [HI, call("c1"), output("c1", INTERRUPTED), DONE], ""),
    "one of two": (
        [HI, call("c1"), call("c2"), output("c2"), DONE],
        [HI, call("c1"), output("c1", INTERRUPTED), call("c2"), output("c2"), DONE],
        "",
    ),
    "free form": (
        [HI, call("c1", "custom"), DONE],
        [HI, call("c1", "custom"), output("c1", INTERRUPTED, "custom_tool_call"), DONE],
        "",
    ),
    "of no call": ([HI, output("c9", "4 files"), DONE], [HI, message("[tool result c9] 4 files"), DONE], "1"),
    "parts of no call": (
        [HI, output("c9", [{"type": "input_text", "text": "a"}]), DONE],
        [HI, message([{"type": "input_text", "text": "[tool result c9]"}, {"type": "input_text", "text": "a"}]), DONE],
        "1",
    ),
}


@pytest.mark.parametrize("name", INPUTS)
async def test_an_inputs_calls_get_their_results(name: str, tmp_path: Path) -> None:
    given, wanted, lossy = INPUTS[name]
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, **by_responses(fake)) as http:
        tools: list[Json] = [{"type": "function", "strict": False, **TOOL}, {"type": "custom", "name": "g"}]
        body: Json = {"model": MODEL, "input": given, "tools": tools, "store": False}
        response = await http.post("/v1/responses", json=body)
        assert response.status_code == 200, response.text
        assert response.headers.get("x-gateway-lossy", "") == lossy
        first, second = fake.calls(RESPONSES)
        assert (first.status, second.status) == (400, 200)
        assert (first.request, second.request) == (body, body | {"input": wanted})


async def test_thoughts_that_lead_to_nothing_are_left_out(tmp_path: Path) -> None:
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, **by_responses(fake)) as http:
        body: Json = {"model": THINKER, "store": False, "include": ["reasoning.encrypted_content"]}
        first = await http.post("/v1/responses", json=body | {"input": "!think Hm.\n!say yes"})
        assert first.status_code == 200, first.text
        thought, answer = first.json()["output"]
        assert thought["type"] == "reasoning"
        for items, kept in (([thought, DONE], [DONE]), ([DONE, thought], [DONE])):
            response = await http.post("/v1/responses", json=body | {"input": [HI, thought, answer, *items]})
            assert response.status_code == 200, response.text
            assert "x-gateway-lossy" not in response.headers  # a hint
            refused, mended = fake.calls(RESPONSES)[-2:]
            assert (refused.status, mended.status) == (400, 200)
            assert mended.request["input"] == refused.request["input"][:3] + kept


async def test_what_a_kept_response_may_have_called_stays(tmp_path: Path) -> None:
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, **by_responses(fake)) as http:
        fake.script.push("!refuse " + json.dumps({"status": 400, "error": {"message": "No tool output found for x."}}))
        body: Json = {"model": MODEL, "previous_response_id": "resp_elsewhere", "input": [output("c1")]}
        response = await http.post("/v1/responses", json=body)
        assert (response.status_code, len(fake.calls(RESPONSES))) == (400, 1), response.text


@pytest.mark.parametrize("given", ["!say done", [DONE]])
async def test_a_call_in_a_response_that_the_upstream_keeps_gets_its_result(given: Any, tmp_path: Path) -> None:
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, **by_responses(fake)) as http:
        tools: list[Json] = [{"type": "function", "strict": False, **TOOL}]
        body: Json = {"model": MODEL, "tools": tools}
        first = await http.post("/v1/responses", json=body | {"input": "!tool f {}"})
        assert first.status_code == 200, first.text
        (made,) = first.json()["output"]
        body |= {"previous_response_id": first.json()["id"], "input": given}
        response = await http.post("/v1/responses", json=body)
        assert response.status_code == 200, response.text
        refused, mended = fake.calls(RESPONSES)[-2:]
        assert (refused.status, refused.request) == (400, body)
        assert mended.request["previous_response_id"] == body["previous_response_id"]
        assert mended.request["input"][0] == output(made["call_id"], INTERRUPTED)
        assert mended.request["input"][1]["content"] in ("!say done", [{"type": "input_text", "text": "!say done"}])


async def test_what_a_client_sends_without_its_thoughts_is_not_tied_to_them(tmp_path: Path) -> None:
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, **by_responses(fake)) as http:
        body: Json = {"model": THINKER}
        first = await http.post("/v1/responses", json=body | {"input": "!think Hm.\n!say yes"})
        thought, said = first.json()["output"]
        assert thought["type"] == "reasoning"
        response = await http.post("/v1/responses", json=body | {"input": [HI, said, DONE]})
        assert response.status_code == 200, response.text
        refused, mended = fake.calls(RESPONSES)[-2:]
        assert (refused.status, refused.request["input"]) == (400, [HI, said, DONE])
        unnamed = {name: value for name, value in said.items() if name != "id"}
        assert mended.request["input"] == [HI, unnamed, DONE]


@pytest.mark.parametrize("ident", ["chatcmpl-tool-1", "fc_" + "1" * 80])
async def test_ids_that_another_server_has_given_to_items_are_left_out(ident: str, tmp_path: Path) -> None:
    async with FakeOpenAI(keys=()) as fake, before(fake, tmp_path, **by_responses(fake)) as http:
        body: Json = {"model": MODEL, "store": True}
        items = [HI, call("c1") | {"id": ident}, output("c1"), DONE]
        response = await http.post("/v1/responses", json=body | {"input": items})
        assert response.status_code == 200, response.text
        assert [call.status for call in fake.calls(RESPONSES)] == [400, 200]
        assert fake.calls(RESPONSES)[-1].request["input"] == [HI, call("c1"), output("c1"), DONE]
