"""The acceptance cases for callers of Responses: text, tools, history, signatures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.replies import FC, T, Th, chunk, script
from tests.conformance.served import RESPONSES, Served, user
from tests.conformance.test_cases_signatures import CALLED, S1, signatures
from tests.conformance.test_cases_text import HELLO
from tests.conformance.test_cases_tools import ADDED, LEGAL, LONG_NAMES, NUMBERS, WEATHER
from tests.conformance.test_cases_tools import responses_tools as tools
from tests.conformance.upstreams import Upstream, again, before, fake_of
from tests.gateway.dialects.openai_responses.responses import Stream

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
SEALED = {"store": False, "include": ["reasoning.encrypted_content"]}
MESSAGE = ["output_item.added", "content_part.added"]
DONE = ["output_text.done", "content_part.done", "output_item.done"]


def called(call_id: str, name: str, arguments: str = "{}", **fields: Any) -> Json:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments, **fields}


def result(call_id: str, output: Any) -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


async def stream_of(served: Served, *said: Json | str, **fields: Any) -> Stream:
    """Ask for a stream, and walk it."""
    response = await served.post(RESPONSES, *said, stream=True, **fields)
    assert response.status_code == 200, response.text
    return Stream(response.content)


# A: text and the grammar of streams


async def test_a_stream_is_its_events_in_order_and_numbered(either: Served) -> None:
    """A4: the numbers have no gap, which the walk asserts of every stream."""
    said = await stream_of(either, HELLO)
    assert said.names == [
        *("created", "in_progress", *MESSAGE, "output_text.delta", "output_text.delta"),
        *(*DONE, "completed"),
    ]
    assert [event["delta"] for event in said.named("output_text.delta")] == ["He", "llo"]
    assert said.named("output_text.done")[0]["text"] == "Hello"
    assert said.output[0]["content"][0]["text"] == "Hello"
    usage = said.response["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (3, 2, 5)
    assert usage["input_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 0}
    assert usage["output_tokens_details"] == {"reasoning_tokens": 0}


async def test_a_stream_upstream_is_one_response_for_who_does_not_stream(every: Served) -> None:
    """A7"""
    answer = (await every.post(RESPONSES, HELLO)).json()
    (message,) = answer["output"]
    assert (message["content"][0]["text"], answer["status"], answer["object"]) == ("Hello", "completed", "response")
    assert (answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]) == (3, 2)


async def test_an_empty_thought_does_not_cut_the_text(either: Served) -> None:
    """A8"""
    said = script(chunk(T("A")), chunk(Th("")), chunk(T("B"), fin="STOP"))
    heard = await either.hear("openai-responses", said, stream=False)
    assert heard.text == "AB"


async def test_a_client_that_leaves_closes_the_upstream_connection(
    upstream: Upstream, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A16"""
    # made here, where the log goes to what this test reads
    async with before(upstream, tmp_path, log={"format": "json"}) as served:
        body = {"model": served.model, "stream": True, "input": served.directed(f"{HELLO}\n!acked")}
        async with served.http.stream("POST", RESPONSES, json=body) as response:
            async for line in response.aiter_lines():
                if '"delta":"He"' in line:
                    break
        await served.fake.wait_closed(timeout_s=1)
        assert served.calls[-1].closed_by_client
    log = capfd.readouterr().err
    assert '"client_closed"' in log
    assert "Traceback" not in log
    assert '"level":"error"' not in log


# B: tools


async def test_a_call_after_text_is_an_item_of_its_own(either: Served) -> None:
    """B5"""
    said = script(chunk(T("ok")), chunk(FC("f", {"q": 1}), fin="STOP"))
    heard = await stream_of(either, said, tools=tools("f"))
    assert heard.names[2:] == [
        *(*MESSAGE, "output_text.delta", *DONE),
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"),
        "completed",
    ]
    message, call = heard.output
    assert (message["content"][0]["text"], call["name"], json.loads(call["arguments"])) == ("ok", "f", {"q": 1})
    events = [event for event in heard.events if event.get("output_index") == 1]
    assert {event["item"]["call_id"] for event in events if "item" in event} == {call["call_id"]}
    assert {event["item_id"] for event in events if "item_id" in event} == {call["id"]}


@STREAM
async def test_a_call_completes_the_response_though_upstream_says_stop(either: Served, stream: bool) -> None:
    """B1"""
    heard = await either.hear("openai-responses", ADDED, stream=stream, tools=tools("add"))
    (call,) = heard.calls
    assert (call.name, call.arguments, heard.finish) == ("add", {"a": 17, "b": 25}, "completed")


