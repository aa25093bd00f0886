"""Scripted answers of the upstream, as the acceptance cases write them, and as directives to the fake."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["FC", "T", "Th", "chunk", "script", "usage"]

Json = dict[str, Any]


def T(text: str, **fields: Any) -> Json:  # noqa: N802 (the cases' own name)
    """Make a text part."""
    return {"text": text, **fields}


def Th(text: str, **fields: Any) -> Json:  # noqa: N802 (the cases' own name)
    """Make a thought."""
    return {"thought": True, "text": text, **fields}


def FC(name: str, args: Json, sig: str | None = None, **call: Any) -> Json:  # noqa: N802 (the cases' own name)
    """Make a function call."""
    signed = {"thoughtSignature": sig} if sig else {}
    return {"functionCall": {"name": name, "args": args, **call}, **signed}


def usage(p: int = 0, c: int = 0, t: int = 0, *, th: int = 0, cached: int = 0) -> Json:
    """Make usage by its parts: prompt, candidates, total, thoughts, cached; zero is left out."""
    counts = {
        "promptTokenCount": p,
        "candidatesTokenCount": c,
        "totalTokenCount": t,
        "thoughtsTokenCount": th,
        "cachedContentTokenCount": cached,
    }
    return {name: count for name, count in counts.items() if count}


def chunk(*parts: Json, fin: str | None = None, usage: Json | None = None, **candidate: Any) -> Json:
    """Make the response of one event; without parts the candidate has no content."""
    given = {"content": {"role": "model", "parts": list(parts)}} if parts else {}
    one = given | ({"finishReason": fin} if fin else {}) | candidate
    response: Json = {"candidates": [one]} if one else {}
    return response | ({"usageMetadata": usage} if usage else {})


def script(*responses: Json, then: str = "") -> str:
    """Direct the fake to answer with these responses, each in its envelope; `then` is further directives."""
    lines = [f"!chunk {json.dumps({'response': response, 'traceId': '0123456789abcdef'})}" for response in responses]
    return "\n".join([*lines, then] if then else lines)
