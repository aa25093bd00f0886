"""What is said of a web search goes to each upstream that can be told it; of what it cannot be told one reads."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from gateway.routes import DialectName
from tests.translating import Sent, Upstreams

Json = dict[str, Any]

PLACE: Final = {"city": "Rome", "region": "Lazio", "country": "IT", "timezone": "Europe/Rome"}
PLACED: Final = {"type": "approximate", **PLACE}
DOMAINS: Final = ["a.example", "b.example"]
HI: Final = [{"role": "user", "content": "hi"}]
REQUESTS: Final[dict[DialectName, Json]] = {
    "openai-chat": {
        "model": "m",
        "messages": HI,
        "web_search_options": {
            "search_context_size": "high",
            "user_location": {"type": "approximate", "approximate": PLACE},
        },
    },
    "openai-responses": {
        "model": "m",
        "input": "hi",
        "tools": [
            {
                "type": "web_search",
                "filters": {"allowed_domains": DOMAINS},
                "search_context_size": "high",
                "user_location": PLACED,
            }
        ],
    },
    "anthropic": {
        "model": "m",
        "max_tokens": 64,
        "messages": HI,
        "tools": [
            {
                "type": "web_search_20250305",
                "name": "web_search",
                "allowed_domains": DOMAINS,
                "max_uses": 3,
                "user_location": PLACED,
            }
        ],
    },
    "gemini": {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "tools": [{"googleSearch": {"excludeDomains": DOMAINS}}],
    },
}
CLAUDE: Final = {"type": "web_search_20250305", "name": "web_search"}
GPT: Final = {"type": "web_search"}


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory: pytest.TempPathFactory) -> Upstreams:
    """Translate as one gateway does."""
    return Upstreams(str(tmp_path_factory.mktemp("data")))


@pytest.mark.parametrize(
    ("dialect", "target", "tool", "lost"),
    [
        ("openai-chat", "openai responses", {**GPT, "search_context_size": "high", "user_location": PLACED}, []),
        ("openai-chat", "anthropic", {**CLAUDE, "user_location": PLACED}, ["search_context_size"]),
        ("openai-chat", "gemini Gemini 3", {"googleSearch": {}}, ["search_context_size", "user_location"]),
        (
            "openai-responses",
            "anthropic",
            {**CLAUDE, "allowed_domains": DOMAINS, "user_location": PLACED},
            ["search_context_size"],
        ),
        (
            "openai-responses",
            "v1internal Gemini 3",
            {"googleSearch": {"includedDomains": DOMAINS}},
            ["search_context_size", "user_location"],
        ),
        (
            "anthropic",
            "openai responses",
            {**GPT, "filters": {"allowed_domains": DOMAINS}, "user_location": PLACED},
            ["max_uses"],
        ),
        (
            "anthropic",
            "vertex Gemini 3",
            {"googleSearch": {}},
            ["allowed_domains", "max_uses", "user_location"],
        ),
        ("gemini", "anthropic", {**CLAUDE, "blocked_domains": DOMAINS}, []),
        ("gemini", "openai responses", GPT, ["excludeDomains"]),
    ],
)
def test_what_is_said_of_a_search(
    upstreams: Upstreams, dialect: DialectName, target: str, tool: Json, lost: list[str]
) -> None:
    body, sent = sent_to(upstreams, target, dialect)
    assert body.get("request", body)["tools"] == [tool]
    options = [loss for loss in sent.losses if "tools" in loss.path or "web_search" in loss.path]
    assert sorted(loss.path.rpartition(".")[2] for loss in options) == sorted(lost)
    assert {loss.severity for loss in options if loss.path.endswith("Domains")} <= {"change"}


@pytest.mark.parametrize(
    ("dialect", "tool"),
    [
        ("anthropic", {**CLAUDE, "allowed_domains": [], "blocked_domains": []}),
        ("openai-responses", {**GPT, "filters": {"allowed_domains": []}}),
    ],
)
def test_nothing_is_lost_with_a_list_of_no_domains(upstreams: Upstreams, dialect: DialectName, tool: Json) -> None:
    body, sent = sent_to(upstreams, "gemini Gemini 3", dialect, tools=[tool])
    assert body["tools"] == [{"googleSearch": {}}]
    assert {loss.severity for loss in sent.losses} == {"hint"}


def test_domains_that_are_left_out_are_left_out_on_vertex_too(upstreams: Upstreams) -> None:
    tool = CLAUDE | {"blocked_domains": DOMAINS}
    body, _ = sent_to(upstreams, "vertex Gemini 3", "anthropic", tools=[tool])
    assert body["tools"] == [{"googleSearch": {"excludeDomains": DOMAINS}}]


def test_a_search_of_some_domains_is_still_a_search_alone(upstreams: Upstreams) -> None:
    body, _ = sent_to(upstreams, "v1internal Gemini 3", "openai-responses")
    assert body["requestType"] == "web_search"


@pytest.mark.parametrize(
    ("dialect", "changed"),
    [
        ("openai-chat", {"web_search_options": {"search_context_size": "vast"}}),
        ("openai-chat", {"web_search_options": {"user_location": {"type": "approximate"}}}),
        ("openai-responses", {"tools": [{**GPT, "filters": {"allowed_domains": "a.example"}}]}),
        ("openai-responses", {"tools": [{**GPT, "user_location": "Rome"}]}),
        ("anthropic", {"tools": [{**CLAUDE, "max_uses": "3"}]}),
        ("anthropic", {"tools": [{**CLAUDE, "user_location": {"type": "exact"}}]}),
        ("gemini", {"tools": [{"googleSearch": {"excludeDomains": 1}}]}),
    ],
)
def test_an_option_of_the_wrong_form_is_refused(upstreams: Upstreams, dialect: DialectName, changed: Json) -> None:
    assert not isinstance(upstreams.send(dialect, "vertex Claude", REQUESTS[dialect] | changed, own=False), Sent)


def sent_to(upstreams: Upstreams, target: str, dialect: DialectName, **changed: object) -> tuple[Json, Sent]:
    """Translate a request; give the body and all that is known of it."""
    sent = upstreams.send(dialect, target, REQUESTS[dialect] | changed)
    assert isinstance(sent, Sent), sent
    return json.loads(sent.body), sent


NAMESAKE: Final = {"name": "web_search", "parameters": {"type": "object"}}
NAMESAKES: Final[dict[DialectName, Json]] = {
    "openai-chat": {
        "model": "m",
        "messages": HI,
        "tools": [{"type": "function", "function": NAMESAKE}],
        "web_search_options": {},
        "tool_choice": {"type": "function", "function": {"name": "web_search"}},
    },
    "openai-responses": {
        "model": "m",
        "input": "hi",
        "tools": [{"type": "web_search"}, {"type": "function", **NAMESAKE}],
        "tool_choice": {"type": "function", "name": "web_search"},
    },
    "gemini": {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "tools": [{"googleSearch": {}}, {"functionDeclarations": [{"name": "web_search"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["web_search"]}},
    },
}


@pytest.mark.parametrize("dialect", NAMESAKES)
def test_a_function_may_be_called_as_a_service_is(upstreams: Upstreams, dialect: DialectName) -> None:
    """OpenAI and Google tell them apart by their kind; at Anthropic a tool has one name, and the function keeps it."""
    found = {
        target: upstreams.send(dialect, target, NAMESAKES[dialect], own=False)
        for target in ("gemini Gemini 3", "openai responses", "anthropic")
    }
    assert all(isinstance(sent, Sent) for sent in found.values()), found
    google, openai, claude = (json.loads(sent.body) for sent in found.values() if isinstance(sent, Sent))
    declared, search = google["tools"]
    assert ([one["name"] for one in declared["functionDeclarations"]], search) == (["web_search"], {"googleSearch": {}})
    assert google["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == ["web_search"]
    assert sorted(tool["type"] for tool in openai["tools"]) == ["function", "web_search"]
    assert openai["tool_choice"] == {"type": "function", "name": "web_search"}
    assert [tool.get("type", "custom") for tool in claude["tools"]] == ["custom"]
    assert claude["tool_choice"] == {"type": "tool", "name": "web_search"}
    last = found["anthropic"]
    assert isinstance(last, Sent)
    assert "another tool is also called web_search" in [loss.reason for loss in last.losses]
