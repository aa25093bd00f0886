"""Every edit of the tables: what is written otherwise between two ends of one dialect, and that nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from gateway import ir
from gateway.dialects.anthropic.edits import Own
from gateway.dialects.anthropic.edits import pass_through as pass_messages
from gateway.dialects.anthropic.outbound_thinking import Thinking
from gateway.dialects.openai_chat.edits import pass_through as pass_chat
from gateway.dialects.openai_responses.edits import pass_through as pass_responses
from gateway.dialects.outbound import SPELLED, OpenAITarget
from gateway.dialects.shown import markdown
from gateway.dialects.tables import TABLES
from tests.conformance.raw import digest, passing
from tests.conformance.test_passthrough import JSON, STREAMS, WHOLES

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "f"}}
CHAT: Json = {"model": "m", "messages": [USER]}
MESSAGES: Json = {"model": "m", "max_tokens": 100, "messages": [USER]}
OF_CLAUDE: Json = MESSAGES | {"model": "claude-sonnet-4-6"}
GEMINIS = ir.seal(ir.Signature("gemini", "R0VN", "f"))
CLAUDES = ir.seal(ir.Signature("claude", "Q0xB"))
RULE: Json = {"role": "system", "content": "a rule"}
ADDED: Json = {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "f"}}
RULES: Json = {"role": "system", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]}
SAID: Json = {"role": "assistant", "content": "two"}
EFFORTFUL = Thinking(max_tokens=100, config={"type": "adaptive", "display": "summarized"}, effort="low")
BUDGETED = Thinking(max_tokens=100, config={"type": "enabled", "budget_tokens": 2000})
EVERY_WAY = {"adaptive", "budget", "stopping", "effort", "effort_value", "limit", "system_turns", "strictness"}
OPENAIS = ir.seal(ir.Signature("openai", "T1BF"))


def chat(body: Json, target: OpenAITarget | None = None, **fields: Any) -> tuple[Json, list[str], list[str]]:
    """Edit a Chat request: the body, the names of the edits, the paths of the losses."""
    request = ir.Request(**{"model": "m", "turns": (), **fields})
    return _told(pass_chat(request, Raw(json.dumps(body).encode()), target or OpenAITarget(model=request.model)))


def responses(body: Json, target: OpenAITarget | None = None, **fields: Any) -> tuple[Json, list[str], list[str]]:
    request = ir.Request(**{"model": "m", "turns": (), **fields})
    return _told(pass_responses(request, Raw(json.dumps(body).encode()), target or OpenAITarget(model=request.model)))


def messages(body: Json, target: Own | None = None, **fields: Any) -> tuple[Json, list[str], list[str]]:
    request = ir.Request(**{"model": "m", "turns": (), **fields})
    return _told(pass_messages(request, Raw(json.dumps(body).encode()), target or Own(model=request.model)))


def _told(written: Any) -> tuple[Json, list[str], list[str]]:
    body: Json = json.loads(bytes(written.native))
    return body, [edit.name for edit in written.edits], [loss.path for loss in written.losses]


def test_the_tables_are_closed() -> None:
    """Another edit needs a name here, a reason, a test and the documentation."""
    assert {dialect: [edit.name for edit in table] for dialect, table in TABLES.items()} == {
        "openai-chat": [
            *("once", "model", "stream", "limit", "defaults", "refused", "usage", "parallel", "own", "shown"),
            *("demanded", "echo", "uncounted", "unfilled", "hollow", "numbered", "masked", "lines"),
        ],
        "openai-responses": [
            *("once", "model", "history", "defaults", "items", "refused", "own", "echo", "previous", "masked"),
            *("ended", "lines"),
        ],
        "anthropic": [
            *("once", "model", "own", "blank", "shown", "defaults", "refused"),
            *("budget", "drawing", "unforced", "marks"),
            *("ids", "results", "order", "head", "envelope", "vertex_event", "echo", "masked", "lines"),
        ],
        "gemini": [
            *("once", "model", "defaults", "speaker", "own", "refused", "alone", "results", "echo", "lines"),
            *("framing", "end", "parts", "path", "roles", "empty", "order", "ids", "services", "unknown", "format"),
            "limit",
        ],
    }
    assert all(edit.why for table in TABLES.values() for edit in table)


# Chat, requests


@pytest.mark.parametrize(
    ("body", "target", "fields", "edits", "changed"),
    [
        (CHAT, OpenAITarget(model="n"), {}, ["model"], {"model": "n"}),
        (CHAT, None, {"stream": False}, [], {}),
        (
            CHAT,
            None,
            {"stream": True},
            ["stream", "usage"],
            {"stream": True, "stream_options": {"include_usage": True}},
        ),
        (
            CHAT | {"stream": True, "stream_options": {"include_obfuscation": False}},
            None,
            {"stream": True},
            ["usage"],
            {"stream_options": {"include_obfuscation": False, "include_usage": True}},
        ),
        (CHAT | {"stream": True, "stream_options": {"include_usage": True}}, None, {"stream": True}, [], {}),
        (CHAT | {"stream": True}, OpenAITarget(model="m", refused=("stream_options",)), {"stream": True}, [], {}),
        (
            CHAT | {"max_tokens": 5},
            OpenAITarget(model="m", renames_limit=True),
            {},
            ["limit"],
            {"max_tokens": None, "max_completion_tokens": 5},
        ),
        (CHAT | {"max_tokens": 5}, OpenAITarget(model="m"), {}, [], {}),
        (
            CHAT | {"temperature": 0},
            None,
            {"sampling": ir.Sampling(temperature=0.5, top_p=0.25, max_tokens=7)},
            ["defaults"],
            {"top_p": 0.25, "max_completion_tokens": 7},
        ),
        (
            CHAT | {"reasoning_effort": "low"},
            OpenAITarget(model="m", refused=("reasoning_effort",)),
            {},
            ["refused"],
            {"reasoning_effort": None},
        ),
        (
            CHAT | {"reasoning": {"effort": "low"}},
            OpenAITarget(model="m", refused=(SPELLED,)),
            {"reasoning": ir.Reasoning(mode="level", level="low")},
            ["refused"],
            {"reasoning": None, "reasoning_effort": "low"},
        ),
        (CHAT | {"reasoning": {"effort": "low"}}, OpenAITarget(model="m"), {}, [], {}),
        (CHAT | {"parallel_tool_calls": False}, None, {}, ["parallel"], {"parallel_tool_calls": None}),
        (CHAT | {"tools": []}, None, {}, ["parallel"], {"tools": None}),
        (
            CHAT | {"parallel_tool_calls": False, "tools": []},
            None,
            {},
            ["parallel"],
            {"parallel_tool_calls": None, "tools": None},
        ),
        (CHAT | {"parallel_tool_calls": False, "tools": [TOOL]}, None, {}, [], {}),
        (CHAT | {"tool_choice": "auto"}, None, {}, ["parallel"], {"tool_choice": None}),
        (CHAT | {"tool_choice": "none", "tools": []}, None, {}, ["parallel"], {"tool_choice": None, "tools": None}),
        (CHAT | {"tool_choice": "required"}, None, {}, [], {}),  # which OpenAI refuses
        (CHAT | {"tool_choice": "none", "tools": [TOOL]}, None, {}, [], {}),
    ],
)
def test_an_edit_of_a_chat_request(body: Json, target: Any, fields: Any, edits: list[str], changed: Json) -> None:
    """B14, pitfalls 14, 72"""
    written, names, _ = chat(body, target, **fields)
    expected = {name: value for name, value in (body | changed).items() if value is not None}
    assert (written, names) == (expected, edits)


def assistant(**fields: Any) -> Json:
    return {"role": "assistant", "content": "a", **fields}


def signed(value: str, **more: Any) -> Json:
    return {"extra_content": {"google": {"thought_signature": value}, **more}}


def call(**fields: Any) -> Json:
    return {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, **fields}


@pytest.mark.parametrize(
    ("model", "given", "kept", "lost"),
    [
        # of this family: bare; of another one, or damaged: out
        ("gemini-3", assistant(**signed(GEMINIS)), assistant(**signed("R0VN")), []),
        ("m", assistant(**signed("bare")), assistant(**signed("bare")), []),
        ("gpt-5", assistant(**signed(GEMINIS)), assistant(), ["extra_content.google.thought_signature"]),
        ("qwen3", assistant(**signed(GEMINIS)), assistant(), ["extra_content.google.thought_signature"]),
        ("google/gemini-3", assistant(**signed(GEMINIS)), assistant(**signed("R0VN")), []),
        ("gemini-3", assistant(**signed(CLAUDES)), assistant(), ["extra_content.google.thought_signature"]),
        ("gemini-3", assistant(**signed(GEMINIS[:-1] + "x")), assistant(), ["extra_content.google.thought_signature"]),
        (
            "gpt-5",
            assistant(tool_calls=[call(**signed(GEMINIS))]),
            assistant(tool_calls=[call()]),
            ["tool_calls[0].extra_content.google.thought_signature"],
        ),
        # what else this gateway hangs on, and only then the thoughts
        ("gemini-3", assistant(**signed(GEMINIS, gateway={"thoughts": "x"})), assistant(**signed("R0VN")), []),
        (
            "gemini-3",
            assistant(reasoning_content="hm", **signed(GEMINIS)),
            assistant(**signed("R0VN")),
            ["reasoning_content"],
        ),
        ("deepseek", assistant(reasoning_content="hm"), assistant(reasoning_content="hm"), []),
    ],
)
def test_what_this_gateway_hung_on_a_message(model: str, given: Json, kept: Json, lost: list[str]) -> None:
    """Clients send back whatever is added to a message."""
    body = {"model": model, "messages": [USER, given, USER]}
    written, names, losses = chat(body, model=model)
    assert written["messages"] == [USER, kept, USER]
    assert losses == [f"messages[1].{path}" for path in lost]
    assert names == ([] if given == kept else ["own"])


def test_the_user_shows_what_another_model_drew() -> None:
    drawn = markdown("image/png", "AAAA")
    calls = {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
    told = {"role": "tool", "tool_call_id": "c", "content": drawn}
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    by_user = {"role": "user", "content": [{"type": "text", "text": "[shown by the assistant:]"}, url]}
    words = {"type": "text", "text": "a"}
    for said, kept in (
        ([SAID | {"content": f"a {drawn}"}, USER], [SAID | {"content": "a "}, by_user, USER]),
        ([SAID | {"content": drawn}, USER], [by_user, USER]),
        ([SAID | {"content": drawn} | calls, told, USER], [SAID | {"content": None} | calls, told, by_user, USER]),
        ([SAID | {"content": [words, {"type": "text", "text": drawn}]}], [SAID | {"content": [words]}, by_user]),
    ):
        written, names, losses = chat(CHAT | {"messages": [USER, *said]})
        assert (written["messages"], names, losses) == ([USER, *kept], ["shown"], ["messages[1]"])
    for said in ([USER | {"content": drawn}, SAID], [SAID | {"content": "![image](data:image/png;base64,A)"}]):
        assert chat(CHAT | {"messages": said})[1] == []


def test_openai_itself_gets_no_thoughts_back() -> None:
    body = {"model": "m", "messages": [USER, assistant(reasoning_content="hm")]}
    written, names, losses = chat(body, OpenAITarget(model="m", thoughtless=True))
    assert (written["messages"][1], names, losses) == (assistant(), ["own"], ["messages[1].reasoning_content"])


async def test_thoughts_that_a_server_refuses_are_left_out_in_one_more_call(tmp_path: Path) -> None:
    refusal = {"error": {"message": "Unknown parameter: 'messages[1].reasoning_content'.", "type": "x"}}
    body = json.dumps({"model": "m", "messages": [USER, assistant(reasoning_content="hm"), USER]}).encode()
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(json.dumps(refusal).encode(), status=400, kind=JSON)
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        response = await same.post(body)
    assert response.status_code == 200
    assert [b"reasoning_content" in one.body for one in same.raw.asked] == [True, False]


async def test_tokens_are_counted_though_another_option_of_streams_is_refused(tmp_path: Path) -> None:
    """Mistral's clients ask for `stream_tool_calls`; all others of the model had no usage from then on."""
    refusal = {"error": {"message": "Unknown parameter: 'stream_options.stream_tool_calls'."}}
    counting = {"include_usage": True}
    asked = CHAT | {"stream": True, "stream_options": counting | {"stream_tool_calls": True}}
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(json.dumps(refusal).encode(), status=400, kind=JSON)
        for _ in range(3):
            same.raw.says(*STREAMS["openai-chat"])
        for body in (asked, asked, CHAT | {"stream": True}):
            await same.post(json.dumps(body).encode())
    sent = [json.loads(one.body)["stream_options"] for one in same.raw.asked]
    assert sent == [asked["stream_options"], counting, counting, counting]


