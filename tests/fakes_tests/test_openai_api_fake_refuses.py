"""What the fake of Chat Completions refuses, in OpenAI's words; each case is one rule."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.fakes.openai_api import FakeOpenAI
from tests.fakes_tests.openai_api_bodies import (
    GPT_5,
    O4,
    OBJECT,
    PICTURE,
    OpenAIClient,
    called,
    chat,
    function,
    refusal,
    result,
    schema,
)

pytestmark = pytest.mark.anyio

LONG = "x" * 65


def part(kind: str, **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": kind, **fields}]}


def picture(url: Any, **image: Any) -> dict[str, Any]:
    return part("image_url", image_url={"url": url, **image})


def file(**fields: Any) -> dict[str, Any]:
    return part("file", file=fields)


PDF = {"file_data": "data:application/pdf;base64,QQ==", "filename": "a.pdf"}
DEEP: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "array"}}}

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "no messages": ({"model": "gpt-4.1"}, "Missing required parameter: 'messages'."),
    "empty messages": (
        {"model": "gpt-4.1", "messages": []},
        "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
    ),
    "unknown field": (chat(foo=1), "Unrecognized request argument supplied: foo"),
    "top_k": (chat(top_k=1), "Unrecognized request argument supplied: top_k"),
    "role": (
        chat({"role": "robot", "content": "x"}),
        (
            "Invalid value: 'robot'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', "
            "and 'developer'."
        ),
    ),
    "no role": (chat({"content": "x"}), "Missing required parameter: 'messages[0].role'."),
    "field of a message": (
        chat({"role": "user", "content": "x", "cache_control": {}}),
        "Unknown parameter: 'messages[0].cache_control'.",
    ),
    "thoughts in a history": (
        chat({"role": "assistant", "content": "x", "reasoning_content": "y"}, "z"),
        "Unknown parameter: 'messages[0].reasoning_content'.",
    ),
    "null content": (
        chat({"role": "user", "content": None}),
        "Invalid type for 'messages[0].content': expected one of a string or array of objects, but got null instead.",
    ),
    "answer with nothing": (
        chat({"role": "assistant", "content": None}, "z"),
        "Invalid value for 'content': expected a string, got null.",
    ),
    "kind of part": (
        chat(part("video", video="x")),
        "Invalid value: 'video'. Supported values are: 'text', 'image_url', 'input_audio', and 'file'.",
    ),
    "picture for a tool": (
        chat("a", called("c"), result("c") | {"content": [{"type": "image_url", "image_url": {"url": PICTURE}}]}),
        "Invalid value: 'image_url'. Supported values are: 'text'.",
    ),
    "result without a call": (
        chat("a", result("c")),
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
    ),
    "result too late": (
        chat("a", called("c"), result("c"), "b", result("c")),
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
    ),
    "call without a result": (
        chat("a", called("c", "d"), result("c"), "b"),
        (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to "
            "each 'tool_call_id'. "
            "The following tool_call_ids did not have response messages: d"
        ),
    ),
    "no result at the end": (
        chat("a", called("c")),
        (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to "
            "each 'tool_call_id'. "
            "The following tool_call_ids did not have response messages: c"
        ),
    ),
    "no calls in tool_calls": (
        chat({"role": "assistant", "content": "x", "tool_calls": []}, "y"),
        (
            "Invalid 'messages[0].tool_calls': empty array. Expected an array with minimum length 1, but got an empty "
            "array instead."
        ),
    ),
    "long id": (
        chat("a", called("c" * 41), result("c" * 41)),
        (
            "Invalid 'messages[1].tool_calls[0].id': string too long. Expected a string with maximum "
            "length 40, but got a "
            "string with length 41 instead."
        ),
    ),
    "arguments as an object": (
        chat(
            "a",
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": {}}}],
            },
            result("c"),
        ),
        (
            "Invalid type for 'messages[1].tool_calls[0].function.arguments': expected a string, but got an object "
            "instead."
        ),
    ),
    "no tools in tools": (
        chat(tools=[]),
        "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.",
    ),
    "parallel_tool_calls without tools": (
        chat(parallel_tool_calls=False),
        "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are specified.",
    ),
    "tool_choice without tools": (
        chat(tool_choice="auto"),
        "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
    ),
    "tool_choice undeclared": (
        chat(tools=[function("f")], tool_choice={"type": "function", "function": {"name": "g"}}),
        "Tool choice 'g' not found in 'tools' parameter.",
    ),
    "long name": (
        chat(tools=[function(LONG)]),
        (
            "Invalid 'tools[0].function.name': string too long. Expected a string with maximum length "
            "64, but got a string "
            "with length 65 instead."
        ),
    ),
    "name of other letters": (
        chat(tools=[function("a.b")]),
        (
            "Invalid 'tools[0].function.name': string does not match pattern. Expected a string that "
            "matches the pattern "
            "'^[a-zA-Z0-9_-]+$'."
        ),
    ),
    "the same name twice": (
        chat(tools=[function("f"), function("f")]),
        "Function names must be unique. Found duplicate: f.",
    ),
    "field of a function": (
        chat(tools=[function(cache_control={})]),
        "Unknown parameter: 'tools[0].function.cache_control'.",
    ),
    "schema of no object": (
        chat(tools=[function(parameters={"type": "string"})]),
        "Invalid schema for function 'f': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"string\"'.",
    ),
    "array of what": (
        chat(tools=[function(parameters=DEEP)]),
        "Invalid schema for function 'f': In context=('properties', 'a'), array schema missing items.",
    ),
    "strict without additionalProperties": (
        chat(tools=[function(parameters={**OBJECT, "additionalProperties": True}, strict=True)]),
        (
            "Invalid schema for function 'f': In context=(), 'additionalProperties' is required to be "
            "supplied and to be "
            "false."
        ),
    ),
    "strict with an optional property": (
        chat(response_format=schema({**OBJECT, "required": []})),
        (
            "Invalid schema for response_format 'n': In context=(), 'required' is required to be supplied and to be an "
            "array including every key in properties. Missing 'q'."
        ),
    ),
    "strict with what cannot be forced": (
        chat(response_format=schema({**OBJECT, "properties": {"q": {"type": "string", "default": "x"}}})),
        "Invalid schema for response_format 'n': In context=('properties', 'q'), 'default' is not permitted.",
    ),
    "strict without a type": (
        chat(response_format=schema({**OBJECT, "properties": {"q": {"description": "x"}}})),
        "Invalid schema for response_format 'n': In context=('properties', 'q'), schema must have a 'type' key.",
    ),
    "no schema": (
        chat(response_format={"type": "json_schema", "json_schema": {"name": "n"}}),
        "Missing required parameter: 'response_format.json_schema.schema'.",
    ),
    "no name for a schema": (
        chat(response_format={"type": "json_schema", "json_schema": {"schema": OBJECT}}),
        "Missing required parameter: 'response_format.json_schema.name'.",
    ),
    "flat format": (
        chat(response_format={"type": "json_schema", "name": "n", "schema": OBJECT}),
        "Missing required parameter: 'response_format.json_schema'.",
    ),
    "json without the word": (
        chat("hi", response_format={"type": "json_object"}),
        "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
    ),
    "stream_options without stream": (
        chat(stream_options={"include_usage": True}),
        "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
    ),
    "top_logprobs alone": (
        chat(top_logprobs=2),
        "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
    ),
    "five stops": (
        chat(stop=list("abcde")),
        (
            "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length 5 "
            "instead."
        ),
    ),
    "hot": (
        chat(temperature=2.5),
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 2.5 instead.",
    ),
    "nothing at all": (
        chat(max_completion_tokens=0),
        "Invalid 'max_completion_tokens': integer below minimum value. Expected a value >= 1, but got 0 instead.",
    ),
    "too many tokens": (
        chat(max_tokens=40_000),
        (
            "max_tokens is too large: 40000. This model supports at most 32768 completion tokens, whereas you provided "
            "40000."
        ),
    ),
    "both limits": (
        chat(max_tokens=10, max_completion_tokens=10),
        "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
    ),
    "brief words of a model that has one verbosity": (
        chat(verbosity="low"),
        "Unsupported value: 'verbosity' does not support 'low' with this model. Supported values are: 'medium'.",
    ),
    "parallel calls of a reasoning model": (
        chat(model=O4, tools=[function("f")], parallel_tool_calls=True),
        "Unsupported parameter: 'parallel_tool_calls' is not supported with this model.",
    ),
    "max_tokens of a reasoning model": (
        chat(model=O4, max_tokens=10),
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    ),
    "temperature of a reasoning model": (
        chat(model=GPT_5, temperature=0.2),
        (
            "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is "
            "supported."
        ),
    ),
    "stop of a reasoning model": (
        chat(model=O4, stop="x"),
        "Unsupported parameter: 'stop' is not supported with this model.",
    ),
    "effort of a plain model": (
        chat(reasoning_effort="low"),
        "Unrecognized request argument supplied: reasoning_effort",
    ),
    "functions of a model that thinks": (
        chat(model="gpt-5.4", reasoning_effort="low", tools=[function("f")]),
        (
            "Function tools with reasoning_effort are not supported for gpt-5.4 in /v1/chat/completions. To use "
            "function tools, use /v1/responses or set reasoning_effort to 'none'."
        ),
    ),
    "functions of a model that thinks by itself": (
        chat(model="gpt-5.6-terra", tools=[function("f")]),
        (
            "Function tools with reasoning_effort are not supported for gpt-5.6-terra in /v1/chat/completions. To use "
            "function tools, use /v1/responses or set reasoning_effort to 'none'."
        ),
    ),
    "effort that a model lacks": (
        chat(model=O4, reasoning_effort="minimal"),
        (
            "Unsupported value: 'reasoning_effort' does not support 'minimal' with this model. Supported values are: "
            "'low', 'medium', and 'high'."
        ),
    ),
    "no address of a picture": (
        chat(picture("AAAA")),
        "Invalid 'messages[0].content[0].image_url.url'. Expected a valid URL, but got a value with an invalid format.",
    ),
    "format of a picture": (
        chat(picture("data:image/tiff;base64,AAAA")),
        (
            "You uploaded an unsupported image. Please make sure your image has of one the following formats: "
            "['png', 'jpeg', 'gif', 'webp']."
        ),
    ),
    "picture that is no base64": (chat(picture("data:image/png;base64,?")), "Invalid base64 image_url."),
    "detail of a picture": (
        chat(picture(PICTURE, detail="fine")),
        "Invalid value: 'fine'. Supported values are: 'auto', 'low', 'high', and 'original'.",
    ),
    "picture for the blind": (
        chat(picture(PICTURE), model="gpt-3.5-turbo"),
        "Invalid content type. image_url is only supported by certain models.",
    ),
    "sound for the deaf": (
        chat(part("input_audio", input_audio={"data": "AAAA", "format": "wav"})),
        "Invalid content type. input_audio is only supported by certain models.",
    ),
    "document without a name": (
        chat(file(file_data=PDF["file_data"])),
        "Missing required parameter: 'messages[0].content[0].file.filename'.",
    ),
    "document that is no data URL": (
        chat(file(file_data="QQ==", filename="a.pdf")),
        (
            "Invalid file data: 'messages[0].content[0].file.file_data'. Expected a base64-encoded data URL with an "
            "application/pdf MIME type (e.g. 'data:application/pdf;base64,aW1nIGJ5dGVzIGhlcmU='), but "
            "got a value without "
            "the 'data:' prefix."
        ),
    ),
    "kind of document": (
        chat(file(file_data="data:video/mp4;base64,QQ==", filename="a.mp4")),
        (
            "Invalid file data: 'messages[0].content[0].file.file_data'. Expected a base64-encoded data URL with an "
            "application/pdf MIME type (e.g. 'data:application/pdf;base64,aW1nIGJ5dGVzIGhlcmU='), but got unsupported "
            "MIME type 'video/mp4'."
        ),
    ),
    "no document": (chat(file()), "Missing required parameter: 'messages[0].content[0].file.file_id'."),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_body_that_openai_refuses(openai: OpenAIClient, name: str) -> None:
    body, message = CASES[name]
    assert refusal(await openai.call("/v1/chat/completions", body)) == message


@pytest.mark.parametrize(
    "body",
    [
        chat(),
        chat(
            {"role": "developer", "content": "x"}, {"role": "system", "content": [{"type": "text", "text": "y"}]}, "z"
        ),
        chat(picture(PICTURE, detail="low"), picture("https://example.com/a.png")),
        chat(file(**PDF)),
        chat("a", called("c", "d"), result("d"), result("c"), "b"),
        chat(tools=[function("f", parameters=OBJECT, strict=True)], tool_choice="required", parallel_tool_calls=False),
        chat(tools=[function("f")], tool_choice={"type": "function", "function": {"name": "f"}}),
        chat(tools=[function("f", parameters=None)]),
        chat(response_format=schema(OBJECT), temperature=0, stop=["a"], seed=1, n=2, user="u"),
        chat(response_format=schema({"type": "object"}, strict=False)),
        chat("answer in json", response_format={"type": "json_object"}),
        chat(model=O4, max_completion_tokens=10, reasoning_effort="low", temperature=1),
        chat(model="gpt-5.4", tools=[function("f")]),
        chat(model="gpt-5.4", reasoning_effort="low"),
        chat(model="gpt-5.6-terra", tools=[function("f")], reasoning_effort="none"),
        chat(max_tokens=10),
    ],
)
async def test_a_body_that_openai_takes(openai: OpenAIClient, body: Any) -> None:
    status, answer = await openai.call("/v1/chat/completions", body)
    assert status == 200, answer


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("gpt-9", "The model `gpt-9` does not exist or you do not have access to it."),
        ("gpt-5-codex", "This model is only supported in v1/responses and not in v1/chat/completions."),
        (
            "text-embedding-3-small",
            (
                "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did "
                "you mean to use "
                "v1/completions?"
            ),
        ),
    ],
)
async def test_a_model_that_does_not_answer_here(openai: OpenAIClient, model: str, message: str) -> None:
    assert refusal(await openai.chat(model=model), 404) == message


async def test_no_model(openai: OpenAIClient) -> None:
    assert refusal(await openai.call("/v1/chat/completions", {"messages": []})) == "you must provide a model parameter"


# a server that is only compatible


@pytest.fixture
async def plain() -> Any:
    async with FakeOpenAI(plain=True, keys=()) as fake, aiohttp.ClientSession() as session:
        yield OpenAIClient(fake, session)


async def test_an_older_server_knows_max_tokens_only(plain: OpenAIClient) -> None:
    message = "Unrecognized request argument supplied: max_completion_tokens"
    assert refusal(await plain.chat(model="qwen", max_completion_tokens=10)) == message
    assert (await plain.chat(model="qwen", max_tokens=10))[0] == 200


async def test_an_older_server_has_no_rules_for_models_and_shows_thoughts(plain: OpenAIClient) -> None:
    status, answer = await plain.chat("!think hm\n!say a", model="o4-mini", temperature=0.2, top_k=4)
    assert status == 200
    assert answer["choices"][0]["message"]["reasoning_content"] == "hm"


async def test_an_older_server_takes_thoughts_back(plain: OpenAIClient) -> None:
    said = {"role": "assistant", "content": "x", "reasoning_content": "y"}
    assert (await plain.chat("a", said, "b", model="qwen"))[0] == 200


async def test_an_older_server_may_ask_for_no_key(plain: OpenAIClient) -> None:
    status, _ = await plain.call("/v1/chat/completions", chat(model="qwen"), key="")
    assert status == 200


SYSTEM: dict[str, Any] = {"role": "system", "content": "Be brief."}
BACK = "The `reasoning_content` in the thinking mode must be passed back to the API."


@pytest.mark.parametrize(
    ("model", "body", "message"),
    [
        ("qwen3.8-27b", chat("a", SYSTEM), "System message must be at the beginning."),
        ("qwen3.8-27b", chat(SYSTEM, {**SYSTEM, "role": "developer"}, "a"), "System message must be at the beginning."),
        (
            "mistral-large",
            chat("a", {"role": "assistant", "content": "x"}, SYSTEM),
            "Unexpected role 'system' after role 'assistant'",
        ),
        (
            "mistral-large",
            chat("a", called("abcdefgh1"), result("abcdefgh1"), "b", tools=[function()]),
            "Unexpected role 'user' after role 'tool'",
        ),
        ("deepseek-v4-pro", chat("a", called("c"), result("c"), tools=[function()]), BACK),
        ("deepseek-v4-pro", chat("a", {"role": "assistant", "content": "x"}, "b", tools=[function()]), BACK),
        (
            "deepseek-v4-pro",
            chat("a", called("c") | {"reasoning_content": ""}, result("c"), tools=[function()]),
            BACK,
        ),
        (
            "minimax-m2",
            chat("a", called("c"), result("c") | {"content": ""}),
            "invalid params, chat content is empty (2013)",
        ),
        (
            "qwen.gguf",
            chat("a", tools=[function(parameters={"type": "object", "properties": {"a": {"maxLength": 2000}}})]),
            "Failed to initialize samplers: failed to parse grammar",
        ),
        (
            "kimi-k2.5",
            chat("a", called("c"), result("c")),
            "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1",
        ),
    ],
)
async def test_what_other_models_demand_of_messages(
    plain: OpenAIClient, model: str, body: dict[str, Any], message: str
) -> None:
    assert refusal(await plain.call("/v1/chat/completions", body | {"model": model})) == message
    assert (await plain.call("/v1/chat/completions", body | {"model": "llama"}))[0] == 200


@pytest.mark.parametrize("thought", ["hm", " "])
async def test_a_thought_that_is_back_is_enough(plain: OpenAIClient, thought: str) -> None:
    said = called("c") | {"reasoning_content": thought}
    for model in ("deepseek-v4-pro", "kimi-k2.5"):
        status, _ = await plain.call(
            "/v1/chat/completions", chat(SYSTEM, "a", said, result("c"), model=model, tools=[function()])
        )
        assert status == 200
