"""The token count of the fake of the OpenAI API: the prompt of an answer, and nothing that makes one."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.fakes.openai_api import FakeOpenAI
from tests.fakes_tests.openai_api_bodies import OpenAIClient, refusal, responses

pytestmark = pytest.mark.anyio

PATH = "/v1/responses/input_tokens"


async def tokens(openai: OpenAIClient, *said: Any, **fields: Any) -> int:
    status, answer = await openai.call(PATH, responses(*said, **fields))
    assert (status, answer["object"]) == (200, "response.input_tokens")
    return int(answer["input_tokens"])


async def test_more_of_a_prompt_counts_more(openai: OpenAIClient) -> None:
    bare = await tokens(openai)
    tool = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}
    assert 0 < bare < await tokens(openai, instructions="be brief")
    assert bare < await tokens(openai, tools=[tool])
    assert bare < await tokens(openai, "hi " * 50)


@pytest.mark.parametrize(
    "field",
    [{"stream": True}, {"store": False}, {"max_output_tokens": 100}, {"temperature": 1}, {"include": []}],
    ids=lambda field: next(iter(field)),
)
async def test_what_makes_an_answer_is_not_known(openai: OpenAIClient, field: dict[str, Any]) -> None:
    message = refusal(await openai.call(PATH, responses(**field)))
    assert message == f"Unknown parameter: '{next(iter(field))}'."


async def test_what_an_answer_refuses_is_refused(openai: OpenAIClient) -> None:
    output = {"type": "function_call_output", "call_id": "c1", "output": "x"}
    assert "No tool call found" in refusal(await openai.call(PATH, responses("hi", output)))


async def test_an_unknown_key_and_an_unknown_model_are_refused(openai: OpenAIClient) -> None:
    assert (await openai.call(PATH, responses(), key="nobody"))[0] == 401
    refused = await openai.call(PATH, responses() | {"model": "nobodys"})
    assert refused[1]["error"]["code"] == "model_not_found"


async def test_a_compatible_server_has_no_such_call() -> None:

    async with FakeOpenAI(plain=True) as fake, aiohttp.ClientSession() as session:
        assert refusal(await OpenAIClient(fake, session).call(PATH, responses()), 404) == f"Invalid URL (POST {PATH})"
