"""What one account of OpenAI keeps, and another one is asked about: conversations over a pool and over a chain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from openai import AsyncOpenAI, BadRequestError

from gateway.app import create_app
from tests.conformance.openai_api import OpenAIServed, before, settings
from tests.fakes.openai_api import RESPONSES, FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal
from tests.serving import serve

pytestmark = pytest.mark.anyio

CALLING = '!think hm\n!tool add {"a": 1}'
TOOL: Any = {
    "type": "function",
    "name": "add",
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    },
    "strict": True,
}
ASKED: Any = {"model": "gpt-5", "tools": [TOOL], "reasoning": {"effort": "low", "summary": "auto"}}


@asynccontextmanager
async def pooled(fake: FakeOpenAI, folder: Path, **over: Any) -> AsyncIterator[OpenAIServed]:
    """Run a gateway whose keys, each of an account of its own, take turns with every request."""
    turns = {"openai": {"pool": {"uses_per_turn": 1}}}
    async with before(fake, folder, "responses", "key-1", "key-2", **turns, **over) as served:
        yield served


def client_of(served: OpenAIServed) -> AsyncOpenAI:
    return AsyncOpenAI(api_key="none", base_url=f"{served.url}/v1", max_retries=0)


def result_of(answer: Any) -> Any:
    call = next(item for item in answer.output if item.type == "function_call")
    return {"type": "function_call_output", "call_id": call.call_id, "output": "2"}


def keys_of(fake: FakeOpenAI) -> list[str]:
    return [call.credential for call in fake.calls(RESPONSES)]


@pytest.mark.parametrize("lossy", ["report", "strict"])
async def test_the_key_that_keeps_a_conversation_is_found(fake_openai: FakeOpenAI, tmp_path: Path, lossy: str) -> None:
    async with pooled(fake_openai, tmp_path, translate={"lossy": lossy}) as served, client_of(served) as client:
        first = await client.responses.create(**ASKED, input=CALLING)
        result = result_of(first)
        second = await client.responses.create(**ASKED, input=[result], previous_response_id=first.id)
        assert second.output_text == "[2]"
    assert keys_of(fake_openai) == ["key-1", "key-2", "key-1"]
    assert fake_openai.calls(RESPONSES)[-1].request["previous_response_id"] == first.id


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_goes_on_with_another_key_while_its_own_rests(
    fake_openai: FakeOpenAI, tmp_path: Path, stream: bool
) -> None:
    """Without the thought, which nobody else can read."""
    async with pooled(fake_openai, tmp_path) as served, client_of(served) as client:
        first = await client.responses.create(**ASKED, input=CALLING)
        fake_openai.fail("429_requests", token="key-1")
        asked = ASKED | {"input": [result_of(first)], "previous_response_id": first.id}
        await client.responses.create(model="gpt-5", input="!say another", tools=[TOOL])
        if stream:
            async with client.responses.stream(**asked) as events:
                assert (await events.get_final_response()).output_text == "[2]"
        else:
            assert (await client.responses.create(**asked)).output_text == "[2]"
    sent = fake_openai.calls(RESPONSES)[-1]
    assert sent.credential == "key-2"
    assert "previous_response_id" not in sent.request
    assert [item["type"] for item in sent.request["input"]] == ["message", "function_call", "function_call_output"]
    assert "id" not in sent.request["input"][1]


async def test_thoughts_that_a_client_names_and_no_account_keeps_are_left_out(
    fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    """As the Agents SDK sends them: by their ids alone."""
    async with pooled(fake_openai, tmp_path) as served, client_of(served) as client:
        first = await client.responses.create(**ASKED, input=CALLING)
        again: list[Any] = [item.to_dict() for item in first.output]
        assert "encrypted_content" not in again[0]
        fake_openai.kept.items.clear()
        asked: Any = [{"role": "user", "content": CALLING}, *again, result_of(first)]
        assert (await client.responses.create(**ASKED, input=asked)).output_text == "[2]"
    assert keys_of(fake_openai) == ["key-1", "key-2", "key-1", "key-1"]
    items = fake_openai.calls(RESPONSES)[-1].request["input"]
    assert [item.get("type") for item in items] == [None, "function_call", "function_call_output"]


async def test_a_chain_goes_on_at_another_account(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    async with FakeOpenAI() as other:
        given = settings(fake_openai, tmp_path, "responses", models={"alias": {"gpt-5": ["openai/gpt-5", "two/gpt-5"]}})
        given["upstream"]["two"] = given["upstream"]["openai"] | {"base_url": f"{other.url}/v1"}
        app = create_app(given)
        async with serve(app) as url, httpx.AsyncClient(base_url=url) as http:
            served = OpenAIServed(cast(FakeV1Internal, fake_openai), app, http)
            async with client_of(served) as client:
                first = await client.responses.create(**ASKED, input=CALLING)
                fake_openai.fail("429_quota")
                asked: Any = {"input": [result_of(first)], "previous_response_id": first.id}
                assert (await client.responses.create(**ASKED, **asked)).output_text == "[2]"
        assert [item["type"] for item in other.requests[-1].request["input"]][1:] == [
            "function_call",
            "function_call_output",
        ]


async def test_what_no_account_knows_is_the_callers_to_know(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    async with pooled(fake_openai, tmp_path) as served, client_of(served) as client:
        with pytest.raises(BadRequestError) as refused:
            await client.responses.create(**ASKED, input="hi", previous_response_id="resp_gone")
        assert served.gateway.usable
    assert (refused.value.param, refused.value.code) == ("previous_response_id", "previous_response_not_found")
    assert keys_of(fake_openai) == ["key-1", "key-2"]
