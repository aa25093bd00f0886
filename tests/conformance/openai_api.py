"""The real gateway before the strict fake of the OpenAI API, and callers who say the same in each dialect."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import httpx

from gateway.app import create_app
from tests.automata import Call, Heard, chat_stream, chat_whole, messages_stream, messages_whole
from tests.conformance.served import Served
from tests.fakes.openai_api import CHAT, RESPONSES, FakeOpenAI
from tests.fakes.v1internal import FakeV1Internal
from tests.fakes.v1internal_record import Record
from tests.fakes.v1internal_reply import PIXEL
from tests.gateway.dialects.gemini.caller import heard as gemini_heard
from tests.gateway.dialects.gemini.caller import sse
from tests.gateway.dialects.openai_responses.responses import Stream
from tests.serving import serve

__all__ = ["CALLERS", "ENDS", "SCHEMA", "OpenAIServed", "Said", "Wish", "before", "replayed", "settings"]

Json = dict[str, Any]

SCHEMA: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
NUMBERS: Json = {"type": "object", "properties": {"a": {"type": "integer"}}}

# how each dialect says that an answer ended: by itself, with calls, at the limit, withheld
ENDS = {
    "openai-chat": ("stop", "tool_calls", "length", "content_filter"),
    "anthropic": ("end_turn", "tool_use", "max_tokens", "refusal"),
    "gemini": ("STOP", "STOP", "MAX_TOKENS", "SAFETY"),
    "openai-responses": ("completed", "completed", "max_output_tokens", "content_filter"),
}


@dataclass(frozen=True)
class Said:
    """A turn of the user, or calls of the model with their results."""

    text: str = ""
    calls: Sequence[Call] = ()
    results: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a caller wants, in no dialect."""

    said: Sequence[Said]
    model: str
    stream: bool = False
    tools: Sequence[str] = ()
    picture: bool = False
    thinks: bool = False
    schema: Json | None = None
    limit: int | None = None
    stop: Sequence[str] = ()
    more: Json | None = None


class OpenAIServed(Served):
    """A gateway before the fake of the OpenAI API."""

    model = "gpt-4.1"
    enveloped = False

    @property
    def calls(self) -> list[Record]:
        """The calls of either API."""
        return [call for call in self.fake.requests if call.method in (CHAT, RESPONSES)]

    @property
    def openai(self) -> FakeOpenAI:
        """The fake."""
        return cast(FakeOpenAI, self.fake)

    async def ask(self, dialect: str, text: str = "hi", *, stream: bool = False, **wish: Any) -> Heard:
        """Ask as a caller of this dialect, and hear the answer by its rules."""
        said = wish.pop("said", [Said(text)])
        wanted = Wish(**{"said": said, "model": self.model, "stream": stream, **wish})
        response = await self.response(dialect, wanted)
        streamed = response.headers["content-type"].startswith("text/event-stream")
        assert streamed is (stream and response.status_code == 200), response.text
        return (CALLERS[dialect].stream if streamed else CALLERS[dialect].whole)(response.content)

    async def response(self, dialect: str, wish: Wish) -> httpx.Response:
        """Give the answer as it came."""
        caller = CALLERS[dialect]
        body = caller.body(wish) | (wish.more or {})
        return await self.http.post(caller.path(wish), json=body)


def settings(fake: FakeOpenAI, folder: Path, api: str, *keys: str, **over: Any) -> Json:
    """Write the gateway.toml of these tests, as a mapping."""
    upstream = {
        "type": "openai",
        "base_url": f"{fake.url}/v1",
        "api_key": list(keys or ("key-1",)),
        "api": api,
        "models": ["gpt-4.1", "gpt-5", "o4-mini", "qwen"],
        **over.pop("openai", {}),
    }
    return {
        "server": {"data_dir": str(folder)},
        "log": {"level": "error", "format": "json"},
        "upstream": {"openai": upstream},
        **over,
    }


@asynccontextmanager
async def before(fake: FakeOpenAI, folder: Path, api: str, *keys: str, **over: Any) -> AsyncIterator[OpenAIServed]:
    """Run a gateway."""
    app = create_app(settings(fake, folder, api, *keys, **over))
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        yield OpenAIServed(cast(FakeV1Internal, fake), app, http)


