"""Acceptance cases of Chat and Messages callers before the public Gemini API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.automata import Heard
from tests.conformance.gemini_api import GEMINI_2, GEMINI_3, public
from tests.conformance.replies import FC, T, Th, chunk, usage
from tests.conformance.served import CHAT, DIALECTS, MESSAGES, Served, events, user, values
from tests.conformance.test_cases_ends import ENDS, PLACES
from tests.conformance.test_cases_schemas import REFERRING, RICH
from tests.conformance.test_cases_tools import TOOL_ENDS, TOOLS, chat_tools, messages_tools
from tests.fakes.gemini_api import FakeGemini

pytestmark = pytest.mark.anyio

STREAM = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
DIALECT = pytest.mark.parametrize("dialect", DIALECTS)
MODELS = pytest.mark.parametrize("model", [GEMINI_2, GEMINI_3])
IMAGE = "gemini-3-pro-image-preview"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SHAPE = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WANTED = {"type": "json_schema", "json_schema": {"name": "c", "strict": True, "schema": SHAPE}}
THINKING: dict[str, dict[str, Any]] = {
    "openai-chat": {"reasoning_effort": "low"},
    "anthropic": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000},
}


def script(*chunks: Any) -> str:
    """Direct the fake to answer with these chunks, which have no envelope here."""
    return "\n".join(f"!chunk {json.dumps(one)}" for one in chunks)


def declared(served: Served) -> dict[str, Any]:
    (function,) = served.sent["tools"][0]["functionDeclarations"]
    return dict(function)


@STREAM
@DIALECT
@MODELS
async def test_text_comes_with_its_end_and_its_tokens(google: Served, dialect: str, stream: bool, model: str) -> None:
    """A1, A3, A7, A8"""
    said = script(chunk(T("He")), chunk(T("llo"), fin="STOP", usage=usage(3, 2, 5)))
    heard = await google.hear(dialect, said, stream=stream, model=model, max_tokens=50)
    assert (heard.text, heard.finish) == ("Hello", "stop" if dialect == "openai-chat" else "end_turn")
    names = ("prompt_tokens", "completion_tokens") if dialect == "openai-chat" else ("input_tokens", "output_tokens")
    assert [heard.usage[name] for name in names] == [3, 2]


@STREAM
@DIALECT
async def test_calls_in_chunks_of_their_own_stay_apart(google: Served, dialect: str, stream: bool) -> None:
    """B3"""
    said = script(*(chunk(FC("w", {"c": city})) for city in "BSG"), chunk(fin="STOP"))
    heard = await google.hear(dialect, said, stream=stream, tools=TOOLS[dialect]("w"), max_tokens=50)
    assert [(call.name, call.arguments["c"]) for call in heard.calls] == [("w", "B"), ("w", "S"), ("w", "G")]
    assert len({call.id for call in heard.calls}) == 3
    assert heard.finish == TOOL_ENDS[dialect]


async def test_streamed_calls_are_numbered_over_the_whole_stream(google: Served) -> None:
    """B3"""
    said = script(*(chunk(FC("w", {"c": city})) for city in "BSG"), chunk(fin="STOP"))
    chunks = events((await google.post(CHAT, said, stream=True, tools=chat_tools("w"))).text)
    deltas = [call for one in chunks for call in one["choices"][0]["delta"].get("tool_calls", ())]
    assert [delta["index"] for delta in deltas if "id" in delta] == [0, 1, 2]


@STREAM
@DIALECT
@MODELS
async def test_a_tool_loop_goes_round_with_its_signatures(
    google: Served, dialect: str, stream: bool, model: str
) -> None:
    """E1, E2: the fake refuses a Gemini 3 call that comes back without what it signed."""
    directed = '!think hm\n!tool f {"a": 1}\n!tool f {"a": 2}\n!then\n!say done'
    fields = {"tools": TOOLS[dialect]("f"), "model": model, **THINKING[dialect]}
    said: list[Any] = [user(directed)]
    for _ in range(2):
        heard = await google.hear(dialect, *said, stream=stream, **fields)
        if heard.calls:
            said += answered(dialect, heard, await last_message(google, dialect, said, fields))
    assert (heard.text, heard.error) == ("done", None)
    assert [record.status for record in google.fake.calls()] == [200] * len(google.fake.calls())


async def last_message(google: Served, dialect: str, said: list[Any], fields: dict[str, Any]) -> Any:
    """Ask once more, whole, for the message as its caller would send it back."""
    body = (await google.post(DIALECTS[dialect], *said, **fields)).json()
    return (
        body["choices"][0]["message"] if dialect == "openai-chat" else {"role": "assistant", "content": body["content"]}
    )


def answered(dialect: str, heard: Heard, message: Any) -> list[Any]:
    """Answer every call of a message."""
    if dialect == "openai-chat":
        ids = [call["id"] for call in message["tool_calls"]]
        return [message, *({"role": "tool", "tool_call_id": one, "content": "ok"} for one in ids)]
    ids = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
    return [message, user([{"type": "tool_result", "tool_use_id": one, "content": "ok"} for one in ids])]


@STREAM
@DIALECT
@MODELS
async def test_thoughts_are_heard_where_they_are_asked_for(
    google: Served, dialect: str, stream: bool, model: str
) -> None:
    """E8"""
    heard = await google.hear(dialect, "!think ab\n!say c", stream=stream, model=model, **THINKING[dialect])
    assert (heard.thoughts, heard.text) == ("ab", "c")
    plain = await google.hear(dialect, "!think ab\n!say c", stream=stream, model=model, max_tokens=50)
    assert (plain.thoughts, plain.text) == ("", "c")
    assert "thinkingConfig" not in google.config


async def test_nothing_is_thought_unless_the_caller_asks(google: Served) -> None:
    """[thinking] is for v1internal."""
    await google.post(CHAT, "hi")
    assert google.sent == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


# history


async def test_a_turn_of_thoughts_alone_leaves_no_empty_content(google: Served) -> None:
    """C9"""
    thought = {"role": "assistant", "content": "", "reasoning_content": "t"}
    response = await google.post(CHAT, "one", thought, "two")
    assert response.status_code == 200, response.text
    assert [part for content in google.contents for part in content["parts"]] == [{"text": "one"}, {"text": "two"}]


async def test_results_stand_in_the_order_of_their_calls(google: Served) -> None:
    """C1"""
    calls = [
        {"id": one, "type": "function", "function": {"name": name, "arguments": "{}"}}
        for one, name in (("c1", "f"), ("c2", "g"))
    ]
    results = [{"role": "tool", "tool_call_id": one, "content": one} for one in ("c2", "c1")]
    said: list[Any] = ["u", {"role": "assistant", "content": None, "tool_calls": calls}, *results, "next"]
    response = await google.post(CHAT, *said, tools=chat_tools("f", "g"))
    assert response.status_code == 200, response.text
    assert [content["role"] for content in google.contents] == ["user", "model", "user", "user"]
    assert [part["functionResponse"]["name"] for part in google.contents[2]["parts"]] == ["f", "g"]


async def test_an_address_of_an_image_is_refused_by_its_place(google: Served) -> None:
    """C15"""
    image = {"type": "image_url", "image_url": {"url": "https://example.invalid/a.png"}}
    response = await google.post(CHAT, user([image]))
    assert response.status_code == 400
    assert "messages[0].content[0]" in response.json()["error"]["message"]
    assert google.fake.requests == []


async def test_a_picture_goes_in_and_one_comes_out(google: Served) -> None:
    """C12"""
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    heard = await google.hear(
        "openai-chat", user([image, {"type": "text", "text": "!image"}]), stream=True, model=IMAGE
    )
    assert google.contents[0]["parts"][0] == {"inlineData": {"mimeType": "image/png", "data": PIXEL}}
    assert len(heard.images) == 1


@pytest.mark.parametrize("instruction", ["system", "developer"])
async def test_instructions_go_apart(google: Served, instruction: str) -> None:
    """C6"""
    await google.post(CHAT, {"role": instruction, "content": "Be brief."}, "hi")
    assert google.sent["systemInstruction"]["parts"] == [{"text": "Be brief."}]


# the form of the answer


@MODELS
async def test_json_by_schema_goes_natively(google: Served, model: str) -> None:
    """D8"""
    response = await google.post(CHAT, '!say {"city": "Rome"}', model=model, response_format=WANTED)
    assert json.loads(response.json()["choices"][0]["message"]["content"]) == {"city": "Rome"}
    assert google.config == {"responseMimeType": "application/json", "responseJsonSchema": SHAPE}


async def test_json_by_schema_of_messages_goes_natively(google: Served) -> None:
    """D8"""
    output = {"format": {"type": "json_schema", "schema": SHAPE}}
    response = await google.post(MESSAGES, '!say {"city": "Rome"}', max_tokens=50, output_config=output)
    assert response.status_code == 200, response.text
    assert google.config["responseJsonSchema"] == SHAPE


async def test_json_beside_tools_is_asked_for_in_words_of_gemini_2_5(google: Served) -> None:
    """D10"""
    response = await google.post(CHAT, "hi", model=GEMINI_2, response_format=WANTED, tools=chat_tools("f"))
    assert response.status_code == 200, response.text
    assert google.sent["tools"]
    assert "responseMimeType" not in google.config
    assert "city" in google.sent["systemInstruction"]["parts"][0]["text"]


async def test_json_and_tools_both_go_to_gemini_3(google: Served) -> None:
    """D10"""
    response = await google.post(CHAT, "hi", response_format=WANTED, tools=chat_tools("f"))
    assert response.status_code == 200, response.text
    assert google.config["responseMimeType"] == "application/json"


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        (GEMINI_3, "none", {"thinkingLevel": "minimal", "includeThoughts": False}),
        (GEMINI_3, "high", {"thinkingLevel": "high", "includeThoughts": True}),
        (GEMINI_2, "none", {"thinkingBudget": 0, "includeThoughts": False}),
        (GEMINI_2, "low", {"thinkingBudget": 1024, "includeThoughts": True}),
    ],
)
async def test_effort_is_a_level_or_a_budget(google: Served, model: str, effort: str, thinking: Any) -> None:
    """D6"""
    response = await google.post(CHAT, "hi", model=model, reasoning_effort=effort)
    assert response.status_code == 200, response.text
    assert google.config["thinkingConfig"] == thinking


async def test_a_search_stands_beside_functions_of_gemini_3(google: Served) -> None:
    """Pitfall 20"""
    tools = [*messages_tools("f"), {"type": "web_search_20250305", "name": "web_search"}]
    response = await google.post(MESSAGES, "hi", max_tokens=50, tools=tools)
    assert response.status_code == 200, response.text
    assert [next(iter(tool)) for tool in google.sent["tools"]] == ["functionDeclarations", "googleSearch"]
    assert google.sent["toolConfig"]["includeServerSideToolInvocations"] is True


# schemas


@MODELS
async def test_references_stay_references(google: Served, model: str) -> None:
    """F1, as JSON Schema"""
    response = await google.post(CHAT, "hi", model=model, tools=chat_tools("f", schema=REFERRING))
    assert response.status_code == 200, response.text
    assert declared(google)["parametersJsonSchema"] == REFERRING


@MODELS
async def test_only_keywords_that_the_upstream_knows_are_sent(google: Served, model: str) -> None:
    """F3: the fake refuses any other."""
    response = await google.post(CHAT, "hi", model=model, tools=chat_tools("f", schema=RICH))
    assert response.status_code == 200, response.text
    schema = declared(google)["parametersJsonSchema"]
    assert schema["properties"] == {
        "u": {"type": ["string", "null"], "format": "uri"},
        "five": {"enum": [5]},
        "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "more": {"type": "number", "minimum": 0, "description": "(exclusiveMinimum: 0)"},
    }
    assert schema["additionalProperties"] is False


@MODELS
@pytest.mark.parametrize(
    "function",
    [
        {"parameters": {"type": "object", "properties": {"a": {"type": "array"}}}},
        {"parameters": {"type": "array"}},
        {},
        {"parameters": {}},
        {"parameters": None},
    ],
)
async def test_what_a_schema_leaves_out_is_no_error(google: Served, model: str, function: Any) -> None:
    """F5"""
    tool = {"type": "function", "function": {"name": "f", **function}}
    response = await google.post(CHAT, "hi", model=model, tools=[tool])
    assert response.status_code == 200, response.text


async def test_arguments_of_earlier_calls_are_left_alone(google: Served) -> None:
    """F6"""
    arguments = {"format": "x", "title": "y", "const": 1}
    used = {"type": "tool_use", "id": "t1", "name": "f", "input": arguments}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "done"}
    history = [user("go"), {"role": "assistant", "content": [used]}, user([result])]
    response = await google.post(MESSAGES, *history, tools=messages_tools("f"), max_tokens=50)
    assert response.status_code == 200, response.text
    assert values("args", google.contents) == [arguments]


# ends and counts


@STREAM
@DIALECT
@pytest.mark.parametrize("native", ENDS)
async def test_every_finish_reason_has_its_word(
    lasting_google: Served, native: str, dialect: str, stream: bool
) -> None:
    """G1"""
    said = script(chunk(T("a")), chunk(fin=native))
    heard = await lasting_google.hear(dialect, said, stream=stream, max_tokens=50)
    ends = ENDS[native]
    assert heard.finish == (ends and ends[PLACES[dialect]])
    assert (heard.error is None) == (ends is not None)


@STREAM
@pytest.mark.parametrize(("dialect", "finish"), [("openai-chat", "content_filter"), ("anthropic", "refusal")])
async def test_a_blocked_prompt_is_a_refusal_with_its_tokens(
    google: Served, dialect: str, finish: str, stream: bool
) -> None:
    """G2"""
    blocked = script({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": usage(13)})
    heard = await google.hear(dialect, blocked, stream=stream, max_tokens=50)
    assert (heard.text, heard.finish) == ("", finish)
    assert heard.usage["prompt_tokens" if dialect == "openai-chat" else "input_tokens"] == 13


@STREAM
@pytest.mark.parametrize(
    ("counts", "expected"),
    [(usage(20, 198, 623, th=405), (20, 603, 405)), (usage(100, 3362, 3462, th=3347), (100, 3362, 3347))],
)
async def test_thoughts_count_as_output_once(
    google: Served, stream: bool, counts: Any, expected: tuple[int, int, int]
) -> None:
    """G4"""
    said = script(chunk(Th("t")), chunk(T("a"), fin="STOP", usage=counts))
    heard = await google.hear("openai-chat", said, stream=stream)
    reasoning = heard.usage["completion_tokens_details"]["reasoning_tokens"]
    assert (heard.usage["prompt_tokens"], heard.usage["completion_tokens"], reasoning) == expected


@STREAM
async def test_cached_tokens_are_told_apart(google: Served, stream: bool) -> None:
    """G5"""
    said = script(chunk(T("a"), fin="STOP", usage=usage(1000, 10, 1010, cached=800)))
    heard = await google.hear("anthropic", said, stream=stream, max_tokens=50)
    assert (heard.usage["input_tokens"], heard.usage["cache_read_input_tokens"]) == (200, 800)


@STREAM
async def test_a_report_without_numbers_changes_none(google: Served, stream: bool) -> None:
    """G6"""
    said = script(
        chunk(T("a"), usage=usage(3, 2, 5)), {"usageMetadata": {"trafficType": "ON_DEMAND"}}, chunk(fin="STOP")
    )
    heard = await google.hear("openai-chat", said, stream=stream)
    assert (heard.usage["prompt_tokens"], heard.usage["completion_tokens"]) == (3, 2)


async def test_the_count_is_the_upstreams_own(google: Served) -> None:
    """I2"""
    body = {"model": GEMINI_3, "messages": [user("one two three")]}
    plain = await google.http.post(f"{MESSAGES}/count_tokens?beta=true", json=body)
    whole = await google.http.post(
        f"{MESSAGES}/count_tokens", json=body | {"system": "Be brief.", "tools": messages_tools("f")}
    )
    assert 0 < plain.json()["input_tokens"] < whole.json()["input_tokens"]
    assert "x-gateway-token-count" not in whole.headers


# errors


@STREAM
@DIALECT
@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("400_invalid_argument", 400),
        ("400_location", 502),
        ("400_key_invalid", 502),
        ("403_key_suspended", 502),
        ("429_per_minute", 429),
        ("404", 404),
    ],
)
async def test_a_refusal_is_a_status_and_never_the_callers_401(
    google: Served, dialect: str, stream: bool, error: str, status: int
) -> None:
    """H1, H2, H6"""
    response = await google.post(DIALECTS[dialect], f"!error {error}", stream=stream, max_tokens=50)
    assert response.status_code == status
    assert ("retry-after" in response.headers) is (status == 429)
    assert "key-1" not in response.text


@DIALECT
async def test_a_pool_of_refused_keys_is_503_and_one_that_rests_429(
    fake_gemini: FakeGemini, tmp_path: Path, dialect: str
) -> None:
    async with public(fake_gemini, tmp_path, "key-1", "key-2") as google:
        resting = await google.post(DIALECTS[dialect], "!error 429_per_minute", max_tokens=50, model=GEMINI_2)
        refused = await google.post(DIALECTS[dialect], "!error 400_key_invalid", max_tokens=50)
    assert (resting.status_code, refused.status_code) == (429, 503)
    assert int(resting.headers["retry-after"]) in range(30, 40)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_stream_that_breaks_off_ends_in_an_error(google: Served, dialect: str) -> None:
    """H4"""
    said = "!drop 2\none two three four five six seven eight nine ten"
    heard = await google.hear(dialect, said, stream=True, max_tokens=50)
    assert heard.error is not None
    assert heard.text


async def test_a_caller_that_leaves_closes_the_upstream(google: Served) -> None:
    """A16"""
    body = {"model": GEMINI_3, "messages": [user("!acked\none two three four five six")], "stream": True}
    async with google.http.stream("POST", CHAT, json=body) as response:
        async for _ in response.aiter_raw():
            break
    await google.fake.wait_closed()
