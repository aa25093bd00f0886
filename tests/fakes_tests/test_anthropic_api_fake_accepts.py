"""What the fake of the Anthropic API takes: each case is the other side of a rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes_tests.anthropic_api_bodies import (
    FIVE,
    FOUR_5,
    FOUR_6,
    OBJECT,
    PDF,
    PICTURE,
    SEARCH,
    THINKING,
    TOOL,
    AnthropicClient,
    asking,
    called,
    document,
    image,
    result,
    said,
    user,
)

pytestmark = pytest.mark.anyio

FOUR_7, FOUR_8, FABLE, HAIKU = "claude-opus-4-7", "claude-opus-4-8", "claude-fable-5", "claude-haiku-4-5"
MARK = {"type": "ephemeral"}
LONG = {"type": "ephemeral", "ttl": "1h"}
ADAPTIVE = {"type": "adaptive"}
OFF = {"type": "disabled"}
CLOSED = {**OBJECT, "additionalProperties": False}


def text(words: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **fields}


def marked(count: int) -> list[dict[str, Any]]:
    return [text("x", cache_control=MARK)] * count


def system(words: str) -> dict[str, Any]:
    return {"role": "system", "content": words}


def searched(
    *, call: str = "srvtoolu_1", of: str = "srvtoolu_1", kind: str = "web_fetch_tool_result"
) -> dict[str, Any]:
    error = {"type": f"{kind}_error", "error_code": "unavailable"}
    return said(
        {"type": "server_tool_use", "id": call, "name": "web_fetch", "input": {}},
        {"type": kind, "tool_use_id": of, "content": error},
        "z",
    )


def formed(schema: Any, **fields: Any) -> dict[str, Any]:
    return asking(output_config={"format": {"type": "json_schema", "schema": schema}}, **fields)


def closed(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}, "additionalProperties": False}


TAKEN: dict[str, dict[str, Any]] = {
    "texts": asking(user([text("a"), text("b", cache_control=LONG)]), said("c"), user("d"), system="e"),
    "neighbours of one role": asking("a", "b", said("c"), said("d"), "e"),
    "system after the user": asking("a", system("b"), model=FOUR_8),
    "system between user and model": asking("a", system("b"), said("c"), "d", model=FIVE),
    "continuation": asking("a", said("b")),
    "empty continuation": asking("a", said()),
    "results, then text": asking("a", called("c", "d"), user([*result("d", "c")["content"], text("b")])),
    "result of nothing": asking("a", called("c"), result("c", content="")),
    "result of pictures": asking("a", called("c"), result("c", content=[{"type": "image", "source": PICTURE}])),
    "result that names a tool": asking(
        "a", called("c"), result("c", content=[{"type": "tool_reference", "tool_name": "f"}]), tools=[TOOL]
    ),
    "server's call": asking("a", searched(), "b"),
    "unfinished server's call": asking("a", said(*searched()["content"][:1]), model=FIVE),
    "system after a server's call": asking("a", said(*searched()["content"][:2]), system("b"), model=FIVE),
    "long name of a tool": asking(tools=[{**TOOL, "name": "x" * 128}]),
    "tool that waits": asking(tools=[TOOL, {**TOOL, "name": "g", "defer_loading": True, "type": None}]),
    "tool whose schema has nulls": asking(
        tools=[{**TOOL, "input_schema": {"type": "object", "properties": None, "required": None}}]
    ),
    "strict tool": asking(tools=[{**TOOL, "strict": True, "input_schema": CLOSED}]),
    "server's tools": asking(tools=[SEARCH, {"type": "code_execution_20250825", "name": "code_execution"}]),
    "toolset": asking(tools=[{"type": "browser_toolset_20260801"}], model=FIVE),
    "one tool at a time": asking(tools=[TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
    "forced without thought": asking(tools=[TOOL], tool_choice={"type": "any"}, thinking=OFF),
    "forced, and adaptive": asking(tools=[TOOL], tool_choice={"type": "any"}, thinking=ADAPTIVE, model=FOUR_6),
    "sampling while thinking": asking(top_p=0.95, thinking=THINKING),
    "temperature while thinking": asking(temperature=1, thinking=THINKING),
    "a call without a thought, adaptively": asking(
        "a", called("c"), result("c"), thinking=ADAPTIVE, model=FOUR_6, tools=[TOOL]
    ),
    "an older call without a thought": asking("a", called("c"), result("c"), said("b"), "d", thinking=THINKING),
    "usual temperature of a newer model": asking(model=FIVE, temperature=1),
    "effort": asking(model=FIVE, output_config={"effort": "xhigh"}, thinking=ADAPTIVE),
    "low effort without thought": asking(model=FIVE, output_config={"effort": "high"}, thinking=OFF),
    "four marks": asking(user(marked(1)), system=marked(3)),
    "no output": asking(max_tokens=0),
    "most output": asking(max_tokens=64_000),
    "schema": formed(closed({"type": "array", "items": CLOSED, "minItems": 1})),
    "document": asking(document(PDF, title="t", context="c", citations={"enabled": True})),
    "document of text": asking(document({"type": "text", "media_type": "text/plain", "data": "x"})),
    "document of content": asking(document({"type": "content", "content": [{"type": "image", "source": PICTURE}]})),
    "document by its address": asking(document({"type": "url", "url": "https://example.com/a.pdf"})),
    "picture by its address": asking(user([{"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}])),
    "picture by its id": asking(user([{"type": "image", "source": {"type": "file", "file_id": "file_1"}}])),
    "search result": asking(
        user([{"type": "search_result", "source": "x", "title": "y", "content": [text("z")]}]), model=HAIKU
    ),
    "everything beside": asking(
        metadata={"user_id": "u"},
        service_tier="auto",
        stop_sequences=["x"],
        container="c",
        inference_geo="eu",
        diagnostics={},
        speed="standard",
        top_k=5,
    ),
}


@pytest.mark.parametrize("name", TAKEN)
async def test_taken(anthropic: AnthropicClient, name: str) -> None:
    status, answer = await anthropic.call("/v1/messages", TAKEN[name])
    assert (status, answer.get("type")) == (200, "message"), answer


@pytest.mark.parametrize(
    ("directives", "kind"), [("!think hmm", "thinking"), ("!redacted hmm", "redacted_thinking"), ("!search x", "text")]
)
async def test_what_was_sealed_comes_back_as_it_was(anthropic: AnthropicClient, directives: str, kind: str) -> None:
    asked = asking(f"{directives}\n!say done", thinking=THINKING)
    _, answer = await anthropic.call("/v1/messages", asked)
    assert kind in [block["type"] for block in answer["content"]]
    again = [*asked["messages"], {"role": "assistant", "content": answer["content"]}, user("b")]
    assert (await anthropic.ask(*again, thinking=THINKING))[0] == 200


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("image/png", PICTURE["data"]),
        ("image/jpeg", "/9j/4AAQ"),
        ("image/gif", "R0lGODlh"),
        ("image/webp", "UklGRgAAAABXRUJQ"),
    ],
)
async def test_pictures_are_known_by_their_first_bytes(anthropic: AnthropicClient, kind: str, data: str) -> None:
    assert (await anthropic.ask(image(media_type=kind, data=data)))[0] == 200
    other = "image/gif" if kind == "image/png" else "image/png"
    words = await anthropic.refusal(asking(image(media_type=other, data=data)))
    assert words.endswith(f"the {other} media type, but the image appears to be a {kind} image")


async def test_a_loop_of_tools_begins_with_its_thought(anthropic: AnthropicClient) -> None:
    first = user("!tool f {}\n!then\n!tool f {}\n!then\n!say done")
    fields: dict[str, Any] = {"thinking": THINKING, "tools": [TOOL]}
    _, one = await anthropic.ask(first, **fields)
    assert [block["type"] for block in one["content"]] == ["thinking", "tool_use"]
    talk = [first, said(*one["content"]), result(one["content"][-1]["id"])]
    _, two = await anthropic.ask(*talk, **fields)
    assert [block["type"] for block in two["content"]] == ["tool_use"]
    talk += [said(*two["content"]), result(two["content"][-1]["id"])]
    _, three = await anthropic.ask(*talk, **fields)
    assert three["content"] == [{"type": "text", "text": "done"}]
    assert three["model"].startswith(FOUR_5)
