"""The official Python SDKs as callers: they ask, hear, give the results of calls back, and ask again."""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

import anthropic
import httpx2
import openai
from google import genai
from google.genai import errors, types
from openai.lib.streaming.chat import ChatCompletionStreamState

from tests.automata import Call, Heard
from tests.conformance.matrix.wire import Wire
from tests.conformance.matrix.wishes import BODIES, Wish
from tests.fakes.v1internal_reply import PIXEL

__all__ = ["BROKEN", "SDKS", "Sdk"]

Json = dict[str, Any]
Answered = tuple[Any, Heard]

# the status of the exception that a stream raises which breaks: of no response, of the response, of the chunk
BROKEN: dict[str, int | None] = {"openai-chat": None, "openai-responses": None, "anthropic": 200, "gemini": 502}
_SHOWN = f"data:image/png;base64,{PIXEL}"


class Sdk(ABC):
    """One SDK at work."""

    dialect: ClassVar[str]

    async def ask(self, wish: Wish, *, stream: bool) -> list[Heard]:
        """Ask, and once more with the results of the calls."""
        body = BODIES[self.dialect](wish)
        said, first = await self.answer(body, stream)
        if not (first.calls and wish.results):
            return [first]
        self.give_back(body, said, first.calls, wish)
        return [first, (await self.answer(body, stream))[1]]

    @abstractmethod
    async def answer(self, body: Json, stream: bool) -> Answered:
        """Give what the model said, as the SDK has it, and what was heard; an exception is heard, too."""

    @abstractmethod
    def give_back(self, body: Json, said: Any, calls: Sequence[Call], wish: Wish) -> None:
        """Go on with what the model said, and the results of its calls."""


def _failed(error: Exception, status: int | None, text: str = "") -> Heard:
    return Heard(text, error={"class": type(error).__name__, "status": status, "message": str(error)})


def _usage(given: int, made: int) -> Json:
    return {"input": given, "output": made}


def _openai(url: str, wire: Wire) -> Any:
    http = httpx2.AsyncClient(transport=wire)
    return openai.AsyncOpenAI(
        base_url=f"{url}/v1", api_key="k", max_retries=0, _strict_response_validation=True, http_client=http
    )


def _status(error: openai.APIError | anthropic.APIError) -> int | None:
    return getattr(error, "status_code", None)


class Chat(Sdk):
    """OpenAI's SDK, by Chat Completions."""

    dialect = "openai-chat"

    def __init__(self, url: str, wire: Wire) -> None:
        self._completions = _openai(url, wire).chat.completions

    async def answer(self, body: Json, stream: bool) -> Answered:
        """Read a completion, or put it together from its chunks."""
        state = ChatCompletionStreamState()
        usage = None
        try:
            if not stream:
                whole = await self._completions.create(**body)
                return whole.choices[0].message, _completed(whole.choices[0], whole.usage)
            told = await self._completions.create(**body, stream=True, stream_options={"include_usage": True})
            async for chunk in told:
                state.handle_chunk(chunk)
                usage = chunk.usage or usage
        except openai.APIError as error:
            return None, _failed(error, _status(error), _begun(state))
        choice = state.current_completion_snapshot.choices[0]
        return _unparsed(choice.message), _completed(choice, usage)

    def give_back(self, body: Json, said: Any, calls: Sequence[Call], wish: Wish) -> None:
        """Go on."""
        shown = [{"type": "image_url", "image_url": {"url": _SHOWN}}]
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": shown if wish.shown else result}
            for call, result in zip(calls, wish.results, strict=True)
        ]
        body["messages"] += [said, *results]


def _completed(choice: Any, usage: Any) -> Heard:
    message = choice.message
    calls = tuple(
        Call(one.id, one.function.name, json.loads(one.function.arguments)) for one in message.tool_calls or ()
    )
    text = message.content or message.refusal or ""
    thoughts = getattr(message, "reasoning_content", None) or ""
    counts = _usage(usage.prompt_tokens, usage.completion_tokens)
    return Heard(text, thoughts, calls, (), choice.finish_reason, counts)


def _begun(state: ChatCompletionStreamState[Any]) -> str:
    with suppress(AssertionError):  # nothing came
        return state.current_completion_snapshot.choices[0].message.content or ""
    return ""


def _unparsed(message: Any) -> Json:
    """Leave out what the SDK has put into the message of a stream, and the API does not take back."""
    said: Json = message.to_dict(exclude_none=True)
    for call in said.get("tool_calls", ()):
        del call["index"]
        call["function"].pop("parsed_arguments", None)
    return said


class Responses(Sdk):
    """OpenAI's SDK, by Responses."""

    dialect = "openai-responses"

    def __init__(self, url: str, wire: Wire) -> None:
        self._responses = _openai(url, wire).responses

    async def answer(self, body: Json, stream: bool) -> Answered:
        """Read a response, or the one that ends a stream; the SDK checks the order of the events."""
        words, response = "", None
        try:
            if not stream:
                response = await self._responses.create(**body)
            else:
                async with self._responses.stream(**body) as told:
                    async for event in told:
                        words += event.delta if event.type == "response.output_text.delta" else ""
                        response = getattr(event, "response", response)
        except openai.APIError as error:
            return None, _failed(error, _status(error), words)
        assert response is not None
        if response.error is not None:
            return None, Heard(words, error={"class": "", "status": None, "message": response.error.message})
        return response.output, _responded(response)

    def give_back(self, body: Json, said: Any, calls: Sequence[Call], wish: Wish) -> None:
        """Go on."""
        shown = [{"type": "input_image", "image_url": _SHOWN, "detail": "auto"}]
        results = [
            {"type": "function_call_output", "call_id": call.id, "output": shown if wish.shown else result}
            for call, result in zip(calls, wish.results, strict=True)
        ]
        body["input"] += [*said, *results]


