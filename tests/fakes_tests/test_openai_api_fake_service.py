"""Keys, addresses, injected failures, streams and the services beside answers of the fake of the OpenAI API."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import sys
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from tests.fakes.openai_api import CHAT
from tests.fakes.openai_api_errors import NAMED
from tests.fakes_tests.openai_api_bodies import OBJECT, OpenAIClient, chat, function, refusal

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
PATH = "/v1/chat/completions"


async def test_an_unknown_key_is_a_401_with_its_code(openai: OpenAIClient) -> None:
    status, answer = await openai.call(PATH, chat(), key="nobody")
    assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
    assert answer["error"]["message"].startswith("Incorrect API key provided: nobody.")


async def test_most_of_a_long_key_is_starred_out(openai: OpenAIClient) -> None:
    message = refusal(await openai.call(PATH, chat(), key="sk-proj-0123456789abcd"), 401)
    assert message.startswith("Incorrect API key provided: sk-proj-**********abcd.")


async def test_no_key_is_a_401(openai: OpenAIClient) -> None:
    assert refusal(await openai.call(PATH, chat(), key=""), 401).startswith("You didn't provide an API key.")


async def test_a_body_that_is_no_json(openai: OpenAIClient) -> None:
    kind = {"content-type": "application/json"}
    assert "could not parse the JSON body" in refusal(await openai.call(PATH, data=b"{", headers=kind))


async def test_a_body_of_another_type(openai: OpenAIClient) -> None:
    message = refusal(await openai.call(PATH, data=b"{}", headers={"content-type": "text/plain"}))
    assert message == "Unsupported content type: 'text/plain'. This API method only accepts 'application/json'."


@pytest.mark.parametrize(("verb", "path"), [("POST", "/v1/foo"), ("GET", PATH), ("POST", "/chat/completions")])
async def test_nothing_is_at_other_addresses(openai: OpenAIClient, verb: str, path: str) -> None:
    assert refusal(await openai.call(path, {}, verb=verb), 404) == f"Invalid URL ({verb} {path})"


@pytest.mark.parametrize("name", NAMED)
async def test_every_error_can_be_named(openai: OpenAIClient, name: str) -> None:
    status, answer = await openai.chat(f"!error {name}")
    assert status == int(name.partition("_")[0])
    assert answer["error"] == NAMED[name]("gpt-4.1").body["error"]


async def test_a_rate_limit_says_when_to_come_back(openai: OpenAIClient) -> None:
    openai.fake.fail("429_requests", token="key-1")
    status, answer = await openai.chat()
    assert (status, answer["error"]["type"], answer["error"]["code"]) == (429, "requests", "rate_limit_exceeded")
    assert (openai.headers["retry-after"], openai.headers["retry-after-ms"]) == ("20", "20000")
    assert openai.headers["x-ratelimit-remaining-requests"] == "0"
    assert (await openai.chat())[0] == 200
    assert openai.headers["x-ratelimit-limit-requests"] == "500"


async def test_a_bare_status_and_an_error_as_written(openai: OpenAIClient) -> None:
    assert refusal(await openai.chat("!error 502"), 502) == "Bad Gateway"
    error = {"message": "m", "type": "t", "param": "p", "code": "c"}
    assert await openai.chat(f"!refuse {json.dumps({'status': 409, 'error': error})}") == (409, {"error": error})


# streams


async def test_a_stream_has_one_id_a_role_first_and_done_last(openai: OpenAIClient) -> None:
    *chunks, done = await openai.events(PATH, chat("!say a text of chunks"))
    assert done == "[DONE]"
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert all("usage" not in chunk for chunk in chunks)


async def test_usage_comes_in_a_chunk_of_its_own(openai: OpenAIClient) -> None:
    *chunks, last, _ = await openai.events(PATH, chat("!think hmmmmm\n!say a", stream_options={"include_usage": True}))
    assert [chunk["usage"] for chunk in chunks] == [None] * len(chunks)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens_details"]["reasoning_tokens"] == 2
    assert last["usage"]["total_tokens"] == last["usage"]["prompt_tokens"] + last["usage"]["completion_tokens"]


async def test_parallel_calls_may_come_mixed(openai: OpenAIClient) -> None:
    said = '!tool f {"q": "a long argument"}\n!tool g {"q": "another argument"}\n!toolsplit'
    tools = [function("f", parameters=OBJECT), function("g", parameters=OBJECT)]
    events = await openai.events(PATH, chat(said, tools=tools))
    deltas = [event["choices"][0]["delta"] for event in events[:-1]]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert [call["index"] for call in calls[:4]] == [0, 1, 0, 1]
    arguments = ["".join(one["function"]["arguments"] for one in calls if one["index"] == at) for at in (0, 1)]
    assert [json.loads(one) for one in arguments] == [{"q": "a long argument"}, {"q": "another argument"}]


async def test_a_free_form_call_carries_text(openai: OpenAIClient) -> None:
    tools = [{"type": "custom", "custom": {"name": "patch"}}]
    _, answer = await openai.chat('!tool patch {"input": "*** Begin"}', tools=tools)
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert (call["type"], call["custom"]) == ("custom", {"name": "patch", "input": "*** Begin"})


@pytest.mark.parametrize(("finish", "reason"), [("length", "length"), ("content_filter", "content_filter")])
async def test_other_ends(openai: OpenAIClient, finish: str, reason: str) -> None:
    _, answer = await openai.chat(f"!say a\n!finish {finish}")
    assert answer["choices"][0]["finish_reason"] == reason


async def test_a_refusal_is_no_content(openai: OpenAIClient) -> None:
    _, answer = await openai.chat("!say no\n!finish refusal")
    assert (answer["choices"][0]["message"]["content"], answer["choices"][0]["message"]["refusal"]) == (None, "no")


async def test_an_error_within_a_stream_ends_it(openai: OpenAIClient) -> None:
    events = await openai.events(PATH, chat('!chunk {"error": {"message": "m"}}\n!chunk {"x": 1}'))
    assert events == [{"error": {"message": "m"}}]


async def test_a_cut_stream_has_no_done(openai: OpenAIClient) -> None:
    assert "[DONE]" not in await openai.events(PATH, chat("!say a text of chunks\n!cut 2"))


async def test_a_dropped_stream_is_a_reset(openai: OpenAIClient) -> None:
    with pytest.raises(aiohttp.ClientError):
        await openai.events(PATH, chat("!say a text of chunks\n!drop 2"))


async def test_a_stalled_stream_says_nothing(openai: OpenAIClient) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await openai.events(PATH, chat("!stall 60"))
    await openai.fake.wait_closed()


async def test_a_pushed_directive_answers_whatever_is_asked(openai: OpenAIClient) -> None:
    openai.fake.script.push("!say pushed")
    _, answer = await openai.chat("hi")
    assert answer["choices"][0]["message"]["content"] == "pushed"
    assert openai.fake.calls(CHAT)[-1].request["messages"] == [{"role": "user", "content": "hi"}]


# beside answers


async def test_the_models_are_listed_and_described(openai: OpenAIClient) -> None:
    _, models = await openai.call("/v1/models", verb="GET")
    assert models["object"] == "list"
    assert models["data"][1] == (await openai.call("/v1/models/gpt-4.1", verb="GET"))[1]
    assert refusal(await openai.call("/v1/models/gpt-9", verb="GET"), 404).startswith("The model `gpt-9` does not")


async def test_embeddings_have_the_length_and_the_encoding_that_is_wanted(openai: OpenAIClient) -> None:
    sent = {"model": "text-embedding-3-small", "input": ["a", "b", "a"], "dimensions": 8}
    _, answer = await openai.call("/v1/embeddings", sent)
    vectors = [one["embedding"] for one in answer["data"]]
    assert vectors[0] == vectors[2] != vectors[1]
    assert len(vectors[0]) == 8
    _, packed = await openai.call("/v1/embeddings", sent | {"encoding_format": "base64"})
    unpacked = struct.unpack("<8f", base64.b64decode(packed["data"][0]["embedding"]))
    assert unpacked == pytest.approx(vectors[0])


@pytest.mark.parametrize(
    ("sent", "status", "message"),
    [
        ({"model": "text-embedding-3-small"}, 400, "Missing required parameter: 'input'."),
        ({"model": "gpt-4.1", "input": "a"}, 403, "You are not allowed to generate embeddings from this model"),
        (
            {"model": "text-embedding-3-small", "input": "a", "dimensions": 4000},
            400,
            "Unsupported value: 'dimensions' does not support 4000 with this model. The largest is 1536.",
        ),
    ],
)
async def test_embeddings_that_are_refused(openai: OpenAIClient, sent: Any, status: int, message: str) -> None:
    assert refusal(await openai.call("/v1/embeddings", sent), status) == message


async def test_pictures_are_drawn(openai: OpenAIClient) -> None:
    sent = {"model": "gpt-image-1", "prompt": "a dot", "n": 2}
    _, answer = await openai.call("/v1/images/generations", sent)
    assert [base64.b64decode(one["b64_json"])[1:4] for one in answer["data"]] == [b"PNG", b"PNG"]
    assert refusal(await openai.call("/v1/images/generations", sent | {"style": "x"})) == "Unknown parameter: 'style'."
    assert "Value must be" in refusal(await openai.call("/v1/images/generations", sent | {"model": "gpt-4.1"}))


async def test_the_program_serves_and_is_administered_over_http() -> None:
    command = [sys.executable, "-m", "tests.fakes.openai_api", "--port", "0", "--key", "mine"]
    async with await anyio.open_process(command, cwd=ROOT) as process:
        assert process.stdout is not None
        url = json.loads(await process.stdout.receive())["url"]
        async with aiohttp.ClientSession(url, headers={"authorization": "Bearer mine"}) as session:
            await (await session.post("/_push", json={"texts": ["!say pushed"]})).read()
            answer = await (await session.post(PATH, json=chat())).json()
            state = await (await session.get("/_requests")).json()
        process.terminate()
    assert answer["choices"][0]["message"]["content"] == "pushed"
    assert state["counts"] == {CHAT: 1}
