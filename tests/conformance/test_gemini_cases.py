"""The acceptance cases for Gemini callers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google import genai

from gateway.routes import Streaming
from tests.conformance.gemini import FORMS, VERBS, ask, chunks_of, said, tools, user
from tests.conformance.replies import FC, T, chunk, script, usage
from tests.conformance.served import GEMINI_3, Served
from tests.conformance.test_cases_ends import ENDS, UNCLEAR
from tests.conformance.test_cases_errors import BAD, DROPPED, LIMITED
from tests.conformance.test_cases_text import HELLO
from tests.conformance.test_cases_tools import ADDED, WEATHER
from tests.conformance.upstreams import Upstream, before

pytestmark = pytest.mark.anyio

FORM = pytest.mark.parametrize("form", FORMS)
STREAMS = pytest.mark.parametrize("form", FORMS[1:])
KEY = "sk-a-key-that-is-long-enough"
BODY = {"contents": [user("hi")]}


def call(served: Served, form: Streaming = "") -> str:
    """Give the path of a call."""
    return f"/v1beta/models/{served.model}:{VERBS[form]}"


# A: text and the grammar of streams


async def test_a_stream_is_events_of_data_only(either: Served) -> None:
    """A5"""
    response = await ask(either, HELLO, form="sse")
    chunks = chunks_of(response, "sse")
    assert not any("response" in one or "traceId" in one for one in chunks)
    assert b"[DONE]" not in response.content
    assert said(response, "sse").text == "Hello"
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    assert chunks[-1]["usageMetadata"] == usage(3, 2, 5)


async def test_a_stream_without_alt_is_a_json_array(either: Served) -> None:
    """A5, pitfall 63"""
    response = await ask(either, HELLO, form="array")
    assert response.headers["content-type"] == "application/json"
    assert "content-length" not in response.headers
    assert said(response, "array").text == "Hello"


@pytest.mark.parametrize("version", ["v1beta", "v1"])
@FORM
async def test_both_versions_are_served(either: Served, version: str, form: Streaming) -> None:
    assert said(await ask(either, HELLO, form=form, version=version), form).text == "Hello"


@pytest.mark.parametrize("model", [f"models/{GEMINI_3}", "google/gemini-3-flash", "google%2Fgemini-3-flash"])
async def test_a_model_may_be_named_with_its_prefix(served: Served, model: str) -> None:
    """S4-36"""
    assert (await ask(served, "hi", model=model)).headers["x-gateway-upstream"] == f"google/{GEMINI_3}"


@STREAMS
async def test_a_sign_of_life_is_headers_only(upstream: Upstream, tmp_path: Path, form: Streaming) -> None:
    """First byte: google-genai fails on whatever stands between two chunks."""
    async with before(upstream, tmp_path, timeouts={"keepalive": 0.05}) as served:
        body = {"contents": [user(served.directed(f"{HELLO}\n!acked"))]}
        async with served.http.stream("POST", call(served, form), json=body) as response:
            assert response.status_code == 200  # although nothing was said yet
            served.fake.ack(2)
            data = b"".join([piece async for piece in response.aiter_bytes()])
    assert data.startswith(b'data: {"candidates"' if form == "sse" else b'[{"candidates"')


@STREAMS
async def test_a_client_that_leaves_closes_the_upstream_connection(either: Served, form: Streaming) -> None:
    """A16"""
    body = {"contents": [user(either.directed(f"{HELLO}\n!acked"))]}
    async with either.http.stream("POST", call(either, form), json=body) as response:
        async for piece in response.aiter_bytes():
            if b'"He"' in piece:
                break
    await either.fake.wait_closed(timeout_s=1)
    assert either.calls[-1].closed_by_client


# B: tools


@FORM
async def test_a_call_comes_whole(either: Served, form: Streaming) -> None:
    """B1"""
    answer = said(await ask(either, ADDED, form=form, tools=tools("add")), form)
    assert [(call["name"], call["args"]) for call in answer.calls] == [("add", {"a": 17, "b": 25})]
    assert answer.finish == "STOP"


@FORM
async def test_calls_in_chunks_of_their_own_stay_apart(either: Served, form: Streaming) -> None:
    """B3"""
    answer = said(await ask(either, script(*WEATHER, chunk(fin="STOP")), form=form, tools=tools("w")), form)
    assert [call["args"]["c"] for call in answer.calls] == ["B", "S", "G"]


@pytest.mark.parametrize("mode", ["NONE", "AUTO", "ANY", "VALIDATED"])
async def test_the_tool_choice_goes_up_as_it_is(either: Served, mode: str) -> None:
    """B12"""
    config = {"functionCallingConfig": {"mode": mode}}
    response = await ask(either, "hi", tools=tools("f", "g"), toolConfig=config)
    assert (response.status_code, either.sent["toolConfig"]) == (200, config)


@FORM
async def test_a_choice_of_an_undeclared_tool_is_refused_here(either: Served, form: Streaming) -> None:
    """B18"""
    config = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["h"]}}
    response = await ask(either, "hi", form=form, tools=tools("f"), toolConfig=config)
    (error,) = chunks_of(response, form)
    assert (response.status_code, error["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert "toolConfig" in error["error"]["message"]
    assert either.calls == []


@FORM
async def test_a_tool_loop_without_ids_runs_to_its_end(either: Served, form: Streaming) -> None:
    """B1, pitfall 44"""
    directed = '!toolsplit\n!tool f {"a": 1}\n!tool f {"a": 2}\n!then\n!say done'
    first = said(await ask(either, directed, form=form, tools=tools("f")), form)
    assert all("id" not in call for call in first.calls)
    model = {"role": "model", "parts": [part for part in first.parts if part != {"text": ""}]}
    result = {"functionResponse": {"name": "f", "response": {"output": "x"}}}
    second = await ask(either, directed, model, user(result, result), form=form, tools=tools("f"))
    assert said(second, form).text == "done"


# C: content


@pytest.mark.parametrize(
    "part",
    [
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
        {"inline_data": {"mime_type": "application/pdf", "data": "JVBERi0x"}},
        {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}},
    ],
)
async def test_media_go_up_as_they_are(either: Served, part: Any) -> None:
    """C12, C20"""
    assert (await ask(either, user(part, "what is it?"))).status_code == 200
    assert either.contents[0]["parts"][0] == part


@FORM
async def test_what_cannot_be_read_is_named_by_its_path(lasting: Served, form: Streaming) -> None:
    either = lasting.reset()
    response = await ask(either, user({"inlineData": {"mimeType": "image/png", "data": "!"}}), form=form)
    (error,) = chunks_of(response, form)
    (violation,) = [one for one in error["error"]["details"] if one["@type"].endswith("BadRequest")]
    assert response.status_code == 400
    assert violation["fieldViolations"][0]["field"] == "contents[0].parts[0].inlineData.data"
    assert either.calls == []


# G: ends and usage


@FORM
@pytest.mark.parametrize("native", ENDS)
async def test_every_finish_reason_arrives_as_it_is(either: Served, native: str, form: Streaming) -> None:
    """G1: what is not a clean end is followed by an error."""
    response = await ask(either, script(chunk(T("a")), chunk(fin=native)), form=form)
    answer = said(response, form)
    assert (answer.error is None) == (ENDS[native] is not None)
    if form or ENDS[native]:
        assert (answer.text, answer.finish) == ("a", native)
    else:
        assert response.status_code == 502


@FORM
@pytest.mark.parametrize("native", [*UNCLEAR, *(native for native, ends in ENDS.items() if ends is None)])
async def test_an_unclear_end_without_content_is_tried_again_and_then_an_error(
    either: Served, native: str, form: Streaming
) -> None:
    """G1: nothing has been sent, so it is a status."""
    response = await ask(either, script(chunk(fin=native)), form=form)
    (error,) = chunks_of(response, form)
    assert (response.status_code, error["error"]["status"]) == (502, "INTERNAL")
    assert len(either.calls) >= 2


@FORM
async def test_a_blocked_prompt_arrives_as_it_is(either: Served, form: Streaming) -> None:
    """G2"""
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 13}}
    assert chunks_of(await ask(either, script(blocked), form=form), form) == [blocked]


@FORM
@pytest.mark.parametrize(
    "counted",
    [
        usage(20, 198, 623, th=405),
        usage(100, 3362, 3462, th=3347),
        usage(1000, 10, 1010, cached=800),
        {"trafficType": "ON_DEMAND"},
    ],
    ids=["thoughts apart", "thoughts inside", "cached", "no numbers"],
)
async def test_the_counts_are_the_upstreams_own(either: Served, counted: Any, form: Streaming) -> None:
    """G4, G5, G6: a report without numbers, after one with them, changes none."""
    before_it = usage(3, 2, 5) if "trafficType" in counted else None
    directed = script(chunk(T("a"), usage=before_it), chunk(fin="STOP", usage=counted))
    answer = said(await ask(either, directed, form=form), form)
    assert answer.usage == counted or answer.usage == (before_it or {}) | counted


@FORM
@pytest.mark.parametrize("model", ["model", "older"])
async def test_thoughts_are_shown_to_who_asked_for_them(either: Served, model: str, form: Streaming) -> None:
    """E8"""
    for thinks in (True, False):
        config = {"thinkingConfig": {"includeThoughts": thinks}}
        answer = await ask(
            either, "!think ab\n!say c", form=form, model=getattr(either, model), generationConfig=config
        )
        assert (said(answer, form).thoughts, said(answer, form).text) == ("ab" if thinks else "", "c")


# H: errors


@FORM
async def test_a_request_that_the_upstream_calls_bad_is_a_400(either: Served, form: Streaming) -> None:
    """H1"""
    response = await ask(either, f"!refuse {json.dumps({'error': BAD})}", form=form)
    (error,) = chunks_of(response, form)
    assert (response.status_code, error["error"]["code"]) == (400, 400)
    assert error["error"]["status"] == "INVALID_ARGUMENT"
    assert "Cannot find field" in error["error"]["message"]


@FORM
async def test_a_used_up_quota_is_a_429_that_says_when(fresh: Served, form: Streaming) -> None:
    """H2"""
    response = await ask(fresh, f"!refuse {json.dumps({'error': LIMITED})}", form=form)
    (error,) = chunks_of(response, form)
    assert (response.status_code, response.headers["retry-after"]) == (429, "13")
    assert error["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "13s"} in error["error"]["details"]


@STREAMS
async def test_a_drop_after_text_is_an_error(either: Served, form: Streaming) -> None:
    """H4"""
    response = await ask(either, DROPPED, form=form)
    answer = said(response, form)
    assert answer.error is not None
    assert (response.status_code, answer.text) == (200, "one two ")
    assert (answer.error["code"], answer.finish) == (502, None)
    assert len(either.calls) == 1


async def test_a_drop_is_an_error_status_for_who_does_not_stream(either: Served) -> None:
    """H4: the public API is asked for one piece, and it is cut short."""
    response = await ask(either, DROPPED if either.enveloped else "!drop 0")
    assert (response.status_code, response.json()["error"]["status"]) == (502, "INTERNAL")


async def test_the_google_client_raises_on_a_drop(either: Served) -> None:
    """H4"""
    heard = ""
    client = genai.Client(api_key="k", http_options=genai.types.HttpOptions(base_url=either.url))
    with pytest.raises(genai.errors.ServerError) as caught:
        said = either.directed(DROPPED)
        async for one in await client.aio.models.generate_content_stream(model=either.model, contents=said):
            heard += one.text or ""
    await client.aio.aclose()
    assert (heard, caught.value.code) == ("one two ", 502)


@FORM
async def test_our_dead_credential_is_not_the_callers_fault(served: Served, form: Streaming) -> None:
    """H6"""
    response = await ask(served, "!error 401_unauthenticated", form=form)
    (error,) = chunks_of(response, form)
    assert (response.status_code, error["error"]["status"]) == (503, "UNAVAILABLE")


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, "", 401),
        ({"x-goog-api-key": "sk-wrong"}, "", 401),
        ({}, "?key=sk-wrong", 401),
        ({"x-goog-api-key": KEY}, "", 200),
        ({"authorization": f"Bearer {KEY}"}, "", 200),
        ({}, f"?key={KEY}", 200),
        ({}, f"?alt=json&key={KEY}", 200),
    ],
)
async def test_keys(upstream: Upstream, tmp_path: Path, headers: Any, query: str, status: int) -> None:
    """H8"""
    async with before(upstream, tmp_path, auth={"keys": [KEY]}) as served:
        response = await served.http.post(call(served) + query, json=BODY, headers=headers)
        sent = json.dumps([call.shown() for call in served.fake.requests])
    assert response.status_code == status
    if status == 401:
        assert response.json()["error"]["status"] == "UNAUTHENTICATED"
    assert KEY not in sent


@FORM
async def test_an_unknown_model_is_a_404(either: Served, form: Streaming) -> None:
    """H8"""
    response = await ask(either, "hi", form=form, model="no-such-model")
    (error,) = chunks_of(response, form)
    assert (response.status_code, error["error"]["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"hi"', b"\xff\xfe", b"{}", b'{"contents": "hi"}'])
async def test_a_body_that_is_no_request_is_a_400(either: Served, body: bytes) -> None:
    """H8"""
    response = await either.http.post(call(either), content=body)
    assert (response.status_code, response.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_wrong_method_is_a_405(either: Served, method: str) -> None:
    """H8"""
    response = await either.http.request(method, call(either))
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["error"]["status"] == "UNIMPLEMENTED"


@pytest.mark.parametrize(
    ("path", "what"),
    [
        (f"/v1beta/models/{GEMINI_3}:embedContent", "embeddings"),
        (f"/v1/models/{GEMINI_3}:batchEmbedContents", "embeddings"),
        ("/v1beta/files", "files"),
        ("/v1beta/cachedContents", "context caches"),
        ("/v1beta/never", "not served here"),
    ],
)
async def test_what_this_upstream_has_not_is_a_404_with_the_reason(served: Served, path: str, what: str) -> None:
    """S4-52"""
    response = await served.http.post(path, json={})
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["status"]) == (404, 404, "NOT_FOUND")
    assert what in error["message"]


async def test_another_form_of_the_answer_is_a_400(either: Served) -> None:
    response = await either.http.post(f"/v1beta/models/{either.model}:streamGenerateContent?alt=proto", json=BODY)
    (error,) = response.json()
    assert (response.status_code, error["error"]["status"]) == (400, "INVALID_ARGUMENT")


# I: counting


@pytest.mark.parametrize("reachable", [True, False])
async def test_contents_and_whole_requests_are_counted(fresh: Served, reachable: bool) -> None:
    """I5"""
    if not reachable:
        await fresh.fake.stop_base("a")
    inner = {"model": f"models/{fresh.model}", "systemInstruction": user("Be brief."), "tools": tools("f"), **BODY}
    counted: list[int] = []
    for body in (BODY, {"generateContentRequest": inner}):
        response = await fresh.http.post(f"/v1beta/models/{fresh.model}:countTokens", json=body)
        assert (response.status_code, [*response.json()]) == (200, ["totalTokens"])
        assert ("x-gateway-token-count" in response.headers) is not reachable
        counted.append(response.json()["totalTokens"])
    assert 0 < counted[0] < counted[1]


async def test_thoughts_and_signatures_are_counted_too(served: Served) -> None:
    """I5: the upstream's own count knows neither."""
    model = {"role": "model", "parts": [{"thought": True, "text": "hm", "thoughtSignature": "EkBG"}, {"text": "a"}]}
    contents = {"contents": [user("hi"), model, user("b")]}
    response = await served.http.post(f"/v1beta/models/{GEMINI_3}:countTokens", json=contents)
    assert response.json()["totalTokens"] > 0
    assert "x-gateway-token-count" not in response.headers


async def test_a_single_model(either: Served) -> None:
    """I6"""
    listed = (await either.http.get("/v1beta/models")).json()["models"]
    one = (await either.http.get(f"/v1beta/{listed[0]['name']}")).json()
    assert one == listed[0]
    assert "generateContent" in one["supportedGenerationMethods"]


@FORM
async def test_a_call_signed_and_without_id_keeps_its_signature(either: Served, form: Streaming) -> None:
    """E1: nothing is stored here; the caller brings it."""
    either.push(script(chunk(FC("f", {}, sig="EkBGQUtFLVMx"), fin="STOP")))
    first = said(await ask(either, "go", form=form, tools=tools("f")), form)
    result = user({"functionResponse": {"name": "f", "response": {"output": "x"}}})
    second = await ask(either, "go", {"role": "model", "parts": first.parts}, result, tools=tools("f"))
    assert second.status_code == 200
    assert either.contents[1]["parts"] == first.parts
