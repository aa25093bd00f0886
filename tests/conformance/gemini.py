"""A Gemini caller before the running gateway, and the recorded streams as such a caller shall get them."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

from gateway.routes import Streaming
from tests.conformance.recordings import EXPECTED, FENCED, stream
from tests.conformance.served import Served
from tests.gateway.dialects.gemini.caller import Answer, array, heard, sse

__all__ = ["FORMS", "VERBS", "agree", "ask", "chunks_of", "natives", "said", "tools", "user"]

Json = dict[str, Any]

FORMS: tuple[Streaming, ...] = ("", "sse", "array")
VERBS = {"": "generateContent", "sse": "streamGenerateContent?alt=sse", "array": "streamGenerateContent"}

# how an error of the stream is called
ERRORS = {
    "upstream_malformed_tool_call": (502, "INTERNAL"),
    "upstream_unexpected_tool_call": (502, "INTERNAL"),
    "upstream_error_in_stream": (503, "UNAVAILABLE"),
    "rate_limited": (429, "RESOURCE_EXHAUSTED"),
    "upstream_truncated": (502, "INTERNAL"),
}
COUNTS = (
    "promptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "cachedContentTokenCount",
    "totalTokenCount",
)
_RESPONSE = re.compile(r'\{\s*"response"\s*:\s*')


def user(*parts: Any) -> Json:
    """Say something as the user; a text is a part."""
    return {"role": "user", "parts": [{"text": one} if isinstance(one, str) else one for one in parts]}


def tools(*names: str, schema: Any = None) -> list[Json]:
    """Declare functions."""
    described = {"parameters": schema} if schema else {}
    return [{"functionDeclarations": [{"name": name, **described} for name in names]}]


async def ask(
    served: Served, *contents: Any, form: Streaming = "", model: str = "", version: str = "v1beta", **fields: Any
) -> httpx.Response:
    """Post a request of these contents; a text is what the user says."""
    said = [user(served.directed(one)) if isinstance(one, str) else one for one in contents]
    path = f"/{version}/models/{model or served.model}:{VERBS[form]}"
    return await served.http.post(path, json={"contents": said, **fields})


def chunks_of(response: httpx.Response, form: Streaming) -> list[Json]:
    """Read the chunks of an answer, whole or not, or its error."""
    if response.status_code == 200 and form:
        kind = "text/event-stream; charset=utf-8" if form == "sse" else "application/json"
        assert response.headers["content-type"] == kind
        return (sse if form == "sse" else array)(response.content)
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    if form == "array":
        assert isinstance(body, list)
    return body if isinstance(body, list) else [body]


def said(response: httpx.Response, form: Streaming) -> Answer:
    """Hear an answer."""
    return heard(chunks_of(response, form), native=True)


def natives(name: str) -> list[bytes]:
    """Cut the inner responses out of a recorded stream, byte for byte, up to an error or what cannot be read."""
    found: list[bytes] = []
    text = stream(name).decode().replace("\r\n", "\n").replace("\r", "\n")
    for event in text.split("\n\n"):
        lines = [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]
        data = "\n".join(lines)
        if not data or data == "[DONE]" or not _is_json(data):
            continue
        if "error" in json.loads(data):
            break
        found.append(_inner(data).encode())
    return found


def _inner(data: str) -> str:
    start = _RESPONSE.match(data)
    if start is None:
        return data
    end = json.JSONDecoder().raw_decode(data, start.end())[1]
    return data[start.end() : end]


def _is_json(data: str) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def agree(name: str, answer: Answer, *, form: Streaming, native: bool, thoughts: bool = True) -> None:
    """Assert that a caller who reads `thoughts`, or does not, heard what is expected, passed on or translated."""
    expected = EXPECTED[name]
    if expected["outcome"] in ("error", "truncated"):
        assert answer.error is not None
        assert (answer.error["code"], answer.error["status"]) == ERRORS[expected["error_kind"]]
        assert answer.text == (expected["text"] if form and answer.text else "")
        return
    assert answer.error is None
    _agree_end(expected, answer, native=native)
    _agree_words(expected, answer, thoughts=thoughts)
    _agree_calls(expected, answer, native=native)
    assert len(answer.images) == expected.get("images", 0)
    given = {count: number for count, number in (answer.usage or {}).items() if number and count in COUNTS}
    assert given == {count: number for count, number in _usage(expected, native=native).items() if number}


def _agree_end(expected: Json, answer: Answer, *, native: bool) -> None:
    finish = expected["upstream_finish"]
    assert answer.finish == (finish if native or finish != "OTHER" else "STOP")
    assert answer.blocked == expected.get("block")


def _agree_words(expected: Json, answer: Answer, *, thoughts: bool) -> None:
    assert FENCED.sub("", answer.text) == expected["text"]
    assert answer.thoughts == (expected["thoughts"] if thoughts else "")
    code = [part for part in answer.parts if "executableCode" in part or "codeExecutionResult" in part]
    assert len(code) + len(FENCED.findall(answer.text)) == 2 * expected.get("code", 0)


def _agree_calls(expected: Json, answer: Answer, *, native: bool) -> None:
    wanted = [(call["id"], call["name"], call["args"]) for call in expected["tool_calls"]]
    ids = [call.get("id") for call in answer.calls]
    calls = [(call["name"], call.get("args", {})) for call in answer.calls]
    assert calls == [call[1:] for call in wanted]
    assert all(
        given == known or (known is None and not native) for given, (known, _, _) in zip(ids, wanted, strict=True)
    )
    assert native or len({*ids}) == len(ids)


def _usage(expected: Json, *, native: bool) -> Json:
    """Give the counts in Google's words: the upstream's own, or those of the translation."""
    if native:
        upstream: Json = expected["usage_upstream"]
        return {count: number for count, number in upstream.items() if count in COUNTS}
    counted = expected["usage_openai"]
    return {
        "promptTokenCount": counted["prompt_tokens"],
        "candidatesTokenCount": counted["completion_tokens"] - counted["reasoning_tokens"],
        "thoughtsTokenCount": counted["reasoning_tokens"],
        "cachedContentTokenCount": counted["cached_tokens"],
        "totalTokenCount": counted["total_tokens"],
    }
