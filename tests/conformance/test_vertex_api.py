"""Callers of every dialect before Vertex AI, for Gemini and for Claude, older ones and new ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.openai_api import CALLERS, Said, Wish
from tests.conformance.vertex_api import CLAUDE, GEMINI, NEW_CLAUDE, OLD_GEMINI, VertexServed, before
from tests.fakes.vertex_api import FakeVertex
from tests.fakes.vertex_api_login import refused

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
DIALECT = pytest.mark.parametrize("dialect", CALLERS)
# how each publisher's script says that an answer was cut, and withheld


def statuses(served: VertexServed) -> list[int]:
    return [call.status for call in served.calls]


@STREAM
@DIALECT
async def test_thoughts_are_heard_where_they_are_asked_for(vertex: VertexServed, dialect: str, stream: bool) -> None:
    """E8"""
    more = _aloud(dialect, vertex)
    heard = await vertex.ask(dialect, "!think ab\n!say c", thinks=True, stream=stream, more=more)
    assert (heard.thoughts, heard.text) == ("ab", "c")
    quiet = await vertex.ask(dialect, "!think ab\n!say c", stream=stream)
    assert (quiet.thoughts, quiet.text) == ("", "c")


def _aloud(dialect: str, vertex: VertexServed) -> Json:
    """Ask for thoughts as the model wants it of callers whose own words it gets."""
    if dialect == "gemini":
        return {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
    adaptive = {"thinking": {"type": "adaptive", "display": "summarized"}}
    return adaptive if dialect == "anthropic" and vertex.model == NEW_CLAUDE else {}


# errors


@STREAM
@DIALECT
@pytest.mark.parametrize(
    ("model", "error", "status"),
    [
        (GEMINI, "400_invalid_argument", 400),
        (GEMINI, "400_region", 404),
        (GEMINI, "403_permission", 502),
        (GEMINI, "403_service_disabled", 502),
        (GEMINI, "404", 404),
        (GEMINI, "429_quota", 429),
        (CLAUDE, "400_context", 400),
        (CLAUDE, "401_bearer", 502),
        (CLAUDE, "403_vertex", 502),
        (CLAUDE, "404_model", 404),
        (CLAUDE, "413_large", 413),
        (CLAUDE, "429_rate", 429),
    ],
)
async def test_a_refusal_is_a_status_and_never_the_callers_401(
    any_vertex: VertexServed, dialect: str, stream: bool, model: str, error: str, status: int
) -> None:
    """H1, H2, H6"""
    any_vertex.model = model
    wish = Wish(said=[Said(f"!error {error}")], model=model, stream=stream)
    response = await any_vertex.response(dialect, wish)
    assert response.status_code == status, response.text
    assert CALLERS[dialect].whole(response.content).error is not None
    assert ("retry-after" in response.headers) is (error in {"429_quota", "429_rate"})
    assert "ya29" not in response.text
    assert "fake-project-000" not in response.text


@DIALECT
@pytest.mark.parametrize(("model", "error"), [(GEMINI, "503_unavailable"), (CLAUDE, "503_vertex")])
async def test_a_busy_upstream_is_overloaded(
    fake_vertex: FakeVertex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dialect: str, model: str, error: str
) -> None:
    async with before(fake_vertex, tmp_path, monkeypatch, retry={"attempts": 1}) as served:
        wish = Wish(said=[Said(f"!error {error}")], model=model)
        assert (await served.response(dialect, wish)).status_code == (529 if dialect == "anthropic" else 503)


@DIALECT
async def test_a_token_that_ended_is_renewed(vertex: VertexServed, dialect: str) -> None:
    await vertex.ask(dialect, "!say a")
    vertex.vertex.login.expire()
    heard = await vertex.ask(dialect, "!say b")
    assert (heard.text, statuses(vertex)) == ("b", [200, 401, 200])


@DIALECT
async def test_a_dead_login_is_no_fault_of_the_callers(
    fake_vertex: FakeVertex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dialect: str
) -> None:
    """H6"""
    fake_vertex.login.fail(refused("invalid_grant", "Invalid JWT Signature."), 99)
    async with before(fake_vertex, tmp_path, monkeypatch) as served:
        response = await served.response(dialect, Wish(said=[Said("hi")], model=GEMINI))
    assert response.status_code == 502
    assert "gcloud auth application-default login" in response.text


async def test_where_not_to_search_is_told_to_gemini(any_vertex: VertexServed) -> None:
    tool = {"type": "web_search_20250305", "name": "web_search", "blocked_domains": ["a.example"]}
    heard = await any_vertex.ask("anthropic", "!say a", more={"tools": [tool]})
    assert heard.text == "a"
    assert any_vertex.sent["tools"] == [{"googleSearch": {"excludeDomains": ["a.example"]}}]


# what goes to Claude in its own form here


async def test_the_version_stands_in_the_body_and_the_model_in_the_path(any_vertex: VertexServed) -> None:
    any_vertex.model = CLAUDE
    await any_vertex.ask("openai-chat", "!say a")
    (call,) = any_vertex.calls
    assert call.path.endswith(f"/locations/us-central1/publishers/anthropic/models/{CLAUDE}:streamRawPredict")
    assert any_vertex.sent["anthropic_version"] == "vertex-2023-10-16"
    assert "model" not in any_vertex.sent
    assert "anthropic-version" not in call.headers


async def test_betas_stand_in_the_body_as_far_as_they_are_known_there(any_vertex: VertexServed) -> None:
    """Pitfall 24"""
    any_vertex.model = CLAUDE
    body = CALLERS["anthropic"].body(Wish(said=[Said("!say a")], model=CLAUDE))
    betas = "context-1m-2025-08-07,files-api-2025-04-14"
    response = await any_vertex.http.post("/v1/messages", json=body, headers={"anthropic-beta": betas})
    assert response.status_code == 200, response.text
    assert any_vertex.sent["anthropic_beta"] == ["context-1m-2025-08-07"]
    assert "anthropic-beta" not in any_vertex.calls[0].headers


@pytest.mark.parametrize("config", [{}, {"output_config": {"effort": None}}, {"output_config": None}])
async def test_a_schema_in_its_older_place_stands_in_the_newer_one(any_vertex: VertexServed, config: Any) -> None:
    """LiteLLM writes output_format, for which Vertex has no beta (anthropic-sdk-python 1199: it has output_config)."""
    any_vertex.model = CLAUDE
    form = {"type": "json_schema", "schema": {"type": "object", "properties": {}, "additionalProperties": False}}
    body = CALLERS["anthropic"].body(Wish(said=[Said("!say {}")], model=CLAUDE)) | {"output_format": form, **config}
    headers = {"anthropic-beta": "structured-outputs-2025-11-13"}
    response = await any_vertex.http.post("/v1/messages", json=body, headers=headers)
    assert response.status_code == 200, response.text
    assert any_vertex.sent["output_config"] == {"format": form, **(config.get("output_config") or {})}
    assert not {"output_format", "anthropic_beta"} & any_vertex.sent.keys()


async def test_of_two_schemas_none_is_chosen_in_silence(any_vertex: VertexServed) -> None:
    any_vertex.model = CLAUDE
    form = {"type": "json_schema", "schema": {"type": "object", "properties": {}, "additionalProperties": False}}
    body = CALLERS["anthropic"].body(Wish(said=[Said("!say {}")], model=CLAUDE))
    twice = body | {"output_format": form, "output_config": {"format": form}}
    response = await any_vertex.http.post("/v1/messages", json=twice)
    assert response.status_code == 400
    assert "output_format" in response.json()["error"]["message"]


@pytest.mark.parametrize("model", ["claude-sonnet-4-5-20250929", "claude-sonnet-4-5@20250929"])
async def test_a_dated_name_finds_its_model(any_vertex: VertexServed, model: str) -> None:
    any_vertex.model = CLAUDE
    heard = await any_vertex.ask("anthropic", "!say a", model=model)
    assert heard.text == "a"


# what a Gemini caller says to Gemini


@STREAM
async def test_a_callers_own_words_and_the_answer_to_them_pass_as_they_are(
    any_vertex: VertexServed, stream: bool
) -> None:
    body = b'{"contents":  [{"role": "user", "parts": [{"text": "!say a"}]}], "labels": {"team": "a"}}'
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    response = await any_vertex.http.post(f"/v1beta/models/{GEMINI}:{verb}", content=body)
    assert response.status_code == 200, response.text
    assert any_vertex.calls[0].raw == body
    assert any_vertex.calls[0].path.endswith(f"publishers/google/models/{GEMINI}:{verb.partition('?')[0]}")


async def test_what_vertex_does_not_take_of_them_is_mended(any_vertex: VertexServed) -> None:
    """The Gemini API takes a content without a role, and the model once more."""
    body = {"model": f"models/{GEMINI}", "contents": [{"parts": [{"text": "!say a"}]}]}
    response = await any_vertex.http.post(f"/v1beta/models/{GEMINI}:generateContent", json=body)
    assert response.status_code == 200, response.text
    assert any_vertex.sent == {"contents": [{"role": "user", "parts": [{"text": "!say a"}]}]}


async def test_results_that_came_in_another_order_are_those_of_their_calls(any_vertex: VertexServed) -> None:
    """Vertex knows no ids of older models: it goes by the place, and refuses one with another name."""
    named = {"1": "f", "2": "g"}
    calls = [{"functionCall": {"id": id_, "name": name, "args": {}}} for id_, name in named.items()]
    results = [{"functionResponse": {"id": id_, "name": named[id_], "response": {"of": id_}}} for id_ in "21"]
    said = [("user", [{"text": "!say a"}]), ("model", calls), ("user", results)]
    body = {
        "contents": [{"role": role, "parts": parts} for role, parts in said],
        "tools": [{"functionDeclarations": [{"name": name, "description": "d"} for name in named.values()]}],
    }
    response = await any_vertex.http.post(f"/v1beta/models/{OLD_GEMINI}:generateContent", json=body)
    assert response.status_code == 200, response.text
    assert [part["functionResponse"] for part in any_vertex.sent["contents"][-1]["parts"]] == [
        {"name": "f", "response": {"of": "1"}},
        {"name": "g", "response": {"of": "2"}},
    ]


@pytest.mark.parametrize("model", [GEMINI, CLAUDE])
@pytest.mark.parametrize("path", ["/v1/messages/count_tokens", "/v1beta/models/{model}:countTokens"])
async def test_tokens_are_counted_upstream(any_vertex: VertexServed, path: str, model: str) -> None:
    """I1"""
    dialect = "gemini" if "models" in path else "anthropic"
    asked = CALLERS[dialect].body(Wish(said=[Said("hello " * 50)], model=model))
    body = {name: asked[name] for name in ("contents", "messages", "model") if name in asked}
    response = await any_vertex.http.post(path.format(model=model), json=body)
    assert response.status_code == 200, response.text
    assert "x-gateway-token-count" not in response.headers
    assert next(iter(response.json().values())) > 20
