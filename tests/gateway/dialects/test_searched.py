"""What an upstream has searched the web for, whichever it is, as callers of other dialects read it."""

import json
from typing import Any

import pytest
from msgspec import Raw

from gateway import ir
from gateway.dialects import Answering, Dialect
from gateway.dialects.anthropic import Anthropic
from gateway.dialects.gemini.inbound import Gemini
from gateway.dialects.openai_responses import OpenAIResponses
from gateway.dialects.searched import read_queries

GOOGLES = {"webSearchQueries": ["sky", "sea"]}
OPENAIS = {"type": "web_search_call", "action": {"type": "search", "query": "sky"}}
CLAUDES = {"type": "server_tool_use", "name": "web_search", "input": {"query": "sky"}}


def told(kind: str, value: Any, dialect: str = "") -> ir.OpaqueEvent:
    return ir.OpaqueEvent(dialect=dialect, kind=kind, value=Raw(json.dumps(value).encode()))


@pytest.mark.parametrize(
    ("kind", "value", "queries"),
    [
        ("groundingMetadata", GOOGLES, ("sky", "sea")),
        ("groundingMetadata", {"webSearchQueries": 5}, ()),
        ("groundingMetadata", {}, ()),
        ("web_search_call", OPENAIS, ("sky",)),
        ("web_search_call", {"action": {"type": "search", "query": "a", "queries": ["a", "b", "a"]}}, ("a", "b")),
        ("web_search_call", {"action": {"type": "open_page", "url": "https://a.example"}}, ()),
        ("web_search_call", {"action": None}, ()),
        ("server_tool_use", CLAUDES, ("sky",)),
        ("server_tool_use", {"name": "code_execution", "input": {"query": "no"}}, ()),
        ("server_tool_use", [], ()),
        ("file_search_call", {"queries": ["no"]}, ()),
    ],
)
def test_queries(kind: str, value: Any, queries: tuple[str, ...]) -> None:
    assert read_queries([told(kind, value)]) == queries


def test_several_searches_are_told_once_each() -> None:
    sea = {"action": {"query": "sea"}}
    events = [told("web_search_call", OPENAIS), told("web_search_call", sea), told("web_search_call", OPENAIS)]
    assert read_queries(events) == ("sky", "sea")


def answering(stream: bool) -> Answering:
    search = ir.Tool(name="web_search", builtin="web_search")
    request = ir.Request(model="m", turns=(), tools=(search,), stream=stream)
    return Answering(request=request, model="m", id="0f" * 12, created=1, request_id="r", estimate=lambda: 1)


def answer(codec: Dialect, event: ir.OpaqueEvent, *, stream: bool) -> Any:
    """Give what a caller hears of an answer with a search."""
    events: list[ir.Event] = [
        ir.Started(id="r"),
        event,
        ir.BlockStarted(kind="text"),
        ir.TextDelta("blue"),
        ir.BlockEnded(),
        ir.Finished(reason="stop"),
    ]
    if stream:
        return codec.stream_writer(answering(True)).feed(events).decode()
    fold = ir.Fold()
    fold.feed(events)
    return codec.write_whole(fold.reply(), answering(False)).decode()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("kind", "value"), [("web_search_call", OPENAIS), ("server_tool_use", CLAUDES)])
def test_callers_read_what_others_searched_for(kind: str, value: Any, stream: bool) -> None:
    event = told(kind, value, "another")
    assert '"webSearchQueries":["sky"]' in answer(Gemini(), event, stream=stream)
    heard = answer(Anthropic(), event, stream=stream)
    assert '"web_search_requests":1' in heard
    assert ('{\\"query\\":\\"sky\\"}' if stream else '{"query":"sky"}') in heard
    assert '"action":{"type":"search","query":"sky","queries":["sky"]}' in answer(
        OpenAIResponses(), event, stream=stream
    )