# the same wish in each dialect


@dataclass(frozen=True)
class Caller:
    """Writes a wish, and hears an answer."""

    path: Callable[[Wish], str]
    body: Callable[[Wish], Json]
    stream: Callable[[bytes], Heard]
    whole: Callable[[bytes], Heard]


def _given(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value not in (None, [], ())}


def _chat(wish: Wish) -> Json:
    messages: list[Json] = []
    for said in wish.said:
        if said.calls:
            calls = [
                {"id": one.id, "type": "function", "function": _called(one.name, json.dumps(one.arguments))}
                for one in said.calls
            ]
            messages.append({"role": "assistant", "content": None, "tool_calls": calls})
            messages += [
                {"role": "tool", "tool_call_id": one.id, "content": result}
                for one, result in zip(said.calls, said.results, strict=True)
            ]
        else:
            picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
            content = [picture, {"type": "text", "text": said.text}] if wish.picture else said.text
            messages.append({"role": "user", "content": content})
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": wish.schema, "strict": True}}
    return _given(
        model=wish.model,
        messages=messages,
        stream=wish.stream,
        stream_options={"include_usage": True} if wish.stream else None,
        tools=[{"type": "function", "function": {"name": name, "parameters": NUMBERS}} for name in wish.tools],
        reasoning_effort="low" if wish.thinks else None,
        response_format=form if wish.schema else None,
        max_tokens=wish.limit,
        stop=list(wish.stop),
    )


def _called(name: str, arguments: str) -> Json:
    return {"name": name, "arguments": arguments}


def _messages(wish: Wish) -> Json:
    messages: list[Json] = []
    for said in wish.said:
        if said.calls:
            uses = [{"type": "tool_use", "id": one.id, "name": one.name, "input": one.arguments} for one in said.calls]
            results = [
                {"type": "tool_result", "tool_use_id": one.id, "content": result}
                for one, result in zip(said.calls, said.results, strict=True)
            ]
            messages += [{"role": "assistant", "content": uses}, {"role": "user", "content": results}]
        else:
            source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
            content: Any = [{"type": "image", "source": source}, {"type": "text", "text": said.text}]
            messages.append({"role": "user", "content": content if wish.picture else said.text})
    return _given(
        model=wish.model,
        messages=messages,
        stream=wish.stream,
        tools=[{"name": name, "input_schema": NUMBERS} for name in wish.tools],
        thinking={"type": "enabled", "budget_tokens": 1024} if wish.thinks else None,
        output_config={"format": {"type": "json_schema", "schema": wish.schema}} if wish.schema else None,
        max_tokens=wish.limit or 4000,
        stop_sequences=list(wish.stop),
    )


def _contents(wish: Wish) -> Json:
    contents: list[Json] = []
    for said in wish.said:
        if said.calls:
            calls = [{"functionCall": {"id": one.id, "name": one.name, "args": one.arguments}} for one in said.calls]
            results = [
                {"functionResponse": {"id": one.id, "name": one.name, "response": {"output": result}}}
                for one, result in zip(said.calls, said.results, strict=True)
            ]
            contents += [{"role": "model", "parts": calls}, {"role": "user", "parts": results}]
        else:
            picture = [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}] if wish.picture else []
            contents.append({"role": "user", "parts": [*picture, {"text": said.text}]})
    config = _given(
        maxOutputTokens=wish.limit,
        stopSequences=list(wish.stop),
        thinkingConfig={"thinkingLevel": "LOW", "includeThoughts": True} if wish.thinks else None,
        responseMimeType="application/json" if wish.schema else None,
        responseJsonSchema=wish.schema,
    )
    declared = [{"name": name, "parametersJsonSchema": NUMBERS} for name in wish.tools]
    return _given(
        contents=contents,
        tools=[{"functionDeclarations": declared}] if declared else None,
        generationConfig=config or None,
    )


