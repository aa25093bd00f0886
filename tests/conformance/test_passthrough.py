"""The same dialect on both ends: what a caller sends and what an upstream answers pass byte for byte."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.passed_bodies import DIALECTS, JSON, STREAMS, WHOLES, asking
from tests.conformance.raw import PATHS, Passed, digest, passing

pytestmark = pytest.mark.anyio
UNREAD = {
    "openai-chat": b'{"model":"m","messages":[{"role":"alien","content":[{"type":"hologram"}]}], "tools":3}',
    "openai-responses": b'{"model":"m","input":[{"type":"hologram"}], "tools":3,"store":false}',
    "anthropic": b'{"model":"m","messages":[{"role":"user","content":[{"type":"hologram"}]}], "max_tokens":-1}',
}


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
