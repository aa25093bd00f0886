"""Gemini callers before the public Gemini API: requests and answers go through byte for byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.routes import Streaming
from tests.conformance.gemini import FORMS, agree, ask, chunks_of, said, tools, user
from tests.conformance.gemini_api import GEMINI_2, GEMINI_3, public
from tests.conformance.recordings import LIMITED, SENT
from tests.conformance.recordings import agree as agree_with
from tests.conformance.served import DIALECTS, Served
from tests.conformance.test_gemini_api_cases import THINKING
from tests.conformance.test_gemini_native import ODD
from tests.fakes.gemini_api import FakeGemini
from tests.fakes.gemini_api_wire import printed

pytestmark = pytest.mark.anyio

FORM = pytest.mark.parametrize("form", FORMS)
SENT_SO = pytest.mark.parametrize(("name", "sending"), SENT)
THOUGHTS = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}


@pytest.fixture
def google(lasting_google: Served) -> Served:
    """Forget what was asked before."""
    lasting_google.fake.reset()
    return lasting_google


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# requests


@FORM
async def test_the_body_is_the_callers_own(google: Served, form: Streaming) -> None:
    verb = {"": "generateContent", "sse": "streamGenerateContent?alt=sse", "array": "streamGenerateContent"}[form]
    response = await google.http.post(f"/v1beta/models/{GEMINI_3}:{verb}", content=ODD)
    assert response.status_code == 200, response.text
    assert digest(google.fake.requests[-1].raw) == digest(ODD)


@pytest.mark.parametrize(("form", "method"), [("", "generateContent"), ("sse", "streamGenerateContent")])
async def test_a_whole_answer_is_asked_for_whole(google: Served, form: Streaming, method: str) -> None:
    await ask(google, "hi", form=form, model=GEMINI_3)
    assert google.fake.requests[-1].method == method


async def test_a_model_in_the_body_is_that_of_the_path(google: Served) -> None:
    body = b'{ "model":"models/mine", "contents":[ {"parts":[{"text":"\\u0068i"}]} ] }'
    response = await google.http.post(f"/v1beta/models/google%2F{GEMINI_3}:generateContent", content=body)
    assert response.status_code == 200, response.text
    sent = google.fake.requests[-1].raw
    assert json.loads(sent)["model"] == f"models/{GEMINI_3}"
    assert b'[ {"parts":[{"text":"\\u0068i"}]} ]' in sent


async def test_of_the_configuration_the_defaults_are_added_alone(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    over: dict[str, Any] = {"defaults": {"temperature": 0.3}, "thinking": {"gemini-*": {"include": True}}}
    async with public(fake_gemini, tmp_path, **over) as google:
        await ask(google, "hi", model=GEMINI_2)
    assert fake_gemini.requests[-1].body == {"contents": [user("hi")], "generationConfig": {"temperature": 0.3}}


async def test_what_only_google_can_carry_goes_along(google: Served) -> None:
    given = {"text": "hi", "partMetadata": {"a": 1}}
    fields: dict[str, Any] = {"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]}
    response = await ask(google, user(given), model=GEMINI_3, **fields)
    assert (response.status_code, response.headers.get("x-gateway-lossy")) == (200, None)
    assert google.fake.requests[-1].body["contents"][0]["parts"] == [given]


async def test_what_google_refuses_it_refuses_itself(google: Served) -> None:
    response = await ask(google, "hi", neverHeardOf=1, model=GEMINI_3)
    assert (response.status_code, response.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert "neverHeardOf" in response.json()["error"]["message"]


# answers


async def test_a_whole_answer_is_googles_own(google: Served) -> None:
    """Indented as Google does it, with every candidate."""
    config = {"candidateCount": 2}
    response = await ask(google, "!say <b>", model=GEMINI_2, generationConfig=config)
    answer = response.json()
    assert len(answer["candidates"]) == 2
    assert response.content == printed(answer)


CALLING: dict[str, Any] = {
    "candidates": [{"content": {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]}}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
}


@FORM
async def test_an_answer_of_calls_ends_with_a_reason_though_google_has_none(google: Served, form: Streaming) -> None:
    google.push(f"!chunk {json.dumps({'response': CALLING})}")
    response = await ask(google, "go", tools=tools("f"), model=GEMINI_2, form=form)
    first, *ended = chunks_of(response, form)
    end = {"content": {"role": "model", "parts": [{"text": ""}]}, "index": 0, "finishReason": "STOP"}
    if form:
        assert (first, ended) == (CALLING, [{**CALLING, "candidates": [end]}])
    else:
        assert first["candidates"][0] | {"index": 0} == CALLING["candidates"][0] | {"index": 0, "finishReason": "STOP"}


async def test_the_chunks_of_a_stream_are_googles_own(google: Served) -> None:
    response = await ask(google, "one <two> three four five", model=GEMINI_3, form="sse")
    chunks = [printed(one, None) for one in chunks_of(response, "sse")]
    assert response.content == b"".join(b"data: %b\r\n\r\n" % one for one in chunks)
    assert len(chunks) > 1


@FORM
@pytest.mark.parametrize("model", [GEMINI_2, GEMINI_3])
@pytest.mark.parametrize("role", ["user", "function"])
async def test_a_tool_loop_goes_round_with_its_signatures(
    google: Served, form: Streaming, model: str, role: str
) -> None:
    """Semantic Kernel and others have an older role for results."""
    directed = '!think hm\n!tool f {"a": 1}\n!then\n!say done'
    asked: dict[str, Any] = {"tools": tools("f"), "model": model, **THOUGHTS}
    first = said(await ask(google, directed, form=form, **asked), form)
    assert (first.thoughts, [call["name"] for call in first.calls]) == ("hm", ["f"])
    result = user({"functionResponse": {**_id(first.calls[0]), "name": "f", "response": {"output": "x"}}})
    result["role"] = role
    parts = [part for part in first.parts if part != {"text": ""}]
    second = await ask(google, directed, {"role": "model", "parts": parts}, result, form=form, **asked)
    assert said(second, form).text == "done"


def _id(call: dict[str, Any]) -> dict[str, Any]:
    return {"id": call["id"]} if "id" in call else {}


# recorded streams


@SENT_SO
@FORM
async def test_a_recorded_stream_is_as_expected(google: Served, name: str, form: Streaming, sending: str) -> None:
    response = await ask(google, f"!fixture {name}{sending}", form=form, model=GEMINI_3)
    agree(name, said(response, form), form=form, native=True)


@SENT_SO
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_it_is_as_expected_by_the_other_callers(google: Served, name: str, dialect: str, sending: str) -> None:
    for stream in (True, False):
        heard = await google.hear(dialect, f"!fixture {name}{sending}", stream=stream, **THINKING[dialect])
        agree_with(name, dialect, heard, streamed=stream)


@FORM
async def test_an_error_in_the_first_event_is_a_status(
    fake_gemini: FakeGemini, tmp_path: Path, form: Streaming
) -> None:
    async with public(fake_gemini, tmp_path) as google:
        response = await ask(google, f"!fixture {LIMITED}", form=form)
    assert response.status_code == 429
    agree(LIMITED, said(response, form), form=form, native=True)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_it_is_a_status_for_the_other_callers(
    fake_gemini: FakeGemini, tmp_path: Path, dialect: str, stream: bool
) -> None:
    async with public(fake_gemini, tmp_path) as google:
        heard = await google.hear(dialect, f"!fixture {LIMITED}", stream=stream, max_tokens=50)
    agree_with(LIMITED, dialect, heard, streamed=False)


# errors


@FORM
@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        ("400_invalid_argument", 400, "INVALID_ARGUMENT"),
        ("400_key_invalid", 502, "INTERNAL"),
        ("429_per_minute", 429, "RESOURCE_EXHAUSTED"),
        ("503_overloaded", 503, "UNAVAILABLE"),
    ],
)
async def test_a_refusal_is_in_googles_form(
    fake_gemini: FakeGemini, tmp_path: Path, form: Streaming, error: str, status: int, word: str
) -> None:
    """H1, H2, H6"""
    async with public(fake_gemini, tmp_path, retry={"attempts": 1}) as google:
        response = await ask(google, f"!error {error}", form=form, model=GEMINI_3)
    (body,) = chunks_of(response, form)
    assert (response.status_code, body["error"]["code"], body["error"]["status"]) == (status, status, word)
    assert "key-1" not in response.text


async def test_a_stream_that_breaks_off_ends_in_an_error(google: Served) -> None:
    """H4"""
    response = await ask(google, "!drop 2\none two three four five six seven", form="sse", model=GEMINI_3)
    last = chunks_of(response, "sse")[-1]
    assert list(last) == ["error"]


async def test_a_file_that_is_another_keys_is_explained(fake_gemini: FakeGemini, tmp_path: Path) -> None:
    async with public(fake_gemini, tmp_path, "key-1", "key-2") as google:
        uri = f"{fake_gemini.url}/v1beta/files/gone"
        response = await ask(google, user({"fileData": {"fileUri": uri}}), model=GEMINI_3)
        assert google.gateway.usable
    assert response.status_code == 404
    assert "the API key that made it" in response.json()["error"]["message"]


# counts


@FORM
async def test_results_of_parallel_calls_may_come_apart(google: Served, form: Streaming) -> None:
    """As LangChain.js gives them, each with what it shows."""
    directed = '!tool f {"a": 1}\n!tool f {"a": 2}\n!then\n!say done'
    asked: dict[str, Any] = {"tools": tools("f"), "model": GEMINI_3}
    first = said(await ask(google, directed, form=form, **asked), form)
    results = [{"functionResponse": {**_id(one), "name": "f", "response": {"output": "x"}}} for one in first.calls]
    shown = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    apart = [user(one, shown) for one in results]
    parts = [part for part in first.parts if part != {"text": ""}]
    second = await ask(google, directed, {"role": "model", "parts": parts}, *apart, form=form, **asked)
    assert said(second, form).text == "done"


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("role", ["user", "function"])
async def test_tokens_are_counted_by_google(google: Served, wrapped: bool, role: str) -> None:
    """I5"""
    request = {"contents": [{**user("one two three"), "role": role}]}
    whole = request | {"systemInstruction": {"parts": [{"text": "Be brief."}]}, "model": f"models/{GEMINI_3}"}
    body = {"generateContentRequest": whole} if wrapped else request
    response = await google.http.post(f"/v1beta/models/{GEMINI_3}:countTokens", json=body)
    assert response.json()["totalTokens"] > 0
    assert "x-gateway-token-count" not in response.headers


async def test_what_is_wrapped_is_wrapped_once_though_it_cannot_be_read_here(google: Served) -> None:
    """The prompt went up as a request within a request: Google refused it, and the count was an estimate."""
    shown = {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}
    whole = {"contents": [user("one two three")], "systemInstruction": shown}
    body = {"generateContentRequest": {**whole, "model": f"models/{GEMINI_3}"}}
    response = await google.http.post(f"/v1beta/models/{GEMINI_3}:countTokens", json=body)
    assert response.json()["totalTokens"] > 0
    assert "x-gateway-token-count" not in response.headers
