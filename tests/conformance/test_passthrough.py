"""The same dialect on both ends: what a caller sends and what an upstream answers pass byte for byte."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.raw import PATHS, Passed, digest, passing

pytestmark = pytest.mark.anyio

# spaces, escapes, the order of keys, large and exact numbers, keys twice: nothing that a parser and an encoder keep
REQUESTS = {
    "openai-chat": b'{ "messages" : [ {"content":"\\u0068i \\u2028 \xe2\x80\xa8 \xf0\x9f\x98\x80","role":"user"} ],\r\n'
    b'\t"model":"m","seed":12345678901234567890123, "temperature":1.0, "top_p":1e-1,"new":{"a":1,"a":2.50}%b}  \n',
    "openai-responses": b'{ "input" : "\\u0068i \xe2\x80\xa8" ,"model":"m","store":false,\r\n"temperature":1.0,'
    b'"max_output_tokens":100, "new":{"a":1,"a":2.50,"big":12345678901234567890123}%b}\n',
    "anthropic": b'{"max_tokens":100 , "model":"m",\r\n "messages":[ {"content":"\\u0068i \xe2\x80\xa8",'
    b'"role":"user"}],'
    b'"temperature":1.0,"new":{"a":1,"a":2.50,"big":12345678901234567890123}%b}\n',
}
STREAMS = {
    "openai-chat": (
        b": PROCESSING\n\n",
        (
            b'data: {"id":"c1", "object":"chat.completion.chunk","created":1,"model":"m",'
            b'"choices":[{"index":0,"delta":{"role":"assistant","content":"h\xc3'
        ),
        b'\xa9 \xe2\x80\x94"},"finish_reason":null}],"usage":null,"extra":1.50}\r\n\r\n: ping\r\n\r\n',
        (
            b'event: x\nid: 7\ndata:{"choices":[{"delta":{"content":"b"},"index":0}],\ndata: "x":1}\n\n'
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        ),
        b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n',
        b"data: [DO",
        b"NE]\n\n",
        b": bye\n\n",
    ),
    "openai-responses": (
        (
            b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1",'
            b'"object":"response","created_at":1,"status":"in_progress","model":"m","output":[] , "x":1.0}}\n\n: hm\n\n'
        ),
        (
            b'event: response.output_item.added\ndata: {"type":"response.output_item.added","sequence_number":1,'
            b'"output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","status":"in_progress",'
            b'"content":[]}}\r\n\r\n'
        ),
        (
            b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":2,'
            b'"item_id":"msg_1","output_index":0,"content_index":0,"delta":"h\xc3'
        ),
        b'\xa9","logprobs":[],"obfuscation":"x"}\n\n',
        (
            b'event: response.completed\ndata: {"type":"response.completed","sequence_number":3,"response":{'
            b'"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":[{"id":"msg_1",'
            b'"type":"message","role":"assistant","status":"completed","content":[{"type":"output_text",'
            b'"text":"h\xc3\xa9","annotations":[]}]}],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}}\n\n'
        ),
    ),
    "anthropic": (
        (
            b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message",'
            b'"role":"assistant","content":[],"model":"m","stop_reason":null,"stop_sequence":null,'
            b'"usage":{"input_tokens":3,"output_tokens":1}} , "x":1.0}\n\n'
        ),
        b'event: ping\ndata: {"type": "ping"}\n\n: hm\n\n',
        (
            b'event: content_block_start\r\ndata: {"type":"content_block_start","index":0,'
            b'"content_block":{"type":"thinking","thinking":"","signature":""}}\r\n\r\n'
        ),
        (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
            b'"delta":{"type":"signature_delta","signature":"Eqo="}}\n\n'
            b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
            b'event: content_block_start\ndata: {"type":"content_block_start","index":1,'
            b'"content_block":{"type":"text","text":""}}\n\n'
        ),
        (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,'
            b'"delta":{"type":"text_delta","text":"h\xc3'
        ),
        (
            b'\xa9"}}\n\nevent: content_block_stop\ndata: {"type":"content_block_stop","index":1}\n\n'
            b'event: new_event\ndata: {"type":"new_event"}\n\n'
        ),
        (
            b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
            b'"stop_sequence":null},"usage":{"output_tokens":2}}\n\n'
            b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
        ),
    ),
}
WHOLES = {
    "openai-chat": b'{"id":"c1" ,"object":"chat.completion","created":1,"model":"m","choices":[\n{"index":0,'
    b'"message":{"role":"assistant","content":"h\xc3\xa9 \xe2\x80\xa8"},"finish_reason":"stop"},{"index":1,"message":{'
    b'"role":"assistant","content":"other"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,'
    b'"total_tokens":5}, "x":1.0}\n',
    "openai-responses": b'{"id":"resp_1" ,"object":"response","created_at":1,"status":"completed","model":"m",'
    b'"output":[\n'
    b'{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text",'
    b'"text":"h\xc3\xa9","annotations":[]}]}],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5},'
    b' "x":1.0}\n',
    "anthropic": b'{"id":"msg_1" ,"type":"message","role":"assistant","model":"m","content":[\n{"type":"text",'
    b'"text":"h\xc3\xa9"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2},'
    b'"x":1.0}\n',
}
REFUSALS: dict[str, tuple[int, bytes]] = {
    "openai-chat": (
        422,
        b'{"error":{"message":"Bad seed","type":"strange_error","param":"messages[0].x","code":"odd_code"}}',
    ),
    "openai-responses": (
        400,
        b'{"error":{"message":"Bad seed","type":"strange_error","param":"input[0].x","code":"odd_code"}}',
    ),
    "anthropic": (400, b'{"type":"error","error":{"type":"strange_error","message":"Bad seed"},"request_id":"req_9"}'),
}
UNREAD = {
    "openai-chat": b'{"model":"m","messages":[{"role":"alien","content":[{"type":"hologram"}]}], "tools":3}',
    "openai-responses": b'{"model":"m","input":[{"type":"hologram"}], "tools":3,"store":false}',
    "anthropic": b'{"model":"m","messages":[{"role":"user","content":[{"type":"hologram"}]}], "max_tokens":-1}',
}
CUT = {"openai-chat": 3, "openai-responses": 4, "anthropic": 6}  # pieces, of which the last one is half an event
BROKEN = {
    "openai-chat": b'data: {"error":',
    "openai-responses": b"event: response.failed\ndata: ",
    "anthropic": b"event: error\ndata: ",
}
DIALECTS = list(REQUESTS)
JSON = "application/json"


@pytest.fixture(params=DIALECTS)
async def same(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Passed]:
    """Run a gateway whose upstream speaks the caller's dialect."""
    async with passing(request.param, tmp_path) as one:
        yield one


