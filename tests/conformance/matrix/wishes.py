"""What a caller wants, in no dialect, and how each dialect says it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fakes.v1internal_reply import PIXEL

__all__ = ["BODIES", "PDF", "Wish"]

Json = dict[str, Any]

PDF = base64.b64encode(b"%PDF-1.4\n1 0 obj<</Type/Page>>endobj\n%%EOF").decode()
NUMBERS: Json = {"type": "object", "properties": {"a": {"type": "integer"}}}
_BUDGET: Json = {"type": "enabled", "budget_tokens": 1024}
_ADAPTIVE: Json = {"type": "adaptive", "display": "summarized"}
_PICTURE, _DOCUMENT = f"data:image/png;base64,{PIXEL}", f"data:application/pdf;base64,{PDF}"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """One request of a user, and what is given back for the calls that it leads to.

    `adaptive`: the model thinks as much as it finds right. `results`: of the calls, in their order; `shown`: they are a
    picture.
    """

    text: str
    model: str
    system: str = ""
    picture: bool = False
    document: bool = False
    tools: Sequence[str] = ()
    forced: str = ""
    thinks: bool = False
    adaptive: bool = False
    schema: Json | None = None
    stop: Sequence[str] = ()
    limit: int | None = None
    results: Sequence[str] = ()
    shown: bool = False


def _given(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value not in (None, [], (), "")}


def _parts(wish: Wish, picture: Json, document: Json, text: Json) -> list[Json]:
    return [*([picture] if wish.picture else []), *([document] if wish.document else []), text]


def _chat(wish: Wish) -> Json:
    parts = _parts(
        wish,
        {"type": "image_url", "image_url": {"url": _PICTURE}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": _DOCUMENT}},
        {"type": "text", "text": wish.text},
    )
    user: Json = {"role": "user", "content": parts if len(parts) > 1 else wish.text}
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": wish.schema, "strict": True}}
    return _given(
        model=wish.model,
        messages=[*([{"role": "developer", "content": wish.system}] if wish.system else []), user],
        tools=[{"type": "function", "function": {"name": name, "parameters": NUMBERS}} for name in wish.tools],
        tool_choice={"type": "function", "function": {"name": wish.forced}} if wish.forced else None,
        reasoning_effort="low" if wish.thinks else None,
        response_format=form if wish.schema else None,
        max_completion_tokens=wish.limit,
        stop=list(wish.stop),
    )


def _messages(wish: Wish) -> Json:
    parts = _parts(
        wish,
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
        {"type": "text", "text": wish.text},
    )
    return _given(
        model=wish.model,
        messages=[{"role": "user", "content": parts}],
        system=wish.system,
        tools=[{"name": name, "input_schema": NUMBERS} for name in wish.tools],
        tool_choice={"type": "tool", "name": wish.forced} if wish.forced else None,
        thinking=(_ADAPTIVE if wish.adaptive else _BUDGET) if wish.thinks else None,
        output_config={"format": {"type": "json_schema", "schema": wish.schema}} if wish.schema else None,
        max_tokens=wish.limit or 4000,
        stop_sequences=list(wish.stop),
    )


def _contents(wish: Wish) -> Json:
    parts = _parts(
        wish,
        {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
        {"inlineData": {"mimeType": "application/pdf", "data": PDF}},
        {"text": wish.text},
    )
    declared = [{"name": name, "parametersJsonSchema": NUMBERS} for name in wish.tools]
    calling = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [wish.forced]}}
    config = _given(
        systemInstruction={"parts": [{"text": wish.system}]} if wish.system else None,
        tools=[{"functionDeclarations": declared}] if declared else None,
        toolConfig=calling if wish.forced else None,
        maxOutputTokens=wish.limit,
        stopSequences=list(wish.stop),
        thinkingConfig={"includeThoughts": True} if wish.thinks else None,
        responseMimeType="application/json" if wish.schema else None,
        responseJsonSchema=wish.schema,
    )
    return {"model": wish.model, "contents": [{"role": "user", "parts": parts}], "config": config}


def _items(wish: Wish) -> Json:
    parts = _parts(
        wish,
        {"type": "input_image", "image_url": _PICTURE, "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": _DOCUMENT},
        {"type": "input_text", "text": wish.text},
    )
    form = {"type": "json_schema", "name": "place", "schema": wish.schema, "strict": True}
    return _given(
        model=wish.model,
        input=[{"role": "user", "content": parts}],
        instructions=wish.system,
        tools=[{"type": "function", "name": name, "parameters": NUMBERS, "strict": False} for name in wish.tools],
        tool_choice={"type": "function", "name": wish.forced} if wish.forced else None,
        reasoning={"effort": "low", "summary": "auto"} if wish.thinks else None,
        include=["reasoning.encrypted_content"] if wish.thinks else None,
        store=False if wish.thinks else None,
        text={"format": form} if wish.schema else None,
        max_output_tokens=wish.limit,
        extra_body={"stop": list(wish.stop)} if wish.stop else None,  # it has no such field
    )


# the arguments of each SDK's method
BODIES: dict[str, Callable[[Wish], Json]] = {
    "openai-chat": _chat,
    "openai-responses": _items,
    "anthropic": _messages,
    "gemini": _contents,
}