@STREAM
async def test_calls_in_chunks_of_their_own_stay_apart(either: Served, stream: bool) -> None:
    """B3"""
    said = script(*WEATHER, chunk(fin="STOP"))
    heard = await either.hear("openai-responses", said, stream=stream, tools=tools("w"))
    assert [(call.name, call.arguments["c"]) for call in heard.calls] == [("w", "B"), ("w", "S"), ("w", "G")]
    assert len({call.id for call in heard.calls}) == 3


@STREAM
async def test_a_call_without_arguments_has_an_empty_object(every: Served, stream: bool) -> None:
    """B7"""
    said = script(chunk({"functionCall": {"name": "f"}}), chunk(fin="STOP"))
    heard = await every.hear("openai-responses", said, stream=stream, tools=tools("f"))
    assert [(call.name, call.arguments) for call in heard.calls] == [("f", {})]


@STREAM
async def test_one_call_at_a_time_is_one_call(every: Served, stream: bool) -> None:
    """B13"""
    said = '!tool f {"a": 1}\n!tool f {"a": 2}'
    heard = await every.hear("openai-responses", said, stream=stream, tools=tools("f"), parallel_tool_calls=False)
    assert [call.arguments for call in heard.calls] == [{"a": 1}]


@STREAM
async def test_a_long_name_is_legal_upstream_and_the_callers_own_in_the_answer(either: Served, stream: bool) -> None:
    """B10"""
    await either.hear("openai-responses", "hi", stream=False, tools=tools(*LONG_NAMES))
    declared = [one["name"] for one in either.sent["tools"][0]["functionDeclarations"]]
    assert all(LEGAL.fullmatch(name) for name in declared)
    assert len(set(declared)) == 2
    said = script(chunk(*(FC(name, {}) for name in declared)), chunk(fin="STOP"))
    heard = await either.hear("openai-responses", said, stream=stream, tools=tools(*LONG_NAMES))
    assert [call.name for call in heard.calls] == LONG_NAMES


@STREAM
async def test_a_long_name_in_a_namespace_comes_back_in_its_two_parts(either: Served, stream: bool) -> None:
    """B10 with a namespace"""
    space = [{"type": "namespace", "name": "mcp__server", "description": "d", "tools": tools(LONG_NAMES[0])}]
    await either.hear("openai-responses", "hi", stream=False, tools=space)
    (declared,) = [one["name"] for one in either.sent["tools"][0]["functionDeclarations"]]
    assert LEGAL.fullmatch(declared)
    response = await either.post(RESPONSES, script(chunk(FC(declared, {}), fin="STOP")), stream=stream, tools=space)
    output = Stream(response.content).output if stream else response.json()["output"]
    assert [(item["namespace"], item["name"]) for item in output] == [("mcp__server", LONG_NAMES[0])]


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        ("none", {"mode": "NONE"}),
        ("auto", {"mode": "AUTO"}),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "name": "g"}, {"mode": "ANY", "allowedFunctionNames": ["g"]}),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
            {"mode": "ANY", "allowedFunctionNames": ["f"]},
        ),
    ],
)
async def test_the_tool_choice_is_a_mode(either: Served, choice: Any, calling: Any) -> None:
    """B12"""
    response = await either.post(RESPONSES, "hi", tools=tools("f", "g"), tool_choice=choice)
    assert response.status_code == 200
    assert either.sent["toolConfig"] == {"functionCallingConfig": calling}
    assert len(either.sent["tools"][0]["functionDeclarations"]) == 2


async def test_a_choice_of_an_undeclared_tool_is_refused_here(either: Served) -> None:
    """B18"""
    choice = {"type": "function", "name": "h"}
    response = await either.post(RESPONSES, "hi", tools=tools("f"), tool_choice=choice)
    assert response.status_code == 400
    assert "tool_choice" in response.json()["error"]["message"]
    assert either.calls == []


# C: history