def asking(dialect: str, *, stream: bool = False) -> bytes:
    """Ask for an answer, and for its tokens where a stream tells them only then."""
    counted = b',"stream_options":{"include_usage":true}' if dialect == "openai-chat" else b""
    return REQUESTS[dialect] % (b', "stream" : true%b' % counted if stream else b', "stream":false')


async def test_a_stream_passes_byte_for_byte_both_ways(same: Passed) -> None:
    same.raw.says(*STREAMS[same.dialect])
    body = asking(same.dialect, stream=True)
    response = await same.post(body)
    assert digest(same.raw.asked[-1].body) == digest(body)
    assert digest(response.content) == digest(b"".join(STREAMS[same.dialect]))


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_it_does_not_matter_how_a_stream_is_cut(same: Passed, size: int) -> None:
    data = b"".join(STREAMS[same.dialect])
    same.raw.says(*(data[at : at + size] for at in range(0, len(data), size)))
    response = await same.post(asking(same.dialect, stream=True))
    assert digest(response.content) == digest(data)


async def test_what_readers_of_streams_take_for_the_end_of_a_line_is_escaped(same: Passed) -> None:
    """Pitfall 62; in JSON both are the same."""
    data, separators = b"".join(STREAMS[same.dialect]), ("\u2028", "\u2029", "\u0085")
    same.raw.says(data.replace("é".encode(), "é".join(separators).encode()))
    response = await same.post(asking(same.dialect, stream=True))
    escaped = "é".join(f"\\u{ord(one):04x}" for one in separators)
    assert digest(response.content) == digest(data.replace("é".encode(), escaped.encode()))


@pytest.mark.parametrize("left", [b"", b"\n"])
async def test_a_last_event_that_no_blank_line_ends_is_one(same: Passed, left: bytes) -> None:
    """Clients pass over it."""
    data = b"".join(STREAMS[same.dialect]).removesuffix(b": bye\n\n").rstrip(b"\r\n")
    same.raw.says(data + left)
    response = await same.post(asking(same.dialect, stream=True))
    assert digest(response.content) == digest(data + b"\n\n")


async def test_what_is_left_at_the_end_and_is_no_event_stays_none(tmp_path: Path) -> None:
    async with passing("openai-chat", tmp_path) as same:
        data = b"".join(STREAMS["openai-chat"][:5]) + b"data: [DO"
        same.raw.says(data)
        response = await same.post(asking("openai-chat", stream=True))
    assert response.content == data