def _responded(response: Any) -> Heard:
    thoughts = [part.text for item in response.output if item.type == "reasoning" for part in item.summary]
    calls = tuple(
        Call(item.call_id, item.name, json.loads(item.arguments))
        for item in response.output
        if item.type == "function_call"
    )
    details, usage = response.incomplete_details, response.usage
    counts = _usage(usage.input_tokens, usage.output_tokens)
    finish = details.reason if details else response.status
    return Heard(response.output_text, "".join(thoughts), calls, (), finish, counts)


class Messages(Sdk):
    """Anthropic's SDK."""

    dialect = "anthropic"

    def __init__(self, url: str, wire: Wire) -> None:
        http = httpx2.AsyncClient(transport=wire)
        client: Any = anthropic.AsyncAnthropic(
            base_url=url, api_key="k", max_retries=0, _strict_response_validation=True, http_client=http
        )
        self._messages = client.messages

    async def answer(self, body: Json, stream: bool) -> Answered:
        """Read a message, or have it put together."""
        words = ""
        try:
            if not stream:
                message = await self._messages.create(**body)
            else:
                async with self._messages.stream(**body) as told:
                    async for word in told.text_stream:
                        words += word
                    message = await told.get_final_message()
        except anthropic.APIError as error:
            return None, _failed(error, _status(error), words)
        return message.content, _sent(message)

    def give_back(self, body: Json, said: Any, calls: Sequence[Call], wish: Wish) -> None:
        """Go on."""
        shown = [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}]
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": shown if wish.shown else result}
            for call, result in zip(calls, wish.results, strict=True)
        ]
        body["messages"] += [{"role": "assistant", "content": said}, {"role": "user", "content": results}]


def _sent(message: Any) -> Heard:
    thoughts = [block.thinking for block in message.content if block.type == "thinking"]
    text = [block.text for block in message.content if block.type == "text"]
    calls = tuple(Call(block.id, block.name, block.input) for block in message.content if block.type == "tool_use")
    counts = _usage(message.usage.input_tokens, message.usage.output_tokens)
    return Heard("".join(text), "".join(thoughts), calls, (), message.stop_reason, counts)


class Gemini(Sdk):
    """Google's SDK."""

    dialect = "gemini"

    def __init__(self, url: str, wire: Wire) -> None:
        options = types.HttpOptions(base_url=url, httpx_async_client=httpx2.AsyncClient(transport=wire))
        client: Any = genai.Client(api_key="k", http_options=options)
        self._models = client.aio.models

    async def answer(self, body: Json, stream: bool) -> Answered:
        """Read an answer, or gather its chunks."""
        chunks: list[Any] = []
        try:
            if not stream:
                chunks.append(await self._models.generate_content(**body))
            else:
                async for chunk in await self._models.generate_content_stream(**body):
                    chunks.append(chunk)  # noqa: PERF401 - what came before an error is kept
        except errors.APIError as error:
            return None, _failed(error, error.code, _text(_parts(chunks)))
        return _parts(chunks), _generated(chunks)

    def give_back(self, body: Json, said: Any, calls: Sequence[Call], wish: Wish) -> None:
        """Go on; a part of a call without an id stays so."""
        blob = types.FunctionResponseBlob(mime_type="image/png", data=base64.b64decode(PIXEL))
        shown = [types.FunctionResponsePart(inline_data=blob)] if wish.shown else None
        results = [
            types.FunctionResponse(id=call.id or None, name=call.name, response={"output": result}, parts=shown)
            for call, result in zip(calls, wish.results, strict=True)
        ]
        body["contents"] += [
            types.Content(role="model", parts=said),
            types.Content(role="user", parts=[types.Part(function_response=one) for one in results]),
        ]


def _generated(chunks: Sequence[Any]) -> Heard:
    parts = _parts(chunks)
    calls = tuple(
        Call(part.function_call.id or "", part.function_call.name, part.function_call.args or {})
        for part in parts
        if part.function_call
    )
    ends = [one.finish_reason.value for chunk in chunks for one in chunk.candidates or () if one.finish_reason]
    usage = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata][-1]
    counts = _usage(usage.prompt_token_count, usage.candidates_token_count)
    return Heard(_text(parts), _text(parts, thought=True), calls, (), ",".join(ends), counts)


def _parts(chunks: Sequence[Any]) -> list[Any]:
    contents = [one.content for chunk in chunks for one in chunk.candidates or () if one.content]
    return [part for content in contents for part in content.parts or ()]


def _text(parts: Sequence[Any], *, thought: bool = False) -> str:
    return "".join(part.text or "" for part in parts if bool(part.thought) is thought)


SDKS: dict[str, type[Chat | Responses | Messages | Gemini]] = {
    one.dialect: one for one in (Chat, Responses, Messages, Gemini)
}
