"""A client of the Gemini API."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final

from gateway.testing.grammar import Call
from gateway.testing.grammar_gemini import gemini_chunks

from .client import Client
from .material import PDF, SCHEMAS, Json, Luck

__all__ = ["GeminiClient"]

MODES: Final = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}
FORM: Json = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


class GeminiClient(Client):
    """It. `leveled`: it names a level of thinking, else a budget; `whole_schemas`: it sends JSON Schema."""

    dialect: ClassVar = "gemini"
    history: ClassVar = "contents"
    ends: ClassVar = ("STOP", "STOP")

    def __init__(self, luck: Luck) -> None:
        super().__init__(luck)
        self.whole_schemas, self.leveled = luck.hits(0.5), luck.hits(0.5)
        self.system = luck.choice((None, {"parts": [{"text": luck.word("sy")}]}))

    @property
    def known(self) -> Any:
        return [self.system, self.said]

    def path(self, model: str, *, stream: bool) -> str:
        return f"/v1beta/models/{model}:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"

    def ask(self) -> None:
        parts: list[Json] = [{"text": self.luck.word("us")}]
        if self.luck.hits(0.3):
            parts.append({"inlineData": {"mimeType": "image/png", "data": self.luck.picture()}})
        if self.luck.hits(0.12):
            parts.append({"inlineData": {"mimeType": "application/pdf", "data": PDF}})
        self.said.append({"role": "user", "parts": parts})

    def bring(self, calls: list[Call]) -> None:
        if not calls:
            return
        parts: list[Json] = []
        for call in calls:
            word = self.luck.word("re")
            response = self.luck.choice(({"output": word}, {"result": {"x": word}}, {"error": word}))
            named = {"name": call.name, **({"id": call.id} if call.id else {})}
            parts.append({"functionResponse": {**named, "response": response}})
        if self.luck.hits(0.15):
            parts.append({"text": self.luck.word("us")})
        self.said.append({"role": "user", "parts": parts})

    def opens(self, message: Json) -> bool:
        return message["role"] == "user" and "functionResponse" not in json.dumps(message)

    def body(self, model: str, *, stream: bool) -> Json:
        luck = self.luck
        body: Json = {"contents": self.said, **self._tools()}
        body |= {"systemInstruction": self.system} if self.system else {}
        config = luck.maybe(0.2, temperature=0.5) | luck.maybe(0.3, maxOutputTokens=luck.choice((100, 8192)))
        config |= luck.maybe(0.1, stopSequences=["END"]) | luck.maybe(0.1, topK=20) | luck.maybe(0.1, seed=3)
        if self.effort:
            amount: Json = {"thinkingLevel": self.effort.upper()} if self.leveled else {"thinkingBudget": 2048}
            config["thinkingConfig"] = {"includeThoughts": True, **amount}
        if luck.hits(0.1):
            named = "responseJsonSchema" if luck.hits(0.5) else "responseSchema"
            config |= {"responseMimeType": "application/json", named: FORM}
        body |= {"generationConfig": config} if config else {}
        setting = {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}
        return body | luck.maybe(0.1, safetySettings=[setting])

    def _tools(self) -> Json:
        use, given = self.choose(*MODES), list[Json]()
        if self.tools:
            given.append({"functionDeclarations": [self._declared(*one) for one in self.tools.items()]})
        if self.luck.hits(0.05):
            given.append({"googleSearch": {}})
        body: Json = {"tools": given} if given else {}
        if self.tools and use.choice:
            calling = {"mode": MODES[use.choice], **({"allowedFunctionNames": [use.name]} if use.name else {})}
            body["toolConfig"] = {"functionCallingConfig": calling}
        return body

    def _declared(self, name: str, schema: Json) -> Json:
        shaped = {"parametersJsonSchema": schema} if self.whole_schemas else {"parameters": SCHEMAS[0]}
        return {"name": name, "description": "does", **shaped}

    def keep(self, answer: bytes, *, stream: bool) -> None:
        parts: list[Json] = []
        for chunk in gemini_chunks(answer) if stream else [json.loads(answer)]:
            for candidate in chunk.get("candidates", ()):
                for part in candidate.get("content", {}).get("parts", ()):
                    _add(parts, part)
        self.said.append({"role": "model", "parts": parts})


def _add(parts: list[Json], part: Json) -> None:
    """Continue the text before, unless either is signed, or one is a thought and the other is not."""
    last = parts[-1] if parts else {}
    signed = "thoughtSignature" in last or "thoughtSignature" in part
    if "text" in last and "text" in part and last.get("thought") == part.get("thought") and not signed:
        last["text"] += part["text"]
    else:
        parts.append(dict(part))