async def test_items_of_the_assistant_are_one_turn_and_results_the_next(either: Served) -> None:
    """C5: with the reasoning that this gateway sealed."""
    thoughts: Json = {"reasoning": {"effort": "low", "summary": "auto"}, "tools": tools("f", "g"), **SEALED}
    answer = script(chunk(Th("hm")), chunk(T("a")), chunk(FC("f", {}, S1, id="c1"), FC("g", {}, id="c2"), fin="STOP"))
    either.push(answer)
    output = (await either.post(RESPONSES, "go", **thoughts)).json()["output"]
    assert [item["type"] for item in output] == ["reasoning", "message", "reasoning", "function_call", "function_call"]
    asked, again_ = (item["call_id"] for item in output[-2:])
    body = {"model": either.model, "input": [user("go"), *output, result(asked, "one"), result(again_, "two")]}
    assert (await either.http.post(RESPONSES, json=body | thoughts)).status_code == 200
    said, model, results = either.contents
    assert (said["role"], model["role"], results["role"]) == ("user", "model", "user")
    visible = [part for part in model["parts"] if not part.get("thought")]
    assert (visible[0]["text"], [part["functionCall"]["name"] for part in visible[1:]]) == ("a", ["f", "g"])
    assert signatures(either) == [S1, None]
    given = [part["functionResponse"] for part in results["parts"]]
    assert [(one["name"], one["response"]) for one in given] == [("f", {"output": "one"}), ("g", {"output": "two"})]


async def test_results_follow_their_calls_in_call_order(every: Served) -> None:
    """C1"""
    calls, results = [called("c1", "f"), called("c2", "g")], [result("c2", "two"), result("c1", "one")]
    response = await every.post(RESPONSES, "go", *calls, *results, "next", tools=tools("f", "g"))
    assert response.status_code == 200
    given = [part["functionResponse"] for part in every.contents[2]["parts"]]
    assert [(one["name"], one["response"]) for one in given] == [("f", {"output": "one"}), ("g", {"output": "two"})]
    assert every.contents[3]["parts"] == [{"text": "next"}]


async def test_a_call_that_nobody_answered_gets_a_result(every: Served) -> None:
    """C3"""
    response = await every.post(RESPONSES, "go", called("c1", "f"), "never mind")
    assert response.status_code == 200
    (answer,) = every.contents[2]["parts"]
    assert "error" in answer["functionResponse"]["response"]


async def test_system_and_developer_texts_are_the_instruction_in_their_order(either: Served) -> None:
    """C6"""
    rules = [{"role": "developer", "content": "second"}, {"role": "system", "content": "third"}]
    await either.post(RESPONSES, *rules, "hi", instructions="first")
    assert [part["text"] for part in either.sent["systemInstruction"]["parts"]] == ["first", "second", "third"]


async def test_what_a_tool_says_is_text_unless_it_is_an_object(either: Served) -> None:
    """C17"""
    calls = [called("c1", "f"), called("c2", "f")]
    results = [result("c1", '{ "$a" = x; }'), result("c2", '{"ok":1}')]
    assert (await either.post(RESPONSES, "go", *calls, *results)).status_code == 200
    first, second = [part["functionResponse"]["response"] for part in either.contents[2]["parts"]]
    assert first == {"output": '{ "$a" = x; }'}
    assert second in ({"output": '{"ok":1}'}, {"ok": 1})


@pytest.mark.parametrize(
    ("part", "field", "media_type", "data"),
    [
        ({"type": "input_image"}, "image_url", "image/png", "AAAA"),
        ({"type": "input_file", "filename": "a.pdf"}, "file_data", "application/pdf", "JVBERg=="),
    ],
)
async def test_media_are_inline_data(every: Served, part: Json, field: str, media_type: str, data: str) -> None:
    """C12, C20"""
    part = part | {field: f"data:{media_type};base64,{data}"}
    assert (await every.post(RESPONSES, user([part, {"type": "input_text", "text": "see"}]))).status_code == 200
    inline = [one["inlineData"] for one in every.contents[-1]["parts"] if "inlineData" in one]
    assert [(one["mimeType"], one["data"]) for one in inline] == [(media_type, data)]


async def test_an_address_is_refused_by_the_name_of_its_field(either: Served) -> None:
    """C15"""
    part = {"type": "input_image", "image_url": "https://example.org/a.png"}
    response = await either.post(RESPONSES, user([part]))
    assert (response.status_code, response.json()["error"]["param"]) == (400, "input[0].content[0].image_url")
    assert either.calls == []


# D: parameters


@STREAM
async def test_a_response_to_go_on_from_that_is_not_here_is_refused(either: Served, stream: bool) -> None:
    """D12: and no upstream can be asked for it."""
    response = await either.post(RESPONSES, "hi", previous_response_id="resp_x", stream=stream)
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (400, "previous_response_id")
    assert error["code"] == "previous_response_not_found"
    assert either.calls == []


