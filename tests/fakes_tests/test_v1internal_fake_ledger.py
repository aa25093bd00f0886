"""The ledger: who may call what, how he is told to wait, and who does not listen."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest

from tests.fakes.v1internal_arrivals import Arrivals
from tests.fakes.v1internal_ledger import go_duration
from tests.fakes_tests.v1internal_bodies import BEARER, CLAUDE, GEMINI_3, Client, Json, body
from tests.patience import patient

SECOND = {"Authorization": "Bearer static-2"}


@pytest.fixture(autouse=True)
def accounts(client: Client) -> None:
    client.fake.oauth.add_static("static-2", email="second@example.invalid")


async def call(client: Client, model: str = GEMINI_3, **options: Any) -> tuple[int, Json]:
    response = await client.post("generateContent", body(model), **options)
    return response.status, await response.json()


async def statuses(client: Client, count: int, model: str = GEMINI_3, **options: Any) -> list[int]:
    return [(await call(client, model, **options))[0] for _ in range(count)]


async def fraction(client: Client, model: str = GEMINI_3, **options: Any) -> Json:
    response = await client.post("fetchAvailableModels", {}, **options)
    quota: Json = (await response.json())["models"][model]["quotaInfo"]
    return quota


async def test_the_call_after_the_last_allowed_one_is_told_to_wait(client: Client) -> None:
    client.fake.limit("static-1", GEMINI_3, calls=2, delay_s=3725.5)
    assert await statuses(client, 2) == [200, 200]
    status, answer = await call(client)
    info, retry = answer["error"]["details"]
    assert (status, info["reason"], answer["error"]["status"]) == (429, "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED")
    assert info["metadata"]["quotaResetDelay"].startswith("1h2m5.")
    assert 3725 < float(retry["retryDelay"].removesuffix("s")) <= 3725.5
    assert re.search(r"Your quota will reset after 1h2m5s\.$", answer["error"]["message"])


async def test_the_reason_may_be_a_used_up_quota(client: Client) -> None:
    client.fake.limit(calls=0, delay_s=9, reason="QUOTA_EXHAUSTED")
    assert (await call(client))[1]["error"]["details"][0]["reason"] == "QUOTA_EXHAUSTED"


async def test_a_limit_is_of_one_account_and_one_model(client: Client) -> None:
    client.fake.limit("static-1", GEMINI_3, calls=0, delay_s=9)
    answers = [(await call(client, model, headers=who))[0] for model, who in ((CLAUDE, BEARER), (GEMINI_3, SECOND))]
    assert answers == [200, 200]


async def test_a_limit_for_all_is_counted_for_each(client: Client) -> None:
    client.fake.limit(calls=1, delay_s=9)
    assert await statuses(client, 2) == [200, 429]
    assert await statuses(client, 2, CLAUDE) == [200, 429]
    assert await statuses(client, 2, headers=SECOND) == [200, 429]


async def test_a_call_during_the_delay_is_a_violation(client: Client) -> None:
    client.fake.ledger.grace_s = 0
    client.fake.limit("static-1", GEMINI_3, calls=0, delay_s=9)
    await statuses(client, 2)
    (broken,) = client.fake.ledger.violations
    assert (broken.credential, broken.model) == ("static-1", GEMINI_3)
    assert broken.told_at < broken.at < broken.until


async def test_a_call_within_the_grace_is_none(client: Client) -> None:
    client.fake.ledger.grace_s = 5
    client.fake.limit(calls=0, delay_s=9)
    assert await statuses(client, 2) == [429, 429]
    assert not client.fake.ledger.violations


async def test_calls_that_arrive_before_the_answer_are_none(client: Client) -> None:
    client.fake.ledger.grace_s = 1  # they connect one after the other
    client.fake.limit(calls=1, delay_s=9)
    answers = await asyncio.gather(*(call(client) for _ in range(8)))
    assert sorted(status for status, _ in answers) == [200, *[429] * 7]
    assert not client.fake.ledger.violations


async def test_after_the_delay_all_calls_are_allowed_again(client: Client) -> None:
    client.fake.ledger.grace_s = 0
    delay_s = patient(0.1)  # two calls take less
    client.fake.limit(calls=1, delay_s=delay_s)
    assert await statuses(client, 2) == [200, 429]
    await asyncio.sleep(delay_s)
    assert await statuses(client, 2) == [200, 429]
    assert not client.fake.ledger.violations


async def test_an_invalid_call_is_not_counted(client: Client) -> None:
    client.fake.limit(calls=1, delay_s=9)
    assert (await client.post("generateContent", body(GEMINI_3) | {"project": ""})).status == 400
    assert (await call(client))[0] == 200


async def test_what_is_left_falls_with_each_call(client: Client) -> None:
    client.fake.limit("static-1", GEMINI_3, calls=4, delay_s=9)
    left = []
    for _ in range(4):
        left.append((await fraction(client)).get("remainingFraction"))
        await call(client)
    assert left == [1, 0.75, 0.5, 0.25]
    assert set(await fraction(client)) == {"resetTime"}
    assert (await fraction(client, headers=SECOND))["remainingFraction"] == 1


async def test_the_buckets_of_the_other_client_fall_too(client: Client) -> None:
    client.fake.limit(model="gemini-2.5-pro", calls=2, delay_s=9)
    await call(client, "gemini-2.5-pro")
    buckets = (await (await client.post("retrieveUserQuota", {"project": "p"})).json())["buckets"]
    left = {bucket["modelId"]: bucket["remainingFraction"] for bucket in buckets}
    assert (left["gemini-2.5-pro"], left["gemini-2.5-flash"]) == (0.5, 1)


async def test_a_new_limit_replaces_the_one_before(client: Client) -> None:
    client.fake.limit(calls=0, delay_s=9)
    assert (await call(client))[0] == 429
    client.fake.limit(calls=1, delay_s=9)
    assert (await call(client))[0] == 200


async def test_calls_are_counted_by_account_and_model(client: Client) -> None:
    client.fake.limit("second@example.invalid", calls=1, delay_s=9)
    await statuses(client, 3, headers=SECOND)
    place = ("second@example.invalid", GEMINI_3)
    assert (client.fake.ledger.allowed[place], client.fake.ledger.refused[place]) == (1, 2)


async def test_a_limit_is_for_an_account_that_there_is(client: Client) -> None:
    with pytest.raises(LookupError, match="nobody"):
        client.fake.limit("nobody", calls=1, delay_s=1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.479417207, "479.417207ms"), (2, "2s"), (72.5, "1m12.5s"), (91226.179915352, "25h20m26.179915352s")],
)
def test_a_duration_is_written_as_go_does(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


async def test_the_grace_is_set_by_the_test(client: Client) -> None:
    async with client.session.post(f"{client.fake.url}/_ledger", json={"grace_s": 0.5}) as response:
        assert (await response.json())["violations"] == []
    assert client.fake.ledger.grace_s == 0.5


async def test_what_a_busy_loop_comes_late_to_had_come_before() -> None:
    arrivals = Arrivals()
    arrivals.start()
    await asyncio.sleep(0.05)
    before = time.monotonic()
    time.sleep(0.1)  # noqa: ASYNC251  # the loop is to be busy
    for _ in range(2):
        await asyncio.sleep(0)
    arrivals.stop()
    assert before - 0.05 < arrivals.earliest() <= before
