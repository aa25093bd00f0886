"""What a client of Anthropic's leaves in a conversation that it has cut, marked, or filled with nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.making import standing
from tests.fakes.anthropic_api import FakeAnthropic
from tests.fakes.v1internal_reply import PIXEL

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

MODEL = "claude-sonnet-4-6"
MARK: Json = {"cache_control": {"type": "ephemeral"}}
TOOL: Json = {"name": "f", "input_schema": {"type": "object", "properties": {}}}
PICTURE: Json = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}


def text(said: str, **more: Any) -> Json:
    return {"type": "text", "text": said, **more}


def user(*content: Any) -> Json:
    return {"role": "user", "content": content[0] if len(content) == 1 and isinstance(content[0], str) else [*content]}


def result(ident: str, content: Any = "ok", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": ident, "content": content, **more}


def drawn(kind: str) -> Json:
    return {"type": "image", "source": {"type": "base64", "media_type": f"image/{kind}", "data": PIXEL}}


HI, DONE = user("hi"), user("!say done")
CALLED: Json = {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]}
SAID: Json = {"role": "assistant", "content": "yes"}
BODIES: dict[str, tuple[Json, Json, str]] = {
    "of no call": (
        {"messages": [user(result("c9", "4 files"), text("a")), SAID, DONE]},
        {"messages": [user(text("[tool result c9] 4 files"), text("a")), SAID, DONE]},
        "1",
    ),
    "of no call, with a picture": (
        {"messages": [HI, SAID, user(result("c9", [text("a"), PICTURE])), DONE]},
        {"messages": [HI, SAID, user(text("[tool result c9]"), text("a"), PICTURE), DONE]},
        "1",
    ),
    "of an earlier call": (
        {"messages": [HI, CALLED, user(result("c1")), SAID, user(result("c1", "2")), DONE]},
        {"messages": [HI, CALLED, user(result("c1")), SAID, user(text("[tool result c1] 2")), DONE]},
        "1",
    ),
    "cut": (
        {"messages": [CALLED, user(result("c1")), SAID, DONE]},
        {"messages": [user("(conversation continues)"), CALLED, user(result("c1")), SAID, DONE]},
        "",
    ),
    "blanks": (
        {"system": [text(""), text("a")], "messages": [user(text("a"), text(" ")), SAID, user(text("")), SAID, DONE]},
        {"system": [text("a")], "messages": [user(text("a")), SAID, user("(empty)"), SAID, DONE]},
        "",
    ),
    "nothing": ({"messages": [user(""), SAID, DONE]}, {"messages": [user("(empty)"), SAID, DONE]}, ""),
    "blanks in results": (
        {"messages": [HI, CALLED, user(result("c1", [text(""), text("a")])), SAID, DONE]},
        {"messages": [HI, CALLED, user(result("c1", [text("a")])), SAID, DONE]},
        "",
    ),
    "an empty error": (
        {"messages": [HI, CALLED, user(result("c1", "", is_error=True)), SAID, DONE]},
        {"messages": [HI, CALLED, user(result("c1", "(empty)", is_error=True)), SAID, DONE]},
        "",
    ),
    "begun": (
        {"messages": [HI, {"role": "assistant", "content": "It is"}]},
        {"messages": [HI, {"role": "assistant", "content": "It is"}, user("Continue from where you stopped.")]},
        "1",
    ),
    "pictures": (
        {"messages": [HI, CALLED, user(result("c1", [text("a"), drawn("jpeg")])), SAID, user(drawn("gif"))]},
        {"messages": [HI, CALLED, user(result("c1", [text("a"), drawn("png")])), SAID, user(drawn("png"))]},
        "",
    ),
    "marks": (
        {
            "tools": [TOOL | MARK],
            "system": [text("a", **MARK)],
            "messages": [user(text("a", **MARK)), CALLED, user(result("c1", [text("b", **MARK)], **MARK)), DONE],
            **MARK,
        },
        {
            "tools": [TOOL],
            "system": [text("a")],
            "messages": [user(text("a", **MARK)), CALLED, user(result("c1", [text("b", **MARK)], **MARK)), DONE],
            **MARK,
        },
        "",
    ),
}


@asynccontextmanager
async def before(fake: FakeAnthropic, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    table = {"type": "anthropic", "base_url": fake.url, "api_key": "key-1", "models": [MODEL]}
    async with standing(folder, {"claude": table}) as http:
        yield http


@pytest.mark.parametrize("name", BODIES)
async def test_a_refused_conversation_is_mended(name: str, tmp_path: Path) -> None:
    given, wanted, lossy = BODIES[name]
    common: Json = {"model": MODEL, "max_tokens": 100, "tools": [TOOL]}
    async with FakeAnthropic() as fake, before(fake, tmp_path) as http:
        response = await http.post("/v1/messages", json=common | given)
        assert response.status_code == 200, response.text
        assert response.headers.get("x-gateway-lossy", "") == lossy
        first, second = fake.calls("messages")
        assert (first.status, second.status) == (400, 200)
        assert (first.request, second.request) == (common | given, common | wanted)
