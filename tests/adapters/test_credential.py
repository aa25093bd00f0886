"""When an access token is refreshed, by whom, and what a failure changes."""

import asyncio

import pytest

from gateway.errors import NoCredential, UpstreamUnavailable
from tests.adapters.site import Site

pytestmark = pytest.mark.anyio


async def test_a_hundred_requests_wait_for_one_refresh(site: Site) -> None:
    await site.open()
    site.fake.oauth.hold()
    asked = [asyncio.create_task(site.ask()) for _ in range(100)]
    await site.fake.wait_for("token")
    site.fake.oauth.release()
    assert set(await asyncio.gather(*asked)) == {"hi"}
    assert len(site.fake.calls("token")) == 1
    assert len(site.fake.calls("loadCodeAssist")) == 1


async def test_a_request_that_leaves_does_not_end_the_refresh_for_others(site: Site) -> None:
    await site.open()
    site.fake.oauth.hold()
    leaving, staying = asyncio.create_task(site.ask()), asyncio.create_task(site.ask())
    await site.fake.wait_for("token")
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    site.fake.oauth.release()
    assert await staying == "hi"
    assert len(site.fake.calls("token")) == 1


async def test_a_hundred_refused_tokens_are_refreshed_once(site: Site) -> None:
    await site.open()
    await site.ask()
    site.fake.oauth.expire("rt-1")
    assert set(await asyncio.gather(*(site.ask() for _ in range(100)))) == {"hi"}
    assert len(site.fake.calls("token")) == 2


async def test_a_token_is_refreshed_five_minutes_early_and_nobody_waits_for_it(site: Site) -> None:
    await site.open()
    await site.ask()
    await site.clock.advance(3599 - 301)
    await site.ask()
    assert len(site.fake.calls("token")) == 1
    await site.clock.advance(2)
    site.fake.oauth.hold()
    assert await site.ask() == "hi"
    await site.fake.wait_for("token", 2)
    site.fake.oauth.release()


async def test_an_ended_token_is_refreshed_first(site: Site) -> None:
    await site.open()
    await site.ask()
    await site.clock.advance(3599)
    await site.ask()
    assert [call.token for call in site.fake.calls()] == ["FAKE-ACCESS-TOKEN-1", "FAKE-ACCESS-TOKEN-2"]


async def test_a_jump_of_the_wall_clock_is_no_harm(site: Site) -> None:
    await site.open()
    await site.ask()
    site.clock.wall -= 7200
    await site.clock.advance(3599)
    await site.ask()
    assert len(site.fake.calls("token")) == 2  # the monotonic clock says it has ended
    site.clock.wall += 7200
    await site.ask()
    assert len(site.fake.calls("token")) == 3  # a machine that slept


@pytest.mark.parametrize("expires_in", [None, 0, -600])
async def test_a_token_without_lifetime_is_not_refreshed_for_every_request(site: Site, expires_in: int | None) -> None:
    site.fake.oauth.expires_in = expires_in
    await site.open()
    for _ in range(5):
        await site.ask()
    assert len(site.fake.calls("token")) == 1


async def test_a_revoked_login_is_disabled_and_the_next_credential_serves(site: Site) -> None:
    adapter = await site.open("rt-1", "rt-2")
    site.fake.oauth.fail("invalid_grant", token="rt-1")
    assert await site.ask(attempts=1) == "hi"
    assert adapter.state() == "usable: 1 of 2 credentials; 1 disabled"
    assert adapter.credentials[0].reason.startswith("invalid_grant")
    assert adapter.credentials[0].row.last_error == adapter.credentials[0].reason  # which the page says once


async def test_the_only_login_revoked_leaves_no_credential(site: Site) -> None:
    adapter = await site.open()
    site.fake.oauth.fail("invalid_grant")
    with pytest.raises(NoCredential, match="1 credential: 1 disabled"):
        await site.ask()
    with pytest.raises(NoCredential):
        await site.ask()
    assert len(site.fake.calls("token")) == 1
    assert not adapter.usable


async def test_a_busy_token_endpoint_is_asked_again_after_a_pause(site: Site) -> None:
    await site.open()
    site.fake.oauth.fail(503)
    asked = asyncio.create_task(site.ask())
    await site.asleep(asked)
    await site.clock.advance(1)
    assert await asked == "hi"
    assert len(site.fake.calls("token")) == 2


async def test_a_token_endpoint_that_stays_busy_is_told_as_such(site: Site) -> None:
    adapter = await site.open()
    site.fake.oauth.fail(503, times=9)
    with pytest.raises(UpstreamUnavailable, match="the token endpoint responded with 503"):
        await site.ask(attempts=1)
    with pytest.raises(UpstreamUnavailable, match="the token endpoint responded with 503"):
        await site.ask(attempts=1)
    assert len(site.fake.calls("token")) == 1  # within the pause nobody asks
    assert adapter.usable


async def test_a_failed_early_refresh_leaves_the_token_in_use(site: Site) -> None:
    await site.open()
    await site.ask()
    site.fake.oauth.fail(503, times=9)
    await site.clock.advance(3599 - 299)
    assert await site.ask() == "hi"
    await site.fake.wait_for("token", 2)
    for _ in range(3):
        assert await site.ask() == "hi"
    assert len(site.fake.calls("token")) == 2


async def test_a_new_refresh_token_is_on_disk_before_it_is_used(site: Site) -> None:
    site.fake.oauth.rotate = True
    adapter = await site.open()
    await site.ask()
    assert site.fake.calls("token")[0].credential == "rt-1"
    await site.open()
    site.fake.oauth.expire()
    await site.ask()
    assert site.fake.calls("token")[1].credential == "rt-1~1"
    assert adapter.leases == 0