@pytest.mark.parametrize(
    ("given", "refused", "sent"),
    [
        ("max_tokens", "max_tokens", "max_completion_tokens"),
        ("max_completion_tokens", "max_completion_tokens", "max_tokens"),
    ],
)
async def test_a_limit_that_is_refused_is_called_otherwise(tmp_path: Path, given: str, refused: str, sent: str) -> None:
    """Pitfall 14; the next request is right at once."""
    refusal = {"error": {"message": f"Unsupported parameter: '{refused}' is not supported with this model."}}
    body = json.dumps(CHAT | {given: 9}).encode()
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(json.dumps(refusal).encode(), status=400, kind=JSON)
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        await same.post(body)
        await same.post(body)
    assert [[name for name in json.loads(one.body) if "tokens" in name] for one in same.raw.asked] == [
        [given],
        [sent],
        [sent],
    ]


async def test_a_model_that_thinks_is_given_its_own_limit(tmp_path: Path) -> None:
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        await same.post(json.dumps(CHAT | {"model": "gpt-5", "max_tokens": 9}).encode())
    assert same.raw.sent == CHAT | {"model": "gpt-5", "max_completion_tokens": 9}


# Chat, replies


def chunk(**fields: Any) -> bytes:
    return b"data: %b\n\n" % json.dumps({"id": "c", "model": "m", **fields}).encode()


def said(**delta: Any) -> Json:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