async def test_a_whole_answer_passes_byte_for_byte_both_ways(same: Passed) -> None:
    same.raw.says(WHOLES[same.dialect], kind=JSON)
    body = asking(same.dialect)
    response = await same.post(body)
    assert digest(same.raw.asked[-1].body) == digest(body)
    assert (digest(response.content), response.headers["content-type"]) == (digest(WHOLES[same.dialect]), JSON)


async def test_a_list_is_no_answer_and_does_not_pass(same: Passed) -> None:
    """Row 9 of docs/faults.md; what some servers put around a completion of Chat's is taken off."""
    same.raw.says(b"[" + WHOLES[same.dialect] + b"]", kind=JSON)
    response = await same.post(asking(same.dialect))
    if same.dialect == "openai-chat":
        message = json.loads(WHOLES[same.dialect])["choices"][0]["message"]
        said = response.json()["choices"][0]["message"]
        assert (response.status_code, said["content"]) == (200, message["content"])
    else:
        assert response.status_code == 502


async def test_a_call_in_a_namespace_comes_back_in_its_two_parts_where_the_upstream_does_not_stream(
    tmp_path: Path,
) -> None:
    """Nothing passes then: the answer is read, and written as a stream."""
    call = {"type": "function_call", "id": "fc_1", "call_id": "c_1", "namespace": "s", "name": "f", "arguments": "{}"}
    whole = {"id": "resp_1", "object": "response", "status": "completed", "output": [call | {"status": "completed"}]}
    function = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
    space = {"type": "namespace", "name": "s", "description": "d", "tools": [function]}
    async with passing("openai-responses", tmp_path) as same:
        same.raw.says(json.dumps(whole).encode(), kind=JSON)
        response = await same.post(json.dumps({"model": "m", "input": "hi", "stream": True, "tools": [space]}).encode())
    last = json.loads(response.text.rpartition("data: ")[2])
    assert [(one["namespace"], one["name"]) for one in last["response"]["output"]] == [("s", "f")]


async def test_a_compressed_request_passes_as_it_was_before(same: Passed) -> None:

    same.raw.says(WHOLES[same.dialect], kind=JSON)
    body = asking(same.dialect)
    await same.post(gzip.compress(body), content_encoding="gzip")
    assert same.raw.asked[-1].body == body
    assert "content-encoding" not in same.raw.asked[-1].headers


async def test_nothing_is_lost_that_nobody_here_knows(tmp_path: Path) -> None:
    for dialect in DIALECTS:
        async with passing(dialect, tmp_path / dialect, translate={"lossy": "strict"}) as same:
            same.raw.says(WHOLES[dialect], kind=JSON)
            response = await same.post(asking(dialect))
        assert (response.status_code, "x-gateway-lossy" in response.headers) == (200, False)


async def test_what_only_our_reader_refuses_the_upstream_may_take(same: Passed) -> None:
    same.raw.says(WHOLES[same.dialect], kind=JSON)
    response = await same.post(UNREAD[same.dialect])
    assert (response.status_code, same.raw.asked[-1].body) == (200, UNREAD[same.dialect])