def _items(wish: Wish) -> Json:
    items: list[Json] = []
    for said in wish.said:
        if said.calls:
            items += [
                {"type": "function_call", "call_id": one.id, **_called(one.name, json.dumps(one.arguments))}
                for one in said.calls
            ]
            items += [
                {"type": "function_call_output", "call_id": one.id, "output": result}
                for one, result in zip(said.calls, said.results, strict=True)
            ]
        else:
            picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}
            content: Any = [picture, {"type": "input_text", "text": said.text}]
            items.append({"role": "user", "content": content if wish.picture else said.text})
    form = {"type": "json_schema", "name": "place", "schema": wish.schema, "strict": True}
    return _given(
        model=wish.model,
        input=items,
        stream=wish.stream,
        tools=[{"type": "function", "name": name, "parameters": NUMBERS, "strict": False} for name in wish.tools],
        reasoning={"effort": "low", "summary": "auto"} if wish.thinks else None,
        text={"format": form} if wish.schema else None,
        max_output_tokens=wish.limit,
    )


def _gemini_path(wish: Wish) -> str:
    verb = "streamGenerateContent?alt=sse" if wish.stream else "generateContent"
    return f"/v1beta/models/{wish.model}:{verb}"


def _gemini(chunks: list[Json]) -> Heard:
    answer = gemini_heard(chunks)
    calls = tuple(Call(one.get("id", ""), one["name"], one.get("args", {})) for one in answer.calls)
    return Heard(answer.text, answer.thoughts, calls, (), answer.finish, answer.usage or {}, answer.error)


def _gemini_whole(body: bytes) -> Heard:
    return _gemini([json.loads(body)])


def _response(response: Json) -> Heard:
    if response.get("error"):
        return Heard(error=response["error"])
    output: list[Json] = response["output"]
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    thoughts = [part for item in output if item["type"] == "reasoning" for part in item["summary"]]
    calls = tuple(
        Call(item["call_id"], item["name"], json.loads(item["arguments"]))
        for item in output
        if item["type"] == "function_call"
    )
    finish = (response["incomplete_details"] or {}).get("reason") or response["status"]
    text = "".join(part.get("text", "") for part in parts)
    return Heard(text, "".join(part["text"] for part in thoughts), calls, (), finish, response["usage"] or {})


def _response_stream(data: bytes) -> Heard:
    stream = Stream(data)
    heard = _response(stream.response)
    words = "".join(event["delta"] for event in stream.named("output_text.delta"))
    return replace(heard, text=words) if heard.error is not None else heard


def _response_whole(body: bytes) -> Heard:
    return _response(json.loads(body))


CALLERS: dict[str, Caller] = {
    "openai-chat": Caller(lambda _: "/v1/chat/completions", _chat, chat_stream, chat_whole),
    "anthropic": Caller(lambda _: "/v1/messages", _messages, messages_stream, messages_whole),
    "gemini": Caller(_gemini_path, _contents, lambda data: _gemini(sse(data)), _gemini_whole),
    "openai-responses": Caller(lambda _: "/v1/responses", _items, _response_stream, _response_whole),
}


def replayed(dialect: str, body: Json) -> list[Json]:
    """Give an answer back as its caller would, with the results of its calls."""
    if dialect == "openai-chat":
        message = body["choices"][0]["message"]
        ids = [call["id"] for call in message["tool_calls"]]
        return [message, *({"role": "tool", "tool_call_id": one, "content": "4"} for one in ids)]
    if dialect == "anthropic":
        ids = [block["id"] for block in body["content"] if block["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": one, "content": "4"} for one in ids]
        return [{"role": "assistant", "content": body["content"]}, {"role": "user", "content": results}]
    if dialect == "gemini":
        content = body["candidates"][0]["content"]
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        named = [{name: one[name] for name in ("id", "name") if name in one} for one in calls]  # Vertex has no ids
        parts = [{"functionResponse": {**one, "response": {"output": "4"}}} for one in named]
        return [content, {"role": "user", "parts": parts}]
    ids = [item["call_id"] for item in body["output"] if item["type"] == "function_call"]
    return [*body["output"], *({"type": "function_call_output", "call_id": one, "output": "4"} for one in ids)]
