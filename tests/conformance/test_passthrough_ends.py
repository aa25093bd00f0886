"""Usage, errors and ends of answers that pass."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.adapters.anthropic import Anthropic
from tests.conformance.passed_bodies import JSON, STREAMS, WHOLES, asking
from tests.conformance.raw import PATHS, Passed, digest, passing

pytestmark = pytest.mark.anyio
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
CUT = {"openai-chat": 3, "openai-responses": 4, "anthropic": 6}  # pieces, of which the last one is half an event
OVERLOADED = (
    b'event: error\ndata: {"type":"error","sequence_number":4,"code":"server_error",'
    b'"message":"Overloaded","param":null}\n\n'
)
FAILED = (
    b'event: response.failed\ndata: {"type":"response.failed","sequence_number":5,"response":{"id":"resp_1",'
    b'"status":"failed","error":{"code":"server_error","message":"Overloaded"}}}\n\n'
)
BROKEN = {
    "openai-chat": b'data: {"error":',
    "openai-responses": b"event: response.failed\ndata: ",
    "anthropic": b"event: error\ndata: ",
}


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
        "openai-responses": OVERLOADED + FAILED,
        "anthropic": b'event: error\ndata: {"type":"error",'
        b'"error":{"type":"overloaded_error","message":"Overloaded" }}\n\n',
    }[same.dialect]
    pieces = STREAMS[same.dialect][: CUT[same.dialect]]
    same.raw.says(*pieces, told)
    response = await same.post(asking(same.dialect, stream=True))
    assert digest(response.content) == digest(b"".join((*pieces, told)))


@pytest.mark.parametrize(
    "told",
    [
        (OVERLOADED,),
        (OVERLOADED.removesuffix(b"\n\n"),),
        (OVERLOADED, FAILED),
        (OVERLOADED + FAILED,),
        (OVERLOADED + FAILED[:100], FAILED[100:]),
    ],
)
async def test_the_failed_response_follows_an_error_event(tmp_path: Path, told: tuple[bytes, ...]) -> None:
    """Codex passes over the event, and says only that the stream was closed: OpenAI sends both."""
    pieces = STREAMS["openai-responses"][: CUT["openai-responses"]]
    async with passing("openai-responses", tmp_path) as one:
        one.raw.says(*pieces, *told)
        response = await one.post(asking("openai-responses", stream=True))
    assert response.content.startswith(b"".join((*pieces, OVERLOADED)))
    assert response.text.count("event: response.failed") == response.text.count("event: error") == 1
    name, data = response.text.removesuffix("\n\n").split("\n")[-2:]
    assert name == "event: response.failed"
    failed = json.loads(data.removeprefix("data: "))
    assert (failed["sequence_number"], failed["response"]["status"]) == (5, "failed")
    assert failed["response"]["error"]["code"] == "server_error"
    assert failed["response"]["error"]["message"].endswith("Overloaded")


@pytest.mark.parametrize(
    "done", [b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n", b"data: [DONE]", b"\xef\xbb\xbfdata: [DONE]\n\n"]
)
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


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
async def test_events_without_their_names_get_them(tmp_path: Path, eol: bytes) -> None:
    """Pitfall 82: clients pass over an event that has none."""
    named = b"".join(STREAMS["anthropic"]).replace(b"\r\n", b"\n").replace(b": hm\n\n", b"")
    bare = re.sub(rb"(?m)^event:.*\n", b"", named).replace(b"\n", eol)
    for pieces in ([bare], [bare[:300], bare[300:]]):
        async with passing("anthropic", tmp_path) as one:
            one.raw.says(*pieces)
            response = await one.post(asking("anthropic", stream=True))
        events = [event.split("\n") for event in response.text.replace("\r\n", "\n").split("\n\n") if event]
        assert len(events) == named.count(b"\ndata:")
        assert all(name == f"event: {json.loads(data.removeprefix('data:'))['type']}" for name, data in events)


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


async def test_three_silences_in_a_row_make_the_key_a_suspect(tmp_path: Path) -> None:
    async with passing("anthropic", tmp_path, timeouts={"idle": 0.2}) as same:
        (key,) = cast(Anthropic, same.gateway.adapters["up"]).credentials
        for _ in range(3):
            same.raw.says(*STREAMS["anthropic"][:6], 30.0)
        same.raw.says(*STREAMS["anthropic"])
        states: list[str] = []
        for _ in range(4):
            await same.post(asking("anthropic", stream=True))
            states.append(key.state)
    assert states == ["active", "active", "suspected", "active"]


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


@pytest.mark.parametrize("name", ["", "event: error\n"])
@pytest.mark.parametrize("pieces", [1, 4])
async def test_an_error_of_responses_without_a_type_is_told_as_clients_read_it(
    name: str, pieces: int, tmp_path: Path
) -> None:
    """zed-industries/zed#63825: LiteLLM tells it as in Chat Completions, and clients failed on the missing type."""
    error = {"error": {"message": "The server had an error", "type": "server_error", "param": None, "code": "500"}}
    begun = STREAMS["openai-responses"][:4]
    told = f"{name}data: {json.dumps(error)}\n\n".encode()
    async with passing("openai-responses", tmp_path) as same:
        same.raw.says(*([b"".join((*begun, told))] if pieces == 1 else [*begun, told]))
        response = await same.post(asking("openai-responses", stream=True))
    *passed, last = response.content.rstrip(b"\n").split(b"\n\n")
    assert not any(b'"error": {' in event for event in passed)
    assert last.startswith(BROKEN["openai-responses"])
    failed = json.loads(last.removeprefix(BROKEN["openai-responses"]))
    assert failed["response"]["error"]["message"] == "the upstream failed: The server had an error"
