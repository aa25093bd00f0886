"""Marks for the prompt cache on their way to every upstream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway import ir
from gateway.dialects.anthropic import Anthropic
from gateway.dialects.anthropic.outbound_request import AnthropicTarget
from gateway.dialects.anthropic.outbound_request import write_request as to_anthropic
from gateway.dialects.gemini.request import GeminiTarget
from gateway.dialects.gemini.request import write_request as to_gemini
from gateway.dialects.openai_chat import OpenAIChat
from gateway.dialects.openai_chat.outbound_request import write_request as to_chat
from gateway.dialects.openai_responses import OpenAIResponses
from gateway.dialects.openai_responses.outbound_request import write_request as to_responses
from gateway.dialects.outbound import Marking, OpenAITarget, OpenAIWritten
from gateway.routes import match

Json = dict[str, Any]

MARK: Json = {"cache_control": {"type": "ephemeral"}}
HOUR: Json = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
F: Json = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
CALLED: Json = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def chat(*messages: Json, **fields: Any) -> ir.Request:
    body = json.dumps({"model": "m", "messages": list(messages), **fields}).encode()
    return OpenAIChat().read_request(body, route=match("POST", "/v1/chat/completions", {}))


def responses(*items: Json, **fields: Any) -> ir.Request:
    body = json.dumps({"model": "m", "input": list(items), **fields}).encode()
    return OpenAIResponses().read_request(body, route=match("POST", "/v1/responses", {}))


def text(words: str, **mark: Any) -> Json:
    return {"type": "text", "text": words, **mark}


def written(request: ir.Request) -> tuple[Any, list[str]]:
    """Give the body for Claude, and the marks that are told to be lost."""
    answer = to_anthropic(request, AnthropicTarget(model="claude-sonnet-4-5"))
    assert all(loss.severity == "hint" for loss in answer.losses)
    return json.loads(json.dumps(answer.body, default=lambda raw: json.loads(bytes(raw)))), [
        loss.path for loss in (*request.losses, *answer.losses)
    ]


def test_marks_of_parts_instructions_and_tools_go_to_claude() -> None:
    body, lost = written(
        chat(
            {"role": "system", "content": [text("Long rules.", **HOUR)]},
            {"role": "user", "content": [text("a"), text("b", **MARK)]},
            tools=[F | HOUR],
        )
    )
    assert body["tools"][0]["cache_control"] == HOUR["cache_control"]
    assert body["system"] == [text("Long rules.", **HOUR)]
    assert body["messages"][0]["content"] == [text("a"), text("b", **MARK)]
    assert lost == []


@pytest.mark.parametrize(
    ("message", "blocks"),
    [
        ({"role": "user", "content": "a"}, [text("a", **MARK)]),
        ({"role": "user", "content": [text("a"), text("b")]}, [text("a"), text("b", **MARK)]),
        (
            {"role": "assistant", "content": "a", "tool_calls": [CALLED]},
            [text("a"), {"type": "tool_use", "id": "c1", "name": "f", "input": {}, **MARK}],
        ),
    ],
)
def test_the_mark_of_a_message_stands_on_its_last_block(message: Json, blocks: list[Json]) -> None:
    body, lost = written(
        chat({"role": "user", "content": "go"}, {"role": "assistant", "content": "so"}, message | MARK)
    )
    found = [one["content"] for one in body["messages"] if MARK.items() <= one["content"][-1].items()]
    assert [content[-len(blocks) :] for content in found] == [blocks]
    assert lost == []


def test_the_mark_of_a_tools_message_stands_on_the_result() -> None:
    asked = {"role": "assistant", "content": None, "tool_calls": [CALLED]}
    result = {"role": "tool", "tool_call_id": "c1", "content": "done", **MARK}
    body, lost = written(chat({"role": "user", "content": "go"}, asked, result))
    (block,) = body["messages"][-1]["content"]
    assert (block["type"], block["cache_control"], lost) == ("tool_result", MARK["cache_control"], [])


def test_a_picture_may_be_marked() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, **MARK}
    body, lost = written(chat({"role": "user", "content": [picture]}))
    assert (body["messages"][0]["content"][0]["cache_control"], lost) == (MARK["cache_control"], [])


@pytest.mark.parametrize(
    ("given", "ttl", "lost"), [({}, None, []), ({"ttl": "30m"}, "1h", []), ({"ttl": "12h"}, "1h", ["ttl"])]
)
def test_openai_s_own_mark_is_one_too(given: Json, ttl: str | None, lost: list[str]) -> None:
    part = {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", **given}}
    body, told = written(responses({"role": "user", "content": [part]}))
    wanted = {"type": "ephemeral"} | ({"ttl": ttl} if ttl else {})
    assert body["messages"][0]["content"] == [text("a", cache_control=wanted)]
    assert told == [f"input[0].content[0].prompt_cache_breakpoint.{name}" for name in lost]


def test_an_hour_behind_five_minutes_becomes_five_minutes() -> None:
    body, lost = written(
        chat(
            {"role": "user", "content": [text("a", **HOUR), text("b", **MARK), text("c", **HOUR), text("d", **HOUR)]},
        )
    )
    assert body["messages"][0]["content"] == [
        text("a", **HOUR),
        text("b", **MARK),
        text("c", **MARK),
        text("d", **MARK),
    ]
    assert lost == [f"messages[0].content[{place}].cache_control.ttl" for place in (2, 3)]


def test_of_more_than_four_marks_the_last_four_go_on() -> None:
    """Pitfall 17: what is too much is left out, and told."""
    body, lost = written(chat({"role": "user", "content": [text(word, **MARK) for word in "abcde"]}, tools=[F | MARK]))
    assert [one["text"] for one in body["messages"][0]["content"] if "cache_control" in one] == ["b", "c", "d", "e"]
    assert "cache_control" not in body["tools"][0]
    assert lost == ["tools[0].cache_control", "messages[0].content[0].cache_control"]


@pytest.mark.parametrize(
    ("message", "lost"),
    [
        ({"role": "user", "content": [text("a"), text("", **MARK)]}, "messages[0].content[1].cache_control"),
        ({"role": "user", "content": [text("a"), text(" ", **MARK)]}, "messages[0].content[1].cache_control"),
        ({"role": "user", "content": [text("a", **MARK)], **HOUR}, "messages[0].cache_control"),
        (
            {"role": "user", "content": [text("a", cache_control={"type": "ephemeral", "x": 1})]},
            "messages[0].content[0].cache_control.x",
        ),
        (
            {"role": "user", "content": [text("a", cache_control={"type": "other"})]},
            "messages[0].content[0].cache_control",
        ),
    ],
)
def test_a_mark_that_cannot_be_set_is_told(message: Json, lost: str) -> None:
    assert written(chat(message))[1] == [lost]


def test_the_mark_of_a_moved_instruction_is_told() -> None:
    rule = {"role": "system", "content": [text("Now.", **MARK)]}
    body, lost = written(chat({"role": "user", "content": "a"}, rule, {"role": "user", "content": "b"}))
    assert body["system"] == [text("Now.")]
    assert "messages[1].content[0].cache_control" in lost


def test_thoughts_are_never_marked() -> None:
    """Pitfall 17: Anthropic refuses marks there; the message's goes to the words."""
    block = {"type": "thinking", "thinking": "hm", "signature": ir.seal(ir.Signature("claude", "EqQB"))}
    said = {"role": "assistant", "content": "a", "thinking_blocks": [block], **MARK}
    request = chat({"role": "user", "content": "go"}, said, {"role": "user", "content": "on"}, reasoning_effort="high")
    body, _ = written(request)
    assert ["cache_control" in one for one in body["messages"][1]["content"]] == [False, True]


