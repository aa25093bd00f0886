"""What an answer may be made of besides words: JSON, sources, code, pictures, calls one at a time, free-form calls.

Each for callers of Chat, Messages and Gemini, towards Code Assist and, where it differs, the public API.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai.types.responses import ResponseFunctionWebSearch

from gateway.testing.grammar_responses import ResponsesStream
from tests.conformance import gemini
from tests.conformance.gemini_api import GEMINI_3 as PUBLIC_3
from tests.conformance.replies import FC, T, chunk, script
from tests.conformance.served import (
    CHAT,
    CLAUDE,
    DIALECTS,
    GEMINI_2,
    GEMINI_3,
    MESSAGES,
    RESPONSES,
    Served,
    settings,
    standing,
)
from tests.conformance.test_cases_tools import TOOL_ENDS, TOOLS, chat_tools, messages_tools
from tests.fakes.v1internal import FakeV1Internal
from tests.gateway.dialects.anthropic.reader import content, parse
from tests.gateway.dialects.openai_chat.chat import Stream

pytestmark = pytest.mark.anyio

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
ANN = '{"name":"Ann","age":7}'
FORMS: dict[str, Any] = {
    "openai-chat": {"response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}}},
    "anthropic": {"output_config": {"format": {"type": "json_schema", "schema": PERSON}}, "max_tokens": 50},
}
BY_SCHEMA = {"responseMimeType": "application/json", "responseJsonSchema": PERSON}
BY_PROTO = {
    "responseMimeType": "application/json",
    "responseSchema": {
        "type": "OBJECT",
        "properties": {"name": {"type": "STRING"}, "age": {"type": "INTEGER"}},
        "required": ["name", "age"],
    },
}
ANSWERED = f"!tool structured_output {ANN}\n!finish OTHER"
EITHER = pytest.mark.parametrize("stream", [True, False])
ENDS = {"openai-chat": "stop", "anthropic": "end_turn"}


# structured output


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_schema_is_gemini_s_own_here(lasting: Served, dialect: str) -> None:
    assert (await lasting.post(DIALECTS[dialect], "hi", **FORMS[dialect])).status_code == 200
    schema = lasting.config["responseSchema"]
    assert lasting.config["responseMimeType"] == "application/json"
    assert (schema["required"], schema["additionalProperties"]) == (["name", "age"], False)
    assert schema["propertyOrdering"] == ["name", "age"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_schema_is_a_json_schema_for_the_public_api(lasting_google: Served, dialect: str) -> None:
    assert (await lasting_google.post(DIALECTS[dialect], "hi", **FORMS[dialect])).status_code == 200
    assert lasting_google.config.items() >= BY_SCHEMA.items()


async def test_any_json_is_json_mode(lasting: Served, lasting_google: Served) -> None:
    for served in (lasting, lasting_google):
        assert (await served.post(CHAT, "hi", response_format={"type": "json_object"})).status_code == 200
        assert served.config["responseMimeType"] == "application/json"
        assert not {"responseSchema", "responseJsonSchema"} & served.config.keys()


@pytest.mark.parametrize("form", [BY_SCHEMA, BY_PROTO], ids=["JSON Schema", "proto"])
async def test_a_gemini_caller_s_schema_stays_as_it_is(lasting: Served, lasting_google: Served, form: Any) -> None:
    assert (await gemini.ask(lasting, "hi", generationConfig=form)).status_code == 200
    assert lasting.config == form
    assert (await gemini.ask(lasting_google, "hi", model=PUBLIC_3, generationConfig=form)).status_code == 200
    assert lasting_google.fake.calls("generateContent")[-1].request["generationConfig"] == form


@EITHER
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_claude_s_json_is_the_text_of_the_answer(lasting: Served, dialect: str, stream: bool) -> None:
    heard = await lasting.hear(dialect, ANSWERED, stream=stream, model=CLAUDE, **FORMS[dialect])
    assert json.loads(heard.text) == {"name": "Ann", "age": 7}
    assert (heard.calls, heard.finish) == ((), ENDS[dialect])
    assert lasting.sent["toolConfig"]["functionCallingConfig"] == {
        "mode": "ANY",
        "allowedFunctionNames": ["structured_output"],
    }


@pytest.mark.parametrize("form", ["", "sse", "array"])
@pytest.mark.parametrize("asked", [BY_SCHEMA, BY_PROTO], ids=["JSON Schema", "proto"])
async def test_claude_s_json_is_the_text_of_a_gemini_caller_s_answer(lasting: Served, form: Any, asked: Any) -> None:
    response = await gemini.ask(lasting, ANSWERED, form=form, model=CLAUDE, generationConfig=asked)
    answer = gemini.said(response, form)
    assert json.loads(answer.text) == {"name": "Ann", "age": 7}
    assert (answer.calls, answer.finish) == ([], "STOP")


async def test_it_is_told_that_claude_s_json_is_emulated(lasting: Served) -> None:
    response = await lasting.post(CHAT, ANSWERED, model=CLAUDE, **FORMS["openai-chat"])
    assert response.headers["x-gateway-lossy"] == "1"


@EITHER
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_beside_a_schema_claude_may_call_the_caller_s_tools(lasting: Served, dialect: str, stream: bool) -> None:
    fields: dict[str, Any] = {**FORMS[dialect], "tools": TOOLS[dialect]("f")}
    heard = await lasting.hear(dialect, '!tool f {"a": 1}', stream=stream, model=CLAUDE, **fields)
    assert ([call.name for call in heard.calls], heard.finish) == (["f"], TOOL_ENDS[dialect])


async def test_what_the_gateway_puts_into_an_empty_object_is_not_in_the_answer(lasting: Served) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "p", "schema": {"type": "object"}}}
    said = '!tool structured_output {"reason":"because"}'
    heard = await lasting.hear("openai-chat", said, stream=False, model=CLAUDE, response_format=form)
    assert json.loads(heard.text) == {}


@pytest.mark.parametrize("model", [GEMINI_2, CLAUDE])
async def test_where_there_is_no_json_mode_json_is_asked_for_in_words(lasting: Served, model: str) -> None:
    fields: dict[str, Any] = {"response_format": {"type": "json_object"}, "tools": chat_tools("f")}
    response = await lasting.post(CHAT, "hi", model=model, **fields)
    assert (response.status_code, response.headers["x-gateway-lossy"]) == (200, "1")
    assert "JSON" in lasting.sent["systemInstruction"]["parts"][-1]["text"]
    assert "responseMimeType" not in lasting.config


# sources


EURO = "Spain won Euro 2024, beating England 2-1."
SEARCHES: dict[str, Any] = {
    "openai-chat": {"web_search_options": {}},
    "anthropic": {"tools": [{"type": "web_search_20250305", "name": "web_search"}], "max_tokens": 500},
}
UMLAUT = chunk(
    T("Größe: 5."),
    fin="STOP",
    groundingMetadata={
        "groundingChunks": [{"web": {"uri": "https://a.example/x", "title": "A"}}],
        "groundingSupports": [
            # in bytes: ö and ß are two each
            {"segment": {"startIndex": 9, "endIndex": 11, "text": "5."}, "groundingChunkIndices": [0]}
        ],
    },
)


def sources(response: httpx.Response, *, stream: bool) -> Any:
    message = Stream(response.content).message() if stream else response.json()["choices"][0]["message"]
    return message["annotations"]


def blocks(response: httpx.Response, *, stream: bool) -> list[Any]:
    return content(parse(response.content)) if stream else response.json()["content"]


@EITHER
async def test_sources_are_annotations_of_a_chat_answer(lasting: Served, stream: bool) -> None:
    response = await lasting.post(CHAT, "!fixture 15", stream=stream, **SEARCHES["openai-chat"])
    assert (lasting.sent["tools"], lasting.fake.calls()[-1].body["requestType"]) == (
        [{"googleSearch": {}}],
        "web_search",
    )
    (source,) = sources(response, stream=stream)
    assert source["type"] == "url_citation"
    assert source["url_citation"] == {
        "start_index": 0,
        "end_index": len(EURO),
        "title": "example.org",
        "url": "https://example.org/redirect/AAA",
    }


@EITHER
async def test_their_places_count_characters_where_google_counts_bytes(lasting: Served, stream: bool) -> None:
    lasting.fake.script.push(script(UMLAUT))
    response = await lasting.post(CHAT, "how big?", stream=stream, **SEARCHES["openai-chat"])
    (source,) = sources(response, stream=stream)
    place = source["url_citation"]
    assert "Größe: 5."[place["start_index"] : place["end_index"]] == "5."


@EITHER
async def test_a_messages_caller_gets_the_search_that_it_declared(lasting: Served, stream: bool) -> None:
    response = await lasting.post(MESSAGES, "!fixture 15", stream=stream, **SEARCHES["anthropic"])
    text, search, found = blocks(response, stream=stream)
    (cited,) = text["citations"]
    assert (text["text"], cited["type"], cited["cited_text"]) == (EURO, "web_search_result_location", EURO)
    assert (search["type"], search["name"]) == ("server_tool_use", "web_search")
    assert search["input"] == {"query": "UEFA Euro 2024 winner"}
    assert (found["type"], found["tool_use_id"]) == ("web_search_tool_result", search["id"])
    assert [one["url"] for one in found["content"]] == ["https://example.org/redirect/AAA"]
    usage = parse(response.content)[-2]["usage"] if stream else response.json()["usage"]
    assert usage["server_tool_use"]["web_search_requests"] == 1


@EITHER
async def test_a_responses_caller_gets_the_search_that_it_declared(lasting: Served, stream: bool) -> None:
    fields: dict[str, Any] = {"tools": [{"type": "web_search"}], "include": ["web_search_call.action.sources"]}
    response = await lasting.post(RESPONSES, "!fixture 15", stream=stream, **fields)
    output = ResponsesStream(response.content).items if stream else response.json()["output"]
    (search,) = (item for item in output if item["type"] == "web_search_call")
    told = ResponseFunctionWebSearch.model_validate(search)
    assert (told.status, told.action.type) == ("completed", "search")
    assert search["action"] == {
        "type": "search",
        "query": "UEFA Euro 2024 winner",
        "queries": ["UEFA Euro 2024 winner"],
        "sources": [{"type": "url", "url": "https://example.org/redirect/AAA"}],
    }


@pytest.mark.parametrize("form", ["", "sse", "array"])
async def test_a_gemini_caller_gets_google_s_own_metadata(lasting: Served, form: Any) -> None:
    response = await gemini.ask(lasting, "!fixture 15", form=form, tools=[{"googleSearch": {}}])
    metadata = gemini.chunks_of(response, form)[-1]["candidates"][0]["groundingMetadata"]
    assert metadata["groundingChunks"][0]["web"]["uri"] == "https://example.org/redirect/AAA"


@EITHER
async def test_a_search_that_found_nothing_is_told_with_its_words(lasting: Served, stream: bool) -> None:
    nothing = chunk(T("I found nothing."), fin="STOP", groundingMetadata={"webSearchQueries": ["a", "b"]})
    lasting.fake.script.push(script(nothing))
    response = await lasting.post(MESSAGES, "find it", stream=stream, **SEARCHES["anthropic"])
    _, search, found = blocks(response, stream=stream)
    assert (search["input"], found["content"]) == ({"query": "a, b"}, [])


async def test_beside_functions_the_search_is_dropped_here_and_told(lasting: Served) -> None:
    fields: dict[str, Any] = {**SEARCHES["openai-chat"], "tools": chat_tools("f")}
    response = await lasting.post(CHAT, "hi", **fields)
    assert [*lasting.sent["tools"][0]] == ["functionDeclarations"]
    assert (len(lasting.sent["tools"]), response.headers["x-gateway-lossy"]) == (1, "1")


async def test_beside_functions_the_search_is_a_tool_of_its_own_on_the_public_api(lasting_google: Served) -> None:
    fields: dict[str, Any] = {**SEARCHES["openai-chat"], "tools": chat_tools("f")}
    response = await lasting_google.post(CHAT, "hi", **fields)
    assert [[*tool] for tool in lasting_google.sent["tools"]] == [["functionDeclarations"], ["googleSearch"]]
    assert lasting_google.sent["toolConfig"]["includeServerSideToolInvocations"] is True
    assert "x-gateway-lossy" not in response.headers


@EITHER
@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES])
async def test_a_page_that_was_fetched_is_a_source_in_every_dialect(lasting: Served, path: str, stream: bool) -> None:
    pages = [{"retrievedUrl": "https://a.example/p", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"}]
    read = chunk(T("It says so."), fin="STOP", urlContextMetadata={"urlMetadata": pages})
    lasting.fake.script.push(script(read))
    fetch: dict[str, Any] = {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}], "max_tokens": 50}
    response = await lasting.post(path, "read it", stream=stream, **(fetch if path == MESSAGES else {}))
    assert '"url":"https://a.example/p"' in response.text


# code that the upstream ran


@EITHER
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_code_and_what_it_printed_are_fenced_text(lasting: Served, dialect: str, stream: bool) -> None:
    heard = await lasting.hear(dialect, "!fixture 16", stream=stream, max_tokens=500)
    code, printed = "\n```python\nprint(6*7)\n```\n", "\n```output\n42\n```\n"
    assert heard.text == f"Let me compute. {code}{printed}It is 42."


@pytest.mark.parametrize("form", ["", "sse", "array"])
async def test_a_gemini_caller_gets_the_parts_themselves(lasting: Served, form: Any) -> None:
    response = await gemini.ask(lasting, "!fixture 16", form=form, tools=[{"codeExecution": {}}])
    parts = gemini.said(response, form).parts
    assert [one["executableCode"]["code"] for one in parts if "executableCode" in one] == ["print(6*7)"]
    assert [one["codeExecutionResult"]["output"] for one in parts if "codeExecutionResult" in one] == ["42\n"]
    assert lasting.sent["tools"] == [{"codeExecution": {}}]


async def test_a_messages_caller_s_code_execution_is_google_s(lasting: Served) -> None:
    tools = [{"type": "code_execution_20250825", "name": "code_execution"}]
    assert (await lasting.post(MESSAGES, "hi", tools=tools, max_tokens=50)).status_code == 200
    assert lasting.sent["tools"] == [{"codeExecution": {}}]


# pictures


DRAWN = "data:image/png;base64,"


@EITHER
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_picture_is_markdown(lasting: Served, dialect: str, stream: bool) -> None:
    heard = await lasting.hear(dialect, "!image", stream=stream, model="gemini-3-pro-image", max_tokens=500)
    (picture,) = heard.images
    assert picture.startswith(DRAWN)
    assert heard.finish == ENDS[dialect]


@EITHER
async def test_a_picture_may_stand_beside_the_text(
    fake_v1internal: FakeV1Internal, tmp_path: Path, stream: bool
) -> None:
    config = settings(fake_v1internal, tmp_path, translate={"images_out": "images"})
    async with standing(fake_v1internal, config) as served:
        response = await served.post(CHAT, "!say Here.\n!image", stream=stream, model="gemini-3-pro-image")
    message = Stream(response.content).message() if stream else response.json()["choices"][0]["message"]
    assert message["content"] == "Here."
    assert [one["image_url"]["url"].startswith(DRAWN) for one in message["images"]] == [True]


@pytest.mark.parametrize("form", ["", "sse", "array"])
async def test_a_gemini_caller_gets_the_picture_itself(lasting: Served, form: Any) -> None:
    response = await gemini.ask(lasting, "!image", form=form, model="gemini-3-pro-image")
    (picture,) = gemini.said(response, form).images
    assert picture["mimeType"] == "image/png"


async def test_pictures_are_asked_for_by_modalities_where_there_are_some(lasting_google: Served) -> None:
    drawing = "gemini-3-pro-image-preview"
    asked: dict[str, Any] = {"modalities": ["image", "text"]}
    response = await lasting_google.post(CHAT, "!image", model=drawing, **asked)
    assert (response.status_code, lasting_google.config) == (200, {"responseModalities": ["IMAGE", "TEXT"]})
    assert "x-gateway-lossy" not in response.headers
    response = await lasting_google.post(CHAT, "hi", **asked)
    assert (response.status_code, response.headers["x-gateway-lossy"]) == (200, "1")


# one call at a time


ONE: dict[str, Any] = {
    "openai-chat": {"parallel_tool_calls": False},
    "anthropic": {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}, "max_tokens": 500},
}


@EITHER
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("model", [GEMINI_3, CLAUDE])
async def test_only_the_first_of_parallel_calls_is_passed_on(
    served: Served, dialect: str, model: str, stream: bool
) -> None:
    calls = [chunk(FC("f", {"a": 1}, sig="EkBGQUtF"), FC("f", {"a": 2})), chunk(FC("f", {"a": 3}), fin="STOP")]
    served.fake.script.push(script(*calls))
    fields: dict[str, Any] = {"tools": TOOLS[dialect]("f"), **ONE[dialect]}
    heard = await served.hear(dialect, "hi", stream=stream, model=model, **fields)
    assert ([call.arguments for call in heard.calls], heard.finish) == ([{"a": 1}], TOOL_ENDS[dialect])


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_that_is_told(lasting: Served, dialect: str) -> None:
    fields: dict[str, Any] = {"tools": TOOLS[dialect]("f"), **ONE[dialect]}
    response = await lasting.post(DIALECTS[dialect], "hi", **fields)
    assert response.headers["x-gateway-lossy"] == "1"


async def test_the_call_that_is_passed_on_keeps_its_signature(served: Served) -> None:
    served.fake.script.push(script(chunk(FC("f", {}, sig="EkBGQUtF"), FC("f", {}), fin="STOP")))
    tools = messages_tools("f")
    fields: dict[str, Any] = {"tools": tools, **ONE["anthropic"]}
    response = await served.post(MESSAGES, "hi", **fields)
    carrier, call = response.json()["content"]
    assert (carrier["type"], carrier["signature"][:8], call["type"]) == ("thinking", "gw1.g.f.", "tool_use")


# free-form calls


SQL: dict[str, Any] = {"type": "custom", "custom": {"name": "sql", "description": "Runs SQL."}}


@EITHER
@pytest.mark.parametrize("model", [GEMINI_3, GEMINI_2, CLAUDE])
async def test_a_free_form_tool_takes_and_gives_plain_text(served: Served, model: str, stream: bool) -> None:
    served.fake.script.push('!tool sql {"input": "select \\"1\\""}')
    response = await served.post(CHAT, "ask", model=model, stream=stream, tools=[SQL])
    (declaration,) = served.sent["tools"][0]["functionDeclarations"]
    assert declaration["parameters"]["required"] == ["input"]
    message = Stream(response.content).message() if stream else response.json()["choices"][0]["message"]
    (call,) = message["tool_calls"]
    assert (call["type"], call["custom"]) == ("custom", {"name": "sql", "input": 'select "1"'})
    result = {"role": "tool", "tool_call_id": call["id"], "content": "1 row"}
    again = await served.post(CHAT, "ask", message, result, model=model, tools=[SQL])
    assert again.status_code == 200, again.text
    called, answered = (part for one in served.contents for part in one["parts"] if "text" not in part)
    assert called["functionCall"]["args"] == {"input": 'select "1"'}
    assert answered["functionResponse"]["response"] == {"output": "1 row"}


async def test_a_free_form_tool_can_be_demanded(lasting_google: Served) -> None:
    choice = {"type": "custom", "custom": {"name": "sql"}}
    response = await lasting_google.post(CHAT, "ask", tools=[SQL, *chat_tools("f")], tool_choice=choice)
    assert response.status_code == 200
    calling = lasting_google.sent["toolConfig"]["functionCallingConfig"]
    assert calling == {"mode": "ANY", "allowedFunctionNames": ["sql"]}


async def test_its_grammar_is_not_enforced_and_that_is_told(lasting: Served) -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "[a-z]+"}}
    tool = {"type": "custom", "custom": {"name": "sql", "format": grammar}}
    response = await lasting.post(CHAT, "ask", tools=[tool])
    assert (response.status_code, response.headers["x-gateway-lossy"]) == (200, "2")


# what directs a conversation


async def test_a_compacted_conversation_goes_on_elsewhere_with_the_tools_that_it_has_left(lasting: Served) -> None:
    summary = {"type": "compaction", "content": "Ann asked for rain."}
    removal = {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "a"}}
    said = (
        {"role": "user", "content": "Will it rain?"},
        {"role": "assistant", "content": [{"type": "text", "text": "Hm."}, summary, {"type": "text", "text": "Yes."}]},
        {"role": "system", "content": [removal]},
        {"role": "user", "content": "And snow?"},
    )
    tools: list[Any] = [{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in ("a", "b")]
    answer = await lasting.post(MESSAGES, *said, max_tokens=50, tools=tools)
    assert (answer.status_code, "x-gateway-lossy" in answer.headers) == (200, False)
    assert [(one["role"], [part["text"] for part in one["parts"]]) for one in lasting.contents] == [
        ("user", ["Ann asked for rain."]),
        ("model", ["Yes."]),
        ("user", ["And snow?"]),
    ]
    declared = lasting.sent["tools"][0]["functionDeclarations"]
    assert [tool["name"] for tool in declared] == ["b"]
