"""A client of Chat Completions."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from gateway.testing.grammar import Call, Heard
from tests.conformance.served import CHAT, events

from .client import Client
from .material import ANSWER, PDF, SCHEMAS, Json, Luck

__all__ = ["ChatClient"]

LISTS = ("thinking_blocks", "reasoning_details")
OWN = ("role", "content", "tool_calls")


class ChatClient(Client):
    """It. `faithful`: it gives back all of an answer; others give back what OpenAI has described.

    `dumps`: it gives back what is null and empty, too.
    """

    dialect: ClassVar = "openai-chat"
    history: ClassVar = "messages"
    ends: ClassVar = ("stop", "tool_calls")

    def __init__(self, luck: Luck) -> None:
        super().__init__(luck)
        self.faithful = luck.hits(0.5)
        self.dumps = self.faithful and luck.hits(0.3)
        if luck.hits(0.6):
            self.system()

    def path(self, model: str, *, stream: bool) -> str:
        return CHAT

    def system(self) -> None:
        """Say how to behave."""
        word = self.luck.word("sy")
        content = word if self.luck.hits(0.7) else [_text(word), _text(self.luck.word("sy"))]
        self.said.append({"role": self.luck.choice(("system", "developer")), "content": content})

    def ask(self) -> None:
        luck = self.luck
        if luck.hits(0.06):
            self.system()
        parts: list[Json] = [_text(luck.word("us"))]
        if luck.hits(0.2):
            parts.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{luck.picture()}"}})
        if luck.hits(0.08):
            file = {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
            parts.append({"type": "file", "file": file})
        content = parts if len(parts) > 1 or luck.hits(0.3) else parts[0]["text"]
        self.said.append({"role": "user", "content": content, **luck.maybe(0.1, name="bob")})

    def bring(self, calls: list[Call]) -> None:
        for call in calls:
            word = self.luck.word("re")
            content = self.luck.choice((word, json.dumps({"r": word}), [_text(word)], ""))
            self.said.append({"role": "tool", "tool_call_id": call.id, "content": content})
        if calls and self.luck.hits(0.15):
            self.ask()

    def opens(self, message: Json) -> bool:
        return bool(message["role"] == "user")

    def body(self, model: str, *, stream: bool) -> Json:
        luck = self.luck
        body: Json = {"model": model, "messages": self.said, **self._tools()}
        if stream:
            body |= {"stream": True, **luck.maybe(0.6, stream_options={"include_usage": True})}
        if luck.hits(0.4):
            body[luck.choice(("max_tokens", "max_completion_tokens"))] = luck.choice((16, 4096, 200_000))
        if self.effort:
            body["reasoning_effort"] = self.effort
        else:
            body |= luck.maybe(0.3, temperature=luck.choice((0, 0.7, 2))) | luck.maybe(0.15, top_p=0.9)
            body |= luck.maybe(0.15, stop=["A", "B"]) | luck.maybe(0.05, presence_penalty=0.5)
            body |= luck.maybe(0.05, logprobs=True, top_logprobs=2)
        form = {"name": "out", "strict": True, "schema": ANSWER}
        if luck.hits(0.3):
            form = {"name": "out", "schema": luck.choice(SCHEMAS)}
        body |= luck.maybe(0.12, response_format={"type": "json_schema", "json_schema": form})
        body |= luck.maybe(0.03, web_search_options={}) | luck.maybe(0.05, metadata={"a": "b"}, store=True)
        body |= luck.maybe(0.1, seed=7) | luck.maybe(0.2, user="u1") | luck.maybe(0.1, prompt_cache_key="pk")
        return body | luck.maybe(0.05, verbosity="medium") | luck.maybe(0.05, service_tier="auto")

    def _tools(self) -> Json:
        use = self.choose("auto", "none", "required", "named", "allowed")
        if not self.tools:
            return {}
        tools = [
            {"type": "function", "function": {"name": name, "description": "does", "parameters": schema}}
            for name, schema in self.tools.items()
        ]
        named = {"type": "function", "function": {"name": use.name or next(iter(self.tools))}}
        allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [named]}}
        given: Json = {"tools": tools}
        if use.choice:
            given["tool_choice"] = {"named": named, "allowed": allowed}.get(use.choice, use.choice)
        return given if use.parallel is None else {**given, "parallel_tool_calls": use.parallel}

    def read(self, answer: bytes, *, stream: bool) -> Heard:
        """Read an answer; one that passes may have other pieces in its stream than those that are written here."""
        if not stream:
            return super().read(answer, stream=stream)
        message, finish = _gathered(answer)
        calls = [Call(call["id"], **_called(call["function"])) for call in message["tool_calls"]]
        return Heard(message["content"] or "", calls=tuple(calls), finish=finish)

    def keep(self, answer: bytes, *, stream: bool) -> None:
        message = _gathered(answer)[0] if stream else json.loads(answer)["choices"][0]["message"]
        kept = {name: value for name, value in message.items() if value or name == "content" or self.dumps}
        if not self.faithful:
            kept = {name: kept[name] for name in OWN if name in kept}
            for call in kept.get("tool_calls", ()):
                call.pop("extra_content", None)
        self.said.append(kept)


def _text(word: str) -> Json:
    return {"type": "text", "text": word}


def _called(function: Json) -> Json:
    return {"name": function["name"], "arguments": json.loads(function["arguments"] or "{}")}


def _gathered(answer: bytes) -> tuple[Json, str | None]:
    """Put the pieces of a stream together, and say how it ends."""
    assert answer.endswith(b"data: [DONE]\n\n"), answer[-200:]
    message: Json = {"role": "assistant", "content": None}
    calls: dict[int, Json] = {}
    finish: str | None = None
    for choice in (choice for event in events(answer.decode()) for choice in event["choices"]):
        delta, finish = choice["delta"], choice["finish_reason"] or finish
        for name in ("content", "reasoning_content"):
            if delta.get(name):
                message[name] = (message.get(name) or "") + delta[name]
        for name in LISTS:
            _merge(message.setdefault(name, []), delta.get(name) or [])
        if delta.get("extra_content"):
            message["extra_content"] = delta["extra_content"]
        for piece in delta.get("tool_calls") or ():
            _add(calls, piece)
    return message | {"tool_calls": [calls[place] for place in sorted(calls)]}, finish


def _add(calls: dict[int, Json], piece: Json) -> None:
    function = piece.get("function", {})
    call = calls.setdefault(piece["index"], {"type": "function", "function": {"name": "", "arguments": ""}})
    call |= {name: piece[name] for name in ("id", "extra_content") if piece.get(name)}
    for name in ("name", "arguments"):
        call["function"][name] += function.get(name) or ""


def _merge(had: list[Any], new: list[Any]) -> None:
    """Continue the blocks of a list, which are told apart by their index."""
    for one in new:
        same = next((old for old in had if "index" in one and _place(old) == _place(one)), None)
        if same is None:
            had.append(dict(one))
            continue
        for name, value in one.items():
            if name in ("text", "summary") and same.get(name):
                same[name] += value
            elif value is not None:
                same[name] = value


def _place(block: Json) -> tuple[Any, Any]:
    return block.get("index"), block.get("type")
