"""What one account of OpenAI keeps, and another one is asked about: conversations over a pool and over a chain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from cryptography.fernet import Fernet
from openai import AsyncOpenAI, BadRequestError

from gateway.app import create_app
from tests.conformance.openai_api import OpenAIServed, before, settings
from tests.conformance.served import settings as google_settings
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


def named(answer: Any) -> list[Any]:
    """Name what an answer said, as the AI SDK does; a call it says again."""
    return [
        item.to_dict() if item.type == "function_call" else {"type": "item_reference", "id": item.id}
        for item in answer.output
    ]


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


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_names_what_it_goes_on_from_though_openai_was_not_told(
    fake_openai: FakeOpenAI, fake_v1internal: FakeV1Internal, tmp_path: Path, stream: bool
) -> None:
    """Its conversation went up as input: Google's model had said the answer before."""
    given = settings(fake_openai, tmp_path, "responses")
    given["upstream"]["google"] = google_settings(fake_v1internal, tmp_path)["upstream"]["google"]
    async with serve(create_app(given)) as url, AsyncOpenAI(api_key="none", base_url=f"{url}/v1") as client:
        first = await client.responses.create(model="google/gemini-3-flash", input="!say one")
        asked: Any = {"model": "gpt-5", "input": "!say two", "previous_response_id": first.id}
        if stream:
            events = [event async for event in await client.responses.create(**asked, stream=True)]
            named = [event.response for event in events if hasattr(event, "response")]
        else:
            named = [await client.responses.create(**asked)]
        kept = await client.responses.retrieve(named[-1].id)
    assert "previous_response_id" not in fake_openai.calls(RESPONSES)[-1].request
    assert {one.previous_response_id for one in [*named, kept]} == {first.id}


async def test_what_no_account_knows_is_the_callers_to_know(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    async with pooled(fake_openai, tmp_path) as served, client_of(served) as client:
        with pytest.raises(BadRequestError) as refused:
            await client.responses.create(**ASKED, input="hi", previous_response_id="resp_gone")
        assert served.gateway.usable
    assert (refused.value.param, refused.value.code) == ("previous_response_id", "previous_response_not_found")
    assert keys_of(fake_openai) == ["key-1", "key-2"]


async def test_items_kept_here_and_items_kept_there_are_named_side_by_side(
    fake_openai: FakeOpenAI, fake_v1internal: FakeV1Internal, tmp_path: Path
) -> None:
    """As the AI SDK does after another model was chosen in a conversation."""
    given = settings(fake_openai, tmp_path, "responses")
    given["upstream"]["google"] = google_settings(fake_v1internal, tmp_path)["upstream"]["google"]
    async with serve(create_app(given)) as url, AsyncOpenAI(api_key="none", base_url=f"{url}/v1") as client:
        said: list[Any] = [{"role": "user", "content": "!think hm\n!say one"}]
        first = await client.responses.create(**ASKED | {"model": "google/gemini-3-flash"}, input=said)
        said += [*named(first), {"role": "user", "content": CALLING}]
        second = await client.responses.create(**ASKED, input=said)
        said += [*named(second), result_of(second)]
        third = await client.responses.create(**ASKED, input=said)
    assert third.output_text == "[2]"
    input_ = fake_openai.calls(RESPONSES)[-1].request["input"]
    assert [item.get("type") for item in input_] == [
        None,
        "message",
        None,
        "item_reference",
        "function_call",
        "function_call_output",
    ]
    assert input_[1]["content"][0]["text"] == "one"


@pytest.mark.parametrize("encrypted", [False, True])
async def test_items_that_openai_made_are_named_to_another_model(
    fake_openai: FakeOpenAI, fake_v1internal: FakeV1Internal, tmp_path: Path, encrypted: bool
) -> None:
    given = settings(fake_openai, tmp_path, "responses", auth={"keys": ["sk-one", "sk-two"]})
    given["upstream"]["google"] = google_settings(fake_v1internal, tmp_path)["upstream"]["google"]
    if encrypted:
        given["store"] = {"encryption_key": [Fernet.generate_key().decode()]}
    async with serve(create_app(given)) as url, AsyncOpenAI(api_key="sk-one", base_url=f"{url}/v1") as client:
        said: list[Any] = [{"role": "user", "content": "!think hm\n!say one"}]
        said += named(await client.responses.create(**ASKED, input=said))
        said += [{"role": "user", "content": CALLING}]
        second = await client.responses.create(**ASKED, input=said)
        said += [*named(second), result_of(second)]
        asked: Any = {**ASKED, "model": "google/gemini-3-flash", "input": said}
        third = await client.responses.create(**asked)
        with pytest.raises(BadRequestError) as refused:
            await client.with_options(api_key="sk-two").responses.create(**asked)
    assert third.output_text == '[{"output": "2"}]'
    contents = fake_v1internal.calls()[-1].body["request"]["contents"]
    assert [part["text"] for part in contents[1]["parts"] if not part.get("thought")] == ["one"]
    assert refused.value.param == "input[1].id"


async def test_a_conversation_that_only_openai_can_read_goes_on_there(fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    compacted: Any = {"type": "compaction", "encrypted_content": "what was said"}
    asked: Any = {"model": "gpt-5", "input": [compacted, {"role": "user", "content": "!say one"}]}
    async with before(fake_openai, tmp_path, "responses") as served, client_of(served) as client:
        first = await client.responses.create(**asked)
        second = await client.responses.create(model="gpt-5", input="!say two", previous_response_id=first.id)
    assert second.output_text == "two"
    assert fake_openai.calls(RESPONSES)[-1].request["previous_response_id"] == first.id


async def test_what_was_only_named_to_openai_is_not_left_out_elsewhere(
    fake_openai: FakeOpenAI, fake_v1internal: FakeV1Internal, tmp_path: Path
) -> None:
    given = settings(fake_openai, tmp_path, "responses")
    given["upstream"]["google"] = google_settings(fake_v1internal, tmp_path)["upstream"]["google"]
    asked: Any = {"role": "user", "content": "!say one"}
    async with serve(create_app(given)) as url, AsyncOpenAI(api_key="none", base_url=f"{url}/v1") as client:
        first = await client.responses.create(model="gpt-5", input=[asked])
        second = await client.responses.create(model="gpt-5", input=[asked, *named(first), asked])
        more: Any = {"input": "!say two", "previous_response_id": second.id}
        with pytest.raises(BadRequestError) as refused:
            await client.responses.create(model="google/gemini-3-flash", **more)
        assert (await client.responses.create(model="gpt-5", **more)).output_text == "two"
    assert refused.value.param == "previous_response_id"
    assert "previous_response_id[1].id: this item is only referenced" in refused.value.message
    assert fake_v1internal.calls() == []