def test_no_other_upstream_gets_a_mark_and_each_loss_is_told() -> None:
    """Pitfall 16: no such key remains at any depth."""
    request = chat({"role": "user", "content": [text("a", **MARK)]}, tools=[F | MARK])
    told = {"tools[0].cache_control": "hint", "messages[0].content[0].cache_control": "hint"}
    assert request.losses == ()
    for answer in (
        to_gemini(request, GeminiTarget(model="gemini-3-flash", family="gemini")),
        to_gemini(request, GeminiTarget(model="claude-opus-4-6-thinking", family="claude")),
        to_chat(request, OpenAITarget(model="gpt-5.2")),
        to_responses(request, OpenAITarget(model="gpt-5.2")),
    ):
        assert {loss.path: loss.severity for loss in answer.losses} == told
        assert "cache_control" not in json.dumps(answer.body, default=lambda raw: json.loads(bytes(raw)))


# towards servers that speak OpenAI's API

POINT: Json = {"prompt_cache_breakpoint": {"mode": "explicit"}}
ROUTED = "anthropic/claude-sonnet-4.5"


def messages(*given: Json, **fields: Any) -> ir.Request:
    body = json.dumps({"model": "m", "max_tokens": 99, "messages": list(given), **fields}).encode()
    return Anthropic().read_request(body, route=match("POST", "/v1/messages", {}))


def sent(answer: OpenAIWritten) -> Any:
    return json.loads(json.dumps(answer.body, default=lambda raw: json.loads(bytes(raw))))


def marking(model: str = "gpt-5.6", marks: Marking = "breakpoint") -> OpenAITarget:
    return OpenAITarget(model=model, marks=marks)


def test_claude_code_s_marks_are_openai_s_breakpoints_in_chat() -> None:
    """By the types of openai 3.57: parts of texts, pictures and files have one, calls and tools do not."""
    called = {"type": "tool_use", "id": "c1", "name": "f", "input": {}, **MARK}
    done = {"type": "tool_result", "tool_use_id": "c1", "content": "done", **MARK}
    request = messages(
        {"role": "user", "content": [text("a"), text("b", **MARK)]},
        {"role": "assistant", "content": [called]},
        {"role": "user", "content": [done]},
        system=[text("Rules."), text("More.", **MARK)],
        tools=[{"name": "f", "input_schema": {"type": "object", "properties": {}}, **MARK}],
    )
    answer = to_chat(request, marking())
    system, user, _, result = sent(answer)["messages"]
    assert system == {"role": "system", "content": [text("Rules."), text("More.", **POINT)]}
    assert user == {"role": "user", "content": [text("a"), text("b", **POINT)]}
    assert result["content"] == [text("done", **POINT)]
    assert {loss.path: loss.severity for loss in answer.losses} == {
        "tools[0].cache_control": "hint",
        "messages[1].content[0].cache_control": "hint",
    }


