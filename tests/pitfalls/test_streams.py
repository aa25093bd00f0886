"""Streaming: blocks, calls and their order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.automata import Heard
from tests.conformance.openai_api import ENDS
from tests.conformance.replies import FC, T, Th, chunk, usage
from tests.conformance.served import events, values
from tests.gateway.dialects.anthropic.reader import content, parse
from tests.gateway.dialects.openai_responses.responses import Stream
from tests.pitfalls.chunks import called, calling, delta, frame
from tests.pitfalls.gateways import (
    ALL,
    CHAT_FORM,
    DIALECTS,
    GOOGLE,
    OPENAI,
    THINKING,
    TRANSLATING,
    At,
    each,
)
from tests.pitfalls.sdks import chunks_of, message_of, response_of

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

DIALECT = pytest.mark.parametrize("dialect", DIALECTS)
TRANSLATED = pytest.mark.parametrize("dialect", TRANSLATING)


async def blocks_of(at: At, **wish: Any) -> list[Json]:
    """Stream a message, and give its events."""
    response = await at.response("anthropic", stream=True, **wish)
    assert response.status_code == 200, response.text
    return parse(response.content)


def calls_of(heard: Heard) -> list[tuple[str, Any]]:
    return [(call.name, call.arguments) for call in heard.calls]


@each(*GOOGLE)
async def test_pitfall_01_arguments_come_as_input_json_deltas(at: At) -> None:
    """The pieces are the object of the answer that does not stream, as the SDK reads them, too."""
    at.push(*['!tool add {"a": 1}'] * 3)
    told = await blocks_of(at, tools=["add"])
    pieces = [one["delta"]["partial_json"] for one in told if one.get("delta", {}).get("type") == "input_json_delta"]
    assert json.loads("".join(pieces)) == {"a": 1}
    whole = await at.ask("anthropic", tools=["add"])
    assert calls_of(whole) == [("add", {"a": 1})]
    (use,) = [block for block in (await message_of(at, tools=["add"])).content if block.type == "tool_use"]
    assert (use.name, use.input) == ("add", {"a": 1})


@pytest.mark.parametrize("stream", [True, False])
@TRANSLATED
@each(*GOOGLE)
async def test_pitfall_02_stop_after_a_call_is_a_tool_turn(at: At, dialect: str, stream: bool) -> None:
    at.play(chunk(T("ok")), chunk(FC("f", {"a": 1})), chunk(T(""), fin="STOP"))
    heard = await at.ask(dialect, stream=stream, tools=["f"])
    assert (heard.finish, calls_of(heard)) == (ENDS[dialect][1], [("f", {"a": 1})])


@pytest.mark.parametrize("names", [("f", "f", "f"), ("f", "g", "h")])
@each(*GOOGLE)
async def test_pitfall_03_calls_in_three_chunks_are_three_calls(at: At, names: tuple[str, ...]) -> None:
    at.play(*(chunk(FC(name, {"a": place})) for place, name in enumerate(names)), chunk(T(""), fin="STOP"))
    found: dict[int, Json] = {}
    for one in await chunks_of(at, tools=["f", "g", "h"]):
        for call in one.choices[0].delta.tool_calls or ():
            assert call.function is not None
            known = found.setdefault(call.index, {"id": call.id, "name": call.function.name, "arguments": ""})
            known["arguments"] += call.function.arguments or ""
    assert list(found) == [0, 1, 2]
    assert len({one["id"] for one in found.values()}) == 3
    assert [(one["name"], json.loads(one["arguments"])) for one in found.values()] == [
        (name, {"a": place}) for place, name in enumerate(names)
    ]


@each(*CHAT_FORM)
async def test_pitfall_04_only_done_ends_a_response_with_all_its_events(at: At) -> None:
    at.play(delta(role="assistant"), delta(content="ok"))
    stream = Stream((await at.response("openai-responses", stream=True)).content)
    assert stream.status == "completed"
    for name in ("output_text.done", "content_part.done", "output_item.done", "completed"):
        assert stream.names.count(name) == 1
    at.play(delta(role="assistant"), delta(content="ok"))
    assert (await response_of(at)).output_text == "ok"


@each(*ALL)
async def test_pitfall_05_a_completed_response_holds_what_was_streamed(at: At) -> None:
    at.push(*['!say ok\n!tool f {"a": 1}'] * 2)
    stream = Stream((await at.response("openai-responses", stream=True, tools=["f"])).content)
    assert [event["item"] for event in stream.named("output_item.done")] == stream.output
    assert [one["type"] for one in stream.output if one["type"] != "reasoning"] == ["message", "function_call"]
    told = await response_of(at, tools=["f"])
    assert [one.type for one in told.output if one.type != "reasoning"] == ["message", "function_call"]


THOUGHT_CALL = (delta(reasoning_content="hm"), called("f", "{}"), delta("tool_calls"))


@each(*THINKING, "responses", *CHAT_FORM)
async def test_pitfall_07_a_thought_and_a_call_have_the_numbers_0_and_1(at: At) -> None:
    script_thought_and_call(at)
    told = await blocks_of(at, thinks=True, tools=["f"], model=reasoner(at))
    begun = [(one["index"], one["content_block"]["type"]) for one in told if one["type"] == "content_block_start"]
    assert begun == [(0, "thinking"), (1, "tool_use")]
    script_thought_and_call(at)
    message = await message_of(at, thinks=True, tools=["f"], model=reasoner(at))
    assert [block.type for block in message.content] == ["thinking", "tool_use"]


def script_thought_and_call(at: At) -> None:
    """Nothing is signed by Google here: an empty block of its own would carry the signature of a call."""
    if at.upstream in CHAT_FORM:
        at.play(*THOUGHT_CALL)
    elif at.upstream in GOOGLE:
        at.play(chunk(Th("hm")), chunk(FC("f", {})), chunk(T(""), fin="STOP", usage=usage(3, 2, 5)))
    else:
        at.push("!think hm\n!tool f {}")


def reasoner(at: At) -> str:
    return f"{at.kind.table}/o4-mini" if at.upstream in OPENAI else at.model


@each(*THINKING, *CHAT_FORM)
async def test_pitfall_08_each_block_ends_before_the_next_begins(at: At) -> None:
    if at.upstream in CHAT_FORM:
        at.play(delta(content="one"), delta(reasoning_content="two"), delta(content="three"), delta("stop"))
    else:
        at.push("!say one\n!think two\n!say three")
    told = await blocks_of(at, thinks=True, model=reasoner(at))
    blocks = [(one["type"], one["index"]) for one in told if one["type"].startswith("content_block_st")]
    assert blocks == [(f"content_block_{word}", place) for place in range(3) for word in ("start", "stop")]
    said = [(block["type"], block.get("text") or block.get("thinking")) for block in content(told)]
    assert said == [("text", "one"), ("thinking", "two"), ("text", "three")]


@each(*ALL)
async def test_pitfall_09_input_tokens_are_there_from_the_start(at: At) -> None:
    at.push(*["!say one two three"] * 3)
    first, *_, last, _ = [one for one in await blocks_of(at) if one["type"] != "ping"]
    assert first["message"]["usage"]["input_tokens"] > 0
    whole = (await at.ask("anthropic")).usage
    assert last["usage"]["output_tokens"] == whole["output_tokens"] > 0
    final = first["message"]["usage"] | last["usage"]
    assert final["input_tokens"] == whole["input_tokens"] > 0
    told = (await message_of(at)).usage
    assert (told.input_tokens, told.output_tokens) == (final["input_tokens"], final["output_tokens"])


@pytest.mark.parametrize("counted", [False, True])
@each(*ALL)
async def test_pitfall_10_one_chunk_without_choices_for_who_asked_for_usage(at: At, counted: bool) -> None:
    at.push("!say one two three")
    options = {"stream_options": {"include_usage": counted}}
    response = await at.response("openai-chat", stream=True, more=options)
    *chunks, last = events(response.text)
    assert all(one["choices"] for one in chunks)
    assert (last["choices"] == []) is counted
    assert bool(last.get("usage")) is counted
    assert response.text.endswith(f"{json.dumps(last, separators=(',', ':'), ensure_ascii=False)}\n\ndata: [DONE]\n\n")


@each(*ALL)
async def test_pitfall_64_interior_chunks_have_a_null_finish_reason_and_a_delta(at: At) -> None:
    at.push('!say one two three\n!tool f {"a": 1}')
    response = await at.response("openai-chat", stream=True, tools=["f"])
    choices = [choice for one in events(response.text) for choice in one["choices"]]
    assert all("delta" in choice for choice in choices)
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["tool_calls"]


@pytest.mark.parametrize("stream", [True, False])
@DIALECT
@each(*GOOGLE)
async def test_pitfall_75_a_call_that_is_marked_as_a_thought_is_a_call(at: At, dialect: str, stream: bool) -> None:
    called_it = {"thought": True, **FC("f", {"a": 7})}
    at.play(chunk(Th("hm")), chunk(called_it), chunk(T(""), fin="STOP", usage=usage(3, 2, 5)))
    heard = await at.ask(dialect, stream=stream, tools=["f"], thinks=True)
    assert (heard.thoughts, heard.text, calls_of(heard)) == ("hm", "", [("f", {"a": 7})])


@each(*ALL)
async def test_pitfall_77_a_text_block_begins_with_an_empty_text(at: At) -> None:
    at.push("!say one two three")
    (begun,) = [one["content_block"] for one in await blocks_of(at) if one["type"] == "content_block_start"]
    assert (begun["type"], begun["text"]) == ("text", "")


EXTRA = {"google": {"thought_signature": "U0lH"}}


@pytest.mark.parametrize("dialect", ["openai-responses", "anthropic", "gemini"])
@each(*CHAT_FORM)
async def test_pitfall_79_calls_without_numbers_are_told_apart_by_id_and_order(at: At, dialect: str) -> None:
    play_unnumbered(at)
    heard = await at.ask(dialect, stream=True, tools=["f", "g"])
    assert calls_of(heard) == [("f", {"a": 1}), ("g", {"a": 2})]


@each(*CHAT_FORM)
async def test_pitfall_79_extra_content_reaches_a_chat_caller(at: At) -> None:
    play_unnumbered(at)
    response = await at.response("openai-chat", stream=True, tools=["f", "g"])
    assert values("extra_content", events(response.text)) == [EXTRA]


def play_unnumbered(at: At) -> None:
    at.play(
        delta(role="assistant"),
        called("f", '{"a"', None, extra_content=EXTRA),
        calling(": 1}", None),
        called("g", '{"a": 2}', None),
        delta(),
        delta("tool_calls"),
    )


@pytest.mark.parametrize("dialect", DIALECTS)
@each(*CHAT_FORM)
async def test_pitfall_86_mixed_arguments_are_two_whole_calls(at: At, dialect: str) -> None:
    at.push('!tool f {"a": 1, "b": "one two three"}\n!tool g {"a": 2, "b": "four five six"}\n!toolsplit')
    heard = await at.ask(dialect, stream=True, tools=["f", "g"])
    assert calls_of(heard) == [("f", {"a": 1, "b": "one two three"}), ("g", {"a": 2, "b": "four five six"})]


CUT_CALL: Json = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": ""}


def script_half_a_call(at: At) -> None:
    """Let the limit cut a call in two."""
    if at.upstream in CHAT_FORM:
        at.play(called("f", '{"a"'), delta("length"))
        return
    response = {"id": "resp_1", "object": "response", "created_at": 1_800_000_000, "model": "gpt-4.1"}
    response |= {"status": "in_progress", "output": [], "tools": [], "tool_choice": "auto", "parallel_tool_calls": True}
    half = CUT_CALL | {"arguments": '{"a"', "status": "incomplete"}
    ended = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": [half]}
    told: list[Json] = [
        {"type": "response.created", "response": response},
        {"type": "response.in_progress", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": CUT_CALL | {"status": "in_progress"}},
        {
            "type": "response.function_call_arguments.delta",
            "item_id": "fc_1",
            "output_index": 0,
            "delta": '{"a"',
        },
        {"type": "response.incomplete", "response": response | ended},
    ]
    at.play(*({**one, "sequence_number": number} for number, one in enumerate(told)))


@each(*OPENAI)
async def test_pitfall_87_half_a_call_at_the_limit_is_not_completed(at: At) -> None:
    script_half_a_call(at)
    response = await at.response("openai-responses", stream=True, tools=["f"])
    stream = Stream(response.content)
    assert (stream.status, stream.response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert [one["status"] for one in stream.output if one["type"] == "function_call"] == ["incomplete"]
    assert "function_call_arguments.done" not in stream.names


@pytest.mark.parametrize("stream", [True, False])
@DIALECT
@each("azure", "chat")
async def test_pitfall_61_filter_results_alone_are_no_chunk_of_the_answer(at: At, dialect: str, stream: bool) -> None:
    """A first chunk without choices and a choice without a delta; a stream is all that a whole caller can break."""
    if stream:
        late: Json = {"index": 0, "finish_reason": None, "content_filter_results": {}}
        at.play(
            frame(prompt_filter_results=[{"prompt_index": 0}]),
            delta(role="assistant", content=""),
            delta(content="a"),
            frame(late),
            delta(content="b"),
            delta("stop"),
        )
    else:
        at.push("!say ab")
    response = await at.response(dialect, stream=stream)
    heard = at.hear(dialect, response)
    assert (heard.text, heard.finish, heard.error) == ("ab", ENDS[dialect][0], None)
    if dialect == "openai-chat" and stream:
        counted = [one for one in events(response.text) if not one["choices"]]
        assert all(one["usage"] for one in counted)
