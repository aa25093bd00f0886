"""What the last text of the user makes the fake answer."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from tests.fakes.v1internal_errors import RECORDINGS
from tests.fakes.v1internal_signatures import SENTINEL
from tests.fakes_tests.v1internal_bodies import (
    CLAUDE,
    GEMINI_2,
    GEMINI_3,
    Client,
    body,
    call,
    parts,
    read,
    result,
    said,
    text,
    thinking,
    thinks,
    user,
)

LOUD = thinking(includeThoughts=True)


async def test_text_without_directives_is_echoed(client: Client) -> None:
    assert text(await client.ask("good day, a longer text")) == "good day, a longer text"


async def test_the_last_text_of_the_last_user_turn_directs(client: Client) -> None:
    contents = [user("!say old"), said("a"), user("!say context", "!say new", " ")]
    assert text(await client.stream(body(GEMINI_3, *contents))) == "new"


async def test_texts_that_clients_add_do_not_direct(client: Client) -> None:
    reminder = "<system-reminder>\nremember\n</system-reminder>"
    sent = body(GEMINI_2, user("!then\n!say two"), said(call()), user(result()), user(reminder))
    assert text(await client.stream(sent)) == "two"


async def test_what_clients_put_in_front_of_a_text_does_not_direct(client: Client) -> None:
    assert text(await client.ask("<system-reminder>\n!say no\n</system-reminder>\n\n!say yes")) == "yes"


async def test_say_comes_in_several_chunks(client: Client) -> None:
    chunks = await client.ask("!say one two three four five\\nsix")
    assert len(chunks) > 2
    assert text(chunks) == "one two three four five\nsix"


async def test_directives_may_stand_anywhere_and_the_rest_is_echoed(client: Client) -> None:
    assert text(await client.ask("please\n  !pace 1\nsay this")) == "please\nsay this"


async def test_an_unreadable_directive_is_a_400(client: Client) -> None:
    response = await client.post("generateContent", body(GEMINI_3, user("!tool f {oops")))
    assert (response.status, "fake: cannot follow" in await response.text()) == (400, True)


async def test_the_finish_reason_is_on_the_last_chunk_only(client: Client) -> None:
    reasons = [chunk["candidates"][0].get("finishReason") for chunk in await client.ask("!say a longer text")]
    assert reasons == [None] * (len(reasons) - 1) + ["STOP"]


@pytest.mark.parametrize(("directive", "reason"), [("!finish MAX_TOKENS", "MAX_TOKENS"), ("!finish", None)])
async def test_the_finish_reason_can_be_set_or_left_out(client: Client, directive: str, reason: str | None) -> None:
    chunks = await client.ask(f"!say a\n{directive}")
    assert chunks[-1]["candidates"][0].get("finishReason") == reason


async def test_gemini_shows_thoughts_and_signs_the_text_after_them(client: Client) -> None:
    answer = parts(await client.ask("!think hm\n!say yes", generationConfig=LOUD))
    assert answer[0] == {"thought": True, "text": "hm"}
    assert (answer[1]["text"], answer[1]["thoughtSignature"] in client.fake.signatures.issued) == (
        "yes",
        True,
    )


async def test_gemini_hides_thoughts_that_were_not_asked_for_but_counts_them(client: Client) -> None:
    chunks = await client.ask("!think hm, let me see\n!say yes")
    assert not any(part.get("thought") for part in parts(chunks))
    assert chunks[-1]["usageMetadata"]["thoughtsTokenCount"] > 0


async def test_claude_closes_a_thought_with_its_signature(client: Client) -> None:
    answer = parts(await client.ask("!think hm\n!say yes", CLAUDE, generationConfig=thinks()))
    assert [part.get("thought", False) for part in answer] == [True, True, False, False]
    assert answer[1]["text"] == ""
    assert base64.b64decode(base64.b64decode(answer[1]["thoughtSignature"]))


async def test_claude_without_a_budget_does_not_think(client: Client) -> None:
    config = thinking(includeThoughts=True)
    answer = parts(await client.ask("!think hm\n!say yes", CLAUDE, generationConfig=config))
    assert answer == [{"text": "yes"}, {"text": ""}]


async def test_claude_leads_calls_with_a_thought_while_thinking(client: Client) -> None:
    answer = parts(await client.ask("!tool f {}", CLAUDE, generationConfig=thinks()))
    assert answer[0].get("thought") is True


async def test_parallel_calls_come_in_one_chunk_and_only_the_first_is_signed(client: Client) -> None:
    chunks = await client.ask('!tool f {"a": 1}\n!tool g')
    first, second = chunks[0]["candidates"][0]["content"]["parts"]
    assert (first["functionCall"]["args"], second["functionCall"]["args"]) == ({"a": 1}, {})
    assert ("thoughtSignature" in first, "thoughtSignature" in second) == (True, False)
    assert first["functionCall"]["id"] != second["functionCall"]["id"]


async def test_split_calls_come_in_chunks_of_their_own_without_ids(client: Client) -> None:
    chunks = await client.ask("!tool f {}\n!tool f {}\n!toolsplit")
    calls = [part["functionCall"] for part in parts(chunks[:2])]
    assert calls == [{"name": "f", "args": {}}] * 2


@pytest.mark.parametrize(("model", "pattern"), [(GEMINI_3, "[0-9a-z]{8}"), (CLAUDE, "toolu_vrtx_01[0-9a-z]{22}")])
async def test_call_ids_are_of_the_family(client: Client, model: str, pattern: str) -> None:
    part = parts(await client.ask("!tool f {}", model))[0]
    assert re.fullmatch(pattern, part["functionCall"]["id"])


async def test_only_gemini_3_signs_calls(client: Client) -> None:
    assert "thoughtSignature" not in parts(await client.ask("!tool f {}", GEMINI_2))[0]


async def test_the_responses_are_answered_with_their_json(client: Client) -> None:
    sent = body(GEMINI_3, user("!tool f {}"), said(call("f", None, SENTINEL)), user(result()))
    assert json.loads(text(await client.stream(sent))) == [{"output": "x"}]


async def test_image_gives_a_png(client: Client) -> None:
    blob = parts(await client.ask("!image", "gemini-3-pro-image"))[0]["inlineData"]
    assert (blob["mimeType"], base64.b64decode(blob["data"])[:4]) == ("image/png", b"\x89PNG")


async def test_big_gives_one_line_of_megabytes(client: Client) -> None:
    blob = parts(await client.ask("!big 2.5"))[0]["inlineData"]
    assert len(blob["data"]) == 2_500_000


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.sse")), ids=lambda path: path.stem)
async def test_a_recording_is_sent_byte_for_byte(client: Client, path: Any) -> None:
    response = await client.post("streamGenerateContent", body(GEMINI_3, user(f"!fixture {path.stem}")))
    assert await response.read() == path.read_bytes()


async def test_a_recording_is_named_by_its_number_too(client: Client) -> None:
    response = await client.post("generateContent", body(GEMINI_3, user("!fixture 01")))
    assert (await response.json())["response"]["candidates"][0]["finishReason"] == "STOP"


async def test_chunks_are_sent_as_they_are(client: Client) -> None:
    given = [{"response": {"candidates": []}}, {"error": {"code": 503}}]
    sent = body(GEMINI_3, user("\n".join(f"!chunk {json.dumps(chunk)}" for chunk in given)))
    assert read(await (await client.post("streamGenerateContent", sent)).read()) == given


async def test_generate_content_gives_the_stream_as_one_answer(client: Client) -> None:
    sent = body(GEMINI_3, user("!think hm\n!say one two three four\n!tool f {}"), generationConfig=LOUD)
    whole = (await (await client.post("generateContent", sent)).json())["response"]
    candidate = whole["candidates"][0]
    shown, spoken, called = candidate["content"]["parts"]
    assert (shown, spoken["text"]) == ({"thought": True, "text": "hm"}, "one two three four")
    assert ("thoughtSignature" in spoken, called["functionCall"]["name"]) == (True, "f")
    assert candidate["finishReason"] == "STOP"


async def test_generate_content_answers_with_the_error_of_a_recording(client: Client) -> None:
    response = await client.post("generateContent", body(GEMINI_3, user("!fixture 25")))
    assert response.status == 429


async def test_without_alt_sse_a_stream_is_a_list(client: Client) -> None:
    url = f"{client.fake.url}/v1internal:streamGenerateContent"
    sent = body(GEMINI_3, user("!say a longer text"))
    chunks = await (await client.session.post(url, json=sent, headers={"Authorization": "Bearer static-1"})).json()
    assert text([chunk["response"] for chunk in chunks]) == "a longer text"


@pytest.mark.parametrize("path", sorted((RECORDINGS / "errors").glob("*.json")), ids=lambda path: path.stem)
async def test_a_recorded_error_is_given_by_name(client: Client, path: Any) -> None:
    response = await client.post("streamGenerateContent", body(GEMINI_3, user(f"!error {path.stem}")))
    assert response.status == int(path.stem[:3])
    assert json.loads(await response.read()) == json.loads(path.read_text("utf-8"))


async def test_an_error_can_be_given_a_few_times_only(client: Client) -> None:
    sent = body(GEMINI_3, user("!error 429_bare 2\n!say at last"))
    statuses = [(await client.post("streamGenerateContent", sent)).status for _ in range(3)]
    assert statuses == [429, 429, 200]


async def test_a_status_is_given_without_details(client: Client) -> None:
    response = await client.post("generateContent", body(GEMINI_3, user("!status 502")))
    assert (response.status, (await response.json())["error"]["message"]) == (502, "Bad Gateway")


async def test_a_refusal_is_given_as_it_is(client: Client) -> None:
    given = {"error": {"code": 409, "message": "no"}}
    response = await client.post("generateContent", body(GEMINI_3, user(f"!refuse {json.dumps(given)}")))
    assert (response.status, await response.json()) == (409, given)


async def test_pushed_texts_come_before_what_the_user_says(client: Client) -> None:
    client.fake.script.push("!say one", "!say two")
    assert [text(await client.ask("three")) for _ in range(3)] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("model", "config"),
    [(GEMINI_3, LOUD), (GEMINI_3, {}), (GEMINI_2, LOUD), (CLAUDE, thinks()), (CLAUDE, {})],
)
async def test_usage_keeps_the_identity_on_every_chunk_and_grows(client: Client, model: str, config: Any) -> None:
    chunks = await client.ask("!think hm\n!say some longer text\n!tool f {}", model, generationConfig=config)
    totals = []
    for usage in (chunk["usageMetadata"] for chunk in chunks):
        spent = [usage.get(f"{kind}TokenCount", 0) for kind in ("prompt", "candidates", "thoughts")]
        assert sum(spent) == usage["totalTokenCount"]
        totals.append(usage["totalTokenCount"])
    assert totals == sorted(totals)
    assert totals[-1] > totals[0] > 0


async def test_claude_counts_thoughts_with_the_rest(client: Client) -> None:
    chunks = await client.ask("!think hm\n!say yes", CLAUDE, generationConfig=thinks())
    assert "thoughtsTokenCount" not in chunks[-1]["usageMetadata"]


async def test_each_chunk_is_in_its_envelope_with_the_trace_of_the_header(client: Client) -> None:
    response = await client.post("streamGenerateContent", body(GEMINI_3))
    chunks = read(await response.read())
    assert {chunk["traceId"] for chunk in chunks} == {response.headers["x-cloudaicompanion-trace-id"]}
    assert chunks[0]["response"]["modelVersion"] == GEMINI_3
