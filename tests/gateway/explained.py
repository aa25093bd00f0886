"""A gateway.toml, a request, and what `explain` says of them; the same request through the running app."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
from msgspec import Raw
from msgspec.json import encode

from gateway.app import Gateway, assemble
from gateway.config import load
from gateway.explain import Asking, Explanation, Member, explain, recorded, smallest
from gateway.redact import MASK
from gateway.upstream import Adapter
from tests.fakes.v1internal_record import Record
from tests.serving import serve

__all__ = ["BODIES", "GOOGLE", "about", "agreed", "agrees", "ask", "live", "of", "only", "settled"]

Json = dict[str, Any]

_TEXT = {"role": "user", "content": "Tell me of the sea."}
_TOOL = {"name": "add", "description": "Add", "parameters": {"type": "object", "properties": {"a": {"type": "number"}}}}
BODIES: Mapping[str, Json] = {
    "openai-chat": {
        "messages": [{"role": "system", "content": "Be brief."}, _TEXT],
        "tools": [{"type": "function", "function": _TOOL}],
        "user": "u-1",
        "logit_bias": {"5": 1},
    },
    "openai-responses": {
        "instructions": "Be brief.",
        "input": "Tell me of the sea.",
        "tools": [{"type": "function", **_TOOL}],
        "user": "u-1",
        "top_logprobs": 1,
    },
    "anthropic": {
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [_TEXT],
        "max_tokens": 4000,
        "tools": [{"name": "add", "input_schema": _TOOL["parameters"]}],
    },
    "gemini": {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "Tell me of the sea."}]}],
        "generationConfig": {"candidateCount": 1},
    },
}


GOOGLE = '[upstream.google]\ntype = "v1internal"\noauth = { client_id = "c", client_secret = "s" }'


def settled(folder: Path, *lines: str) -> Path:
    """Write gateway.toml of these lines."""
    file = folder / "gateway.toml"
    file.write_text("\n".join(lines))
    return file


def ask(dialect: str, model: str, **fields: Any) -> Asking:
    """Record a request."""
    body = BODIES[dialect] | ({} if dialect == "gemini" else {"model": model}) | fields
    return recorded(encode(body), model if dialect == "gemini" else "", None)


async def of(file: Path, asking: Asking, environ: Mapping[str, str] | None = None) -> Explanation:
    """Explain a request by a gateway.toml."""
    return await explain(load(file, environ=environ or {}), asking)


async def about(file: Path, model: str = "mine", environ: Mapping[str, str] | None = None) -> Explanation:
    """Explain a model."""
    return await of(file, smallest(model, None), environ)


def only(explanation: Explanation) -> Member:
    """Give the one member of the one way."""
    assert explanation.error is None
    (way,) = explanation.ways
    (member,) = way.members
    return member


async def live(file: Path, asking: Asking, adapters: Mapping[str, Adapter] | None = None) -> None:
    """Send the request through the running app."""
    app = assemble(Gateway(load(file, environ={}), adapters=adapters))
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
        answer = await http.post(asking.path, content=asking.body, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text


def agreed(body: bytes, member: Member) -> bytes:
    """Write an agreed value into the fields that the upstream's documents want new for each call."""
    assert set(member.varies) <= {"requestId", "user_prompt_id"}
    if not member.varies:
        return body
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    return msgspec.json.encode(fields | dict.fromkeys(member.varies, "*"))


def agrees(member: Member, record: Record) -> None:
    """Compare with what the upstream received: bytes, address, headers."""
    assert member.body is not None
    assert member.url is not None
    assert agreed(record.raw, member) == agreed(bytes(member.body), member)
    url = urlsplit(member.url)
    assert (record.http_method, record.path, record.query) == (member.method, url.path, dict(parse_qsl(url.query)))
    for name, value in (member.headers or {}).items():
        assert name in record.headers
        assert MASK in value or record.headers[name] == value