FIRST = chunk(**said(role="assistant", content="ok"))
LAST = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
COUNTED = chunk(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
DONE = b"data: [DONE]\n\n"
COUNTING: Any = {"stream_options": {"include_usage": True}}


async def stream(folder: Path, *pieces: bytes, model: str = "m", over: Json | None = None, **fields: Any) -> bytes:
    """Stream these pieces through a gateway that has another name for the model."""
    config: Json = {"models": {"alias": {"mine": "up/m"}}} | (over or {})
    async with passing("openai-chat", folder, **config) as same:
        same.raw.says(*pieces)
        response = await same.post(json.dumps(CHAT | {"model": model, "stream": True, **fields}).encode())
    return response.content


async def test_the_tokens_that_nobody_asked_for_are_taken_out_again(tmp_path: Path) -> None:
    null = chunk(**said(content="x"), usage=None, service_tier="default")
    got = await stream(tmp_path, FIRST, null, LAST, COUNTED, DONE)
    without = chunk(**said(content="x"), service_tier="default")
    assert [json.loads(one) for one in _data(got)] == [json.loads(one) for one in _data(FIRST + without + LAST)]
    assert (got.startswith(FIRST), got.endswith(LAST + DONE)) == (True, True)


@pytest.mark.parametrize("choices", [{}, {"choices": None}, {"choices": []}])
async def test_a_chunk_of_nothing_but_tokens_is_left_out_however_it_lacks_choices(
    tmp_path: Path, choices: Json
) -> None:
    """Pitfall 10: who has not asked gets no chunk without choices."""
    counted = chunk(**choices, usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
    assert await stream(tmp_path, FIRST, LAST, counted, DONE) == FIRST + LAST + DONE


async def test_an_error_with_tokens_beside_it_stays(tmp_path: Path) -> None:
    failed = chunk(error={"message": "boom", "type": "server_error"}, usage={"prompt_tokens": 3})
    got = await stream(tmp_path, FIRST, failed)
    assert json.loads(_data(got)[-1])["error"]["message"] == "boom"


async def test_the_tokens_that_were_asked_for_stay(tmp_path: Path) -> None:
    assert await stream(tmp_path, FIRST, LAST, COUNTED, DONE, **COUNTING) == FIRST + LAST + COUNTED + DONE


async def test_a_first_chunk_without_choices_is_left_out(tmp_path: Path) -> None:
    """A10, pitfall 61"""
    filters = chunk(choices=[], prompt_filter_results=[{"prompt_index": 0}])
    assert await stream(tmp_path, filters, FIRST, LAST, COUNTED, DONE, **COUNTING) == FIRST + LAST + COUNTED + DONE


async def test_a_choice_without_a_delta_is_left_out(tmp_path: Path) -> None:
    """A11"""
    hollow = chunk(choices=[{"index": 0, "finish_reason": None}])
    half = chunk(choices=[{"index": 0}, {"index": 1, "delta": {"content": "b"}}])
    got = await stream(tmp_path, FIRST, hollow, half, LAST, DONE, **COUNTING)
    kept = chunk(choices=[{"index": 1, "delta": {"content": "b"}}])
    assert [json.loads(one) for one in _data(got)] == [json.loads(one) for one in _data(FIRST + kept + LAST)]


async def test_an_end_without_a_delta_stays(tmp_path: Path) -> None:
    """A11: Azure's asynchronous filter says so that it has withheld the rest."""
    withheld = {"index": 0, "finish_reason": "content_filter", "content_filter_results": {"hate": {"filtered": True}}}
    got = await stream(tmp_path, FIRST, chunk(choices=[withheld]), DONE, **COUNTING)
    kept = chunk(choices=[{**withheld, "delta": {}}])
    assert [json.loads(one) for one in _data(got)] == [json.loads(one) for one in _data(FIRST + kept)]


def called(*pieces: Json) -> bytes:
    return chunk(**said(tool_calls=list(pieces)))


async def test_the_pieces_of_calls_are_numbered_where_the_upstream_does_not(tmp_path: Path) -> None:
    """Pitfall 79: the SDKs put calls together by their index."""
    signed = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    pieces: list[Json] = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":'}, **signed},
        {"index": None, "function": {"arguments": "1}"}},
        {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]
    got = await stream(tmp_path, FIRST, called(pieces[0]), called(*pieces[1:3]), called(pieces[3]), DONE, **COUNTING)
    calls = [call for one in _data(got) for call in json.loads(one)["choices"][0]["delta"].get("tool_calls", ())]
    assert calls == [{**piece, "index": index} for piece, index in zip(pieces, (0, 0, 1, 2), strict=True)]


async def test_a_piece_without_a_number_is_of_the_call_before_it(tmp_path: Path) -> None:
    begun = called(*({"index": i, "id": f"c{i}", "function": {"name": "f", "arguments": ""}} for i in range(2)))
    got = await stream(tmp_path, FIRST, begun, called({"function": {"arguments": "{}"}}), DONE, **COUNTING)
    (piece,) = json.loads(_data(got)[-1])["choices"][0]["delta"]["tool_calls"]
    assert (piece["index"], begun in got) == (1, True)


async def test_calls_that_all_have_the_first_number_are_counted(tmp_path: Path) -> None:
    """Pitfall 79"""
    given = [{"index": 0, "id": one, "function": {"name": "f", "arguments": "{}"}} for one in "abc"]
    got = await stream(tmp_path, FIRST, called(*given[:2]), called(given[2]), DONE, **COUNTING)
    calls = [call for one in _data(got) for call in json.loads(one)["choices"][0]["delta"].get("tool_calls", ())]
    assert calls == [{**call, "index": number} for number, call in enumerate(given)]


async def test_calls_that_all_have_the_first_number_keep_their_own_arguments(tmp_path: Path) -> None:
    """Pitfall 79: the pieces behind the first say the same number, and no id."""
    begun = [{"index": 0, "id": one, "type": "function", "function": {"name": "f", "arguments": ""}} for one in "ab"]
    more: list[Json] = [{"index": 0, "function": {"arguments": text}} for text in ('{"x":1}', '{"x":2}')]
    given = [begun[0], more[0], begun[1], more[1]]
    got = await stream(tmp_path, FIRST, *map(called, given), DONE, **COUNTING)
    calls = [call for one in _data(got) for call in json.loads(one)["choices"][0]["delta"].get("tool_calls", ())]
    assert calls == [{**call, "index": number} for call, number in zip(given, (0, 0, 1, 1), strict=True)]


@pytest.mark.parametrize("numbers", [(0, 1), (0, 0)])
@pytest.mark.parametrize(("more", "name"), [({"id": "a"}, {"name": "f"}), ({"id": "a-2"}, {}), ({}, {"name": "f"})])
async def test_the_pieces_of_a_call_say_its_id_and_name_once(
    tmp_path: Path, numbers: tuple[int, int], more: Json, name: Json
) -> None:
    """dialects 2.1: SDKs put together what several say."""
    one, other = ({"index": number, "type": "function"} for number in numbers)
    given: list[Json] = [
        {**one, "id": "a", "function": {"name": "f", "arguments": ""}},
        {**one, **more, "function": {**name, "arguments": '{"x":'}},
        {**one, **more, "function": {**name, "arguments": "1}"}},
        {**other, "id": "b", "function": {"name": "f", "arguments": "{}"}},
    ]
    got = await stream(tmp_path, FIRST, *map(called, given), LAST, COUNTED, DONE, **COUNTING)
    calls = [call for one in _data(got)[1:5] for call in json.loads(one)["choices"][0]["delta"]["tool_calls"]]
    assert [call["index"] for call in calls] == [0, 0, 0, 1]
    assert [call["id"] for call in calls if "id" in call] == ["a", "b"]
    said = [call["function"] for call in calls]
    assert [one["name"] for one in said if "name" in one] == ["f", "f"]
    assert [one["arguments"] for one in said] == ["", '{"x":', "1}", "{}"]


async def test_pieces_of_calls_with_numbers_and_no_ids_pass_as_they_came(tmp_path: Path) -> None:
    pieces = [
        called({"index": 0, "function": {"name": "f", "arguments": ""}}),
        called({"index": 1, "id": "b", "function": {"name": "f"}}, {"index": 0, "function": {"arguments": "{}"}}),
        called({"index": 1, "function": {"arguments": "{}"}}),
    ]
    assert await stream(tmp_path, FIRST, *pieces, LAST, DONE, **COUNTING) == b"".join((FIRST, *pieces, LAST, DONE))


async def test_pieces_of_calls_with_numbers_pass_as_they_came(tmp_path: Path) -> None:
    piece = called(
        {"index": 0, "id": "a", "function": {"name": "f"}}, {"index": 1, "id": "b", "function": {"name": "f"}}
    )
    assert await stream(tmp_path, FIRST, piece, LAST, DONE, **COUNTING) == FIRST + piece + LAST + DONE


@pytest.mark.parametrize(("echo", "named"), [("requested", "mine"), ("upstream", "m")])
async def test_the_caller_reads_its_own_name_of_the_model(tmp_path: Path, echo: str, named: str) -> None:
    over = {"models": {"alias": {"mine": "up/m"}, "echo": echo}}
    got = await stream(tmp_path, FIRST, b": hm\r\n\r\n", LAST, DONE, model="mine", over=over, **COUNTING)
    assert [json.loads(one)["model"] for one in _data(got)] == [named] * 2
    assert b": hm\r\n\r\n" in got
    assert (got == FIRST + b": hm\r\n\r\n" + LAST + DONE) is (echo == "upstream")


async def test_an_event_that_is_written_anew_keeps_its_other_lines(tmp_path: Path) -> None:
    odd = (
        b'event: x\r\ndata:{"model":"m","choices":[{"index":0,\r\nid: 7\r\n'
        b'data:"delta":{"content":"\xc3\xa9"}}]}\r\n\r\n'
    )
    got = await stream(tmp_path, FIRST, odd, LAST, DONE, model="mine", **COUNTING)
    expected = (
        b'event: x\r\ndata:{"model":"mine","choices":[{"index":0,\n"delta":{"content":"\xc3\xa9"}}]}\r\nid: 7\r\n\r\n'
    )
    assert expected.replace(b'\n"delta', b'"delta').replace(b"\r\n", b"\n") in got.replace(b"\r\n", b"\n").replace(
        b',\n"delta', b',"delta'
    )


async def test_no_secret_of_the_operators_passes_in_an_error(tmp_path: Path) -> None:
    told = b'data: {"error":{"message":"org-abc123 has no quota for sk-secretsecret","type":"x","code":"y"}}\n\n'
    got = await stream(tmp_path, FIRST, told, **COUNTING)
    assert (b"abc123" in got, b"secretsecret" in got) == (False, False)
    assert json.loads(_data(got)[-1])["error"]["code"] == "y"


def _data(written: bytes) -> list[bytes]:
    lines = [line for line in written.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"data: ")]
    return [line[6:] for line in lines if line != b"data: [DONE]"]


# Responses


REASONING = {"type": "reasoning", "id": "rs_1", "summary": []}
HERE = "rs_0123456789abcdef0123456700"  # as this gateway calls its items
ITEM = {"type": "message", "role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("sealed", "kept"),
    [
        ({"encrypted_content": OPENAIS}, {"encrypted_content": "T1BF"}),
        ({"encrypted_content": "gAAA"}, {"encrypted_content": "gAAA"}),
        ({"encrypted_content": GEMINIS}, None),
        ({"encrypted_content": OPENAIS[:-1] + "x"}, None),
        ({}, {}),
        ({"id": HERE}, None),
        ({"id": HERE, "encrypted_content": None}, None),
        ({"id": HERE, "encrypted_content": GEMINIS}, None),
    ],
)
def test_thoughts_of_responses_leave_their_envelope(sealed: Json, kept: Json | None) -> None:
    """Pitfalls 27, 28, 42"""
    written, _, losses = responses({"model": "m", "input": [REASONING | sealed, ITEM]})
    assert written["input"] == ([ITEM] if kept is None else [REASONING | kept, ITEM])
    assert losses == (["input[0]"] if kept is None else [])


def test_a_sealed_thought_goes_without_the_name_that_it_has_here() -> None:
    """Pitfall 42: the upstream would look for it."""
    sealed = REASONING | {"id": HERE, "encrypted_content": OPENAIS}
    written, _, losses = responses({"model": "m", "input": [sealed, ITEM]})
    assert written["input"] == [{"type": "reasoning", "summary": [], "encrypted_content": "T1BF"}, ITEM]
    assert losses == []


async def test_thoughts_told_here_do_not_go_where_they_were_not_made(tmp_path: Path) -> None:
    over: Json = {"upstream": {"demo": {"type": "demo"}}}
    async with passing("openai-responses", tmp_path, **over) as same:
        asked = b'{"model":"demo/demo","input":"!think hm\\n!say so","reasoning":{"effort":"low","summary":"auto"}}'
        first = (await same.post(asked)).json()
        same.raw.says(WHOLES["openai-responses"], kind=JSON)
        again = await same.post(json.dumps({"model": "m", "input": [*first["output"], ITEM]}).encode())
    assert [item["type"] for item in first["output"]] == ["reasoning", "message"]
    assert [item["type"] for item in same.raw.sent["input"]] == ["message", "message"]
    assert again.status_code == 200


@pytest.mark.parametrize(
    ("body", "target", "fields", "edits", "changed"),
    [
        ({}, OpenAITarget(model="n"), {}, ["model"], {"model": "n"}),
        ({"previous_response_id": "resp_x"}, None, {}, [], {}),
        (
            {"previous_response_id": "resp_x"},
            OpenAITarget(model="m", upstream="up"),
            {"thread": ir.Thread(before=(Raw(b'{"a":1}'),), items=(Raw(b'{"b":2}'),), kept_at="up")},
            [],
            {},
        ),
        (
            {"previous_response_id": "resp_x"},
            OpenAITarget(model="m", upstream="up"),
            {"thread": ir.Thread(before=(Raw(b'{"a":1}'),), items=(Raw(b'{"b":2}'),))},
            ["history"],
            {"input": [{"a": 1}, {"b": 2}], "previous_response_id": None},
        ),
        (
            {"previous_response_id": "resp_x"},
            OpenAITarget(model="m", upstream="up", keeps=False),
            {
                "thread": ir.Thread(
                    before=(Raw(b'{"type":"reasoning","id":"rs_1"}'),), items=(Raw(b'{"b":2}'),), kept_at="up"
                )
            },
            ["history", "own"],
            {"input": [{"b": 2}], "previous_response_id": None},
        ),
        (
            {"top_p": 1.0},
            None,
            {"sampling": ir.Sampling(top_p=0.5, max_tokens=7)},
            ["defaults"],
            {"max_output_tokens": 7},
        ),
        (
            {"reasoning": {"effort": "low", "summary": "auto"}},
            OpenAITarget(model="m", refused=("reasoning_effort",)),
            {},
            ["refused"],
            {"reasoning": {"summary": "auto"}},
        ),
    ],
)
def test_an_edit_of_a_responses_request(body: Json, target: Any, fields: Any, edits: list[str], changed: Json) -> None:
    """D12, pitfall 41"""
    body = {"model": "m", "input": "hi", **body}
    written, names, _ = responses(body, target, **fields)
    assert (written, names) == ({one: value for one, value in (body | changed).items() if value is not None}, edits)


async def test_a_response_has_the_callers_name_of_the_model(tmp_path: Path) -> None:
    async with passing("openai-responses", tmp_path, models={"alias": {"mine": "up/m"}}) as same:
        same.raw.says(*STREAMS["openai-responses"])
        streamed = await same.post(b'{"model":"mine","input":"hi","stream":true,"store":false}')
        same.raw.answers.clear()
        same.raw.says(WHOLES["openai-responses"], kind=JSON)
        whole = await same.post(b'{"model":"mine","input":"hi","store":false}')
    assert whole.json() == json.loads(WHOLES["openai-responses"]) | {"model": "mine"}
    named = [json.loads(one)["response"]["model"] for one in _data(streamed.content) if b'"response":' in one]
    assert named == ["mine", "mine"]


async def test_a_response_of_the_upstreams_is_kept_here_too(tmp_path: Path) -> None:
    """It can be read, and gone on from: there by its id, and elsewhere by what was said."""
    over: Json = {"upstream": {"demo": {"type": "demo"}}}
    async with passing("openai-responses", tmp_path, **over) as same:
        same.raw.says(WHOLES["openai-responses"], kind=JSON)
        first = await same.post(b'{"model":"m","input":"first words"}')
        read = await same.http.get("/v1/responses/resp_1")
        same.raw.answers.clear()
        same.raw.says(WHOLES["openai-responses"].replace(b"resp_1", b"resp_2"), kind=JSON)
        body = b'{"model":"m","input":"more","previous_response_id":"resp_1"}'
        there = await same.post(body)
        sent = same.raw.asked[-1].body
        elsewhere = await same.post(b'{"model":"demo/demo","input":"!say <i>","previous_response_id":"resp_1"}')
    assert (first.json()["id"], read.json()["id"], there.status_code) == ("resp_1", "resp_1", 200)
    assert sent == body
    assert elsewhere.status_code == 200


@pytest.mark.parametrize(
    "response",
    [
        b'{"id":"resp_1","status":"completed","output":null}',
        b'{"id":null,"status":"completed","output":[]}',
        b'{"status":"completed","output":[]}',
        b'{"id":"resp_1","status":7,"output":[]}',
        b"null",
        b"[]",
    ],
)
async def test_what_is_no_response_passes_and_is_not_kept(tmp_path: Path, response: bytes) -> None:
    end = b'event: response.completed\ndata: {"type":"response.completed","sequence_number":3,"response":%b}\n\n'
    async with passing("openai-responses", tmp_path) as same:
        pieces = (*STREAMS["openai-responses"][:-1], end % response)
        same.raw.says(*pieces)
        streamed = await same.post(b'{"model":"m","input":"hi","stream":true}')
        read = await same.http.get("/v1/responses/resp_1")
    assert (streamed.status_code, streamed.content) == (200, b"".join(pieces))
    assert read.status_code == 404


async def test_what_was_said_elsewhere_goes_along_as_input(tmp_path: Path) -> None:
    over: Json = {"upstream": {"demo": {"type": "demo"}}}
    async with passing("openai-responses", tmp_path, **over) as same:
        first = await same.post(b'{"model":"demo/demo","input":"first words"}')
        same.raw.says(WHOLES["openai-responses"], kind=JSON)
        body = {"model": "m", "input": "more", "previous_response_id": first.json()["id"]}
        await same.post(json.dumps(body).encode())
    assert "previous_response_id" not in same.raw.sent
    assert [item["type"] for item in same.raw.sent["input"]] == ["message"] * 3


async def test_an_id_that_only_the_upstream_may_know_goes_on(tmp_path: Path) -> None:
    """D12: to an upstream that speaks the dialect; elsewhere it is refused."""
    over: Json = {"upstream": {"demo": {"type": "demo"}}}
    async with passing("openai-responses", tmp_path, **over) as same:
        same.raw.says(WHOLES["openai-responses"], kind=JSON)
        body = (
            b'{"model":"m","previous_response_id":"resp_x","conversation":null,'
            b'"input":[{"type":"item_reference","id":"i"}]}'
        )
        passed = await same.post(body)
        refused = await same.post(body.replace(b'"m"', b'"demo/demo"'))
    assert (passed.status_code, same.raw.asked[-1].body) == (200, body)
    assert refused.status_code == 400


async def test_a_response_of_another_caller_cannot_be_gone_on_from(tmp_path: Path) -> None:
    async with passing("openai-responses", tmp_path, auth={"keys": ["sk-one", "sk-two"]}) as same:
        same.raw.says(WHOLES["openai-responses"], kind=JSON)
        await same.post(b'{"model":"m","input":"secret"}', authorization="Bearer sk-one")
        body = b'{"model":"m","input":"more","previous_response_id":"resp_1"}'
        other = await same.post(body, authorization="Bearer sk-two")
    assert (other.status_code, other.json()["error"]["param"]) == (400, "previous_response_id")
    assert len(same.raw.asked) == 1


# Anthropic


def use(id_: str = "t1") -> Json:
    return {"type": "tool_use", "id": id_, "name": "f", "input": {}}


def result(id_: str = "t1", **fields: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": id_, "content": "x", **fields}


def turn(role: str, *blocks: Any) -> Json:
    return {"role": role, "content": list(blocks)}


def text(said: str) -> Json:
    return {"type": "text", "text": said}


WORDS = text("w")
THINKS = {"type": "enabled", "budget_tokens": 2000}
DRAWN = MESSAGES | {"temperature": 0.3, "top_k": 5}
DRAWN_PICTURE = markdown("image/png", "AAAA")
SHOWN_WORDS = text("[shown by the assistant:]")
PICTURE = (
    SHOWN_WORDS,
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
)
BARE_CALL = [USER, turn("assistant", use()), turn("user", result())]
UNSIGNED = {"type": "thinking", "thinking": "hm"}
INTERRUPTED = {
    "type": "tool_result",
    "tool_use_id": "t1",
    "content": "[no result: the tool call was interrupted]",
    "is_error": True,
}


INTERRUPTED_0 = INTERRUPTED | {"tool_use_id": "t0"}
MIDWAY = {"role": "system", "content": "be brief"}


def thought(signature: str, **fields: Any) -> Json:
    return {"type": "thinking", "thinking": "hm", "signature": signature, **fields}


@pytest.mark.parametrize(
    ("given", "kept", "edit", "lost"),
    [
        # envelopes, pitfalls 27, 28
        ([turn("assistant", thought(CLAUDES), WORDS)], [turn("assistant", thought("Q0xB"), WORDS)], "own", 0),
        ([turn("assistant", thought(GEMINIS), WORDS)], [turn("assistant", WORDS)], "own", 1),
        ([turn("assistant", thought(CLAUDES[:-1] + "x"), WORDS)], [turn("assistant", WORDS)], "own", 1),
        ([turn("assistant", thought(GEMINIS)), USER], [USER], "own", 1),
        ([turn("assistant", thought("bare"), WORDS)], None, None, 0),
        # thoughts that nobody has signed: "thinking.signature: Field required"
        ([turn("assistant", UNSIGNED, WORDS)], [turn("assistant", WORDS)], "own", 1),
        ([turn("assistant", UNSIGNED | {"signature": None}, WORDS)], [turn("assistant", WORDS)], "own", 1),
        ([turn("assistant", UNSIGNED), USER], [USER], "own", 1),
        ([turn("assistant", thought("gw1.c.t.dW5zaWduZWQ.b1affd81"), WORDS)], [turn("assistant", WORDS)], "own", 1),
        # 49, 50: what another model said of blanks alone, and the one empty text of an answer that said nothing
        ([USER, turn("assistant", text("\n\n"), use()), turn("user", result())], BARE_CALL, "blank", 0),
        ([USER, turn("assistant", text("")), USER], [USER, USER], "blank", 0),
        ([USER, {"role": "assistant", "content": ""}, USER], [USER, USER], "blank", 0),
        ([USER, turn("assistant"), USER], [USER, USER], "blank", 0),
        (
            [USER, turn("assistant", WORDS, text(" "), text(""), text("x"), text("\t")), USER],
            [USER, turn("assistant", text("w "), text("x\t")), USER],
            "blank",
            0,
        ),
        ([USER, turn("assistant", text("w"), {"type": "text", "text": None}), turn("user", text(" "))], None, None, 0),
        ([USER, turn("assistant", use()), turn("user", result(content=""))], None, None, 0),
        ([USER, turn("assistant", "no block"), turn("user", text(""))], None, None, 0),  # which Anthropic judges
        # an answer begun
        ([USER, turn("assistant", WORDS, text("So:\n "))], [USER, turn("assistant", WORDS, text("So:"))], "blank", 0),
        (
            [USER, {"role": "assistant", "content": "So: "}],
            [USER, {"role": "assistant", "content": "So:"}],
            "blank",
            0,
        ),
        ([USER, turn("assistant", text("So: ")), USER], None, None, 0),
        # what another model drew, as callers of this dialect are shown it
        (
            [USER, turn("assistant", text(f"Here: {DRAWN_PICTURE}"), use()), turn("user", result()), USER],
            [USER, turn("assistant", text("Here: "), use()), turn("user", result(), *PICTURE), USER],
            "shown, results, order",
            1,
        ),
        ([{"role": "assistant", "content": DRAWN_PICTURE}, USER], [turn("user", *PICTURE), USER], "shown", 1),
        ([{"role": "user", "content": DRAWN_PICTURE}, SAID, turn("user", text("![image](data:"))], None, None, 0),
        ([turn("assistant", text("![image](data:image/png;base64,A)")), USER], None, None, 0),
        # 17
        (
            [turn("assistant", thought("s", cache_control={"type": "ephemeral"}), WORDS | {"cache_control": {}})],
            [turn("assistant", thought("s"), WORDS | {"cache_control": {}})],
            "marks",
            1,
        ),
        # 46
        (
            [turn("assistant", use()), USER],
            [turn("assistant", use()), turn("user", INTERRUPTED, {"type": "text", "text": "hi"})],
            "results",
            0,
        ),
        (
            [turn("assistant", use("t0"), use()), turn("user", result("t0"), WORDS)],
            [turn("assistant", use("t0"), use()), turn("user", INTERRUPTED, result("t0"), WORDS)],
            "results",
            0,
        ),
        (
            [turn("assistant", use()), turn("assistant", WORDS)],
            [turn("assistant", use()), turn("user", INTERRUPTED), turn("assistant", WORDS)],
            "results",
            0,
        ),
        ([USER, turn("assistant", use())], None, None, 0),
        (
            [turn("assistant", use("t0"), use()), turn("user", result("t0")), turn("user", result()), USER],
            [turn("assistant", use("t0"), use()), turn("user", result("t0"), result()), USER],
            "results",
            0,
        ),
        (
            [turn("assistant", use()), USER, turn("user", result())],
            [turn("assistant", use()), turn("user", result(), {"type": "text", "text": "hi"})],
            "results, order",
            0,
        ),
        # instructions between a call and its result
        (
            [turn("assistant", use()), MIDWAY, turn("user", result())],
            [turn("assistant", use()), turn("user", result()), MIDWAY],
            "results",
            0,
        ),
        (
            [turn("assistant", use("t0"), use()), MIDWAY, turn("user", WORDS, result()), MIDWAY, USER, SAID, USER],
            [
                turn("assistant", use("t0"), use()),
                turn("user", INTERRUPTED_0, result()),
                MIDWAY,
                turn("user", WORDS),
                MIDWAY,
                USER,
                SAID,
                USER,
            ],
            "results",
            0,
        ),
        (
            [turn("assistant", use()), MIDWAY, USER],
            [turn("assistant", use()), turn("user", INTERRUPTED), MIDWAY, USER],
            "results",
            0,
        ),
        (
            [turn("assistant", WORDS, use("t0")), turn("assistant", use()), turn("user", result("t0"), result())],
            [turn("assistant", WORDS, use("t0"), use()), turn("user", result("t0"), result())],
            "results",
            0,
        ),
        (
            [turn("assistant", use("t0"), use()), turn("user", result("t0")), turn("assistant", WORDS), USER],
            [
                turn("assistant", use("t0"), use()),
                turn("user", INTERRUPTED, result("t0")),
                turn("assistant", WORDS),
                USER,
            ],
            "results",
            0,
        ),
        # 85
        (
            [turn("assistant", use()), turn("user", result(content="old"), WORDS, result())],
            [turn("assistant", use()), turn("user", result(), WORDS)],
            "results, order",
            1,
        ),
        (
            [turn("assistant", use()), turn("user", result(content="old")), turn("user", result()), SAID],
            [turn("assistant", use()), turn("user", result()), SAID],
            "results",
            1,
        ),
        ([SAID, turn("user", result()), turn("assistant", use()), turn("user", result())], None, None, 0),
        # 47
        (
            [turn("assistant", use()), turn("user", WORDS, result())],
            [turn("assistant", use()), turn("user", result(), WORDS)],
            "order",
            0,
        ),
        # 51
        (
            [turn("assistant", use("functions.Bash:0")), turn("user", result("functions.Bash:0"))],
            [turn("assistant", use("functions_Bash_0_5b7d2d4a")), turn("user", result("functions_Bash_0_5b7d2d4a"))],
            "ids",
            0,
        ),
        # results without a call stay
        ([turn("user", result("gone"), WORDS)], None, None, 0),
    ],
)
def test_a_mend_of_a_conversation(given: list[Json], kept: list[Json] | None, edit: str | None, lost: int) -> None:
    body = OF_CLAUDE | {"messages": given}
    written, names, losses = messages(body, model=body["model"])
    if edit == "ids":
        ids = [block.get("id") or block["tool_use_id"] for one in written["messages"] for block in one["content"]]
        assert len(set(ids)) == 1
        assert set(ids[0]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
    else:
        assert written["messages"] == (given if kept is None else kept)
    assert (names, len(losses)) == (edit.split(", ") if edit else [], lost)


@pytest.mark.parametrize(
    ("body", "target", "fields", "edits", "changed"),
    [
        (MESSAGES, Own(model="n"), {}, ["model"], {"model": "n"}),
        # B16, pitfall 19
        (
            MESSAGES | {"max_tokens": 4000, "thinking": THINKS, "tool_choice": {"type": "tool", "name": "f"}},
            None,
            {},
            ["unforced"],
            {"tool_choice": {"type": "auto"}},
        ),
        (
            MESSAGES
            | {
                "max_tokens": 4000,
                "thinking": THINKS,
                "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
            },
            None,
            {},
            ["unforced"],
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        (MESSAGES | {"tool_choice": {"type": "any"}}, None, {}, [], {}),
        (
            MESSAGES | {"tool_choice": {"type": "tool", "name": "f"}},
            Own(model="m", forced=False),
            {},
            ["unforced"],
            {"tool_choice": {"type": "auto"}},
        ),
        (MESSAGES | {"thinking": {"type": "adaptive"}, "tool_choice": {"type": "any"}}, None, {}, [], {}),
        # translate.thinking_conflict
        (
            MESSAGES | {"max_tokens": 2000, "thinking": THINKS},
            None,
            {},
            ["budget"],
            {"thinking": {"type": "enabled", "budget_tokens": 1999}},
        ),
        (MESSAGES | {"max_tokens": 1000, "thinking": THINKS}, None, {}, ["budget"], {"thinking": None}),
        (
            MESSAGES | {"max_tokens": 2000, "thinking": THINKS},
            Own(model="m", thinking_conflict="drop"),
            {},
            ["budget"],
            {"thinking": None},
        ),
        (
            MESSAGES | {"max_tokens": 2000, "thinking": THINKS},
            None,
            {"betas": ("interleaved-thinking-2025-05-14",)},
            [],
            {},
        ),
        # max_tokens and [defaults]
        (
            {"model": "m", "messages": [USER]},
            Own(model="m", max_output=50),
            {"sampling": ir.Sampling(max_tokens=8192, temperature=1.5, top_p=0.5, top_k=3)},
            ["defaults"],
            {"max_tokens": 50, "temperature": 1, "top_p": 0.5, "top_k": 3},
        ),
        (MESSAGES, Own(model="m", sampling=False), {"sampling": ir.Sampling(temperature=0.5)}, [], {}),
        (MESSAGES | {"temperature": 0.3}, Own(model="m", refused={"drawing"}), {}, ["refused"], {"temperature": None}),
        # 15: Claude, and what else has refused it
        *(
            (
                DRAWN | {"model": own.model, "max_tokens": 3000, "thinking": thinking, "top_p": 0.97},
                own,
                {},
                ["drawing"],
                {"temperature": None, "top_k": None},
            )
            for thinking in (THINKS, {"type": "adaptive"})
            for own in (Own(model="claude-sonnet-4-6"), Own(model="m", refused={"drawing_thinking"}))
        ),
        (DRAWN | {"max_tokens": 3000, "thinking": THINKS}, Own(model="m"), {}, [], {}),
        (
            DRAWN | {"model": "claude-sonnet-4-6", "thinking": {"type": "disabled"}},
            Own(model="claude-sonnet-4-6"),
            {},
            [],
            {},
        ),
        (DRAWN | {"top_p": 0.5}, Own(model="m", refused={"drawing_thinking"}), {}, [], {}),
        # what another model behind the name has refused
        (MESSAGES, Own(model="m", refused=EVERY_WAY, thinking=EFFORTFUL, max_output=100), {}, [], {}),
        (MESSAGES, Own(model="m", refused={"limit"}, max_output=50), {}, ["refused"], {"max_tokens": 50}),
        (
            MESSAGES | {"max_tokens": 4000, "thinking": THINKS, "output_config": {"format": {"type": "json_schema"}}},
            Own(model="m", refused={"budget"}, thinking=EFFORTFUL),
            {},
            ["refused"],
            {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"format": {"type": "json_schema"}, "effort": "low"},
            },
        ),
        (
            MESSAGES | {"max_tokens": 4000, "thinking": THINKS, "output_config": {"effort": "max"}},
            Own(model="m", refused={"budget", "effort_value"}, thinking=EFFORTFUL),
            {},
            ["refused"],
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}},
        ),
        (
            MESSAGES | {"max_tokens": 4000, "thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
            Own(model="m", refused={"adaptive", "effort"}, thinking=BUDGETED),
            {},
            ["refused"],
            {"thinking": BUDGETED.config, "output_config": None},
        ),
        (
            MESSAGES | {"output_config": {"effort": "max"}, "messages": [USER, RULE | {"output_config": {}}]},
            Own(model="m", refused={"output_config"}),
            {},
            ["refused"],
            {"output_config": None},
        ),
        (
            MESSAGES | {"output_config": {"effort": "max"}, "messages": [USER, RULE | {"output_config": {}}]},
            Own(model="m", refused={"turn_config"}),
            {},
            ["refused"],
            {"messages": [USER, RULE]},
        ),
        (
            MESSAGES | {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            Own(model="m", refused={"adaptive"}, thinking=Thinking(max_tokens=100)),
            {},
            ["refused"],
            {"thinking": None},
        ),
        (
            MESSAGES | {"thinking": {"type": "disabled"}},
            Own(model="m", refused={"stopping"}, thinking=EFFORTFUL),
            {},
            ["refused"],
            {"thinking": EFFORTFUL.config, "output_config": {"effort": "low"}},
        ),
        (
            MESSAGES | {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
            Own(model="m", refused={"between"}, thinking=Thinking(max_tokens=100, config={"type": "between_tools"})),
            {},
            ["refused"],
            {"thinking": {"type": "between_tools"}},
        ),
        (
            MESSAGES | {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
            Own(model="m", refused={"idle_effort"}),
            {},
            ["refused"],
            {"output_config": None},
        ),
        (
            MESSAGES | {"thinking": {"type": "adaptive", "block_binding": {}}, "fallbacks": "default"},
            Own(
                model="m",
                refused={"unknown"},
                unknown=(("thinking", "adaptive", "block_binding"), ("fallbacks",)),
            ),
            {},
            ["refused"],
            {"thinking": {"type": "adaptive"}, "fallbacks": None},
        ),
        (
            MESSAGES | {"thinking": {"type": "disabled"}},
            Own(model="m", refused={"budget", "adaptive"}, thinking=EFFORTFUL),
            {},
            [],
            {},
        ),
        (
            MESSAGES | {"tools": [{"name": "f", "strict": True}, {"name": "g"}]},
            Own(model="m", refused={"strictness"}),
            {},
            ["refused"],
            {"tools": [{"name": "f"}, {"name": "g"}]},
        ),
        (
            MESSAGES | {"tools": [{"name": "f", "input_schema": {"pattern": "\\p{Cc}"}}, {"name": "g"}]},
            Own(model="m", refused={"patterns"}),
            {},
            ["refused"],
            {"tools": [{"name": "f", "input_schema": {"description": "(pattern: \\p{Cc})"}}, {"name": "g"}]},
        ),
        (
            MESSAGES
            | {
                "context_management": {"edits": []},
                "tools": [{"name": "f", "input_examples": [{}], "input_schema": {"input_examples": {}}}, {"name": "g"}],
                "system": [{"type": "text", "text": "be", "cache_control": {"type": "ephemeral", "scope": "global"}}],
            },
            Own(
                model="m",
                refused={"unknown"},
                unknown=(
                    ("context_management",),
                    ("tools", "custom", "input_examples"),
                    ("system", "cache_control", "ephemeral", "scope"),
                    ("speed",),
                ),
            ),
            {},
            ["refused"],
            {
                "context_management": None,
                "tools": [{"name": "f", "input_schema": {"input_examples": {}}}, {"name": "g"}],
                "system": [{"type": "text", "text": "be", "cache_control": {"type": "ephemeral"}}],
            },
        ),
        (
            MESSAGES | {"tools": [{"name": "f", "input_schema": {"pattern": "^a"}}, {"name": "g"}]},
            Own(model="m", refused={"patterns"}),
            {},
            [],
            {},
        ),
        (
            MESSAGES | {"system": "be", "messages": [USER, RULE, SAID, RULES, USER]},
            Own(model="m", refused={"system_turns"}),
            {},
            ["refused"],
            {
                "system": [{"type": "text", "text": "be"}, {"type": "text", "text": "a rule"}],
                "messages": [
                    USER,
                    SAID,
                    {"role": "user", "content": "<system-reminder>\nb\nc\n</system-reminder>"},
                    USER,
                ],
            },
        ),
        *(
            (MESSAGES | {"messages": [*before, {"role": "system", "content": [ADDED]}]}, way, {}, [], {})
            for way in [Own(model="m", refused={"system_turns"})]
            for before in ([USER], [USER, SAID])
        ),
        # 13: ahead of the conversation Anthropic takes no instructions as a message
        (
            MESSAGES | {"system": "be", "messages": [RULE, RULES, USER, SAID, RULE]},
            None,
            {},
            ["head"],
            {
                "system": [text("be"), text("a rule"), text("b"), text("c")],
                "messages": [USER, SAID, RULE],
            },
        ),
        (
            MESSAGES | {"messages": [{"role": "system", "content": ""}, USER]},
            None,
            {},
            ["head"],
            {"messages": [USER]},
        ),
        (MESSAGES | {"messages": [RULE]}, None, {}, [], {}),
        (MESSAGES | {"messages": [RULE | {"output_config": {"effort": "low"}}, USER]}, None, {}, [], {}),
    ],
)
def test_an_edit_of_a_messages_request(body: Json, target: Any, fields: Any, edits: list[str], changed: Json) -> None:
    written, names, _ = messages(body, target, **fields)
    assert (written, names) == ({one: value for one, value in (body | changed).items() if value is not None}, edits)


@pytest.mark.parametrize(
    ("said", "asked", "kept"),
    [
        ([USER, turn("assistant", thought(GEMINIS), use()), turn("user", result())], THINKS, False),
        ([USER, turn("assistant", thought(GEMINIS), use()), turn("user", result(), WORDS)], THINKS, False),
        ([USER, turn("assistant", UNSIGNED, use()), turn("user", result())], THINKS, False),
        ([USER, turn("assistant", thought(CLAUDES), use()), turn("user", result())], THINKS, True),
        ([USER, turn("assistant", thought(GEMINIS), use()), turn("user", result()), SAID, USER], THINKS, True),
        ([USER, turn("assistant", thought(GEMINIS), use()), turn("user", result())], {"type": "adaptive"}, True),
        ([USER, turn("assistant", use()), turn("user", result())], THINKS, True),  # the caller's own doing
    ],
)
def test_claude_does_not_think_where_the_thoughts_of_a_tool_loop_are_gone(
    said: list[Json], asked: Json, kept: bool
) -> None:
    """Pitfall 23: another family has thought them."""
    body = OF_CLAUDE | {"max_tokens": 3000, "thinking": asked, "messages": said}
    written, _, losses = messages(body, model=body["model"])
    assert written.get("thinking") == (asked if kept else None)
    assert ("thinking" in losses) is not kept


@pytest.mark.parametrize("unsigned", [UNSIGNED, UNSIGNED | {"signature": ""}])
def test_a_thought_that_nobody_signs_stays_with_another_model_until_that_refuses_it(unsigned: Json) -> None:
    body = MESSAGES | {"max_tokens": 3000, "thinking": THINKS}
    body["messages"] = [USER, turn("assistant", unsigned, use()), turn("user", result())]
    assert messages(body) == (body, [], [])
    written, names, _ = messages(body, Own(model="m", refused={"signatures"}))
    assert (written["messages"][1]["content"], names) == ([use()], ["own"])


def test_a_search_that_this_gateway_has_told_of_is_taken_out() -> None:
    found = {"type": "web_search_result", "url": "https://a.example", "title": "a", "encrypted_content": ""}
    blocks = [
        WORDS
        | {"citations": [{"type": "web_search_result_location", "encrypted_index": "", "url": "https://a.example"}]},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [found]},
    ]
    written, names, losses = messages(MESSAGES | {"messages": [turn("assistant", *blocks), USER]})
    assert (written["messages"][0]["content"], names, len(losses)) == ([WORDS], ["own"], 3)
    blocks[2]["content"][0]["encrypted_content"] = "EpQ="  # Anthropic's own
    assert messages(MESSAGES | {"messages": [turn("assistant", *blocks[1:]), USER]})[1] == []


async def test_max_tokens_is_filled_in_for_anthropic(tmp_path: Path) -> None:
    async with passing("anthropic", tmp_path) as same:
        same.raw.says(WHOLES["anthropic"], kind=JSON)
        await same.post(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
        await same.post(b'{"model":"m","messages":[{"role":"user","content":[{"type":"hologram"}]}]}')
    assert [json.loads(one.body)["max_tokens"] for one in same.raw.asked] == [8192, 8192]


async def test_a_message_has_the_callers_name_of_the_model(tmp_path: Path) -> None:
    async with passing("anthropic", tmp_path, models={"alias": {"mine": "up/m"}}) as same:
        same.raw.says(*STREAMS["anthropic"])
        response = await same.post(json.dumps(MESSAGES | {"model": "mine", "stream": True}).encode())
    data = b"".join(STREAMS["anthropic"])
    start, _, rest = data.partition(b"event: ping")
    assert response.content.endswith(b"event: ping" + rest)
    began = json.loads(_data(response.content)[0])
    assert began == json.loads(_data(start)[0]) | {
        "message": json.loads(_data(start)[0])["message"] | {"model": "mine"}
    }


# configuration


async def test_a_suffix_of_the_name_is_translated(tmp_path: Path) -> None:
    over: Json = {"models": {"variant": {"-fast": {"thinking": "off"}}}}
    async with passing("openai-chat", tmp_path, **over) as same:
        same.raw.says(*STREAMS["openai-chat"])
        response = await same.post(json.dumps(CHAT | {"model": "m-fast", "unknown": 1}).encode())
    assert (response.status_code, same.raw.sent["model"], same.raw.sent["stream"]) == (200, "m", True)


async def test_the_defaults_of_gateway_toml_are_filled_in(tmp_path: Path) -> None:
    over: Json = {"defaults": {"temperature": 0.25, "stream": True}}
    async with passing("openai-chat", tmp_path, **over) as same:
        same.raw.says(FIRST, LAST, COUNTED, DONE)
        response = await same.post(json.dumps(CHAT).encode())
    assert same.raw.sent == CHAT | {"stream": True, "temperature": 0.25, "stream_options": {"include_usage": True}}
    assert response.content == FIRST + LAST + DONE


# values


NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["1.0", "1e400", "-0.0", "1E-7", "0.10"]),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(
    lambda one: json.dumps(one, ensure_ascii=False)
)
VALUES = st.recursive(
    st.one_of(NUMBERS, TEXTS, st.sampled_from(["true", "false", "null"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda many: f"[ {' , '.join(many)} ]"),
        st.lists(st.tuples(TEXTS, inner), max_size=3).map(
            lambda many: "{" + ",".join(f"{name} : {value}" for name, value in many) + "}"
        ),
    ),
    max_leaves=8,
)
NAMES = st.text("abcxyz", min_size=1, max_size=6).map(lambda name: f"x_{name}")
FIELDS = st.dictionaries(NAMES, VALUES, max_size=5)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(FIELDS, st.booleans())
def test_any_members_keep_their_bytes_whether_or_not_others_are_edited(fields: dict[str, str], edits: bool) -> None:
    members = {"model": '"m"', "messages": '[ {"role":"user", "content":"hi"} ]', "max_tokens": "5", **fields}
    body = "{{ {} }}".format(", ".join(f"{json.dumps(name)}: {value}" for name, value in members.items()))
    raw, name = Raw(body.encode()), "n" if edits else "m"
    request = ir.Request(model=name, turns=())
    for written in (
        pass_chat(request, raw, OpenAITarget(model=name)),
        pass_messages(request, raw, Own(model=name)),
        pass_responses(request, raw, OpenAITarget(model=name)),
    ):
        assert written.native is not None
        sent = bytes(written.native)
        if not edits:
            assert digest(sent) == digest(body.encode())
        expected = members | {"model": json.dumps(name)}
        assert _raws(sent) == {one: value.strip() for one, value in expected.items()}


def _raws(body: bytes) -> dict[str, str]:

    return {name: bytes(value).decode() for name, value in msgspec.json.decode(body, type=dict[str, Raw]).items()}
