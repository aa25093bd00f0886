"""What a 429 does to a credential, for which model, and for how long."""

import asyncio
import json

import pytest

from gateway import ir
from gateway.errors import NoCredential, UpstreamRateLimited
from gateway.store.known import Change
from tests.adapters.site import MODEL, Site

pytestmark = pytest.mark.anyio

THREE = ("rt-1", "rt-2", "rt-3")
INFO = "type.googleapis.com/google.rpc.ErrorInfo"


async def test_a_quota_used_up_turns_to_the_next_credential(site: Site) -> None:
    await site.open(*THREE)
    site.fail("429_quota_exhausted_hours", token="rt-1")
    assert await site.ask() == "hi"
    assert site.seen() == [("a", "rt-1", 429), ("a", "rt-2", 200)]


async def test_a_quota_used_up_is_of_one_model_only(site: Site) -> None:
    await site.open("rt-1", "rt-2", pool={"uses_per_turn": 1})
    site.fail("429_rate_limit_minutes", token="rt-1", model=MODEL)
    await site.ask()
    for _ in range(4):
        await site.ask()
    assert [token for _, token, _ in site.seen()[2:]] == ["rt-2"] * 4
    for _ in range(2):
        await site.ask(model="claude-sonnet-4-5")
    assert {token for _, token, _ in site.seen()[-2:]} == {"rt-1", "rt-2"}


async def test_a_credential_comes_back_when_the_upstream_said(site: Site) -> None:
    await site.open()
    site.fail("429_rate_limit_minutes")  # 72.5 s
    with pytest.raises(UpstreamRateLimited):
        await site.ask()
    await site.clock.advance(72)
    with pytest.raises(UpstreamRateLimited):
        await site.ask(attempts=1)
    await site.clock.advance(1)
    assert await site.ask() == "hi"


async def test_twenty_credentials_without_quota_are_asked_once_each(site: Site) -> None:
    tokens = [f"rt-{number}" for number in range(20)]
    for token in tokens:
        site.fake.oauth.add(token)
    await site.open(*tokens)
    site.fail("429_rate_limit_minutes", token="rt-7")
    site.fail("429_quota_exhausted_hours", times=99)
    with pytest.raises(UpstreamRateLimited) as caught:
        await site.ask()
    assert sorted(token for _, token, _ in site.seen()) == sorted(tokens)
    assert caught.value.retry_after == pytest.approx(72.5, abs=1)
    with pytest.raises(UpstreamRateLimited):
        await site.ask()
    assert len(site.seen()) == 20


async def test_a_used_up_quota_is_told_as_such(site: Site) -> None:
    await site.open("rt-1")
    site.fail("429_quota_exhausted_hours")
    for _ in range(2):
        with pytest.raises(UpstreamRateLimited, match="exhausted your capacity") as caught:
            await site.ask()
        assert caught.value.code == "insufficient_quota"
    assert len(site.seen()) == 1


async def test_no_limit_names_the_project(site: Site) -> None:
    await site.open("rt-1")
    error = {"code": 429, "message": "Slow down, fake-project-000.", "status": "RESOURCE_EXHAUSTED"}
    error["details"] = [{"@type": INFO, "reason": "QUOTA_EXHAUSTED"}]
    site.fake.script.push(f"!refuse {json.dumps({'error': error})}")
    for _ in range(2):
        with pytest.raises(UpstreamRateLimited, match=r"Slow down, \*\*\*\."):
            await site.ask()


async def test_what_is_told_names_counts_reasons_and_the_next_reset(site: Site) -> None:
    await site.open(*THREE)
    site.fake.oauth.fail("invalid_grant", token="rt-1")
    site.fail("429_rate_limit_minutes", times=2)
    with pytest.raises(UpstreamRateLimited) as caught:
        await site.ask()
    counts, _, reason = caught.value.message.partition("; ")
    assert counts == "3 credentials: 2 cooling until 08:02 UTC, 1 disabled"
    assert reason.startswith("You have exhausted your capacity on this model.")


@pytest.mark.parametrize("lost", ["invalid_grant", "unauthorized_client", "no project"])
async def test_what_the_last_credential_lacks_hides_no_reset_of_another(site: Site, lost: str) -> None:
    await site.open("rt-1", "rt-2")
    site.fail("429_quota_exhausted_hours", token="rt-1", times=99)
    if lost == "no project":
        site.fake.fail("400", method="loadCodeAssist", token="rt-2", times=99)
    else:
        site.fake.oauth.fail(lost, token="rt-2", times=99)
    with pytest.raises(UpstreamRateLimited) as first:
        await site.ask()
    with pytest.raises(UpstreamRateLimited) as second:
        await site.ask()
    assert (first.value.message, first.value.retry_after) == (second.value.message, second.value.retry_after)
    assert len(site.seen()) == 1


async def test_a_short_limit_is_waited_for_with_the_only_credential(site: Site) -> None:
    await site.open()
    site.fail("429_rate_limit_short")  # 0.48 s
    asked = asyncio.create_task(site.ask())
    await site.asleep(asked)
    await site.clock.advance(0.4)
    assert len(site.seen()) == 1
    await site.clock.advance(0.1)
    assert await asked == "hi"


