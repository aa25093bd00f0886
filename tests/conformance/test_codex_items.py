"""What Codex puts into an input, before servers with Responses that know less than OpenAI's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.openai_api import OpenAIServed, before
from tests.fakes.openai_api import FakeOpenAI

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

METADATA = "internal_chat_message_metadata_passthrough"
NO_SYSTEM = "System messages are not allowed"
F: Json = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}
G: Json = F | {"name": "g"}
USER: Json = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "!say hi"}]}


def joining(*tools: Json) -> Json:
    return {"type": "additional_tools", "role": "developer", "tools": list(tools)}


def setting(**settings: Any) -> Json:
    return {"type": "configuration_update", **settings}


def asking(*items: Json, **fields: Any) -> Json:
    return {"model": "gpt-5", "input": list(items), "store": False, **fields}


async def asked(served: OpenAIServed, body: Json, times: int = 2) -> list[Json]:
    """Ask several times; give what the server was sent."""
    for _ in range(times):
        response = await served.http.post("/v1/responses", json=body)
        assert response.status_code == 200, response.text
        assert "x-gateway-lossy" not in response.headers
    return [call.request for call in served.calls if call.status == 200]


@pytest.mark.parametrize("other", ["older", "router"])
async def test_tools_that_join_are_declared_where_they_may_not(tmp_path: Path, other: str) -> None:
    body = asking(joining(F), USER, joining(G, F | {"description": "newer"}), tools=[{"type": "web_search"}])
    async with FakeOpenAI(other=other) as fake, before(fake, tmp_path, "responses") as served:
        first, second = await asked(served, body)
        assert [call.status for call in served.calls] == [400, 200, 200]
        assert first == second
        assert first["input"] == [USER]
        assert first["tools"] == [{"type": "web_search"}, F | {"description": "newer"}, G]


async def test_arguments_that_were_cut_off_stand_in_an_object(tmp_path: Path) -> None:
    """local-inference-lab/vllm#684."""
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"value": '}
    result = {"type": "function_call_output", "call_id": "c1", "output": "not made"}
    async with FakeOpenAI() as fake, before(fake, tmp_path, "responses") as served:
        refused = {"status": 400, "error": {"message": "Expecting value: line 1 column 11 (char 10)"}}
        fake.script.push("!refuse " + json.dumps(refused))
        first, second = await asked(served, asking(USER, call, result, USER, tools=[F]))
        assert [call.status for call in served.calls] == [400, 200, 200]
        assert first["input"][1]["arguments"] == '{"input":"{\\"value\\": "}'
        assert first == second


async def test_the_developer_says_what_the_system_may_not(tmp_path: Path) -> None:
    """router-for-me/CLIProxyAPI#3510, CaddyGlow/ccproxy-api#52: Codex, behind a proxy."""
    rule = {"type": "message", "role": "system", "content": "Be kind."}
    async with FakeOpenAI() as fake, before(fake, tmp_path, "responses") as served:
        fake.script.push("!refuse " + json.dumps({"status": 400, "error": {"message": NO_SYSTEM}}))
        first, second = await asked(served, asking(rule, USER))
        assert [call.status for call in served.calls] == [400, 200, 200]
        assert first["input"] == [rule | {"role": "developer"}, USER]
        assert first == second


async def test_so_does_it_where_a_caller_of_another_dialect_has_several_rules(tmp_path: Path) -> None:
    rules = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "!say hi"}]
    body = {"model": "gpt-5", "messages": [*rules, {"role": "system", "content": "Be brief."}, rules[1]]}
    async with FakeOpenAI() as fake, before(fake, tmp_path, "responses") as served:
        fake.script.push("!refuse " + json.dumps({"status": 400, "error": {"message": NO_SYSTEM}}))
        for _ in range(2):
            response = await served.http.post("/v1/chat/completions", json=body)
            assert response.status_code == 200, response.text
        assert [call.status for call in served.calls] == [400, 200, 200]
        assert [item["role"] for item in served.calls[0].request["input"]] == ["user", "system", "user"]
        assert [item["role"] for item in served.calls[-1].request["input"]] == ["user", "developer", "user"]


@pytest.mark.parametrize("other", ["older", "router"])
async def test_settings_of_a_conversation_are_those_of_the_request(tmp_path: Path, other: str) -> None:
    form = {"type": "text"}
    updates = setting(reasoning={"effort": "high"}, text={"format": form}), setting(reasoning={"effort": "low"})
    body = asking(updates[0], USER, updates[1], reasoning={"effort": "medium", "summary": "auto"})
    async with FakeOpenAI(other=other) as fake, before(fake, tmp_path, "responses") as served:
        sent = (await asked(served, body))[-1]
        assert [call.status for call in served.calls] == [400, 200, 200]
        assert sent["input"] == [USER]
        assert sent["reasoning"] == {"effort": "low", "summary": "auto"}
        assert sent["text"] == {"format": form}


async def test_notes_beside_an_item_are_left_out(responses: OpenAIServed) -> None:
    noted = USER | {METADATA: {"turn_id": "1"}}
    sent = (await asked(responses, asking(noted, noted)))[-1]
    assert [call.status for call in responses.calls] == [400, 200, 200]
    assert sent["input"] == [USER, USER]


async def test_what_a_server_takes_passes_as_it_is(responses: OpenAIServed) -> None:
    body = asking(joining(F), USER, setting(reasoning={"effort": "low"}))
    raw = json.dumps(body, indent=1).encode()
    response = await responses.http.post("/v1/responses", content=raw, headers={"content-type": "application/json"})
    assert response.status_code == 200, response.text
    assert [call.raw for call in responses.calls] == [raw]


async def test_all_three_are_said_otherwise_after_a_refusal_each(tmp_path: Path) -> None:
    noted = USER | {METADATA: {"turn_id": "1"}}
    body = asking(joining(F), noted, setting(reasoning={"effort": "low"}))
    async with FakeOpenAI(other="older") as fake, before(fake, tmp_path, "responses") as served:
        sent = (await asked(served, body))[-1]
        assert [call.status for call in served.calls] == [400, 400, 400, 200, 200]
        assert (sent["input"], sent["tools"], sent["reasoning"]) == ([USER], [F], {"effort": "low"})


async def test_nothing_is_lost_by_it(tmp_path: Path) -> None:
    strict: Json = {"translate": {"lossy": "strict"}}
    async with FakeOpenAI(other="older") as fake, before(fake, tmp_path, "responses", **strict) as served:
        await asked(served, asking(joining(F), USER, setting(reasoning={"effort": "low"})))


async def test_a_namespace_without_words_says_its_name_where_it_has_to(tmp_path: Path) -> None:
    def space(name: str, description: str, *tools: Json) -> Json:
        return {"type": "namespace", "name": name, "description": description, "tools": list(tools)}

    bare = F | {"description": ""}
    body = asking(joining(space("functions", "", G), bare), USER, tools=[space("n", "", bare), space("m", "Of m.", G)])
    async with FakeOpenAI(other="Azure") as fake, before(fake, tmp_path, "responses") as served:
        sent = (await asked(served, body))[-1]
        assert [call.status for call in served.calls] == [400, 200, 200]
        said = F | {"description": "f"}
        assert sent["input"] == [joining(space("functions", "functions", G), said), USER]
        assert sent["tools"] == [space("n", "n", said), space("m", "Of m.", G)]
