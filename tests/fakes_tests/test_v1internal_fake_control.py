"""Discovery, onboarding, models and quotas; and the fake as a program."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from tests.fakes.v1internal_errors import RECORDINGS
from tests.fakes_tests.v1internal_bodies import (
    BEARER,
    GEMINI_3,
    Client,
    Json,
    body,
    message,
    read,
    text,
    user,
)

ROOT = Path(__file__).parents[2]
STREAM = "/v1internal:streamGenerateContent?alt=sse"
METADATA = {"ideType": "ANTIGRAVITY"}


def recorded(name: str) -> Any:
    return json.loads((RECORDINGS / "control" / f"{name}.json").read_text("utf-8"))


async def post(client: Client, method: str, sent: Any) -> Json:
    response = await client.post(method, sent)
    answer: Json = await response.json()
    return answer


@pytest.mark.parametrize("state", ["onboarded", "not_onboarded", "validation_required"])
async def test_load_code_assist_answers_by_the_state_of_the_account(client: Client, state: Any) -> None:
    client.fake.oauth.tokens["static-1"].account.state = state
    assert await post(client, "loadCodeAssist", {"metadata": METADATA}) == recorded(f"loadCodeAssist_{state}")


async def test_the_project_is_the_account_s(client: Client) -> None:
    client.fake.oauth.tokens["static-1"].account.project = "mine"
    assert (await post(client, "loadCodeAssist", {"metadata": {}}))["cloudaicompanionProject"] == "mine"


async def test_load_code_assist_refuses_unknown_names(client: Client) -> None:
    assert "'metadata': Cannot find field." in message(await post(client, "loadCodeAssist", {"metadata": {"x": 1}}))


async def test_onboarding_is_polled_until_done_and_changes_the_account(client: Client) -> None:
    account = client.fake.oauth.tokens["static-1"].account
    account.state, account.polls = "not_onboarded", 3
    begun = await post(client, "onboardUser", {"tierId": "free-tier", "metadata": METADATA})
    url = f"{client.fake.url}/v1internal/{begun['name']}"
    polls = [(await (await client.session.get(url, headers=BEARER)).json()) for _ in range(3)]
    assert [begun["done"], *(poll["done"] for poll in polls)] == [False, False, False, True]
    assert polls[-1]["response"]["cloudaicompanionProject"]["id"] == "fake-project-000"
    assert "currentTier" in await post(client, "loadCodeAssist", {"metadata": METADATA})


async def test_onboarding_can_be_polled_by_posting_again(client: Client) -> None:
    client.fake.oauth.tokens["static-1"].account.polls = 1
    sent = {"tier_id": "standard-tier", "metadata": {"ide_type": 9}}
    assert [(await post(client, "onboardUser", sent))["done"] for _ in range(2)] == [False, True]


async def test_the_free_tier_takes_no_project(client: Client) -> None:
    answer = await post(client, "onboardUser", {"tierId": "free-tier", "cloudaicompanionProject": "p"})
    assert answer["error"]["status"] == "FAILED_PRECONDITION"


async def test_onboarding_needs_a_tier(client: Client) -> None:
    assert message(await post(client, "onboardUser", {"metadata": {}})) == "tier_id is required."


async def test_an_unknown_operation_is_a_404(client: Client) -> None:
    url = f"{client.fake.url}/v1internal/operations/none"
    async with client.session.get(url, headers=BEARER) as response:
        assert response.status == 404


async def test_models_are_listed_with_their_quotas(client: Client) -> None:
    client.fake.models |= {GEMINI_3: 0.25, "claude-sonnet-4-6": None}
    models = (await post(client, "fetchAvailableModels", {"project": "p"}))["models"]
    assert models[GEMINI_3]["quotaInfo"]["remainingFraction"] == 0.25
    assert set(models["claude-sonnet-4-6"]["quotaInfo"]) == {"resetTime"}
    assert models["tab_flash_lite_preview"]["isInternal"] is True


async def test_a_model_can_be_added_and_taken_away(client: Client) -> None:
    client.fake.models["gemini-9"] = 1.0
    del client.fake.models[GEMINI_3]
    answers = [await client.post("generateContent", body(model)) for model in ("gemini-9", GEMINI_3)]
    assert [answer.status for answer in answers] == [200, 404]


async def test_quota_buckets_name_models(client: Client) -> None:
    client.fake.models["gemini-2.5-pro"] = None
    buckets = (await post(client, "retrieveUserQuota", {"project": "p"}))["buckets"]
    by_model = {bucket["modelId"]: bucket.get("remainingFraction") for bucket in buckets}
    assert (by_model["gemini-2.5-pro"], by_model["gemini-2.5-flash"]) == (None, 1)


async def test_the_quota_summary_is_the_recorded_one(client: Client) -> None:
    assert await post(client, "retrieveUserQuotaSummary", {}) == recorded("retrieveUserQuotaSummary")


@pytest.mark.parametrize("method", ["listExperiments", "recordCodeAssistMetrics", "fetchAdminControls"])
async def test_what_only_clients_ask_is_answered(client: Client, method: str) -> None:
    assert (await client.post(method, {"anything": 1})).status == 200


@pytest.fixture
async def program() -> AsyncIterator[str]:
    """Run the fake as a program; give its address."""
    command = [sys.executable, "-m", "tests.fakes.v1internal", "--access-token", "key"]
    async with await anyio.open_process(command, cwd=ROOT) as process:
        assert process.stdout is not None
        yield json.loads(await process.stdout.receive())["url"]
        process.terminate()


async def ask(session: aiohttp.ClientSession, path: str, sent: Any) -> tuple[int, bytes]:
    async with session.post(path, json=sent) as response:
        return response.status, await response.read()


async def test_the_program_serves_and_is_administered_over_http(program: str) -> None:
    async with aiohttp.ClientSession(program, headers={"Authorization": "Bearer key"}) as session:
        await ask(session, "/_push", {"texts": ["!say pushed"]})
        await ask(session, "/_fail", {"error": "429_bare", "base": "a"})
        refused, _ = await ask(session, STREAM, body(GEMINI_3))
        answered, data = await ask(session, STREAM, body(GEMINI_3))
        state = await (await session.get("/_requests")).json()
        await ask(session, "/_reset", {})
        after = await (await session.get("/_requests")).json()
    assert (refused, answered, text([chunk["response"] for chunk in read(data)])) == (429, 200, "pushed")
    assert state["counts"] == {"streamGenerateContent": 2}
    assert state["requests"][1]["body"]["request"]["contents"] == [user("hi")]
    assert after["requests"] == []


async def test_the_program_lets_acked_streams_go_on(program: str) -> None:
    async with aiohttp.ClientSession(program, headers={"Authorization": "Bearer key"}) as session:
        await ask(session, "/_ack", {"count": 9})
        _, data = await ask(session, STREAM, body(GEMINI_3, user("!say a text of chunks\n!acked")))
    assert text([chunk["response"] for chunk in read(data)]) == "a text of chunks"