UNDECLARED: dict[str, Any] = {
    "openai-chat": {
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": {"type": "function", "function": {"name": "g"}},
    },
    "openai-responses": {
        "input": "hi",
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
        "tool_choice": {"type": "function", "name": "g"},
    },
    "anthropic": {
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "g"},
    },
    "gemini": {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "tools": [{"functionDeclarations": [{"name": "f"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}},
    },
}


@pytest.mark.parametrize("declared", [True, False])
async def test_a_choice_of_an_undeclared_tool_goes_nowhere(same: Passed, declared: bool) -> None:
    """B18"""
    body = {"model": "m", **UNDECLARED[same.dialect]}
    if not declared:
        del body["tools"]
    response = await same.post(json.dumps(body).encode())
    assert (response.status_code, same.raw.asked) == (400, [])
    assert "'g'" in response.json()["error"]["message"]


async def test_claude_may_be_made_to_search_for_tools(tmp_path: Path) -> None:
    """The tool is declared, and not sent to others."""
    search = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
    asked = UNDECLARED["anthropic"] | {"model": "m", "tool_choice": {"type": "tool", "name": search["name"]}}
    async with passing("anthropic", tmp_path) as same:
        same.raw.says(WHOLES["anthropic"], kind=JSON)
        response = await same.post(json.dumps({**asked, "tools": [*asked["tools"], search]}).encode())
    assert (response.status_code, same.raw.sent["tool_choice"]) == (200, asked["tool_choice"])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"model":"m"', b'{"model":3}', b"{}", b'{"a":' * 300 + b"1" + b"}" * 300]
)
async def test_what_is_no_request_at_all_goes_nowhere(same: Passed, body: bytes) -> None:
    response = await same.post(body)
    assert (response.status_code, same.raw.asked) == (400, [])


async def test_an_unread_request_still_needs_a_key(tmp_path: Path) -> None:
    async with passing("openai-chat", tmp_path, auth={"keys": ["sk-ours"]}) as same:
        response = await same.post(UNREAD["openai-chat"])
    assert (response.status_code, same.raw.asked) == (401, [])


async def test_what_must_be_translated_is_refused_when_it_cannot_be_read(tmp_path: Path) -> None:
    over: Any = {"upstream": {"demo": {"type": "demo"}}}
    async with passing("openai-chat", tmp_path, **over) as same:
        response = await same.post(UNREAD["openai-chat"].replace(b'"m"', b'"demo/demo"'))
    assert response.status_code == 400
    assert "messages[0].role" in response.json()["error"]["param"]


async def test_a_member_of_a_chain_that_would_have_to_translate_is_passed_by(tmp_path: Path) -> None:
    over: Any = {"upstream": {"demo": {"type": "demo"}}, "models": {"alias": {"both": ["demo/demo", "up/m"]}}}
    async with passing("openai-chat", tmp_path, **over) as same:
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        unread = await same.post(UNREAD["openai-chat"].replace(b'"m"', b'"both"'))
        readable = await same.post(b'{"model":"both","messages":[{"role":"user","content":"hi"}]}')
    assert unread.headers["x-gateway-upstream"] == "up/m"
    assert readable.headers["x-gateway-upstream"] == "demo/demo"


class Shout:
    """A middleware that changes what is said."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        context = scope["state"]["gateway"] if scope["type"] == "http" else None
        if context is not None and context.request is not None:
            from msgspec.structs import replace

            from gateway import ir

            turn = ir.Turn(role="user", parts=(ir.Text(text="[redacted]"),))
            context.request = replace(context.request, turns=(turn,))
        await self.app(scope, receive, send)


async def test_what_a_middleware_has_changed_does_not_go_out_as_it_was(tmp_path: Path) -> None:
    order = ["body_limit", "auth", "protocol", "shout", "model_map"]
    over: Any = {
        "pipeline": {"order": order},
        "middleware": {"shout": {"use": f"{__name__}:Shout"}},
    }
    async with passing("openai-chat", tmp_path, **over) as same:
        same.raw.says(*STREAMS["openai-chat"])
        await same.post(b'{"model":"m","messages":[{"role":"user","content":"secret"}]}')
        unread = await same.post(UNREAD["openai-chat"])
    assert [one["content"] for one in same.raw.sent["messages"]] == ["[redacted]"]
    assert (unread.status_code, len(same.raw.asked)) == (400, 1)


# headers


async def test_headers_that_steer_the_api_go_along_and_no_others(same: Passed) -> None:
    same.raw.says(WHOLES[same.dialect], kind=JSON)
    given = {
        "openai_beta": "responses=v2",
        "anthropic_beta": "context-1m-2025-08-07",
        "anthropic_version": "2026-10-21" if same.dialect == "anthropic" else "2023-06-01",
        "cookie": "a=b",
        "x_stainless_lang": "python",
        "openai_organization": "org-theirs",
        "idempotency_key": "theirs",
        "x_api_key": "sk-theirs",
    }
    await same.post(asking(same.dialect), **given)
    headers = same.raw.asked[-1].headers
    if same.dialect == "anthropic":
        assert (headers["anthropic-beta"], headers["anthropic-version"]) == ("context-1m-2025-08-07", "2023-06-01")
        assert "openai-beta" not in headers
    else:
        assert headers["openai-beta"] == "responses=v2"
        assert not {"anthropic-beta", "anthropic-version"} & headers.keys()
    assert headers["idempotency-key"] == "theirs"
    never = ("cookie", "x-stainless-lang", "openai-organization")
    assert not any(name in headers for name in never)
    assert "sk-theirs" not in str(headers)


BOOM = json.dumps({"error": {"message": "boom"}}).encode()
SPENT = json.dumps({"error": {"message": "no", "type": "insufficient_quota", "code": "insufficient_quota"}}).encode()
NO_LIMIT = json.dumps({"error": {"message": "Unsupported parameter: 'max_tokens' is not supported."}}).encode()


LIMITED = json.dumps(
    {"error": {"message": "no tokens", "type": "tokens", "param": None, "code": "rate_limit_exceeded"}}
).encode()


async def test_a_limit_in_tokens_is_told_as_one_although_the_pool_has_none_left(tmp_path: Path) -> None:
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(LIMITED, status=429, kind=JSON)
        response = await same.post(asking("openai-chat"))
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["code"]) == (429, "tokens", "rate_limit_exceeded")
    assert error["message"].endswith("; no tokens")


async def test_what_is_too_large_for_the_limit_of_one_model_goes_to_the_next_member_of_a_chain(tmp_path: Path) -> None:
    too_large = LIMITED.replace(b"no tokens", b"Request too large for m on tokens per min (TPM): Limit 3, Requested 4")
    models = {"alias": {"mine": ["up/m", "up/other"]}}
    async with passing("openai-chat", tmp_path, models=models, table={"api_key": ["one", "two"]}) as same:
        same.raw.says(too_large, status=429, kind=JSON)
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        same.raw.says(too_large, status=429, kind=JSON)
        response = await same.post(asking("openai-chat").replace(b'"m"', b'"mine"'))
        assert (response.status_code, len(same.raw.asked)) == (200, 2)
        response = await same.post(asking("openai-chat"))
    assert (response.status_code, response.json()["error"]["type"], len(same.raw.asked)) == (429, "tokens", 3)
    assert response.headers["x-should-retry"] == "false"


def keys(same: Passed) -> list[str | None]:
    return [call.headers.get("idempotency-key") for call in same.raw.asked]


@pytest.mark.parametrize(
    ("status", "refusal", "second"),
    [(500, BOOM, "theirs"), (429, SPENT, None), (400, NO_LIMIT, None)],
    ids=["the same call", "another account", "another body"],
)
async def test_an_idempotency_key_goes_with_one_body_to_one_account(
    tmp_path: Path, status: int, refusal: bytes, second: str | None
) -> None:
    """dialects 1.7; each request has the key that its own caller gave it."""
    accounts = ["sk-one", "sk-two"] if status == 429 else ["sk-one"]
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":9}'
    async with passing("openai-chat", tmp_path, table={"api_key": accounts}, retry={"attempts": 2}) as same:
        same.raw.says(refusal, status=status, kind=JSON)
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        await same.post(body, idempotency_key="theirs")
        await same.post(body, idempotency_key="another")
        await same.post(body)
    assert keys(same) == ["theirs", second, "another", None]


async def test_an_idempotency_key_does_not_go_to_the_next_member_of_a_chain(tmp_path: Path) -> None:
    models = {"alias": {"mine": ["up/m", "up/other"]}}
    async with passing("openai-chat", tmp_path, models=models, retry={"attempts": 1}) as same:
        same.raw.says(BOOM, status=500, kind=JSON)
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        await same.post(asking("openai-chat").replace(b'"m"', b'"mine"'), idempotency_key="theirs")
    assert keys(same) == ["theirs", None]


async def test_an_idempotency_key_goes_with_a_translated_request(tmp_path: Path) -> None:
    async with passing("openai-chat", tmp_path) as same:
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        await same.http.post(PATHS["anthropic"], content=asking("anthropic"), headers={"idempotency-key": "theirs"})
    assert keys(same) == ["theirs"]


# usage, errors, ends


async def test_usage_is_metered_from_a_copy(same: Passed) -> None:
    seen: list[Any] = []
    answer = same.gateway.relay.answer

    async def noting(context: Any, *rest: Any) -> None:
        await answer(context, *rest)
        seen.append(context)

    same.gateway.relay.answer = noting  # type: ignore[method-assign, assignment]  # a look at what the log would get
    same.raw.says(*STREAMS[same.dialect])
    same.raw.says(WHOLES[same.dialect], kind=JSON)
    await same.post(asking(same.dialect, stream=True))
    await same.post(asking(same.dialect))
    assert [(one.usage.input, one.usage.output, one.end) for one in seen] == [(3, 2, "done")] * 2


async def test_an_error_keeps_its_words(same: Passed) -> None:
    status, refusal = REFUSALS[same.dialect]
    same.raw.says(refusal, status=status, kind=JSON)
    for stream in (True, False):
        response = await same.post(asking(same.dialect, stream=stream))
        error, given = response.json()["error"], json.loads(refusal)["error"]
        assert response.status_code == 400
        assert {name: error[name] for name in given} == given


async def test_a_refused_key_is_never_the_callers(same: Passed) -> None:
    same.raw.says(b'{"error":{"message":"bad key key-1","type":"authentication_error"}}', status=401, kind=JSON)
    response = await same.post(asking(same.dialect))
    assert response.status_code in (502, 503)
    assert "key-1" not in response.text


async def test_a_cut_stream_ends_in_an_error_behind_its_last_whole_event(same: Passed) -> None:
    pieces = STREAMS[same.dialect][: CUT[same.dialect]]
    same.raw.says(*pieces, b'data: {"half', RuntimeError("cut"))
    response = await same.post(asking(same.dialect, stream=True))
    whole, _, rest = response.content.rpartition(BROKEN[same.dialect])
    assert b"".join(pieces).startswith(whole)
    assert whole.endswith((b"\n\n", b"\r\n\r\n"))
    assert b"half" not in response.content
    assert rest.endswith(b"}\n\n")
    assert json.loads((BROKEN[same.dialect].rpartition(b"data: ")[2] + rest).strip())


async def test_a_stream_that_is_cut_behind_what_cannot_be_read_ends_in_an_error(same: Passed) -> None:
    same.raw.says(*STREAMS[same.dialect][: CUT[same.dialect]], b"data: {no JSON\n\n")
    response = await same.post(asking(same.dialect, stream=True))
    assert BROKEN[same.dialect] in response.content
    assert b"ended before it was complete" in response.content


async def test_what_cannot_be_read_within_a_whole_stream_is_no_error(same: Passed) -> None:
    pieces = [*STREAMS[same.dialect]]
    pieces.insert(CUT[same.dialect], b"data: {no JSON\n\n")
    same.raw.says(*pieces)
    response = await same.post(asking(same.dialect, stream=True))
    assert BROKEN[same.dialect] not in response.content


@pytest.mark.parametrize("messages", [{}, {"messages": None}, {"messages": "x"}, {"messages": {"role": "user"}}])
@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic"])
async def test_a_request_without_messages_is_refused_here(tmp_path: Path, dialect: str, messages: Any) -> None:
    async with passing(dialect, tmp_path) as same:
        same.raw.says(WHOLES[dialect], kind="application/json")
        refused = await same.post(json.dumps({"model": "m", "max_tokens": 9, **messages}).encode())
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "messages" in refused.json()["error"]["message"]
    assert same.raw.asked == []


@pytest.mark.parametrize(
    ("status", "own", "told"),
    [(404, "not_found_error", (502, "api_error")), (400, "strange_error", (400, "strange_error"))],
)
async def test_the_words_of_an_error_fit_its_status(
    tmp_path: Path, status: int, own: str, told: tuple[int, str]
) -> None:
    """A 404 of an unknown address is a 502 here, of which the upstream's own type would say something else."""
    error = {"type": "error", "error": {"type": own, "message": "Not Found"}}
    async with passing("anthropic", tmp_path) as same:
        same.raw.says(json.dumps(error).encode(), status=status, kind="application/json")
        response = await same.post(b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}')
    assert (response.status_code, response.json()["error"]["type"]) == told


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses", "anthropic"])
async def test_what_llama_cpp_cannot_look_at_is_the_callers_error(tmp_path: Path, dialect: str) -> None:
    said = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
    error = {"error": {"code": 500, "message": said, "type": "server_error"}}
    async with passing(dialect, tmp_path) as same:
        same.raw.says(json.dumps(error).encode(), status=500, kind="application/json")
        told = await same.post(asking(dialect))
    assert (told.status_code, told.json()["error"]["type"]) == (400, "invalid_request_error")
    assert told.json()["error"]["message"] == said
    assert len(same.raw.asked) == 1


async def test_what_a_request_names_and_nobody_knows_is_the_callers_error(tmp_path: Path) -> None:
    said = "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false."
    error = {"error": {"message": said, "type": "invalid_request_error", "param": "input", "code": None}}
    async with passing("openai-responses", tmp_path) as same:
        same.raw.says(json.dumps(error).encode(), status=404, kind="application/json")
        told = await same.post(b'{"model":"m","store":false,"input":[{"type":"reasoning","id":"rs_1","summary":[]}]}')
    assert (told.status_code, told.json()["error"]["param"]) == (400, "input")
    assert said in told.json()["error"]["message"]
    assert len(same.raw.asked) == 1


async def test_an_error_event_of_the_upstream_passes_and_nothing_follows(same: Passed) -> None:
    told = {
        "openai-chat": b'data: {"error":{"message":"Overloaded","type":"server_error","code":"x" }}\n\n',
        "openai-responses": b'event: error\ndata: {"type":"error","sequence_number":4,"code":"x",'
        b'"message":"Overloaded","param":null}\n\n',
        "anthropic": b'event: error\ndata: {"type":"error",'
        b'"error":{"type":"overloaded_error","message":"Overloaded" }}\n\n',
    }[same.dialect]
    pieces = STREAMS[same.dialect][: CUT[same.dialect]]
    same.raw.says(*pieces, told)
    response = await same.post(asking(same.dialect, stream=True))
    assert digest(response.content) == digest(b"".join((*pieces, told)))


@pytest.mark.parametrize("done", [b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n", b"data: [DONE]"])
async def test_no_good_end_follows_an_error_of_the_same_read(tmp_path: Path, done: bytes) -> None:
    pieces = STREAMS["openai-chat"][: CUT["openai-chat"]]
    told = b'data: {"error":{"message":"Overloaded","type":"server_error","code":503}}\n\n'
    async with passing("openai-chat", tmp_path) as one:
        one.raw.says(b"".join((*pieces, told, done)))
        response = await one.post(asking("openai-chat", stream=True))
    assert digest(response.content) == digest(b"".join((*pieces, told)))


@pytest.mark.parametrize(
    "told",
    [
        b'data: {"error":{"code":503,"message":"Away","status":"UNAVAILABLE"}}\n\n',  # Vertex AI's, before Claude
        b'data: {"error":{"message":"Away","type":"overloaded_error"}}',
        b'data: {"type":"error","error":{"type":"overloaded_error","message":"Away"}}\r\n\r\n',
    ],
)
async def test_an_error_without_its_name_is_told_again_to_callers_who_pass_over_it(tmp_path: Path, told: bytes) -> None:
    pieces = STREAMS["anthropic"][: CUT["anthropic"]]
    async with passing("anthropic", tmp_path) as one:
        one.raw.says(*pieces, told)
        response = await one.post(asking("anthropic", stream=True))
    name, data = response.text.removesuffix("\n\n").split("\n")[-2:]
    assert response.content.startswith(b"".join(pieces))
    assert name == "event: error"
    assert json.loads(data.removeprefix("data: "))["error"] == {"type": "overloaded_error", "message": "Away"}


@pytest.mark.parametrize("head", [b"event: vertex_event\n", b"event:vertex_event\r\n", b""])
async def test_what_vertex_counts_by_itself_is_left_out(tmp_path: Path, head: bytes) -> None:
    count = head + b'data: {"type": "vertex_event","usage":{"input_tokens":9,"output_tokens":1,"tiers":{}}}\n\n'
    first, *others = STREAMS["anthropic"]
    async with passing("anthropic", tmp_path) as one:
        one.raw.says(first, count, *others, count)
        response = await one.post(asking("anthropic", stream=True))
    assert digest(response.content) == digest(b"".join((first, *others)))


async def test_an_error_in_the_first_event_is_a_status(same: Passed) -> None:
    told = {
        "openai-chat": b'data: {"error":{"message":"Slow down","type":"requests","code":"rate_limit_exceeded"}}\n\n',
        "openai-responses": b'event: error\ndata: {"type":"error",'
        b'"error":{"code":"rate_limit_exceeded","message":"Slow"}}\n\n',
        "anthropic": b'event: error\ndata: {"type":"error","error":{"type":"rate_limit_error","message":"Slow"}}\n\n',
    }[same.dialect]
    same.raw.says(told)
    response = await same.post(asking(same.dialect, stream=True))
    assert response.status_code == 429


async def test_what_the_meter_cannot_read_breaks_no_stream(same: Passed) -> None:
    odd = b'data: {"choices":"none","type":7}\n\n'
    pieces = (*STREAMS[same.dialect][:-1], odd, STREAMS[same.dialect][-1])
    if same.dialect == "openai-chat":
        pieces = (*STREAMS[same.dialect][:4], odd, *STREAMS[same.dialect][4:])
    same.raw.says(*pieces)
    response = await same.post(asking(same.dialect, stream=True))
    assert digest(response.content) == digest(b"".join(pieces))


async def test_an_answer_that_ends_with_an_error_has_no_good_end(tmp_path: Path) -> None:
    said = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"error"}]}\n\n'
    async with passing("openai-chat", tmp_path) as one:
        one.raw.says(said, b"data: [DONE]\n\n")
        response = await one.post(asking("openai-chat", stream=True))
    *told, last, end = response.content.split(b"\n\n")
    assert (told, end) == ([said.strip()], b"")
    assert (
        json.loads(last.removeprefix(b"data: "))["error"]["message"] == "the upstream ended its response with 'error'"
    )


