"""A client of Messages."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from gateway.testing.grammar import Call
from gateway.testing.grammar_messages import blocks_of, messages_events
from tests.conformance.served import MESSAGES

from .client import Client
from .material import ANSWER, PDF, Json, Luck

__all__ = ["MessagesClient"]

MARK: Json = {"cache_control": {"type": "ephemeral"}}


class MessagesClient(Client):
    """It. `adaptive`: how it has the model think."""

    dialect: ClassVar = "anthropic"
    history: ClassVar = "messages"
    ends: ClassVar = ("end_turn", "tool_use")

    def __init__(self, luck: Luck) -> None:
        super().__init__(luck)
        self.adaptive = luck.hits(0.5)
        blocks = [_text(luck.word("sy")), _text(luck.word("sy")) | MARK]
        self.system: Any = luck.choice((None, luck.word("sy"), blocks))

    @property
    def known(self) -> Any:
        return [self.system, self.said]

    def path(self, model: str, *, stream: bool) -> str:
        return MESSAGES

    def ask(self) -> None:
        content = self.luck.word("us") if self.luck.hits(0.5) else self._parts()
        self.said.append({"role": "user", "content": content})

    def bring(self, calls: list[Call]) -> None:
        if not calls:
            return
        results = [{"type": "tool_result", "tool_use_id": call.id, **self._result()} for call in calls]
        if self.luck.hits(0.2):
            self.luck.shuffle(results)
        self.said.append({"role": "user", "content": results + (self._parts() if self.luck.hits(0.25) else [])})

    def opens(self, message: Json) -> bool:
        return message["role"] == "user" and "tool_result" not in json.dumps(message)

    def _result(self) -> Json:
        word = self.luck.word("re")
        results: tuple[Json, ...] = (
            {"content": word},
            {"content": [_text(word), _text(self.luck.word("re"))]},
            {"content": [_text(word), _image(self.luck.picture())]},
            {"content": word, "is_error": True},
            {},
        )
        return self.luck.choice(results)

    def _parts(self) -> list[Json]:
        luck = self.luck
        parts = [_text(luck.word("us"))]
        if luck.hits(0.3):
            parts.append(_image(luck.picture()))
        if luck.hits(0.12):
            parts.append(_document("base64", "application/pdf", PDF) | luck.maybe(0.5, title="t"))
        if luck.hits(0.1):
            parts.append(_document("text", "text/plain", luck.word("do")))
        if luck.hits(0.2):
            parts[-1] |= MARK
        return parts

    def body(self, model: str, *, stream: bool) -> Json:
        luck = self.luck
        body: Json = {"model": model, "messages": self.said, "max_tokens": luck.choice((8192, 32_000))}
        body |= {"stream": True} if stream else {}
        body |= {"system": self.system} if self.system else {}
        body |= self._tools() | luck.maybe(0.1, stop_sequences=["END"]) | luck.maybe(0.2, metadata={"user_id": "u"})
        if self.effort and self.adaptive:
            body |= {"thinking": {"type": "adaptive"}, **luck.maybe(0.5, output_config={"effort": self.effort})}
        elif self.effort:
            body["thinking"] = {"type": "enabled", "budget_tokens": luck.choice((1024, 4096))}
        else:
            body |= luck.maybe(0.3, **{luck.choice(("temperature", "top_p")): 0.5}) | luck.maybe(0.1, top_k=5)
        if luck.hits(0.1):
            body["output_config"] = body.get("output_config", {}) | {
                "format": {"type": "json_schema", "schema": ANSWER}
            }
        return body

    def _tools(self) -> Json:
        forced = () if self.effort else ("any", "tool")  # a model that thinks cannot be made to call
        use = self.choose("auto", "none", *("named" if one == "tool" else one for one in forced))
        tools: list[Json] = [
            {"name": name, "description": "does", "input_schema": schema} for name, schema in self.tools.items()
        ]
        if self.luck.hits(0.06):
            tools.append({"type": "web_search_20250305", "name": "web_search", "max_uses": 3})
        given: Json = {"tools": tools} if tools else {}
        if self.tools and (use.choice or use.parallel is not None):
            choice: Json = {"type": use.choice or "auto"}
            choice |= {"type": "tool", "name": use.name} if use.choice == "named" else {}
            if use.choice != "none" and use.parallel is not None:
                choice["disable_parallel_tool_use"] = not use.parallel
            given["tool_choice"] = choice
        return given

    def keep(self, answer: bytes, *, stream: bool) -> None:
        blocks = blocks_of(messages_events(answer)) if stream else json.loads(answer)["content"]
        self.said.append({"role": "assistant", "content": blocks})


def _text(word: str) -> Json:
    return {"type": "text", "text": word}


def _image(data: str) -> Json:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


def _document(kind: str, media_type: str, data: str) -> Json:
    return {"type": "document", "source": {"type": kind, "media_type": media_type, "data": data}}
