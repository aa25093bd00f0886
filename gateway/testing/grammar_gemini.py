"""Gemini's answers as their callers read them: chunks of one shape, whole, as events, or as a growing JSON array.

The parts of a chunk follow those of the chunk before; one chunk has the reason of the end, or why the prompt was
blocked. An error takes the place of the rest.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.testing.grammar import Broken, Call, Counts, Heard, Json, counts_of, read_object, rule, walks
from gateway.testing.grammar_sse import frames, letter

__all__ = ["GeminiAnswer", "gemini_chunks", "gemini_counts", "gemini_error", "gemini_heard", "gemini_stream"]
__all__ += ["gemini_array", "gemini_said", "gemini_whole"]

_STATUSES: Final = {
    400: ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"),
    401: ("UNAUTHENTICATED",),
    403: ("PERMISSION_DENIED",),
    404: ("NOT_FOUND",),
    429: ("RESOURCE_EXHAUSTED",),
    503: ("UNAVAILABLE",),
    504: ("DEADLINE_EXCEEDED",),
}


@dataclass
class GeminiAnswer:
    """One answer. `parts` as they came; words of one kind joined in `text` and `thoughts`."""

    parts: list[Json] = field(default_factory=list[Json])
    finish: str | None = None
    blocked: str | None = None
    usage: Json | None = None
    error: Json | None = None

    @property
    def text(self) -> str:
        """Join what was said."""
        return "".join(part.get("text", "") for part in self.parts if not part.get("thought"))

    @property
    def thoughts(self) -> str:
        """Join what was thought."""
        return "".join(part.get("text", "") for part in self.parts if part.get("thought"))

    @property
    def calls(self) -> list[Json]:
        """Give the calls."""
        return [part["functionCall"] for part in self.parts if "functionCall" in part]

    @property
    def images(self) -> list[Json]:
        """Give the images."""
        return [part["inlineData"] for part in self.parts if "inlineData" in part]


@walks
def gemini_heard(chunks: Sequence[Json], *, native: bool = False) -> GeminiAnswer:
    """Walk the chunks of a stream, or the one of a whole answer; an upstream's own may count after the end."""
    answer = GeminiAnswer()
    for place, chunk in enumerate(chunks):
        if "error" in chunk:
            rule((len(chunk), place) == (1, len(chunks) - 1), "something comes with an error, or after it")
            answer.error = _checked(chunk["error"])
            return answer
        rule(native or answer.finish is None, "a chunk after the end")
        _take(answer, chunk)
    rule((answer.finish is None) != (answer.blocked is None), "no finishReason, or a blocked prompt with one")
    rule(native or answer.usage is not None, "no usageMetadata")
    return answer


@walks
def gemini_chunks(data: bytes) -> list[Json]:
    """Read the events of a stream; they have no names."""
    found = frames(data)
    named = [frame.event for frame in found if frame.event]
    rule(not named, f"an event with a name: {named[:1]}")
    return [read_object(frame.text, "an event") for frame in found]


@walks
def gemini_array(data: bytes) -> list[Json]:
    """Read a stream that is one JSON array."""
    try:
        chunks = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Broken(f"the array is not JSON: {error}") from None
    rule(isinstance(chunks, list), "the stream is not an array")
    found: list[Json] = chunks
    return found


@walks
def gemini_stream(data: bytes) -> Heard:
    """Walk a stream of events; Broken where it leaves its grammar.

    google-genai reads `data: ` lines only, and fails on whatever else stands between them.
    """
    chunks = gemini_chunks(data)
    letter(data)
    return gemini_said(gemini_heard(chunks, native=True))


@walks
def gemini_whole(body: bytes) -> Heard:
    """Read a whole answer, or an error."""
    return gemini_said(gemini_heard([read_object(body, "the answer")], native=True))


def gemini_said(answer: GeminiAnswer) -> Heard:
    """Give an answer in the words of all dialects."""
    calls = tuple(Call(call.get("id", ""), call["name"], call.get("args")) for call in answer.calls)
    images = tuple(f"data:{image['mimeType']};base64,{image['data']}" for image in answer.images)
    sealed = tuple(part["thoughtSignature"] for part in answer.parts if part.get("thoughtSignature"))
    if answer.error is not None:
        return Heard(answer.text, answer.thoughts, calls, images, error=answer.error, signatures=sealed)
    finish = answer.finish if answer.finish is not None else answer.blocked
    return Heard(answer.text, answer.thoughts, calls, images, finish, answer.usage or {}, None, sealed)


@walks
def gemini_error(status: int, body: bytes) -> Json:
    """Read an error; a stream that is an array has it as its only element."""
    if body.startswith(b"["):
        (answer,) = gemini_array(body)
    else:
        answer = read_object(body, "the error")
    error = _checked(answer["error"])
    rule(error["code"] == status, f"error.code is {error['code']}, the status {status}")
    expected = _STATUSES.get(status, (error["status"],))
    rule(error["status"] in expected, f"{error['status']} with the status {status}, not {expected[0]}")
    return error


@walks
def gemini_counts(usage: Json) -> Counts:
    """Check the counts of an answer."""
    prompt, tools, said, thought, kept = (
        usage.get(name, 0)
        for name in (
            "promptTokenCount",
            "toolUsePromptTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
            "cachedContentTokenCount",
        )
    )
    found = counts_of(
        {"promptTokenCount": prompt, "toolUsePromptTokenCount": tools},
        {"cachedContentTokenCount": kept},
        {"candidatesTokenCount": said, "thoughtsTokenCount": thought},
        {"thoughtsTokenCount": thought},
    )
    total = usage["totalTokenCount"]
    rule(total == sum((prompt, tools, said, thought)), f"usage: totalTokenCount is {total}, its parts are {usage}")
    return found


def _take(answer: GeminiAnswer, chunk: Json) -> None:
    for candidate in chunk.get("candidates", ()):
        _take_parts(answer, candidate.get("content") or {})
        if candidate.get("finishReason"):
            rule(answer.finish is None, "two reasons of the end")
            answer.finish = reason = candidate["finishReason"]
            rule(reason.isupper(), f"finishReason is {reason!r}")
    if "promptFeedback" in chunk and "blockReason" in chunk["promptFeedback"]:
        answer.blocked = chunk["promptFeedback"]["blockReason"]
    if "usageMetadata" in chunk:
        answer.usage = (answer.usage or {}) | chunk["usageMetadata"]


def _take_parts(answer: GeminiAnswer, content: Json) -> None:
    rule(content.get("role", "model") == "model", f"a candidate of the role {content.get('role')!r}")
    parts: list[Json] = content.get("parts", [])
    rule(answer.finish is None or not parts, "parts after the end")
    for part in parts:
        called: Any = part.get("functionCall")
        rule(called is None or (called["name"] and isinstance(called.get("args", {}), dict)), f"a call as {called}")
    answer.parts += parts


def _checked(error: Json) -> Json:
    rule(type(error["code"]) is int and error["message"], f"an error without code or message: {error}")
    rule(error["status"] == error["status"].upper(), f"error.status is {error['status']!r}")
    return error
