"""What the fake of the Responses API refuses, what it keeps, and the sequence of its events."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.openai_api import FakeOpenAI
from tests.fakes_tests.openai_api_bodies import GPT_5, OBJECT, PICTURE, OpenAIClient, refusal, responses

pytestmark = pytest.mark.anyio

CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "ok"}
THOUGHT = {"type": "reasoning", "summary": []}
FUNCTION = {"type": "function", "name": "f", "parameters": OBJECT, "strict": True}
SEALED = {"include": ["reasoning.encrypted_content"], "store": False, "model": GPT_5}


def part(kind: str, role: str = "user", **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": [{"type": kind, **fields}]}


def form(**fields: Any) -> dict[str, Any]:
    return {"text": {"format": fields}}


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": (responses(foo=1), "Unknown parameter: 'foo'."),
    "messages": (responses(messages=[]), "Unknown parameter: 'messages'."),
    "max_tokens": (responses(max_tokens=20), "Unknown parameter: 'max_tokens'."),
    "no input": (
        {"model": "gpt-4.1"},
        "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided.",
    ),
    "role": (
        responses({"role": "tool", "content": "x"}),
        "Invalid value: 'tool'. Supported values are: 'user', 'system', 'developer', and 'assistant'.",
    ),
    "chat's words": (
        responses(part("text", text="x")),
        "Invalid value: 'text'. Supported values are: 'input_text', 'input_image', and 'input_file'.",
    ),
    "the user's words from the model": (
        responses(part("input_text", "assistant", text="x"), "y"),
        "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.",
    ),
    "chat's picture": (
        responses(part("input_image", image_url={"url": PICTURE})),
        "Invalid type for 'input[0].content[0].image_url': expected a string.",
    ),
    "no picture": (responses(part("input_image")), "Missing required parameter: 'input[0].content[0].image_url'."),
    "document without a name": (
        responses(part("input_file", file_data="data:application/pdf;base64,QQ==")),
        "Missing required parameter: 'input[0].content[0].filename'.",
    ),
    "id of another kind": (
        responses("a", {**CALL, "id": "call_1"}, OUTPUT),
        "Invalid 'input[1].id': 'call_1'. Expected an ID that begins with 'fc'.",
    ),
    "call without an output": (responses("a", CALL), "No tool output found for function call c."),
    "output without a call": (
        responses("a", OUTPUT),
        "No tool call found for function call output with call_id c.",
    ),
    "output before its call": (
        responses("a", OUTPUT, CALL),
        "No tool call found for function call output with call_id c.",
    ),
    "custom call without an output": (
        responses("a", {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"}),
        "No tool output found for custom tool call c.",
    ),
    "long call_id": (
        responses("a", {**CALL, "call_id": "c" * 65}, OUTPUT),
        (
            "Invalid 'input[1].call_id': string too long. Expected a string with maximum length 64, "
            "but got a string with "
            "length 65 instead."
        ),
    ),
    "thoughts sealed by others": (
        responses("a", {**THOUGHT, "encrypted_content": "gAAAother"}, {"role": "assistant", "content": "b"}, "c"),
        (
            "The encrypted content gAAA... could not be verified. Reason: Encrypted content could not be decrypted or "
            "parsed."
        ),
    ),
    "long id": (
        responses("a", {**CALL, "id": "fc_" + "1" * 62}, OUTPUT),
        (
            "Invalid 'input[1].id': string too long. Expected a string with maximum length 64, but got a string with "
            "length 65 instead."
        ),
    ),
    "thoughts before nothing": (
        responses("a", {**THOUGHT, "id": "rs_1", "encrypted_content": "SEALED"}),
        "Item 'rs_1' of type 'reasoning' was provided without its required following item.",
    ),
    "include": (
        responses(include=["reasoning"]),
        (
            "Invalid value: 'reasoning'. Supported values are: 'file_search_call.results', 'web_search_call.results', "
            "'web_search_call.action.sources', 'message.input_image.image_url', "
            "'computer_call_output.output.image_url', "
            "'code_interpreter_call.outputs', 'reasoning.encrypted_content', and 'message.output_text.logprobs'."
        ),
    ),
    "sealed by a plain model": (
        responses(include=["reasoning.encrypted_content"]),
        "Encrypted content is not supported with this model.",
    ),
    "effort of a plain model": (
        responses(reasoning={"effort": "low"}),
        "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
    ),
    "effort that a model lacks": (
        responses(model=GPT_5, reasoning={"effort": "none"}),
        (
            "Unsupported value: 'reasoning.effort' does not support 'none' with this model. Supported values are: "
            "'minimal', 'low', 'medium', and 'high'."
        ),
    ),
    "temperature of a reasoning model": (
        responses(model=GPT_5, temperature=0.5),
        "Unsupported parameter: 'temperature' is not supported with this model.",
    ),
    "verbosity": (
        responses(text={"verbosity": "low"}),
        "Unsupported value: 'text.verbosity' does not support 'low' with this model. Supported values are: 'medium'.",
    ),
    "stop": (responses(stop=["x"]), "Unknown parameter: 'stop'."),
    "few tokens": (
        responses(max_output_tokens=15),
        "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 15 instead.",
    ),
    "many tokens": (
        responses(max_output_tokens=40_000),
        "Invalid 'max_output_tokens': integer above maximum value. Expected a value <= 32768, but got 40000 instead.",
    ),
    "chat's function": (
        responses(tools=[{"type": "function", "function": {"name": "f"}}]),
        "Missing required parameter: 'tools[0].name'.",
    ),
    "strict schema": (
        responses(tools=[{**FUNCTION, "parameters": {"type": "object", "properties": {}}}]),
        (
            "Invalid schema for function 'f': In context=(), 'additionalProperties' is required to be "
            "supplied and to be "
            "false."
        ),
    ),
    "the same name twice": (responses(tools=[FUNCTION, FUNCTION]), "Duplicate tool names: f."),
    "required without tools": (
        responses(tool_choice="required"),
        "Tool choice 'required' must be specified with 'tools' parameter.",
    ),
    "tool_choice undeclared": (
        responses(tools=[FUNCTION], tool_choice={"type": "function", "name": "g"}),
        "Tool choice 'g' not found in 'tools' parameter.",
    ),
    "nested format": (
        responses(**form(type="json_schema", json_schema={"name": "n", "schema": OBJECT})),
        "Missing required parameter: 'text.format.name'.",
    ),
    "schema of an answer": (
        responses(**form(type="json_schema", name="n", schema={"type": "array"})),
        (
            "Invalid schema for response_format 'n': schema must be a JSON Schema of 'type: \"object\"', got 'type: "
            '"array"\'.'
        ),
    ),
    "json without the word": (
        responses(**form(type="json_object")),
        "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'.",
    ),
    "include_usage": (
        responses(stream=True, stream_options={"include_usage": True}),
        "Unknown parameter: 'stream_options.include_usage'.",
    ),
    "stream_options without stream": (
        responses(stream_options={"include_obfuscation": False}),
        "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
    ),
    "embedding model": (
        responses(model="text-embedding-3-small"),
        "The requested model 'text-embedding-3-small' cannot be used with the Responses API.",
    ),
    "unknown predecessor": (
        responses(previous_response_id="resp_x"),
        "Previous response with id 'resp_x' not found.",
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_body_that_openai_refuses(openai: OpenAIClient, name: str) -> None:
    body, message = CASES[name]
    openai.fake.kept.sealed["SEALED"] = "rs_1"
    assert refusal(await openai.call("/v1/responses", body)) == message


@pytest.mark.parametrize("item", [{**THOUGHT, "id": "rs_1"}, {"type": "item_reference", "id": "rs_1"}])
async def test_an_item_that_was_not_kept(openai: OpenAIClient, item: Any) -> None:
    message = refusal(await openai.respond("a", item, {"role": "assistant", "content": "b"}, "c"), 404)
    assert message.startswith("Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.")


@pytest.mark.parametrize(
    "body",
    [
        {"model": "gpt-4.1", "input": "hi"},
        responses({"type": "message", "role": "developer", "content": "x"}, "y", instructions="z"),
        responses(part("input_image", image_url=PICTURE, detail="low")),
        responses(part("input_file", file_data="data:application/pdf;base64,QQ==", filename="a.pdf")),
        responses("a", part("output_text", "assistant", text="b"), CALL, OUTPUT),
        responses("a", CALL, {**OUTPUT, "output": [{"type": "input_image", "image_url": PICTURE}]}),
        responses(tools=[FUNCTION, {"type": "custom", "name": "g"}], tool_choice="auto", parallel_tool_calls=False),
        responses(parallel_tool_calls=False, tool_choice="auto", tools=[]),
        responses(tools=[{"type": "namespace", "name": "n", "description": "d", "tools": [FUNCTION]}]),
        responses(tools=[{"type": "web_search"}], tool_choice={"type": "web_search"}),
        responses(**form(type="json_schema", name="n", schema=OBJECT, strict=True), temperature=0, top_p=0.5),
        responses(model=GPT_5, reasoning={"effort": "minimal", "summary": "auto"}, max_output_tokens=16),
    ],
)
async def test_a_body_that_openai_takes(openai: OpenAIClient, body: Any) -> None:
    status, answer = await openai.call("/v1/responses", body)
    assert status == 200, answer
    assert (answer["status"], answer["output"][-1]["type"]) == ("completed", "message")


async def test_sealed_thoughts_come_back_as_they_were_issued(openai: OpenAIClient) -> None:
    _, first = await openai.respond("!think hm\n!tool f {}\n!then\n!say done", tools=[FUNCTION], **SEALED)
    thought, call = first["output"]
    assert thought["encrypted_content"].startswith("gAAAA")
    assert thought["summary"] == []
    del thought["id"]
    output = {**OUTPUT, "call_id": call["call_id"]}
    said = "!think hm\n!tool f {}\n!then\n!say done"
    status, second = await openai.respond(said, thought, call, output, tools=[FUNCTION], **SEALED)
    assert status == 200, second
    assert second["output"][0]["content"][0]["text"] == "done"


async def test_what_came_of_kept_thoughts_wants_them_back(openai: OpenAIClient) -> None:
    _, first = await openai.respond("!think hm\n!say a", model=GPT_5)
    thought, said = first["output"]
    message = refusal(await openai.respond("a", said, "!say b", model=GPT_5), 400)
    assert message == (
        f"Item '{said['id']}' of type 'message' was provided without its required 'reasoning' item: '{thought['id']}'."
    )
    unnamed = {name: value for name, value in said.items() if name != "id"}
    for items in ([thought, said], [{"type": "item_reference", "id": thought["id"]}, said], [unnamed]):
        status, answer = await openai.respond("a", *items, "!say b", model=GPT_5)
        assert status == 200, answer


async def test_thoughts_are_shown_where_a_summary_is_asked_for(openai: OpenAIClient) -> None:
    _, answer = await openai.respond("!think hm\n!say a", model=GPT_5, reasoning={"summary": "auto"})
    assert answer["output"][0]["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert answer["usage"]["output_tokens_details"]["reasoning_tokens"] > 0


async def test_an_answer_is_kept_for_its_key_until_it_is_deleted(openai: OpenAIClient) -> None:
    _, answer = await openai.respond("!say a")
    path = f"/v1/responses/{answer['id']}"
    assert await openai.call(path, verb="GET") == (200, answer)
    status, items = await openai.call(f"{path}/input_items", verb="GET")
    assert (status, items["data"]) == (200, [{"role": "user", "content": "!say a"}])
    message = f"Response with id '{answer['id']}' not found."
    assert refusal(await openai.call(path, verb="GET", key="key-2"), 404) == message
    assert (await openai.call(path, verb="DELETE"))[1]["deleted"] is True
    assert refusal(await openai.call(path, verb="GET"), 404) == message


@pytest.mark.parametrize(
    ("tool", "args"),
    [(FUNCTION, "{}"), ({"type": "custom", "name": "f"}, '{"input": "x"}')],
    ids=["function", "custom"],
)
async def test_a_call_that_is_named_is_the_one_that_was_kept(openai: OpenAIClient, tool: Any, args: str) -> None:
    said = f"!tool f {args}\n!then\n!say done"
    _, first = await openai.respond(said, tools=[tool])
    call = first["output"][0]
    output = {"type": f"{call['type']}_output", "call_id": call["call_id"], "output": "x"}
    named = {"type": "item_reference", "id": call["id"]}
    status, second = await openai.respond(said, named, output, tools=[tool])
    assert status == 200, second
    assert second["output"][0]["content"][0]["text"] == "done"


async def test_an_answer_goes_on_from_another(openai: OpenAIClient) -> None:
    _, first = await openai.respond("!tool f {}\n!then\n!say done", tools=[FUNCTION])
    call = first["output"][0]
    output = {**OUTPUT, "call_id": call["call_id"]}
    _, second = await openai.respond(output, previous_response_id=first["id"], tools=[FUNCTION])
    assert second["output"][0]["content"][0]["text"] == "done"
    assert second["previous_response_id"] == first["id"]


async def test_store_false_keeps_nothing(openai: OpenAIClient) -> None:
    _, answer = await openai.respond(store=False)
    assert (await openai.call(f"/v1/responses/{answer['id']}", verb="GET"))[0] == 404


async def test_the_sequence_of_events_has_no_gaps_and_ends_once(openai: OpenAIClient) -> None:
    sent = responses("!think hm\n!say a text\n!tool f {}", model=GPT_5, tools=[FUNCTION], reasoning={"summary": "auto"})
    events = await openai.events("/v1/responses", sent)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert events[-1]["response"]["output"] == done


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
        ("failed", "failed", None),
    ],
)
async def test_other_ends(openai: OpenAIClient, finish: str, status: str, reason: Any) -> None:
    events = await openai.events("/v1/responses", responses(f"!say a\n!finish {finish}"))
    last = events[-1]
    assert last["type"] == f"response.{status}"
    assert last["response"]["incomplete_details"] == reason
    assert (last["response"]["error"] is None) is (status != "failed")


async def test_a_refusal_and_a_free_form_call_have_events_of_their_own(openai: OpenAIClient) -> None:
    refused = await openai.events("/v1/responses", responses("!say no\n!finish refusal"))
    assert [event["delta"] for event in refused if event["type"] == "response.refusal.delta"] == ["no"]
    tools = [{"type": "custom", "name": "g"}]
    called = await openai.events("/v1/responses", responses('!tool g {"input": "xyz"}', tools=tools))
    assert [event["input"] for event in called if event["type"].endswith("tool_call_input.done")] == ["xyz"]


async def test_a_call_of_a_namespace_names_it(openai: OpenAIClient) -> None:
    tools = [{"type": "namespace", "name": "n", "description": "d", "tools": [FUNCTION]}]
    _, answer = await openai.respond("!tool f {}", tools=tools)
    assert (answer["output"][0]["namespace"], answer["output"][0]["name"]) == ("n", "f")


async def test_responses_belong_to_one_fake(fake_openai: FakeOpenAI) -> None:
    async with FakeOpenAI() as other:
        assert fake_openai.kept is not other.kept
