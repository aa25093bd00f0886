"""What a Messages request says and nothing carries is told by its path."""

from __future__ import annotations

from typing import Any

import pytest

from gateway import ir

from .asking import lost, read

Json = dict[str, Any]

AT = "messages[0].content[0]"
PNG = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
F = {"name": "f", "input_schema": {"type": "object"}}
FORMAT = {"type": "json_schema", "schema": {}}
CARRIER = {"type": "thinking", "thinking": "", "signature": ir.seal(ir.Signature("gemini", "R0VN", "f"))}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}


def said(*blocks: Json, role: str = "user") -> list[str]:
    return lost(read(messages=[{"role": role, "content": list(blocks)}]))


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"messages": [{"role": "user", "content": "hi", "new": 1}]}, "messages[0].new"),
        ({"metadata": {"user_id": "u", "new": 1}}, "metadata.new"),
        ({"thinking": {"type": "adaptive", "new": 1}}, "thinking.new"),
        ({"output_config": {"new": 1}}, "output_config.new"),
        ({"output_config": {"format": {**FORMAT, "new": 1}}}, "output_config.format.new"),
        ({"output_format": {**FORMAT, "new": 1}}, "output_format.new"),
        ({"tools": [F], "tool_choice": {"type": "auto", "new": 1}}, "tool_choice.new"),
    ],
)
def test_an_unknown_field_at_any_depth(fields: Json, path: str) -> None:
    assert lost(read(**fields)) == [path]


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ({**PNG, "new": 1}, ["new"]),
        ({**PNG, "url": "https://a.example/x.png"}, ["url"]),
        ({"type": "url", "url": "https://a.example/x.png", "media_type": "image/png"}, ["media_type"]),
        (PNG, []),
    ],
)
def test_a_source_reads_what_its_type_says(source: Json, paths: list[str]) -> None:
    assert said({"type": "image", "source": source}) == [f"{AT}.source.{path}" for path in paths]


@pytest.mark.parametrize(("kind", "paths"), [("text/plain", []), ("text/html", ["media_type"])])
def test_a_document_of_words_is_plain(kind: str, paths: list[str]) -> None:
    source = {"type": "text", "media_type": kind, "data": "words"}
    assert said({"type": "document", "source": source}) == [f"{AT}.source.{path}" for path in paths]


def test_a_damaged_signature_is_told() -> None:
    block = {"type": "thinking", "thinking": "hm", "signature": "gw1.c.t.AAAA.00000000"}
    assert said(block, role="assistant") == [f"{AT}.signature"]


def test_a_signature_that_no_call_takes_is_told() -> None:
    assert said(CARRIER, USE, role="assistant") == []
    assert said(CARRIER, {"type": "text", "text": "a"}, role="assistant") == [f"{AT}.signature"]
    assert said(CARRIER, CARRIER, USE, role="assistant") == [f"{AT}.signature"]


def test_where_thoughts_and_signatures_stood_goes_with_the_turn() -> None:
    blocks = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}, CARRIER, USE]
    (turn,) = read(messages=[{"role": "assistant", "content": blocks}]).turns
    assert turn.places == (("messages[0].content[0]",), (), ("messages[0].content[2]",))


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"output_format": FORMAT, "output_config": {"format": FORMAT}}, ["output_format"]),
        ({"thinking": {"type": "adaptive", "budget_tokens": 2000}}, ["thinking.budget_tokens"]),
        ({"thinking": {"type": "disabled", "display": "omitted"}}, ["thinking.display"]),
        ({"tool_choice": {"type": "any"}}, ["tool_choice"]),
        ({"tools": [{"type": "web_search_20250305", "name": "find"}]}, ["tools[0].name"]),
        (
            {
                "tools": [
                    {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25", "cache_control": {}}
                ]
            },
            ["tools[0].type", "tools[0].cache_control"],
        ),
    ],
)
def test_options_that_say_nothing_here(fields: Json, paths: list[str]) -> None:
    assert lost(read(**fields)) == paths


@pytest.mark.parametrize(
    ("fields", "name", "path"),
    [
        ({}, "stop", "stop_sequences"),
        ({}, "user", "metadata.user_id"),
        ({"output_config": {"format": FORMAT}}, "schema", "output_config.format.schema"),
        ({"output_format": FORMAT}, "schema", "output_format.schema"),
        ({"output_format": FORMAT}, "response_format", "output_format"),
        ({"output_config": {"effort": "low"}}, "thinking", "output_config.effort"),
        ({"output_config": {"effort": "low"}, "thinking": {"type": "adaptive"}}, "thinking", "output_config.effort"),
        ({"output_config": {"effort": "low"}, "thinking": {"type": "enabled", "budget_tokens": 9}}, "thinking", None),
        ({"thinking": {"type": "adaptive"}}, "thinking", None),
    ],
)
def test_the_callers_own_names_go_along(fields: Json, name: str, path: str | None) -> None:
    assert read(**fields).paths.get(name) == path