async def test_the_limit_of_the_answer_goes_up(either: Served) -> None:
    """D1"""
    await either.post(RESPONSES, "hi", max_output_tokens=100)
    assert either.config["maxOutputTokens"] == 100


@pytest.mark.parametrize(("effort", "level", "budget"), [("low", "LOW", 1024), ("high", "HIGH", 24576)])
async def test_effort_is_a_level_or_a_budget(either: Served, effort: str, level: str, budget: int) -> None:
    """D6"""
    await either.post(RESPONSES, "hi", reasoning={"effort": effort})
    newer = either.config["thinkingConfig"]
    assert (newer["thinkingLevel"].upper(), "thinkingBudget" in newer) == (level, False)
    await either.post(RESPONSES, "hi", model=either.older, reasoning={"effort": effort})
    older = either.config["thinkingConfig"]
    assert (older["thinkingBudget"], "thinkingLevel" in older) == (budget, False)


async def test_a_json_schema_is_the_schema_of_the_answer(either: Served) -> None:
    """D8"""
    form = {"type": "json_schema", "name": "sum", "schema": NUMBERS, "strict": True}
    await either.post(RESPONSES, "hi", text={"format": form})
    assert either.config["responseMimeType"] == "application/json"
    schema = either.config.get("responseJsonSchema") or either.config["responseSchema"]
    assert schema["properties"].keys() == {"a", "b"}


# E: signatures and thoughts


async def loop(served: Served, output: list[Json], **fields: Any) -> None:
    """Send the output back with the result of its call."""
    history = [user("please call f"), *output, result(output[-1]["call_id"], "done")]
    body = {"model": served.model, "input": history, "tools": tools("f"), **SEALED, **fields}
    assert (await served.http.post(RESPONSES, json=body)).status_code == 200


async def first_output(served: Served, **fields: Any) -> list[Json]:
    """Let a caller that keeps everything itself stream one call."""
    served.push(CALLED)
    return (await stream_of(served, "please call f", tools=tools("f"), **(SEALED | fields))).output


async def test_the_signature_of_a_call_comes_back_over_a_restart(upstream: Upstream, tmp_path: Path) -> None:
    """E1, E2: by encrypted_content."""
    async with fake_of(upstream) as fake:
        async with again(upstream, fake, tmp_path / "one") as served:
            output = await first_output(served)
        assert [item["type"] for item in output] == ["reasoning", "function_call"]
        async with again(upstream, fake, tmp_path / "two") as served:
            await loop(served, output)
            assert signatures(served) == [S1]


async def test_the_signature_of_a_kept_call_comes_back_over_a_restart(upstream: Upstream, tmp_path: Path) -> None:
    """E1: from the store, though the caller never saw it."""
    async with fake_of(upstream) as fake:
        async with again(upstream, fake, tmp_path) as served:
            served.push(CALLED)
            first = (await served.post(RESPONSES, "please call f", tools=tools("f"))).json()
        assert "encrypted_content" not in json.dumps(first)
        async with again(upstream, fake, tmp_path) as served:
            given = result(first["output"][-1]["call_id"], "done")
            response = await served.post(RESPONSES, given, tools=tools("f"), previous_response_id=first["id"])
            assert response.status_code == 200
            assert signatures(served) == [S1]


async def test_what_seals_a_call_may_be_dropped_while_the_gateway_runs(either: Served) -> None:
    """E2: dropped, cache warm"""
    output = await first_output(either)
    await loop(either, output[1:])
    assert signatures(either) == [S1]


@pytest.mark.parametrize("sealed", ["claude#abc", "gw1.c.t.YWJj.00000000", "not base64 at all"])
async def test_a_signature_of_unknown_origin_does_not_go_upstream(every: Served, sealed: str) -> None:
    """E5"""
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": sealed}
    said = {"role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}
    response = await every.post(RESPONSES, "one", thought, said, "two", reasoning={"effort": "low"})
    assert response.status_code == 200
    assert "thoughtSignature" not in json.dumps(every.contents)


@STREAM
@pytest.mark.parametrize(("summary", "shown"), [("auto", "ab"), (None, "")])
async def test_thoughts_are_shown_to_who_asks_for_a_summary(
    either: Served, summary: str | None, shown: str, stream: bool
) -> None:
    """E8"""
    said = script(chunk(Th("a")), chunk(Th("b")), chunk(T("c"), fin="STOP"))
    reasoning = {"effort": "low", "summary": summary}
    heard = await either.hear("openai-responses", said, stream=stream, reasoning=reasoning)
    assert (heard.thoughts, heard.text) == (shown, "c")
