"""The record of the token calls: who, when, with how many others."""

from __future__ import annotations

import asyncio

from tests.fakes_tests.google_login import USER, back, exchange, refresh
from tests.fakes_tests.v1internal_bodies import Client


async def together(client: Client, *refresh_tokens: str) -> None:
    client.fake.oauth.hold()
    waiting = [asyncio.ensure_future(refresh(client, one)) for one in refresh_tokens]
    await client.fake.wait_for("token", len(waiting))
    client.fake.oauth.release()
    await asyncio.gather(*waiting)


async def test_a_call_is_recorded_with_its_account_and_its_end(client: Client) -> None:
    await refresh(client)
    (call,) = client.fake.oauth.calls.all
    assert (call.grant, call.credential, call.email, call.client_id) == ("refresh_token", "rt-1", USER, "i")
    assert (call.status, call.error, call.concurrent) == (200, "", 1)
    assert call.ended_at is not None
    assert call.ended_at >= call.at


async def test_a_refused_call_is_recorded_with_its_error(client: Client) -> None:
    client.fake.oauth.fail("invalid_grant")
    await refresh(client)
    (call,) = client.fake.oauth.calls.refreshes(USER)
    assert (call.status, call.error) == (400, "invalid_grant")


async def test_a_login_is_recorded_with_the_account_of_its_code(client: Client) -> None:
    await exchange(client, (await back(client))["code"])
    (call,) = client.fake.oauth.calls.of(USER)
    assert (call.grant, call.status) == ("authorization_code", 200)
    assert not client.fake.oauth.calls.refreshes()


async def test_refreshes_of_one_account_at_the_same_time_overlap(client: Client) -> None:
    await together(client, "rt-1", "rt-2", "rt-1")
    assert [call.email for call in client.fake.oauth.calls.overlapping()] == [USER]


async def test_refreshes_of_several_accounts_do_not_overlap(client: Client) -> None:
    await together(client, "rt-1", "rt-2", "rt-3")
    assert not client.fake.oauth.calls.overlapping()


async def test_two_refresh_tokens_of_one_account_are_one_account(client: Client) -> None:
    client.fake.oauth.accounts["again"] = client.fake.oauth.accounts["rt-1"]
    await together(client, "rt-1", "again")
    assert [call.credential for call in client.fake.oauth.calls.overlapping()] == ["again"]


async def test_a_refresh_of_what_has_just_been_refreshed_is_doubled(client: Client) -> None:
    await refresh(client)
    await refresh(client)
    await refresh(client, "rt-2")
    assert len(client.fake.oauth.calls.doubled(60)) == 1
    assert not client.fake.oauth.calls.doubled(0)


async def test_a_refresh_after_a_failed_one_is_not_doubled(client: Client) -> None:
    client.fake.oauth.fail(503)
    await refresh(client)
    await refresh(client)
    assert not client.fake.oauth.calls.doubled(60)


async def test_a_slow_refresh_takes_its_time(client: Client) -> None:
    client.fake.oauth.delay_s = 0.05
    await refresh(client)
    (call,) = client.fake.oauth.calls.all
    assert call.ended_at is not None
    assert call.ended_at - call.at >= 0.05