GARBLED = {
    "openai-chat": b'{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{'
    b'"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f",'
    b'"arguments":"{a: 1"}}]},"finish_reason":"tool_calls"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}',
    "openai-responses": b'{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":['
    b'{"id":"fc_1","type":"function_call","call_id":"a","name":"f","arguments":"{a: 1","status":"completed"}],'
    b'"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}',
}


@pytest.mark.parametrize("dialect", GARBLED)
async def test_arguments_that_are_no_json_pass_as_in_a_stream(tmp_path: Path, dialect: str) -> None:
    async with passing(dialect, tmp_path) as one:
        one.raw.says(GARBLED[dialect], kind=JSON)
        response = await one.post(asking(dialect))
    assert (response.status_code, digest(response.content)) == (200, digest(GARBLED[dialect]))
    assert len(one.raw.asked) == 1


async def test_a_caller_who_leaves_ends_the_upstream_call(same: Passed) -> None:
    same.raw.says(*STREAMS[same.dialect][: CUT[same.dialect]], 30.0)
    body = asking(same.dialect, stream=True)

    async with same.http.stream("POST", PATHS[same.dialect], content=body) as response:
        async for _ in response.aiter_bytes():
            break
    await asyncio.wait_for(same.raw.left.wait(), 5)


async def test_each_event_arrives_before_the_next_is_made(same: Passed) -> None:

    first = STREAMS[same.dialect][: CUT[same.dialect]]
    same.raw.says(*first, 30.0)
    got = b""
    body = asking(same.dialect, stream=True)
    async with same.http.stream("POST", PATHS[same.dialect], content=body) as response:
        async for piece in response.aiter_bytes():
            got += piece
            if "é".encode() in got:
                break
    assert b"".join(first).startswith(got)


