"""Keys, paths, queries, injected failures and the labels of answers of the public API's fake."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import aiohttp
import pytest

from tests.fakes.gemini_api import STREAM
from tests.fakes.gemini_api_errors import NAMED
from tests.fakes_tests.gemini_api_bodies import (
    EMBEDDING,
    GEMINI_2,
    GEMINI_3,
    GeminiClient,
    body,
    refusal,
)
from tests.fakes_tests.v1internal_bodies import text, user

GENERATE = f"/v1beta/models/{GEMINI_3}:generateContent"


async def error(gemini: GeminiClient, name: str) -> Any:
    response = await gemini.post("generateContent", body(user(f"!error {name}")), GEMINI_2)
    return (await response.json())["error"]


async def test_an_unknown_key_is_a_400(gemini: GeminiClient) -> None:
    answer = (await (await gemini.open(GENERATE, body(), key="nobody")).json())["error"]
    assert (answer["code"], answer["status"]) == (400, "INVALID_ARGUMENT")
    assert answer["message"] == "API key not valid. Please pass a valid API key."
    assert answer["details"][0] == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }


async def test_no_key_is_a_403(gemini: GeminiClient) -> None:
    response = await gemini.open(GENERATE, body(), key="")
    assert (await refusal(response, 403)).startswith("Method doesn't allow unregistered callers")
    assert (await response.json())["error"]["status"] == "PERMISSION_DENIED"


async def test_a_bearer_is_a_401_even_beside_a_key(gemini: GeminiClient) -> None:
    response = await gemini.open(GENERATE, body(), Authorization="Bearer key-1")
    assert "Expected OAuth 2 access token" in await refusal(response, 401)


@pytest.mark.parametrize("key", ["key-1", "key-2", "key-3"])
async def test_a_key_may_stand_in_the_query(gemini: GeminiClient, key: str) -> None:
    assert (await gemini.open(f"{GENERATE}?key={key}", body(), key="")).status == 200
    assert gemini.fake.requests[-1].credential == key


async def test_keys_can_be_added_and_taken_away(gemini: GeminiClient) -> None:
    gemini.fake.keys = {"new"}
    statuses = [(await gemini.open(GENERATE, body(), key=key)).status for key in ("new", "key-1")]
    assert statuses == [200, 400]


@pytest.mark.parametrize(
    ("method", "model", "shown"),
    [
        ("generateContent", "gemini-9", "generateContent"),
        (STREAM, "gemini-9", "generateContent"),
        ("generateContent", EMBEDDING, "generateContent"),
        ("embedContent", GEMINI_2, "embedContent"),
        ("countTokens", "none", "countTokens"),
    ],
)
async def test_a_model_that_is_not_there_or_not_for_this_is_a_404(
    gemini: GeminiClient, method: str, model: str, shown: str
) -> None:
    words = await refusal(await gemini.post(method, {}, model, version="v1"), 404)
    assert words == (
        f"models/{model} is not found for API version v1, or is not supported for {shown}. "
        "Call ListModels to see the list of available models and their supported methods."
    )


async def test_a_tuned_model_is_not_there(gemini: GeminiClient) -> None:
    response = await gemini.open("/v1beta/tunedModels/mine:generateContent", body())
    assert (await refusal(response, 404)).startswith("tunedModels/mine is not found")


async def test_models_can_be_added_and_taken_away(gemini: GeminiClient) -> None:
    gemini.fake.models = ["gemini-9"]
    statuses = [(await gemini.post("generateContent", body(), model)).status for model in ("gemini-9", GEMINI_3)]
    assert statuses == [200, 404]


async def test_a_model_of_the_body_must_be_that_of_the_path(gemini: GeminiClient) -> None:
    response = await gemini.post("generateContent", body(model="models/other"))
    assert "model `models/other` does not match" in await refusal(response)


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "/"),
        ("POST", f"/v1beta/models/{GEMINI_3}:noSuchMethod"),
        ("GET", GENERATE),
        ("POST", "/v2/models"),
        ("POST", "/v1internal:generateContent"),
        ("PUT", "/v1beta/files/a"),
    ],
)
async def test_unknown_paths_are_a_page_of_html(gemini: GeminiClient, verb: str, path: str) -> None:
    response = await gemini.open(path, {}, verb=verb)
    assert (response.status, response.content_type) == (404, "text/html")


async def test_an_unknown_parameter_is_refused(gemini: GeminiClient) -> None:
    words = await refusal(await gemini.open(f"{GENERATE}?beta=true", body()))
    assert words == (
        'Invalid JSON payload received. Unknown name "beta": Cannot bind query parameter. '
        "Field 'beta' could not be found in request message."
    )


@pytest.mark.parametrize("path", [f"{GENERATE}?alt=sse", f"{GENERATE}?alt=proto", "/v1beta/models?alt=sse"])
async def test_a_format_that_is_not_there_is_refused(gemini: GeminiClient, path: str) -> None:
    response = await gemini.open(path, body(), verb="POST" if path.startswith(GENERATE) else "GET")
    assert "alt" in await refusal(response)


async def test_errors_of_a_stream_of_events_are_labelled_as_events(gemini: GeminiClient) -> None:
    response = await gemini.post(STREAM, body(), "none")
    assert (response.status, response.content_type) == (404, "text/event-stream")
    assert isinstance(json.loads(await response.read()), dict)


async def test_errors_of_a_stream_in_a_list_are_in_a_list(gemini: GeminiClient) -> None:
    response = await gemini.open(f"/v1beta/models/none:{STREAM}", body())
    (answer,) = await response.json()
    assert (response.status, answer["error"]["code"]) == (404, 404)


@pytest.mark.parametrize("name", NAMED)
async def test_an_error_is_given_by_name(gemini: GeminiClient, name: str) -> None:
    response = await gemini.post("generateContent", body(user(f"!error {name}")))
    assert await refusal(response, int(name[:3]))


@pytest.mark.parametrize(
    ("name", "quota", "limit"),
    [
        ("429_per_minute", "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "5"),
        ("429_per_day", "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "250"),
        ("429_tokens_per_minute", "GenerateContentInputTokensPerModelPerMinute-FreeTier", "250000"),
    ],
)
async def test_a_quota_error_says_which_quota_and_when(gemini: GeminiClient, name: str, quota: str, limit: str) -> None:
    answer = await error(gemini, name)
    help_, failure, retry = answer["details"]
    (violation,) = failure["violations"]
    assert (violation["quotaId"], violation["quotaValue"]) == (quota, limit)
    assert violation["quotaDimensions"] == {"location": "global", "model": GEMINI_2}
    assert answer["status"] == "RESOURCE_EXHAUSTED"
    assert f"limit: {limit}, model: {GEMINI_2}\nPlease retry in {retry['retryDelay'][:-1]}." in answer["message"]
    assert help_["links"][0]["url"] == "https://ai.google.dev/gemini-api/docs/rate-limits"


async def test_a_limit_of_zero_is_left_out_of_the_details(gemini: GeminiClient) -> None:
    answer = await error(gemini, "429_limit_zero")
    assert "limit: 0, model" in answer["message"]
    assert "quotaValue" not in answer["details"][1]["violations"][0]


async def test_an_error_without_that_name_is_the_test_s_mistake(gemini: GeminiClient) -> None:
    assert (await error(gemini, "429_quota_exhausted_hours"))["message"].startswith("fake: no error is called")


async def test_a_status_is_given_without_details(gemini: GeminiClient) -> None:
    response = await gemini.post("generateContent", body(user("!status 502")))
    assert await refusal(response, 502) == "Bad Gateway"


async def test_a_failure_hits_the_key_it_is_set_for(gemini: GeminiClient) -> None:
    gemini.fake.fail("429_per_day", token="key-2", times=math.inf)  # a name of this test
    statuses = [(await gemini.open(GENERATE, body(), key=key)).status for key in ("key-1", "key-2", "key-2")]
    assert statuses == [200, 429, 429]


async def test_a_failure_hits_the_model_and_the_method_it_is_set_for(gemini: GeminiClient) -> None:
    gemini.fake.fail(503, model=GEMINI_2, method="generateContent")
    sent = [("generateContent", GEMINI_3), (STREAM, GEMINI_2), ("generateContent", GEMINI_2)]
    assert [(await gemini.post(method, body(), model)).status for method, model in sent] == [200, 200, 503]


async def test_a_failure_can_reset_the_connection(gemini: GeminiClient) -> None:
    gemini.fake.fail("reset")
    with pytest.raises(aiohttp.ClientConnectionError):
        await gemini.post("generateContent", body())


async def test_a_failure_can_be_silence(gemini: GeminiClient) -> None:
    gemini.fake.fail("silence")
    waiting = asyncio.ensure_future(gemini.post("generateContent", body()))
    await gemini.fake.wait_for("generateContent")
    waiting.cancel()
    await gemini.fake.wait_closed()


async def test_calls_are_recorded_with_model_key_and_body(gemini: GeminiClient) -> None:
    await gemini.ask("good day")
    record = gemini.fake.requests[0]
    assert (record.method, record.model, record.credential, record.status) == (STREAM, GEMINI_3, "key-1", 200)
    assert record.request["contents"] == [user("good day")]
    assert record.base == "a"


async def test_a_path_before_the_version_names_the_base(gemini: GeminiClient) -> None:
    await gemini.open(f"/x{GENERATE}", body())
    assert gemini.fake.requests[0].base == "x"


async def test_pushed_texts_come_before_what_the_user_says(gemini: GeminiClient) -> None:
    gemini.fake.script.push("!say one", "!say two")
    assert [text(await gemini.ask("three")) for _ in range(3)] == ["one", "two", "three"]


async def test_reset_forgets_calls_faults_and_pushes_but_no_key(gemini: GeminiClient) -> None:
    gemini.fake.fail(500)
    gemini.fake.script.push("!status 500")
    gemini.fake.reset()
    assert (await gemini.post("generateContent", body())).status == 200
    assert len(gemini.fake.requests) == 1
