"""The official google-genai SDK judges the fake of the public API: both must agree on everything it does."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from google import genai
from google.genai import errors, types
from google.genai.client import AsyncClient

from tests.fakes.gemini_api import STREAM, FakeGemini
from tests.fakes.v1internal_reply import PIXEL
from tests.fakes_tests.gemini_api_bodies import EMBEDDING, GEMINI_2, GEMINI_3

TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="weather",
            parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}},
        )
    ]
)
LOOP = '!think hm\n!tool weather {"city": "Bern"}\n!tool weather {"city": "Oslo"}\n!then\n!say done'
LOUD = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


@pytest.fixture
async def sdk(fake_gemini: FakeGemini) -> AsyncIterator[AsyncClient]:
    """Give the SDK for event loops."""
    async with client_of(fake_gemini).aio as client:
        yield client


def client_of(fake: FakeGemini, key: str = "key-1", **options: Any) -> genai.Client:
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=fake.url, **options))


async def stream(sdk: AsyncClient, contents: Any, **call: Any) -> list[types.GenerateContentResponse]:
    chunks = await sdk.models.generate_content_stream(contents=contents, **{"model": GEMINI_3} | call)
    return [chunk async for chunk in chunks]


async def generate(sdk: AsyncClient, contents: Any, **call: Any) -> types.GenerateContentResponse:
    return await sdk.models.generate_content(contents=contents, **{"model": GEMINI_3} | call)


async def failing(sdk: AsyncClient, contents: Any, **call: Any) -> errors.APIError:
    with pytest.raises(errors.APIError) as raised:
        await generate(sdk, contents, **call)
    return raised.value


async def test_text(sdk: AsyncClient) -> None:
    answer = await generate(sdk, "!say hello")
    assert (answer.text, answer.model_version) == ("hello", GEMINI_3)
    assert answer.response_id
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.total_token_count


@pytest.mark.parametrize("version", ["v1", "v1beta"])
async def test_both_versions(fake_gemini: FakeGemini, version: str) -> None:
    async with client_of(fake_gemini, api_version=version).aio as sdk:
        assert (await generate(sdk, "!say hello")).text == "hello"
    assert fake_gemini.requests[-1].path.startswith(f"/{version}/")


async def test_a_stream(sdk: AsyncClient) -> None:
    chunks = await stream(sdk, "!say a text of several chunks")
    assert len(chunks) == 3
    assert "".join(chunk.text or "" for chunk in chunks) == "a text of several chunks"
    assert [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates] == [None, None, "STOP"]


async def test_a_stream_with_ends_of_lines_and_markup_in_its_text(sdk: AsyncClient) -> None:
    text = "<b>\u2028'&\u2029=\u0085</b>"
    chunk = {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}]}
    chunks = await stream(sdk, f"!chunk {json.dumps(chunk)}")
    assert [chunk.text for chunk in chunks] == [text]


async def test_thoughts(sdk: AsyncClient) -> None:
    answer = await generate(sdk, "!think hm\n!say yes", config=LOUD)
    thought, said = answer.parts or []
    assert (thought.thought, thought.text, said.text) == (True, "hm", "yes")
    assert said.thought_signature


@pytest.mark.parametrize("model", [GEMINI_2, GEMINI_3])
async def test_a_second_turn_with_the_results_of_tools(sdk: AsyncClient, fake_gemini: FakeGemini, model: str) -> None:
    config = types.GenerateContentConfig(tools=[TOOL], thinking_config=LOUD.thinking_config)
    asked = types.Content(role="user", parts=[types.Part(text=LOOP)])
    answer = await generate(sdk, [asked], model=model, config=config)
    calls = answer.function_calls or []
    results = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": "sun"}))
        for call in calls
    ]
    assert answer.candidates
    turns = [asked, answer.candidates[0].content, types.Content(role="user", parts=results)]
    assert (await generate(sdk, turns, model=model, config=config)).text == "done"
    sent = fake_gemini.requests[-1].request["contents"][1]["parts"]
    signed = [
        part["functionCall"]["args"]["city"] for part in sent if "thoughtSignature" in part and "functionCall" in part
    ]
    assert signed == ["Bern"]


async def test_signatures_streamed_and_sent_back(sdk: AsyncClient, fake_gemini: FakeGemini) -> None:
    chat = sdk.chats.create(model=GEMINI_3, config=types.GenerateContentConfig(tools=[TOOL]))
    calls = [call async for chunk in await chat.send_message_stream(LOOP) for call in chunk.function_calls or []]
    results = [types.Part.from_function_response(name="weather", response={"output": "sun"}) for _ in calls]
    chunks = [chunk async for chunk in await chat.send_message_stream(results)]
    assert "".join(chunk.text or "" for chunk in chunks) == "done"
    assert {record.status for record in fake_gemini.calls(STREAM)} == {200}


async def test_signatures_left_out_are_missed(sdk: AsyncClient) -> None:
    call = types.Part(function_call=types.FunctionCall(name="weather", args={}))
    result = types.Part.from_function_response(name="weather", response={"output": "sun"})
    turns = [
        types.Content(role="user", parts=[types.Part(text="a")]),
        types.Content(role="model", parts=[call]),
        types.Content(role="user", parts=[result]),
    ]
    refused = await failing(sdk, turns)
    assert (refused.code, "is missing a thought_signature" in str(refused.message)) == (400, True)
    assert (await generate(sdk, turns, model=GEMINI_2)).text
    call.thought_signature = b"skip_thought_signature_validator"
    assert (await generate(sdk, turns)).text


async def test_functions_that_the_sdk_calls_itself(sdk: AsyncClient, fake_gemini: FakeGemini) -> None:
    def weather(city: str) -> str:
        """Tell the weather of a city."""
        return f"sun in {city}"

    chat = sdk.chats.create(model=GEMINI_3, config=types.GenerateContentConfig(tools=[weather]))
    assert (await chat.send_message(LOOP)).text == "done"
    results = fake_gemini.requests[-1].request["contents"][2]["parts"]
    assert [part["functionResponse"]["response"] for part in results] == [
        {"result": "sun in Bern"},
        {"result": "sun in Oslo"},
    ]


async def test_an_image_in(sdk: AsyncClient, fake_gemini: FakeGemini) -> None:
    picture = types.Part.from_bytes(data=b"\x89PNG", mime_type="image/png")
    assert (await generate(sdk, ["look", picture])).text == "look"
    sent = fake_gemini.requests[-1].request["contents"][0]["parts"][1]
    assert sent == {"inlineData": {"mime_type": "image/png", "data": "iVBORw=="}}


async def test_an_image_out(sdk: AsyncClient) -> None:
    answer = await generate(sdk, "!image", model="gemini-3-pro-image-preview")
    assert answer.parts is not None
    assert answer.parts[0].inline_data is not None
    assert answer.parts[0].inline_data.data == base64.b64decode(PIXEL)


async def test_answers_in_json(sdk: AsyncClient) -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=PERSON)
    assert (await generate(sdk, '!say {"name": "Ada"}', config=config)).parsed == {"name": "Ada"}


async def test_settings_of_every_kind(sdk: AsyncClient) -> None:
    config = types.GenerateContentConfig(
        system_instruction="be brief",
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        max_output_tokens=100,
        stop_sequences=["END"],
        seed=7,
        media_resolution=types.MediaResolution.MEDIA_RESOLUTION_LOW,
        response_modalities=["TEXT"],
        safety_settings=[
            types.SafetySetting(
                category=types.HarmCategory.HARM_CATEGORY_HARASSMENT,
                threshold=types.HarmBlockThreshold.BLOCK_NONE,
            )
        ],
        service_tier=types.ServiceTier.FLEX,
        labels={"team": "a"},
        thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW),
    )
    assert (await generate(sdk, "!say ok", config=config)).text == "ok"


async def test_search_beside_functions(sdk: AsyncClient) -> None:
    tools: types.ToolListUnion = [TOOL, types.Tool(google_search=types.GoogleSearch())]
    flag = types.ToolConfig(include_server_side_tool_invocations=True)
    refused = await failing(sdk, "hi", config=types.GenerateContentConfig(tools=tools))
    assert "include_server_side_tool_invocations" in str(refused.message)
    assert (await generate(sdk, "hi", config=types.GenerateContentConfig(tools=tools, tool_config=flag))).text


async def test_counting(sdk: AsyncClient) -> None:
    counted = await sdk.models.count_tokens(model=GEMINI_2, contents="!say hi")
    answer = await generate(sdk, "!say hi", model=GEMINI_2)
    assert answer.usage_metadata is not None
    assert counted.total_tokens == answer.usage_metadata.prompt_token_count


async def test_embedding(sdk: AsyncClient) -> None:
    config = types.EmbedContentConfig(output_dimensionality=8, task_type="RETRIEVAL_DOCUMENT", title="t")
    answer = await sdk.models.embed_content(model=EMBEDDING, contents=["a", "b"], config=config)
    one, other = answer.embeddings or []
    assert (len(one.values or []), len(other.values or []), one.values == other.values) == (8, 8, False)


@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # the SDK's pieces are of 8 MiB
@pytest.mark.parametrize("size", [11, 8 * 1024 * 1024 + 3])
async def test_a_file_uploaded_used_listed_and_deleted(sdk: AsyncClient, size: int) -> None:
    config = types.UploadFileConfig(mime_type="text/plain", display_name="d")
    file = await sdk.files.upload(file=io.BytesIO(b"a" * size), config=config)
    assert (file.size_bytes, file.state, file.display_name) == (size, types.FileState.ACTIVE, "d")
    assert file.name is not None
    assert (await sdk.files.get(name=file.name)).uri == file.uri
    assert (await generate(sdk, ["read it", file])).text == "read it"
    assert [one.name async for one in await sdk.files.list()] == [file.name]
    await sdk.files.delete(name=file.name)
    with pytest.raises(errors.ClientError) as gone:
        await sdk.files.get(name=file.name)
    assert (gone.value.code, gone.value.status) == (403, "PERMISSION_DENIED")


async def test_a_cache_made_used_listed_and_deleted(sdk: AsyncClient) -> None:
    config = types.CreateCachedContentConfig(contents=["x" * 8000], system_instruction="s", ttl="60s")
    cache = await sdk.caches.create(model=GEMINI_2, config=config)
    assert cache.name is not None
    using = types.GenerateContentConfig(cached_content=cache.name)
    usage = (await generate(sdk, "!say hi", model=GEMINI_2, config=using)).usage_metadata
    assert cache.usage_metadata is not None
    assert usage is not None
    assert usage.cached_content_token_count == cache.usage_metadata.total_token_count
    assert (await sdk.caches.get(name=cache.name)).model == f"models/{GEMINI_2}"
    assert [one.name async for one in await sdk.caches.list()] == [cache.name]
    await sdk.caches.delete(name=cache.name)
    assert [one async for one in await sdk.caches.list()] == []


async def test_models_listed_over_pages(sdk: AsyncClient, fake_gemini: FakeGemini) -> None:
    names = [one.name async for one in await sdk.models.list(config={"page_size": 4})]
    assert names == [f"models/{name}" for name in fake_gemini.models]
    assert len(fake_gemini.calls("models.list")) == -(-len(names) // 4)


async def test_a_model_looked_at(sdk: AsyncClient) -> None:
    model = await sdk.models.get(model=GEMINI_2)
    assert (model.name, model.output_token_limit, model.thinking) == (f"models/{GEMINI_2}", 65536, True)
    with pytest.raises(errors.ClientError) as missing:
        await sdk.models.get(model="none")
    assert (missing.value.code, missing.value.status) == (404, "NOT_FOUND")


async def test_tuned_models_listed(sdk: AsyncClient, fake_gemini: FakeGemini) -> None:
    fake_gemini.tuned_models.append({"name": "tunedModels/mine"})
    assert [one.name async for one in await sdk.models.list(config={"query_base": False})] == ["tunedModels/mine"]


@pytest.mark.parametrize(
    ("key", "directive", "code", "status"),
    [
        ("nobody", "hi", 400, "INVALID_ARGUMENT"),
        ("key-2", "!error 429_per_minute", 429, "RESOURCE_EXHAUSTED"),
        ("key-2", "!error 403_key_suspended", 403, "PERMISSION_DENIED"),
        ("key-2", "!error 500_internal", 500, "INTERNAL"),
        ("key-2", "!error 503_high_demand", 503, "UNAVAILABLE"),
        ("key-2", "!error 504_deadline", 504, "DEADLINE_EXCEEDED"),
    ],
)
async def test_an_error(fake_gemini: FakeGemini, key: str, directive: str, code: int, status: str) -> None:
    async with client_of(fake_gemini, key).aio as sdk:
        refused = await failing(sdk, directive)
    assert (refused.code, refused.status) == (code, status)


async def test_the_details_of_an_error(sdk: AsyncClient) -> None:
    refused = await failing(sdk, "!error 429_per_day")
    kinds = [one["@type"].rpartition(".")[2] for one in refused.details["error"]["details"]]
    assert kinds == ["Help", "QuotaFailure", "RetryInfo"]


async def test_an_error_before_a_stream(sdk: AsyncClient) -> None:
    with pytest.raises(errors.ClientError) as refused:
        await stream(sdk, "!error 429_per_minute")
    assert refused.value.code == 429


async def test_an_error_inside_a_stream(sdk: AsyncClient) -> None:
    given = {"error": {"code": 503, "message": "m", "status": "UNAVAILABLE"}}
    with pytest.raises(errors.ServerError) as refused:
        await stream(sdk, f"!chunk {json.dumps(given)}")
    assert refused.value.code == 503


async def test_an_error_that_the_sdk_tries_again(fake_gemini: FakeGemini) -> None:
    retry = types.HttpRetryOptions(attempts=3, initial_delay=0.01, jitter=0)
    async with client_of(fake_gemini, retry_options=retry).aio as sdk:
        assert (await generate(sdk, "!error 503_high_demand 2\n!say at last")).text == "at last"
    assert [record.status for record in fake_gemini.requests] == [503, 503, 200]


async def test_the_sdk_without_an_event_loop(fake_gemini: FakeGemini) -> None:
    def use() -> tuple[str | None, str]:
        with client_of(fake_gemini) as sdk:
            whole = sdk.models.generate_content(model=GEMINI_3, contents="!say hello")
            chunks = sdk.models.generate_content_stream(model=GEMINI_3, contents="!say a text of several chunks")
            return whole.text, "".join(chunk.text or "" for chunk in chunks)

    assert await anyio.to_thread.run_sync(use) == ("hello", "a text of several chunks")