async def test_silence_ends_in_the_dialects_own_error(tmp_path: Path) -> None:
    async with passing("anthropic", tmp_path, timeouts={"idle": 0.2}) as same:
        same.raw.says(*STREAMS["anthropic"][:6], 30.0)
        response = await same.post(asking("anthropic", stream=True))
    assert b"timeouts.idle" in response.content
    assert response.content.count(b"event: error") == 1


async def test_an_empty_answer_is_tried_again(tmp_path: Path) -> None:
    empty = b'{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"stop"}]}'
    async with passing("openai-chat", tmp_path, retry={"attempts": 3}) as same:
        same.raw.says(empty, kind=JSON)
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        response = await same.post(asking("openai-chat"))
    assert (response.content, len(same.raw.asked)) == (WHOLES["openai-chat"], 2)


async def test_an_empty_answer_is_what_a_caller_wants_who_only_fills_the_cache(tmp_path: Path) -> None:
    """`prewarm` "prepares the prompt cache without generating output": openai 3.57, response_create_params."""
    empty = b'{"id":"resp_1","object":"response","status":"completed","output":[],"usage":{"input_tokens":3}}'
    body = asking("openai-responses").replace(b"{", b'{"prompt_cache_options":{"prewarm":true},', 1)
    async with passing("openai-responses", tmp_path, retry={"attempts": 3}) as same:
        same.raw.says(empty, kind=JSON)
        response = await same.post(body)
    assert (response.status_code, response.json()["output"], len(same.raw.asked)) == (200, [], 1)