def test_claude_code_s_marks_are_openai_s_breakpoints_in_responses() -> None:
    """`instructions` is a text, which has none: then the system's words lead the input."""
    done = {"type": "tool_result", "tool_use_id": "c1", "content": "done", **MARK}
    request = messages(
        {"role": "user", "content": [text("a", **MARK)]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
        {"role": "user", "content": [done]},
        system=[text("Rules.", **MARK)],
    )
    answer = to_responses(request, marking())
    body = sent(answer)
    assert "instructions" not in body
    system, user, _, result = body["input"]
    said = {"type": "input_text", **POINT}
    assert (system["role"], system["content"]) == ("system", [said | {"text": "Rules."}])
    assert user["content"] == [said | {"text": "a"}]
    assert result["output"] == [said | {"text": "done"}]
    assert answer.losses == ()


def test_unmarked_instructions_stay_instructions() -> None:
    request = messages({"role": "user", "content": [text("a", **MARK)]}, system="Rules.")
    assert sent(to_responses(request, marking()))["instructions"] == "Rules."
    assert sent(to_chat(request, marking()))["messages"][0]["content"] == "Rules."


@pytest.mark.parametrize("ttl", [{}, {"ttl": "30m"}, {"ttl": "12h"}])
@pytest.mark.parametrize("options", [{"mode": "explicit"}, {"mode": "explicit", "ttl": "12h"}])
def test_openai_s_own_marks_go_between_its_apis(ttl: Json, options: Json) -> None:
    point = {"prompt_cache_breakpoint": {"mode": "explicit", **ttl}}
    there = to_responses(
        chat({"role": "user", "content": [text("a", **point)]}, prompt_cache_options=options), marking()
    )
    back = to_chat(
        responses(
            {"role": "user", "content": [{"type": "input_text", "text": "a", **point}]}, prompt_cache_options=options
        ),
        marking(),
    )
    assert sent(there)["input"][0]["content"] == [{"type": "input_text", "text": "a", **point}]
    assert sent(back)["messages"][0]["content"] == [text("a", **point)]
    assert sent(there)["prompt_cache_options"] == options
    # by the types of openai 3.57 a request of Chat Completions has 30 minutes only
    lost = ["prompt_cache_options"] if "ttl" in options else []
    assert [loss.path for loss in (*there.losses, *back.losses)] == lost
    assert ("prompt_cache_options" in sent(back)) is not bool(lost)


def test_a_lifetime_that_openai_does_not_have_is_told() -> None:
    request = messages({"role": "user", "content": [text("a", **HOUR)]})
    answer = to_chat(request, marking())
    assert sent(answer)["messages"][0]["content"] == [text("a", **POINT)]
    assert [loss.path for loss in answer.losses] == ["messages[0].content[0].cache_control.ttl"]


@pytest.mark.parametrize(
    ("model", "mark", "lost"),
    [
        (ROUTED, HOUR, []),
        ("google/gemini-3-pro", MARK, ["ttl"]),
        ("qwen/qwen3-max", MARK, ["ttl"]),
        ("openai/gpt-5.6", POINT, ["ttl"]),
    ],
)
def test_a_router_of_chats_is_told_as_each_model_wants_it(model: str, mark: Json, lost: list[str]) -> None:
    """OpenRouter, on prompt caching: cache_control on parts for Claude, Gemini and Qwen; OpenAI's own for GPT-5.6."""
    answer = to_chat(messages({"role": "user", "content": [text("a", **HOUR)]}), marking(model, "control"))
    assert sent(answer)["messages"][0]["content"] == [text("a", **mark)]
    assert [loss.path.rpartition(".")[2] for loss in answer.losses] == lost


@pytest.mark.parametrize(
    ("model", "marks"),
    [("gpt-5.5", "breakpoint"), ("gpt-5.6", ""), ("moonshotai/kimi-k2", "control"), (ROUTED, "breakpoint")],
)
def test_who_takes_no_marks_gets_plain_texts(model: str, marks: Marking) -> None:
    request = messages({"role": "user", "content": [text("a", **MARK)]}, system=[text("Rules.", **MARK)])
    answer = to_chat(request, marking(model, marks))
    assert [one["content"] for one in sent(answer)["messages"]] == ["Rules.", "a"]
    assert len(answer.losses) == 2


def test_a_router_s_responses_have_openai_s_marks_only() -> None:
    request = messages({"role": "user", "content": [text("a", **MARK)]})
    assert "cache" not in json.dumps(sent(to_responses(request, marking(ROUTED, "control")))["input"])
    assert "breakpoint" in json.dumps(sent(to_responses(request, marking("openai/gpt-5.6", "control")))["input"])
