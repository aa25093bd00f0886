"""T3, over a turn: what a model said comes back to it from a client that returns what it was given.

    events ─► the caller's dialect ─► its client's history ─► the next request ─► the conversation upstream

Words and arguments come back by value, thoughts and calls with the signature that was theirs, all in its order.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import decode

from gateway import ir
from gateway.routes import DialectName
from tests.strategies import words
from tests.translating import Sent, Upstreams

from .examples import EXAMPLES
from .test_round_trips import ARGUMENTS, TO
from .writing import CODECS, write, write_whole

Json = Any
Said = list[tuple[Any, ...]]

FAMILIES: Final[dict[str, ir.Family | None]] = {
    "v1internal Gemini 3": "gemini",
    "v1internal Claude": "claude",
    "openai chat": None,
    "openai responses": "openai",
    "anthropic": "claude",
}
SPOKEN: Final[dict[str, DialectName]] = {
    "v1internal Gemini 3": "gemini",
    "openai chat": "openai-chat",
    "openai responses": "openai-responses",
    "anthropic": "anthropic",
}
PAIRS: Final = [(dialect, target) for target in FAMILIES for dialect in CODECS if SPOKEN.get(target) != dialect]
# the first byte of Claude's makes an R of it in base64, as v1internal hands them out
SEALS: Final = st.binary(min_size=3, max_size=9).map(lambda raw: b64encode(b"E" + raw).decode())
PIECES: Final = st.lists(words(1, 3) | st.sampled_from([" ", "\n\n"]), max_size=3).map(lambda some: ["w", *some])
NUMBERS: Final = ARGUMENTS | st.dictionaries(words(), st.integers(-(2**70), 2**70) | st.floats(-1e9, 1e9), max_size=2)
SCHEMA: Final = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(("dialect", "target"), PAIRS)
@EXAMPLES
@given(data=st.data())
def test_t3_what_a_model_said_comes_back_to_it(
    dialect: DialectName, target: str, data: st.DataObject, upstreams: Upstreams
) -> None:
    most = 1 if dialect == "openai-chat" else 4  # Chat Completions has one field for all thoughts
    events = data.draw(answers(FAMILIES[target], most))
    given, expected = data.draw(st.sampled_from(CLIENTS[dialect]))(events), heard(events)
    calls = [one[1] for one in expected if one[0] == "call"]
    sent = upstreams.send(dialect, target, ASKS[dialect](given, calls), own=False)
    assert isinstance(sent, Sent), sent
    found = list(READERS[SPOKEN.get(target, "gemini")](json.loads(sent.body)))
    alike = in_kinds if dialect == "openai-chat" or target == "openai chat" else in_order
    assert alike(found) == alike(expected)


@st.composite
def answers(draw: st.DrawFn, family: ir.Family | None, most: int) -> list[ir.Event]:
    """Draw an answer: signed thoughts between the words where the family has them, and calls last.

    `most`: how many runs of thoughts and words follow the first thought.
    """
    drawn = draw(st.lists(st.sampled_from(("thinking", "text")), max_size=most))
    if family in ("claude", "openai"):
        kinds = [kind for kind, _ in groupby(["thinking", *drawn])]
    else:
        kinds = ["text"] * ("text" in drawn)
    calls = draw(st.integers(0 if kinds[-1:] == ["text"] else 1, 2))
    blocks: list[ir.Event] = []
    for kind in kinds:
        if kind == "thinking":
            blocks += _thought(draw(PIECES), ir.Signature(family, draw(SEALS)))
        else:
            blocks += _text(draw(PIECES))
    for number in range(calls):
        blocks.append(ir.BlockStarted(kind="tool_call", id=f"call_{number}", name="f"))
        if family == "gemini" and not number:
            blocks.append(ir.SignatureDelta(ir.Signature(family, draw(SEALS), "f")))
        blocks += [ir.ArgumentsDelta(json.dumps(draw(NUMBERS))), ir.BlockEnded()]
    return [ir.Started(id="r1"), *blocks, ir.Finished(reason="tool_calls" if calls else "stop")]


def _thought(pieces: Sequence[str], signature: ir.Signature) -> list[ir.Event]:
    words = [ir.ThinkingDelta(piece) for piece in pieces]
    return [ir.BlockStarted(kind="thinking"), *words, ir.SignatureDelta(signature), ir.BlockEnded()]


def _text(pieces: Sequence[str]) -> list[ir.Event]:
    return [ir.BlockStarted(kind="text"), *(ir.TextDelta(piece) for piece in pieces), ir.BlockEnded()]


def heard(events: Sequence[ir.Event]) -> Said:
    """Tell what an answer says."""
    fold = ir.Fold()
    fold.feed(events)
    return [_part(part) for part in fold.reply().parts]


def _part(part: ir.ReplyPart) -> tuple[Any, ...]:
    match part:
        case ir.Thinking():
            return "thought", part.text, part.signature and part.signature.value
        case ir.ToolCall():
            return "call", part.id, part.name, decode(part.arguments), part.signature and part.signature.value
        case ir.Text():
            return "text", part.text
        case _:
            raise AssertionError(part)


def in_order(said: Said) -> Said:
    """Join the words that stand beside each other."""
    runs = [(kind, list(run)) for kind, run in groupby(said, lambda one: one[0])]
    return [
        one for kind, run in runs for one in ([("text", "".join(text for _, text in run))] if kind == "text" else run)
    ]


def in_kinds(said: Said) -> Said:
    """Put thoughts before words and words before calls, as Chat Completions has them."""
    return in_order(sorted(said, key=lambda one: ("thought", "text", "call").index(one[0])))


# what clients keep of an answer


def _chat(events: Sequence[ir.Event]) -> Json:
    return [_whole("openai-chat", events)["choices"][0]["message"]]


def _messages(events: Sequence[ir.Event]) -> Json:
    return [{"role": "assistant", "content": _whole("anthropic", events)["content"]}]


def _items(events: Sequence[ir.Event]) -> Json:
    return _whole("openai-responses", events)["output"]


def _content(events: Sequence[ir.Event]) -> Json:
    return [_whole("gemini", events)["candidates"][0]["content"]]


def _chunks(events: Sequence[ir.Event]) -> Json:
    """Keep each chunk as a content, as chats of google-genai do."""
    stream = write(CODECS["gemini"], [[event] for event in events], TO).decode()
    chunks = [json.loads(line[6:]) for line in stream.split("\r\n") if line.startswith("data: ")]
    contents = [chunk["candidates"][0].get("content") for chunk in chunks if chunk.get("candidates")]
    return [content for content in contents if content and content.get("parts")]


def _whole(dialect: DialectName, events: Sequence[ir.Event]) -> Json:
    return json.loads(write_whole(CODECS[dialect], [events], TO))


CLIENTS: Final[dict[DialectName, list[Callable[[Sequence[ir.Event]], Json]]]] = {
    "openai-chat": [_chat],
    "openai-responses": [_items],
    "anthropic": [_messages],
    "gemini": [_content, _chunks],
}

# what they ask next


def _ask_chat(said: Json, calls: Sequence[str]) -> Json:
    results = [{"role": "tool", "tool_call_id": call, "content": "ok"} for call in calls]
    return {
        "model": "m",
        "messages": [{"role": "user", "content": "go"}, *said, *(results or [{"role": "user", "content": "on"}])],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
        "reasoning_effort": "high",
    }


def _ask_responses(said: Json, calls: Sequence[str]) -> Json:
    results = [{"type": "function_call_output", "call_id": call, "output": "ok"} for call in calls]
    return {
        "model": "m",
        "input": [{"role": "user", "content": "go"}, *said, *(results or [{"role": "user", "content": "on"}])],
        "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}],
        "reasoning": {"effort": "high"},
        "store": False,
    }


def _ask_messages(said: Json, calls: Sequence[str]) -> Json:
    results = [{"type": "tool_result", "tool_use_id": call, "content": "ok"} for call in calls]
    return {
        "model": "m",
        "max_tokens": 9000,
        "messages": [{"role": "user", "content": "go"}, *said, {"role": "user", "content": results or "on"}],
        "tools": [{"name": "f", "input_schema": SCHEMA}],
        "thinking": {"type": "enabled", "budget_tokens": 2000},
    }


def _ask_gemini(said: Json, calls: Sequence[str]) -> Json:
    results = [{"functionResponse": {"id": call, "name": "f", "response": {"output": "ok"}}} for call in calls]
    return {
        "contents": [
            {"role": "user", "parts": [{"text": "go"}]},
            *said,
            {"role": "user", "parts": results or [{"text": "on"}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": SCHEMA}]}],
        "generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 2000}},
    }


ASKS: Final[dict[DialectName, Callable[[Json, Sequence[str]], Json]]] = {
    "openai-chat": _ask_chat,
    "openai-responses": _ask_responses,
    "anthropic": _ask_messages,
    "gemini": _ask_gemini,
}

# what comes back upstream


def _of_gemini(body: Json) -> Iterator[tuple[Any, ...]]:
    for part in (part for one in body["request"]["contents"] if one["role"] == "model" for part in one["parts"]):
        signature = part.get("thoughtSignature")
        if "functionCall" in part:
            call = part["functionCall"]
            yield "call", call["id"], call["name"], call["args"], signature
        else:
            yield ("thought", part["text"], signature) if part.get("thought") else ("text", part["text"])


def _of_messages(body: Json) -> Iterator[tuple[Any, ...]]:
    for block in (block for one in body["messages"] if one["role"] == "assistant" for block in one["content"]):
        match block["type"]:
            case "thinking":
                yield "thought", block["thinking"], block["signature"]
            case "text":
                yield "text", block["text"]
            case _:
                yield "call", block["id"], block["name"], block["input"], None


def _of_chat(body: Json) -> Iterator[tuple[Any, ...]]:
    (message,) = (one for one in body["messages"] if one["role"] == "assistant")
    if message["content"]:
        yield "text", message["content"]
    for call in message.get("tool_calls", ()):
        yield "call", call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]), None


def _of_items(body: Json) -> Iterator[tuple[Any, ...]]:
    for item in body["input"]:
        if item["type"] == "reasoning":
            yield "thought", "".join(one["text"] for one in item["summary"]), item["encrypted_content"]
        elif item["type"] == "function_call":
            yield "call", item["call_id"], item["name"], json.loads(item["arguments"]), None
        elif item.get("role") == "assistant":
            yield "text", "".join(one["text"] for one in item["content"])


READERS: Final[dict[DialectName, Callable[[Json], Iterator[tuple[Any, ...]]]]] = {
    "gemini": _of_gemini,
    "anthropic": _of_messages,
    "openai-chat": _of_chat,
    "openai-responses": _of_items,
}