@pytest.mark.parametrize(("on", "calls"), [([409, 425], 2), ([500], 1)])
@pytest.mark.parametrize("status", [409, 425])
async def test_a_status_is_tried_again_where_the_operator_lists_it(
    tmp_path: Path, status: int, on: list[int], calls: int
) -> None:
    async with passing("openai-chat", tmp_path, retry={"attempts": 3, "on": on}) as same:
        same.raw.says(b'{"error":{"message":"not now"}}', status=status, kind=JSON)
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        response = await same.post(asking("openai-chat"))
    assert (response.status_code == 200, len(same.raw.asked)) == (calls == 2, calls)


async def test_another_key_is_tried_with_the_same_bytes(tmp_path: Path) -> None:
    async with passing("openai-chat", tmp_path, table={"api_key": ["key-1", "key-2"]}) as same:
        same.raw.says(b'{"error":{"message":"again"}}', status=500, kind=JSON)
        same.raw.says(WHOLES["openai-chat"], kind=JSON)
        body = asking("openai-chat")
        response = await same.post(body)
    assert {one.body for one in same.raw.asked} == {body}
    assert response.status_code in (200, 502)


async def test_a_stream_that_is_answered_whole_is_translated(same: Passed) -> None:
    same.raw.says(WHOLES[same.dialect], kind=JSON)
    response = await same.post(asking(same.dialect, stream=True))
    assert response.headers["content-type"].startswith("text/event-stream")
    assert "hé".encode() in response.content


async def test_a_whole_answer_that_comes_as_a_stream_is_put_together(same: Passed) -> None:
    same.raw.says(*STREAMS[same.dialect])
    response = await same.post(asking(same.dialect))
    assert (response.status_code, response.headers["content-type"]) == (200, JSON)
    assert "h\u00e9" in json.dumps(response.json(), ensure_ascii=False)


async def test_signs_of_life_go_out_while_the_upstream_is_silent(tmp_path: Path) -> None:
    async with passing("openai-chat", tmp_path, timeouts={"keepalive": 0.05}) as same:
        same.raw.says(0.3, *STREAMS["openai-chat"])
        response = await same.post(asking("openai-chat", stream=True))
    assert response.content.startswith(b": keep-alive\n\n")
    assert response.content.endswith(b"".join(STREAMS["openai-chat"]))