async def test_a_short_limit_is_not_waited_for_while_another_credential_is_free(site: Site) -> None:
    await site.open("rt-1", "rt-2")
    site.fail("429_rate_limit_short")
    assert await site.ask() == "hi"
    assert site.seen() == [("a", "rt-1", 429), ("a", "rt-2", 200)]


async def test_a_short_limit_is_waited_for_once_and_then_the_credential_rests(site: Site) -> None:
    adapter = await site.open()
    site.fail("429_rate_limit_short", times=99)
    with pytest.raises(UpstreamRateLimited) as caught:
        await site.ask_over_pauses()
    assert caught.value.retry_after == pytest.approx(5, abs=0.1)
    assert site.clock.naps == pytest.approx([0.48, 5, 5], abs=0.1)
    assert list(adapter.views()[0].cooling) == [MODEL]
    with pytest.raises(UpstreamRateLimited):
        await site.ask(attempts=1)
    assert len(site.seen()) == 4


async def test_a_short_limit_that_nobody_waits_for_rests_the_credential(site: Site) -> None:
    await site.open()
    site.fail("429_rate_limit_short", times=99)
    for _ in range(3):
        with pytest.raises(UpstreamRateLimited) as caught:
            await site.ask(attempts=1)
        assert caught.value.retry_after == pytest.approx(5, abs=0.1)
    assert len(site.seen()) == 1


async def test_who_leaves_while_a_short_limit_lasts_leaves_the_credential_resting(site: Site) -> None:
    adapter = await site.open()
    site.fail("429_rate_limit_short")
    asked = asyncio.create_task(site.ask())
    await site.asleep(asked)
    assert adapter.views()[0].cooling == {}
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert list(adapter.views()[0].cooling) == [MODEL]


@pytest.mark.parametrize("when", [{"quotaResetDelay": "0s"}, {"quotaResetTimeStamp": "2020-01-01T00:00:00Z"}])
async def test_a_quota_used_up_is_not_asked_for_again_at_once_whenever_it_begins_anew(
    site: Site, when: dict[str, str]
) -> None:
    await site.open("rt-1", "rt-2")
    details = [{"@type": INFO, "reason": "QUOTA_EXHAUSTED", "metadata": when}]
    error = {"code": 429, "message": "no", "status": "RESOURCE_EXHAUSTED", "details": details}
    site.fake.script.push(*[f"!refuse {json.dumps({'error': error})}"] * 9)
    with pytest.raises(UpstreamRateLimited):
        await site.ask_over_pauses(attempts=2)
    assert [token for _, token, _ in site.seen()[:2]] == ["rt-1", "rt-2"]
    assert len(site.seen()) == 3
    assert site.clock.naps == pytest.approx([5], abs=0.1)


async def test_a_limit_without_reason_is_no_reason_to_use_up_the_pool(site: Site) -> None:
    await site.open(*THREE)
    site.fail("429_bare", times=99)
    with pytest.raises(UpstreamRateLimited, match="Resource has been exhausted"):
        await site.ask()
    assert [(base, token) for base, token, _ in site.seen()] == [
        ("a", "rt-1"),
        ("b", "rt-1"),
        ("b", "rt-2"),
        ("a", "rt-2"),
    ]


async def test_what_two_credentials_refuse_without_a_reason_follows_the_request(site: Site) -> None:
    """Some words of a prompt are answered so, whoever sends them; the others of the pool still serve."""
    adapter = await site.open("rt-1", "rt-2")
    site.fail("429_bare", times=4)
    with pytest.raises(UpstreamRateLimited, match="gives no reason"):
        await site.ask()
    assert len(site.seen()) == 4
    assert adapter.states()["cooling"] == 0
    assert await site.ask() == "hi"


async def test_a_limit_without_reason_rests_the_credential_where_another_one_serves(site: Site) -> None:
    adapter = await site.open("rt-1", "rt-2")
    site.fail("429_bare", token="rt-1", times=9)
    for _ in range(3):
        assert await site.ask() == "hi"
    assert [token for _, token, _ in site.seen()] == ["rt-1", "rt-1", "rt-2", "rt-2", "rt-2"]
    assert adapter.states()["cooling"] == 1


async def test_a_limit_without_reason_rests_the_credential_where_another_one_has_a_reason(site: Site) -> None:
    adapter = await site.open("rt-1", "rt-2")
    site.fail("429_bare", token="rt-1", times=9)
    site.fail("429_individual_quota", token="rt-2")
    with pytest.raises(UpstreamRateLimited):
        await site.ask()
    assert adapter.states()["cooling"] == 2


async def test_a_limit_without_reason_rests_the_credential_for_half_a_minute_at_most(site: Site) -> None:
    await site.open()
    site.fail("429_bare", times=2)
    with pytest.raises(UpstreamRateLimited) as caught:
        await site.ask()
    assert caught.value.retry_after == pytest.approx(30)
    await site.clock.advance(30)
    assert await site.ask() == "hi"


