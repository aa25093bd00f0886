"""Bearers, headers, injected failures, counting, and the labels of answers."""

from __future__ import annotations

import asyncio
import re

import aiohttp
import pytest

from tests.fakes.v1internal import STREAM
from tests.fakes_tests.v1internal_bodies import (
    BEARER,
    CLAUDE,
    GEMINI_2,
    GEMINI_3,
    Client,
    body,
    message,
    thinking,
    thought,
    user,
)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobody"}, {"Authorization": "Basic static-1"}])
async def test_an_unknown_bearer_is_a_401(client: Client, headers: dict[str, str]) -> None:
    response = await client.post("generateContent", body(GEMINI_3), headers=headers)
    assert (response.status, (await response.json())["error"]["status"]) == (401, "UNAUTHENTICATED")


async def test_a_quota_project_of_the_caller_is_a_403(client: Client) -> None:
    response = await client.post("generateContent", body(GEMINI_3), headers=BEARER | {"x-goog-user-project": "mine"})
    error = (await response.json())["error"]
    assert (response.status, error["details"][0]["reason"]) == (403, "SERVICE_DISABLED")
    assert "project mine before" in error["message"]


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"project": ""}, 400, "Invalid project resource name projects/"),
        ({"project": None}, 400, "Invalid project resource name projects/"),
        ({"model": "models/gemini-3-flash"}, 400, "named without `models/`"),
        ({"model": "gemini-3.1-pro"}, 404, "Requested entity was not found."),
        ({"model": ""}, 404, "Requested entity was not found."),
    ],
)
async def test_a_wrong_address_is_refused(
    client: Client, change: dict[str, str | None], status: int, words: str
) -> None:
    response = await client.post("generateContent", body(GEMINI_3) | change)
    assert (response.status, words in await response.text()) == (status, True)


async def test_an_unknown_project_is_a_404_where_projects_are_known(client: Client) -> None:
    client.fake.projects = {"q"}
    response = await client.post("generateContent", body(GEMINI_3))
    assert (response.status, "Resource projects/p could not" in await response.text()) == (404, True)


async def test_a_backend_without_thinking_levels_refuses_them(client: Client) -> None:
    client.fake.levels_known = False
    sent = body(GEMINI_3, generationConfig=thinking(thinkingLevel="low"))
    words = message(await (await client.post("generateContent", sent)).json())
    assert words.startswith("Unable to submit request because thinking_level is not supported by this model.")


async def test_errors_of_the_streaming_method_are_labelled_as_events(client: Client) -> None:
    response = await client.post(STREAM, body("none"))
    assert (response.status, response.headers["content-type"]) == (404, "text/event-stream")
    assert re.fullmatch("[0-9a-f]{16}", response.headers["x-cloudaicompanion-trace-id"])
    assert response.headers["server"] == "ESF"


async def test_errors_can_come_in_a_list(client: Client) -> None:
    client.fake.array_wrapped = True
    assert isinstance(await (await client.post("generateContent", body("none"))).json(), list)


async def test_a_failure_hits_the_base_it_is_set_for(client: Client) -> None:
    client.fake.fail("429_bare", base="a")
    statuses = [(await client.post("generateContent", body(GEMINI_3), base=base)).status for base in "baa"]
    assert statuses == [200, 429, 200]


async def test_a_failure_hits_the_model_and_the_method_it_is_set_for(client: Client) -> None:
    client.fake.fail(503, model=GEMINI_2, method="generateContent", times=2)
    sent = [("generateContent", GEMINI_3), (STREAM, GEMINI_2), ("generateContent", GEMINI_2)]
    statuses = [(await client.post(method, body(model))).status for method, model in sent]
    assert statuses == [200, 200, 503]


async def test_a_failure_hits_the_credential_it_is_set_for(client: Client) -> None:
    first, second = [await access_token(client, token) for token in ("rt-1", "rt-2")]
    client.fake.fail("403_tos_disabled", token="rt-2", times=1)  # a name of this test
    answers = [
        await client.post("generateContent", body(GEMINI_3), headers={"Authorization": f"Bearer {token}"})
        for token in (first, second)
    ]
    assert [answer.status for answer in answers] == [200, 403]


async def access_token(client: Client, refresh_token: str) -> str:
    answer = await client.fake.oauth.token(
        {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": "i",
            "client_secret": "s",
        }
    )
    return str(answer["access_token"])


async def test_a_failure_can_reset_the_connection(client: Client) -> None:
    client.fake.fail("reset")
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.post("generateContent", body(GEMINI_3))
    assert client.fake.log.disconnects == 0


async def test_a_failure_can_be_silence(client: Client) -> None:
    client.fake.fail("silence")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.post("generateContent", body(GEMINI_3)), 0.1)


async def test_calls_are_recorded_with_base_credential_and_body(client: Client) -> None:
    await client.ask("good day")
    record = client.fake.requests[0]
    assert (record.base, record.method, record.credential, record.status) == ("a", STREAM, "static-1", 200)
    assert record.request["contents"] == [user("good day")]
    assert record.headers["content-type"] == "application/json"


async def test_a_path_before_v1internal_names_the_base(client: Client) -> None:
    async with client.session.post(f"{client.fake.url}/x/v1internal:countTokens", json={}, headers=BEARER):
        pass
    assert client.fake.requests[0].base == "x"


async def test_counting_counts_the_contents(client: Client) -> None:
    short, long = [
        (await (await client.post("countTokens", {"request": {"contents": [user("a" * n)]}})).json())["totalTokens"]
        for n in (8, 80)
    ]
    assert long > short > 0


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (
            {"request": {"contents": [user(thought())]}},
            "* CountTokensRequest.contents[0].parts[0].data: required oneof field 'data' must have one",
        ),
        ({"request": {"contents": []}}, "contents is not specified"),
        (body(GEMINI_3), 'Unknown name "model": Cannot find field.'),
        ({"request": {"safetySettings": []}}, "Unknown name \"safetySettings\" at 'request'"),
    ],
)
async def test_counting_refuses_what_it_does_not_know(client: Client, sent: object, words: str) -> None:
    assert words in message(await (await client.post("countTokens", sent)).json())


async def test_counting_for_an_unknown_model_is_a_404(client: Client) -> None:
    sent = {"request": {"model": "models/none", "contents": [user("a")]}}
    assert (await client.post("countTokens", sent)).status == 404


@pytest.mark.parametrize("path", ["/", "/v1internal:noSuchMethod", "/v1beta/models"])
async def test_unknown_paths_are_a_page_of_html(client: Client, path: str) -> None:
    async with client.session.post(client.fake.url + path, json={}, headers=BEARER) as response:
        assert (response.status, response.content_type) == (404, "text/html")


async def test_reset_forgets_calls_faults_and_pushes_but_no_token(client: Client) -> None:
    client.fake.fail(500)
    client.fake.script.push("!status 500")
    await client.post("generateContent", body(CLAUDE))
    client.fake.fail(500)
    client.fake.reset()
    assert client.fake.requests == []
    assert (await client.post("generateContent", body(CLAUDE))).status == 200
