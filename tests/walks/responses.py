"""A client of Responses."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from gateway.testing.grammar import Call
from tests.conformance.served import RESPONSES, events

from .client import Client
from .material import ANSWER, PDF, Json, Luck

__all__ = ["ResponsesClient"]

PATCH: Json = {"type": "custom", "name": "patch", "description": "patch"}


class ResponsesClient(Client):
    """It. `chained`: the gateway keeps the history, and each request names the answer before; `new`: what is sent."""

    dialect: ClassVar = "openai-responses"
    history: ClassVar = "input"
    ends: ClassVar = ("completed", "completed")

    def __init__(self, luck: Luck) -> None:
        super().__init__(luck)
        self.chained = luck.hits(0.33)
        self.previous = ""
        self.new: list[Json] = []
        self.system = luck.choice(("", luck.word("sy")))
        self.patches = luck.hits(0.15)

    @property
    def keeps_here(self) -> bool:
        return self.chained

    @property
    def known(self) -> Any:
        return [self.system, self.said]

    def path(self, model: str, *, stream: bool) -> str:
        return RESPONSES

    def ask(self) -> None:
        luck = self.luck
        parts: list[Json] = [_text(luck.word("us"))]
        if luck.hits(0.15):
            parts.append({**_image(luck.picture()), "detail": "auto"})
        if luck.hits(0.06):
            file = f"data:application/pdf;base64,{PDF}"
            parts.append({"type": "input_file", "filename": "a.pdf", "file_data": file})
        content = parts if len(parts) > 1 or luck.hits(0.3) else parts[0]["text"]
        self._say({"role": "user", "content": content, **luck.maybe(0.5, type="message")})

    def bring(self, calls: list[Call]) -> None:
        for call in calls:
            word = self.luck.word("re")
            outputs = word, json.dumps({"r": word}), [_text(word)], [_text(word), _image(self.luck.picture())]
            output = self.luck.choice(outputs)
            self._say({"type": "function_call_output", "call_id": call.id, "output": output})
        if calls and self.luck.hits(0.15):
            self.ask()

    def opens(self, message: Json) -> bool:
        return message.get("role") == "user" and not self.chained

    def _say(self, item: Json) -> None:
        self.said.append(item)
        self.new.append(item)

    def body(self, model: str, *, stream: bool) -> Json:
        luck = self.luck
        body: Json = {"model": model, **self._input(), **self._tools()}
        body |= {"stream": True} if stream else {}
        body |= {"instructions": self.system} if self.system else {}
        if self.effort:
            summary = luck.maybe(0.6, summary=luck.choice(("auto", "detailed")))
            body["reasoning"] = {"effort": self.effort, **summary}
        else:
            body |= luck.maybe(0.2, temperature=0.5)
        form = {"type": "json_schema", "name": "out", "strict": True, "schema": ANSWER}
        body |= luck.maybe(0.12, text=luck.choice(({"verbosity": "medium"}, {"format": form})))
        body |= luck.maybe(0.3, max_output_tokens=luck.choice((16, 4096, 200_000)))
        body |= luck.maybe(0.1, metadata={"a": "b"}) | luck.maybe(0.2, prompt_cache_key="pk")
        return body | luck.maybe(0.1, truncation="disabled")

    def _input(self) -> Json:
        if not self.chained:
            return {"input": self.said, "store": False, "include": ["reasoning.encrypted_content"]}
        return {"input": self.new, **({"previous_response_id": self.previous} if self.previous else {})}

    def _tools(self) -> Json:
        use = self.choose("auto", "none", "required", "named")
        tools: list[Json] = [
            {"type": "function", "name": name, "description": "does", "parameters": schema, "strict": False}
            for name, schema in self.tools.items()
        ]
        tools += [PATCH] if self.patches else []
        tools += [{"type": "web_search"}] if self.luck.hits(0.06) else []
        given: Json = {"tools": tools} if tools else {}
        if tools and use.choice:
            given["tool_choice"] = {"type": "function", "name": use.name} if use.name else use.choice
        return given if use.parallel is None or not tools else {**given, "parallel_tool_calls": use.parallel}

    def keep(self, answer: bytes, *, stream: bool) -> None:
        whole = events(answer.decode())[-1]["response"] if stream else json.loads(answer)
        self.said += whole["output"]
        self.previous, self.new = whole["id"], []


def _text(word: str) -> Json:
    return {"type": "input_text", "text": word}


def _image(data: str) -> Json:
    return {"type": "input_image", "image_url": f"data:image/png;base64,{data}"}