async def test_a_daily_quota_lasts_to_the_next_midnight_in_california(site: Site) -> None:
    await site.open()
    site.clock.wall = 1_800_000_000.0 - site.clock.monotonic()  # 2027-01-15 00:00 in California
    site.clock.wall += 18 * 3600
    site.fail("429_quota_failure_daily")
    with pytest.raises(UpstreamRateLimited) as caught:
        await site.ask()
    assert caught.value.retry_after == pytest.approx(6 * 3600, abs=5)


@pytest.mark.parametrize("error", ["429_insufficient_credits", "429_individual_quota"])
async def test_credits_and_personal_quotas_count_as_quota(site: Site, error: str) -> None:
    await site.open("rt-1", "rt-2")
    site.fail(error)
    assert await site.ask() == "hi"
    assert site.seen() == [("a", "rt-1", 429), ("a", "rt-2", 200)]


async def test_a_cool_down_is_never_longer_than_configured(site: Site) -> None:
    await site.open(pool={"cooldown": {"max": 600}})
    site.fail("429_individual_quota")  # 71 h
    with pytest.raises(UpstreamRateLimited) as caught:
        await site.ask()
    assert caught.value.retry_after == pytest.approx(600)


async def test_a_wait_within_retry_max_wait_is_taken_when_nothing_else_is_left(site: Site) -> None:
    await site.open(pool={"cooldown": {"max": 8}})
    site.fail("429_rate_limit_minutes")
    assert await site.ask_over_pauses() == "hi"


@pytest.mark.parametrize("error", ["401_unauthenticated", "403_validation_required"])
async def test_the_rest_of_one_is_waited_for_where_the_last_one_goes_out_of_use(site: Site, error: str) -> None:
    await site.open("rt-1", "rt-2", pool={"cooldown": {"max": 8}})
    site.fail("429_rate_limit_minutes", token="rt-1")
    site.fail(error, token="rt-2", times=99)
    assert await site.ask_over_pauses() == "hi"
    assert site.seen()[-1][1:] == ("rt-1", 200)


async def test_nothing_is_waited_for_where_all_are_out_of_use(site: Site) -> None:
    await site.open("rt-1", "rt-2")
    site.fail("401_unauthenticated", times=99)
    with pytest.raises(NoCredential):
        await site.ask()


async def test_a_pool_that_was_walked_is_not_walked_again(site: Site) -> None:
    tokens = [f"rt-{number}" for number in range(6)]
    for token in tokens:
        site.fake.oauth.add(token)
    await site.open(*tokens, pool={"cooldown": {"max": 8}})
    site.fail("429_rate_limit_minutes", times=99)
    with pytest.raises(UpstreamRateLimited) as caught:
        await site.ask()
    assert len(site.seen()) == 6
    assert caught.value.retry_after == pytest.approx(8)


async def test_a_credential_that_another_request_found_resting_is_left(site: Site) -> None:
    adapter = await site.open("rt-1", "rt-2", base_urls=[site.fake.base("a")])
    site.fail("reset", token="rt-1")
    asked = asyncio.create_task(site.ask())
    await site.asleep(asked)  # before it goes to rt-1 once more
    resting = adapter.credentials[0]
    resting.learn(Change(id=resting.id, cooling={MODEL: site.clock.time() + 60}))
    await site.clock.advance(2)
    assert await asked == "hi"
    assert [token for _, token, _ in site.seen()] == ["rt-1", "rt-2"]


def used_up(*details: dict[str, str]) -> str:
    """Begin an answer, and end it with a 429."""
    begun = {"response": {"candidates": [{"content": {"role": "model", "parts": [{"text": "Part one"}]}, "index": 0}]}}
    error = {"code": 429, "message": "Slow down.", "status": "RESOURCE_EXHAUSTED", "details": details}
    return f"!chunk {json.dumps(begun)}\n!chunk {json.dumps({'error': error})}"


async def test_a_quota_that_is_used_up_in_the_midst_of_an_answer_turns_the_next_request_away(site: Site) -> None:
    adapter = await site.open("rt-1", "rt-2", pool={"uses_per_turn": 9})
    wait = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "72.5s"}
    assert await site.ask(used_up(wait)) == "Part one"
    assert await site.ask() == "hi"
    assert site.seen() == [("a", "rt-1", 200), ("a", "rt-2", 200)]
    assert [one.serves(MODEL) for one in adapter.credentials] == [False, True]
    assert adapter.credentials[0].serves("claude-sonnet-4-5")
    await site.clock.advance(74)
    assert adapter.credentials[0].serves(MODEL)


async def test_a_429_in_the_midst_of_an_answer_says_how_long_the_only_credential_rests(site: Site) -> None:
    await site.open("rt-1")
    begun = await site.begin(used_up({"@type": INFO, "reason": "RATE_LIMIT_EXCEEDED"}))
    events = list(begun.events)
    while (more := await begun.answer.read()) is not None:
        events += more
    begun.journey.done(begun.answer.usage)
    failed = events[-1]
    assert isinstance(failed, ir.Failed)
    assert failed.error.retry_after == pytest.approx(60, abs=1)
