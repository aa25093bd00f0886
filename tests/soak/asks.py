"""What callers ask, by a seed: in four dialects, whole or streamed, with words, tools or pictures, and with faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from tests.fakes.v1internal_reply import PIXEL

__all__ = ["ENDS", "ROUTES", "Ask", "Manner", "drawn"]

Manner = Literal["reads", "reads slowly", "leaves at once", "leaves midway"]
Feature = Literal["words", "tool", "picture"]

ROUTES = ("google", "openai", "anthropic", "gemini", "chain")
STALL_S = 4  # longer than any patience of the gateway that is soaked
FAULTY = 0.35
FAULTS = (
    "!drop 0",
    "!drop 2",
    "!fin 1",
    "!fin 3",
    "!cut 2",
    f"!stall {STALL_S}",
    f"!slow {STALL_S}",
    "!error 500 1",
    "!error 503",
    "!error 429 1",
    "!error 400",
    "!mangle",
)
PACES = ("", "", "!pace 20", "!pace 60", "!slow 0.2", "!bytes 40", "!gzip")
MANNERS: Mapping[Manner, int] = {"reads": 80, "reads slowly": 7, "leaves at once": 6, "leaves midway": 7}
FEATURES: Mapping[Feature, int] = {"words": 70, "tool": 15, "picture": 15}
LONG_WORDS = 12_000  # for who reads slowly: more than the sockets hold
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
Json = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """One request. `text` directs the upstream."""

    name: str
    dialect: str
    stream: bool
    feature: Feature
    text: str
    manner: Manner
    key: str

    @property
    def path(self) -> str:
        """Give the path, with the model where the dialect has it there."""
        method = "streamGenerateContent?alt=sse" if self.stream else "generateContent"
        return {**PATHS, "gemini": f"/v1beta/models/{self.name}:{method}"}[self.dialect]

    @property
    def headers(self) -> dict[str, str]:
        """Show the key, as all dialects may."""
        version, kind = {"anthropic-version": "2023-06-01"}, {"content-type": "application/json"}
        return {"authorization": f"Bearer {self.key}", **version, **kind}

    def body(self) -> bytes:
        """Write it in its dialect."""
        return json.dumps(BODIES[self.dialect](self)).encode()


def drawn(dice: Random, gateway: str, number: int, keys: Mapping[str, int]) -> Ask:
    """Draw the next request of a caller; `keys`: with how often each is used."""
    name = f"{dice.choice(ROUTES)}-{gateway}-{number:08}"
    feature, manner = _one_of(dice, FEATURES), _one_of(dice, MANNERS)
    words = LONG_WORDS if manner == "reads slowly" else dice.randint(3, 150)
    says = '!tool lookup {"city": "Oslo"}' if feature == "tool" else "!say " + "word " * words
    how = dice.choice(FAULTS) if dice.random() < FAULTY else dice.choice(PACES)
    return Ask(
        name=name,
        dialect=dice.choice(tuple(BODIES)),
        stream=dice.random() < 0.7 or manner == "leaves midway",
        feature=feature,
        text=f"{name}\n{says}\n{how}",
        manner=manner,
        key=_one_of(dice, keys),
    )


def _one_of(dice: Random, weights: Mapping[Any, int]) -> Any:
    return dice.choices(list(weights), list(weights.values()))[0]


def _chat(ask: Ask) -> Json:
    words: Json = {"type": "text", "text": ask.text}
    picture: Json = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    tool = {"type": "function", "function": {"name": "lookup", "parameters": SCHEMA}}
    content = [picture, words] if ask.feature == "picture" else ask.text
    body = {"model": ask.name, "stream": ask.stream, "messages": [{"role": "user", "content": content}]}
    return body | ({"tools": [tool]} if ask.feature == "tool" else {})


def _responses(ask: Ask) -> Json:
    content: list[Json] = [{"type": "input_text", "text": ask.text}]
    if ask.feature == "picture":
        content.insert(0, {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"})
    tool = {"type": "function", "name": "lookup", "parameters": SCHEMA, "strict": False}
    body = {"model": ask.name, "stream": ask.stream, "input": [{"role": "user", "content": content}]}
    return body | ({"tools": [tool]} if ask.feature == "tool" else {})


def _anthropic(ask: Ask) -> Json:
    content: list[Json] = [{"type": "text", "text": ask.text}]
    if ask.feature == "picture":
        source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
        content.insert(0, {"type": "image", "source": source})
    messages = [{"role": "user", "content": content}]
    body = {"model": ask.name, "stream": ask.stream, "max_tokens": 30_000, "messages": messages}
    return body | ({"tools": [{"name": "lookup", "input_schema": SCHEMA}]} if ask.feature == "tool" else {})


def _gemini(ask: Ask) -> Json:
    parts: list[Json] = [{"text": ask.text}]
    if ask.feature == "picture":
        parts.insert(0, {"inlineData": {"mimeType": "image/png", "data": PIXEL}})
    tools = [{"functionDeclarations": [{"name": "lookup", "parameters": SCHEMA}]}]
    body = {"contents": [{"role": "user", "parts": parts}]}
    return body | ({"tools": tools} if ask.feature == "tool" else {})


PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "anthropic": "/v1/messages"}
BODIES: Mapping[str, Callable[[Ask], Json]] = {
    "chat": _chat,
    "responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
# what stands at the end of a stream that came whole
ENDS = {
    "chat": b"data: [DONE]",
    "responses": b'"response.completed"',
    "anthropic": b'"message_stop"',
    "gemini": b'"finishReason"',
}
