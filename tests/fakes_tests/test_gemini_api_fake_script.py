"""What the public API's fake answers, without an envelope, and how the answer reaches the socket."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import aiohttp
import pytest

from tests.fakes.gemini_api import STREAM
from tests.fakes.gemini_api_wire import streamed_list
from tests.fakes.v1internal_errors import RECORDINGS
from tests.fakes.v1internal_wire import read_event
from tests.fakes_tests.gemini_api_bodies import (
    DRAWING,
    GEMINI_2,
    GEMINI_3,
    GeminiClient,
    body,
    refusal,
)
from tests.fakes_tests.v1internal_bodies import Json, parts, read, text, thinking, user

LOUD = thinking(includeThoughts=True)
IN_LIST = f"/v1beta/models/{GEMINI_3}:{STREAM}"
EVENTS = f"{IN_LIST}?alt=sse"
SEVERAL = "!say a text of several chunks"


async def open_stream(gemini: GeminiClient, directives: str, **headers: str) -> aiohttp.ClientResponse:
    return await gemini.open(EVENTS, body(user(directives)), **headers)


def inner(path: Any) -> list[Json]:
    """Read the chunks of a recording out of their envelopes."""
    chunks = [read_event(data) for data in path.read_bytes().replace(b"\r\n", b"\n").split(b"\n\n")]
    return [chunk.get("response", chunk) for chunk in chunks if chunk is not None]


async def test_text_is_echoed_in_chunks_without_an_envelope(gemini: GeminiClient) -> None:
    chunks = await gemini.ask("good day, a longer text")
    assert text(chunks) == "good day, a longer text"
    assert set(chunks[0]) == {"candidates", "usageMetadata", "modelVersion", "responseId"}


async def test_chunks_share_the_response_id_and_name_the_model(gemini: GeminiClient) -> None:
    chunks = await gemini.ask("a text of several chunks") + await gemini.ask("another text in chunks")
    assert {chunk["modelVersion"] for chunk in chunks} == {GEMINI_3}
    assert len({chunk["responseId"] for chunk in chunks}) == 2


async def test_a_latest_model_tells_which_one_it_is(gemini: GeminiClient) -> None:
    (chunk,) = await gemini.ask("hi", "gemini-flash-latest")
    assert chunk["modelVersion"] == "gemini-3.6-flash"


async def test_generate_content_gives_the_stream_as_one_answer(gemini: GeminiClient) -> None:
    answer = await gemini.whole("!think hm\n!say one two three four\n!tool f {}", generationConfig=LOUD)
    shown, spoken, called = answer["candidates"][0]["content"]["parts"]
    assert (shown, spoken["text"]) == ({"thought": True, "text": "hm"}, "one two three four")
    assert ("thoughtSignature" in spoken, called["functionCall"]["name"]) == (True, "f")
    assert answer["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize("model", [GEMINI_2, GEMINI_3])
async def test_only_gemini_3_numbers_and_signs_calls(gemini: GeminiClient, model: str) -> None:
    first, second = parts(await gemini.ask("!tool f {}\n!tool g {}", model))[:2]
    assert ("thoughtSignature" in first, "thoughtSignature" in second) == (model == GEMINI_3, False)
    assert ("id" in first["functionCall"], "id" in second["functionCall"]) == (model == GEMINI_3,) * 2


@pytest.mark.parametrize("model", [GEMINI_2, GEMINI_3])
@pytest.mark.parametrize("config", [LOUD, {}])
async def test_usage_keeps_its_identity_on_every_chunk(gemini: GeminiClient, model: str, config: Any) -> None:
    chunks = await gemini.ask("!think hm\n!say some longer text\n!tool f {}", model, generationConfig=config)
    for usage in (chunk["usageMetadata"] for chunk in chunks):
        spent = [usage.get(f"{kind}TokenCount", 0) for kind in ("prompt", "candidates", "thoughts", "toolUsePrompt")]
        assert sum(spent) == usage["totalTokenCount"]
        assert sum(one["tokenCount"] for one in usage["promptTokensDetails"]) == usage["promptTokenCount"]
    assert usage["thoughtsTokenCount"] > 0


async def test_a_drawing_model_draws(gemini: GeminiClient) -> None:
    blob = parts(await gemini.ask("!image", DRAWING))[0]["inlineData"]
    assert blob["mimeType"] == "image/png"


@pytest.mark.parametrize("count", [1, 3])
async def test_as_many_candidates_as_asked_for_are_given(gemini: GeminiClient, count: int) -> None:
    config = {"candidateCount": count}
    whole = await gemini.whole("!say hi", GEMINI_2, generationConfig=config)
    (chunk,) = await gemini.ask("!say hi", GEMINI_2, generationConfig=config)
    for answer in (whole, chunk):
        assert [one["index"] for one in answer["candidates"]] == list(range(count))
        assert [one["content"]["parts"][0]["text"] for one in answer["candidates"]] == ["hi", "ij", "jk"][:count]


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.sse")), ids=lambda path: path.stem)
async def test_a_recording_is_sent_without_its_envelopes(gemini: GeminiClient, path: Any) -> None:
    response = await gemini.post(STREAM, body(user(f"!fixture {path.stem}")))
    got = [read_event(data) for data in (await response.read()).replace(b"\r\n", b"\n").split(b"\n\n")]
    assert [chunk for chunk in got if chunk is not None] == inner(path)


async def test_the_error_of_a_recording_is_the_answer_of_generate_content(gemini: GeminiClient) -> None:
    assert await refusal(await gemini.post("generateContent", body(user("!fixture 25"))), 429)


async def test_chunks_are_sent_as_they_are(gemini: GeminiClient) -> None:
    given: list[Json] = [{"candidates": []}, {"error": {"code": 503}}]
    assert await gemini.ask("\n".join(f"!chunk {json.dumps(chunk)}" for chunk in given)) == given


async def test_events_are_in_crlf_framing_and_escape_ends_of_lines_and_markup(gemini: GeminiClient) -> None:
    chunk = {"text": "<a href='x'>&\u2028\u2029\u0085é"}
    data = await (await open_stream(gemini, f"!chunk {json.dumps(chunk)}")).read()
    escaped = r"\u003ca href\u003d\u0027x\u0027\u003e\u0026\u2028\u2029\u0085é"
    assert data == f'data: {{"text":"{escaped}"}}\r\n\r\n'.encode()


async def test_without_alt_sse_a_stream_is_a_list(gemini: GeminiClient) -> None:
    response = await gemini.open(IN_LIST, body(user(SEVERAL)))
    data = await response.read()
    assert response.content_type == "application/json"
    assert (data[:1], data[-1:], data.count(b",\r\n{")) == (b"[", b"]", 2)
    assert text(json.loads(data)) == "a text of several chunks"


async def test_the_list_grows_chunk_by_chunk(gemini: GeminiClient) -> None:
    response = await gemini.open(IN_LIST, body(user(f"{SEVERAL}\n!acked")))
    assert (await response.content.readany())[:1] == b"["
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(response.content.readany(), 0.05)
    gemini.fake.ack()
    assert (await response.content.readany())[:4] == b",\r\n{"


def test_a_stream_without_chunks_is_an_empty_list() -> None:
    assert list(streamed_list([])) == [b"[]"]


async def test_acked_chunks_wait_for_their_acknowledgement(gemini: GeminiClient) -> None:
    response = await open_stream(gemini, f"{SEVERAL}\n!acked")
    assert await response.content.readuntil(b"\r\n\r\n")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(response.content.readany(), 0.05)
    gemini.fake.ack(2)
    assert len(read(await response.read())) == 2


async def test_a_client_that_leaves_is_noticed(gemini: GeminiClient) -> None:
    response = await open_stream(gemini, f"{SEVERAL}\n!acked")
    response.close()
    await gemini.fake.wait_closed()
    assert (gemini.fake.requests[-1].closed_by_client, gemini.fake.requests[-1].ended) == (True, False)


@pytest.mark.parametrize("directive", ["!drop 1", "!fin 1"])
async def test_drop_and_fin_break_the_stream(gemini: GeminiClient, directive: str) -> None:
    response = await open_stream(gemini, f"{SEVERAL}\n{directive}")
    with pytest.raises(aiohttp.ClientError):
        await response.read()


async def test_cut_ends_the_body_without_a_finish(gemini: GeminiClient) -> None:
    chunks = read(await (await open_stream(gemini, f"{SEVERAL}\n!cut 2")).read())
    assert len(chunks) == 2
    assert "finishReason" not in chunks[-1]["candidates"][0]


async def test_bytes_come_one_by_one(gemini: GeminiClient) -> None:
    response = await open_stream(gemini, "!say hé\n!bytes")
    pieces = [piece async for piece, _ in response.content.iter_chunks()]
    assert b"\xc3" in pieces
    assert text(read(b"".join(pieces))) == "hé"


async def test_gzip_is_sent_to_those_who_ask(gemini: GeminiClient) -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        asking = GeminiClient(gemini.fake, session)
        response = await open_stream(asking, "!say some text\n!gzip", **{"Accept-Encoding": "gzip"})
        data = gzip.decompress(await response.read())
    assert response.headers["content-encoding"] == "gzip"
    assert text(read(data)) == "some text"


async def test_pace_keeps_chunks_apart(gemini: GeminiClient) -> None:
    started = asyncio.get_running_loop().time()
    assert len(await gemini.ask(f"{SEVERAL}\n!pace 30")) == 3
    assert asyncio.get_running_loop().time() - started >= 0.06


async def test_a_refusal_is_given_as_it_is(gemini: GeminiClient) -> None:
    given = {"error": {"code": 409, "message": "no"}}
    response = await gemini.post("generateContent", body(user(f"!refuse {json.dumps(given)}")))
    assert (response.status, await response.json()) == (409, given)


async def test_an_error_can_be_given_a_few_times_only(gemini: GeminiClient) -> None:
    sent = body(user("!error 503_high_demand 2\n!say at last"))
    assert [(await gemini.post(STREAM, sent)).status for _ in range(3)] == [503, 503, 200]
