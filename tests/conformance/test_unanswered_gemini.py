"""Calls without results, and results without calls, of Gemini callers whose own words pass: mended once refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.making import standing
from tests.fakes.gemini_api import FakeGemini

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

MODEL = "gemini-2.5-flash"
INTERRUPTED = {"error": "[no result: the tool call was interrupted]"}
TOOLS: list[Json] = [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]


def user(*parts: Json) -> Json:
    return {"role": "user", "parts": [*parts]}


def called(*names: str, **more: str) -> Json:
    return {"role": "model", "parts": [{"functionCall": {"name": name, "args": {}, **more}} for name in names]}


def result(name: str, response: Json | None = None, **more: str) -> Json:
    return {"functionResponse": {**more, "name": name, "response": response or {"output": "ok"}}}


HI, DONE = user({"text": "hi"}), user({"text": "!say done"})
CONVERSATIONS: dict[str, tuple[list[Json], list[Json], str]] = {
    "interrupted": ([HI, called("f"), DONE], [HI, called("f"), user(result("f", INTERRUPTED)), DONE], ""),
    "one of two": (
        [HI, called("f", "g"), user(result("g")), DONE],
        [HI, called("f", "g"), user(result("f", INTERRUPTED), result("g")), DONE],
        "",
    ),
    "named": (
        [HI, called("f", id="c1"), DONE],
        [HI, called("f", id="c1"), user(result("f", INTERRUPTED, id="c1")), DONE],
        "",
    ),
    "too many": (
        [HI, called("f"), user(result("f"), result("f", {"a": 1})), DONE],
        [HI, called("f"), user(result("f")), user({"text": '[tool result f] {"a":1}'}), DONE],
        "1",
    ),
    "at the end": ([HI, called("f")], [HI, called("f"), user(result("f", INTERRUPTED))], ""),
    "cut": (
        [called("f"), user(result("f")), DONE],
        [user({"text": "(conversation continues)"}), called("f"), user(result("f")), DONE],
        "",
    ),
    "of no call": ([HI, user(result("f")), DONE], [HI, user({"text": '[tool result f] {"output":"ok"}'}), DONE], "1"),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_a_conversations_calls_get_their_results(name: str, tmp_path: Path) -> None:
    given, wanted, lossy = CONVERSATIONS[name]
    async with FakeGemini() as fake:
        table = {"type": "gemini", "base_url": fake.url, "api_key": "key-1", "models": [MODEL]}
        async with standing(tmp_path, {"google": table}) as http:
            path = f"/v1beta/models/{MODEL}:generateContent"
            response = await http.post(path, json={"contents": given, "tools": TOOLS})
            assert response.status_code == 200, response.text
            assert response.headers.get("x-gateway-lossy", "") == lossy
            calls = fake.calls("generateContent")
            assert [call.status for call in calls] == [400, 200]
            assert calls[-1].request["contents"] == wanted
