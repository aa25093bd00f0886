"""A key that is held to upstreams: every way to the others is closed, and the lists do not show what is theirs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway.forwarding import NativeAnswer, NativeCall
from tests.gateway.test_native import Speaking
from tests.scripted import Scripted, app_of, say
from tests.serving import serve

pytestmark = pytest.mark.anyio

KEYS: Any = [
    {"name": "held", "secret": "sk-held", "upstreams": ["two"]},
    {"name": "free", "secret": "sk-free"},
]
ALIAS = {"best": ["one/a", "two/b"], "theirs": "one/a", "ours": "two/b"}


class Gemini(Speaking):
    """One that speaks Gemini, too, by its name."""

    def __init__(self, name: str, model: str) -> None:
        super().__init__(name.encode())
        self.name, self.plays = name, [say(name)]
        self._models = Scripted([], models=[model]).models()  # type: ignore[assignment]  # a dict, too

    async def forward(self, call: NativeCall) -> NativeAnswer:
        self.pieces = (self.name.encode(),)
        return await super().forward(call)


@asynccontextmanager
async def held(key: str = "sk-held") -> AsyncGenerator[httpx.AsyncClient]:
    app = app_of(Gemini("one", "a"), Gemini("two", "b"), config={"key": KEYS, "models": {"alias": ALIAS}})
    async with serve(app) as url, httpx.AsyncClient(base_url=url, headers={"x-api-key": key}, timeout=20) as http:
        yield http


def chat(model: str) -> dict[str, object]:
    return {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize(
    ("model", "status"), [("b", 200), ("two/b", 200), ("ours", 200), ("a", 403), ("one/b", 403), ("theirs", 403)]
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens"])
async def test_a_model_of_another_upstream_is_refused(path: str, model: str, status: int) -> None:
    async with held() as http:
        assert (await http.post(path, json=chat(model))).status_code == status


async def test_the_refusal_says_why_in_the_callers_dialect() -> None:
    async with held() as http:
        openai, anthropic = [await http.post(path, json=chat("a")) for path in ("/v1/chat/completions", "/v1/messages")]
    reason = "this API key may not use upstream 'one', which serves the model 'a'"
    assert openai.json()["error"] == {
        "message": reason, "type": "invalid_request_error", "param": "model", "code": "permission_denied",
    }  # fmt: skip
    assert anthropic.json()["error"] == {"type": "permission_error", "message": reason}


async def test_of_a_chain_only_the_own_members_are_tried() -> None:
    for key, upstream in (("sk-held", "two/b"), ("sk-free", "one/a")):
        async with held(key) as http:
            answer = await http.post("/v1/chat/completions", json=chat("best"))
        assert answer.headers["x-gateway-upstream"] == upstream


@pytest.mark.parametrize(("key", "names"), [("sk-held", {"b", "best", "ours"}), ("sk-free", {"a", "b", *ALIAS})])
async def test_the_lists_have_what_leads_to_the_own_upstreams(key: str, names: set[str]) -> None:
    async with held(key) as http:
        openai = {model["id"] for model in (await http.get("/v1/models")).json()["data"]}
        found = {name: (await http.get(f"/v1/models/{name}")).status_code for name in ("a", "b", *ALIAS)}
    assert {name for name in openai if "-" not in name} == names  # the rest are variants
    assert {name for name, status in found.items() if status == 200} == names
    assert set(found.values()) <= {200, 404}


async def test_native_calls_go_to_the_own_upstream() -> None:
    async with held() as http:
        asked = [await http.get("/v1beta/files"), await http.post("/v1beta/models/b:embedContent", content=b"{}")]
        refused = await http.post("/v1beta/models/a:embedContent", content=b"{}")
    assert [answer.headers["x-gateway-upstream"] for answer in asked] == ["two", "two/b"]
    assert (refused.status_code, refused.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert "may not use upstream 'one'" in refused.json()["error"]["message"]


async def test_where_nobody_of_the_own_can_nobody_else_is_named() -> None:
    async with held() as http:
        answer = await http.post("/v1/embeddings", json={"model": "b", "input": "x"})
    assert (answer.status_code, "'one'" in answer.text) == (404, False)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/v1beta/models/thers:embedContent"])
async def test_no_model_of_another_upstream_is_suggested(path: str) -> None:
    named = {}
    for key in ("sk-held", "sk-free"):
        async with held(key) as http:
            answer = await http.post(path, json=chat("thers") | {"input": "x"} if "beta" not in path else {})
        assert answer.status_code == 404
        named[key] = "theirs" in answer.text
    assert named == {"sk-held": False, "sk-free": True}
