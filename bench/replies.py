"""What a model's answer looks like in each wire format of an upstream: the events of a stream, or one object.

What comes before the first text of a stream is written together with it, and what comes after the last with that, so
that every format has one write a chunk.

| wire | before the first text | a text | after the last |
|---|---|---|---|
| Chat Completions | the role | `delta.content` | the finish reason, the usage if asked for, `[DONE]` |
| Messages | `message_start`, `content_block_start`, `ping` | `text_delta` | the ends of block and message |
| Gemini API | | a part, with the usage so far; lines end with CR and LF, as Google's | STOP, with an empty text |
| v1internal | | the same within `{"response": …, "traceId": …}`, lines end with LF | STOP, on the last text |
"""

from collections.abc import Callable, Mapping

import msgspec

from bench.asked import Asked
from bench.pairs import MODELS
from bench.script import Wire

__all__ = ["STREAMS", "WHOLES"]

PROMPT_TOKENS = 12
CREATED = 1_760_000_000

Fields = dict[str, object]


def data(value: object) -> bytes:
    """Write an event without a name."""
    return b"data: %b\n\n" % msgspec.json.encode(value)


def data_crlf(value: object) -> bytes:
    """Write it as the Gemini API does; readers exist that know no other end of a line."""
    return b"data: %b\r\n\r\n" % msgspec.json.encode(value)


def named(*values: Fields) -> bytes:
    """Write events with their types as their names."""
    return b"".join(b"event: %b\n%b" % (str(value["type"]).encode(), data(value)) for value in values)


# Chat Completions


def chat_stream(asked: Asked) -> list[bytes]:
    """Give the events of one write each."""
    unknown: Fields = {"usage": None} if asked.counted else {}

    def chunk(delta: Fields, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return data({**_completion("chat.completion.chunk"), "choices": [choice], **unknown})

    role = chunk({"role": "assistant", "content": "", "refusal": None})
    end = chunk({}, "stop")
    if asked.counted:
        end += data({**_completion("chat.completion.chunk"), "choices": [], "usage": _chat_usage(asked)})
    return _joined(role, [chunk({"content": text}) for text in asked.script.pieces], end + b"data: [DONE]\n\n")


def chat_whole(asked: Asked) -> object:
    """Give a chat completion."""
    message: Fields = {"role": "assistant", "content": asked.script.text, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {**_completion("chat.completion"), "choices": [choice], "usage": _chat_usage(asked)}


def _completion(kind: str) -> Fields:
    return {
        "id": "chatcmpl-bench",
        "object": kind,
        "created": CREATED,
        "model": MODELS["chat"],
        "service_tier": "default",
        "system_fingerprint": "fp_bench",
    }


def _chat_usage(asked: Asked) -> object:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": asked.script.chunks,
        "total_tokens": PROMPT_TOKENS + asked.script.chunks,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


# Messages


def anthropic_stream(asked: Asked) -> list[bytes]:
    """Give the events of one write each."""
    usage = _anthropic_usage(1)
    before: tuple[Fields, ...] = (
        {"type": "message_start", "message": {**_message(), "content": [], "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    )
    after: tuple[Fields, ...] = (
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": _anthropic_usage(asked.script.chunks),
        },
        {"type": "message_stop"},
    )
    texts = [
        named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
        for text in asked.script.pieces
    ]
    return _joined(named(*before), texts, named(*after))


def anthropic_whole(asked: Asked) -> object:
    """Give a message."""
    content = [{"type": "text", "text": asked.script.text}]
    ended = {"stop_reason": "end_turn", "usage": _anthropic_usage(asked.script.chunks)}
    return {**_message(), "content": content, **ended}


def _message() -> Fields:
    return {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": MODELS["anthropic"],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _anthropic_usage(tokens: int) -> object:
    cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {"input_tokens": PROMPT_TOKENS, **cached, "output_tokens": tokens}


# Gemini API, v1internal


def gemini_stream(asked: Asked) -> list[bytes]:
    """Give one event a write; the end, which readers exist that take no text from, goes with the last."""
    texts = [
        data_crlf(_content(asked.wire, text, number, last=False)) for number, text in enumerate(asked.script.pieces, 1)
    ]
    return _joined(b"", texts, data_crlf(_content(asked.wire, "", asked.script.chunks, last=True)))


def v1internal_stream(asked: Asked) -> list[bytes]:
    """Give one event a write."""
    last = asked.script.chunks
    return [
        data(_content(asked.wire, text, number, last=number == last))
        for number, text in enumerate(asked.script.pieces, 1)
    ]


def google_whole(asked: Asked) -> object:
    """Give a GenerateContentResponse."""
    return _content(asked.wire, asked.script.text, asked.script.chunks, last=True)


def _content(wire: Wire, text: str, tokens: int, *, last: bool) -> object:
    candidate: Fields = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    response = {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": PROMPT_TOKENS,
            "candidatesTokenCount": tokens,
            "totalTokenCount": PROMPT_TOKENS + tokens,
        },
        "modelVersion": MODELS[wire],
        "responseId": "bench",
    }
    return {"response": response, "traceId": "184a257032f8d8c6"} if wire == "v1internal" else response


def _joined(before: bytes, texts: list[bytes], after: bytes) -> list[bytes]:
    texts[0] = before + texts[0]
    texts[-1] += after
    return texts


STREAMS: Mapping[Wire, Callable[[Asked], list[bytes]]] = {
    "chat": chat_stream,
    "anthropic": anthropic_stream,
    "gemini": gemini_stream,
    "v1internal": v1internal_stream,
}
WHOLES: Mapping[Wire, Callable[[Asked], object]] = {
    "chat": chat_whole,
    "anthropic": anthropic_whole,
    "gemini": google_whole,
    "v1internal": google_whole,
}
