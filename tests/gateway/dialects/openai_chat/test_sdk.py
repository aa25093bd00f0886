"""The official OpenAI client reads what the codec writes, without a network."""

from typing import Any

import httpx
import openai
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway import errors, ir
from gateway.dialects.openai_chat import OpenAIChat
from gateway.upstream import ModelInfo

from .chat import answer, answering, block, call, text, thinking

MESSAGES: Any = [{"role": "user", "content": "hi"}]
SIGNATURE = ir.Signature("gemini", "R0VN", "f")


def client(body: bytes, status: int = 200, kind: str = "application/json") -> openai.OpenAI:
    """Make a client whose server always answers with `body`."""

    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=body, headers={"content-type": kind})

    http: Any = httpx.Client(transport=httpx.MockTransport(respond))  # the SDK's own httpx is a fork of the same shape
    return openai.OpenAI(api_key="k", base_url="http://gateway.test/v1", http_client=http, max_retries=0)


def streamed(written: bytes) -> list[ChatCompletionChunk]:
    with client(written, kind="text/event-stream") as sdk:
        return list(sdk.chat.completions.create(model="m", messages=MESSAGES, stream=True))


def written(events: list[ir.Event], **request: Any) -> bytes:
    writer = OpenAIChat().stream_writer(answering(**request))
    return b"".join(writer.feed([event]) for event in events) + writer.close()


def accumulated(chunks: list[ChatCompletionChunk]) -> ChatCompletion:
    state = ChatCompletionStreamState[None]()
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk.model_dump(), strict=True)
        state.handle_chunk(chunk)
    return state.get_final_completion()


def test_the_loop_over_content() -> None:
    chunks = streamed(written(answer(text("He", "llo"))))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello"
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, "stop"]


def test_everything_at_once_accumulates() -> None:
    cited = block("text", ir.TextDelta("a "), ir.CitationDelta(url="u"), ir.TextDelta("b"), ir.CitationDelta(url="v"))
    made = call("f", '{"a"', ":1}", ident="c1")
    made.insert(3, ir.SignatureDelta(SIGNATURE))
    picture = block("media", ir.MediaChunk(media_type="image/png", data="AAAA"))
    events = answer(thinking("t", "h"), cited, made, picture, picture, call("g", "{}", ident="c2"))
    (choice,) = accumulated(streamed(written(events, images="images"))).choices
    message: Any = choice.message
    assert (message.content, message.reasoning_content, choice.finish_reason) == ("a b", "th", "tool_calls")
    assert [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls] == [
        ("c1", "f", '{"a":1}'),
        ("c2", "g", "{}"),
    ]
    assert ir.unseal(message.tool_calls[0].extra_content["google"]["thought_signature"]) == SIGNATURE
    assert [annotation.url_citation.url for annotation in message.annotations] == ["u", "v"]
    assert len(message.images) == 2


def test_usage_is_read_from_its_chunk() -> None:
    counted = [ir.Started(), *text("a"), ir.UsageReported(ir.Usage(input=3, output=2)), ir.Finished(reason="stop")]
    chunks = streamed(written(counted, include_usage=True))
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices == []
    assert isinstance(chunks[-1].usage, CompletionUsage)
    assert chunks[-1].usage.total_tokens == 5


def test_a_cut_stream_raises() -> None:
    with pytest.raises(openai.APIError, match="ended before it was complete"):
        streamed(written([ir.Started(), *text("a")]))


def test_a_whole_answer_is_a_completion() -> None:
    fold = ir.Fold()
    fold.feed(answer(thinking("t"), text("a"), call("f", "{}")))
    body = OpenAIChat().write_whole(fold.reply(), answering())
    with client(body) as sdk:
        completion = sdk.chat.completions.create(model="m", messages=MESSAGES)
    ChatCompletion.model_validate(completion.model_dump(), strict=True)
    assert completion.choices[0].message.content == "a"


def test_an_error_is_the_right_exception() -> None:
    status, body = OpenAIChat().write_error(errors.ModelNotFound("no such model", param="model"), "r")
    with client(body, status) as sdk, pytest.raises(openai.NotFoundError) as caught:
        sdk.chat.completions.create(model="m", messages=MESSAGES)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_models_are_listed() -> None:
    with client(OpenAIChat().write_models([("a", ModelInfo(id="a")), ("b", ModelInfo(id="b"))], {})) as sdk:
        assert [model.id for model in sdk.models.list()] == ["a", "b"]


def test_one_model_is_read() -> None:
    with client(OpenAIChat().write_model("a/b", ModelInfo(id="b"))) as sdk:
        assert sdk.models.retrieve("a/b").owned_by == "a"
